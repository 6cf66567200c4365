"""The Keras adapter on its three backends, each in a process of its own, since KERAS_BACKEND is read at import."""

from __future__ import annotations

import functools
import os
import pickle
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest

from harness.adapters.base import Array, Call

pytestmark = pytest.mark.slow

BACKENDS = ("tensorflow", "torch", "jax")
MEAN = {"reduction": "mean", "denominator": "count"}
VALID = {"reduction": "mean", "denominator": "valid"}
NONE = {"reduction": "none"}
ROW = [[1.0, 2.0, 3.0]]
WEIGHTS = Array.of([0.0, 3.0])
CUBE = np.arange(24.0).reshape(2, 3, 4) / 5

# Runs pickled calls and answers with what a pickle can carry; a gradient's error as its text.
PROGRAM = """
import pickle, sys
from dataclasses import replace
from harness.adapters.keras import Keras
adapter, answers = Keras(), {}
for name, call in pickle.load(sys.stdin.buffer).items():
    try:
        answer = adapter.evaluate(call)
        error = answer.gradient_error
        answers[name] = replace(answer, gradient_error=None if error is None else RuntimeError(str(error)))
    except Exception as error:
        answers[name] = (type(error).__name__, str(error))
sys.stdout.buffer.write(b"ANSWERS" + pickle.dumps((adapter.describe(), answers)))
"""


def call(
    loss: str,
    options: Any = MEAN,
    dtype: str = "float64",
    mode: str = "eager",
    differentiate: tuple[str, ...] = (),
    cotangent: Array | None = None,
    vector: Array | None = None,
    **inputs: Any,
) -> Call:
    arrays = {
        name: given
        if isinstance(given, Array)
        else Array.of(given, dtype if np.asarray(given).dtype.kind == "f" else None)
        for name, given in inputs.items()
    }
    return Call(loss, arrays, options, dtype, mode, differentiate, cotangent, vector)


def softmax_cross_entropy(targets: Any, options: Any = MEAN, logits: Any = ROW, **rest: Any) -> Call:
    return call("softmax_cross_entropy", options, logits=logits, targets=targets, **rest)


