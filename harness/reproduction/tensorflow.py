"""TensorFlow, as a script writes it."""

from __future__ import annotations

from harness.reproduction.problem import Code, Inexpressible, Problem

_V1 = "tf.compat.v1.losses"
_REDUCTIONS = {"none": "NONE", "sum": "SUM", "weights": "MEAN", "count": "SUM_OVER_BATCH_SIZE"}


def code(problem: Problem) -> Code:
    """The value or the gradient in one function, which tf.function compiles where the mode says so."""
    body = [f"def loss({', '.join(problem.arrays)}):", f"    return {_expression(problem)}"]
    body += run(problem)
    return Code(("import tensorflow as tf",), tuple(body), '"tensorflow", tf.__version__, "numpy", np.__version__')


def run(problem: Problem) -> list[str]:
    """Statements that call `loss` under a tape."""
    tensors = [f"{name}_ = {_tensor(problem, name)}" for name in problem.arrays]
    names = [f"{name}_" for name in problem.arrays]
    given = ", ".join(names)
    lines = [*tensors, f"def computed({given}):"]
    if problem.differentiate is None:
        lines.append(f"    return loss({given})")
    else:
        by = f"{problem.differentiate}_"
        upstream = "" if problem.cotangent is None else ", output_gradients=tf.cast(cotangent, result.dtype)"
        lines += ["    with tf.GradientTape() as tape:", f"        tape.watch({by})", f"        result = loss({given})"]
        lines.append(f"    return tape.gradient(result, {by}{upstream})")
        if problem.vector is not None:
            direction = "tf.cast(vector, slope.dtype)"
            lines += ["gradient = computed", f"def computed({given}):", "    with tf.GradientTape() as tape:"]
            lines += [f"        tape.watch({by})", f"        slope = gradient({given})"]
            lines.append(f"    return tape.gradient(slope, {by}, output_gradients={direction})")
    if problem.mode in ("graph", "xla"):
        lines.append(f"computed = tf.function(computed, jit_compile={problem.mode == 'xla'})")
    lines += [f"found = computed({given})", "dtype = found.dtype.name"]
    return [*lines, "answer = tf.cast(found, tf.float64).numpy()"]


def _tensor(problem: Problem, name: str) -> str:
    if problem.arrays[name].is_float:
        return f"tf.cast(tf.constant({name}), tf.{problem.dtype})"
    return f"tf.constant({name})"


def _expression(problem: Problem) -> str:
    match problem.loss:
        case "softmax" | "log_softmax":
            return f"tf.nn.{problem.loss}(logits, axis={problem.axis})"
        case "entropy" | "cross_entropy" | "categorical_cross_entropy":
            problem.understands("axis")
            weights = "probabilities" if problem.loss == "entropy" else "targets"
            rows = f"-tf.reduce_sum(tf.math.xlogy({weights}, probabilities), {problem.axis})"
            return _reduced(problem, rows)
        case "softmax_cross_entropy":
            return _softmax_cross_entropy(problem)
        case "binary_cross_entropy_with_logits":
            if _wants_v1(problem):
                return _v1(problem, "sigmoid_cross_entropy", "logits")
            if "pos_weight" in problem.options:
                weight = problem.keyword("pos_weight")[0]
                rows = f"tf.nn.weighted_cross_entropy_with_logits(labels=targets, logits=logits, {weight})"
                return _reduced(problem, rows)
            return _reduced(problem, "tf.nn.sigmoid_cross_entropy_with_logits(labels=targets, logits=logits)")
        case "binary_cross_entropy":
            return _v1(problem, "log_loss", "predictions", "probabilities")
    raise Inexpressible(f"no template writes {problem.loss} for TensorFlow")


def _softmax_cross_entropy(problem: Problem) -> str:
    problem.understands("axis", "sample_weights", "label_smoothing")
    if not problem.targets_are_distributions("logits"):
        if _wants_v1(problem):
            return _v1(problem, "sparse_softmax_cross_entropy", "logits")
        return _reduced(problem, "tf.nn.sparse_softmax_cross_entropy_with_logits(labels=targets, logits=logits)")
    if _wants_v1(problem):
        return _v1(problem, "softmax_cross_entropy", "logits")
    axis = f"axis={problem.axis}"
    return _reduced(problem, f"tf.nn.softmax_cross_entropy_with_logits(labels=targets, logits=logits, {axis})")


def _wants_v1(problem: Problem) -> bool:
    return problem.mode == "v1" or "sample_weights" in problem.options or "label_smoothing" in problem.options


def _v1(problem: Problem, function: str, keyword: str, scores: str = "logits") -> str:
    problem.understands("axis", "sample_weights", "label_smoothing")
    asked = problem.reduction
    asked = str(problem.options.get("denominator", "count")) if asked == "mean" else asked
    by_default = problem.reduction == "mean" and (problem.mode == "v1" or asked == "valid")
    name = "SUM_BY_NONZERO_WEIGHTS" if by_default else _REDUCTIONS[asked]
    keywords = [
        *problem.keyword("sample_weights", "weights"),
        *problem.keyword("label_smoothing"),
        f"reduction={_V1}.Reduction.{name}",
    ]
    return f"{_V1}.{function}(targets, {keyword}={scores}, {', '.join(keywords)})"


def _reduced(problem: Problem, rows: str) -> str:
    return rows if problem.reduction == "none" else f"tf.reduce_{problem.reduction}({rows})"
