"""What a convention means, in words: the table of `reference.conventions` for readers of a report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from reference.arguments import ArgumentError
from reference.conventions import parse

__all__ = ["WORDS", "Meaning", "meanings"]

WORDS: Mapping[str, str] = MappingProxyType(
    {
        "base": "logarithms to another base than e",
        "clip": "probabilities are clipped away from 0 and 1; the gradient is 0 outside",
        "renormalize": "the probabilities of a row are divided by their sum",
        "add_inside_log": "a small number is added inside the logarithm",
        "log_clamp": "logarithms below a bound become the bound",
        "gradient_clamp": "the divisor p (1 − p) of the gradient is kept above a small number",
        "denominator": "what a mean divides by",
        "smoothing": "how label smoothing spreads its share over the classes",
        "finite_zero_mean": "the mean over nothing is 0, not nan",
        "gradient_of_targets_summing_to_one": "the gradient is weight · (softmax − targets), whatever those sum to",
    }
)
"""By name of the convention; a test compares the names with those of the reference."""


_RECORDED = "implementation_defined"


@dataclass(frozen=True, order=True)
class Meaning:
    """One convention without its number, which may be another in each dtype."""

    name: str
    words: str


def meanings(convention: str) -> tuple[Meaning, ...]:
    """What the text form of a convention consists of; a text that is none stands for itself.

    >>> [m.name for m in meanings("clip(1e-07), renormalize")]
    ['clip', 'renormalize']
    """
    try:
        names = tuple(parse(convention))
    except ArgumentError:
        words = "there is no right answer: what each one does is recorded" if convention.startswith(_RECORDED) else ""
        return (Meaning(convention or "not named", words),)
    return tuple(Meaning(name, WORDS.get(name, "")) for name in names) or (Meaning("not named", ""),)