CALLS = {
    "labels": softmax_cross_entropy([0], NONE, differentiate=("logits",)),
    "one-hot": softmax_cross_entropy([[1.0, 0.0, 0.0]], NONE, differentiate=("logits",)),
    "float32": softmax_cross_entropy([0], dtype="float32"),
    "typed": softmax_cross_entropy([0], NONE, dtype="bfloat16", mode="class-typed"),
    "masked": softmax_cross_entropy(
        [-100, 1], {**VALID, "ignore_index": -100}, ROW * 2, mode="masked", differentiate=("logits",)
    ),
    "masked row of nan": softmax_cross_entropy(
        [-100, 1], {**NONE, "ignore_index": -100}, [[np.nan] * 3, *ROW], mode="masked"
    ),
    "nothing to mask": softmax_cross_entropy([0], NONE, mode="masked"),
    **{
        mode: softmax_cross_entropy([0], NONE, [[1.0, 2.0 + 2.0**-9, 3.0]], dtype="float32", mode=mode)
        for mode in ("mixed-float16", "mixed-bfloat16")
    },
    "mixed float64": softmax_cross_entropy([0], NONE, mode="mixed-float16"),
    "activated": call(
        "categorical_cross_entropy", NONE, mode="activated", probabilities=[[1.0, 2.0**-52]], targets=[[0.0, 1.0]]
    ),
    "activated-graph": call(
        "categorical_cross_entropy", NONE, mode="activated-graph", probabilities=[[1.0, 2.0**-52]], targets=[[0.0, 1.0]]
    ),
    "activated-elsewhere": call(
        "categorical_cross_entropy",
        NONE,
        mode="activated-elsewhere",
        probabilities=np.full((3, 3), 1 / 3),
        targets=np.eye(3)[[1, 1, 1]],
    ),
    **{
        f"twice, {mode}": softmax_cross_entropy(
            [0], NONE, mode=mode, differentiate=("logits",), vector=Array.of([[1.0, -2.0, 0.5]])
        )
        for mode in ("eager", "graph", "xla", "jit")
    },
    "twice, clipped": call(
        "binary_cross_entropy",
        NONE,
        probabilities=[0.0, 0.5],
        targets=[1.0, 1.0],
        differentiate=("probabilities",),
        vector=Array.of([1.0, 1.0]),
    ),
    "mean": softmax_cross_entropy([0]),
    "class": softmax_cross_entropy([0], mode="class", differentiate=("logits",)),
    "targets summing to two": softmax_cross_entropy([[2.0, 0.0, 0.0]], NONE, differentiate=("logits",)),
    "label 3 of 3": softmax_cross_entropy([3], NONE, differentiate=("logits",)),
    "smoothed": softmax_cross_entropy([[1.0, 0.0, 0.0]], {**NONE, "label_smoothing": 0.1}),
    "weighted by count": softmax_cross_entropy([0, 1], {**MEAN, "sample_weights": WEIGHTS}, ROW * 2),
    "weighted by weights": softmax_cross_entropy(
        [0, 1], {"reduction": "mean", "denominator": "weights", "sample_weights": WEIGHTS}, ROW * 2
    ),
    "ignored": softmax_cross_entropy([-100, 1], {**VALID, "ignore_index": -100}, ROW * 2),
    "all ignored": softmax_cross_entropy([-100], {**VALID, "ignore_index": -100}),
    "ignored row of nan": softmax_cross_entropy(
        [-100, 1],
        {**NONE, "ignore_index": -100},
        [[np.nan] * 3, *ROW],
        differentiate=("logits",),
        cotangent=Array.of([1.0, 2.0]),
    ),
    "sparse axis 1": softmax_cross_entropy([[0, 1, 2, 0]] * 2, {**NONE, "axis": 1}, CUBE),
    "renormalised, label": call(
        "categorical_cross_entropy",
        NONE,
        probabilities=[[0.2, 0.3, 0.1]],
        targets=[0],
        differentiate=("probabilities",),
    ),
    "renormalised, one-hot": call(
        "categorical_cross_entropy", NONE, probabilities=[[0.2, 0.3, 0.1]], targets=[[1.0, 0.0, 0.0]]
    ),
    "p = 0, t = 1": call("binary_cross_entropy", dtype="float32", probabilities=[0.0], targets=[1.0]),
    "p = 1, t = 0": call("binary_cross_entropy", dtype="float32", probabilities=[1.0], targets=[0.0]),
    "elements": call(
        "binary_cross_entropy_with_logits", NONE, logits=[[1.0, 2.0], [3.0, 4.0]], targets=[[0.0, 1.0], [1.0, 0.0]]
    ),
    "sum of elements": call(
        "binary_cross_entropy_with_logits",
        {"reduction": "sum"},
        logits=[[1.0, 2.0], [3.0, 4.0]],
        targets=[[0.0, 1.0], [1.0, 0.0]],
    ),
    "focal, gamma 0": call("binary_focal", {**MEAN, "gamma": 0.0}, logits=[1.0], targets=[1.0]),
    "focal, alpha half": call("binary_focal", {**MEAN, "gamma": 0.0, "alpha": 0.5}, logits=[1.0], targets=[1.0]),
    "focal, hopeless": call("binary_focal", {**NONE, "gamma": 2.0}, logits=[-100.0], targets=[1.0]),
    "categorical focal": call(
        "categorical_focal", {**NONE, "gamma": 0.0, "alpha": 1.0}, logits=ROW, targets=[[1.0, 0.0, 0.0]]
    ),
    "categorical focal, no alpha": call(
        "categorical_focal", {**NONE, "gamma": 0.0}, logits=ROW, targets=[[1.0, 0.0, 0.0]]
    ),
    "categorical focal, alphas": call(
        "categorical_focal",
        {**NONE, "gamma": 0.0, "alpha": Array.of([0.5, 1.0, 1.0])},
        logits=ROW,
        targets=[[1.0, 0.0, 0.0]],
    ),
    "focal of labels": call("categorical_focal", NONE, logits=ROW, targets=[0]),
    "kl": call("kl_divergence", NONE, log_probabilities=np.log([[0.2, 0.8]]), targets=[[0.5, 0.5]]),
    "jit, float64 first": softmax_cross_entropy(
        [0], {**NONE, "sample_weights": Array.of([2.0])}, mode="jit", dtype="float64"
    ),
    "jit, float32 next": softmax_cross_entropy(
        [0], {**NONE, "sample_weights": Array.of([2.0], "float32")}, mode="jit", dtype="float32"
    ),
    "class weights": softmax_cross_entropy([0], {**MEAN, "class_weights": Array.of([1.0] * 3)}),
    "softmax as a class": call("softmax", {}, mode="class", logits=ROW),
    "softmax": call("softmax", {}, logits=ROW),
    "cotangent of a class": softmax_cross_entropy(
        [0, 0],
        NONE,
        ROW * 2,
        mode="class",
        differentiate=("logits",),
        cotangent=Array.of([1.0, -2.0]),
    ),
}


