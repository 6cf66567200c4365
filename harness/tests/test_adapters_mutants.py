"""The sound implementation is right by hand-known numbers, and every mutant shows its mistake on a simple input."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from math import prod
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.adapters.base import Adapter, Answer, Array, Call, Unsupported
from harness.core.case import Case, ExpectTruth
from harness.core.formats import FORMATS
from harness.judgement.agreement import compare
from harness.judgement.truth import DIRECTIONAL, HESSIAN_VECTOR, Truth, TruthTable, aspects
from harness.mistakes import ALONG, BESIDE, MUTANTS, SEAMS, SECOND, WAYS, Mutant, adapter
from harness.mistakes.sound import LOSSES
from harness.suite.calls import call_of
from harness.suite.generators import shape_of
from harness.tests.made_calls import make_call
from harness.tests.shipped import shipped_cases

X = [[1.0, 2.0, 3.0], [0.5, -1.0, 4.0], [2.0, 0.0, -3.0], [-1.0, 1.5, 0.25], [0.0, 3.0, 1.0]]
P = [[0.2, 0.3, 0.5], [0.7, 0.2, 0.1], [0.05, 0.9, 0.05], [0.25, 0.25, 0.5], [0.6, 0.1, 0.3]]
Q = [[0.1, 0.6, 0.3], [0.3, 0.3, 0.4], [0.0, 1.0, 0.0], [0.2, 0.5, 0.3], [0.5, 0.25, 0.25]]
LABELS = [0, 2, 1, 1, 0]
WEIGHTS = [0.5, 3.0, 2.0, 0.0, 1.25]
DIFFERENTIABLE = ("logits", "probabilities", "log_probabilities", "hidden", "weight", "bias")


def call(
    loss: str, inputs: dict[str, Any], options: dict[str, Any], cotangent: Any = None, dtype: str = "float64"
) -> Call:
    """A call that asks for every gradient there is."""
    made = make_call(loss, inputs, options, dtype=dtype, cotangent=cotangent)
    float_targets = "targets" in made.inputs and made.inputs["targets"].is_float
    wanted = tuple(n for n in made.inputs if n in DIFFERENTIABLE or (n == "targets" and float_targets))
    return replace(made, differentiate=wanted)


def number(answer: Answer) -> float:
    return float(answer.value.to_float64())


# -- what is tried on every mutant -----------------------------------------------------------------------------------

OPTIONS: list[dict[str, Any]] = [
    {},
    {"reduction": "sum"},
    {"reduction": "none"},
    {"sample_weights": WEIGHTS},
    {"label_smoothing": 0.1},
]


def probes(loss: str, kind: str = "") -> Iterator[Call]:
    """Simple inputs that between them exercise every option and edge of a loss; for a mutant of a kind."""
    for probe in (_of_suite if kind in WRITTEN else _PROBES.get(loss, _of_suite))(loss):
        if kind not in ALONG:
            yield probe
        elif probe.differentiate:  # a case may ask for no gradient, and then has no slope
            yield along(probe)


SIMPLE = 1000
"""Elements of an input that is simple: with the suite's long ones a few mistakes would take half a minute each."""

WRITTEN = ("logits", "divergences")
"""Kinds whose probes are the cases that the suite has of them."""


@cache
def _written() -> tuple[Case, ...]:
    kinds = {"options-of-logits", "divergence", "soft-margin", "reduction", "shift"}
    chosen = (case for case in shipped_cases() if kinds & set(case.tags) and isinstance(case.expect, ExpectTruth))
    small = (case for case in chosen if all(prod(shape_of(spec)) <= SIMPLE for spec in case.inputs.values()))
    return tuple(case for case in small if case.source is None)


def _of_suite(loss: str) -> Iterator[Call]:
    yield from (call_of(case, "float64") for case in _written() if case.loss == loss)


def along(probe: Call) -> Call:
    """The call that asks for the derivatives along a vector too, in an uneven direction."""
    shape = probe.inputs[probe.differentiate[0]].shape
    direction = np.linspace(-1, 2, int(np.prod(shape))).reshape(shape)
    return replace(probe, vector=Array.of(direction, probe.dtype))


def _with_options(loss: str, inputs: dict[str, Any], options: list[Any]) -> Iterator[Call]:
    for chosen in options:
        yield call(loss, inputs, chosen)
        if chosen.get("reduction") == "none":
            yield call(loss, inputs, chosen, np.linspace(-1, 2, 5))


