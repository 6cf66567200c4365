"""The PyTorch adapter asks PyTorch for what the call means, touches nothing on the way, and says what it asked."""

from __future__ import annotations

import functools
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from harness.adapters.base import Answer, Array, Call, Unsupported

if TYPE_CHECKING:
    from harness.adapters.torch import Torch

pytestmark = pytest.mark.skipif(find_spec("torch") is None, reason="PyTorch is not installed")

MEAN = {"reduction": "mean", "denominator": "count"}
NONE = {"reduction": "none"}
ROW = [[1.0, 2.0, 3.0]]


@pytest.fixture(scope="module")
def adapter() -> Torch:
    """Imported here: collecting tests imports no framework."""
    from harness.adapters.torch import Torch

    return Torch()


def ask(
    adapter: Torch,
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


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "bfloat16"])
@pytest.mark.parametrize(
    ("mode", "function"), [("eager", "torch.nn.functional.cross_entropy"), ("module", "torch.nn.CrossEntropyLoss")]
)
def test_cross_entropy_in_every_dtype_and_api(adapter: Torch, dtype: str, mode: str, function: str) -> None:
    answer = ask(
        adapter, "softmax_cross_entropy", dtype=dtype, mode=mode, differentiate=("logits",), logits=ROW, targets=[0]
    )
    tolerance = {"float64": 1e-15, "float32": 1e-7, "float16": 1e-3, "bfloat16": 8e-3}[dtype]
    assert value(answer) == pytest.approx(2.4076059644443806, rel=tolerance)
    assert answer.gradients["logits"].to_float64() == pytest.approx(
        np.array([[-0.90996943, 0.24472847, 0.66524096]]), rel=2 * tolerance, abs=1e-8
    )
    assert (answer.function, answer.value.dtype, answer.gradients["logits"].dtype) == (function, dtype, dtype)


def test_the_classes_are_found_on_any_axis(adapter: Torch) -> None:
    logits = np.random.default_rng(0).normal(size=(2, 4, 3))
    labels = np.array([[0, 1, 2, 0], [2, 2, 1, 0]])
    last = ask(adapter, "softmax_cross_entropy", NONE, logits=logits, targets=labels)
    second = ask(adapter, "softmax_cross_entropy", {**NONE, "axis": 1}, logits=logits.swapaxes(1, 2), targets=labels)
    assert value(last) == pytest.approx(value(second), rel=1e-15)
    assert "movedim" in last.computed_with["axis"]
    assert "axis" not in second.computed_with
    soft = np.random.default_rng(1).random(size=(2, 4, 3))
    assert value(ask(adapter, "softmax_cross_entropy", NONE, logits=logits, targets=soft)).shape == (2, 4)


def test_the_mean_with_class_weights_declares_what_it_divides_by(adapter: Torch) -> None:
    options = {"reduction": "mean", "denominator": "weights", "class_weights": Array.of([0.0, 3.0, 1.0])}
    rows, labels = [[1.0, 2.0, 3.0]] * 2, [0, 1]
    by_label = ask(adapter, "softmax_cross_entropy", options, logits=rows, targets=labels)
    by_row = ask(adapter, "softmax_cross_entropy", options, logits=rows, targets=np.eye(3)[labels])
    assert value(by_label) == pytest.approx(1.4076059644443804, rel=1e-15)
    assert by_label.convention is None
    assert value(by_row) == pytest.approx(2.1114089466665704, rel=1e-15)
    assert by_row.convention == {"denominator": "count"}


@pytest.mark.parametrize("label", [3, -1])
def test_a_label_out_of_range_reaches_pytorch(adapter: Torch, label: int) -> None:
    with pytest.raises(IndexError, match="out of bounds"):
        ask(adapter, "softmax_cross_entropy", logits=ROW, targets=[label])


def test_labels_keep_their_dtype(adapter: Torch) -> None:
    with pytest.raises(RuntimeError, match="Int"):
        ask(adapter, "softmax_cross_entropy", logits=ROW, targets=Array.of([0], "int32"))


def test_bce_declares_its_clamps(adapter: Torch) -> None:
    answer = ask(
        adapter,
        "binary_cross_entropy",
        differentiate=("probabilities",),
        probabilities=[0.0, 1e-20],
        targets=[1.0, 1.0],
    )
    assert value(answer) == pytest.approx((100 + 46.051701859880914) / 2)
    assert answer.gradients["probabilities"].to_float64() == pytest.approx([-5e11, -5e11])
    assert answer.convention == {"log_clamp": -100.0, "gradient_clamp": float(np.float32(1e-12))}


