"""What a cell holds of an answer, as one number: its worst element, beside what is right there."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from harness.core.cell import Cell
from harness.core.digits import told_apart


def worst_element(numbers: Any, worst: int | None) -> float | None:
    """The element of `got` or `truth` of a cell that is furthest off; None where it holds no numbers."""
    if isinstance(numbers, Mapping):
        return worst_element(numbers.get("worst"), None)
    if isinstance(numbers, list | tuple):
        flat = _flat(numbers)
        return flat[worst or 0] if len(flat) > (worst or 0) else None
    if isinstance(numbers, bool) or not isinstance(numbers, int | float | str):
        return None
    try:
        return float(numbers)
    except ValueError:
        return None


def _flat(numbers: Any) -> list[float]:
    if isinstance(numbers, list | tuple):
        return [number for inner in numbers for number in _flat(inner)]
    number = worst_element(numbers, None)
    return [math.nan if number is None else number]


def beside_truth(cell: Cell) -> str:
    """What came back where it is worst, and what is right there, in the digits that differ; empty without numbers."""
    got, truth = worst_element(cell.got, cell.worst), worst_element(cell.truth, cell.worst)
    if got is None or truth is None:
        return ""
    is_, right = told_apart(got, truth)
    return f"{is_} where the truth is {right}"
