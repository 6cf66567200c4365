"""Tolerances are those of the judge, and fit into `assert_allclose`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

import xent
from xent.elsewhere import RULES

CALL: dict[str, Any] = {"logits": np.array([[2.0, -1.0], [0.0, 30.0]], np.float32), "targets": np.array([0, 0])}


@pytest.mark.parametrize("of", ["value", "logits"])
def test_it_is_what_assert_close_allows(of: str) -> None:
    exact = xent.truth("softmax_cross_entropy", **CALL, reduction="none")
    right = exact.value if of == "value" else exact.gradients[of]
    allowed = xent.tolerance("softmax_cross_entropy", of=of, **CALL, reduction="none")
    for share, close in ((0.9, True), (-0.9, True), (1.2, False)):
        got = np.asarray(right).copy()
        got.flat[-1] += share * np.asarray(allowed).flat[-1]
        value = got if of == "value" else exact.value
        gradients = {of: got.astype(np.float32)} if of != "value" else None
        judged: dict[str, Any] = dict(loss="softmax_cross_entropy", reduction="none", **CALL)
        if close:
            xent.assert_close(np.asarray(value, np.float32), gradients, **judged)
        else:
            with pytest.raises(AssertionError):
                xent.assert_close(np.asarray(value, np.float32), gradients, **judged)


def test_numpy_takes_it_and_says_it() -> None:
    exact = xent.truth("softmax_cross_entropy", **CALL, reduction="none").value
    # Any, since NumPy's own types know of no `atol` that is an array.
    allowed: Any = xent.tolerance("softmax_cross_entropy", **CALL, reduction="none")
    near = exact.hi.astype(np.float32)
    np.testing.assert_allclose(near, exact.hi, rtol=0, atol=allowed)
    with pytest.raises(AssertionError, match=r"atol=.* to "):
        np.testing.assert_allclose(near * [1, 1.001], exact.hi, rtol=0, atol=allowed)


def test_the_words_are_the_sum_that_it_is() -> None:
    allowed = xent.tolerance("softmax_cross_entropy", of="logits", **CALL)
    assert set(allowed.terms) == {"|g|", "p (1 + L + ln C) · Σ|w q|"}
    scale = sum(allowed.terms.values())
    np.testing.assert_allclose(allowed.allowed, allowed.k * allowed.eps * scale + allowed.floor, rtol=1e-12)
    assert allowed.words((0, 1)).startswith(f"{allowed.allowed[0, 1]:.3g} = 4 · 1.19e-07 · (")


def test_what_is_not_finite_has_no_tolerance() -> None:
    call: dict[str, Any] = {"probabilities": np.array([[1.0, 0.0], [0.5, 0.5]]), "targets": [1, 0], "reduction": "none"}
    allowed = np.asarray(xent.tolerance("categorical_cross_entropy", **call))
    assert allowed[0] == 0
    assert 0 < allowed[1] < 1e-14


def test_flushing_raises_the_floor_and_nothing_else() -> None:
    plain, flushing = (
        xent.tolerance("softmax", flush_to_zero=on, logits=[0.0], dtype="float32") for on in (False, True)
    )
    assert (plain.floor, flushing.floor) == (2.0**-149, 2.0**-126)
    assert plain.terms == flushing.terms


def test_of_something_that_is_not_there() -> None:
    for of in ("hessian_vector", "hessian_diagonal", "targets"):
        with pytest.raises(ValueError, match=of):
            xent.tolerance("softmax_cross_entropy", of=of, **CALL)
    with pytest.raises(ValueError, match="targets"):
        xent.tolerance("softmax_cross_entropy", logits=[[1.0, 2.0]], targets=[2])


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "bfloat16"])
def test_beside_it_stands_what_others_would_allow(dtype: str) -> None:
    call: dict[str, Any] = {"logits": [[2.0, -1.0], [0.0, 500.0]], "targets": [0, 0], "reduction": "none"}
    ours = xent.tolerance("softmax_cross_entropy", dtype=dtype, **call)
    truth = np.asarray(xent.truth("softmax_cross_entropy", dtype=dtype, **call).value)
    assert set(ours.elsewhere) >= {"torch.testing", "ONNX node tests", "BackendBench"}
    assert ("KernelBench" in ours.elsewhere) == (dtype != "float64")
    torch = pytest.importorskip("torch")
    for factor, passes in ((0.99, True), (1.01, False)):
        off = torch.tensor(truth + factor * ours.elsewhere["torch.testing"])
        rtol, atol = RULES["torch.testing"][dtype]
        assert torch.allclose(off, torch.tensor(truth), rtol=rtol, atol=atol) is passes
    assert (ours.elsewhere["BackendBench"] > 1e3 * ours.allowed).all() or dtype in ("float16", "bfloat16")


def test_the_bounds_of_operators_add_up_to_those_of_the_loss() -> None:
    call: dict[str, Any] = {"logits": np.zeros((1, 2), np.float32), "targets": [0]}
    others = xent.tolerance("softmax_cross_entropy", **call).elsewhere
    # EXP of 0, REDUCE_SUM of two; of the result LOG, SUB, REDUCE_SUM of one and MUL; in units of 2^-23.
    assert others["TOSA"] == pytest.approx(2.0**-23 * (3 + 3 * 2 + (5 + 0.5 + 3 + 0.5) * np.log(2)))
    # reduceLogSumExp of two, sub, reduceMean of one; the unit in the last place of ln 2 is 2^-24.
    assert others["WebNN"] == 2.0**-24 * ((2 * 2 + 18) + 1 + (1 + 2))
    # (3 C + 3) units in the last place of a half.
    assert (xent.tolerance("softmax", logits=call["logits"]).elsewhere["WebNN"] == 2.0**-24 * 9).all()


@pytest.mark.parametrize("loss", ["softmax", "log_softmax", "softmax_cross_entropy"])
@given(x=arrays(np.float32, (3, 7), elements=st.floats(-50, 50, width=32)))
def test_the_plain_chain_of_operators_stays_within_their_bounds(loss: str, x: NDArray[np.float32]) -> None:
    shifted = x - x.max(-1, keepdims=True)
    powers = np.exp(shifted)
    log = np.log(powers.sum(-1, keepdims=True)) - shifted
    labels = np.array([0, 3, 6])
    got = {"softmax": powers / powers.sum(-1, keepdims=True), "log_softmax": -log}
    value: Any = got.get(loss, log[np.arange(3), labels].mean())
    targets: dict[str, Any] = {} if loss in got else {"targets": labels}
    exact = xent.truth(loss, logits=x, **targets).value
    allowed = xent.tolerance(loss, logits=x, **targets).elsewhere["TOSA"]
    assert (np.abs(value - exact.hi) <= np.maximum(allowed, 2.0**-126)).all()


@pytest.mark.parametrize(
    "call",
    [
        {"logits": [[1.0, 2.0]], "targets": [0], "dtype": "float64"},
        {"logits": [[1.0, 2.0]], "targets": [[0.5, 0.5]], "dtype": "float32"},
        {"logits": [[1.0, 2.0]], "targets": [0], "label_smoothing": 0.1, "dtype": "float32"},
        {"logits": [[1.0, 2.0]], "targets": [0], "ignore_index": 1, "dtype": "float32"},
    ],
)
def test_where_the_operators_do_not_compute_it_they_say_nothing(call: dict[str, Any]) -> None:
    assert not {"TOSA", "WebNN"} & set(xent.tolerance("softmax_cross_entropy", **call).elsewhere)