def test_bce_refuses_targets_beyond_one_in_pytorch_itself(adapter: Torch) -> None:
    with pytest.raises(RuntimeError, match="between 0 and 1"):
        ask(adapter, "binary_cross_entropy", probabilities=[1.0], targets=[1.5])


def test_the_weight_of_bce_does_not_enter_its_denominator(adapter: Torch) -> None:
    options = {"reduction": "mean", "denominator": "weights", "sample_weights": Array.of([0.0, 3.0])}
    answer = ask(adapter, "binary_cross_entropy_with_logits", options, logits=[0.0, 0.0], targets=[1.0, 1.0])
    assert value(answer) == pytest.approx(1.5 * np.log(2))
    assert answer.convention == {"denominator": "count"}


def test_pos_weight_may_be_a_number_or_an_array(adapter: Torch) -> None:
    inputs: dict[str, Any] = {"logits": [1.0], "targets": [1.0]}
    expected = 2 * np.log1p(np.exp(-1.0))
    for given in (2.0, Array.of([2.0])):
        answer = ask(adapter, "binary_cross_entropy_with_logits", {**MEAN, "pos_weight": given}, **inputs)
        assert value(answer) == pytest.approx(expected)


def test_the_cotangent_weights_the_gradient(adapter: Torch) -> None:
    logits, labels = [[1.0, 2.0, 3.0]] * 2, [0, 0]
    answer = ask(
        adapter,
        "softmax_cross_entropy",
        NONE,
        differentiate=("logits",),
        cotangent=Array.of([1.0, -2.0]),
        logits=logits,
        targets=labels,
    )
    first, second = answer.gradients["logits"].to_float64()
    assert second == pytest.approx(-2 * first)


def test_linear_cross_entropy_differentiates_all_three(adapter: Torch) -> None:
    answer = ask(
        adapter,
        "linear_cross_entropy",
        differentiate=("hidden", "weight", "bias"),
        hidden=ROW,
        weight=[[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]],
        bias=[0.1, 0.2],
        targets=[0],
    )
    assert value(answer) == pytest.approx(np.log1p(np.exp(2.2 - 4.1)))
    assert set(answer.gradients) == {"hidden", "weight", "bias"}


def test_kl_mean_divides_by_every_element(adapter: Torch) -> None:
    inputs: dict[str, Any] = {
        "log_probabilities": np.log([[0.2, 0.8], [0.5, 0.5]]),
        "targets": [[0.0, 1.0], [0.5, 0.5]],
    }
    with pytest.warns(UserWarning, match="batchmean"):
        mean = ask(adapter, "kl_divergence", **inputs)
    batch = ask(adapter, "kl_divergence", {"reduction": "batchmean"}, **inputs)
    assert value(batch) == pytest.approx(2 * value(mean))
    assert mean.convention == {"denominator": "elements"}


def test_probabilities_against_distributions_go_through_xlogy(adapter: Torch) -> None:
    answer = ask(adapter, "categorical_cross_entropy", probabilities=[[0.25, 0.75, 0.0]], targets=[[1.0, 0.0, 0.0]])
    assert value(answer) == pytest.approx(np.log(4))
    assert answer.function == "torch.special.xlogy"


def test_probabilities_against_labels_go_through_nll_loss(adapter: Torch) -> None:
    answer = ask(adapter, "categorical_cross_entropy", probabilities=[[0.2, 0.3, 0.1]], targets=[0])
    assert value(answer) == pytest.approx(1.6094379124341003)
    assert answer.function == "torch.nn.functional.nll_loss"


def test_an_option_pytorch_lacks_is_unsupported_by_name(adapter: Torch) -> None:
    options = {**MEAN, "sample_weights": Array.of([1.0])}
    with pytest.raises(Unsupported, match="sample_weights"):
        ask(adapter, "softmax_cross_entropy", options, logits=ROW, targets=[0])
    with pytest.raises(Unsupported, match=r"torch\.special\.entr"):
        ask(adapter, "entropy", mode="module", probabilities=[[0.5, 0.5]])


def test_strides_are_kept_and_reversed_arrays_are_said_to_be_copied(adapter: Torch) -> None:
    buffer = np.arange(12.0).reshape(2, 6)
    for layout in (buffer[:, ::2], np.asfortranarray(buffer[:, ::2]), buffer[:, ::-2]):
        strided = ask(adapter, "softmax_cross_entropy", NONE, logits=Array("float64", layout), targets=[0, 2])
        plain = ask(adapter, "softmax_cross_entropy", NONE, logits=layout.copy(), targets=[0, 2])
        assert value(strided) == pytest.approx(value(plain))
        assert ("logits" in strided.computed_with) == (layout.strides[1] < 0)


