"""The search: every mistake of the library that gives exactly the number that came back, the likeliest first.

A mistake is made in the call itself, by the steps its known-bad implementations have, and everything else is computed
rightly. It is a cause where the whole result agrees with the answer inside the ordinary budget and it explains most of
the distance from the truth. What has a cause of a smaller rank has none of a larger one: that comes to the same on this
input, which says nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

import numpy as np

from harness.adapters import micro_batches
from harness.adapters.base import Answer, Call
from harness.core.cause import Cause
from harness.core.formats import FORMATS, FloatFormat
from harness.judgement.agreement import BUDGET, Floats, Target, compare
from harness.judgement.truth import DIRECTIONAL, HESSIAN_VECTOR, TruthTable, aspects
from harness.mistakes.answers import UNFIT, Answered, answered
from harness.mistakes.diagnosis import observations
from harness.mistakes.library import MISTAKES, Named
from harness.mistakes.mistake import OWN

NAMED = 3
"""Causes that are named at most: who reads more of them reads none."""
EXHAUSTIVE = 2**14
"""Elements of the inputs up to which every mistake of a rank is tried. In larger ones the first that explains is named,
which costs as much as the others together would many times over."""


def diagnose(
    got: Floats,
    aspect: str,
    truth: Target,
    table: TruthTable,
    *,
    flush_to_zero: bool,
    computed_in: str | None = None,
) -> tuple[Cause, ...]:
    """The likeliest causes of a wrong answer, at most three; none where nothing explains it.

    `computed_in` names another format in which `got` is right. Where that is coarser it is believed of float32 only,
    and of numbers that float32 can hold: a coarse format forgives most mistakes.
    """
    fmt = FORMATS[table.dtype]
    if got.size == 0:
        return ()
    if computed_in is not None and FORMATS[computed_in].eps < fmt.eps:
        return (observations.computed_in(computed_in),)
    if table.dtype in ("float64", "float32"):  # whose digits are so many that nothing else comes to the same
        loss_of_digits = observations.unshifted(got, aspect, truth, table, flush_to_zero=flush_to_zero)
        if loss_of_digits is not None:
            return (loss_of_digits,)
    overflow = observations.overflown(got, truth, table)
    if overflow is not None:
        return (overflow,)
    with np.errstate(all="ignore"):
        found = _causes(got, aspect, truth, table, flush_to_zero)
    return found[:NAMED] or observations.seen(
        got, aspect, truth, table, flush_to_zero=flush_to_zero, computed_in=computed_in
    )


@dataclass(frozen=True, eq=False)
class _Wanted:
    """What came back, and how near a mistake has to come to it."""

    got: Floats
    truth: Target
    fmt: FloatFormat
    flush_to_zero: bool
    deviation: float
    """Ratio of the distance from the truth; a cause explains most of it."""
    worst: int
    """Where that is, counted flat: what is compared first."""

    def is_met_by(self, other: Floats | None, slack: float) -> bool:
        if other is None or other.shape != self.got.shape or not self._is_near(float(other.flat[self.worst]), slack):
            return False
        distance = compare(self.got, self._target(other, slack), self.fmt, flush_to_zero=self.flush_to_zero)
        if not distance.agrees or distance.ratio > self._left():
            return False
        # Nor does noise that the truth itself would be within.
        if slack and self._is_within(self._target(self.truth.hi, slack)):
            return False
        # What is as good as the truth explains nothing.
        return not compare(np.asarray(other), self.truth, self.fmt, flush_to_zero=self.flush_to_zero).agrees

    def _is_within(self, target: Target) -> bool:
        return compare(self.got, target, self.fmt, flush_to_zero=self.flush_to_zero).agrees

    def _left(self) -> float:
        """How far a cause may stay away: one unit, or an eighth of the distance from the truth. Of the three digits of
        a half format many mistakes share two, so there it is one unit always."""
        return 1.0 if self.fmt.name in ("float16", "bfloat16") else max(1.0, self.deviation / 8)

    def _is_near(self, other: float, slack: float) -> bool:
        """A look at one element, which rules most out."""
        got = float(self.got.flat[self.worst])
        if np.isnan(got) or np.isnan(other):
            return bool(np.isnan(got) and np.isnan(other))
        if np.isinf(got):
            return other == got or abs(other) > self.fmt.largest / 2
        error_scale = float(self._error_scale.flat[self.worst])
        allowed = _rounded_once(self.fmt) * BUDGET[self.fmt.name] * self.fmt.eps * max(error_scale, abs(other))
        return bool(abs(got - other) <= allowed + self.fmt.smallest_normal + slack * max(1.0, abs(other)))

    @property
    def _error_scale(self) -> Floats:
        # The error scale of an infinite truth is infinite, and would forgive any number that stands in its place.
        return np.where(
            np.isfinite(self.truth.hi), np.where(self.truth.error_scale < 1e300, self.truth.error_scale, 1.0), 1.0
        )

    def _target(self, other: Floats, slack: float) -> Target:
        error_scale = np.maximum(self._error_scale, np.where(np.isfinite(other), np.abs(other), 0.0)) * _rounded_once(
            self.fmt
        )
        error_scale = error_scale + slack / (self.fmt.eps * BUDGET[self.fmt.name])
        return replace(self.truth, hi=other, lo=np.zeros_like(other), error_scale=error_scale)


def _rounded_once(fmt: FloatFormat) -> float:
    """In float64 the answer of a mistake is itself off by as much as the result may be."""
    return 2.0 if fmt.name == "float64" else 1.0


def _answered(call: Call, aspect: str, truth: Target, flush_to_zero: bool) -> Answered | None:
    """None where what the mistakes are made in is not itself right about the call: it lacks the loss or an option."""
    found = answered(call, value_only=aspect == "value")
    numbers = None if found is None else part(found.right, aspect, call)
    if numbers is None or numbers.shape != truth.hi.shape:
        return None
    return found if compare(numbers, truth, FORMATS[call.dtype], flush_to_zero=flush_to_zero).agrees else None


def _answer(of: Answered, changed: Mapping[str, Any]) -> Answer | None:
    """What comes of it with some steps replaced; None where nothing does, or the steps have no meaning here."""
    try:
        # Of micro-batches each part is finished, not what they come to.
        if changed.keys() == {"finish"} and of.call.mode != micro_batches.MODE:
            found = changed["finish"](of.call, of.right)
            return None if found is of.right else found
        mistaken = of.with_steps(changed)
        return None if mistaken is None else mistaken.evaluate(of.call)
    except UNFIT:
        return None


def part(answer: Answer, aspect: str, call: Call) -> Floats | None:
    """The numbers of one aspect; None where they are of another type, which is judged by itself."""
    if aspect in (DIRECTIONAL, HESSIAN_VECTOR):
        array = answer.directional if aspect == DIRECTIONAL else answer.hessian_vector
    else:
        name = aspects(call).get(aspect)
        array = answer.outputs.get(aspect, answer.value) if name is None else answer.gradients.get(name)
    return None if array is None or array.dtype != call.dtype else array.to_float64()


def _causes(got: Floats, aspect: str, truth: Target, table: TruthTable, flush_to_zero: bool) -> tuple[Cause, ...]:
    """Every cause of the smallest rank that has one."""
    fmt = FORMATS[table.dtype]
    called = _answered(table.call, aspect, truth, flush_to_zero)
    if called is None:
        return ()
    now = compare(got, truth, fmt, flush_to_zero=flush_to_zero)
    worst = int(np.ravel_multi_index(now.worst, got.shape)) if now.worst else 0
    wanted = _Wanted(got, truth, fmt, flush_to_zero, now.ratio, worst)
    exhaustive = sum(math.prod(array.shape) for array in table.call.inputs.values()) <= EXHAUSTIVE
    for _, likely in groupby(_RANKED, key=lambda named: named.rank):
        found = _explaining(likely, called, aspect, wanted)
        causes = tuple(found) if exhaustive else tuple(cause for cause, _ in zip(found, (0,), strict=False))
        if causes:
            return causes
    return ()


_RANKED: tuple[Named, ...] = tuple(
    sorted((named for named in MISTAKES if not named.mistake.same_step), key=lambda named: named.rank)
)


def _explaining(likely: Iterator[Named], called: Answered, aspect: str, wanted: _Wanted) -> Iterator[Cause]:
    for named in likely:
        mistake = named.mistake
        explaining = [
            parameter
            for parameter in mistake.parameters
            if (answer := _answer(called, mistake.make(parameter))) is not None
            and wanted.is_met_by(part(answer, aspect, called.call), mistake.slack(parameter))
        ]
        if OWN in explaining:
            explaining = [parameter for parameter in explaining if parameter != called.call.dtype]
        if explaining:
            shown = tuple(p if isinstance(p, float) else str(p) for p in explaining if p is not None)
            yield Cause(named.name, mistake.says(*explaining), shown)
