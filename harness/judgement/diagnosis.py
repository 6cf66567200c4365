"""Why a number is wrong: the single change to the mathematics that yields exactly the number that came back.

The search walks a lattice of conventions, dropped options, simple factors and transformed inputs, from the common to
the rare, and accepts a candidate only when the whole result agrees with it inside the ordinary budget. It says so
honestly when none does.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.floats import FORMATS, FloatFormat
from harness.judgement.agreement import Floats, Target, compare
from harness.judgement.truth import Convention, TruthTable

UNEXPLAINED = "no single change of convention, option or factor explains it"


@dataclass(frozen=True)
class Candidate:
    """One alternative computation, in words and as what to evaluate."""

    says: str
    convention: Convention | None = None
    options: Mapping[str, Any] | None = None
    inputs: Mapping[str, NDArray[Any]] | None = None
    """Inputs that are other than those given: softmax applied twice, labels counted from one."""
    unit_cotangent: bool = False
    """Whether the upstream gradient is taken to be 1."""


_DENOMINATORS = {
    "count": "the mean divides by the number of elements (÷N)",
    "weights": "the mean divides by the sum of the weights (÷Σw)",
    "valid": "the mean divides by the number of rows that are not ignored",
    "nonzero_weights": "the mean divides by the number of non-zero weights",
    "elements": "mean over N·C: the mean divides by the number of all entries",
    "one": "nothing is divided: the sum instead of the mean",
}
_CLIPS = (1e-7, 1e-15, 1e-12, 1e-8, 1e-6, 1e-10, 1e-9, 1e-5, 1e-4, 1e-3)
_ADDED = (1e-10, 1e-9, 1e-7, 1e-12, 1e-8, 1e-15, 1e-6)
_LOG_CLAMPS = (-100.0, -50.0)


def candidates(table: TruthTable) -> Iterator[Candidate]:
    """The lattice for one case, common mistakes first."""
    options = table.options
    if options.get("reduction") in ("mean", "batchmean"):
        for kind, says in _DENOMINATORS.items():
            yield Candidate(says, convention={"denominator": kind})
    if table.loss in _LOGARITHM_OF_INPUT:
        yield Candidate("equals −log2: off by 1/ln 2", convention={"base": 2})
        yield Candidate("equals −log10: off by 1/ln 10", convention={"base": 10})
        yield Candidate("equals the truth of the renormalised probabilities", convention={"renormalize": True})
        for eps in (*_CLIPS, FORMATS[table.dtype].eps):
            yield Candidate(f"equals the truth under clip({eps:g})", convention={"clip": eps})
            yield Candidate(
                f"equals the truth under renormalisation, then clip({eps:g})",
                convention={"renormalize": True, "clip": eps},
            )
            yield Candidate(
                f"equals the truth under clip({eps:g}), then renormalisation",
                convention={"clip": eps, "renormalize": True},
            )
        for eps in _ADDED:
            yield Candidate(f"equals the truth with {eps:g} added inside the logarithm", {"add_inside_log": eps})
        for clamp in _LOG_CLAMPS:
            yield Candidate(f"equals the truth with logarithms clamped at {clamp:g}", {"log_clamp": clamp})
    if options.get("label_smoothing"):
        yield Candidate("smoothing spreads ε over the other classes: ε/(K−1)", convention={"smoothing": "others"})
    targets = table.inputs.get("targets")
    if targets is not None and targets.dtype.kind == "f" and table.loss not in _BINARY:
        yield Candidate("soft targets replaced by their argmax", convention={"targets_argmax": True})
        yield Candidate(
            "the gradient is softmax − targets whatever the targets sum to",
            convention={"gradient_of_targets_summing_to_one": True},
        )
    if targets is not None and targets.dtype.kind == "i" and bool((targets < 0).any()):
        yield Candidate("negative labels count from the end", convention={"wrap_negative_labels": True})
    if options.get("ignore_index") is not None:
        yield Candidate("ignored rows are counted in the mean", convention={"ignored_in_denominator": True})
    yield Candidate("the mean over nothing is 0", convention={"finite_zero_mean": True})
    for name in ("class_weights", "sample_weights", "pos_weight", "label_smoothing", "ignore_index", "alpha", "gamma"):
        if options.get(name) is not None:
            yield Candidate(f"the option {name} is ignored", options={name: None})
    if table.loss == "kl_divergence":
        other = not options.get("log_target", False)
        yield Candidate(f"computed as if log_target were {other}", options={"log_target": other})
    for reduction in ("sum", "mean"):
        if options.get("reduction") not in (None, reduction):
            yield Candidate(f"computed as if the reduction were {reduction}", options={"reduction": reduction})
    if options.get("class_weights") is not None:
        squared = np.square(options["class_weights"])
        yield Candidate("class weights enter twice", options={"class_weights": squared})
    yield from _changed_inputs(table)
    axis = options.get("axis", -1)
    for other_axis in (0, 1, -1):
        if axis != other_axis and table.loss not in _NO_AXIS:
            yield Candidate(f"computed along axis {other_axis}", options={"axis": other_axis})


def _changed_inputs(table: TruthTable) -> Iterator[Candidate]:
    """Computations of the right formula on other inputs than those given."""
    inputs, options = table.inputs, table.options
    if table.cotangent is not None:
        yield Candidate("the upstream gradient is taken to be 1", unit_cotangent=True)
    logits, targets = inputs.get("logits"), inputs.get("targets")
    if logits is not None and table.loss not in _BINARY and logits.ndim:
        yield Candidate("softmax applied to its own result", inputs={"logits": _softmax(logits, options)})
        yield Candidate("the logits have the opposite sign", inputs={"logits": -logits})
        for bound in (20.0, 30.0, 50.0, 80.0, 88.0, 100.0):
            if bool((np.abs(logits) > bound).any()):
                yield Candidate(f"logits are clamped to ±{bound:g}", inputs={"logits": np.clip(logits, -bound, bound)})
    if targets is not None and targets.dtype.kind == "i" and targets.size and bool((targets >= 1).all()):
        yield Candidate("labels are counted from one", inputs={"targets": targets - 1})
    if targets is not None and targets.dtype.kind == "f":
        if table.loss in _BINARY:
            yield Candidate("targets are taken as 1 − t", inputs={"targets": 1.0 - targets})
        scores = next((n for n in ("probabilities", "log_probabilities") if n in inputs), None)
        if scores == "probabilities" and inputs[scores].shape == targets.shape:
            swapped = {"targets": inputs[scores], scores: targets}
            yield Candidate("targets and predictions are swapped", inputs=swapped)
    smoothing = options.get("label_smoothing")
    if smoothing and table.loss in _BINARY and targets is not None:
        spread = targets * (1 - smoothing) + smoothing
        yield Candidate(
            "binary smoothing adds ε instead of ε/2", options={"label_smoothing": None}, inputs={"targets": spread}
        )
    gamma = options.get("gamma")
    if gamma is not None:
        for other, says in ((0.0, "there is no focal weight"), (gamma + 1.0, "the focal exponent is γ + 1")):
            yield Candidate(says, options={"gamma": other})
    alpha = options.get("alpha")
    if isinstance(alpha, float | int):
        yield Candidate("α and 1 − α are swapped", options={"alpha": 1.0 - alpha})
    first = next(iter(inputs.values()))
    if first.ndim and first.shape[0] > 1 and all(v.ndim and v.shape[0] == first.shape[0] for v in inputs.values()):
        weights = options.get("sample_weights")
        kept = {"sample_weights": weights[:1]} if isinstance(weights, np.ndarray) and weights.ndim else None
        one = {name: values[:1] for name, values in inputs.items()}
        yield Candidate("only the first sample is looked at", options=kept, inputs=one)


def _softmax(logits: NDArray[Any], options: Mapping[str, Any]) -> NDArray[Any]:
    axis = options.get("axis", -1)
    with np.errstate(all="ignore"):
        powers = np.exp(logits - logits.max(axis, keepdims=True))
        result: NDArray[Any] = powers / powers.sum(axis, keepdims=True)
    return result


def _rearranged(got: Floats, truth: Target, fmt: FloatFormat, *, flush_to_zero: bool) -> str | None:
    """The right numbers in another order, or some with the other sign."""
    if got.ndim == 0 or not bool(np.isfinite(got).all() and np.isfinite(truth.hi).all()):
        return None

    def is_right(numbers: Floats) -> bool:
        return compare(numbers, truth, fmt, flush_to_zero=flush_to_zero).agrees

    for axis, name in ((-1, "classes"), (0, "samples")):
        if got.shape[axis] > 1 and is_right(np.flip(got, axis)):
            return f"the right numbers, with the {name} in reverse"
    if is_right(np.copysign(got, truth.hi)):
        return "the right magnitudes, some with the wrong sign"
    return None


_LOGARITHM_OF_INPUT = frozenset({"entropy", "cross_entropy", "categorical_cross_entropy", "binary_cross_entropy"})
_BINARY = frozenset({"binary_cross_entropy", "binary_cross_entropy_with_logits", "binary_focal"})
_NO_AXIS = _BINARY | {"linear_cross_entropy"}


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

    `computed_in` names another format in which `got` is right. Where that format is coarser it is said only after the
    lattice has been searched with the budget of the case's own: a coarse format forgives most mistakes.
    """
    fmt = FORMATS[table.dtype]
    simple = _simple(got, truth)
    if simple is not None:
        return simple
    elsewhere = f"right for the inputs as {computed_in}: computed in {computed_in}"
    if computed_in is not None and FORMATS[computed_in].eps < fmt.eps:
        return elsewhere
    for candidate in candidates(table):
        other = table.ordinary(
            candidate.convention, candidate.options, candidate.inputs, unit_cotangent=candidate.unit_cotangent
        ).get(aspect)
        if other is None or other.shape != got.shape:
            continue
        with np.errstate(invalid="ignore"):
            gauge = np.maximum(truth.gauge, np.where(np.isfinite(other), np.abs(other), 0.0))
        if compare(got, Target(other, np.zeros_like(other), gauge), fmt, flush_to_zero=flush_to_zero).agrees:
            return candidate.says
    turned = _rearranged(got, truth, fmt, flush_to_zero=flush_to_zero)
    if turned is not None:
        return turned
    if computed_in is not None:
        return elsewhere
    factor = _factor(got, truth, table)
    if factor is not None:
        return factor
    narrowed = _narrowed(got, aspect, table, flush_to_zero=flush_to_zero)
    return narrowed if narrowed is not None else UNEXPLAINED


