"""Second derivatives, from the case file to the verdict: asked for, sent, judged, missed where they are absent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import reference
from harness.adapters.base import Answer, Call
from harness.adapters.numpy import NumPy
from harness.core.arrays import Array
from harness.core.case import ArraySpec, Case, ExpectTruth
from harness.core.cell import Cell
from harness.core.formats import FORMATS
from harness.core.outcomes import Outcome, Raised, Returned
from harness.execution import protocol
from harness.judgement.agreement import Target, compare
from harness.judgement.ledger import Ledger
from harness.judgement.modes import judge_modes
from harness.judgement.truth import DIRECTIONAL, HESSIAN_VECTOR, TruthTable, aspects
from harness.judgement.verdict import Subject, judge
from harness.mistakes.diagnosis import diagnose
from harness.mistakes.kill_matrix import killed_by
from harness.suite.loading import load_text
from harness.tests.made_calls import make_call
from harness.tests.shipped import shipped_cases

LOGITS = np.array([[1.0, 2.0, 3.0], [0.5, 0.0, -1.0]])
DIRECTION = np.array([[1.0, -2.0, 0.5], [2.0, 0.5, 1.0]])


# -- the case file ---------------------------------------------------------------------------------------------------

HEAD = "- {id: edges/a, title: t, why: w, loss: softmax_cross_entropy, inputs: {logits: [[1, 2]], targets: [0]}"


def read(fields: str, head: str = HEAD) -> tuple[list[Case], list[Any]]:
    return load_text(f"{head}, {fields}}}\n", "edges/f.yaml", "edges")


def test_a_case_asks_for_a_second_derivative_along_a_vector() -> None:
    cases, problems = read("vector: [[1, -1]]")
    assert problems == []
    assert cases[0].vector == ArraySpec(((1.0, -1.0),))
    assert read("tags: [a]")[0][0].vector is None


@pytest.mark.parametrize(
    ("fields", "message", "hint"),
    [
        ("vector: [1, 2]", r"vector has shape (2,), logits (1, 2)", "one number for each of logits"),
        ("vector: [[1, inf]]", "a direction is finite", "finite"),
        ("vector: [[1, nan]]", "a direction is finite", "finite"),
        ("vector: [[1, x]]", "expected a number", "direction, in the shape of the first input"),
        ("vector: [[1], [1, 2]]", "different shapes", "equal length"),
        ("vector: {generator: labels, shape: [1, 2], classes: 2, seed: 0}", "a vector is floating", "uniform"),
        ("vector: [[1, 2]], expect: {raises: bad_dtype}", "an error has no derivatives", "Leave vector out"),
        ("vector: [[1, 2]], differentiate: []", "not the first input that is differentiated", "Write logits first"),
    ],
)
def test_a_vector_that_makes_no_second_derivative_is_refused_with_its_place(
    fields: str, message: str, hint: str
) -> None:
    cases, problems = read(fields)
    assert cases == []
    assert any("vector" in p.field and message in p.message and hint in p.hint for p in problems), problems


# -- the messages ----------------------------------------------------------------------------------------------------


def test_the_vector_is_sent_where_it_is_asked_for_and_nothing_else_changes() -> None:
    request = protocol.Request("softmax_cross_entropy", "float32", {"logits": Array.of(LOGITS)})
    plain = protocol.request_to_wire(request)
    assert "vector" not in plain
    asked = protocol.request_to_wire(replace(request, vector=ArraySpec(((1.0, 2.0),))))
    assert {n: v for n, v in asked.items() if n != "vector"} == plain
    call = protocol.call_from_wire({**asked, "mode": "eager"})
    assert call.vector is not None
    assert (call.vector.dtype, call.vector.to_float64().tolist()) == ("float32", [[1.0, 2.0]])


@pytest.mark.parametrize(
    "outcome",
    [
        Returned(Array.of(1.0), "f", hessian_vector=Array.of([1.0, np.nan])),
        Returned(Array.of(1.0), "f", hessian_error=Raised("builtins.RuntimeError", "no")),
    ],
)
def test_what_came_of_the_second_derivative_survives_the_pipe(outcome: Returned) -> None:
    raw = protocol.line({"id": 1, **protocol.outcome_to_wire(outcome)})
    back = protocol.answer_from_wire(protocol.parse(raw[:-1]), 1)
    assert isinstance(back, Returned)
    assert back.hessian_error == outcome.hessian_error
    assert (back.hessian_vector is None) == (outcome.hessian_vector is None)
    if back.hessian_vector is not None and outcome.hessian_vector is not None:
        assert back.hessian_vector.same_bits(outcome.hessian_vector)


@pytest.mark.parametrize("member", [{"hessian_vector": [1.0]}, {"hessian_error": "no"}, {"hessian_error": {}}])
def test_a_garbled_second_derivative_violates_the_protocol(member: Mapping[str, Any]) -> None:
    wire = protocol.outcome_to_wire(Returned(Array.of(1.0), "f"))
    with pytest.raises(protocol.ProtocolError):
        protocol.answer_from_wire({"id": 1, **wire, **member}, 1)


# -- the judgement ---------------------------------------------------------------------------------------------------


def subject(
    loss: str = "softmax_cross_entropy",
    inputs: Mapping[str, Any] | None = None,
    vector: Any = DIRECTION,
    options: Mapping[str, Any] | None = None,
    dtype: str = "float64",
) -> Subject:
    given_ = inputs or {"logits": LOGITS, "targets": [0, 2]}
    arrays = {n: Array.of(np.asarray(v), dtype if np.asarray(v).dtype.kind == "f" else None) for n, v in given_.items()}
    first = (next(iter(arrays)),)
    table = TruthTable(
        Call(loss, arrays, options or {}, dtype, differentiate=first, vector=Array.of(np.asarray(vector), dtype))
    )
    return Subject("a/case", "it", "1.0", "eager", dtype, ExpectTruth(), first, False, table, diagnose)


def right(s: Subject, **more: Any) -> Returned:
    targets = s.table.under().targets
    of = {aspect: Array.of(target.hi, s.dtype) for aspect, target in targets.items()}
    changed = {"hessian_vector": of[HESSIAN_VECTOR], "directional": of[DIRECTIONAL], **more}
    return Returned(of["value"], "f", {s.differentiate[0]: of["gradient"]}, **changed)


def cell_of(s: Subject, outcome: Outcome) -> Cell:
    return {cell.aspect: cell for cell in judge(s, outcome, Ledger())}[HESSIAN_VECTOR]


def test_the_product_is_an_aspect_of_its_own() -> None:
    s = subject()
    assert list(s.aspects) == ["value", "gradient", DIRECTIONAL, HESSIAN_VECTOR]
    assert list(aspects(replace(s.table.call, vector=None))) == ["value", "gradient"]
    cell = cell_of(s, right(s))
    assert (cell.verdict, cell.grade) == ("agrees", "A")
    p = np.exp(LOGITS) / np.exp(LOGITS).sum(axis=1, keepdims=True)
    expected = p * (DIRECTION - (p * DIRECTION).sum(axis=1, keepdims=True)) / 2
    np.testing.assert_allclose(np.asarray(cell.truth), expected, rtol=1e-14)


def test_a_wrong_product_beside_a_right_gradient_disagrees_alone() -> None:
    s = subject()
    zero = right(s, hessian_vector=Array.of(np.zeros_like(LOGITS)))
    assert [cell.verdict for cell in judge(s, zero, Ledger())] == ["agrees", "agrees", "agrees", "disagrees"]
    cell = cell_of(s, zero)
    assert cell.severity == "silently_wrong"
    assert "zero everywhere" in str(cell.explanation)


def test_the_diagnosis_of_a_product_knows_dropped_options() -> None:
    weights = {"class_weights": Array.of([1.0, 2.0, 0.5]), "reduction": "sum"}
    s = subject(options=weights)
    unweighted = s.table.under(None, {"class_weights": None}).targets[HESSIAN_VECTOR].hi
    cell = cell_of(s, right(s, hessian_vector=Array.of(unweighted)))
    assert "class_weights is ignored" in str(cell.explanation)


@pytest.mark.parametrize(
    ("more", "verdict"),
    [
        ({}, "unsupported"),
        ({"hessian_error": Raised("builtins.RuntimeError", "no double backward")}, "disagrees"),
        ({"gradient_error": Raised("builtins.RuntimeError", "no backward")}, "disagrees"),
    ],
)
def test_what_is_not_there_is_unsupported_and_what_was_raised_is_said(more: Mapping[str, Any], verdict: str) -> None:
    s = subject()
    cell = cell_of(s, right(s, hessian_vector=None, **more))
    assert cell.verdict == verdict
    assert cell.outcome["kind"] == ("raises" if more else "unsupported")
    assert more or cell.explanation == "no second derivatives"


def test_who_raises_altogether_does_so_for_the_second_derivative_too() -> None:
    s = subject()
    assert cell_of(s, Raised("builtins.ValueError", "x")).severity == "unexpected_error"


def test_modes_that_differ_in_the_second_derivative_alone_disagree_with_each_other() -> None:
    s = subject()
    same = judge_modes(s, "eager", right(s), right(s), Ledger())
    other = judge_modes(s, "eager", right(s), right(s, hessian_vector=Array.of(np.zeros_like(LOGITS))), Ledger())
    without = judge_modes(s, "eager", right(s), right(s, hessian_vector=None), Ledger())
    assert same is not None
    assert other is not None
    assert without is not None
    assert (same.verdict, other.verdict, without.verdict) == ("agrees", "disagrees", "agrees")
    assert str(other.explanation).startswith("hessian_vector: ")


def test_under_a_convention_that_changes_the_function_there_is_no_second_truth() -> None:
    """A clip has a derivative of its own: what it gives is for the ledger to say, with its cause."""
    clipped = subject("binary_cross_entropy", {"probabilities": [0.0, 0.5], "targets": [1.0, 1.0]}, [1.0, 1.0])
    assert HESSIAN_VECTOR not in clipped.table.under({"clip": 1e-7}).targets
    assert "gradient" in clipped.table.under({"clip": 1e-7}).targets
    returned = right(clipped, hessian_vector=Array.of([0.0, 2.0]), convention={"clip": 1e-7})
    assert cell_of(clipped, returned).verdict == "disagrees"


def test_a_convention_of_the_divisor_divides_the_second_derivative_too() -> None:
    s = subject(options={"class_weights": np.array([1.0, 2.0, 0.5])})
    counted = s.table.under({"denominator": "count"}).targets[HESSIAN_VECTOR]
    ratio = counted.hi / s.table.under().targets[HESSIAN_VECTOR].hi
    np.testing.assert_allclose(ratio, 1.5 / 2, rtol=1e-14)
    # Where something was divided by, it does not matter what the mean over nothing would be.
    both = s.table.under({"denominator": "count", "finite_zero_mean": True}).targets[HESSIAN_VECTOR]
    assert both.hi.tolist() == counted.hi.tolist()
    nothing = subject(options={"class_weights": np.zeros(3)})
    assert HESSIAN_VECTOR not in nothing.table.under({"finite_zero_mean": True}).targets


# -- the error scale ---------------------------------------------------------------------------------------------------

ORDINARY = st.floats(-30, 30, width=32)
ROWS = hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=4).flatmap(
    lambda shape: st.tuples(*(hnp.arrays(np.float64, shape, elements=ORDINARY) for _ in range(2)))
)


def plain_in_float32(s: Subject) -> Any:
    """The formulas without cancellation, every operation rounding to float32."""
    assert s.table.vector is not None
    found = reference.evaluate_plain(
        s.table.loss, s.table.inputs, s.table.options, vector=s.table.vector, dtype=np.float32
    )
    assert found.hessian_vector is not None
    return np.asarray(found.hessian_vector.hi, dtype=np.float64)


def differentiated_twice(x: Any, v: Any) -> Any:
    """p∘v − p (p·v) with every operation rounding to float32: what automatic differentiation makes of the softmax."""
    x, v = x.astype(np.float32), v.astype(np.float32)
    e = np.exp(x - x.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    weighted = p * v
    return (weighted - p * weighted.sum(axis=1, keepdims=True)).astype(np.float64)


@given(ROWS)
def test_straightforward_second_derivatives_are_within_the_error_scale(rows: tuple[Any, Any]) -> None:
    x, v = rows
    labels = np.zeros(len(x), dtype=np.int64)
    s = subject(inputs={"logits": x, "targets": labels}, vector=v, options={"reduction": "none"}, dtype="float32")
    target = s.table.under().targets[HESSIAN_VECTOR]
    for got in (plain_in_float32(s), differentiated_twice(x, v)):
        assert compare(got, target, FORMATS["float32"]).agrees


@given(ROWS, st.sampled_from([None, 3.0]))
def test_straightforward_binary_second_derivatives_are_within_the_error_scale(
    rows: tuple[Any, Any], weight: float | None
) -> None:
    z, v = rows
    options = {"reduction": "none", "pos_weight": weight} if weight else {"reduction": "none"}
    inputs = {"logits": z, "targets": np.round(np.abs(np.sin(z)), 2)}
    s = subject("binary_cross_entropy_with_logits", inputs, v, options, "float32")
    target = s.table.under().targets[HESSIAN_VECTOR]
    assert compare(plain_in_float32(s), target, FORMATS["float32"]).agrees


@given(ROWS, st.sampled_from([0.0, 0.5, 1.0, 2.0, 5.0]), st.sampled_from([0.0, 0.25, 1.0]))
def test_straightforward_focal_second_derivatives_are_within_the_error_scale(
    rows: tuple[Any, Any], gamma: float, target_: float
) -> None:
    z, v = rows
    inputs = {"logits": z, "targets": np.full(z.shape, target_)}
    s = subject("binary_focal", inputs, v, {"reduction": "none", "gamma": gamma}, "float32")
    target = s.table.under().targets[HESSIAN_VECTOR]
    assert compare(plain_in_float32(s), target, FORMATS["float32"]).agrees


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0, 5.0])
@pytest.mark.parametrize("target_", [0.0, 1.0, 0.3])
def test_the_second_derivative_of_the_focal_loss_is_that_of_its_value(gamma: float, target_: float) -> None:
    """A difference quotient of mpmath's, of the textbook's formula, at a precision at which no digit of it is lost."""
    logits = [-40.0, -3.0, -0.7, 0.0, 0.1, 2.0, 17.0, 40.0]
    inputs = {"logits": logits, "targets": [target_] * len(logits)}
    options = {"gamma": gamma, "reduction": "none"}
    found = reference.evaluate("binary_focal", inputs, options, vector=np.ones(len(logits))).hessian_vector
    assert found is not None
    with mpmath.workprec(2000):
        t = mpmath.mpf(target_)

        def loss(z: Any) -> Any:
            up, down = 1 / (1 + mpmath.exp(-z)), 1 / (1 + mpmath.exp(z))
            return -t * down**gamma * mpmath.log(up) - (1 - t) * up**gamma * mpmath.log(down)

        for z, hi, lo in zip(logits, found.hi, found.lo, strict=True):
            right = mpmath.diff(loss, mpmath.mpf(z), 2)
            assert abs(mpmath.mpf(float(hi)) + mpmath.mpf(float(lo)) - right) <= abs(right) * mpmath.mpf(10) ** -28


@given(hnp.arrays(np.float64, (4,), elements=st.floats(2.0**-20, 1 - 2.0**-20)), st.sampled_from([0.0, 0.25, 1.0]))
def test_second_derivatives_of_probabilities_are_within_the_error_scale(p: Any, target_: float) -> None:
    inputs = {"probabilities": p, "targets": np.full(4, target_)}
    s = subject("binary_cross_entropy", inputs, np.array([1.0, -2.0, 0.5, 3.0]), {"reduction": "none"}, "float32")
    target = s.table.under().targets[HESSIAN_VECTOR]
    assert compare(plain_in_float32(s), target, FORMATS["float32"]).agrees


@pytest.mark.parametrize("factor", [1 + 1e-4, 0.5, 2.0, -1.0, 0.0])
def test_the_error_scale_forgives_no_factor(factor: float) -> None:
    for s in (
        subject(dtype="float32"),
        subject("binary_cross_entropy_with_logits", {"logits": [1.0, -2.0], "targets": [1.0, 0.25]}, [1.0, 2.0]),
        subject("binary_cross_entropy", {"probabilities": [0.25, 0.5], "targets": [1.0, 0.25]}, [1.0, 2.0]),
        subject("binary_focal", {"logits": [1.0, -2.0], "targets": [1.0, 0.25]}, [1.0, 2.0], dtype="float32"),
    ):
        target = s.table.under().targets[HESSIAN_VECTOR]
        assert not compare(factor * target.hi, target, FORMATS[s.dtype]).agrees


def test_a_direction_of_ones_may_leave_roundings_and_no_more() -> None:
    """The truth is 0 exactly; who subtracts p·v from v leaves a few roundings of p, and not one of 1e-5 of it."""
    s = subject(vector=np.ones((2, 3)), dtype="float32")
    target = s.table.under().targets[HESSIAN_VECTOR]
    assert target.hi.tolist() == np.zeros((2, 3)).tolist()
    p = np.exp(LOGITS) / np.exp(LOGITS).sum(axis=1, keepdims=True)
    eps = FORMATS["float32"].eps
    assert compare(p * eps / 2, target, FORMATS["float32"]).agrees
    assert not compare(p * 1e-5, target, FORMATS["float32"]).agrees


def test_an_ignored_row_has_no_error_scale_whatever_it_holds() -> None:
    inputs = {"logits": [[np.nan, 1.0], [0.5, 2.0]], "targets": [-1, 0]}
    s = subject(inputs=inputs, vector=[[1.0, 2.0], [3.0, 4.0]], options={"ignore_index": -1})
    target: Target = s.table.under().targets[HESSIAN_VECTOR]
    assert target.error_scale[0].tolist() == [0.0, 0.0]
    assert (target.error_scale[1] > 0).all()


# -- who answers -----------------------------------------------------------------------------------------------------


def answer_of(call: Call) -> Answer:
    return NumPy().evaluate(call)


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
def test_numpy_evaluates_the_same_formulas(dtype: str) -> None:
    call = make_call("softmax_cross_entropy", {"logits": LOGITS, "targets": [0, 2]}, dtype=dtype)
    asked = replace(call, differentiate=("logits",), vector=Array.of(DIRECTION, dtype))
    product = answer_of(asked).hessian_vector
    assert product is not None
    assert product.dtype == dtype
    truth = subject(dtype=dtype).table.under().targets[HESSIAN_VECTOR]
    assert compare(product.to_float64(), truth, FORMATS[dtype]).agrees
    assert answer_of(call).hessian_vector is None


def test_a_case_without_a_vector_tries_no_mistake_in_second_derivatives() -> None:
    cases = {case.id: case for case in shipped_cases()}
    caught = killed_by(cases["options/second-binary-logits-none"])
    assert {"gauss-newton.binary_cross_entropy_with_logits", "detached.binary_cross_entropy_with_logits"} <= set(caught)
    once = killed_by(replace(cases["options/second-binary-logits-none"], vector=None))
    assert "detached.binary_cross_entropy_with_logits" in once
    assert not any(name.startswith(("second-", "gauss-newton")) for name in once)
