"""Targets that are misread, and smoothing that spreads otherwise."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.judgement.agreement import Floats
from harness.judgement.truth import TruthTable
from harness.mistakes.diagnosis.candidate import (
    BINARY,
    Candidate,
    Candidates,
    Results,
    is_distribution,
    is_labels,
)
from harness.mistakes.diagnosis.terms import (
    FROM_LOGITS,
    by_aspect,
    class_results,
    last,
    logits_of,
    rows_of,
    softmax,
    times,
)


def candidates(table: TruthTable) -> Candidates:
    """Labels and distributions read otherwise, then smoothing."""
    targets = table.inputs.get("targets")
    if targets is None:
        return
    if table.loss in BINARY:
        yield from _binary(table, targets)
    elif is_labels(targets) and targets.size:
        yield from _labels(table, targets)
    elif is_distribution(targets):
        yield from _distributions(table, targets)
    if table.options.get("label_smoothing"):
        yield from _smoothing(table)


def _binary(table: TruthTable, targets: Floats) -> Candidates:
    def given(changed: Floats, **options: Any) -> Results:
        return table.ordinary(options=options, inputs={"targets": changed})

    yield Candidate("targets are taken as 1 − t", lambda: given(1.0 - targets))
    yield Candidate("soft targets are rounded to 0 or 1", lambda: given(np.rint(targets)))
    yield Candidate("soft targets above 0 are taken for 1", lambda: given((targets > 0).astype(np.float64)))
    smoothing = table.options.get("label_smoothing")
    if smoothing:
        rules = {
            "binary smoothing adds ε instead of ε/2": targets * (1 - smoothing) + smoothing,
            "binary smoothing adds nothing: (1 − ε) t": targets * (1 - smoothing),
            "binary smoothing adds ε/2 and takes nothing away": targets + smoothing / 2,
            "binary smoothing moves targets by ε, not by ε/2": targets * (1 - 2 * smoothing) + smoothing,
        }
        for says, changed in rules.items():
            yield Candidate(says, lambda changed=changed: given(changed, label_smoothing=None))
    if table.loss == "binary_cross_entropy":
        p = table.inputs["probabilities"]
        yield Candidate(
            "targets and predictions are swapped",
            lambda: table.ordinary(inputs={"targets": p, "probabilities": targets}),
        )


def _labels(table: TruthTable, targets: NDArray[Any]) -> Candidates:
    whole = targets.astype(np.int64)
    classes = _classes(table)
    ignored = table.options.get("ignore_index")

    def given(labels: NDArray[Any], **options: Any) -> Results:
        return table.ordinary(options=options, inputs={"targets": labels})

    if (whole < 0).any():
        yield Candidate("negative labels count from the end", lambda: table.ordinary({"wrap_negative_labels": True}))
    if (whole < 0).any() or ignored is not None:
        yield Candidate(
            "every negative label is ignored, and no other",
            lambda: given(np.where(whole < 0, -1, whole), ignore_index=-1),
        )
    if not classes:
        return
    beyond = (whole < 0) | (whole >= classes)
    if ignored is not None:
        counted: dict[str, int | None] = {"every label counts": None}
        if ignored != -100:
            counted["the ignored label is always −100"] = -100
        for says, kept in counted.items():
            seen = whole % classes if kept is None else np.where(whole == kept, kept, whole % classes)
            reading = ", out of range counted round" if beyond.any() else ""
            yield Candidate(
                f"the option ignore_index is ignored: {says}{reading}",
                lambda seen=seen, kept=kept: given(seen, ignore_index=kept),
            )
    elif beyond.any():
        yield Candidate("labels out of range are counted round", lambda: given(whole % classes))
        yield Candidate("labels out of range become the nearest class", lambda: given(np.clip(whole, 0, classes - 1)))
    if classes > 127:
        yield Candidate(
            "labels are kept in eight bits", lambda: given(whole.astype(np.int8).astype(np.int64) % classes)
        )
    kept_rows = np.ones(whole.shape, dtype=bool) if ignored is None else whole != ignored
    from_one = np.where(kept_rows, (whole - 1) % classes, whole)
    yield Candidate("labels are counted from one", lambda: given(from_one))


def _classes(table: TruthTable) -> int:
    if table.loss == "linear_cross_entropy":
        return int(table.inputs["weight"].shape[-1])
    scores = next((n for n in ("logits", "probabilities", "log_probabilities") if n in table.inputs), None)
    if scores is None or table.inputs[scores].ndim == 0:
        return 0
    return int(table.inputs[scores].shape[table.options.get("axis", -1)])


def _distributions(table: TruthTable, targets: Floats) -> Candidates:
    yield Candidate("soft targets replaced by their argmax", lambda: table.ordinary({"targets_argmax": True}))
    yield Candidate(
        "the gradient is softmax − targets whatever the targets sum to",
        lambda: table.ordinary({"gradient_of_targets_summing_to_one": True}),
    )
    axis = table.options.get("axis", -1)
    if targets.ndim:
        total = targets.sum(axis=axis, keepdims=True)
        yield Candidate("targets are divided by their sum", lambda: table.ordinary(inputs={"targets": targets / total}))
        shifted = np.exp(targets - targets.max(axis=axis, keepdims=True))
        yield Candidate(
            "targets are taken for logits",
            lambda: table.ordinary(inputs={"targets": shifted / shifted.sum(axis=axis, keepdims=True)}),
        )
    scores = table.inputs.get("probabilities")
    if scores is not None and scores.shape == targets.shape:
        yield Candidate(
            "targets and predictions are swapped",
            lambda: table.ordinary(inputs={"targets": scores, "probabilities": targets}),
        )


def _smoothing(table: TruthTable) -> Candidates:
    """Other rules, from the coefficients without smoothing and those of smoothing alone (ε = 1)."""
    yield Candidate(
        "smoothing spreads ε over the other classes: ε/(K−1)", lambda: table.ordinary({"smoothing": "others"})
    )
    given, bare = rows_of(table), rows_of(table, label_smoothing=None)
    even = rows_of(table, label_smoothing=1.0)
    if given is None or bare is None or even is None:
        return
    epsilon, classes = float(table.options["label_smoothing"]), given.a.shape[-1]
    spread = even.a * classes
    rules = {
        "smoothing adds ε/K and takes nothing away": bare.a + spread * (epsilon / classes),
        "smoothing gives every class ε, not ε/K": (1 - epsilon) * bare.a + spread * epsilon,
        "smoothing scales by 1 − ε and adds nothing": (1 - epsilon) * bare.a,
        "smoothing spreads over K + 1 classes": (1 - epsilon) * bare.a + spread * (epsilon / (classes + 1)),
        "smoothing takes ε from the target and gives ε/K to the others only": np.where(
            bare.a != 0, (1 - epsilon) * bare.a, spread * (epsilon / classes)
        ),
        "smoothing is ε/(K−1) on every class": (1 - epsilon) * bare.a + spread * (epsilon / max(classes - 1, 1)),
        "smoothing is done twice": (1 - epsilon) * given.a + spread * (epsilon / classes),
        "ε and 1 − ε are swapped": epsilon * bare.a + spread * ((1 - epsilon) / classes),
    }
    shape = table.inputs["targets"].shape
    for axis in range(len(shape)):
        if is_distribution(table.inputs["targets"]) and axis != table.options.get("axis", -1) % len(shape):
            a = (1 - epsilon) * bare.a + spread * (epsilon / shape[axis])
            rules[f"smoothing counts axis {axis} for the classes: ε/{shape[axis]}"] = a
    for says, a in rules.items():
        yield Candidate(says, lambda a=a: with_coefficients(table, a))


def with_coefficients(table: TruthTable, a: Floats) -> Results:
    """Value and gradients under other coefficients than those of the targets."""
    rows = rows_of(table)
    if rows is None:
        return {}
    rows = rows.with_coefficients(a)
    if table.loss in FROM_LOGITS:
        x = logits_of(table)
        return {} if x is None else class_results(rows, softmax(x))
    scores = next(n for n in ("probabilities", "log_probabilities") if n in table.inputs)
    p = last(table, table.inputs[scores])
    if scores == "log_probabilities":
        return by_aspect(table, rows.value(-p), {scores: rows.back(-rows.pull)})
    return by_aspect(table, rows.value(-np.log(p)), {scores: rows.back(-times(rows.pull, 1 / p))})