def _labelled(loss: str) -> Iterator[Call]:
    name, values = {
        "nll_loss": ("log_probabilities", np.log(P)),
        "categorical_cross_entropy": ("probabilities", np.asarray(P)),
    }.get(loss, ("logits", np.asarray(X)))
    weighted = [{"class_weights": [0.3, -0.2, 0.4]}, {"class_weights": [1.0, 3.0, 2.0], "denominator": "count"}]
    ignoring: list[dict[str, Any]] = [{"ignore_index": 1}, {"ignore_index": 1, "class_weights": [1.0, 3.0, 2.0]}]
    plain = [o for o in OPTIONS if loss != "nll_loss" or not set(o) & {"sample_weights", "label_smoothing"}]
    yield from _with_options(loss, {name: values, "targets": LABELS}, [*plain, *weighted, *ignoring])
    if loss in ("nll_loss", "softmax_cross_entropy"):
        half = call(loss, {name: values, "targets": LABELS}, {"class_weights": [1.0, 3.0, 2.0]}, dtype="float16")
        yield _in_float32(half, "class_weights", [1e5, 3e5, 2e5])
    yield call(loss, {name: values, "targets": [-1, 0, 2, -1, 1]}, {"ignore_index": -1})
    yield call(loss, {name: values, "targets": [5, 0, 2, 5, 1]}, {"ignore_index": 5})
    yield call(loss, {name: values, "targets": [1, 1, 1, 1, 1]}, {"ignore_index": 1})
    yield call(loss, {name: values, "targets": [0, 1, 3, 0, 0]}, {})
    yield call(loss, {name: values, "targets": [0, 1, -1, 0, 0]}, {})
    holed = values.copy()
    holed[2, 0] = np.nan
    yield call(loss, {name: holed, "targets": LABELS}, {"ignore_index": 1})
    cube = np.moveaxis(np.stack([values, values[::-1]]), -1, 1)
    yield call(loss, {name: cube, "targets": [LABELS, LABELS[::-1]]}, {"axis": 1})
    if loss == "categorical_cross_entropy":
        holed = np.where(np.isnan(holed), 0.0, holed)
        yield call(loss, {name: holed, "targets": LABELS}, {})
        yield call(loss, {name: [[0.0, 0.4, 0.6]], "targets": [0]}, {})
        yield call(loss, {name: [[1e-8, 0.4, 0.6]], "targets": [0]}, {})
        yield call(loss, {name: [[np.nan, 0.4, 0.6]], "targets": [1]}, {})
        yield call(loss, {name: values, "targets": [[0.0, 1.0, 0.0]] * 5}, {})
        yield call(loss, {name: [[0.0, 0.4, 0.6]], "targets": [[0.0, 1.0, 0.0]]}, {})
    if loss != "nll_loss":
        yield from _with_options(loss, {name: values, "targets": Q}, OPTIONS)
        yield call(loss, {name: values, "targets": Q}, {"class_weights": [1.0, 3.0, 2.0]})
        yield call(loss, {name: values, "targets": Q}, {"ignore_index": 1})
    if loss == "softmax_cross_entropy":
        yield from _extreme(loss)
        wide = np.linspace(0, 1, 200)[None]
        yield call(loss, {name: wide, "targets": [130]}, {})
        yield call(loss, {name: [[12.0, 0.0, 1.0]], "targets": [0]}, {}, dtype="float32")


def _in_float32(probe: Call, option: str, values: list[float]) -> Call:
    """The call with an option in float32, of numbers that float16 has not."""
    return replace(probe, options={**probe.options, option: Array.of(np.asarray(values), "float32")})


def _extreme(loss: str) -> Iterator[Call]:
    targets: dict[str, Any] = {} if loss in ("softmax", "log_softmax") else {"targets": [1, 0]}
    yield call(loss, {"logits": [[1000.0, 0.0, 1.0], [0.0, 1.0, 2.0]], **targets}, {})
    yield call(loss, {"logits": [[-1000.0, -1001.0, -1002.0], [0.0, 1.0, 2.0]], **targets}, {})
    yield call(loss, {"logits": [[12.0, 0.0, 1.0], [0.001, 0.1, 0.2]], **targets}, {})
    yield call(loss, {"logits": [[100.0, 0.0, 1.0], [20.0, 0.0, 0.0]], **targets}, {})
    yield call(loss, {"logits": [[1000.3, 1000.1, 999.0], [3.1, 2.7, 1.0]], **targets}, {})
    if targets:
        yield call(loss, {"logits": [[0.0, -np.inf, 1.0]], "targets": [[1.0, 0.0, 0.0]]}, {})
        yield call(loss, {"logits": [[0.0, 1.0, 2.0]], "targets": [[2.0, 0.0, 0.0]]}, {})


