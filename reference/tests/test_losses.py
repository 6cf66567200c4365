"""The named functions: each is `evaluate` of its name, documented, and refuses what is not allowed in words."""

from __future__ import annotations

import inspect
import re
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import reference
from reference import losses

X, P = [[1.0, 2.0, 3.0], [0.5, -1.0, 4.0]], [[0.2, 0.3, 0.5], [0.7, 0.2, 0.1]]
CALLS: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {
    "entropy": ((P,), {"base": 2.0, "reduction": "sum"}),
    "softmax": ((X,), {"axis": 0}),
    "log_softmax": ((X,), {"cotangent": np.ones((2, 3))}),
    "logsumexp": ((X,), {"axis": 0, "cotangent": np.ones(3)}),
    "cross_entropy": ((P, P[::-1]), {"reduction": "none"}),
    "kl_divergence": ((P, np.log(P[::-1])), {"reduction": "batchmean"}),
    "jensen_shannon": ((P, P[::-1]), {"base": 2.0, "beta": 0.25}),
    "bernoulli_kl": ((P, P[::-1]), {"sample_weights": P}),
    "soft_margin": ((X, P), {"reduction": "sum"}),
    "nll_loss": ((np.log(P), [0, 2]), {"class_weights": [1.0, 2.0, 3.0]}),
    "categorical_cross_entropy": ((P, [0, 2]), {"convention": "clip(1e-7)", "ignore_index": 2}),
    "softmax_cross_entropy": ((X, P), {"label_smoothing": 0.1, "vector": P}),
    "binary_cross_entropy": ((P, P[::-1]), {"sample_weights": P}),
    "binary_cross_entropy_with_logits": ((X, P), {"pos_weight": 3.0, "vector": X}),
    "binary_focal": ((X, P), {"alpha": 0.25}),
    "categorical_focal": ((X, [0, 2]), {"gamma": 1.0}),
    "linear_cross_entropy": ((P, [[1.0, 2.0], [0.0, 1.0], [3.0, -1.0]], [0, 1]), {"bias": [0.5, 0.0]}),
    "linear_jensen_shannon": ((P, np.eye(3), X, np.eye(3), [0, -1]), {"ignore_index": -1, "beta": 0.25}),
}
ABOUT_THE_CALL = ("convention", "cotangent", "vector")


def test_there_is_one_function_for_every_loss() -> None:
    public = {name for name, _ in inspect.getmembers(losses, inspect.isfunction) if not name.startswith("_")}
    assert public - {"evaluate"} == set(reference.LOSSES) == set(CALLS)


@pytest.mark.parametrize("name", CALLS)
def test_a_function_is_evaluate_of_its_name(name: str) -> None:
    function: Callable[..., reference.Evaluation] = getattr(losses, name)
    positional, named = CALLS[name]
    parameters = list(inspect.signature(function).parameters)
    inputs = dict(zip(parameters, positional, strict=False))
    inputs |= {n: v for n, v in named.items() if n in reference.LOSSES[name].inputs}
    options = {n: v for n, v in named.items() if n not in (*inputs, *ABOUT_THE_CALL)}
    about = {n: named[n] for n in ABOUT_THE_CALL if n in named}
    mine, theirs = function(*positional, **named), reference.evaluate(name, inputs, options, **about)
    assert np.array_equal(mine.value.hi, theirs.value.hi)
    for wrt, gradient in theirs.gradients.items():
        assert np.array_equal(mine.gradients[wrt].hi, gradient.hi)


@pytest.mark.parametrize("name", CALLS)
def test_a_function_takes_every_input_and_option_of_its_loss_and_says_what_it_computes(name: str) -> None:
    function, signature = getattr(losses, name), reference.LOSSES[name]
    parameters = set(inspect.signature(function).parameters)
    assert set(signature.inputs) | set(signature.options) <= parameters
    assert function.__doc__ is not None
    assert re.search("[Σ∂σ−^]|softmax", function.__doc__)


