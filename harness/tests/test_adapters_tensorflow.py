"""The TensorFlow adapter asks tf.nn, or the v1 losses where only they have the option, in seven modes."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from harness.adapters.base import Answer, Array, Call, Unsupported

if TYPE_CHECKING:
    from harness.adapters.tensorflow import TensorFlow

pytestmark = pytest.mark.skipif(find_spec("tensorflow") is None, reason="TensorFlow is not installed")

MEAN = {"reduction": "mean", "denominator": "count"}
NONE = {"reduction": "none"}
ROW = [[1.0, 2.0, 3.0]]
WEIGHTED: dict[str, Any] = {"logits": ROW * 2, "targets": [0, 1]}
MODES = ("eager", "graph", "xla")


@pytest.fixture(scope="module")
def adapter() -> TensorFlow:
    """Imported here: collecting tests imports no framework."""
    from harness.adapters.tensorflow import TensorFlow

    return TensorFlow()


def ask(
    adapter: TensorFlow,
    loss: str,
    options: Any = MEAN,
    dtype: str = "float64",
    mode: str = "eager",
    differentiate: tuple[str, ...] = (),
    cotangent: Array | None = None,
    vector: Array | None = None,
    **inputs: Any,
) -> Answer:
    arrays = {
        name: given
        if isinstance(given, Array)
        else Array.of(given, dtype if np.asarray(given).dtype.kind == "f" else None)
        for name, given in inputs.items()
    }
    return adapter.evaluate(Call(loss, arrays, options, dtype, mode, differentiate, cotangent, vector))


def value(answer: Answer) -> Any:
    return answer.value.to_float64()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "bfloat16"])
def test_sparse_cross_entropy_in_every_dtype_and_mode(adapter: TensorFlow, dtype: str, mode: str) -> None:
    answer = ask(
        adapter, "softmax_cross_entropy", dtype=dtype, mode=mode, differentiate=("logits",), logits=ROW, targets=[0]
    )
    tolerance = {"float64": 1e-14, "float32": 1e-7, "float16": 1e-3, "bfloat16": 8e-3}[dtype]
    assert value(answer) == pytest.approx(2.4076059644443806, rel=tolerance)
    assert answer.gradients["logits"].to_float64() == pytest.approx(
        np.array([[-0.90996943, 0.24472847, 0.66524096]]), rel=2 * tolerance, abs=1e-8
    )
    assert answer.function == "tf.nn.sparse_softmax_cross_entropy_with_logits"
    assert (answer.value.dtype, answer.gradients["logits"].dtype) == (dtype, dtype)


@pytest.mark.parametrize("mode", MODES)
def test_the_gradient_for_targets_that_do_not_sum_to_one_is_declared(adapter: TensorFlow, mode: str) -> None:
    answer = ask(
        adapter, "softmax_cross_entropy", mode=mode, differentiate=("logits",), logits=ROW, targets=[[2.0, 0.0, 0.0]]
    )
    assert value(answer) == pytest.approx(4.815211928888761)
    assert answer.gradients["logits"].to_float64() == pytest.approx(
        np.array([[-1.90996943, 0.24472847, 0.66524096]]), abs=1e-8
    )
    assert answer.convention == {"gradient_of_targets_summing_to_one": True}


def test_a_masked_class_is_nan_except_under_xla(adapter: TensorFlow) -> None:
    inputs: dict[str, Any] = {"logits": [[0.0, -np.inf, 1.0]], "targets": [[1.0, 0.0, 0.0]]}
    assert np.isnan(value(ask(adapter, "softmax_cross_entropy", **inputs)))
    assert np.isnan(value(ask(adapter, "softmax_cross_entropy", mode="graph", **inputs)))
    assert value(ask(adapter, "softmax_cross_entropy", mode="xla", **inputs)) == pytest.approx(1.3132616875182228)


@pytest.mark.parametrize("label", [3, -1])
def test_a_label_out_of_range_reaches_tensorflow(adapter: TensorFlow, label: int) -> None:
    for mode in ("eager", "graph"):
        with pytest.raises(Exception, match=f"label value of {label}"):
            ask(adapter, "softmax_cross_entropy", mode=mode, differentiate=("logits",), logits=ROW, targets=[label])
    assert np.isnan(value(ask(adapter, "softmax_cross_entropy", mode="xla", logits=ROW, targets=[label])))


def test_labels_keep_their_dtype(adapter: TensorFlow) -> None:
    with pytest.raises(Exception, match="int8"):
        ask(adapter, "softmax_cross_entropy", logits=ROW, targets=Array.of([0], "int8"))


@pytest.mark.parametrize(
    ("denominator", "expected", "reduction", "convention"),
    [
        ("count", 2.1114089466665704, "SUM_OVER_BATCH_SIZE", None),
        ("weights", 1.4076059644443804, "MEAN", None),
        ("valid", 4.222817893333141, "SUM_BY_NONZERO_WEIGHTS", {"denominator": "nonzero_weights"}),
    ],
)
def test_weights_go_to_the_v1_losses_with_the_reduction_asked_for(
    adapter: TensorFlow, denominator: str, expected: float, reduction: str, convention: Any
) -> None:
    options = {"reduction": "mean", "denominator": denominator, "sample_weights": Array.of([0.0, 3.0])}
    answer = ask(adapter, "softmax_cross_entropy", options, **WEIGHTED)
    assert value(answer) == pytest.approx(expected, rel=1e-7)
    assert answer.function == "tf.compat.v1.losses.sparse_softmax_cross_entropy"
    assert answer.computed_with["reduction"] == reduction
    assert answer.convention == convention


def test_the_mode_v1_divides_by_the_weights_that_are_not_zero(adapter: TensorFlow) -> None:
    options = {**MEAN, "sample_weights": Array.of([0.0, 3.0])}
    answer = ask(adapter, "softmax_cross_entropy", options, mode="v1", **WEIGHTED)
    assert value(answer) == pytest.approx(4.222817893333141, rel=1e-7)
    assert answer.convention == {"denominator": "nonzero_weights"}


def test_label_smoothing_is_uniform(adapter: TensorFlow) -> None:
    answer = ask(
        adapter, "softmax_cross_entropy", {**MEAN, "label_smoothing": 0.1}, logits=ROW, targets=[[1.0, 0.0, 0.0]]
    )
    assert value(answer) == pytest.approx(2.307605964444380, rel=1e-7)


def test_log_loss_narrows_to_float32_and_adds_its_epsilon(adapter: TensorFlow) -> None:
    answer = ask(adapter, "binary_cross_entropy", probabilities=[0.0], targets=[1.0])
    assert answer.value.dtype == "float32"
    assert value(answer) == pytest.approx(16.11809565095832)
    assert answer.convention == {"add_inside_log": float(np.float32(1e-7))}


def test_pos_weight(adapter: TensorFlow) -> None:
    answer = ask(adapter, "binary_cross_entropy_with_logits", {**MEAN, "pos_weight": 2.0}, logits=[1.0], targets=[1.0])
    assert value(answer) == pytest.approx(2 * np.log1p(np.exp(-1.0)))
    assert answer.function == "tf.nn.weighted_cross_entropy_with_logits"


@pytest.mark.parametrize("mode", MODES)
def test_the_cotangent_weights_the_gradient_and_is_not_remembered(adapter: TensorFlow, mode: str) -> None:
    for factor in (-2.0, 5.0):
        answer = ask(
            adapter,
            "softmax_cross_entropy",
            NONE,
            mode=mode,
            differentiate=("logits",),
            cotangent=Array.of([1.0, factor]),
            logits=ROW * 2,
            targets=[0, 0],
        )
        first, second = answer.gradients["logits"].to_float64()
        assert second == pytest.approx(factor * first)


@pytest.mark.parametrize("mode", ["graph", "xla"])
def test_a_trace_is_not_reused_for_other_option_values(adapter: TensorFlow, mode: str) -> None:
    inputs: dict[str, Any] = {"logits": [1.0], "targets": [1.0]}
    one, three = (
        value(ask(adapter, "binary_cross_entropy_with_logits", {**MEAN, "pos_weight": w}, mode=mode, **inputs))
        for w in (1.0, 3.0)
    )
    assert three == pytest.approx(3 * one)


def test_what_tensorflow_lacks_is_unsupported_by_name(adapter: TensorFlow) -> None:
    with pytest.raises(Unsupported, match="class_weights"):
        ask(adapter, "softmax_cross_entropy", {**MEAN, "class_weights": Array.of([1.0] * 3)}, logits=ROW, targets=[0])
    with pytest.raises(Unsupported, match="no axis"):
        ask(adapter, "softmax_cross_entropy", {**MEAN, "axis": 0}, logits=ROW, targets=[0, 0, 0])
    with pytest.raises(Unsupported, match="kl_divergence"):
        ask(adapter, "kl_divergence", log_probabilities=ROW, targets=ROW)
    with pytest.raises(Unsupported, match="has no softmax"):
        ask(adapter, "softmax", {}, mode="v1", logits=ROW)


@pytest.mark.parametrize("mode", MODES)
def test_a_gradient_that_fails_leaves_the_value(adapter: TensorFlow, mode: str) -> None:
    answer = ask(
        adapter,
        "softmax_cross_entropy",
        NONE,
        mode=mode,
        differentiate=("logits",),
        cotangent=Array.of([1.0, 2.0]),
        logits=ROW * 3,
        targets=[0, 0, 0],
    )
    assert value(answer) == pytest.approx([2.4076059644443806] * 3)
    assert answer.gradient_error is not None


def second(adapter: TensorFlow, loss: str, vector: Any, options: Any = NONE, **call: Any) -> Answer:
    """The answer to a call that asks for the derivative of its gradient along a vector."""
    first = next(name for name in call if name in ("logits", "probabilities"))
    dtype = call.get("dtype", "float64")
    return ask(adapter, loss, options, differentiate=(first,), vector=Array.of(vector, dtype), **call)


def product_of(answer: Answer) -> Any:
    assert answer.hessian_error is None
    assert answer.hessian_vector is not None
    return answer.hessian_vector.to_float64()


# p (v − p·v) for the logits 1, 2, 3 and v = 1, −2, 1/2.
CURVED = [[0.0960451458329, -0.473107638535, 0.377062492702]]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("mode", MODES)
def test_a_tape_around_the_tape_differentiates_twice_along_a_vector(adapter: TensorFlow, mode: str, dtype: str) -> None:
    for factor in (1.0, -2.0):  # a trace must not remember the direction
        direction = factor * np.array([[1.0, -2.0, 0.5]])
        answer = second(adapter, "softmax_cross_entropy", direction, dtype=dtype, mode=mode, logits=ROW, targets=[0])
        np.testing.assert_allclose(product_of(answer), factor * np.array(CURVED), rtol=1e-6)
        assert answer.hessian_vector is not None
        assert answer.hessian_vector.dtype == dtype
    assert answer.gradients["logits"].to_float64() == pytest.approx(
        np.array([[-0.90996943, 0.24472847, 0.66524096]]), rel=1e-6
    )


def test_targets_that_do_not_sum_to_one_have_the_second_derivative_of_those_that_do(adapter: TensorFlow) -> None:
    answer = second(adapter, "softmax_cross_entropy", [[1.0, -2.0, 0.5]], logits=ROW, targets=[[2.0, 0.0, 0.0]])
    np.testing.assert_allclose(product_of(answer), CURVED, rtol=1e-7)


@pytest.mark.parametrize("mode", MODES)
def test_a_second_derivative_that_fails_leaves_value_and_gradient(adapter: TensorFlow, mode: str) -> None:
    answer = second(adapter, "softmax_cross_entropy", [[1.0], [2.0]], mode=mode, logits=ROW, targets=[0])
    assert value(answer) == pytest.approx([2.4076059644443806])
    assert answer.gradients["logits"].shape == (1, 3)
    assert answer.hessian_error is not None


# -- graphs of any size, and rows mapped over a batch ------------------------------------------------------------------

TWO: dict[str, Any] = {"logits": [[1.0, 2.0, 3.0], [0.5, 0.0, -1.0]], "targets": [0, 2]}


@pytest.mark.parametrize("mode", ["dynamic", "vectorized_map"])
def test_value_and_derivatives_are_the_same_without_sizes_and_row_by_row(adapter: TensorFlow, mode: str) -> None:
    along, upstream = Array.of(np.array([[1.0, -2.0, 0.5], [2.0, 0.5, 1.0]])), Array.of(np.array([2.0, -1.0]))
    plain, other = (
        ask(adapter, "softmax_cross_entropy", NONE, "float64", how, ("logits",), upstream, along, **TWO)
        for how in ("eager", mode)
    )
    assert (other.gradient_error, other.directional_error, other.hessian_error) == (None, None, None)
    for got, right in (
        (other.value, plain.value),
        (other.gradients["logits"], plain.gradients["logits"]),
        (other.directional, plain.directional),
        (other.hessian_vector, plain.hessian_vector),
    ):
        assert got is not None
        assert right is not None
        np.testing.assert_allclose(got.to_float64(), right.to_float64(), rtol=1e-12, atol=1e-15)


def test_a_graph_of_any_size_compares_no_sizes_and_broadcasts_a_target_to_all(adapter: TensorFlow) -> None:
    one_for_all: dict[str, Any] = {"logits": [1.0, -2.0, 0.5], "targets": [1.0]}
    with pytest.raises(ValueError, match="same shape"):
        ask(adapter, "binary_cross_entropy_with_logits", NONE, mode="graph", **one_for_all)
    answer = ask(adapter, "binary_cross_entropy_with_logits", NONE, mode="dynamic", **one_for_all)
    assert value(answer) == pytest.approx(np.log1p(np.exp([-1.0, 2.0, -0.5])))


def test_as_many_traces_are_kept_as_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands of them take gigabytes; one that was forgotten is made again."""
    import tensorflow as tf

    from harness.adapters import tensorflow_calls
    from harness.adapters.tensorflow import TensorFlow

    made: list[Any] = []
    function = tf.function

    def counted(*given: Any, **how: Any) -> Any:
        made.append(given)
        return function(*given, **how)

    monkeypatch.setattr(tf, "function", counted)
    monkeypatch.setattr(tensorflow_calls, "KEPT", 1)
    fresh = TensorFlow()
    for rows in (1, 1, 2, 1):
        answer = ask(fresh, "softmax", {}, mode="graph", logits=np.zeros((rows, 4)))
        np.testing.assert_array_equal(value(answer), np.full((rows, 4), 0.25))
    assert len(made) == 3