def _softmaxes(loss: str) -> Iterator[Call]:
    yield call(loss, {"logits": X}, {}, np.linspace(-1, 2, 15).reshape(5, 3))
    yield call(loss, {"logits": X}, {"axis": 0}, np.linspace(-1, 2, 15).reshape(5, 3))
    yield call(loss, {"logits": [[0.0, -np.inf, 1.0]]}, {})
    yield from _extreme(loss)


def _focal(loss: str) -> Iterator[Call]:
    if loss == "binary_focal":
        yield call(loss, {"logits": [100.0, -100.0, 1.0], "targets": [1.0, 0.0, 1.0]}, {"gamma": 0.5})
        options: Any
        for options in (
            {"gamma": 2.0},
            {"gamma": 0.0},
            {"gamma": 3.5, "alpha": 0.25},
            {"label_smoothing": 0.1, "alpha": 0.5},
        ):
            yield from _binary_with(loss, options)
        return
    yield call(loss, {"logits": [[1000.0, 0.0, 1.0], [0.0, 1.0, 2.0]], "targets": [0, 1]}, {"gamma": 0.5})
    every = (
        {"gamma": 2.0},
        {"gamma": 3.5, "alpha": 0.25},
        {"gamma": 0.0},
        {"reduction": "sum"},
        {"label_smoothing": 0.1},
    )
    for options in every:
        yield call(loss, {"logits": X, "targets": LABELS}, options)
        yield call(loss, {"logits": X, "targets": Q}, options)
    yield call(loss, {"logits": X, "targets": LABELS}, {"reduction": "none"}, [1.0, -1.0, 2.0, 0.5, 0.0])
    for probe in _extreme(loss):
        yield replace(probe, options={**probe.options, "gamma": 2.0})


def _binary_with(loss: str, options: dict[str, Any]) -> Iterator[Call]:
    targets = [1.0, 0.0, 1.0, 0.0, 0.3]
    yield call(loss, {"logits": [1.0, -2.0, 0.5, 3.0, -0.25], "targets": targets}, options)
    yield call(loss, {"logits": [[1.0, -2.0], [0.5, 3.0]], "targets": [[1.0, 0.0], [0.0, 1.0]]}, options)
    yield call(loss, {"logits": [12.0, -12.0, 30.0], "targets": [1.0, 0.0, 1.0]}, options)
    yield call(loss, {"logits": [100.0, -100.0, 1.0], "targets": [0.0, 1.0, 1.0]}, options)
    if "reduction" not in options:
        yield from _binary_with(loss, {**options, "reduction": "sum"})
    elif options["reduction"] == "sum":
        yield from _binary_with(loss, {**options, "reduction": "none"})
    else:
        yield call(loss, {"logits": [1.0, -2.0, 0.5], "targets": [1.0, 0.0, 0.2]}, options, cotangent=[1.0, -1.0, 0.25])


def _binary(loss: str) -> Iterator[Call]:
    targets = [1.0, 0.0, 1.0, 0.0, 0.3]
    if loss == "binary_cross_entropy_with_logits":
        yield from _binary_with(loss, {})
        yield call(loss, {"logits": [0.0, -0.0, 1e4, -1e4], "targets": [1.0, 0.0, 1.0, 0.0]}, {"reduction": "none"})
        half = call(
            loss, {"logits": [6.0, -7.0], "targets": [1.0, 0.0]}, {"sample_weights": [1.0, 2.0]}, dtype="float16"
        )
        yield _in_float32(half, "sample_weights", [1e5, 2e5])
        for options in ({"pos_weight": 3.0}, {"sample_weights": WEIGHTS}, {"label_smoothing": 0.1}):
            yield call(loss, {"logits": [1.0, -2.0, 0.5, 3.0, -0.25], "targets": targets}, options)
        return
    p = [0.8, 0.3, 0.6, 0.1, 0.45]
    yield from _with_options(loss, {"probabilities": p, "targets": targets}, OPTIONS)
    yield call(loss, {"probabilities": p, "targets": [1.0, 0.0, 1.0, 0.0, 1.0]}, {"sample_weights": WEIGHTS})
    yield call(loss, {"probabilities": p, "targets": targets}, {"base": 2})
    yield call(loss, {"probabilities": [[0.8, 0.3], [0.6, 0.1]], "targets": [[1.0, 0.0], [1.0, 0.0]]}, {})
    yield call(loss, {"probabilities": [0.0, 1.0, 0.5], "targets": [0.0, 1.0, 1.0]}, {"reduction": "none"})
    yield call(loss, {"probabilities": [1e-8, 1e-9, 0.5], "targets": [1.0, 0.0, 1.0]}, {"reduction": "none"})
    yield call(loss, {"probabilities": [0.0, 0.5], "targets": [1.0, 1.0]}, {"reduction": "none"})
    yield call(loss, {"probabilities": [1.5, 0.5], "targets": [1.0, 1.0]}, {})


