"""Tolerances are those of the judge, and fit into `assert_allclose`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

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