def test_a_mean_is_not_mapped_over_the_batch(adapter: TensorFlow) -> None:
    with pytest.raises(Unsupported, match="a mean needs all"):
        ask(adapter, "softmax_cross_entropy", mode="vectorized_map", **TWO)


def test_converted_to_tensorflow_lite_a_loss_has_its_value_and_no_derivative(adapter: TensorFlow) -> None:
    answer = ask(adapter, "softmax_cross_entropy", NONE, "float32", "lite", ("logits",), **TWO)
    assert value(answer) == pytest.approx([2.4076059644443806, 2.1041315], rel=1e-6)
    assert (answer.gradients, answer.computed_with["converted"]) == (
        {},
        "tf.lite.TFLiteConverter, tf.lite.Interpreter",
    )
    with pytest.raises(Unsupported, match="float32"):
        ask(adapter, "softmax_cross_entropy", NONE, "float64", "lite", **TWO)


@pytest.mark.parametrize("mode", MODES)
def test_a_logsumexp_shares_its_gradient_however_large_the_logits(adapter: TensorFlow, mode: str) -> None:
    largest = [[1.5e308, 1.5e308, 0.0]]
    answer = ask(adapter, "logsumexp", {}, mode=mode, differentiate=("logits",), logits=largest)
    assert answer.value.to_float64().tolist() == [1.5e308]
    assert answer.gradients["logits"].to_float64().tolist() == [[0.5, 0.5, 0.0]]


def test_the_deterministic_one_describes_no_mode_that_it_has_not_got() -> None:
    """The protocol refuses a description that does, before anything is asked."""
    from harness.adapters.tensorflow import TensorFlowDeterministic

    description = TensorFlowDeterministic().describe()
    assert {*description.mode_losses, *description.mode_tags} <= {*description.modes[1:]}