def _distributions(loss: str) -> Iterator[Call]:
    inputs: dict[str, Any] = {"probabilities": P} if loss == "entropy" else {"probabilities": P, "targets": Q}
    axis = {n: np.asarray(v).T for n, v in inputs.items()}
    yield from _with_options(loss, inputs, [{}, {"reduction": "sum"}, {"reduction": "none"}, {"base": 2}])
    yield call(loss, axis, {"axis": 0})
    edge = {"probabilities": [[0.0, 1e-9, 1.0]]}
    yield call(loss, edge if loss == "entropy" else {**edge, "targets": [[0.0, 0.5, 0.5]]}, {})
    zero = {"probabilities": [[0.0, 0.5, 0.5]]}
    yield call(loss, zero if loss == "entropy" else {**zero, "targets": [[0.5, 0.5, 0.0]]}, {})


def _kl(loss: str) -> Iterator[Call]:
    inputs = {"log_probabilities": np.log(P), "targets": Q}
    reductions: list[Any] = [{}, {"reduction": "sum"}, {"reduction": "none"}, {"reduction": "batchmean"}]
    yield from _with_options(loss, inputs, reductions)
    yield call(loss, {**inputs, "targets": np.log(np.asarray(P)[::-1])}, {"log_target": True})
    cube = {"log_probabilities": np.log([P, P[::-1]]), "targets": np.asarray([Q, P])}
    yield from (call(loss, cube, {"reduction": reduction}) for reduction in ("mean", "batchmean"))
    yield call(loss, {"log_probabilities": [[-1.0, -np.inf]], "targets": [[1.0, 0.0]]}, {})
    yield call(loss, {"log_probabilities": [[-1.0, -np.inf]], "targets": [[0.5, 0.5]]}, {})
    student = {"target_logits": np.asarray(X)[::-1], "logits": np.asarray(X)}
    yield from (call(loss, student, {"reduction": reduction}) for reduction in ("mean", "none"))


def _linear(loss: str) -> Iterator[Call]:
    weight = [[1.0, 0.5, -1.0], [0.25, -2.0, 1.0]]
    hidden = [[1.0, 2.0], [-0.5, 1.0], [3.0, 0.0], [0.1, 0.2], [2.0, -1.0]]
    inputs = {"hidden": hidden, "weight": weight, "bias": [0.5, -1.0, 0.25]}
    yield from _with_options(loss, {**inputs, "targets": LABELS}, [{}, {"reduction": "none"}, {"ignore_index": 1}])
    yield call(loss, {**inputs, "hidden": [[900.0, 1.0]], "targets": [2]}, {})
    yield call(loss, {**inputs, "hidden": [[30.0, 1.0], [-900.0, 2.0]], "targets": [2, 0]}, {})


def _heads(loss: str) -> Iterator[Call]:
    student = {"hidden": [[1.0, 2.0], [-0.5, 1.0], [3.0, 0.0]], "weight": [[1.0, 0.5, -1.0], [0.25, -2.0, 1.0]]}
    teacher = {"target_hidden": [[0.5], [-2.0], [1.0]], "target_weight": [[1.0, 0.5, -1.5]]}
    yield from _with_options(
        loss, {**student, **teacher}, [{}, {"reduction": "none"}, {"beta": 0.25}, {"logit_scale": 0.5}]
    )
    yield call(loss, {**student, **teacher, "targets": [0, -1, 2]}, {"ignore_index": -1})
    many = {"hidden": np.linspace(-2, 2, 80).reshape(40, 2), "target_hidden": np.linspace(1, -1, 40)[:, None]}
    yield call(loss, {**student, **teacher, **many}, {})


_PROBES = {
    "entropy": _distributions,
    "cross_entropy": _distributions,
    "softmax": _softmaxes,
    "log_softmax": _softmaxes,
    "kl_divergence": _kl,
    "nll_loss": _labelled,
    "categorical_cross_entropy": _labelled,
    "softmax_cross_entropy": _labelled,
    "binary_cross_entropy": _binary,
    "binary_cross_entropy_with_logits": _binary,
    "binary_focal": _focal,
    "categorical_focal": _focal,
    "linear_cross_entropy": _linear,
    "linear_jensen_shannon": _heads,
}


def outcome(implementation: Adapter, probe: Call) -> Answer | type[BaseException]:
    try:
        return implementation.evaluate(probe)
    except (ValueError, IndexError, TypeError) as error:
        return type(error)