def test_a_gradient_that_fails_leaves_the_value(adapter: Torch) -> None:
    answer = ask(
        adapter,
        "softmax_cross_entropy",
        NONE,
        differentiate=("logits",),
        cotangent=Array.of([1.0, 2.0]),
        logits=ROW,
        targets=[0],
    )
    assert value(answer) == pytest.approx([2.4076059644443806])
    assert isinstance(answer.gradient_error, RuntimeError)
    assert not answer.gradients


def test_read_only_input_is_not_written_to_and_raises_no_warning(adapter: Torch) -> None:
    frozen = np.array(ROW)
    frozen.setflags(write=False)
    assert value(ask(adapter, "softmax", {}, logits=Array("float64", frozen))).sum() == pytest.approx(1.0)


@pytest.mark.slow  # it compiles every function
@pytest.mark.filterwarnings("ignore")  # the compiler's own deprecations, different in every version
def test_compile_runs_the_same_function(adapter: Torch) -> None:
    answer = ask(adapter, "softmax_cross_entropy", mode="compile", differentiate=("logits",), logits=ROW, targets=[0])
    assert value(answer) == pytest.approx(2.4076059644443806, rel=1e-14)
    assert answer.function == "torch.nn.functional.cross_entropy"


@pytest.mark.parametrize("mode", ["compile", "dynamic"])
def test_one_of_two_ways_to_compile_is_handed_the_sizes_as_numbers_to_come(
    mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    from harness.adapters.torch import Torch

    unknown: list[bool] = []

    def backend(graph: Any, given: Any) -> Any:
        unknown.append(any(isinstance(one, torch.SymInt) for one in given))
        return graph.forward

    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend=backend))
    answer = ask(Torch(), "softmax_cross_entropy", NONE, mode=mode, logits=np.ones((4, 3)), targets=[0, 1, 2, 0])
    np.testing.assert_allclose(value(answer), np.log(3), rtol=1e-14)
    assert unknown == [mode == "dynamic"]


@pytest.mark.filterwarnings("ignore")  # the compiler's own deprecations, different in every version
def test_what_cannot_be_compiled_leaves_every_other_signature_to_the_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    """torch.compile gives up on a code object for good; the suite has hundreds of signatures, and a limit is eight."""
    traced: list[Any] = []

    def backend(graph: Any, _: Any) -> Any:
        traced.append(graph)
        return graph.forward

    import torch

    from harness.adapters.torch import Torch

    # Tracing is what is looked at; machine code takes seconds for each signature.
    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend=backend))
    fresh = Torch()

    def compiled(loss: str, **call: Any) -> int:
        before = len(traced)
        ask(fresh, loss, {} if loss == "softmax" else NONE, mode="compile", **call)
        return len(traced) - before

    with pytest.raises(Exception, match="dimensionality"):
        compiled(
            "linear_cross_entropy", hidden=np.ones((2, 3, 4)), weight=np.ones((4, 2)), targets=np.zeros((2, 3), int)
        )
    assert [compiled("softmax", logits=np.ones((1, count))) for count in range(2, 12)] == [1] * 10
    assert compiled("softmax", logits=np.zeros((1, 11))) == 0


def second(adapter: Torch, loss: str, vector: Any, options: Any = NONE, **call: Any) -> Answer:
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


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "bfloat16"])
@pytest.mark.parametrize("mode", ["eager", "module"])
def test_autograd_differentiates_twice_along_a_vector(adapter: Torch, dtype: str, mode: str) -> None:
    answer = second(
        adapter, "softmax_cross_entropy", [[1.0, -2.0, 0.5]], dtype=dtype, mode=mode, logits=ROW, targets=[0]
    )
    tolerance = {"float64": 1e-7, "float32": 1e-6, "float16": 2e-3, "bfloat16": 2e-2}[dtype]
    np.testing.assert_allclose(product_of(answer), CURVED, rtol=tolerance)
    assert answer.hessian_vector is not None
    assert answer.hessian_vector.dtype == dtype
    assert answer.gradients["logits"].to_float64() == pytest.approx(
        np.array([[-0.90996943, 0.24472847, 0.66524096]]), rel=2 * tolerance
    )


