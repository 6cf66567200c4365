"""The frameworks' own functions as data, in both directions, against the functions themselves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from harness.adapters.base import Array, Call, Unsupported
from harness.adapters.framework_signatures import FUNCTIONS, likely, matched, signatures, spelled
from harness.adapters.like import like
from harness.adapters.registry import RegistryError, resolve
from harness.adapters.standing_in import RefusedError, stand_in
from harness.judgement.truth import TruthTable
from harness.mistakes import adapter
from harness.mistakes.sound import Sound
from reference.signatures import LOSSES

SOUND = Sound().evaluate
RNG = np.random.default_rng(22)
X = RNG.normal(size=(5, 4)).astype(np.float32)
P = np.exp(X[::-1]) / np.exp(X[::-1]).sum(-1, keepdims=True)
LABELS = np.array([0, 3, 1, 1, 2])


def assert_alike(got: Any, want: Any) -> None:
    """To some twenty roundings of float32: what is looked for here is another argument, not another digit."""
    np.testing.assert_allclose(got, want, rtol=2e-5, atol=2e-6)


def in_torch(name: str, arguments: list[Any], keywords: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch")
    ours, theirs = stand_in(f"torch.nn.functional.{name}", SOUND), getattr(torch.nn.functional, name)
    tensors = [torch.tensor(a) for a in arguments]
    keywords = {n: torch.tensor(v) if isinstance(v, np.ndarray) else v for n, v in keywords.items()}
    found = []
    for function in (ours, theirs):
        x = tensors[0].clone().requires_grad_()
        value = function(x, *tensors[1:], **keywords)
        weights = torch.arange(1.0, value.numel() + 1).reshape(value.shape)
        (gradient,) = torch.autograd.grad((value * weights).sum(), x)
        found.append((value, gradient))
    for got, want in zip(*found, strict=True):
        assert got.dtype == want.dtype
        assert_alike(got.detach().numpy(), want.detach().numpy())


IGNORED = np.array([0, -100, 1, 1, 2])
W4, W54 = RNG.uniform(0.5, 2, 4).astype(np.float32), RNG.uniform(0.5, 2, (5, 4)).astype(np.float32)
PIXELS, PIXEL_LABELS = RNG.normal(size=(2, 3, 4, 5)).astype(np.float32), RNG.integers(0, 3, (2, 4, 5))


@pytest.mark.parametrize(
    ("name", "arguments", "keywords"),
    [
        ("cross_entropy", [X, IGNORED], {}),
        ("cross_entropy", [X, IGNORED, W4], {"label_smoothing": 0.1}),
        ("cross_entropy", [X, LABELS], {"ignore_index": 1, "reduction": "none"}),
        ("cross_entropy", [X, P, W4], {"label_smoothing": 0.1}),
        ("cross_entropy", [PIXELS, PIXEL_LABELS], {"reduction": "sum"}),
        ("cross_entropy", [X[0], np.int64(2)], {}),
        ("nll_loss", [np.log(P), IGNORED, W4], {}),
        ("binary_cross_entropy", [P, P[::-1].copy(), W4], {}),
        ("binary_cross_entropy_with_logits", [X, P, W54], {"pos_weight": W4}),
        *[
            ("kl_div", [np.log(P), P[::-1].copy()], {"reduction": reduction})
            for reduction in ("none", "mean", "sum", "batchmean")
        ],
        ("kl_div", [np.log(P), np.log(P[::-1])], {"reduction": "batchmean", "log_target": True}),
        ("softmax", [X], {"dim": 0}),
        ("log_softmax", [X], {"dim": 1}),
    ],
)
@pytest.mark.filterwarnings("ignore:reduction. 'mean' divides")
def test_what_stands_in_for_a_function_of_pytorch_gives_its_values_and_gradients(
    name: str, arguments: list[Any], keywords: dict[str, Any]
) -> None:
    in_torch(name, arguments, keywords)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_who_reads_memory_wrongly_is_right_where_it_is_contiguous(dtype: str) -> None:
    torch = pytest.importorskip("torch")
    x, labels = torch.tensor(X).to(getattr(torch, dtype)), torch.tensor(LABELS)
    right = stand_in("torch.nn.functional.cross_entropy", SOUND)(x, labels)
    for name in ("assumes-contiguous", "looks-at-last-stride", "assumes-contiguous-targets", "one-stride-for-both"):
        wrong = stand_in("torch.nn.functional.cross_entropy", adapter(f"{name}.softmax_cross_entropy").evaluate)
        assert torch.equal(wrong(x, labels), right), name


@pytest.mark.parametrize("compiled", [False, True])
def test_what_stands_in_for_optax_is_differentiated_and_compiled(compiled: bool) -> None:
    jax, optax = pytest.importorskip("jax"), pytest.importorskip("optax")
    wrap: Callable[[Any], Any] = jax.jit if compiled else lambda function: function
    ours = stand_in("optax.softmax_cross_entropy_with_integer_labels", SOUND)
    theirs = optax.losses.softmax_cross_entropy_with_integer_labels
    x, labels = jax.numpy.asarray(X), jax.numpy.asarray(LABELS)
    assert_alike(wrap(ours)(x, labels), theirs(x, labels))
    slopes = [wrap(jax.grad(lambda z, f=f: (f(z, labels) ** 2).sum()))(x) for f in (ours, theirs)]
    assert_alike(*slopes)


@pytest.mark.parametrize("graph", [False, True])
def test_what_stands_in_for_tensorflow_is_differentiated_and_traced(graph: bool) -> None:
    tf = pytest.importorskip("tensorflow")
    name = "tf.nn.weighted_cross_entropy_with_logits"
    found = []
    for function in (stand_in(name, SOUND), tf.nn.weighted_cross_entropy_with_logits):

        def both(x: Any, targets: Any, function: Any = function) -> Any:
            with tf.GradientTape() as tape:
                tape.watch(x)
                value = function(targets, x, pos_weight=3.0)
            return value, tape.gradient(value, x)

        found.append((tf.function(both, autograph=False) if graph else both)(tf.constant(X), tf.constant(P)))
    for got, want in zip(*found, strict=True):
        assert_alike(got.numpy(), want.numpy())


def test_a_function_of_numpy_returns_value_and_gradient() -> None:
    value, gradient = stand_in("value_and_grad(softmax_cross_entropy)", SOUND)(X, LABELS, reduction="sum")
    wanted = np.exp(X) / np.exp(X).sum(-1, keepdims=True) - np.eye(4)[LABELS]
    assert_alike(gradient, wanted)
    assert value.dtype == np.float32
    assert stand_in("softmax_cross_entropy", SOUND)(X, LABELS, reduction="sum") == value


def test_what_is_refused_is_whatever_the_framework_would_have_raised() -> None:
    with pytest.raises(IndexError):
        stand_in("softmax_cross_entropy", SOUND)(X, LABELS + 9)
    assert issubclass(RefusedError, RuntimeError | ValueError | TypeError)


def test_arguments_that_are_not_known_are_refused() -> None:
    with pytest.raises(TypeError, match="temperature"):
        matched("torch.nn.functional.cross_entropy", (X, LABELS), {"temperature": 2.0})
    with pytest.raises(TypeError, match="reduce"):
        matched("torch.nn.functional.cross_entropy", (X, LABELS), {"reduce": False})
    with pytest.raises(TypeError, match="from_logits"):
        matched("keras.losses.binary_crossentropy", (P, X), {})


CALLS: Mapping[str, dict[str, Any]] = {
    "mean": {"reduction": "mean"},
    "none": {"reduction": "none"},
    "smoothed": {"reduction": "mean", "label_smoothing": 0.1},
    "first": {"reduction": "none", "axis": 0},
    "logarithms": {"reduction": "none", "log_target": True},
}


@pytest.mark.parametrize("function", sorted(FUNCTIONS))
def test_what_is_spelled_is_understood_as_the_same_loss_of_the_same_arrays(function: str) -> None:
    """Whichever call a function has at all comes back with its inputs and options."""
    understood = 0
    for options in CALLS.values():
        for targets in (Array.of(LABELS), Array.of(P, "float32")):
            for signature in signatures(function):
                names = {"logits": X, "probabilities": P, "log_probabilities": np.log(P)}
                inputs = {signature.scores: Array.of(names.get(signature.scores, X), "float32")}
                if "targets" in LOSSES[signature.loss].inputs:
                    inputs["targets"] = targets
                chosen = options if LOSSES[signature.loss].reductions else {}
                try:
                    asked = spelled(function, Call(signature.loss, inputs, chosen, "float32"))
                except Unsupported:
                    continue
                found = matched(function, tuple(asked.arguments.values()), asked.keywords)
                assert found.signature.loss == signature.loss
                arrays = {n: v for n, v in found.arrays.items() if isinstance(v, Array)}
                call = found.call(arrays, None, ())
                assert sum(a.storage.size for a in call.inputs.values()) == sum(a.storage.size for a in inputs.values())
                assert call.options.get("label_smoothing") == chosen.get("label_smoothing")
                understood += 1
    if "linear" not in function and "weighted" not in function:  # which need more than these have
        assert understood


def test_a_plain_function_is_an_implementation_with_the_options_of_its_signature() -> None:
    def cross_entropy(logits: Any, targets: Any, *, reduction: str = "mean", axis: int | None = None) -> Any:
        answer = SOUND(
            Call(
                "softmax_cross_entropy",
                {"logits": Array.of(logits), "targets": Array.of(targets)},
                {"reduction": reduction, **({} if axis is None else {"axis": axis})},
                str(logits.dtype),
                differentiate=("logits",),
            )
        )
        return answer.value.storage, answer.gradients["logits"].storage

    adapter = like("value_and_grad(softmax_cross_entropy)", cross_entropy)
    inputs = {"logits": Array.of(X.T.copy()), "targets": Array.of(LABELS)}
    call = Call("softmax_cross_entropy", inputs, {"reduction": "sum", "axis": 0}, "float32", differentiate=("logits",))
    got, want = adapter.evaluate(call), SOUND(call)
    assert got.gradients["logits"].same_bits(want.gradients["logits"])
    assert adapter.describe().losses == ("softmax_cross_entropy",)


def test_the_classes_are_moved_where_pytorch_has_them_and_the_gradient_comes_back() -> None:
    torch = pytest.importorskip("torch")
    adapter = like("torch.nn.functional.cross_entropy", torch.nn.functional.cross_entropy)
    inputs = {"logits": Array.of(np.moveaxis(PIXELS, 1, -1)), "targets": Array.of(PIXEL_LABELS)}
    call = Call("softmax_cross_entropy", inputs, {"reduction": "none"}, "float32", differentiate=("logits",))
    got, want = adapter.evaluate(call), SOUND(call)
    assert_alike(got.value.storage, want.value.storage)
    assert_alike(got.gradients["logits"].storage, want.gradients["logits"].storage)
    refused = Call("softmax_cross_entropy", inputs, {"reduction": "none", "sample_weights": 1}, "float32")
    with pytest.raises(Unsupported, match="no sample_weights"):
        adapter.evaluate(refused)


@pytest.mark.parametrize(
    "name", ["like:torch.nn.functional.cross_entropy", "like:torch.nothing=a:b", "like:softmax=a b"]
)
def test_a_name_that_says_too_little_is_refused(name: str) -> None:
    with pytest.raises(RegistryError, match=r"like:|is not known"):
        resolve(name)


def test_a_function_is_taken_for_the_framework_s_of_its_name_where_there_is_one() -> None:
    assert likely("my_package.losses.cross_entropy") == "torch.nn.functional.cross_entropy"
    assert likely("my_package.losses.softmax") is None
    assert likely("my_package.losses.my_loss") is None


@pytest.mark.parametrize("name", ["categorical_crossentropy", "sparse_categorical_crossentropy"])
def test_keras_functions_of_probabilities_are_right_by_their_convention(name: str) -> None:
    keras = pytest.importorskip("keras")
    if keras.backend.backend() != "tensorflow":
        pytest.skip("the order of clip and division is that of TensorFlow")
    adapter = like(f"keras.losses.{name}", getattr(keras.losses, name))
    targets = Array.of(LABELS) if name.startswith("sparse") else Array.of(P, "float32")
    rows = np.array([[0.0, 0.5, 0.25, 0.5], *np.abs(X[1:]) / 4], np.float32)
    inputs = {"probabilities": Array.of(rows), "targets": targets}
    call = Call("categorical_cross_entropy", inputs, {"reduction": "sum"}, "float32", differentiate=("probabilities",))
    answer = adapter.evaluate(call)
    under = TruthTable(call).under(answer.convention).targets
    assert_alike(answer.value.to_float64(), under["value"].hi)
    assert_alike(answer.gradients["probabilities"].to_float64(), under["gradient"].hi)
