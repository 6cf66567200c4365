"""ONNX operators on the reference evaluator or ONNX Runtime, as a script writes them. Values only."""

from __future__ import annotations

from harness.core.arrays import Array
from harness.reproduction.example import Code, Example, Inexpressible, laid_out

_OPERATORS = {
    "softmax": "Softmax",
    "log_softmax": "LogSoftmax",
    "softmax_cross_entropy": "SoftmaxCrossEntropyLoss",
    "nll_loss": "NegativeLogLikelihoodLoss",
}


def code(example: Example) -> Code:
    """A model of one node."""
    if example.loss not in _OPERATORS:
        raise Inexpressible(f"ONNX has no operator for {example.loss}")
    example.understands("axis", "class_weights", "ignore_index")
    activation = example.loss in ("softmax", "log_softmax")
    attributes = [f"axis={example.axis}"] if activation else [f"reduction={example.reduction!r}"]
    attributes += [] if activation else example.keyword("ignore_index")
    shapes = [array.shape for array in example.inputs.values()]
    result = shapes[-1] if example.reduction == "none" else ()
    # Equal sizes of a model for any size are one unknown.
    sizes = '[f"n{size}" for size in shape]' if example.mode == "dynamic" else "shape"
    feeds = ", ".join(f'"{name}": {_fed(name, array)}' for name, array in example.arrays.items())
    body = [
        f"feeds = {{{feeds}}}",
        "def typed(name, dtype, shape):",
        "    element = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))",
        f"    return onnx.helper.make_tensor_value_info(name, element, {sizes})",
        "inputs = [typed(name, array.dtype, array.shape) for name, array in feeds.items()]",
        f'node = onnx.helper.make_node("{_OPERATORS[example.loss]}", list(feeds), ["loss"], {", ".join(attributes)})',
        f'output = typed("loss", {_dtype(example.dtype)}, {result})',
        'graph = onnx.helper.make_graph([node], "loss", inputs, [output])',
        'model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)], ir_version=7)',
    ]
    imports = ["import onnx", "import onnx.helper"]
    versions = '"onnx", onnx.__version__, "numpy", np.__version__'
    if example.implementation == "onnxruntime":
        imports.append("import onnxruntime")
        versions = f'"onnxruntime", onnxruntime.__version__, {versions}'
        body += [
            'chosen = ["CPUExecutionProvider"]',
            "session = onnxruntime.InferenceSession(model.SerializeToString(), providers=chosen)",
            "(answer,) = session.run(None, feeds)",
        ]
    else:
        imports += ["import onnx.checker", "import onnx.reference"]
        body += [
            "onnx.checker.check_model(model, full_check=True)",
            "(answer,) = onnx.reference.ReferenceEvaluator(model).run(None, feeds)",
        ]
    imports += ["import ml_dtypes"] if example.dtype == "bfloat16" else []
    body += ["answer = np.asarray(answer)", "dtype = answer.dtype.name"]
    return Code(tuple(imports), tuple(body), versions)


def _fed(name: str, array: Array) -> str:
    return laid_out(f"{name}.astype({_dtype(array.dtype)})", array) if array.is_float else laid_out(name, array)


def _dtype(name: str) -> str:
    return "ml_dtypes.bfloat16" if name == "bfloat16" else f"np.{name}"
