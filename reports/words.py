"""How verdicts, severities and outcomes are called and marked wherever a person reads them.

A mark is a glyph with a word: colour alone says nothing to a part of the readers, on paper, or in a log.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from harness.core.cell import INFRASTRUCTURE, Cell

__all__ = [
    "CLAIM_MARKS",
    "FINDINGS",
    "INFRASTRUCTURE_STATUSES",
    "MARKS",
    "Mark",
    "gravity",
    "happened",
    "status",
    "told",
]


@dataclass(frozen=True)
class Mark:
    """How one judgement is shown."""

    key: str
    """Name in style sheets, filters and addresses."""
    glyph: str
    word: str
    """At most eleven letters, for a table."""
    sentence: str
    """For legends."""
    rank: int
    """Gravity: what is graver stands for the whole when several cells are shown as one."""


MARKS: Mapping[str, Mark] = MappingProxyType(
    {
        mark.key: mark
        for mark in (
            Mark("silently_wrong", "✕", "wrong", "a wrong finite number, or a number where an error is right", 12),
            Mark("ends_its_process", "✕", "crashes", "the call ends its process each time, alone too", 11),
            Mark("silent_nonfinite", "✕", "nan or inf", "nan or infinity where a finite number is right", 10),
            Mark("hangs", "✕", "hangs", "the call never answers, alone neither", 9),
            Mark("unexpected_error", "✕", "error", "an error where a number is right", 8),
            Mark("wrong_error", "✕", "other error", "an error of another kind than the right one", 7),
            Mark("crashed", "†", "crashed", "the process died during the call, and it is not known why", 6),
            Mark("timed_out", "…", "timed out", "no answer within the time allowed", 5),
            Mark("missing", "∅", "missing", "the implementation could not be started", 4),
            Mark("known", "◆", "known", "differs exactly as an entry of the divergence ledger says", 3),
            Mark("by_convention", "≈", "convention", "equals the truth under the convention it documents", 2),
            Mark("agrees", "✓", "agrees", "equals the truth within the budget", 1),
            Mark("unsupported", "–", "not offered", "the implementation does not offer this", 0),
        )
    }
)
"""By status: the verdict, or for what disagrees its severity. Gravest first."""

FINDINGS = ("silently_wrong", "ends_its_process", "silent_nonfinite", "hangs", "unexpected_error", "wrong_error")
INFRASTRUCTURE_STATUSES = ("crashed", "timed_out", "missing")

CLAIM_MARKS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "holds": ("✓", "holds"),
        "holds_to_printed_digits": ("✓", "holds to the digits printed"),
        "holds_under_convention": ("≈", "holds only under another convention"),
        "wrong": ("✕", "wrong"),
        "cannot_be_checked": ("?", "cannot be checked"),
    }
)


def status(cell: Cell) -> str:
    """The verdict of a cell, made precise by its severity where it disagrees; a key of `MARKS`.

    A disagreement without a stated severity is read as the gravest: an omission must not flatter.
    """
    if cell.verdict != "disagrees":
        return cell.verdict
    return cell.severity if cell.severity in FINDINGS else "silently_wrong"


def gravity(cell: Cell) -> tuple[int, float]:
    """Sorts cells: the graver the larger; among equals by how far outside the budget."""
    return (MARKS[status(cell)].rank, excess(cell))


def excess(cell: Cell) -> float:
    """How many times its budget the error of a cell is; infinite for nan, 0 where nothing was measured."""
    if cell.ratio is None:
        return 0.0
    ratio = float(cell.ratio)
    if ratio != ratio:
        return float("inf")
    return ratio / cell.budget if cell.budget else ratio


def happened(cell: Cell) -> str:
    """What came back, in a word: value, nan, inf, shape, dtype, raises, or why nothing did."""
    kind = str(cell.outcome.get("kind", "?"))
    if kind != "value":
        return kind.replace("_", " ")
    if cell.observed is not None and cell.observed.kind != "returns":
        return "value" if cell.observed.kind == "finite" else cell.observed.kind
    return _nonfinite(cell.got) or "value"


def told(cell: Cell) -> str:
    """`happened` where it says more than the mark does: nothing came back from what is not offered or was not run."""
    return "" if cell.verdict in _NOTHING_CAME_BACK else happened(cell)


_NOTHING_CAME_BACK = INFRASTRUCTURE | {"unsupported"}


def _nonfinite(value: object) -> str | None:
    """nan before inf, found anywhere in nested lists or in the worst element of a larger array."""
    if isinstance(value, str):
        text = value.lstrip("+-")
        return text if text in ("nan", "inf") else None
    if isinstance(value, Mapping):
        return _nonfinite(value.get("worst"))
    if isinstance(value, list | tuple):
        found = {_nonfinite(v) for v in value}
        return "nan" if "nan" in found else "inf" if "inf" in found else None
    return None