def same(one: Answer | type[BaseException], other: Answer | type[BaseException]) -> bool:
    if not isinstance(one, Answer) or not isinstance(other, Answer):
        return one is other
    if set(one.gradients) != set(other.gradients):
        return False
    pairs = [(one.value, other.value), *((one.gradients[n], other.gradients[n]) for n in one.gradients)]
    for left, right in ((one.hessian_vector, other.hessian_vector), (one.directional, other.directional)):
        if (left is None) != (right is None):
            return False
        if left is not None and right is not None:
            pairs.append((left, right))
    return all(
        a.dtype == b.dtype
        and a.shape == b.shape
        and np.allclose(a.to_float64(), b.to_float64(), rtol=1e-9, atol=0.0, equal_nan=True)
        for a, b in pairs
    )


# Those at the seams are right on every simple input: `test_mutants_at_the_seams` has the cases they are wrong on.
NUMERIC = [mutant for mutant in MUTANTS.values() if mutant.kind not in ("conduct", BESIDE, WAYS, *SEAMS)]


@pytest.mark.parametrize("mutant", NUMERIC, ids=lambda m: m.name)
def test_every_mutant_differs_from_the_sound_implementation_on_a_simple_input(mutant: Mutant) -> None:
    sound, bad = adapter("sound"), adapter(mutant.name)
    (loss,) = mutant.losses
    assert bad.describe().losses == (loss,)
    assert any(not same(outcome(sound, probe), outcome(bad, probe)) for probe in probes(loss, mutant.kind)), (
        mutant.mistake
    )


@cache
def truths(loss: str, kind: str = "") -> tuple[tuple[Call, Truth], ...]:
    return tuple((p, TruthTable(p).under()) for p in probes(loss, kind))


BY_GRADE = {
    "p-minus-one.softmax_cross_entropy",
    "other-sigmoid-by-difference.binary_cross_entropy_with_logits",
    "second-cancels-in-float64.binary_cross_entropy_with_logits",
    "second-by-difference.softmax_cross_entropy",
}
"""What loses digits within the budget, and is wrong only where a case demands a grade."""


def is_right(probe: Call, truth: Truth, found: Answer | type[BaseException]) -> bool:
    """Whether the judgement accepts an outcome: an error where one is right, else every aspect within its budget."""
    if truth.refusal is not None or not isinstance(found, Answer):
        return truth.refusal is not None and not isinstance(found, Answer)
    for aspect, name in aspects(probe).items():
        target = truth.targets.get(aspect)
        whole = {HESSIAN_VECTOR: found.hessian_vector, DIRECTIONAL: found.directional}.get(aspect, found.value)
        array = whole if name is None else found.gradients.get(name)
        if target is None:
            continue
        if array is None or array.dtype != probe.dtype or array.shape != target.hi.shape:
            return False
        if not compare(array.to_float64(), target, FORMATS[probe.dtype]).agrees:
            return False
    return True


@pytest.mark.parametrize("mutant", NUMERIC, ids=lambda m: m.name)
def test_every_mutant_is_wrong_beyond_the_budget_of_the_judgement_on_a_simple_input(mutant: Mutant) -> None:
    bad = adapter(mutant.name)
    known = mutant.kind if mutant.kind in WRITTEN else ""
    judged = truths(mutant.losses[0], SECOND if mutant.kind in ALONG else known)
    assert all(is_right(probe, truth, outcome(bad, probe)) for probe, truth in judged) == (mutant.name in BY_GRADE)


@pytest.mark.parametrize("mutant", [m for m in NUMERIC if m.kind in ALONG], ids=lambda m: m.name)
def test_mistakes_along_a_vector_are_right_about_everything_else(mutant: Mutant) -> None:
    sound, bad = adapter("sound"), adapter(mutant.name)
    (loss,) = mutant.losses
    assert all(same(outcome(sound, probe), outcome(bad, probe)) for probe in probes(loss))


@pytest.mark.parametrize(("loss", "kind"), [*((loss, "") for loss in LOSSES), *((loss, SECOND) for loss in LOSSES)])
def test_sound_is_right_on_every_probe(loss: str, kind: str) -> None:
    for probe, truth in truths(loss, kind):
        assert is_right(probe, truth, outcome(adapter("sound"), probe)), probe


def test_sound_refuses_an_option_it_has_no_formula_for() -> None:
    call = Call("softmax", {"logits": Array.of(np.zeros((1, 2)))}, {"temperature": 30.0}, "float64")
    with pytest.raises(Unsupported, match="temperature"):
        adapter("sound").evaluate(call)


