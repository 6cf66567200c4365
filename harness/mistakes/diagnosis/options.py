"""Options that have no effect, enter twice, are reversed, or belong to the other side."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.judgement.agreement import Floats
from harness.judgement.truth import TruthTable
from harness.mistakes.diagnosis.candidate import Candidate, Candidates, Results

_DROPPED = (
    "class_weights",
    "sample_weights",
    "pos_weight",
    "label_smoothing",
    "ignore_index",
    "alpha",
    "gamma",
    "base",
    "log_target",
)


def candidates(table: TruthTable) -> Candidates:
    """One option at a time."""
    options = table.options
    for name in _DROPPED:
        if options.get(name) is not None:
            yield Candidate(f"the option {name} is ignored", lambda name=name: table.ordinary(options={name: None}))
    if table.loss == "kl_divergence":
        other = not options.get("log_target", False)
        says = f"computed as if log_target were {other}"
        yield Candidate(says, lambda: table.ordinary(options={"log_target": other}))
    for name, plural in (("class_weights", "class weights"), ("sample_weights", "sample weights")):
        if options.get(name) is not None:
            yield from _weights(table, name, plural)
    if options.get("pos_weight") is not None:
        yield from _pos_weight(table)
    gamma = options.get("gamma", 2.0)
    if table.loss in ("binary_focal", "categorical_focal"):
        for exponent, says in ((0.0, "there is no focal weight"), (gamma + 1.0, "the focal exponent is γ + 1")):
            yield Candidate(says, lambda exponent=exponent: table.ordinary(options={"gamma": exponent}))
        if gamma >= 1:
            yield Candidate("the focal exponent is γ − 1", lambda: table.ordinary(options={"gamma": gamma - 1.0}))
    alpha = options.get("alpha")
    if isinstance(alpha, float | int):
        yield Candidate("α and 1 − α are swapped", lambda: table.ordinary(options={"alpha": 1.0 - alpha}))
    if "bias" in table.inputs:
        yield Candidate(
            "the bias has no effect", lambda: table.ordinary(inputs={"bias": np.zeros_like(table.inputs["bias"])})
        )
    yield from _axes(table)


def _weights(table: TruthTable, name: str, plural: str) -> Candidates:
    given = np.asarray(table.options[name], dtype=np.float64)

    def with_weights(weights: Floats) -> Results:
        return table.ordinary(options={name: weights})

    changes = [
        (f"{plural} enter twice", np.square(given)),
        (f"{plural} lose their sign", np.abs(given)),
        (f"{plural} belong to the {'classes' if name == 'class_weights' else 'samples'} in reverse", given[::-1]),
        (f"{plural} are divided into 1", np.divide(1.0, given)),
    ]
    total = given.sum()
    if given.size and total != 0:
        changes.append((f"{plural} are divided by their sum", given / total))
        changes.append((f"{plural} are divided by their mean", given / given.mean()))
    if given.size and given.max() > 0:
        changes.append((f"{plural} are divided by their largest", given / given.max()))
    for says, weights in changes:
        yield Candidate(says, lambda weights=weights: with_weights(weights))


def _pos_weight(table: TruthTable) -> Candidates:
    options, targets = table.options, table.inputs["targets"]
    w = np.broadcast_to(np.asarray(options["pos_weight"], dtype=np.float64), targets.shape)
    weights = np.asarray(options.get("sample_weights", np.ones(targets.shape)), dtype=np.float64)

    def turned_round() -> Results:
        """w on the negatives: w times the loss with 1/w on the positives."""
        return table.ordinary(options={"pos_weight": 1 / w, "sample_weights": weights * w})

    yield Candidate("pos_weight weighs the negatives", turned_round)
    yield Candidate(
        "pos_weight weighs both sides",
        lambda: table.ordinary(options={"pos_weight": None, "sample_weights": weights * w}),
    )
    yield Candidate("pos_weight enters twice", lambda: table.ordinary(options={"pos_weight": w * w}))


def _axes(table: TruthTable) -> Candidates:
    """Classes looked for on another axis, or reshaped where they are to be transposed."""
    if table.loss.startswith("binary") or table.loss == "linear_cross_entropy":
        return
    first = next(iter(table.inputs.values()))
    axis = table.options.get("axis", -1)
    for other in (0, 1, -1):
        if first.ndim and other < first.ndim and other % first.ndim != axis % first.ndim:
            says = f"computed along axis {other}"
            yield Candidate(says, lambda other=other: table.ordinary(options={"axis": other}))
    if first.ndim > 1 and axis % first.ndim != first.ndim - 1:

        def reshaped() -> Results:
            """Read as if the classes were on the last axis; gradients are as wrongly laid out."""
            classes = first.shape[axis]
            rest = tuple(np.delete(first.shape, axis))

            def read(array: NDArray[Any]) -> NDArray[Any]:
                return np.moveaxis(array.reshape(*rest, classes), -1, axis) if array.shape == first.shape else array

            found: Results = table.ordinary(inputs={name: read(array) for name, array in table.inputs.items()})
            return found

        yield Candidate("classes on another axis are reshaped where they are to be transposed", reshaped)
