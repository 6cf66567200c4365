"""Known-bad implementations: what the suite must catch.

`MUTANTS` holds one entry for each mistake in each loss it is made in, named `mistake.loss`, and one for each
misbehaviour towards the process, named by itself. `adapter(name)` makes the adapter that `mutant:NAME` stands for;
`adapter("sound")` makes the correct implementation they all start from.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from harness.adapters.base import Adapter
from harness.core.errors import UsageError
from harness.mistakes.library import ALONG, BESIDE, KINDS, MISTAKES, SEAMS, SECOND, WAYS
from harness.mistakes.mistake import Mistake
from harness.mistakes.sound import Sound
from harness.mistakes.steps import Steps
from harness.mistakes.wrong_conduct import CONDUCT, Conduct

__all__ = [
    "ALONG",
    "BESIDE",
    "MISTAKES",
    "MUTANTS",
    "SEAMS",
    "SECOND",
    "WAYS",
    "Mistake",
    "Mutant",
    "adapter",
    "check_names",
]

MUTANT = "mutant:"
"""What the name of a known-bad implementation begins with on the command line."""

SOUND = "sound"
"""The name of the correct one."""


@dataclass(frozen=True)
class Mutant:
    """A known-bad implementation."""

    name: str
    losses: tuple[str, ...]
    mistake: str
    """What it does wrong, in a sentence."""
    step: str
    """The mistake, by the name under which the diagnosis knows it."""
    factory: Callable[[], Adapter]
    kind: str
    """A key of `KINDS`, or conduct."""
    steps: Mapping[str, Any] = field(default_factory=dict)
    """Those it replaces; of conduct none is said."""
    answers_rightly: bool = False
    """True where it disturbs its process only: its answers are right and must be judged so."""


def _numeric(kind: str, name: str, mistake: Mistake, loss: str) -> Mutant:
    full, steps = f"{name}.{loss}", mistake.steps
    return Mutant(
        name=full,
        losses=(loss,),
        mistake=mistake.says(mistake.parameter),
        step=mistake.same_step or name,
        factory=lambda: Sound(replace(Steps(), **steps), (loss,), full),
        kind=kind,
        steps=steps,
    )


def _conduct(name: str, conduct: Conduct) -> Mutant:
    return Mutant(
        name=name,
        losses=conduct.losses,
        mistake=conduct.sentence,
        step=name,
        factory=lambda: conduct.make(conduct.losses),
        kind="conduct",
        answers_rightly=conduct.answers_rightly,
    )


def _all() -> dict[str, Mutant]:
    mutants = [
        _numeric(kind, name, mistake, loss)
        for kind, mistakes in KINDS.items()
        for name, mistake in mistakes.items()
        for loss in mistake.losses
    ]
    mutants.extend(_conduct(name, conduct) for name, conduct in CONDUCT.items())
    return {mutant.name: mutant for mutant in mutants}


MUTANTS: Mapping[str, Mutant] = MappingProxyType(_all())
"""By name."""


def adapter(name: str) -> Adapter:
    """The adapter named `name`: one of `MUTANTS`, or `sound`. ValueError, naming what is close, for any other."""
    if name == SOUND:
        return Sound()
    if name not in MUTANTS:
        raise ValueError(_unknown(name))
    return MUTANTS[name].factory()


def check_names(names: Iterable[str]) -> None:
    """UsageError where one of these names of implementations is `mutant:NAME` and there is no such NAME."""
    for name in names:
        wrong = name.removeprefix(MUTANT)
        if name.startswith(MUTANT) and wrong != SOUND and wrong not in MUTANTS:
            raise UsageError(f"{name}: {_unknown(wrong)}")


def _unknown(name: str) -> str:
    mistake = name.partition(".")[0]
    near = [known for known in MUTANTS if known.partition(".")[0] == mistake] or difflib.get_close_matches(
        name, [SOUND, *MUTANTS], n=3, cutoff=0.4
    )
    hint = f"; there are {', '.join(near)}" if near else ""
    return f"no known-bad implementation is named {name!r}{hint}; `xent kills -o FILE` writes all their names"