HEADS = {"hidden": [[1.0]], "weight": [[1.0, 2.0]], "target_hidden": [[2.0]], "target_weight": [[0.0, 1.0]]}
REFUSED: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    ("entropy", {"probabilities": [1.5, -0.5]}, {}, r"probabilities\[0\] = .*1\.5.*\[0, 1\]"),
    ("entropy", {"probabilities": 0.5}, {}, "probabilities: expected at least one axis"),
    ("softmax", {"logits": X}, {"axis": 2}, "axis 2: logits has 2 axes, expected -2 to 1"),
    ("softmax", {"logits": X}, {"reduction": "mean"}, "option 'reduction' is not known"),
    ("softmax", {"logits": np.zeros((2, 0))}, {}, r"logits has shape \(2, 0\): expected at least one class"),
    ("log_softmax", {"logits": ["a"]}, {}, "logits: expected numbers"),
    ("cross_entropy", {"targets": [P[0]], "probabilities": P}, {}, r"targets has shape \(1, 3\): expected \(2, 3\)"),
    ("cross_entropy", {"targets": P}, {}, "input probabilities is absent"),
    ("kl_divergence", {"targets": [[-0.1, 1.1]], "log_probabilities": [[-1.0, -1.0]]}, {}, "targets: .* at least 0"),
    ("kl_divergence", {"targets": P, "log_probabilities": P}, {"log_target": 1}, "log_target = 1: expected true"),
    ("nll_loss", {"log_probabilities": P, "targets": [0.0, 1.0]}, {}, "targets"),
    ("nll_loss", {"log_probabilities": P, "targets": [0, 3]}, {}, r"targets\[1\] = 3: .*0 to 2"),
    ("categorical_cross_entropy", {"probabilities": P, "targets": [[0], [1]]}, {}, r"shape \(2, 1\): expected \(2,\)"),
    (
        "categorical_cross_entropy",
        {"probabilities": P, "targets": [0, 1]},
        {"class_weights": [1.0, 2.0]},
        r"class_weights has shape \(2,\): expected \(3,\)",
    ),
    ("softmax_cross_entropy", {"logits": X, "targets": [0, -1]}, {}, r"targets\[1\] = -1"),
    ("softmax_cross_entropy", {"logits": X, "targets": [0, 1]}, {"label_smoothing": 1.5}, "label_smoothing = 1.5"),
    ("softmax_cross_entropy", {"logits": X, "targets": [0, 1]}, {"reduction": "avg"}, "reduction 'avg'"),
    ("softmax_cross_entropy", {"logits": X, "targets": [0, 1]}, {"temperature": 2.0}, "option 'temperature'"),
    ("softmax_cross_entropy", {"logits": X, "targets": [0, 1]}, {"denominator": "n"}, "denominator 'n'"),
    ("softmax_cross_entropy", {"logits": X, "targets": P}, {"ignore_index": 0}, "ignore_index: distributions"),
    ("softmax_cross_entropy", {"logits": X, "targets": [0, 1]}, {"sample_weights": [1.0]}, "sample_weights has shape"),
    ("binary_cross_entropy", {"probabilities": [0.5], "targets": [1.5]}, {}, r"targets\[0\] = .*1\.5"),
    ("binary_cross_entropy", {"probabilities": [0.5, 0.5], "targets": [1.0]}, {}, "nothing is broadcast"),
    ("binary_cross_entropy_with_logits", {"logits": X, "targets": P}, {"pos_weight": [1.0, 2.0]}, "pos_weight has"),
    ("binary_focal", {"logits": X, "targets": P}, {"gamma": -1.0}, "gamma = -1.0"),
    ("binary_focal", {"logits": X, "targets": P}, {"alpha": 2.0}, "alpha = 2.0"),
    ("categorical_focal", {"logits": X, "targets": [0, 1]}, {"alpha": [1.0, 2.0]}, r"alpha has shape \(2,\)"),
    ("linear_cross_entropy", {"hidden": P, "weight": P, "targets": [0, 1]}, {}, "hidden has shape .* and weight"),
    (
        "linear_jensen_shannon",
        {**HEADS, "target_hidden": [[1.0], [2.0]]},
        {},
        r"target_hidden has rows of shape \(2,\): expected \(1,\)",
    ),
    ("linear_jensen_shannon", {**HEADS, "target_weight": [[1.0]]}, {}, "target_weight has 1 classes: expected 2"),
    ("linear_jensen_shannon", HEADS, {"ignore_index": -1}, "ignore_index is for targets, which are absent"),
    ("linear_jensen_shannon", {**HEADS, "targets": [2]}, {}, r"targets\[0\] = 2: expected a label from 0 to 1"),
    ("no_loss", {}, {}, "loss 'no_loss' is not known: there are entropy"),
]


