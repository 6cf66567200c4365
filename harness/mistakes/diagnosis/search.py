"""The search: every candidate whose result is the number that came back, the simplest first.

A candidate is accepted only when the whole result agrees with it inside the ordinary budget and it explains most of the
distance from the truth. Where several changes come to the same on this input, all are named; where none explains the
result, that is said.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import numpy as np

from harness.core.formats import FORMATS, FloatFormat, rounded
from harness.judgement.agreement import BUDGET, Floats, Target, compare
from harness.judgement.truth import TruthTable
from harness.mistakes.diagnosis import (
    answers,
    logarithms,
    options,
    reductions,
    second_derivatives,
    sigmoids,
    softmaxes,
    targets,
    undefined,
)
from harness.mistakes.diagnosis.candidate import Candidate

UNEXPLAINED = "no single change of convention, option or factor explains it"
EXHAUSTIVE = 2**14
"""Elements of the inputs up to which every candidate is tried. In larger ones the first that explains is named, which
costs as much as the others together would many times over."""
EQUALS = 6
"""Changes that come to the same on an input and are written out; of more than these their number is said."""
_NUMBER = re.compile(r"(?<!\w)\d+(?:\.\d+)?(?:e[+-]?\d+)?")


@dataclass(frozen=True, eq=False)
class _Wanted:
    """What came back, and how near a candidate has to come to it."""

    got: Floats
    aspect: str
    truth: Target
    fmt: FloatFormat
    flush_to_zero: bool
    deviation: float
    """Ratio of the distance from the truth; a candidate explains most of it."""
    worst: int
    """Where that is, counted flat: what is compared first."""

    def is_met_by(self, candidate: Candidate) -> bool:
        other = candidate.results().get(self.aspect)
        if (
            other is None
            or other.shape != self.got.shape
            or not self._is_near(float(other.flat[self.worst]), candidate)
        ):
            return False
        distance = compare(self.got, self._target(other, candidate), self.fmt, flush_to_zero=self.flush_to_zero)
        if not distance.agrees or distance.ratio > self._left():
            return False
        # What is as good as the truth explains nothing.
        return not compare(np.asarray(other), self.truth, self.fmt, flush_to_zero=self.flush_to_zero).agrees

    def _left(self) -> float:
        """How far a candidate may stay away: one unit, or an eighth of the distance from the truth. Of the three digits
        of a half format many candidates share two, so there it is one unit always."""
        return 1.0 if self.fmt.name in ("float16", "bfloat16") else max(1.0, self.deviation / 8)

    def _is_near(self, other: float, candidate: Candidate) -> bool:
        """A look at one element, which rules most out."""
        got = float(self.got.flat[self.worst])
        if np.isnan(got) or np.isnan(other):
            return bool(np.isnan(got) and np.isnan(other))
        if np.isinf(got):
            return other == got or abs(other) > self.fmt.largest / 2
        gauge = float(self._gauge.flat[self.worst])
        allowed = _rounded_once(self.fmt) * BUDGET[self.fmt.name] * self.fmt.eps * max(gauge, abs(other))
        return bool(abs(got - other) <= allowed + self.fmt.smallest_normal + candidate.slack * max(1.0, abs(other)))

    @property
    def _gauge(self) -> Floats:
        # The gauge of an infinite truth is infinite, and would forgive any number that stands in its place.
        return np.where(np.isfinite(self.truth.hi), np.where(self.truth.gauge < 1e300, self.truth.gauge, 1.0), 1.0)

    def _target(self, other: Floats, candidate: Candidate) -> Target:
        gauge = np.maximum(self._gauge, np.where(np.isfinite(other), np.abs(other), 0.0)) * _rounded_once(self.fmt)
        gauge = gauge + candidate.slack / (self.fmt.eps * BUDGET[self.fmt.name])
        return replace(self.truth, hi=other, lo=np.zeros_like(other), gauge=gauge)


def _rounded_once(fmt: FloatFormat) -> float:
    """In float64 the candidate itself is off by as much as the result may be."""
    return 2.0 if fmt.name == "float64" else 1.0


def candidates(table: TruthTable, aspect: str, truth: Floats) -> Iterator[Candidate]:
    """The lattice for one case, from the common to the rare."""
    return chain(
        answers.replacements(table, aspect, truth),
        undefined.candidates(table),
        reductions.candidates(table),
        options.candidates(table),
        targets.candidates(table),
        logarithms.candidates(table),
        softmaxes.candidates(table),
        sigmoids.candidates(table),
        second_derivatives.candidates(table),
        answers.candidates(table, aspect, truth),
    )


def explanations(got: Floats, aspect: str, truth: Target, table: TruthTable, *, flush_to_zero: bool) -> tuple[str, ...]:
    """Every change that yields `got`, the simplest first."""
    if got.size == 0:
        return ()
    fmt = FORMATS[table.dtype]
    now = compare(got, truth, fmt, flush_to_zero=flush_to_zero)
    worst = int(np.ravel_multi_index(now.worst, got.shape)) if now.worst else 0
    wanted = _Wanted(got, aspect, truth, fmt, flush_to_zero, now.ratio, worst)
    exhaustive = sum(array.size for array in table.inputs.values()) <= EXHAUSTIVE
    found: dict[str, None] = {}
    with np.errstate(all="ignore"):
        for candidate in candidates(table, aspect, truth.hi):
            if candidate.says not in found and wanted.is_met_by(candidate):
                found[candidate.says] = None
                if not exhaustive:
                    break
    return tuple(found)


def merged(causes: Sequence[str]) -> list[str]:
    """Causes that differ in a number alone as one, with all their numbers: clip(1e-07 or 1e-08)."""
    families: dict[str, list[list[str]]] = {}
    for cause in causes:
        families.setdefault(_NUMBER.sub("#", cause), []).append(_NUMBER.findall(cause))
    return [_filled(words, list(zip(*numbers, strict=True))) for words, numbers in families.items()]


def _filled(words: str, columns: Sequence[Sequence[str]]) -> str:
    """A sentence whose numbers are #, with every number that each was."""
    first, *others = words.split("#")
    joined = (" or ".join(dict.fromkeys(column)) for column in columns)
    return first + "".join(f"{number}{text}" for number, text in zip(joined, others, strict=True))


