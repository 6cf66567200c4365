"""ONNX operators on the reference evaluator or ONNX Runtime, as a script writes them. Values only."""

from __future__ import annotations

from harness.arrays import Array
from harness.reproduction.problem import Code, Inexpressible, Problem

_OPERATORS = {
    "softmax": "Softmax",
    "log_softmax": "LogSoftmax",
    "softmax_cross_entropy": "SoftmaxCrossEntropyLoss",
    "nll_loss": "NegativeLogLikelihoodLoss",
}
_ELEMENTS = {"float64": "DOUBLE", "float32": "FLOAT", "float16": "FLOAT16", "int64": "INT64", "int32": "INT32"}


def code(problem: Problem) -> Code:
    """A model of one node."""
    if problem.loss not in _OPERATORS:
        raise Inexpressible(f"ONNX has no operator for {problem.loss}")
    problem.understands("axis", "class_weights", "ignore_index")
    attributes = (
        [f"axis={problem.axis}"]
        if problem.loss in ("softmax", "log_softmax")
        else [*_reduction(problem), *problem.keyword("ignore_index")]
    )
    body = ["from onnx import TensorProto, helper", "feeds = {}", "inputs = []"]
    for name, array in problem.arrays.items():
        body += _declared(name, array)
    names = [f'"{name}"' for name in problem.arrays]
    body += [
        f"given = [{', '.join(names)}]",
        f'node = helper.make_node("{_OPERATORS[problem.loss]}", given, ["loss"], {", ".join(attributes)})',
        f'output = helper.make_tensor_value_info("loss", TensorProto.{_element(problem.dtype)}, None)',
        'graph = helper.make_graph([node], "loss", inputs, [output])',
        'model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7)',
    ]
    if problem.implementation == "onnxruntime":
        imports: tuple[str, ...] = ("import onnx", "import onnxruntime")
        body += [
            'chosen = ["CPUExecutionProvider"]',
            "session = onnxruntime.InferenceSession(model.SerializeToString(), providers=chosen)",
            "(answer,) = session.run(None, feeds)",
        ]
        versions = '"onnx", onnx.__version__, "onnxruntime", onnxruntime.__version__, "numpy", np.__version__'
    else:
        imports = ("import onnx", "import onnx.reference")
        body.append("(answer,) = onnx.reference.ReferenceEvaluator(model).run(None, feeds)")
        versions = '"onnx", onnx.__version__, "numpy", np.__version__'
    return Code(imports, tuple(body), versions)


def _reduction(problem: Problem) -> list[str]:
    return [f"reduction={problem.reduction!r}"]


def _declared(name: str, array: Array) -> list[str]:
    element = _element(array.dtype)
    typed = f"{name}.astype(np.{array.dtype})"
    info = f'helper.make_tensor_value_info("{name}", TensorProto.{element}, {list(array.shape)})'
    return [f'feeds["{name}"] = {typed}', f"inputs.append({info})"]


def _element(dtype: str) -> str:
    if dtype not in _ELEMENTS:
        raise Inexpressible(f"no template writes {dtype} for ONNX")
    return _ELEMENTS[dtype]