@pytest.mark.parametrize(("name", "inputs", "options", "says"), REFUSED)
def test_what_is_not_allowed_is_refused_by_name_with_what_is(
    name: str, inputs: dict[str, Any], options: dict[str, Any], says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        reference.evaluate(name, {n: np.asarray(v) for n, v in inputs.items()}, options)


@pytest.mark.parametrize(
    ("name", "convention", "shape", "says"),
    [
        ("softmax_cross_entropy", None, (3,), r"vector has shape \(3,\): expected \(2, 3\)"),
        ("softmax_cross_entropy", "finite_zero_mean", (2, 3), "not under finite_zero_mean"),
        ("soft_margin", None, (2, 3), "soft_margin has no second derivatives"),
    ],
)
def test_a_vector_that_makes_no_product_is_refused(
    name: str, convention: str | None, shape: tuple[int, ...], says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        reference.evaluate(name, {"logits": X, "targets": P}, {}, convention, vector=np.ones(shape))


FIRST = {
    "softmax_cross_entropy": "logits",
    "binary_cross_entropy_with_logits": "logits",
    "categorical_focal": "logits",
    "kl_divergence": "logits",
    "linear_cross_entropy": "hidden",
}
"""The input that is differentiated twice, by loss."""


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(sorted(FIRST)))
def test_a_hessian_vector_product_is_the_derivative_of_the_gradient(seed: int, name: str) -> None:
    """A central difference of exact gradients: its own error is some step² of the third derivative."""
    random = np.random.default_rng(seed)
    x, q, v = random.normal(size=(2, 3)), random.random((2, 3)), random.normal(size=(2, 3))
    others = {"target_logits": q} if name == "kl_divergence" else {"targets": q}
    options: dict[str, Any] = {"reduction": "sum"}
    if name == "linear_cross_entropy":
        others["weight"] = random.normal(size=(3, 3))
    if name != "kl_divergence":
        options["label_smoothing"] = 0.1
    first, step = FIRST[name], 2.0**-17
    product = reference.evaluate(name, {first: x, **others}, options, vector=v).hessian_vector
    up, down = (
        reference.evaluate(name, {first: x + side * step * v, **others}, options).gradients[first].hi
        for side in (1, -1)
    )
    assert product is not None
    assert np.allclose(product.hi, (up - down) / (2 * step), rtol=0, atol=1e-8)


@pytest.mark.parametrize("shape", [(1000, 10), (4, 50_257)])
@pytest.mark.parametrize("name", ["softmax_cross_entropy", "log_softmax", "categorical_focal"])
def test_memory_is_at_most_twelve_times_the_input(name: str, shape: tuple[int, int]) -> None:
    """Twelve is the reference's promise; a block of rows takes five of it, the results up to six."""
    random = np.random.default_rng(5)
    inputs: dict[str, Any] = {"logits": random.normal(size=shape)}
    if name != "log_softmax":
        inputs["targets"] = random.integers(0, shape[1], shape[0])
    reference.evaluate(name, {n: array[:1] for n, array in inputs.items()})  # tables are made on first use
    tracemalloc.start()
    try:
        reference.evaluate(name, inputs)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    allowed = 12 * sum(array.nbytes for array in inputs.values())
    # A row is never cut: with few rows of very many classes the block is a row, forty arrays of it.
    assert peak <= allowed + (40 * 8 * shape[1] if shape[0] < 8 else 0)


@pytest.mark.parametrize("rows", [1, 5, 3000])
def test_blocks_of_rows_change_nothing(rows: int) -> None:
    """3000 rows of seven classes fill more than one block; every row has to be what it is alone."""
    random = np.random.default_rng(3)
    x, labels = random.normal(size=(rows, 7)) * 5, random.integers(0, 7, rows)
    together = reference.evaluate("softmax_cross_entropy", {"logits": x, "targets": labels}, {"reduction": "none"})
    for row in {0, rows // 2, rows - 1}:
        inputs = {"logits": x[[row]], "targets": labels[[row]]}
        alone = reference.evaluate("softmax_cross_entropy", inputs, {"reduction": "none"})
        assert together.value.hi[row] == alone.value.hi[0]
        assert np.array_equal(together.gradients["logits"].lo[row], alone.gradients["logits"].lo[0])


@pytest.mark.parametrize("shape", [(), (1,), (3,), (1, 3), (2, 1), (2, 3)])
@pytest.mark.parametrize("option", ["sample_weights", "pos_weight"])
def test_weights_of_binary_losses_are_repeated(option: str, shape: tuple[int, ...]) -> None:
    z, t = np.array([[1.0, -2.0, 0.5], [3.0, 0.25, -1.0]]), np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]])
    w = np.arange(1.0, 1.0 + np.prod(shape, dtype=int)).reshape(shape)
    of = [
        reference.evaluate(
            "binary_cross_entropy_with_logits",
            {"logits": z, "targets": t},
            {option: given, "denominator": "weights"},
        )
        for given in (w, np.broadcast_to(w, z.shape))
    ]
    for name in ("logits", "targets"):
        assert np.array_equal(of[0].gradients[name].hi, of[1].gradients[name].hi)
    assert float(of[0].value) == float(of[1].value)


