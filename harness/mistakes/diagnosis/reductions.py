"""Changes in going from one loss per sample to one number, and in the gradient's way back."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.core.formats import FORMATS, FloatFormat, rounded
from harness.judgement.agreement import Floats
from harness.judgement.truth import TruthTable
from harness.mistakes.diagnosis.candidate import Candidate, Candidates, Results

_DENOMINATORS = {
    "count": "the mean divides by the number of elements (÷N)",
    "weights": "the mean divides by the sum of the weights (÷Σw)",
    "valid": "the mean divides by the number of rows that are not ignored",
    "nonzero_weights": "the mean divides by the number of non-zero weights",
    "elements": "mean over N·C: the mean divides by the number of all entries",
    "one": "nothing is divided: the sum instead of the mean",
}
_ADDED = (1e-8, 1e-7, 1e-10, 1e-12, 1e-6, 1e-5, 1e-4, 1e-3)
_TILES = (2, 4, 8, 16, 32, 64, 128)
"""Rows a kernel may work on at once."""


def candidates(table: TruthTable) -> Candidates:
    """Denominators, other reductions, samples left out, sums in short formats, upstream gradients."""
    reduction = table.options.get("reduction")
    if reduction in ("mean", "batchmean"):
        yield Candidate("the mean over nothing is 0", lambda: _over_nothing(table))
        for kind, says in _DENOMINATORS.items():
            yield Candidate(says, lambda kind=kind: table.ordinary({"denominator": kind}))
        yield from _other_divisors(table)
    if table.options.get("ignore_index") is not None:
        yield Candidate(
            "ignored rows are counted in the mean", lambda: table.ordinary({"ignored_in_denominator": True})
        )
    for other in ("sum", "mean"):
        if reduction not in (None, other):
            says = f"computed as if the reduction were {other}"
            yield Candidate(says, lambda other=other: table.ordinary(options={"reduction": other}))
    if table.cotangent is not None:
        yield Candidate("the upstream gradient is taken to be 1", lambda: table.ordinary(unit_cotangent=True))
        if table.cotangent.size > 1:
            first = np.full_like(table.cotangent, table.cotangent.flat[0])
            yield Candidate(
                "the upstream gradient of the first sample serves for all", lambda: table.ordinary(cotangent=first)
            )
    yield from _samples(table)


def _over_nothing(table: TruthTable) -> Results:
    """0 for the value, and for the gradients of what does not count."""
    found = dict(table.ordinary({"finite_zero_mean": True}))
    value = table.ordinary().get("value")
    if value is not None and value.ndim == 0 and np.isnan(value) and found.get("value") == 0:
        return {aspect: np.where(np.isnan(numbers), 0.0, numbers) for aspect, numbers in found.items()}
    return found


def _divisor(table: TruthTable) -> float | None:
    """What the mean divides by; None where it cannot be told from the result."""
    whole = table.ordinary({"denominator": "one"}).get("value")
    mean = table.ordinary().get("value")
    if table.options.get("reduction") == "batchmean":
        return float(_rows(table)[0]) if _rows(table) else None
    if whole is None or mean is None or not np.isfinite(whole):
        return None
    # A mean that is nan though the sum is a number divides by 0.
    if np.isnan(mean) or np.isinf(mean):
        return 0.0
    return float(whole / mean) if mean != 0 else None


def _rows(table: TruthTable) -> tuple[int, ...]:
    """The shape of the unreduced loss."""
    none = table.ordinary(options={"reduction": "none", "denominator": None}, unit_cotangent=True).get("value")
    return () if none is None else none.shape


def _scaled(results: Results, factor: float) -> Results:
    return {aspect: numbers * factor for aspect, numbers in results.items()}


def _other_divisors(table: TruthTable) -> Candidates:
    def whole() -> Results:
        if table.options.get("reduction") == "batchmean":
            return table.ordinary(options={"reduction": "sum"})
        return table.ordinary({"denominator": "one"})

    shape = _rows(table)
    named = {}
    if len(shape) > 1:
        named["the length of the first axis (the batch)"] = shape[0]
        named["the length of the last axis"] = shape[-1]
        named["the number of elements of one sample"] = int(np.prod(shape[1:]))
    primary = next(iter(table.inputs.values()))
    if primary.ndim and not table.loss.startswith("binary"):
        named["the number of classes"] = primary.shape[table.options.get("axis", -1)]
    for name, size in named.items():
        if size > 1:
            yield Candidate(f"the mean divides by {name}", lambda size=size: _scaled(whole(), 1.0 / size))
    divisor = _divisor(table)
    if divisor is None:
        return
    for eps in _ADDED:
        yield Candidate(
            f"{eps:g} is added to what the mean divides by", lambda eps=eps: _scaled(whole(), 1.0 / (divisor + eps))
        )
    if divisor < 1:
        yield Candidate("the mean never divides by less than 1", lambda: whole())


def _slices(table: TruthTable, part: slice) -> tuple[dict[str, NDArray[Any]], dict[str, NDArray[Any]]]:
    """Inputs and options of some samples: every array whose first axis is that of the samples."""
    samples = table.inputs["targets"].shape[0] if "targets" in table.inputs else _first(table).shape[0]
    fixed = ("weight", "bias")
    inputs = {n: v[part] for n, v in table.inputs.items() if n not in fixed and v.ndim and v.shape[0] == samples}
    options = {}
    weights = table.options.get("sample_weights")
    if isinstance(weights, np.ndarray) and weights.ndim:
        options["sample_weights"] = weights[part]
    pos_weight, first = table.options.get("pos_weight"), _first(table)
    if isinstance(pos_weight, np.ndarray) and first.ndim > 1 and pos_weight.shape == first.shape:
        options["pos_weight"] = pos_weight[part]
    return inputs, options


def _first(table: TruthTable) -> NDArray[Any]:
    return next(iter(table.inputs.values()))


def _of_samples(table: TruthTable, part: slice) -> Results:
    inputs, options = _slices(table, part)
    return table.ordinary(options=options, inputs=inputs)


def _padded(table: TruthTable, results: Results, part: slice) -> Results:
    """Gradients of some samples, with zeros for the others."""
    found = dict(results)
    whole = table.ordinary()
    for aspect, numbers in results.items():
        if aspect != "value" and aspect in whole and whole[aspect].shape != numbers.shape:
            zeros = np.zeros_like(whole[aspect])
            zeros[part] = numbers
            found[aspect] = zeros
    return found


def _samples(table: TruthTable) -> Candidates:
    """Some samples left out, or averaged apart; sums in a short format."""
    found = table.ordinary(options={"reduction": "none", "denominator": None}, unit_cotangent=True)
    losses, value = found.get("value"), table.ordinary().get("value")
    reduction, n = table.options.get("reduction", "none"), _number_of_samples(table)
    if losses is None or value is None or n == 0 or losses.shape[:1] != (n,):
        return
    if n > 1:
        yield Candidate(
            "only the first sample counts, once for every sample",
            lambda: _scaled(_first_alone(table, losses), float(losses.size)),
        )
    for tile in _TILES:
        if n > tile and n % tile:
            tail = slice(n - n % tile, None)
            says = f"the samples beyond the last multiple of {tile} add nothing"
            yield Candidate(says, lambda tail=tail: {"value": _without(value, losses, tail)})
    if reduction == "none":
        return
    if n > 1:
        first = slice(0, 1)
        yield Candidate("only the first sample is looked at", lambda: _padded(table, _of_samples(table, first), first))
        if reduction != "sum":
            yield Candidate(
                "the means of two halves of the batch are averaged, whatever they weigh", lambda: _of_halves(table, n)
            )
    total = losses.sum()
    if not np.isfinite(total) or total == 0 or not np.isfinite(value):
        return
    yield from _short_sums(table, losses, float(value / total))


def _without(value: Floats, losses: Floats, tail: slice) -> Floats:
    """The value with the losses of some samples taken for 0."""
    kept = losses.copy()
    kept[tail] = 0.0
    return kept if value.shape == losses.shape else np.asarray(value * (kept.sum() / losses.sum()))


def _number_of_samples(table: TruthTable) -> int:
    """0 where samples are not on the first axis of every input."""
    first = _first(table)
    shape = table.inputs["targets"].shape if "targets" in table.inputs else first.shape
    classes_first = not table.loss.startswith("binary") and table.options.get("axis", -1) in (0, -first.ndim)
    return shape[0] if shape and not classes_first else 0


def _of_halves(table: TruthTable, n: int) -> Results:
    half = (n + 1) // 2
    parts = (slice(None, half), slice(half, None))
    one, two = (_padded(table, _of_samples(table, part), part) for part in parts)
    return {aspect: (one[aspect] + two[aspect]) / 2 for aspect in one if aspect in two}


def _first_alone(table: TruthTable, losses: Floats) -> Results:
    """What the first sample adds to the result of all."""
    whole, share = table.ordinary(), losses.flat[0] / losses.sum()
    if whole["value"].shape == losses.shape:
        value = np.zeros_like(losses)
        value.flat[0] = losses.flat[0]
    else:
        value = np.asarray(whole["value"] * share)
    found = {"value": value}
    if "gradient" in whole and losses.ndim == 1:
        alone = np.zeros_like(whole["gradient"])
        alone[:1] = whole["gradient"][:1]
        found["gradient"] = alone
    return found


def _short_sums(table: TruthTable, losses: Floats, scale: float) -> Candidates:
    """The losses rounded to a format and added up in it, one after the other or in pairs."""
    eps = FORMATS[table.dtype].eps
    for name in ("float16", "bfloat16", "float32"):
        fmt = FORMATS[name]
        if fmt.eps < eps:
            continue
        for how, add in (("", _one_by_one), (" in pairs", _in_pairs)):
            yield Candidate(
                f"the sum is accumulated in {name}{how}",
                lambda add=add, fmt=fmt: {"value": np.asarray(add(losses.ravel(), fmt) * scale)},
            )


_LONGEST = 512
"""Losses that are added up one by one in Python, for a format NumPy does not have."""


def _one_by_one(numbers: Floats, fmt: FloatFormat) -> Floats:
    if fmt.name != "bfloat16":
        kind = np.dtype(fmt.name)
        return np.asarray(np.add.accumulate(numbers.astype(kind), dtype=kind)[-1:].sum(), dtype=np.float64)
    if numbers.size > _LONGEST:
        return np.asarray(np.nan)
    total = np.asarray(0.0)
    for number in rounded(numbers, fmt):
        total = rounded(np.asarray(total + number), fmt)
    return total


def _in_pairs(numbers: Floats, fmt: FloatFormat) -> Floats:
    each = rounded(numbers, fmt)
    while each.size > 1:
        even = each[: each.size // 2 * 2]
        each = np.concatenate([rounded(even[0::2] + even[1::2], fmt), each[even.size :]])
    return np.asarray(each.sum())