# -- the sound implementation ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("loss", "inputs", "options", "value", "gradient"),
    [
        (
            "softmax_cross_entropy",
            {"logits": [[0.0, -np.inf, 1.0]], "targets": [0]},
            {},
            1.3132617,
            [[-0.7310586, 0.0, 0.7310586]],
        ),
        (
            "softmax_cross_entropy",
            {"logits": [[0.0, -np.inf, 1.0]], "targets": [1]},
            {},
            np.inf,
            [[0.2689414213, -1.0, 0.7310585786]],
        ),
        (
            "softmax_cross_entropy",
            {"logits": [[40.0, 0.0]], "targets": [0]},
            {},
            4.248354255291589e-18,
            [[-4.248354255291589e-18, 4.248354255291589e-18]],
        ),
        (
            "softmax_cross_entropy",
            {"logits": [[1.0, 2.0, 3.0]], "targets": [[2.0, 0.0, 0.0]]},
            {},
            4.815212,
            [[-1.819939, 0.489457, 1.330482]],
        ),
        (
            "softmax_cross_entropy",
            {"logits": [[1.0, 2.0, 3.0]], "targets": [0]},
            {"label_smoothing": 0.1},
            2.307606,
            None,
        ),
        (
            "softmax_cross_entropy",
            {"logits": [[1.0, 2.0, 3.0]] * 2, "targets": [0, 1]},
            {"sample_weights": [0.0, 3.0]},
            2.1114088,
            None,
        ),
        (
            "softmax_cross_entropy",
            {"logits": [[1.0, 2.0, 3.0]] * 2, "targets": [0, 1]},
            {"class_weights": [0.0, 3.0, 1.0]},
            1.4076059,
            None,
        ),
        (
            "softmax_cross_entropy",
            {"logits": [[1.0, 2.0, 3.0], [np.nan, 0.0, 0.0]], "targets": [0, 1]},
            {"ignore_index": 1},
            2.4076059,
            [[-0.9099694, 0.2447285, 0.665241], [0.0, 0.0, 0.0]],
        ),
        (
            "softmax_cross_entropy",
            {"logits": [[1.0, 2.0, 3.0]], "targets": [1]},
            {"ignore_index": 1},
            np.nan,
            [[0.0, 0.0, 0.0]],
        ),
        (
            "categorical_cross_entropy",
            {"probabilities": [[0.775, 0.116, 0.039, 0.070]], "targets": [[1.0, 0.0, 0.0, 0.0]]},
            {"base": 2},
            0.3677317845,
            None,
        ),
        ("cross_entropy", {"probabilities": [[0.0, 1.0]], "targets": [[0.0, 1.0]]}, {}, 0.0, None),
        (
            "nll_loss",
            {"log_probabilities": np.log([[0.2, 0.3, 0.5]]), "targets": [0]},
            {},
            1.6094379124,
            [[-1.0, 0.0, 0.0]],
        ),
        ("binary_cross_entropy_with_logits", {"logits": [10.0], "targets": [1.0]}, {}, 4.5398899e-5, [-4.5397869e-5]),
        ("binary_cross_entropy_with_logits", {"logits": [20.0], "targets": [1.0]}, {}, 2.0611536e-9, [-2.0611536e-9]),
        ("binary_cross_entropy_with_logits", {"logits": [np.inf], "targets": [1.0]}, {}, 0.0, [0.0]),
        ("binary_cross_entropy_with_logits", {"logits": [-np.inf], "targets": [0.5]}, {}, np.inf, [-0.5]),
        (
            "binary_cross_entropy_with_logits",
            {"logits": [1.0, -2.0], "targets": [1.0, 0.0]},
            {"pos_weight": 3.0},
            (3 * 0.3132616875 + 0.1269280110) / 2,
            None,
        ),
        (
            "binary_cross_entropy",
            {"probabilities": [[0.1], [0.9], [0.8], [0.4]], "targets": [[0.0], [1.0], [1.0], [0.0]]},
            {},
            0.2361725515990,
            None,
        ),
        (
            "binary_focal",
            {"logits": [1.0, -2.0], "targets": [1.0, 0.0]},
            {"gamma": 0.0},
            (0.3132616875 + 0.1269280110) / 2,
            None,
        ),
        (
            "kl_divergence",
            {"log_probabilities": [[-1.0, -2.0]], "targets": [[1.0, 0.0]]},
            {"reduction": "batchmean"},
            1.0,
            [[-1.0, 0.0]],
        ),
        ("entropy", {"probabilities": [[26 / 30, 4 / 30]]}, {"base": 2}, 0.5665095065529, None),
    ],
)
def test_sound_gives_numbers_known_by_hand(
    loss: str, inputs: dict[str, Any], options: dict[str, Any], value: float, gradient: Any
) -> None:
    answer = adapter("sound").evaluate(call(loss, inputs, options))
    assert number(answer) == pytest.approx(value, rel=2e-7, abs=0.0, nan_ok=True)
    if gradient is not None:
        first = next(n for n in inputs if n in DIFFERENTIABLE)
        np.testing.assert_allclose(answer.gradients[first].to_float64(), gradient, rtol=5e-7, atol=1e-13)