@dataclass(frozen=True)
class Backend:
    name: str
    description: Any
    answers: dict[str, Any]

    def value(self, name: str) -> Any:
        return self.answers[name].value.to_float64()

    def gradient(self, name: str) -> Any:
        answer = self.answers[name]
        assert answer.gradient_error is None
        return next(iter(answer.gradients.values())).to_float64()


@functools.cache
def run_backend(name: str) -> Backend:
    environment = {**os.environ, "KERAS_BACKEND": name, "JAX_ENABLE_X64": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    environment |= {"OMP_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1"}
    program = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(program, input=pickle.dumps(CALLS), capture_output=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr.decode()[-4000:]
    description, answers = pickle.loads(done.stdout.partition(b"ANSWERS")[2])
    return Backend(name, description, answers)


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> Backend:
    for needed in ("keras", request.param):
        if find_spec(needed) is None:
            pytest.skip(f"{needed} is not installed")
    return run_backend(request.param)


def test_the_description_names_backend_floatx_and_epsilon(backend: Backend) -> None:
    description = backend.description
    assert description.flags["KERAS_BACKEND"] == backend.name
    assert description.flags["epsilon"] == "1e-07"
    assert set(description.versions) == {"keras", backend.name, "numpy"}
    assert description.flush_to_zero == (backend.name != "torch")
    assert description.threads == 1


@pytest.mark.parametrize(
    ("name", "function"),
    [("labels", "keras.losses.sparse_categorical_crossentropy"), ("one-hot", "keras.losses.categorical_crossentropy")],
)
def test_the_function_in_float64_with_its_gradient(backend: Backend, name: str, function: str) -> None:
    assert backend.value(name) == pytest.approx([2.4076059644443806], rel=1e-14)
    assert backend.gradient(name) == pytest.approx(np.array([[-0.90996943, 0.24472847, 0.66524096]]), abs=1e-8)
    assert backend.answers[name].function == function
    assert backend.answers[name].value.dtype == "float64"


def test_keras_means_are_computed_in_float32_except_on_tensorflow(backend: Backend) -> None:
    error = abs(backend.value("mean") - 2.4076059644443806)
    assert backend.answers["mean"].computed_with["reduction"] == "keras.ops.mean"
    assert error < 1e-15 if backend.name == "tensorflow" else 1e-9 < error < 1e-7


def test_the_class_narrows_to_floatx_and_the_answer_says_so(backend: Backend) -> None:
    answer = backend.answers["class"]
    assert answer.function == "keras.losses.SparseCategoricalCrossentropy"
    assert answer.value.dtype == "float32"
    assert answer.gradients["logits"].dtype == "float64"
    assert answer.computed_with["dtype"] == "float32"


def test_only_tensorflow_takes_the_targets_to_sum_to_one(backend: Backend) -> None:
    on_tensorflow = backend.name == "tensorflow"
    expected = [[-1.90996943, 0.24472847, 0.66524096]] if on_tensorflow else [[-1.81993885, 0.48945694, 1.33048191]]
    assert backend.gradient("targets summing to two") == pytest.approx(np.array(expected), abs=1e-8)
    declared = backend.answers["targets summing to two"].convention
    assert declared == ({"gradient_of_targets_summing_to_one": True} if on_tensorflow else None)


def test_a_label_out_of_range_reaches_the_backend(backend: Backend) -> None:
    if backend.name == "jax":
        assert backend.value("label 3 of 3") == 0.0
        assert not backend.gradient("label 3 of 3").any()
    else:
        kind, message = backend.answers["label 3 of 3"]
        assert kind == {"tensorflow": "InvalidArgumentError", "torch": "IndexError"}[backend.name]
        assert "3" in message


def test_label_smoothing(backend: Backend) -> None:
    assert backend.value("smoothed") == pytest.approx([2.30760596444438], rel=1e-13)


def test_weights_go_to_the_class_with_the_dtype_of_the_call(backend: Backend) -> None:
    by_count, by_weights = (backend.answers[f"weighted by {name}"] for name in ("count", "weights"))
    assert backend.value("weighted by count") == pytest.approx(2.1114089466665704, rel=1e-7)
    assert backend.value("weighted by weights") == pytest.approx(1.4076059644443804, rel=1e-7)
    assert by_count.function == "keras.losses.SparseCategoricalCrossentropy"
    assert by_count.computed_with["dtype"] == "float64"
    assert by_weights.computed_with["reduction"] == "mean_with_sample_weight"


def test_what_was_compiled_for_one_dtype_does_not_answer_for_another(backend: Backend) -> None:
    assert backend.answers["jit, float64 first"].value.dtype == "float64"
    assert backend.answers["jit, float32 next"].value.dtype == "float32"


def test_the_mean_leaves_ignored_rows_out_and_is_zero_when_all_are(backend: Backend) -> None:
    assert backend.value("ignored") == pytest.approx(1.4076059644443804, rel=1e-7)
    assert backend.answers["ignored"].convention == {"denominator": "valid", "finite_zero_mean": True}
    assert backend.value("all ignored") == 0.0


def test_an_ignored_row_of_nan_stays_out_of_value_and_gradient(backend: Backend) -> None:
    assert backend.value("ignored row of nan") == pytest.approx([0.0, 1.4076059644443804])
    ignored, kept = backend.gradient("ignored row of nan")
    assert not ignored.any()
    assert kept == pytest.approx([0.18006115, -1.51054306, 1.33048191])


def test_labels_along_axis_1_are_passed_on_and_only_torch_takes_them(backend: Backend) -> None:
    if backend.name == "torch":
        assert backend.value("sparse axis 1").shape == (2, 4)
    else:
        assert backend.answers["sparse axis 1"][0] == "ValueError"


def test_probabilities_are_renormalised_and_clipped_in_the_order_of_the_backend(backend: Backend) -> None:
    for name in ("renormalised, label", "renormalised, one-hot"):
        assert backend.value(name) == pytest.approx([1.0986122886681098], rel=1e-12)
    label, one_hot = (backend.answers[f"renormalised, {kind}"].convention for kind in ("label", "one-hot"))
    clipped_first = backend.name == "tensorflow"
    assert list(label) == (["clip", "renormalize"] if clipped_first else ["renormalize", "clip"])
    assert list(one_hot) == ["renormalize", "clip"]


def test_the_clamp_differs_on_the_two_sides_as_float32_rounds_it(backend: Backend) -> None:
    assert backend.value("p = 0, t = 1") == pytest.approx(16.118095, rel=1e-7)
    assert backend.value("p = 1, t = 0") == pytest.approx(15.942385, rel=1e-7)
    lower, upper = backend.answers["p = 1, t = 0"].convention["clip"]
    assert -np.log(lower) == pytest.approx(16.118095, rel=1e-7)
    assert -np.log1p(-upper) == pytest.approx(15.942385, rel=1e-7)


def test_binary_elements_are_kept_apart(backend: Backend) -> None:
    expected = np.array([[1.3132616875182228, 0.126928011042972], [0.048587351573742, 4.01814992791781]])
    assert backend.value("elements") == pytest.approx(expected, rel=1e-6)
    assert backend.value("sum of elements") == pytest.approx(expected.sum(), rel=1e-6)
    assert "expand_dims" in backend.answers["elements"].computed_with["rows"]


def test_focal_losses_reduce_to_cross_entropy(backend: Backend) -> None:
    plain = np.log1p(np.exp(-1.0))
    assert backend.value("focal, gamma 0") == pytest.approx(plain, rel=1e-6)
    assert backend.value("focal, alpha half") == pytest.approx(plain / 2, rel=1e-6)
    for name in ("categorical focal", "categorical focal, no alpha"):
        assert backend.value(name) == pytest.approx([2.4076059644443806], rel=1e-6)
    assert backend.value("categorical focal, alphas") == pytest.approx([0.5 * 2.4076059644443806], rel=1e-6)


def test_the_binary_focal_loss_is_clipped_except_on_tensorflow(backend: Backend) -> None:
    answer = backend.answers["focal, hopeless"]
    if backend.name == "tensorflow":
        assert backend.value("focal, hopeless") == pytest.approx([100.0])
        assert answer.convention is None
    else:
        assert backend.value("focal, hopeless") == pytest.approx([16.118095], rel=1e-6)
        assert "clip" in answer.convention


def test_kl_takes_the_probabilities_back_out_of_the_logarithm(backend: Backend) -> None:
    assert backend.value("kl") == pytest.approx([0.5 * np.log(0.25 / 0.16)], rel=1e-6)
    assert backend.answers["kl"].computed_with["probabilities"] == "keras.ops.exp(log_probabilities)"


@pytest.mark.parametrize(
    ("name", "reason"),
    [("class weights", "class_weights"), ("softmax as a class", "softmax"), ("focal of labels", "labels")],
)
def test_what_keras_lacks_is_unsupported_by_name(backend: Backend, name: str, reason: str) -> None:
    kind, message = backend.answers[name]
    assert kind == "Unsupported"
    assert reason in message


def test_softmax_comes_from_keras_ops(backend: Backend) -> None:
    assert backend.value("softmax").sum() == pytest.approx(1.0)
    assert backend.answers["softmax"].function == "keras.ops.softmax"


def test_the_cotangent_takes_the_dtype_the_class_answers_in(backend: Backend) -> None:
    first, second = backend.gradient("cotangent of a class")
    assert second == pytest.approx(-2 * first)


@pytest.mark.parametrize("mode", ["eager", "graph", "xla", "jit"])
def test_the_backend_differentiates_twice_along_a_vector(backend: Backend, mode: str) -> None:
    answer = backend.answers[f"twice, {mode}"]
    assert answer.hessian_error is None
    # p (v − p·v) for the logits 1, 2, 3.
    np.testing.assert_allclose(
        answer.hessian_vector.to_float64(), [[0.0960451458329, -0.473107638535, 0.377062492702]], rtol=1e-6
    )


def test_what_is_clipped_has_no_second_derivative_and_the_rest_has(backend: Backend) -> None:
    product = backend.answers["twice, clipped"].hessian_vector.to_float64()
    np.testing.assert_allclose(product, [0.0, 4.0], rtol=1e-6)


def test_the_class_takes_the_dtype_of_the_call_where_the_mode_says_so(backend: Backend) -> None:
    answer = backend.answers["typed"]
    assert (answer.function, answer.value.dtype) == ("keras.losses.SparseCategoricalCrossentropy", "bfloat16")


def test_the_mask_of_a_layer_leaves_rows_out_of_the_mean(backend: Backend) -> None:
    """One of two rows counts, whatever the label of the other."""
    found, alone = backend.answers["masked"], backend.answers["ignored"]
    assert found.function == "keras.losses.SparseCategoricalCrossentropy"
    assert found.convention["denominator"] == "valid"
    assert float(found.value.to_float64()) == pytest.approx(float(alone.value.to_float64()), rel=1e-6)
    assert not found.gradients["logits"].to_float64()[0].any()


def test_a_masked_row_of_nan_is_multiplied_with_zero(backend: Backend) -> None:
    """And an ignored one is selected."""
    first, second = backend.value("masked row of nan")
    assert np.isnan(first)
    assert np.isfinite(second)
    assert backend.answers["nothing to mask"] == ("Unsupported", "no row is masked")


def test_under_a_mixed_policy_the_logits_are_rounded_and_the_loss_is_float32(backend: Backend) -> None:
    """2 + 2^−9 is a number of float16 and 2 in bfloat16."""
    for mode, middle in (("mixed-float16", 2.0 + 2.0**-9), ("mixed-bfloat16", 2.0)):
        answer = backend.answers[mode]
        assert (answer.value.dtype, answer.convention["computed_in"]) == ("float32", mode.removeprefix("mixed-"))
        expected = np.log(np.exp([1.0, middle, 3.0]).sum()) - 1.0
        assert float(answer.value.to_float64()[0]) == pytest.approx(expected, abs=1e-6)
    assert backend.answers["mixed float64"][0] == "Unsupported"


def test_only_tensorflow_goes_back_to_the_logits_of_an_activation(backend: Backend) -> None:
    unclipped, clipped = 52 * np.log(2), -np.log(1e-7)
    assert backend.value("activated") == pytest.approx([unclipped if backend.name == "tensorflow" else clipped])
    if backend.name == "tensorflow":
        assert backend.value("activated-graph") == pytest.approx([unclipped])
    right, wrong = np.log(3), 1.4076059644443804  # of thirds, and of the logits 0, 1, 2
    assert backend.value("activated-elsewhere")[0] == pytest.approx(wrong if backend.name == "tensorflow" else right)
