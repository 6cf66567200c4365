"""Plain functions connected by a description of what they take."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from harness.adapters.base import Answer, Array, Call, Unsupported
from harness.adapters.functions import (
    Functions,
    LossFunction,
    jax_function,
    numpy_function,
    tensorflow_function,
    torch_function,
)
from harness.core.outcomes import Raised, Returned
from harness.execution import worker
from harness.execution.worker import evaluate
from harness.mistakes.sound import Sound

ROOT = Path(__file__).resolve().parents[2]
SOUND = Sound().evaluate
RNG = np.random.default_rng(21)
X = RNG.normal(size=(2, 3, 4)).astype(np.float32)
LABELS = np.array([[0, 3, 1], [1, 2, 2]])


def asked(x: Any, targets: Any, dtype: str = "float32", cotangent: Any = None, **options: Any) -> Call:
    inputs = {
        "logits": x if isinstance(x, Array) else Array.of(x, dtype),
        "targets": targets if isinstance(targets, Array) else Array.of(targets),
    }
    weights = None if cotangent is None else Array.of(cotangent, dtype)
    return Call("softmax_cross_entropy", inputs, options, dtype, differentiate=("logits",), cotangent=weights)


def assert_sound(adapter: Functions, call: Call) -> Answer:
    got, want = adapter.evaluate(call), SOUND(call)
    assert got.gradient_error is None
    assert got.value.dtype == call.dtype
    rough = 2e-2 if call.dtype == "bfloat16" else 2e-5
    pairs = [(got.value, want.value), *((g, want.gradients[n]) for n, g in got.gradients.items())]
    for found, wanted in pairs:
        assert found.shape == wanted.shape
        np.testing.assert_allclose(found.to_float64(), wanted.to_float64(), rtol=rough, atol=rough)
    return got


def of_rows_in_numpy(x: Any, labels: Any) -> Any:
    """The loss and its gradient of exactly (N, C) and (N,)."""
    (rows, classes), (_,) = x.shape, labels.shape
    p = np.exp(x - x.max(-1, keepdims=True))
    p /= p.sum(-1, keepdims=True)
    return -np.log(p[np.arange(rows), labels]), p - np.eye(classes, dtype=x.dtype)[labels]


ROWS = numpy_function(
    of_rows_in_numpy, loss="softmax_cross_entropy", rows=True, targets="labels", with_gradient=True, version="1"
)


@pytest.mark.parametrize(
    "call",
    [
        asked(X, LABELS, reduction="none"),
        asked(X[0], LABELS[0], reduction="none"),
        asked(X[0, 0], LABELS[0, 0], reduction="none"),
        asked(np.moveaxis(X, -1, 1), LABELS, reduction="none", axis=1),
        asked(X[:0], LABELS[:0], reduction="none"),
    ],
    ids=["three axes", "rows", "one row", "classes second", "no rows"],
)
def test_a_function_of_rows_is_given_rows_and_its_answer_has_the_shape_of_the_call(call: Call) -> None:
    answer = assert_sound(ROWS, call)
    assert set(answer.gradients) == {"logits"}
    assert answer.computed_with["batch"] == "reshaped to rows"


def elements_in_numpy(z: Any, targets: Any) -> Any:
    """The loss of every element, its gradient, and the diagonal of the Hessian."""
    p = 1 / (1 + np.exp(-z))
    return -np.log(np.where(targets == 1, p, 1 - p)), p - targets, p * (1 - p)


def test_a_diagonal_of_the_hessian_that_comes_with_the_gradient_is_multiplied_with_the_vector() -> None:
    elements = numpy_function(
        elements_in_numpy,
        loss="binary_cross_entropy_with_logits",
        elements=True,
        with_gradient=True,
        version="1",
    )
    inputs = {"logits": Array.of([[0.5, -1.0], [2.0, 0.0]]), "targets": Array.of([[1.0, 0.0], [0.0, 1.0]])}
    vector = Array.of([[1.0, -2.0], [0.5, 0.25]])
    call = Call(
        "binary_cross_entropy_with_logits",
        inputs,
        {"reduction": "none"},
        "float64",
        differentiate=("logits",),
        vector=vector,
    )
    found, wanted = elements.evaluate(call).hessian_vector, SOUND(call).hessian_vector
    assert found is not None
    assert wanted is not None
    np.testing.assert_allclose(found.to_float64(), wanted.to_float64(), rtol=1e-12)
    assert elements.evaluate(replace(call, vector=None)).hessian_vector is None


def test_a_gradient_that_comes_with_the_value_is_for_no_other_cotangent_or_reduction() -> None:
    weighted = asked(X, LABELS, cotangent=RNG.normal(size=(2, 3)), reduction="none")
    assert ROWS.evaluate(weighted).gradients == {}
    with pytest.raises(Unsupported, match="not reduced"):
        ROWS.evaluate(asked(X, LABELS, reduction="sum"))


def of_distributions_in(library: str) -> Callable[..., Any]:
    def jax_loss(x: Any, targets: Any) -> Any:
        import jax

        return -(targets * jax.nn.log_softmax(x)).sum(-1)

    def tensorflow_loss(x: Any, targets: Any) -> Any:
        import tensorflow as tf

        return -tf.reduce_sum(targets * tf.nn.log_softmax(x), -1)

    def torch_loss(x: Any, targets: Any) -> Any:
        return -(targets * x.log_softmax(-1)).sum(-1)

    return {"jax": jax_loss, "tensorflow": tensorflow_loss, "torch": torch_loss}[library]


@pytest.mark.parametrize("library", ["jax", "tensorflow", "torch"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_labels_become_distributions_for_a_function_that_takes_no_others(library: str, dtype: str) -> None:
    pytest.importorskip(library)
    connect = {"jax": jax_function, "tensorflow": tensorflow_function, "torch": torch_function}[library]
    adapter = connect(
        of_distributions_in(library), loss="softmax_cross_entropy", targets="one_hot", rows=True, version="1"
    )
    description = adapter.describe()
    for mode in description.modes:
        for options in ({"reduction": "none"}, {"reduction": "mean"}):
            call = asked(np.moveaxis(X, -1, 1), LABELS, dtype, axis=1, **options)
            answer = assert_sound(adapter, replace(call, mode=mode))
            assert set(answer.gradients) == {"logits"}
            assert answer.computed_with["targets"] == "labels written as distributions"
    assert (description.version, description.losses) == ("1", ("softmax_cross_entropy",))


def torch_losses(**how: Any) -> Functions:
    torch = pytest.importorskip("torch")

    def cross_entropy(x: Any, labels: Any, *, smooth: float = 0.0, how: str = "mean") -> Any:
        return torch.nn.functional.cross_entropy(x, labels, label_smoothing=smooth, reduction=how)

    options = {"reduction": "how", "label_smoothing": "smooth"}
    return torch_function(
        cross_entropy, loss="softmax_cross_entropy", options=options, rows=True, targets="labels", version="1", **how
    )


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16"])
def test_options_have_their_names_and_what_has_none_is_unsupported(dtype: str) -> None:
    adapter = torch_losses()
    for reduction in ("none", "sum", "mean"):
        assert_sound(adapter, asked(X, LABELS, dtype, reduction=reduction, label_smoothing=0.1))
    with pytest.raises(Unsupported, match="no ignore_index"):
        adapter.evaluate(asked(X, LABELS, reduction="none", ignore_index=3))
    with pytest.raises(Unsupported, match="no number to divide by"):
        adapter.evaluate(asked(X, LABELS, reduction="mean", denominator=7))
    with pytest.raises(Unsupported, match="takes labels"):
        adapter.evaluate(asked(X, X, reduction="none"))


def test_what_a_mean_divides_by_is_declared() -> None:
    adapter = torch_losses(divides="count")
    assert adapter.evaluate(asked(X, LABELS, reduction="mean", denominator="valid")).convention == {
        "denominator": "count"
    }
    assert adapter.evaluate(asked(X, LABELS, reduction="mean", denominator="count")).convention is None


def test_formats_are_those_that_are_said() -> None:
    adapter = torch_losses(dtypes=("float32", "float64"), gradients=("float64",))
    assert adapter.describe().dtypes == ("float64", "float32")
    assert set(adapter.evaluate(asked(X, LABELS, "float64", reduction="none")).gradients) == {"logits"}
    assert adapter.evaluate(asked(X, LABELS, "float32", reduction="none")).gradients == {}
    with pytest.raises(Unsupported, match="takes float32, float64"):
        adapter.evaluate(asked(X, LABELS, "float16", reduction="none"))


def overwriting(x: Any, labels: Any) -> Any:
    """Writes the gradient over the logits, as fused kernels do; the strides are part of what it computes."""
    torch = pytest.importorskip("torch")

    class Fused(torch.autograd.Function):  # type: ignore[misc, name-defined]
        @staticmethod
        def forward(ctx: Any, logits: Any) -> Any:
            losses = torch.nn.functional.cross_entropy(logits, labels, reduction="none")
            slope = logits.softmax(-1) - torch.nn.functional.one_hot(labels, logits.shape[-1])
            assert logits.stride() == (1, 5)
            logits.copy_(slope)
            ctx.save_for_backward(logits)
            return losses

        @staticmethod
        def backward(ctx: Any, upstream: Any) -> Any:
            return ctx.saved_tensors[0] * upstream[:, None]

    return Fused.apply(x)


def test_an_input_that_is_declared_to_be_overwritten_is_a_copy_in_the_same_layout() -> None:
    transposed = Array.of(RNG.normal(size=(4, 5)).astype(np.float32)).storage.T
    call = asked(Array("float32", transposed), np.array([0, 1, 3, 2, 1]), reduction="none")
    how = {"loss": "softmax_cross_entropy", "targets": "labels", "version": "1"}
    declared = torch_function(overwriting, overwrites=("logits",), **how)
    answer = assert_sound(declared, call)
    assert "writes into it" in answer.computed_with["logits"]
    assert isinstance(evaluate(declared, call), Returned)
    undeclared = evaluate(torch_function(overwriting, **how), call)
    assert isinstance(undeclared, Raised)
    assert undeclared.type.endswith("ArgumentOverwritten")


def test_a_gradient_that_was_made_beforehand_has_no_second_derivative() -> None:
    """Its backward pass hands out numbers: what autograd says then is no fault of the loss, which offers none."""
    torch = pytest.importorskip("torch")

    class Fused(torch.autograd.Function):  # type: ignore[misc, name-defined]
        @staticmethod
        def forward(ctx: Any, x: Any, labels: Any) -> Any:
            ctx.slope = x.softmax(-1) - torch.nn.functional.one_hot(labels, x.shape[-1])
            return torch.nn.functional.cross_entropy(x, labels, reduction="none")

        @staticmethod
        def backward(ctx: Any, upstream: Any) -> Any:
            return ctx.slope * upstream[:, None], None

    x = np.eye(2, 3, dtype=np.float32)
    call = replace(asked(x, np.array([0, 2]), reduction="none"), vector=Array.of(x))
    fused = torch_function(Fused.apply, loss="softmax_cross_entropy", targets="labels", version="1")
    answer = fused.evaluate(call)
    assert set(answer.gradients) == {"logits"}
    assert answer.hessian_vector is None
    assert answer.hessian_error is None


def test_several_functions_are_one_implementation_and_the_first_that_can_is_asked() -> None:
    library = SimpleNamespace(description=ROWS.describe(), run=lambda request: request.function)

    def named(name: str, **how: Any) -> LossFunction:
        return LossFunction(lambda *_: 0, "softmax_cross_entropy", targets="labels", name=name, **how)

    both: Any = Functions(
        library,  # type: ignore[arg-type]
        named("plain"),
        named("smoothing", options={"label_smoothing": "eps"}),
        LossFunction(lambda *_: 0, "softmax", name="softmax"),
        version="2",
    )
    assert both.describe().losses == ("softmax_cross_entropy", "softmax")
    assert both.evaluate(asked(X, LABELS, reduction="none")) == "plain"
    assert both.evaluate(asked(X, LABELS, reduction="none", label_smoothing=0.1)) == "smoothing"
    with pytest.raises(Unsupported, match=r"plain has no ignore_index; smoothing has no ignore_index"):
        both.evaluate(asked(X, LABELS, reduction="none", ignore_index=3))


def test_a_worker_takes_an_adapter_that_is_there_as_it_takes_a_class() -> None:
    assert isinstance(worker._construct(f"{__name__}:ROWS"), Functions)
    assert isinstance(worker._construct("harness.adapters.numpy:NumPy").describe().version, str)


@pytest.mark.filterwarnings("ignore")  # of the compiler, of itself and of what it looks at; the worker lets them be
@pytest.mark.parametrize("mode", ["eager", pytest.param("compile", marks=pytest.mark.slow)])  # it compiles C++
def test_the_autograd_function_of_the_how_to_has_cotangents_soft_labels_and_a_mode(mode: str) -> None:
    torch = pytest.importorskip("torch")
    text = (ROOT / "docs" / "how-to" / "connect-your-loss.md").read_text(encoding="utf-8")
    (code,) = (block for block in re.findall(r"^```python\n(.*?)^```", text, re.M | re.S) if "autograd" in block)
    said: dict[str, Any] = {"torch": torch, "torch_function": torch_function, "__name__": "how_to"}
    exec(code, said)  # what the page tells its reader to write
    connected: Functions = said["connected"]
    assert connected.describe().modes == ("eager", "compile")
    soft = np.full(X.shape, 0.25, np.float32)
    for targets in (Array.of(soft, "float32"), LABELS):
        call = asked(X, targets, cotangent=np.arange(6.0).reshape(2, 3) - 2, reduction="none")
        assert_sound(connected, replace(call, mode=mode))


def of_rows(logits: Any, labels: Any, how: str = "none") -> Any:
    return logits[..., 0] + labels if how == "none" else (logits[..., 0] + labels).sum()


WRONGLY_SAID: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"loss": "softmax_cross_entropi"}, ValueError, "'softmax_cross_entropi' is no loss: expected one of entropy, "),
    ({"options": {"smoothing": "how"}}, ValueError, "'smoothing' is no option of softmax_cross_entropy"),
    ({"inputs": ("scores", "targets")}, ValueError, "'scores' is no input of softmax_cross_entropy"),
    (
        {"options": {"reduction": "mode"}},
        TypeError,
        "has no parameter mode for reduction; its parameters are logits, lab",
    ),
    ({"options": {"ignore_index": "skip"}}, TypeError, "has no parameter skip for ignore_index"),
]


@pytest.mark.parametrize(("said", "error", "words"), WRONGLY_SAID, ids=[words for *_, words in WRONGLY_SAID])
def test_what_is_said_of_a_function_and_not_so_is_told_before_a_call(
    said: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=re.escape(words)):
        numpy_function(of_rows, **{"loss": "softmax_cross_entropy", **said})


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda logits: logits, "takes no targets by position; its parameters are logits"),
        (
            lambda logits, labels, smoothing: logits + labels + smoothing,
            "needs smoothing, which is neither an input nor named in `options`",
        ),
        (
            lambda logits, labels, *, chunk: logits + labels + chunk,
            "needs chunk, which is neither an input nor named in `options`",
        ),
    ],
)
def test_a_function_that_cannot_be_called_so_is_told_before_a_call(function: Callable[..., Any], words: str) -> None:
    with pytest.raises(TypeError, match=re.escape(words)):
        numpy_function(function, loss="softmax_cross_entropy")


def test_what_takes_anything_is_not_looked_at() -> None:
    numpy_function(lambda *them, **named: (them, named), loss="softmax_cross_entropy", options={"reduction": "how"})
    numpy_function(max, loss="softmax_cross_entropy", options={"reduction": "how"})


def test_a_loss_in_place_of_an_adapter_is_told_how_it_becomes_one() -> None:
    message, adapter = worker._describe(f"{__name__}:of_rows")
    assert adapter is None
    assert "of_rows cannot be made without logits, labels; a loss becomes an implementation by" in message["reason"]
    message, adapter = worker._describe(f"{__name__}:LABELS")
    assert adapter is None
    assert "LABELS is no adapter: it has no `evaluate`" in message["reason"]
