"""TensorFlow, as a script writes it."""

from __future__ import annotations

from harness.reproduction.example import Code, Example, Inexpressible

_V1 = "tf.compat.v1.losses"
_REDUCTIONS = {"none": "NONE", "sum": "SUM", "weights": "MEAN", "count": "SUM_OVER_BATCH_SIZE"}


def code(example: Example) -> Code:
    """The value or the gradient in one function, which tf.function compiles where the mode says so."""
    body = [f"def loss({', '.join(example.arrays)}):", f"    return {_expression(example)}"]
    body += run(example)
    return Code(("import tensorflow as tf",), tuple(body), '"tensorflow", tf.__version__, "numpy", np.__version__')


def run(example: Example) -> list[str]:
    """Statements that call `loss` under a tape."""
    tensors = [f"{name}_ = {_tensor(example, name)}" for name in example.arrays]
    names = [f"{name}_" for name in example.arrays]
    given = ", ".join(names)
    lines = [*tensors, f"def computed({given}):"]
    if example.differentiate is None:
        lines.append(f"    return loss({given})")
    elif example.forward:
        by = f"{example.differentiate}_"
        lines.append(f"    with tf.autodiff.ForwardAccumulator({by}, tf.cast(vector, {by}.dtype)) as accumulator:")
        lines += [f"        result = loss({given})", "    return accumulator.jvp(result)"]
    else:
        by = f"{example.differentiate}_"
        upstream = "" if example.cotangent is None else ", output_gradients=tf.cast(cotangent, result.dtype)"
        lines += ["    with tf.GradientTape() as tape:", f"        tape.watch({by})", f"        result = loss({given})"]
        lines.append(f"    return tape.gradient(result, {by}{upstream})")
        if example.vector is not None:
            direction = "tf.cast(vector, slope.dtype)"
            lines += ["gradient = computed", f"def computed({given}):", "    with tf.GradientTape() as tape:"]
            lines += [f"        tape.watch({by})", f"        slope = gradient({given})"]
            lines.append(f"    return tape.gradient(slope, {by}, output_gradients={direction})")
    if example.mode in ("graph", "xla"):
        lines.append(f"computed = tf.function(computed, jit_compile={example.mode == 'xla'})")
    lines += [f"found = computed({given})", "dtype = found.dtype.name"]
    return [*lines, "answer = tf.cast(found, tf.float64).numpy()"]


def _tensor(example: Example, name: str) -> str:
    if example.arrays[name].is_float:
        return f"tf.cast(tf.constant({name}), tf.{example.dtype})"
    return f"tf.constant({name})"


def _expression(example: Example) -> str:
    match example.loss:
        case "softmax" | "log_softmax":
            return f"tf.nn.{example.loss}(logits, axis={example.axis})"
        case "entropy" | "cross_entropy" | "categorical_cross_entropy":
            example.understands("axis")
            weights = "probabilities" if example.loss == "entropy" else "targets"
            rows = f"-tf.reduce_sum(tf.math.xlogy({weights}, probabilities), {example.axis})"
            return _reduced(example, rows)
        case "softmax_cross_entropy":
            return _softmax_cross_entropy(example)
        case "binary_cross_entropy_with_logits":
            if _wants_v1(example):
                return _v1(example, "sigmoid_cross_entropy", "logits")
            if "pos_weight" in example.options:
                weight = example.keyword("pos_weight")[0]
                rows = f"tf.nn.weighted_cross_entropy_with_logits(labels=targets, logits=logits, {weight})"
                return _reduced(example, rows)
            return _reduced(example, "tf.nn.sigmoid_cross_entropy_with_logits(labels=targets, logits=logits)")
        case "binary_cross_entropy":
            return _v1(example, "log_loss", "predictions", "probabilities")
    raise Inexpressible(f"no template writes {example.loss} for TensorFlow")


def _softmax_cross_entropy(example: Example) -> str:
    example.understands("axis", "sample_weights", "label_smoothing")
    if not example.targets_are_distributions("logits"):
        if _wants_v1(example):
            return _v1(example, "sparse_softmax_cross_entropy", "logits")
        return _reduced(example, "tf.nn.sparse_softmax_cross_entropy_with_logits(labels=targets, logits=logits)")
    if _wants_v1(example):
        return _v1(example, "softmax_cross_entropy", "logits")
    axis = f"axis={example.axis}"
    return _reduced(example, f"tf.nn.softmax_cross_entropy_with_logits(labels=targets, logits=logits, {axis})")


def _wants_v1(example: Example) -> bool:
    return example.mode == "v1" or "sample_weights" in example.options or "label_smoothing" in example.options


def _v1(example: Example, function: str, keyword: str, scores: str = "logits") -> str:
    example.understands("axis", "sample_weights", "label_smoothing")
    asked = example.reduction
    asked = str(example.options.get("denominator", "count")) if asked == "mean" else asked
    by_default = example.reduction == "mean" and (example.mode == "v1" or asked == "valid")
    if not by_default and asked not in _REDUCTIONS:
        raise Inexpressible(f"no template writes the denominator {asked} for TensorFlow")
    name = "SUM_BY_NONZERO_WEIGHTS" if by_default else _REDUCTIONS[asked]
    keywords = [
        *example.keyword("sample_weights", "weights"),
        *example.keyword("label_smoothing"),
        f"reduction={_V1}.Reduction.{name}",
    ]
    return f"{_V1}.{function}(targets, {keyword}={scores}, {', '.join(keywords)})"


def _reduced(example: Example, rows: str) -> str:
    return rows if example.reduction == "none" else f"tf.reduce_{example.reduction}({rows})"
