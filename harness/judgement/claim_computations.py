"""The computation behind each check a claim may name (`harness.suite.claim_checks` lists and documents them)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.judgement.claim_subject import Finding, Subject, agree, described, near, one_hot, printed_alike, readable

Numbers = NDArray[Any]
Parameters = Mapping[str, Any]
Computation = Callable[[Subject, Parameters], Finding]

CLOSE = 1e-12
"""Relative difference up to which float64 code of a few dozen operations counts as the same as the truth."""


def _close(a: Numbers, b: Numbers, tolerance: float = CLOSE) -> bool:
    """Whether the numbers agree to `tolerance` relative to the truth `b` (or to one, where it is less than one)."""
    if a.shape != b.shape:
        return False
    return bool(np.all(near(a, b, tolerance * np.maximum(np.abs(b), 1.0))))


def _verdict(holds: bool) -> str:
    return "holds" if holds else "wrong"


def _argmax_matches_labels(subject: Subject, _: Parameters) -> Finding:
    labels = _needed(subject.labels(), "targets")
    rows = np.moveaxis(subject.prediction, subject.axis, -1).reshape(-1, subject.classes)
    best = [np.flatnonzero(row == row.max()).tolist() for row in rows]
    holds = all(classes == [label] for classes, label in zip(best, np.ravel(labels).tolist(), strict=True))
    words = ", ".join(" or ".join(map(str, classes)) for classes in best)
    explanation = f"The most probable classes are {words}; the labels are {', '.join(map(str, np.ravel(labels)))}."
    return Finding(_verdict(holds), words, explanation)


def _loss_decreases_towards_target(subject: Subject, _: Parameters) -> Finding:
    target = _needed(subject.distribution(), "targets")
    from_logits = "logits" in subject.inputs
    start = subject.value("softmax") if from_logits else subject.prediction
    if not np.isfinite(subject.value()).all():
        start = (start + 1.0 / subject.classes) / 2.0
    # Eighths are exact; at the target itself logits would be infinite, so the way from logits stops short of it.
    steps = np.arange(0, 8 if from_logits else 9) / 8.0
    name = "logits" if from_logits else "probabilities"
    losses = []
    for s in steps:
        mixed = (1.0 - s) * start + s * target
        with np.errstate(divide="ignore"):
            prediction = np.log(mixed) if from_logits else mixed
        losses.append(float(np.sum(subject.value(inputs={**subject.inputs, name: prediction}))))
    holds = bool(np.all(np.diff(losses) < 0))
    explanation = (
        f"From the prediction to the target in {len(steps) - 1} steps the loss "
        f"{'falls strictly' if holds else 'does not always fall'}: {', '.join(f'{x:.6g}' for x in losses)}."
    )
    return Finding(_verdict(holds), losses, explanation)


def _binary(subject: Subject) -> Numbers:
    p, t = subject.inputs["probabilities"], _needed(subject.distribution(), "targets")
    return np.asarray(np.mean(-(t * np.log(p) + (1 - t) * np.log(1 - p))))


def _binary_over_samples(subject: Subject) -> Numbers:
    return np.asarray(_binary(subject) * subject.prediction.size / subject.samples)


def _one_hot(subject: Subject) -> Numbers:
    p, t = subject.inputs["probabilities"], _needed(subject.distribution(), "targets")
    return np.asarray(np.mean(-np.sum(t * np.log(p), axis=subject.axis)))


def _picked_from(p: Numbers, subject: Subject) -> Numbers:
    labels = np.ravel(_needed(subject.labels(), "targets"))
    rows = np.moveaxis(p, subject.axis, -1).reshape(-1, subject.classes)
    return np.asarray(np.mean(-np.log(rows[np.arange(len(rows)), labels])))


def _naive_softmax(x: Numbers, axis: int) -> Numbers:
    e = np.exp(x)
    return np.asarray(e / e.sum(axis=axis, keepdims=True))


def _entropy(subject: Subject) -> Numbers:
    p = subject.inputs["probabilities"]
    per_row = -np.sum(p * np.log(p), axis=subject.axis) / np.log(float(subject.options.get("base", np.e)))
    return np.asarray(per_row if subject.options.get("reduction") == "none" else np.mean(per_row))


_FORMULAS: Mapping[str, Callable[[Subject], Numbers]] = MappingProxyType(
    {
        "binary": _binary,
        "binary_over_samples": _binary_over_samples,
        "one_hot": _one_hot,
        "picked": lambda subject: _picked_from(subject.inputs["probabilities"], subject),
        "softmax_then_picked": lambda subject: _picked_from(
            _naive_softmax(subject.inputs["logits"], subject.axis), subject
        ),
        "entropy": _entropy,
    }
)


def _equals_formula(subject: Subject, parameters: Parameters) -> Finding:
    formula, digits = parameters["formula"], parameters.get("digits")
    if formula not in _FORMULAS:
        raise ValueError(f"no formula {formula!r}; known: {', '.join(_FORMULAS)}")
    with np.errstate(all="ignore"):
        written = _FORMULAS[formula](subject)
    truth = subject.value()
    holds = _close(written, truth) if digits is None else printed_alike(written, truth, digits)
    to = "" if digits is None else f" to {digits} digits"
    outcome = "equal" if holds else "not equal"
    explanation = f"The formula gives {readable(written)}, the loss is {readable(truth)}: {outcome}{to}."
    return Finding(_verdict(holds), truth, explanation)


def _equals_loss(subject: Subject, parameters: Parameters) -> Finding:
    other, reading = parameters["loss"], parameters["reading"]
    fed = {**subject.inputs, **{name: subject.inputs[source] for name, source in reading.items()}}
    own, theirs = subject.value(), subject.value(other, inputs=fed)
    both = f"{subject.case.loss} of these numbers is {readable(own)}, {other} of them is {readable(theirs)}"
    if _close(own, theirs):
        return Finding("holds", own, f"{both}: the same.")
    for name, source in reading.items():
        if name == "probabilities" and source == "logits":
            with np.errstate(divide="ignore"):
                logarithms = np.log(subject.inputs["logits"])
            converted = subject.value(inputs={**subject.inputs, "logits": logarithms})
            if _close(converted, theirs):
                explanation = (
                    f"{both}; {subject.case.loss} takes logits, and of their logarithms it is {readable(converted)}."
                )
                return Finding("holds_under_convention", own, explanation, "logits ln p")
    return Finding("wrong", own, f"{both}: not the same.")


def _equals_composition(subject: Subject, _: Parameters) -> Finding:
    truth = subject.value()
    with np.errstate(divide="ignore"):
        logarithms = np.log(subject.value("softmax"))
    composed = subject.value(
        "nll_loss", inputs={"log_probabilities": logarithms, "targets": _needed(subject.labels(), "targets")}
    )
    holds = _close(composed, truth)
    explanation = f"Softmax, logarithm and nll_loss give {readable(composed)}, the loss is {readable(truth)}."
    return Finding(_verdict(holds), truth, explanation)


def _naive_composition_is_accurate(subject: Subject, _: Parameters) -> Finding:
    truth = subject.value()
    with np.errstate(all="ignore"):
        composed = _picked_from(_naive_softmax(subject.inputs["logits"], subject.axis), subject)
    holds = _close(composed, truth, 1e-9)
    explanation = f"In float64, step by step, {readable(composed)} comes out; the loss is {readable(truth)}."
    return Finding(_verdict(holds), truth, explanation)


def _same_for_one_hot(subject: Subject, _: Parameters) -> Finding:
    labels = _needed(subject.labels(), "targets")
    rows = one_hot(labels, subject.classes, subject.axis)
    by_label = subject.value(inputs={**subject.inputs, "targets": labels})
    by_row = subject.value(inputs={**subject.inputs, "targets": rows})
    holds = agree(by_row, by_label)
    explanation = f"With labels the loss is {readable(by_label)}, with one-hot rows {readable(by_row)}."
    return Finding(_verdict(holds), by_label, explanation)


def _same_under_convention(subject: Subject, parameters: Parameters) -> Finding:
    convention = parameters["convention"]
    plain, other = subject.value(), subject.value(convention=convention)
    holds = agree(other, plain)
    with np.errstate(all="ignore"):
        factor = f", a factor of {readable(other / plain)}" if not holds else ""
    explanation = f"Under {described(convention)} the value is {readable(other)}, else {readable(plain)}{factor}."
    return Finding(_verdict(holds), plain, explanation)


def _labels_in_range(subject: Subject, _: Parameters) -> Finding:
    labels = np.ravel(_needed(subject.labels(), "targets")).tolist()
    outside = [label for label in labels if not 0 <= label < subject.classes]
    last = subject.classes - 1
    found = f"outside: {', '.join(map(str, outside))}" if outside else "all labels are inside"
    explanation = f"The labels of {subject.classes} classes are 0 to {last}; {found}."
    return Finding(_verdict(not outside), [0, last], explanation)


def _elements_less(subject: Subject, parameters: Parameters) -> Finding:
    elements = subject.value(options={"reduction": "none"}).ravel()
    less, than = list(parameters["less"]), int(parameters["than"])
    holds = all(elements[index] < elements[than] for index in less)
    explanation = f"The values are {readable(elements)}."
    return Finding(_verdict(holds), elements, explanation)


def _loss_is_infinite(subject: Subject, _: Parameters) -> Finding:
    value = subject.value()
    return Finding(_verdict(bool(np.all(np.isinf(value)))), value, f"The loss is {readable(value)}.")


def _epsilon_shifts_by(subject: Subject, parameters: Parameters) -> Finding:
    epsilon = float(parameters["epsilon"])
    plain = float(subject.value())
    shift = float(subject.value(convention={"add_inside_log": epsilon})) - plain
    predicted = -epsilon * float(np.mean([1.0 / subject.probability_of_target(i) for i in range(subject.samples)]))
    holds = abs(shift - predicted) <= 1e-3 * abs(predicted)
    explanation = (
        f"With {epsilon:g} inside the logarithm the loss {plain!r} changes by {shift:.4g}; "
        f"−ε·mean(1/p) is {predicted:.4g}."
    )
    return Finding(_verdict(holds), shift, explanation)


def _penalty_is_logarithmic(subject: Subject, _: Parameters) -> Finding:
    def of(p: float) -> float:
        inputs = {"probabilities": np.array([[p, 1.0 - p]]), "targets": np.array([[1.0, 0.0]])}
        value = subject.evaluate("categorical_cross_entropy", inputs, {"reduction": "mean"}, convention=None).value
        return float(np.asarray(value))

    grid = (0.875, 0.5, 0.125, 2.0**-10)
    doubles = all(abs(of(p * p) - 2.0 * of(p)) <= CLOSE * of(p * p) for p in grid)
    holds = doubles and of(1.0) == 0.0 and of(0.0) == np.inf
    losses = [of(p) for p in (1.0, *grid, 0.0)]
    explanation = (
        f"For p = 1, {', '.join(f'{p:g}' for p in grid)}, 0 the loss is {', '.join(f'{x:.6g}' for x in losses)}."
    )
    return Finding(_verdict(holds), losses, explanation)


def _gradient_is_softmax_minus_target(subject: Subject, _: Parameters) -> Finding:
    target = _needed(subject.distribution(), "targets")
    logits = subject.inputs["logits"]
    divisor = subject.samples if subject.options.get("reduction") == "mean" else 1
    formula = (subject.value("softmax") - target) / divisor
    gradient = np.asarray(subject.evaluation().gradients["logits"], dtype=np.float64)
    step = 2.0**-17  # the cube root of eps: where truncation and rounding of a central difference balance
    quotient = np.empty_like(logits)
    for index in np.ndindex(logits.shape):
        moved = []
        for sign in (1.0, -1.0):
            shifted = logits.copy()
            shifted[index] += sign * step
            moved.append(float(np.sum(subject.value(inputs={**subject.inputs, "logits": shifted}))))
        quotient[index] = (moved[0] - moved[1]) / (2.0 * step)
    holds = _close(gradient, formula) and _close(quotient, formula, 1e-9)
    explanation = f"The gradient is {readable(gradient)}; (softmax − target) / {divisor} is {readable(formula)}."
    return Finding(_verdict(holds), gradient, explanation)


def _needed(value: Numbers | None, name: str) -> Numbers:
    if value is None:
        raise ValueError(f"the case has no {name}")
    return value


COMPUTATIONS: Mapping[str, Computation] = MappingProxyType(
    {
        "argmax_matches_labels": _argmax_matches_labels,
        "loss_decreases_towards_target": _loss_decreases_towards_target,
        "equals_formula": _equals_formula,
        "equals_loss": _equals_loss,
        "equals_composition": _equals_composition,
        "naive_composition_is_accurate": _naive_composition_is_accurate,
        "same_for_one_hot": _same_for_one_hot,
        "same_under_convention": _same_under_convention,
        "labels_in_range": _labels_in_range,
        "elements_less": _elements_less,
        "loss_is_infinite": _loss_is_infinite,
        "epsilon_shifts_by": _epsilon_shifts_by,
        "penalty_is_logarithmic": _penalty_is_logarithmic,
        "gradient_is_softmax_minus_target": _gradient_is_softmax_minus_target,
    }
)