@pytest.mark.parametrize("shape", [(2,), (3, 1), (2, 2, 3), (0,)])
def test_weights_that_do_not_fit_or_would_make_more_elements_are_refused(shape: tuple[int, ...]) -> None:
    p = np.full((2, 3), 0.5)
    with pytest.raises(ValueError, match=r"expected one that broadcasts to \(2, 3\)"):
        losses.binary_cross_entropy(p, p, sample_weights=np.ones(shape))


def test_a_distillation_is_that_of_the_logits_of_the_rows_that_count() -> None:
    chance = np.random.default_rng(5)
    heads: dict[str, Any] = {n: chance.normal(size=s) for n, s in {"hidden": (4, 2), "weight": (2, 3)}.items()}
    teacher: dict[str, Any] = {
        n: chance.normal(size=s) for n, s in {"target_hidden": (4, 5), "target_weight": (5, 3)}.items()
    }
    options: dict[str, Any] = {"beta": 0.25, "logit_scale": 0.5}
    fused = losses.linear_jensen_shannon(**heads, **teacher, targets=[0, 9, 2, 9], ignore_index=9, **options)
    kept = [0, 2]
    logits, target = heads["hidden"][kept] @ heads["weight"], teacher["target_hidden"][kept] @ teacher["target_weight"]
    plain = losses.jensen_shannon(target_logits=target, logits=logits, **options)
    np.testing.assert_allclose(fused.value, plain.value, rtol=1e-13)
    slope = np.asarray(plain.gradients["logits"])
    np.testing.assert_allclose(fused.gradients["weight"], heads["hidden"][kept].T @ slope, rtol=1e-12)
    np.testing.assert_allclose(np.asarray(fused.gradients["hidden"])[kept], slope @ heads["weight"].T, rtol=1e-12)
    assert not np.asarray(fused.gradients["hidden"])[[1, 3]].any()