def diagnose(
    got: Floats,
    aspect: str,
    truth: Target,
    table: TruthTable,
    *,
    flush_to_zero: bool,
    computed_in: str | None = None,
) -> str:
    """One sentence: what makes the truth equal to `got`, or that nothing tried does.

    `computed_in` names another format in which `got` is right. Where that is coarser it is believed of float32 only,
    and of numbers that float32 can hold: a coarse format forgives most mistakes.
    """
    fmt = FORMATS[table.dtype]
    elsewhere = f"right for the inputs as {computed_in}: computed in {computed_in}"
    if computed_in is not None and FORMATS[computed_in].eps < fmt.eps:
        return elsewhere
    seen = _seen(got, truth)
    causes = merged(explanations(got, aspect, truth, table, flush_to_zero=flush_to_zero))
    if causes:
        first, *others = causes
        sentence = first if seen is None else f"{seen}, as with: {first}"
        shown = [*others[:EQUALS], *([f"{len(others) - EQUALS} more"] if len(others) > EQUALS else [])]
        return f"{sentence} (on this input the same as: {', or: '.join(shown)})" if others else sentence
    if seen is not None:
        return seen
    # Three digits, which is what a half format holds, come about by chance; seven do not.
    if computed_in == "float32" and _is_held(got, FORMATS[computed_in]):
        return elsewhere
    return (
        answers.at_ignored_rows(got, table, aspect, _right(got, truth, fmt, flush_to_zero))
        or answers.signs(got, _right(np.copysign(got, truth.hi), truth, fmt, flush_to_zero))
        or answers.factor(got, truth.hi, table)
        or _precision(computed_in, got, truth, table, flush_to_zero)
        or UNEXPLAINED
    )


def _seen(got: Floats, truth: Target) -> str | None:
    """What is said of a result before any cause: all nan, all zero."""
    if got.size and bool(np.isnan(got).all()) and not bool(np.isnan(truth.hi).all()):
        return "nan everywhere"
    if got.size and not got.any() and bool(np.isfinite(truth.hi).all()):
        return "zero where it is not" if got.ndim == 0 else "zero everywhere"
    return None


def _is_held(got: Floats, fmt: FloatFormat) -> bool:
    """Whether every number is one of the format."""
    return bool(np.array_equal(rounded(got, fmt), got, equal_nan=True))


def _right(got: Floats, truth: Target, fmt: FloatFormat, flush_to_zero: bool) -> Any:
    """Which elements agree."""
    floor = fmt.smallest_normal if flush_to_zero else fmt.smallest_subnormal
    with np.errstate(all="ignore"):
        same = (got == truth.hi) | (np.isnan(got) & np.isnan(truth.hi))
        return same | (np.abs(got - truth.hi) - floor <= BUDGET[fmt.name] * fmt.eps * truth.gauge)


def _precision(
    computed_in: str | None, got: Floats, truth: Target, table: TruthTable, flush_to_zero: bool
) -> str | None:
    """That float64 is right in float32 only: seven digits are no accident, the three of a half format may be."""
    if table.dtype != "float64":
        return None
    coarse = FORMATS["float32"]
    agrees = computed_in == "float32" or compare(got, truth, coarse, flush_to_zero=flush_to_zero).agrees
    return "right only to the precision of float32: something is computed in a narrower format" if agrees else None