def test_the_second_derivative_is_that_of_the_weighted_sum(adapter: Torch) -> None:
    both = {"logits": [1.0, 1.0], "targets": [1.0, 0.0]}
    answer = second(adapter, "binary_cross_entropy_with_logits", [1.0, 1.0], cotangent=Array.of([1.0, -2.0]), **both)
    one, other = product_of(answer)
    assert one == pytest.approx(0.19661193324148185)
    assert other == pytest.approx(-2 * one)


def test_nobody_is_asked_twice_who_was_not_asked(adapter: Torch) -> None:
    answer = ask(adapter, "softmax_cross_entropy", NONE, differentiate=("logits",), logits=ROW, targets=[0])
    assert (answer.hessian_vector, answer.hessian_error) == (None, None)


@pytest.mark.filterwarnings("ignore")  # the compiler's own deprecations, different in every version
@pytest.mark.parametrize("loss", ["softmax_cross_entropy", "binary_cross_entropy_with_logits"])
def test_compiled_code_is_not_differentiated_twice_and_its_gradient_is_there_all_the_same(
    adapter: Torch, loss: str
) -> None:
    """torch.compile supports no double backward; that is said, and costs neither value nor gradient."""
    targets = [0] if loss == "softmax_cross_entropy" else [[1.0, 0.0, 1.0]]
    answer = second(adapter, loss, [[1.0, -2.0, 0.5]], mode="compile", logits=ROW, targets=targets)
    assert isinstance(answer.hessian_error, RuntimeError)
    assert answer.hessian_vector is None
    assert answer.gradient_error is None
    eager = second(adapter, loss, [[1.0, -2.0, 0.5]], logits=ROW, targets=targets)
    np.testing.assert_allclose(
        answer.gradients["logits"].to_float64(), eager.gradients["logits"].to_float64(), rtol=1e-12
    )


HEAD: dict[str, Any] = {
    "hidden": [[1.0, -0.5], [0.25, 2.0]],
    "weight": [[1.0, 0.0, -1.0], [0.5, -0.5, 2.0]],
    "targets": [2, 0],
}


def test_chunked_kernels_are_asked_with_their_options(adapter: Torch) -> None:
    chunked = [mode for mode in adapter.describe().modes if adapter.describe().modes_of("softmax").count(mode) == 0]
    assert "chunked-2-balanced" in chunked
    plain = ask(adapter, "linear_cross_entropy", NONE, **HEAD)
    for mode in chunked:
        answer = ask(adapter, "linear_cross_entropy", NONE, mode=mode, **HEAD)
        assert value(answer) == pytest.approx(value(plain), rel=1e-15)
        assert "LinearCrossEntropyOptions" in answer.computed_with["options"]
    # Answered by the chunked kernels alone: the path without options refuses it.
    surplus = ask(adapter, "linear_cross_entropy", NONE, mode="chunked", **{**HEAD, "targets": [2, 0, 1]})
    assert value(surplus) == pytest.approx(value(plain), rel=1e-15)


def test_a_value_without_a_tangent_has_a_derivative_of_zero(adapter: Torch) -> None:
    """As torch.func.jvp says of it; an answer without the derivative would count as unsupported."""
    vector = Array.of(np.ones((2, 2)))
    asked: dict[str, Any] = {"differentiate": ("hidden",), "vector": vector, **HEAD}
    plain, chunked = (ask(adapter, "linear_cross_entropy", MEAN, mode=mode, **asked) for mode in ("eager", "chunked"))
    assert plain.directional is not None
    assert plain.directional.to_float64() != 0
    assert chunked.directional is not None
    assert chunked.directional.to_float64() == 0


def test_logits_are_multiplied_where_the_function_is_called(adapter: Torch) -> None:
    answer = ask(adapter, "softmax_cross_entropy", {**NONE, "logit_scale": 0.5}, logits=[[2.0, 4.0, 6.0]], targets=[0])
    assert value(answer) == pytest.approx([2.4076059644443806], rel=1e-15)
    assert answer.computed_with["logit_scale"] == "logits * 0.5, where the loss is called"


# -- functional transforms and exports -------------------------------------------------------------------------------

TAIL: dict[str, Any] = {"logits": [-np.inf, 1.0], "targets": [0.0, 1.0]}
BINARY = "binary_cross_entropy_with_logits"


def test_functional_transforms_have_a_formula_of_their_own_whose_derivative_is_nan_at_infinity(adapter: Torch) -> None:
    plain, func, mapped = (
        ask(adapter, BINARY, NONE, mode=mode, differentiate=("logits",), **TAIL) for mode in ("eager", "func", "vmap")
    )
    assert np.isfinite(plain.gradients["logits"].to_float64()).all()
    for other in (func, mapped):
        assert np.isnan(other.gradients["logits"].to_float64()).tolist() == [True, False]
        assert other.gradients["logits"].to_float64()[1] == pytest.approx(plain.gradients["logits"].to_float64()[1])