def test_sound_divides_smoothed_and_weighted_losses_as_index_targets_do() -> None:
    """x = 3 × eye, weights 1, 10, 100: Σ over the rows of weighted smoothed losses over Σ w, which is 111."""
    x, w, eps = np.eye(3) * 3.0, np.array([1.0, 10.0, 100.0]), 0.1
    log_p = x - np.log(np.exp(x).sum(axis=1, keepdims=True))
    expected = -((0.9 * np.eye(3) + eps / 3) * w * log_p).sum() / w.sum()
    options = {"class_weights": list(w), "label_smoothing": eps}
    answer = adapter("sound").evaluate(call("softmax_cross_entropy", {"logits": x, "targets": [0, 1, 2]}, options))
    assert number(answer) == pytest.approx(expected, rel=1e-14)


def _smooth_probes() -> list[Call]:
    """Probes at which the loss is differentiable and finite: there a difference quotient is the gradient."""
    chosen = []
    for loss in LOSSES:
        for probe in probes(loss):
            answer = outcome(adapter("sound"), probe)
            inside = all((np.abs(a.to_float64()) < 9).all() for a in probe.inputs.values())
            bounded = all(
                ((a.to_float64() > 1e-3) & (a.to_float64() < 0.999)).all()
                for n, a in probe.inputs.items()
                if n in ("probabilities",)
                or (n == "targets" and a.is_float and loss in ("kl_divergence", "binary_cross_entropy"))
            )
            finite = isinstance(answer, Answer) and np.isfinite(answer.value.to_float64()).all()
            # Dividing by weights that depend on soft targets: the denominator is taken as given, by the truth as well.
            divided = "class_weights" in probe.options and probe.inputs["targets"].is_float
            if (
                finite
                and inside
                and not divided
                and (bounded or probe.options.get("log_target"))
                and probe.dtype == "float64"
            ):
                chosen.append(probe)
    return chosen


@pytest.mark.parametrize("probe", _smooth_probes(), ids=lambda c: c.loss)
def test_the_gradients_of_sound_are_difference_quotients(probe: Call) -> None:
    sound = adapter("sound")
    answer = sound.evaluate(probe)
    h = 1e-5
    upstream = np.ones(answer.value.shape) if probe.cotangent is None else probe.cotangent.to_float64()
    for name, gradient in answer.gradients.items():
        at = probe.inputs[name].to_float64()
        direction = np.cos(np.arange(at.size)).reshape(at.shape)
        ends = [
            sound.evaluate(
                replace(probe, inputs={**probe.inputs, name: Array.of(at + sign * h * direction, "float64")})
            )
            for sign in (1, -1)
        ]
        quotient = ((ends[0].value.to_float64() - ends[1].value.to_float64()) * upstream).sum() / (2 * h)
        # The quotient of a float64 value is good to about eps/h, and to h² times a third derivative.
        assert (gradient.to_float64() * direction).sum() == pytest.approx(quotient, rel=1e-6, abs=1e-8), name


@given(
    st.lists(st.floats(-50, 50), min_size=2, max_size=6),
    st.integers(-40, 40),
    st.data(),
)
def test_sound_is_unmoved_by_a_shift_and_its_gradient_sums_to_zero(x: list[float], shift: int, data: Any) -> None:
    label = data.draw(st.integers(0, len(x) - 1))
    grid = np.round(np.asarray(x) * 64) / 64  # so that the shifted logits are exact
    one = adapter("sound").evaluate(call("softmax_cross_entropy", {"logits": [grid], "targets": [label]}, {}))
    two = adapter("sound").evaluate(call("softmax_cross_entropy", {"logits": [grid + shift], "targets": [label]}, {}))
    assert one.value.same_bits(two.value)
    assert one.gradients["logits"].to_float64().sum() == pytest.approx(0.0, abs=1e-15)


