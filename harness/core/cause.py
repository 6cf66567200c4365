"""What the diagnosis says of a wrong answer, as data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Cause:
    """A wrong step that explains an answer."""

    mistake: str
    """Its name in `harness.mistakes`, where it is one; else the name of what is seen: constant-factor, wrong-signs."""
    sentence: str
    """What the code does, made from the name and the parameters."""
    parameters: tuple[float | str, ...] = ()
    """What the mistake is made with: the bound of a clip, a format. Several where all of them explain the answer."""


def sentence_of(causes: Sequence[Cause]) -> str:
    """One sentence of all causes, or that there is none."""
    if not causes:
        return "no single change of convention, option or factor explains it"
    return ", or: ".join(cause.sentence for cause in causes)