# PyTorch itself calls what it has deprecated.
@pytest.mark.filterwarnings("ignore")
def test_every_derivative_comes_from_a_transform(adapter: Torch) -> None:
    asked: dict[str, Any] = {"logits": [[1.0, 2.0, 3.0], [0.5, 0.0, -1.0]], "targets": [0, 2]}
    along, upstream = Array.of(np.array([[1.0, -2.0, 0.5], [2.0, 0.5, 1.0]])), Array.of(np.array([2.0, -1.0]))
    plain, func, mapped = (
        ask(adapter, "softmax_cross_entropy", NONE, "float64", mode, ("logits",), upstream, along, **asked)
        for mode in ("eager", "func", "vmap")
    )
    for other in (func, mapped):
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


def test_a_mean_is_not_mapped_over_the_batch(adapter: Torch) -> None:
    with pytest.raises(Unsupported, match="a mean needs all"):
        ask(adapter, "softmax_cross_entropy", MEAN, mode="vmap", logits=ROW, targets=[0])


# PyTorch itself calls what it has deprecated.
@pytest.mark.filterwarnings("ignore")
@pytest.mark.slow
@pytest.mark.skipif(find_spec("onnxscript") is None, reason="onnxscript, which exports to ONNX, is not installed")
def test_exports_to_onnx_drop_label_smoothing_where_exports_that_run_as_they_are_keep_it(adapter: Torch) -> None:
    from harness.adapters.torch_export import TorchExport

    smoothed = {**MEAN, "label_smoothing": 0.1}
    plain, onnx, exported = (
        ask(asked, "softmax_cross_entropy", smoothed, "float32", mode, ("logits",), logits=ROW, targets=[0])  # type: ignore[arg-type]
        for asked, mode in ((adapter, "eager"), (TorchExport(), "onnx"), (TorchExport(), "export"))
    )
    assert value(plain) == pytest.approx(2.3076059, rel=1e-6)
    assert value(onnx) == pytest.approx(2.4076059, rel=1e-6)
    assert value(exported) == pytest.approx(value(plain), rel=1e-6)
    assert onnx.gradients == {}
    slope, right = (answer.gradients["logits"].to_float64() for answer in (exported, plain))
    np.testing.assert_allclose(slope, right, rtol=1e-6)


def test_autocast_answers_half_precision_in_float32_as_documented(adapter: Torch) -> None:
    weighted = {"reduction": "mean", "denominator": "weights", "class_weights": Array.of([1e5, 2e5, 5e4], "float32")}
    asked: Any = {"dtype": "float16", "logits": ROW, "targets": [2]}
    answer = ask(adapter, "softmax_cross_entropy", weighted, mode="autocast", **asked)
    assert (answer.value.dtype, answer.convention) == (
        "float32",
        {"result_dtype": "float32", "computed_in": "float32"},
    )
    assert value(answer) == pytest.approx(0.4076, abs=1e-4)
    with pytest.raises(RuntimeError, match="expected scalar type Half"):
        ask(adapter, "softmax_cross_entropy", weighted, **asked)


def test_autocast_multiplies_float32_in_bfloat16_and_leaves_float64(adapter: Torch) -> None:
    arrays: Any = {"hidden": [[1.0, 1 / 3]], "weight": [[1.0, 0.0], [0.0, 1000.0]], "targets": [0]}
    answer = ask(adapter, "linear_cross_entropy", mode="autocast", dtype="float32", **arrays)
    assert dict(answer.convention or {})["computed_in"] == "bfloat16"
    assert value(answer) == 334.0 - 1.0  # 1/3 is 0.333984375 in bfloat16, and 333.98 is 334
    with pytest.raises(Unsupported, match="float64"):
        ask(adapter, "linear_cross_entropy", mode="autocast", **arrays)


def test_deterministic_algorithms_are_asked_for_during_the_call_only(
    adapter: Torch, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    seen: list[bool] = []
    right = torch.nn.functional.softmax

    def watched(*arguments: Any, **keywords: Any) -> torch.Tensor:
        seen.append(torch.are_deterministic_algorithms_enabled())
        return right(*arguments, **keywords)

    monkeypatch.setattr(torch.nn.functional, "softmax", watched)
    ask(adapter, "softmax", {}, mode="deterministic", logits=ROW)
    assert seen == [True]
    assert not torch.are_deterministic_algorithms_enabled()