@pytest.mark.parametrize(
    ("inputs", "options", "error"),
    [
        ({"logits": X, "targets": [0, 1, 2, 3, 0]}, {}, IndexError),
        ({"logits": X, "targets": [0, -1, 2, 1, 0]}, {}, IndexError),
        ({"logits": X, "targets": [0, 1]}, {}, ValueError),
        ({"logits": X, "targets": [0.0, 1.0, 2.0, 1.0, 0.0]}, {}, ValueError),
        ({"logits": X, "targets": LABELS}, {"class_weights": [1.0, 2.0]}, ValueError),
        ({"logits": X, "targets": LABELS}, {"label_smoothing": 1.5}, ValueError),
        ({"logits": X, "targets": LABELS}, {"reduction": "median"}, ValueError),
        ({"logits": X, "targets": LABELS}, {"reduction": "batchmean"}, ValueError),
    ],
)
def test_sound_refuses_bad_input(inputs: dict[str, Any], options: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        adapter("sound").evaluate(call("softmax_cross_entropy", inputs, options))


@pytest.mark.parametrize(
    ("loss", "names"),
    [
        ("jensen_shannon", ("targets", "probabilities")),
        ("jensen_shannon", ("target_logits", "logits")),
        ("kl_divergence", ("targets", "log_probabilities")),
        ("kl_divergence", ("target_logits", "logits")),
    ],
)
def test_sound_broadcasts_no_distribution(loss: str, names: tuple[str, str]) -> None:
    one, two = [[0.5, 0.5]], [[0.25, 0.75], [0.5, 0.5]]
    for first, second in ((one, two), (two, one)):
        with pytest.raises(ValueError, match="classes last"):
            adapter("sound").evaluate(call(loss, dict(zip(names, (first, second), strict=True)), {}))


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_sound_answers_in_the_dtype_of_the_call(dtype: str) -> None:
    answer = adapter("sound").evaluate(call("softmax_cross_entropy", {"logits": X, "targets": LABELS}, {}, dtype=dtype))
    assert (answer.value.dtype, answer.gradients["logits"].dtype) == (dtype, dtype)


# -- the collection --------------------------------------------------------------------------------------------------


def test_there_are_mutants_of_every_loss_and_their_names_are_their_own() -> None:
    assert len(MUTANTS) >= 60
    assert {loss for mutant in NUMERIC for loss in mutant.losses} == set(LOSSES)
    assert all(name == mutant.name and mutant.mistake for name, mutant in MUTANTS.items())


def test_an_unknown_name_is_refused_with_what_is_close() -> None:
    with pytest.raises(ValueError, match=r"no-max-shift\.softmax"):
        adapter("no-max-shift")


# -- misbehaviour towards the process --------------------------------------------------------------------------------

PLAIN = call("softmax_cross_entropy", {"logits": X, "targets": LABELS}, {})
ALL_IGNORED = call("softmax_cross_entropy", {"logits": X, "targets": [1] * 5}, {"ignore_index": 1})
BAD_LABEL = call("softmax_cross_entropy", {"logits": X, "targets": [0, 1, 7, 0, 0]}, {})


@pytest.mark.parametrize(("name", "probe"), [("hangs", PLAIN), ("hangs-when-all-ignored", ALL_IGNORED)])
def test_hanging_mutants_do_not_come_back(name: str, probe: Call) -> None:
    thread = threading.Thread(target=adapter(name).evaluate, args=(probe,), daemon=True)
    thread.start()
    thread.join(0.2)  # a sound evaluation takes a thousandth of that
    assert thread.is_alive()


@pytest.mark.parametrize(
    ("name", "status"), [("aborts", -6), ("segfaults", -11), ("exits", 0), ("vanishes", 0), ("aborts-on-bad-label", -6)]
)
def test_crashing_mutants_end_their_process(name: str, status: int) -> None:
    script = (
        "from harness.mistakes import adapter\n"
        "from harness.tests.test_adapters_mutants import BAD_LABEL\n"
        f"adapter({name!r}).evaluate(BAD_LABEL)\n"
        "raise SystemExit(99)"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=60, check=False)
    assert ended.returncode == status, ended.stderr.decode()


@pytest.mark.parametrize("name", ["hangs-when-all-ignored", "aborts-on-bad-label", "prints"])
def test_other_calls_of_these_mutants_are_answered_rightly(name: str) -> None:
    assert same(outcome(adapter(name), PLAIN), outcome(adapter("sound"), PLAIN))


def test_the_printing_mutant_writes_to_the_file_descriptor_too(capfd: pytest.CaptureFixture[str]) -> None:
    adapter("prints").evaluate(PLAIN)
    assert "native code" in capfd.readouterr().out
    assert MUTANTS["prints"].answers_rightly


def test_the_repeating_mutant_lags_by_one_call() -> None:
    repeating = adapter("repeats")
    other = call("softmax_cross_entropy", {"logits": [[5.0, 0.0]], "targets": [1]}, {})
    first, second = repeating.evaluate(PLAIN), repeating.evaluate(other)
    assert second is first


def test_the_others_raise() -> None:
    with pytest.raises(RuntimeError, match="cannot compute"):
        adapter("raises").evaluate(PLAIN)
    with pytest.raises(Unsupported, match="not offered"):
        adapter("feigns-unsupported").evaluate(PLAIN)
