"""The diagnosis names the mistake of known-bad implementations, and says so where it cannot."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.core.arrays import Array
from harness.core.call import Call
from harness.core.formats import FORMATS, rounded
from harness.judgement.agreement import compare
from harness.judgement.truth import TruthTable
from harness.judgement.truth_table import truth_table
from harness.mistakes.diagnosis import UNEXPLAINED, diagnose
from harness.mistakes.diagnosis.terms import (
    binary_results,
    class_results,
    elements_of,
    logits_of,
    rows_of,
    sides,
    softmax,
)
from harness.suite.generators import realize
from harness.tests.diagnosed import OBSERVED, is_named, small_cases, spoken, wrongly

CASES = small_cases()
NONE = {"reduction": "none"}
THREE = {"logits": [[1.0, 2.0, 3.0], [0.5, 0.0, -1.0], [4.0, -1.0, 0.25]], "targets": [0, 2, 1]}


@pytest.mark.parametrize(
    "name",
    [
        "mean-over-classes.softmax_cross_entropy",
        "mean-is-sum.softmax_cross_entropy",
        "mean-of-means.softmax_cross_entropy",
        "mean-over-first-axis.binary_cross_entropy",
        "denominator-plus-epsilon.categorical_cross_entropy",
        "denominator-at-least-one.nll_loss",
        "accumulates-in-float16.entropy",
        "drops-the-tail.binary_cross_entropy_with_logits",
        "ignores-cotangent.softmax_cross_entropy",
        "scalar-cotangent.nll_loss",
        "log-base-2.categorical_cross_entropy",
        "clip-1e-3.entropy",
        "clip-and-add.kl_divergence",
        "no-max-shift.softmax_cross_entropy",
        "log-of-softmax.log_softmax",
        "capped-loss.categorical_focal",
        "shift-of-the-batch.softmax",
        "class-left-out.linear_cross_entropy",
        "softmax-twice.softmax_cross_entropy",
        "clamped-logits.log_softmax",
        "smoothing-over-others.softmax_cross_entropy",
        "smoothing-not-spread.categorical_cross_entropy",
        "one-sided.binary_cross_entropy_with_logits",
        "opposite-gradient.softmax_cross_entropy",
        "reversed-gradient.softmax_cross_entropy",
        "gradient-at-ignored.softmax_cross_entropy",
        "gradient-lacks-reciprocal.entropy",
        "sigmoid-in-float16.binary_focal",
        "diagonal-jacobian.softmax",
        "no-gradient-off-target.categorical_focal",
        "squares-class-weights.softmax_cross_entropy",
        "normalised-sample-weights.binary_cross_entropy",
        "pos-weight-on-negatives.binary_cross_entropy_with_logits",
        "labels-from-one.nll_loss",
        "ignores-only-minus-100.softmax_cross_entropy",
        "kl-reversed.kl_divergence",
        "ignores-gamma.binary_focal",
        "gamma-plus-one.binary_focal",
        "no-focal-weight.binary_focal",
        "detached-focal-weight.binary_focal",
        "alpha-swapped.binary_focal",
        "gauss-newton.softmax_cross_entropy",
        "second-difference.binary_cross_entropy",
        "ignores-bias.linear_cross_entropy",
        "four-decimals.kl_divergence",
        "nan-to-zero.log_softmax",
    ],
)
def test_a_mistake_is_named_and_no_other(name: str) -> None:
    said = spoken(name, CASES)
    assert is_named(name, said), said
    assert not wrongly(name, said)


def table(
    loss: str, inputs: Mapping[str, Any], options: Mapping[str, Any] | None = None, dtype: str = "float64"
) -> TruthTable:
    arrays = {
        name: Array.of(values, dtype if np.asarray(values).dtype.kind == "f" else "int64")
        for name, values in inputs.items()
    }
    first = next(name for name, array in arrays.items() if array.is_float and name != "targets")
    return TruthTable(Call(loss, arrays, options or {}, dtype, differentiate=(first,)))


def said_of(table: TruthTable, got: Any, aspect: str = "value", computed_in: str | None = None) -> str:
    truth = table.under().targets[aspect]
    return diagnose(np.asarray(got), aspect, truth, table, flush_to_zero=False, computed_in=computed_in)


def test_what_comes_to_the_same_on_an_input_is_all_named() -> None:
    options = {"class_weights": np.array([4.0, 1.0]), "reduction": "mean"}
    one = table("softmax_cross_entropy", {"logits": [[1.0, 2.0]], "targets": [0]}, options)
    said = said_of(one, one.ordinary({"denominator": "one"})["value"])
    for cause in ("÷N", "nothing is divided", "reduction were sum"):
        assert cause in said
    assert "on this input the same as" in said


def test_a_clip_explains_an_infinite_truth_only_by_its_own_number() -> None:
    impossible = table("categorical_cross_entropy", {"probabilities": [[0.0, 1.0]], "targets": [0]}, NONE)
    assert "clip(1e-07)" in said_of(impossible, [16.11809565095832])
    assert said_of(impossible, [16.2]) == UNEXPLAINED


@pytest.mark.parametrize("name", ["float16", "bfloat16"])
def test_a_deviation_a_half_format_would_forgive_is_not_blamed_on_it(name: str) -> None:
    t = table("softmax_cross_entropy", THREE, NONE)
    truth = t.under().targets["value"].hi
    off = truth * (1 + np.array([1, -2, 1.5]) * FORMATS[name].eps / 8)
    assert said_of(t, off, computed_in=name) == UNEXPLAINED


def test_what_a_half_format_holds_and_gives_is_named_after_it() -> None:
    t = table("softmax_cross_entropy", THREE, NONE)
    short = t.under().targets["value"].hi.astype(np.float16).astype(np.float64)
    assert "rounded to float16" in said_of(t, short)


def test_a_few_units_beyond_the_budget_are_not_given_a_cause() -> None:
    """Every small constant changes such a number a little; none of them is why it is off."""
    t = table("categorical_cross_entropy", {"probabilities": [[0.3, 0.7], [0.6, 0.4]], "targets": [0, 1]}, NONE)
    truth = t.under().targets["value"]
    off = truth.hi + np.array([6.0, -5.0]) * FORMATS["float64"].eps * truth.gauge
    assert not compare(off, truth, FORMATS["float64"]).agrees
    assert "precision of float32" in said_of(t, off)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_noise_is_given_no_cause(dtype: str) -> None:
    """With seven digits and more nothing comes to the same by chance."""
    random = np.random.default_rng(0)
    asked = 0
    for case in [case for case in CASES if dtype in case.dtypes][::25]:
        t = truth_table(case, dtype, realize)
        for aspect, target in t.under().targets.items():
            if target.hi.any() and bool((np.abs(target.hi) < 1e30).all()):  # overflow is as infinite whatever the cause
                noise = 1 + 0.05 * random.standard_normal(target.hi.shape)
                said = said_of(t, rounded(target.hi * noise, FORMATS[dtype]), aspect)
                assert OBSERVED.match(said), (case.id, aspect, said)
                asked += 1
    assert asked > 20


def test_a_large_input_is_named_after_the_first_cause_found() -> None:
    x = np.linspace(-3, 3, 3 * 8192).reshape(-1, 3)
    t = table("softmax_cross_entropy", {"logits": x, "targets": np.arange(8192) % 3}, {"reduction": "mean"})
    said = said_of(t, t.under().targets["value"].hi / 3)
    assert said == "mean over N·C: the mean divides by the number of all entries"


CLASS_LOSSES = ("softmax_cross_entropy", "categorical_focal", "linear_cross_entropy")
BINARY_LOSSES = ("binary_cross_entropy_with_logits", "binary_focal")


def problem(loss: str, seed: int) -> TruthTable:
    """A random problem with every option its loss has."""
    random = np.random.default_rng(seed)
    rows, classes = int(random.integers(1, 5)), int(random.integers(2, 5))
    x = random.normal(size=(rows, classes)) * random.choice([0.1, 3.0, 30.0])
    reduction = {"reduction": str(random.choice(["none", "sum", "mean"]))}
    if loss in BINARY_LOSSES:
        inputs: dict[str, Any] = {"logits": x, "targets": random.uniform(size=x.shape)}
        focal = {"alpha": 0.3, "gamma": float(random.choice([0.0, 0.5, 2.0]))}
        plain = {"pos_weight": 3.0, "sample_weights": random.uniform(1, 2, size=x.shape), "label_smoothing": 0.1}
        return table(loss, inputs, reduction | (focal if loss == "binary_focal" else plain))
    labels = random.integers(0, classes, size=rows)
    distribution = bool(random.integers(2))
    targets: Any = random.dirichlet(np.ones(classes), size=rows) if distribution else labels
    inputs = {"logits": x, "targets": targets}
    options: dict[str, Any] = {"alpha": 0.25, "gamma": float(random.choice([0.0, 0.5, 2.0]))}
    if loss != "categorical_focal":
        options = {"class_weights": random.uniform(0.5, 2, size=classes), "label_smoothing": 0.1}
        options["sample_weights"] = random.uniform(1, 2, size=rows)
        if not distribution:
            options["ignore_index"] = 0
    if loss == "linear_cross_entropy":
        weight = random.normal(size=(3, classes))
        inputs = {"hidden": random.normal(size=(rows, 3)), "weight": weight, "bias": weight[0], "targets": targets}
    return table(loss, inputs, reduction | options)


@settings(max_examples=60, deadline=None)
@given(loss=st.sampled_from((*CLASS_LOSSES, *BINARY_LOSSES)), seed=st.integers(0, 10**6))
def test_the_linear_form_of_a_loss_is_the_loss(loss: str, seed: int) -> None:
    """What a changed step is put into has no mistake of its own."""
    t = problem(loss, seed)
    if loss in BINARY_LOSSES:
        elements = elements_of(t)
        assert elements is not None
        found = binary_results(elements, sides(t.inputs["logits"]))
    else:
        rows, x = rows_of(t), logits_of(t)
        assert x is not None
        if rows is None:  # every row is ignored
            assert not np.nan_to_num(t.ordinary()["gradient"]).any()
            return
        found = class_results(rows, softmax(x))
    expected = t.ordinary()
    assert set(found) == set(expected) == {"value", "gradient"}
    for aspect, numbers in found.items():
        np.testing.assert_allclose(numbers, expected[aspect], rtol=1e-12, atol=1e-14)


def test_alternatives_of_large_arrays_are_not_mistaken_for_each_other() -> None:
    """NumPy abbreviates large arrays when it prints them; what is remembered is remembered by its bits."""
    x = np.linspace(-1, 1, 4000).reshape(-1, 2)
    t = table("softmax_cross_entropy", {"logits": x, "targets": np.zeros(2000, int)}, {"reduction": "mean"})
    other = x.copy()
    other[1000, 0] = 50.0
    assert t.ordinary(inputs={"logits": x})["value"] != t.ordinary(inputs={"logits": other})["value"]
