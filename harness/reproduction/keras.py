"""Keras on one of its backends, as a script writes it."""

from __future__ import annotations

from harness.core.arrays import Array
from harness.reproduction import jax, tensorflow, torch
from harness.reproduction.example import Code, Example, Inexpressible, literal

_CLASSES = {
    "sparse_categorical_crossentropy": "SparseCategoricalCrossentropy",
    "categorical_crossentropy": "CategoricalCrossentropy",
    "binary_crossentropy": "BinaryCrossentropy",
    "binary_focal_crossentropy": "BinaryFocalCrossentropy",
    "categorical_focal_crossentropy": "CategoricalFocalCrossentropy",
    "kl_divergence": "KLDivergence",
}

_POLICIES = {"mixed-float16": "mixed_float16", "mixed-bfloat16": "mixed_bfloat16"}


def code(example: Example) -> Code:
    """The function, or the class, of keras.losses; differentiated by the backend."""
    backend = example.implementation.removeprefix("keras-")
    body = example.defined(_expression)
    environment = [f'os.environ["KERAS_BACKEND"] = "{backend}"']
    match backend:
        case "tensorflow":
            imports, run = ["import tensorflow as tf"], tensorflow.run(example)
            version = "tf.__version__"
        case "jax":
            environment += jax.environment()
            imports, run = ["import jax", "import jax.numpy as jnp"], jax.run(example)
            version = "jax.__version__"
        case _:
            imports, run = ["import torch"], _on_torch(example)
            version = "torch.__version__"
    return Code(
        ("import keras", *imports),
        (*body, *run),
        f'"keras", keras.__version__, "{backend}", {version}, "numpy", np.__version__',
        tuple(environment),
    )


def _on_torch(example: Example) -> list[str]:
    return [*torch.tensors(example), *torch.answered(example)]


def _expression(example: Example) -> str:
    axis = f"axis={example.axis}"
    smoothing = example.keyword("label_smoothing")
    match example.loss:
        case "softmax" | "log_softmax" | "logsumexp":
            return f"keras.ops.{example.loss}(logits, {axis})"
        case "softmax_cross_entropy" | "categorical_cross_entropy" | "cross_entropy":
            scores = "logits" if example.loss == "softmax_cross_entropy" else "probabilities"
            from_logits = f"from_logits={scores == 'logits'}"
            if example.targets_are_distributions(scores):
                example.understands("axis", "label_smoothing", "sample_weights")
                return _asked(example, "categorical_crossentropy", scores, [from_logits, axis, *smoothing])
            example.understands("axis", "ignore_index", "sample_weights")
            ignored = example.keyword("ignore_index", "ignore_class")
            return _asked(example, "sparse_categorical_crossentropy", scores, [from_logits, axis, *ignored])
        case "binary_cross_entropy" | "binary_cross_entropy_with_logits":
            scores = "logits" if example.loss.endswith("logits") else "probabilities"
            example.understands("label_smoothing", "sample_weights")
            keywords = [f"from_logits={scores == 'logits'}", *smoothing]
            return _asked(example, "binary_crossentropy", scores, keywords, apart=True)
        case "binary_focal":
            example.understands("alpha", "gamma", "label_smoothing", "sample_weights")
            alpha = [*_alpha(example), "apply_class_balancing=True"] if "alpha" in example.options else []
            keywords = ["from_logits=True", *example.keyword("gamma"), *alpha, *smoothing]
            return _asked(example, "binary_focal_crossentropy", "logits", keywords, apart=True)
        case "categorical_focal":
            example.understands("alpha", "gamma", "axis", "label_smoothing", "sample_weights")
            alpha = _alpha(example) or ["alpha=1.0"]
            keywords = ["from_logits=True", *example.keyword("gamma"), *alpha, axis, *smoothing]
            return _asked(example, "categorical_focal_crossentropy", "logits", keywords)
        case "kl_divergence":
            example.understands("axis", "log_target", "sample_weights")
            targets = "keras.ops.exp(targets)" if example.options.get("log_target") else "targets"
            return _asked(example, "kl_divergence", "keras.ops.exp(log_probabilities)", [], targets=targets)
    raise Inexpressible(f"no template writes {example.loss} for Keras")


def _alpha(example: Example) -> list[str]:
    """Keras takes numbers, no tensor."""
    given = example.options.get("alpha")
    return [f"alpha={literal(given.to_float64().tolist())}"] if isinstance(given, Array) else example.keyword("alpha")


def _activated(example: Example) -> str:
    """The probabilities as the output of an activation of Keras, or of TensorFlow."""
    made_by = "tf.nn" if example.mode == "activated-graph" else "keras.ops"
    if example.loss == "binary_cross_entropy":
        return f"{made_by}.sigmoid(keras.ops.log(probabilities) - keras.ops.log1p(-probabilities))"
    if example.mode != "activated-elsewhere":
        return f"{made_by}.softmax(keras.ops.log(probabilities), axis={example.axis})"
    count = f"keras.ops.arange({example.inputs['probabilities'].shape[-1]}, dtype={example.dtype!r})"
    return f"keras.ops.softmax(keras.ops.log(probabilities) + {count}, axis=0)"


def _asked(
    example: Example,
    function: str,
    scores: str,
    keywords: list[str],
    *,
    apart: bool = False,
    targets: str = "targets",
) -> str:
    weighted = "sample_weights" in example.options
    skips = example.reduction == "mean" and "ignore_index" in example.options
    policy = _POLICIES.get(example.mode)
    uses_class = weighted or skips or policy is not None or example.mode in ("class", "class-typed", "masked")
    if policy is not None:
        scores = f'keras.layers.Activation("linear", dtype={policy!r})({scores})'
    if example.mode == "masked":
        kept = f"keras.ops.not_equal(targets, {example.options['ignore_index']})"
        scores = f"keras.layers.Lambda(lambda x: x, mask={kept}, dtype={example.dtype!r})({scores})"
        targets = f"keras.ops.where({kept}, targets, 0)"
        keywords = [keyword for keyword in keywords if not keyword.startswith("ignore_class")]
    if example.mode in ("activated", "activated-elsewhere", "activated-graph") and scores == "probabilities":
        scores = _activated(example)
    # Binary losses are means over the last axis, unless each element is on a row of its own.
    apart = apart and (example.reduction != "mean" or weighted)
    operands = [f"keras.ops.expand_dims({n}, -1)" if apart else n for n in (targets, scores)]
    if not uses_class:
        rows = f"keras.losses.{function}({', '.join([*operands, *keywords])})"
        return rows if example.reduction == "none" else f"keras.ops.{example.reduction}({rows})"
    by_weights = example.options.get("denominator") == "weights" and weighted
    mean = "mean_with_sample_weight" if by_weights else "sum_over_batch_size"
    reduction = {"none": "none", "sum": "sum", "mean": mean}.get(example.reduction)
    if reduction is None:
        raise Inexpressible(f"no template writes the reduction {example.reduction} for Keras")
    own = [] if example.mode == "class" or policy is not None else [f"dtype={example.dtype!r}"]
    made = ", ".join([f"reduction={reduction!r}", *own, *keywords])
    given = ", ".join([*operands, *(["sample_weight=sample_weights"] if weighted else [])])
    return f"keras.losses.{_CLASSES[function]}({made})({given})"
