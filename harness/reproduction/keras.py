"""Keras on one of its backends, as a script writes it."""

from __future__ import annotations

from harness.core.arrays import Array
from harness.reproduction import jax, tensorflow, torch
from harness.reproduction.problem import Code, Inexpressible, Problem, literal

_CLASSES = {
    "sparse_categorical_crossentropy": "SparseCategoricalCrossentropy",
    "categorical_crossentropy": "CategoricalCrossentropy",
    "binary_crossentropy": "BinaryCrossentropy",
    "binary_focal_crossentropy": "BinaryFocalCrossentropy",
    "categorical_focal_crossentropy": "CategoricalFocalCrossentropy",
    "kl_divergence": "KLDivergence",
}


def code(problem: Problem) -> Code:
    """The function, or the class, of keras.losses; differentiated by the backend."""
    backend = problem.implementation.removeprefix("keras-")
    body = [f"def loss({', '.join(problem.arrays)}):", f"    return {_expression(problem)}"]
    environment = [f'os.environ["KERAS_BACKEND"] = "{backend}"']
    match backend:
        case "tensorflow":
            imports, run = ["import tensorflow as tf"], tensorflow.run(problem)
            version = "tf.__version__"
        case "jax":
            environment += jax.environment()
            imports, run = ["import jax", "import jax.numpy as jnp"], jax.run(problem)
            version = "jax.__version__"
        case _:
            imports, run = ["import torch"], _on_torch(problem)
            version = "torch.__version__"
    return Code(
        ("import keras", *imports),
        (*body, *run),
        f'"keras", keras.__version__, "{backend}", {version}, "numpy", np.__version__',
        tuple(environment),
    )


def _on_torch(problem: Problem) -> list[str]:
    return [
        *torch.tensors(problem),
        f"result = loss({', '.join(f'{name}_' for name in problem.arrays)})",
        *torch.answered(problem),
    ]


def _expression(problem: Problem) -> str:
    axis = f"axis={problem.axis}"
    smoothing = problem.keyword("label_smoothing")
    match problem.loss:
        case "softmax" | "log_softmax":
            return f"keras.ops.{problem.loss}(logits, {axis})"
        case "softmax_cross_entropy" | "categorical_cross_entropy" | "cross_entropy":
            scores = "logits" if problem.loss == "softmax_cross_entropy" else "probabilities"
            from_logits = f"from_logits={scores == 'logits'}"
            if problem.targets_are_distributions(scores):
                problem.understands("axis", "label_smoothing", "sample_weights")
                return _asked(problem, "categorical_crossentropy", scores, [from_logits, axis, *smoothing])
            problem.understands("axis", "ignore_index", "sample_weights")
            ignored = problem.keyword("ignore_index", "ignore_class")
            return _asked(problem, "sparse_categorical_crossentropy", scores, [from_logits, axis, *ignored])
        case "binary_cross_entropy" | "binary_cross_entropy_with_logits":
            scores = "logits" if problem.loss.endswith("logits") else "probabilities"
            problem.understands("label_smoothing", "sample_weights")
            keywords = [f"from_logits={scores == 'logits'}", *smoothing]
            return _asked(problem, "binary_crossentropy", scores, keywords, apart=True)
        case "binary_focal":
            problem.understands("alpha", "gamma", "sample_weights")
            alpha = [*_alpha(problem), "apply_class_balancing=True"] if "alpha" in problem.options else []
            keywords = ["from_logits=True", *problem.keyword("gamma"), *alpha]
            return _asked(problem, "binary_focal_crossentropy", "logits", keywords, apart=True)
        case "categorical_focal":
            problem.understands("alpha", "gamma", "axis", "sample_weights")
            alpha = _alpha(problem) or ["alpha=1.0"]
            keywords = ["from_logits=True", *problem.keyword("gamma"), *alpha, axis]
            return _asked(problem, "categorical_focal_crossentropy", "logits", keywords)
        case "kl_divergence":
            problem.understands("axis", "log_target", "sample_weights")
            targets = "keras.ops.exp(targets)" if problem.options.get("log_target") else "targets"
            return _asked(problem, "kl_divergence", "keras.ops.exp(log_probabilities)", [], targets=targets)
    raise Inexpressible(f"no template writes {problem.loss} for Keras")


def _alpha(problem: Problem) -> list[str]:
    """Keras takes numbers, no tensor."""
    given = problem.options.get("alpha")
    return [f"alpha={literal(given.to_float64().tolist())}"] if isinstance(given, Array) else problem.keyword("alpha")


def _asked(
    problem: Problem,
    function: str,
    scores: str,
    keywords: list[str],
    *,
    apart: bool = False,
    targets: str = "targets",
) -> str:
    weighted = "sample_weights" in problem.options
    skips = problem.reduction == "mean" and "ignore_index" in problem.options
    uses_class = problem.mode == "class" or weighted or skips
    # Binary losses are means over the last axis, unless each element is on a row of its own.
    apart = apart and (problem.reduction != "mean" or weighted)
    operands = [f"keras.ops.expand_dims({n}, -1)" if apart else n for n in (targets, scores)]
    if not uses_class:
        rows = f"keras.losses.{function}({', '.join([*operands, *keywords])})"
        return rows if problem.reduction == "none" else f"keras.ops.{problem.reduction}({rows})"
    by_weights = problem.options.get("denominator") == "weights" and weighted
    mean = "mean_with_sample_weight" if by_weights else "sum_over_batch_size"
    reduction = {"none": "none", "sum": "sum", "mean": mean}[problem.reduction]
    own = [] if problem.mode == "class" else [f"dtype={problem.dtype!r}"]
    made = ", ".join([f"reduction={reduction!r}", *own, *keywords])
    given = ", ".join([*operands, *(["sample_weight=sample_weights"] if weighted else [])])
    return f"keras.losses.{_CLASSES[function]}({made})({given})"
