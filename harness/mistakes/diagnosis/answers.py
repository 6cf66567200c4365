"""What is done to a right result at the end: rounding, order, signs, replaced nans, factors."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from harness.core.formats import FORMATS, rounded
from harness.judgement.agreement import Floats
from harness.judgement.truth import TruthTable
from harness.mistakes.diagnosis.candidate import Candidate, Candidates, alone, is_labels

_DECIMALS = range(2, 9)
_SMALL = (1e-4, 1e-6, 1e-7, 1e-8, 1e-3, 1e-5, 1e-10, 1e-12)


def replacements(table: TruthTable, aspect: str, truth: Floats) -> Candidates:
    """The right numbers, but for some that are replaced: undefined ones, and small ones."""

    def changed(says: str, numbers: Floats) -> Candidate:
        return alone(says, aspect, lambda: numbers)

    missing = ~np.isfinite(truth)
    if missing.any():
        largest = FORMATS[table.dtype].largest
        yield changed("nan and infinity are replaced by 0", np.where(missing, 0.0, truth))
        yield changed("nan is replaced by 0", np.where(np.isnan(truth), 0.0, truth))
        yield changed(
            "infinity is replaced by the largest number", np.where(np.isinf(truth), np.copysign(largest, truth), truth)
        )
        yield changed(
            "nan is replaced by 0 and infinity by the largest number",
            np.nan_to_num(truth, posinf=largest, neginf=-largest),
        )
    for bound in _SMALL:
        small = np.abs(truth) < bound
        if (small & (truth != 0)).any():
            yield changed(f"numbers below {bound:g} become 0", np.where(small, 0.0, truth))


def candidates(table: TruthTable, aspect: str, truth: Floats) -> Candidates:
    """The right numbers, presented otherwise."""

    def changed(says: str, numbers: Floats) -> Candidate:
        return alone(says, aspect, lambda: numbers)

    if aspect != "value":
        yield changed("detached: zero", np.zeros_like(truth))
    yield changed("the opposite sign", -truth)
    for axis, name in ((-1, "classes"), (0, "samples")):
        if truth.ndim and truth.shape[axis] > 1:
            yield changed(f"the right numbers, with the {name} in reverse", np.flip(truth, axis))
    if truth.ndim > 1 and truth.shape[-1] == truth.shape[-2]:
        yield changed("the right numbers, transposed", np.swapaxes(truth, -1, -2))
    for name in ("float32", "float16", "bfloat16"):
        if FORMATS[name].eps > FORMATS[table.dtype].eps:
            yield changed(f"the right numbers, rounded to {name}", rounded(truth, FORMATS[name]))
    for decimals in _DECIMALS:
        yield changed(f"the right numbers, rounded to {decimals} decimals", np.round(truth, decimals))
    yield from _elsewhere(table, aspect, truth)


def _elsewhere(table: TruthTable, aspect: str, truth: Floats) -> Candidates:
    """One part of a gradient that is nan while the rest is right."""
    name = table.differentiate[0] if table.differentiate else None
    if aspect != "gradient" or name is None or table.inputs[name].shape != truth.shape:
        return
    odd = ~np.isfinite(table.inputs[name])
    if not odd.any():
        return
    ignoring = is_labels(table.inputs.get("targets")) and table.options.get("ignore_index") is not None
    rows = "ignored rows" if ignoring else "rows"
    whole = np.broadcast_to(odd.any(axis=table.options.get("axis", -1), keepdims=True), truth.shape)
    changes = {
        f"right but for {rows} that hold a nan or infinity, which are nan": whole,
        f"right but for the nans and infinities of {rows}, where it is nan": odd,
    }
    for says, where in changes.items():
        yield alone(says, aspect, lambda where=where: np.where(where, np.nan, truth))


def at_ignored_rows(got: Floats, table: TruthTable, aspect: str, right: Floats) -> str | None:
    """Whether a gradient is right but for the rows that are ignored; `right` tells which elements are."""
    labels, ignored = table.inputs.get("targets"), table.options.get("ignore_index")
    if aspect not in ("gradient",) or ignored is None or labels is None or not is_labels(labels):
        return None
    axis = table.options.get("axis", -1)
    scores = table.inputs[table.differentiate[0]]
    if scores.shape != got.shape or got.ndim != labels.ndim + 1:
        return None
    rows = np.broadcast_to(np.expand_dims(labels == ignored, axis), got.shape)
    if rows.any() and not rows.all() and bool(right[~rows].all()):
        return "right but for ignored rows, which get a gradient"
    return None


def signs(got: Floats, right: Floats) -> str | None:
    """Whether the magnitudes are right and some signs are not; `right` tells so of copysign(got, truth)."""
    if got.ndim and bool(np.isfinite(got).all()) and bool(right.all()):
        return "the right magnitudes, some with the wrong sign"
    return None


def factor(got: Floats, truth: Floats, table: TruthTable) -> str | None:
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
        return f"off by a factor of {', or '.join(named)}"
    if abs(ratio - 1) < 1e-4:
        return f"off by a constant factor of 1 {'+' if ratio > 1 else '−'} {abs(ratio - 1):.3g}"
    return f"off by a constant factor of {ratio:.6g}"


def _named(table: TruthTable) -> Iterator[tuple[str, float]]:
    yield "−1 (the sign)", -1.0
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
    yield "1/ln 2", 1.0 / math.log(2.0)
    yield "ln 10", math.log(10.0)
    yield "1/ln 10", 1.0 / math.log(10.0)
    yield "π", math.pi
