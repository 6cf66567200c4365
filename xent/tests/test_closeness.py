"""A correct implementation passes whatever is drawn; a planted mistake fails and is named."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import xent

Floats = NDArray[Any]


@st.composite
def problems(draw: st.DrawFn) -> tuple[Floats, NDArray[np.int64]]:
    rows, classes = draw(st.integers(1, 4)), draw(st.integers(2, 6))
    dtype = draw(st.sampled_from([np.float64, np.float32]))
    number = st.floats(-100, 100, width=32)
    logits = draw(st.lists(number, min_size=rows * classes, max_size=rows * classes))
    labels = draw(st.lists(st.integers(0, classes - 1), min_size=rows, max_size=rows))
    return np.array(logits, dtype).reshape(rows, classes), np.array(labels)


def rows_of(logits: Floats, labels: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """The loss of each row and its gradient, in the type of the logits, without cancellation."""
    at = np.arange(len(labels))
    others = logits.copy()
    others[at, labels] = -np.inf
    top = others.max(axis=1)
    distance = top - logits[at, labels]
    e = np.exp(others - top[:, None])
    total = e.sum(axis=1)
    with np.errstate(over="ignore"):
        far = distance + np.log(total + np.exp(-distance))
        near = np.log1p(total * np.exp(distance))
    losses = np.where(distance > 0, far, near)
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    gradient = weights / weights.sum(axis=1, keepdims=True)
    gradient[at, labels] = 0
    gradient[at, labels] = -gradient.sum(axis=1)
    return losses, gradient


@given(problems())
def test_a_correct_implementation_is_close(problem: tuple[Floats, NDArray[np.int64]]) -> None:
    logits, labels = problem
    losses, gradient = rows_of(logits, labels)
    call: dict[str, Any] = {"loss": "softmax_cross_entropy", "logits": logits, "targets": labels}
    xent.assert_close(losses, {"logits": gradient}, reduction="none", **call)
    count = logits.dtype.type(len(labels))
    xent.assert_close(losses.mean(), {"logits": gradient / count}, **call)


@settings(max_examples=25)  # each searches for the cause, which takes a tenth of a second
@given(problems())
def test_twice_the_loss_is_not_close(problem: tuple[Floats, NDArray[np.int64]]) -> None:
    logits, labels = problem
    losses, _ = rows_of(logits, labels)
    call: dict[str, Any] = {"loss": "softmax_cross_entropy", "logits": logits, "targets": labels, "reduction": "none"}
    allowed = np.asarray(xent.tolerance("softmax_cross_entropy", logits=logits, targets=labels, reduction="none"))
    if (np.abs(losses) <= 2 * allowed).all():
        return  # what is this small cannot be told from twice as much
    with pytest.raises(AssertionError, match="the truth is"):
        xent.assert_close(2 * losses, **call)


LOGITS = np.array([[2.0, -1.0, 0.5], [0.25, 1.0, -3.0], [1.5, 1.0, 0.0]])
LABELS = np.array([0, 2, 1])


def of_logits(value: Callable[[Floats], Any], gradient: Callable[[Floats], Floats] | None = None) -> None:
    losses, slopes = rows_of(LOGITS, LABELS)
    gradients = None if gradient is None else {"logits": gradient(slopes)}
    xent.assert_close(value(losses), gradients, loss="softmax_cross_entropy", logits=LOGITS, targets=LABELS)


def test_the_right_answer_to_the_planted_ones_is_close() -> None:
    of_logits(lambda losses: losses.mean(), lambda slopes: slopes / 3)


@pytest.mark.parametrize(
    ("value", "gradient", "words"),
    [
        (lambda losses: losses.sum(), None, "the sum instead of the mean"),
        (lambda losses: losses.mean() / np.log(2), None, "base 2"),
        (lambda losses: losses.mean(), lambda slopes: -slopes / 3, "gradient of logits"),
        (lambda losses: losses, None, r"has shape \[3\]"),
        (lambda losses: losses.mean().astype(np.float32), None, "answers in float32 where the inputs are float64"),
        (lambda losses: losses.mean() * np.nan, None, "nan"),
    ],
    ids=["sum", "bits", "sign", "unreduced", "float32", "nan"],
)
def test_a_planted_mistake_is_named(value: Any, gradient: Any, words: str) -> None:
    with pytest.raises(AssertionError, match=words):
        of_logits(value, gradient)


def test_the_message_says_got_truth_place_ulps_and_how_much_of_the_tolerance() -> None:
    with pytest.raises(AssertionError) as raised:
        of_logits(lambda losses: losses.mean(), lambda slopes: np.where(slopes == slopes.max(), 0.5, slopes) / 3)
    message = str(raised.value)
    assert "softmax_cross_entropy in float64 disagrees with the truth" in message
    assert "gradient of logits: 0.16667 where the truth is 0.22361" in message
    assert "at [1, 1]" in message
    assert "ulps away" in message
    assert "times the tolerance, which is 4 eps (" in message
    assert "value" not in message


def test_a_gradient_that_is_not_there_is_not_close() -> None:
    losses, _ = rows_of(LOGITS, LABELS)
    with pytest.raises(AssertionError, match="no gradient with respect to logits"):
        xent.assert_close(losses.mean(), {"logits": None}, loss="softmax_cross_entropy", logits=LOGITS, targets=LABELS)


CLIPPED: dict[str, Any] = {
    "loss": "categorical_cross_entropy",
    "probabilities": np.array([[1.0, 0.0]], np.float32),
    "targets": [1],
}


def test_a_convention_is_named_and_passes_where_it_is_declared() -> None:
    value = np.float32(-np.log(1e-7))
    with pytest.raises(AssertionError, match="clip"):
        xent.assert_close(value, **CLIPPED)
    xent.assert_close(value, **CLIPPED, convention="clip(1e-7)")
    with pytest.raises(AssertionError):
        xent.assert_close(value * 2, **CLIPPED, convention="clip(1e-7)")


def test_another_type_passes_where_it_is_declared() -> None:
    losses, _ = rows_of(LOGITS.astype(np.float32), LABELS)
    call: dict[str, Any] = {"loss": "softmax_cross_entropy", "logits": LOGITS.astype(np.float32), "targets": LABELS}
    wide = losses.mean().astype(np.float64)
    with pytest.raises(AssertionError, match="answers in float64"):
        xent.assert_close(wide, **call)
    xent.assert_close(wide, **call, convention={"result_dtype": "float64"})


def test_second_derivatives_are_judged() -> None:
    call: dict[str, Any] = {
        "loss": "softmax_cross_entropy",
        "logits": [[0.0, 0.0]],
        "targets": [0],
        "vector": [[1.0, 0.0]],
    }
    xent.assert_close(np.log(2.0), {"logits": [[-0.5, 0.5]]}, hessian_vector=[[0.25, -0.25]], **call)
    with pytest.raises(AssertionError, match="hessian_vector"):
        xent.assert_close(np.log(2.0), {"logits": [[-0.5, 0.5]]}, hessian_vector=[[0.25, 0.25]], **call)


def test_wrong_inputs_are_no_disagreement() -> None:
    with pytest.raises(ValueError, match="expected a label from 0 to 2"):
        xent.assert_close(1.0, loss="softmax_cross_entropy", logits=LOGITS, targets=[0, 1, 3])


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "bfloat16"])
def test_a_framework_is_judged_in_every_type(dtype: str) -> None:
    torch = pytest.importorskip("torch")
    logits = torch.from_numpy(LOGITS).to(getattr(torch, dtype)).requires_grad_()
    targets = torch.from_numpy(LABELS)
    loss = torch.nn.functional.cross_entropy(logits, targets, label_smoothing=0.1)
    loss.backward()
    call: dict[str, Any] = {"loss": "softmax_cross_entropy", "logits": logits, "targets": targets}
    xent.assert_close(loss, {"logits": logits.grad}, **call, label_smoothing=0.1)
    with pytest.raises(AssertionError, match=dtype):
        xent.assert_close(loss, {"logits": logits.grad}, **call)
