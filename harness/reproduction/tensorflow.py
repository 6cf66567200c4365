"""TensorFlow, as a script writes it."""

from __future__ import annotations

from harness.reproduction.example import Code, Example, Inexpressible

_V1 = "tf.compat.v1.losses"
_REDUCTIONS = {"none": "NONE", "sum": "SUM", "weights": "MEAN", "count": "SUM_OVER_BATCH_SIZE"}


def code(example: Example) -> Code:
    """The value or the gradient in one function, which tf.function compiles where the mode says so."""
    body = [*example.defined(_expression), *run(example)]
    versions = '"tensorflow", tf.__version__, "numpy", np.__version__'
    deterministic = example.implementation == "tensorflow-deterministic"
    switch = ('os.environ["TF_DETERMINISTIC_OPS"] = "1"',) if deterministic else ()
    return Code(("import tensorflow as tf",), tuple(body), versions, switch)


def run(example: Example) -> list[str]:
    """Statements that call `loss` under a tape."""
    lines = [f"{name}_ = {_tensor(example, name)}" for name in example.arrays]
    inputs = ", ".join(f"{name}_" for name in example.arrays)
    given, handed = inputs, inputs
    if example.mode == "lite":
        return [*lines, *_converted(example)]
    if example.mode == "dynamic":
        lines += [f"{name}_ = tf.cast(tf.constant({name}), tf.{example.dtype})" for name in example.beside]
        given = ", ".join([inputs, *example.beside])
        handed = ", ".join([inputs, *(f"{name}_" for name in example.beside)])
    if example.mode == "vectorized_map":
        lines += _mapped(example)
    lines.append(f"def computed({given}):")
    if example.differentiate is None:
        lines.append(f"    return loss({inputs})")
    elif example.forward:
        by = f"{example.differentiate}_"
        lines.append(f"    with tf.autodiff.ForwardAccumulator({by}, tf.cast(vector, {by}.dtype)) as accumulator:")
        lines += [f"        result = loss({inputs})", "    return accumulator.jvp(result)"]
    else:
        by = f"{example.differentiate}_"
        upstream = "" if example.cotangent is None else ", output_gradients=tf.cast(cotangent, result.dtype)"
        lines += [
            "    with tf.GradientTape() as tape:",
            f"        tape.watch({by})",
            f"        result = loss({inputs})",
        ]
        lines.append(f"    return tape.gradient(result, {by}{upstream})")
        if example.vector is not None:
            direction = "tf.cast(vector, slope.dtype)"
            lines += ["gradient = computed", f"def computed({given}):", "    with tf.GradientTape() as tape:"]
            lines += [f"        tape.watch({by})", f"        slope = gradient({given})"]
            lines.append(f"    return tape.gradient(slope, {by}, output_gradients={direction})")
    if example.mode in ("graph", "xla", "activated-graph"):
        lines.append(f"computed = tf.function(computed, jit_compile={example.mode == 'xla'})")
    if example.mode == "dynamic":
        kinds = f"[tf.TensorSpec([None] * tensor.shape.rank, tensor.dtype) for tensor in ({handed},)]"
        lines.append(f"computed = tf.function(computed, input_signature={kinds})")
    # Of rows that were gathered the gradient is a tensor of some rows.
    found = f"tf.convert_to_tensor(computed({handed}))" if example.mode == "vectorized_map" else f"computed({handed})"
    lines += [f"found = {found}", "dtype = found.dtype.name"]
    return [*lines, "answer = tf.cast(found, tf.float64).numpy()"]


def _mapped(example: Example) -> list[str]:
    """Statements that make `loss` one of a row, mapped over the batch."""
    rows = example.rows()
    row = {name: f"row[{number}]" for number, name in enumerate(rows)}
    arguments = ", ".join(row.get(name, name) for name in example.arrays)
    return [
        "of_row = loss",
        f"def loss({', '.join(example.arrays)}):",
        f"    return tf.vectorized_map(lambda row: of_row({arguments}), ({', '.join(rows)},))",
    ]


def _converted(example: Example) -> list[str]:
    """Statements that convert `loss` and have it interpreted."""
    specs = ", ".join(f"tf.TensorSpec({n}_.shape, {n}_.dtype, name={n!r})" for n in example.arrays)
    return [
        f"given = {{{', '.join(f'{name!r}: {name}_' for name in example.arrays)}}}",
        f"traced = tf.function(lambda *tensors: loss(*tensors)).get_concrete_function({specs})",
        "model = tf.lite.TFLiteConverter.from_concrete_functions([traced]).convert()",
        "interpreter = tf.lite.Interpreter(model_content=model)",
        "interpreter.allocate_tensors()",
        "for place in interpreter.get_input_details():",
        '    interpreter.set_tensor(place["index"], given[place["name"]].numpy())',
        "interpreter.invoke()",
        'answer = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])',
        "dtype = answer.dtype.name",
    ]


def _tensor(example: Example, name: str) -> str:
    if example.arrays[name].is_float:
        return f"tf.cast(tf.constant({name}), tf.{example.arrays[name].dtype})"
    return f"tf.constant({name})"


def _expression(example: Example) -> str:
    match example.loss:
        case "softmax" | "log_softmax":
            return f"tf.nn.{example.loss}(logits, axis={example.axis})"
        case "logsumexp":
            return f"tf.reduce_logsumexp(logits, axis={example.axis})"
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