def _simple(got: Floats, truth: Target) -> str | None:
    """What can be said without evaluating anything: all nan, all zero, vanished."""
    if got.size and bool(np.isnan(got).all()) and not bool(np.isnan(truth.hi).all()):
        return "nan everywhere"
    if got.size and not got.any() and bool(np.isfinite(truth.hi).all()):
        return "zero where it is not" if got.ndim == 0 else "zero everywhere"
    return None


def _factor(got: Floats, truth: Target, table: TruthTable) -> str | None:
    """A constant ratio between got and truth that has a name."""
    with np.errstate(all="ignore"):
        usable = np.isfinite(got) & np.isfinite(truth.hi) & (np.abs(truth.hi) > 0)
        if not usable.any() or bool((got[~usable] != truth.hi[~usable]).any()):
            return None
        ratios = got[usable] / truth.hi[usable]
    ratio = float(np.median(ratios))
    # A factor is recognised when every element shows it within the budget of the format.
    close = 8.0 * FORMATS[table.dtype].eps
    if not math.isfinite(ratio) or ratio == 0 or bool((np.abs(ratios - ratio) > close * abs(ratio)).any()):
        return None
    for says, value in _named_factors(table):
        if abs(ratio - value) <= close * abs(value):
            return f"off by a factor of {says}"
    return f"off by a constant factor of {ratio:.6g}"


