"""What can be seen of a wrong answer beside the right one, without knowing how it came about."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from harness.core.cause import Cause
from harness.core.formats import FORMATS, FloatFormat, quantum, rounded
from harness.judgement.agreement import BUDGET, Floats, Target, compare
from harness.judgement.truth import TruthTable
from harness.mistakes.library import MISTAKE_OF

NARROWER = "narrower-format"


def computed_in(name: str) -> Cause:
    return Cause(NARROWER, f"right for the inputs as {name}: computed in {name}", (name,))


UNSHIFTED = "rounded-normaliser"
"""The name of the mistake in the library: there it has to give the very number, here its error has to be as large."""
FROM_LOGITS = ("softmax_cross_entropy", "linear_cross_entropy")


def unshifted(got: Floats, aspect: str, truth: Target, table: TruthTable, *, flush_to_zero: bool) -> Cause | None:
    """Whether the error is one rounding of the largest logit, which has no business in the result, and no more.

    logsumexp(x) holds the largest logit, and what is lost in rounding it comes back when x_t is taken off: in the loss
    as it is, in the softmax as a factor. How large that is depends on the last bit of a sum that nobody rounds alike,
    so that no number made by the mistake is the very number that came back. An error of that size alone says nothing,
    where the loss is tiny: it has its form too. A difference of two numbers as large as the logits is a multiple of
    their last digit, and a gradient is off by a multiple of the softmax.
    """
    fmt = FORMATS[table.dtype]
    if table.loss not in FROM_LOGITS or not bool(np.isfinite(got).all()):
        return None
    if not LARGE <= truth.magnitude <= MOST_LOST / fmt.eps:
        return None
    with np.errstate(all="ignore"):
        lost = truth.magnitude * np.minimum(truth.error_scale, 1.0) / BUDGET[fmt.name]
        wider = replace(truth, error_scale=truth.error_scale + lost)
        is_right = compare(got, truth, fmt, flush_to_zero=flush_to_zero).agrees
        is_that = not is_right and compare(got, wider, fmt, flush_to_zero=flush_to_zero).agrees
        has_form = is_that and _has_that_form(got, aspect, truth, table)
    says = MISTAKE_OF[UNSHIFTED].says("the format of the inputs")
    return Cause(UNSHIFTED, says, ("the format of the inputs",)) if has_form else None


def _has_that_form(got: Floats, aspect: str, truth: Target, table: TruthTable) -> bool:
    """Whether a loss is a multiple of the last digit of its logits, or a gradient off by a multiple of the softmax."""
    fmt, x = FORMATS[table.dtype], _logits(table)
    if aspect == "value":
        options = table.options
        if {"class_weights", "sample_weights", "label_smoothing", "z_loss"} & set(options) or not _has_labels(table):
            return False
        summed = table.under(options={"reduction": "sum", "denominator": None}).targets.get("value")
        if summed is None:
            return False
        divided = float(summed.hi / truth.hi) if options.get("reduction") == "mean" else 1.0
        # Where the normaliser is in a binade above the logit, its last digit is twice that of the logit.
        digit = float(quantum(np.abs(x.max(axis=-1)), fmt).min()) / 2
        count = got * divided / digit
        whole = np.rint(count)
        return bool((np.abs(count - whole) <= np.where(whole == 0, 0, np.maximum(0.02, 4 * fmt.eps * whole))).all())
    if aspect != "gradient" or "logits" not in table.inputs:
        return False
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    p = e / e.sum(axis=-1, keepdims=True)
    axis = int(table.options.get("axis", -1))
    off, allowed = (np.moveaxis(part, axis, -1) for part in (got - truth.hi, truth.error_scale))
    rest = np.abs(off - p * off.sum(axis=-1, keepdims=True))
    return bool((rest <= BUDGET[fmt.name] * fmt.eps * allowed + fmt.smallest_normal).all())


def _logits(table: TruthTable) -> Floats:
    """The logits, classes last."""
    if "logits" in table.inputs:
        return np.moveaxis(table.inputs["logits"], int(table.options.get("axis", -1)), -1)
    return np.asarray(table.inputs["hidden"] @ table.inputs["weight"] + table.inputs.get("bias", 0.0))


def _has_labels(table: TruthTable) -> bool:
    return bool(table.inputs["targets"].dtype.kind in "iu")


MOST_LOST = 1e-3
"""Where a rounding of the largest logit takes more than this, whatever is left of the answer has other causes too."""
LARGE = 16.0
"""Logits from which on their rounding is more than what is allowed anyway: k · (1 + ln C) is about that."""


def overflown(got: Floats, truth: Target, table: TruthTable) -> Cause | None:
    """Whether a sum on the way is beyond float16: so many rows, classes, or so large a sum of losses.

    Of an infinity, or the nan that is made of two, any larger number would be a cause: a sum that nobody divided too.
    """
    largest = FORMATS[table.dtype].largest
    if table.dtype != "float16" or not bool((~np.isfinite(got) & np.isfinite(truth.hi)).any()):
        return None
    sizes = [size for array in table.inputs.values() for size in (*array.shape, array.size)]
    rows = max((array.size for array in table.inputs.values()), default=0)
    sums = float(np.abs(truth.hi[np.isfinite(truth.hi)]).max(initial=0.0)) * max(1, rows)
    if max([*sizes, sums], default=0) <= largest:
        return None
    return Cause("overflow", f"a sum on the way is beyond float16, whose largest number is {largest:g}", (largest,))


def seen(
    got: Floats, aspect: str, truth: Target, table: TruthTable, *, flush_to_zero: bool, computed_in: str | None
) -> tuple[Cause, ...]:
    """The first thing that strikes the eye, if any does."""
    fmt = FORMATS[table.dtype]
    found = _alike(got, truth)
    # Three digits, which is what a half format holds, come about by chance; seven do not.
    if found is None and computed_in == "float32" and _is_held(got, FORMATS[computed_in]):
        found = _computed_in(computed_in)
    found = (
        found
        or _at_ignored_rows(got, table, aspect, _right(got, truth, fmt, flush_to_zero))
        or _signs(got, _right(np.copysign(got, truth.hi), truth, fmt, flush_to_zero))
        or _factor(got, truth.hi, table)
        or _precision(computed_in, got, truth, table, flush_to_zero)
    )
    return () if found is None else (found,)


_computed_in = computed_in


def _alike(got: Floats, truth: Target) -> Cause | None:
    """All nan, all zero."""
    if bool(np.isnan(got).all()) and not bool(np.isnan(truth.hi).all()):
        return Cause("nan-everywhere", "nan everywhere")
    if not got.any() and bool(np.isfinite(truth.hi).all()):
        return Cause("zero-everywhere", "zero where it is not" if got.ndim == 0 else "zero everywhere")
    return None


def _is_held(got: Floats, fmt: FloatFormat) -> bool:
    """Whether every number is one of the format."""
    return bool(np.array_equal(rounded(got, fmt), got, equal_nan=True))


def _right(got: Floats, truth: Target, fmt: FloatFormat, flush_to_zero: bool) -> NDArray[np.bool_]:
    """Which elements agree."""
    floor = fmt.smallest_normal if flush_to_zero else fmt.smallest_subnormal
    with np.errstate(all="ignore"):
        same = (got == truth.hi) | (np.isnan(got) & np.isnan(truth.hi))
        close = np.abs(got - truth.hi) - floor <= BUDGET[fmt.name] * fmt.eps * truth.error_scale
        return np.asarray(same | close)


def _at_ignored_rows(got: Floats, table: TruthTable, aspect: str, right: NDArray[np.bool_]) -> Cause | None:
    """Whether a gradient is right but for the rows that are ignored; `right` tells which elements are."""
    labels, ignored = table.inputs.get("targets"), table.options.get("ignore_index")
    if aspect != "gradient" or ignored is None or labels is None or labels.dtype.kind not in "iu":
        return None
    if table.inputs[table.differentiate[0]].shape != got.shape or got.ndim != labels.ndim + 1:
        return None
    rows = np.broadcast_to(np.expand_dims(labels == ignored, table.options.get("axis", -1)), got.shape)
    if rows.any() and not rows.all() and bool(right[~rows].all()):
        return Cause("gradient-at-ignored", "right but for ignored rows, which get a gradient")
    return None


def _signs(got: Floats, right: NDArray[np.bool_]) -> Cause | None:
    """Whether the magnitudes are right and some signs are not; `right` tells so of copysign(got, truth)."""
    if got.ndim and bool(np.isfinite(got).all()) and bool(right.all()):
        return Cause("wrong-signs", "the right magnitudes, some with the wrong sign")
    return None


def _factor(got: Floats, truth: Floats, table: TruthTable) -> Cause | None:
    """A constant ratio between got and truth, with every name it has here."""
    with np.errstate(all="ignore"):
        usable = np.isfinite(got) & np.isfinite(truth) & (np.abs(truth) > 0)
        if not usable.any() or bool((got[~usable] != truth[~usable]).any()):
            return None
        ratios = got[usable] / truth[usable]
    ratio = float(np.median(ratios))
    # A factor is recognised when every element shows it within the budget of the format.
    close = 8.0 * FORMATS[table.dtype].eps
    if not math.isfinite(ratio) or ratio == 0 or bool((np.abs(ratios - ratio) > close * abs(ratio)).any()):
        return None
    named = list(dict.fromkeys(says for says, value in _named(table) if abs(ratio - value) <= close * abs(value)))
    if named:
        says = f"off by a factor of {', or '.join(named)}"
    elif abs(ratio - 1) < 1e-4:
        says = f"off by a constant factor of 1 {'+' if ratio > 1 else '−'} {abs(ratio - 1):.3g}"
    else:
        says = f"off by a constant factor of {ratio:.6g}"
    return Cause("constant-factor", says, (float(f"{ratio:.6g}"),))


def _named(table: TruthTable) -> Iterator[tuple[str, float]]:
    primary = next(iter(table.inputs.values()))
    sizes = {"N": primary.shape[0] if primary.ndim else 1, "C": primary.shape[-1] if primary.ndim else 1}
    sizes["N·C"] = primary.size
    for name, size in sizes.items():
        if size > 1:
            yield f"{size} (= {name})", float(size)
            yield f"1/{size} (= 1/{name})", 1.0 / size
    for power in (2.0, 4.0, 8.0, 16.0, 32.0, 64.0):
        if int(power) not in sizes.values():
            yield f"{power:g}", power
            yield f"1/{power:g}", 1.0 / power
    yield "ln 2", math.log(2.0)
    yield "ln 10", math.log(10.0)
    yield "π", math.pi


def _precision(
    computed_in: str | None, got: Floats, truth: Target, table: TruthTable, flush_to_zero: bool
) -> Cause | None:
    """That float64 is right in float32 only: seven digits are no accident, the three of a half format may be."""
    if table.dtype != "float64":
        return None
    if computed_in != "float32" and not compare(got, truth, FORMATS["float32"], flush_to_zero=flush_to_zero).agrees:
        return None
    says = "right only to the precision of float32: something is computed in a narrower format"
    return Cause(NARROWER, says, ("float32",))