def _named_factors(table: TruthTable) -> Iterator[tuple[str, float]]:
    yield "−1 (the sign)", -1.0
    primary = next(iter(table.inputs.values()))
    sizes = {"N": primary.shape[0] if primary.ndim else 1, "C": primary.shape[-1] if primary.ndim else 1}
    sizes["N·C"] = primary.size
    for name, size in sizes.items():
        if size > 1:
            yield f"{size} (= {name})", float(size)
            yield f"1/{size} (= 1/{name})", 1.0 / size
    for power in (2.0, 4.0, 8.0):
        yield f"{power:g}", power
        yield f"1/{power:g}", 1.0 / power
    yield "ln 2", math.log(2.0)
    yield "1/ln 2", 1.0 / math.log(2.0)


_NARROWER = {"float64": ("float32", "bfloat16", "float16"), "float32": ("bfloat16", "float16")}


def _narrowed(got: Floats, aspect: str, table: TruthTable, *, flush_to_zero: bool) -> str | None:
    """Whether the result is what a narrower format would give for the same inputs."""
    truth = table.under().targets[aspect]
    for name in _NARROWER.get(table.dtype, ()):
        if compare(got, truth, FORMATS[name], flush_to_zero=flush_to_zero).agrees:
            return f"right only to the precision of {name}: computed in a narrower format"
    return None
