"""Our calls as ONNX models of one node: shared by what runs ONNX models.

Imports NumPy, ONNX and the adapter contract only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from harness.adapters.base import Answer, Array, Call, Unsupported

LOSSES = ("softmax", "log_softmax", "softmax_cross_entropy", "nll_loss")
OPSET = 13
"""The opset in which all four operators have their present meaning; every runtime since 2020 reads it."""
IR_VERSION = 7
"""The model format that belongs to opset 13."""


DYNAMIC = "dynamic"
"""The mode of models that tell no sizes."""

Shape = tuple[int | str, ...]
"""Sizes, or names of what is known when the model is run."""


@dataclass(frozen=True)
class Graph:
    """One node with its inputs: what tells one model from another."""

    operator: str
    inputs: tuple[tuple[str, str, Shape], ...]
    """(name, dtype, shape) of each, in the order of the operator."""
    attributes: tuple[tuple[str, Any], ...]
    result: tuple[str, Shape]
    """Dtype and shape of the result, by the operator's definition; the checker insists on both."""

    def of_any_size(self) -> Graph:
        """The graph with names for its sizes, equal ones the same."""
        known = dict.fromkeys(size for _, _, shape in self.inputs for size in shape)
        names = {size: f"n{number}" for number, size in enumerate(known)}

        def named(shape: Shape) -> Shape:
            return tuple(names[size] for size in shape)

        inputs = tuple((name, dtype, named(shape)) for name, dtype, shape in self.inputs)
        return replace(self, inputs=inputs, result=(self.result[0], named(self.result[1])))


@dataclass(frozen=True, eq=False)
class Prepared:
    """A graph with the arrays to feed it."""

    graph: Graph
    feeds: Mapping[str, NDArray[Any]]
    convention: Mapping[str, Any] = field(default_factory=dict)


def prepare(call: Call) -> Prepared:
    """The graph for a call; `Unsupported` for what the operators lack."""
    match call.loss:
        case "softmax" | "log_softmax":
            operator = {"softmax": "Softmax", "log_softmax": "LogSoftmax"}[call.loss]
            call.refuse_options_except("axis", of=operator)
            return _prepared(operator, {"logits": call.inputs["logits"]}, {"axis": call.options.get("axis", -1)})
        case "softmax_cross_entropy":
            return _loss("SoftmaxCrossEntropyLoss", "logits", call)
        case "nll_loss":
            if call.dtype == "bfloat16":
                raise Unsupported("NegativeLogLikelihoodLoss admits no bfloat16")
            return _loss("NegativeLogLikelihoodLoss", "log_probabilities", call)
        case other:
            raise Unsupported(f"ONNX has no operator for {other}")


def _loss(operator: str, scores: str, call: Call) -> Prepared:
    call.refuse_options_except("reduction", "denominator", "axis", "class_weights", "ignore_index", of=operator)
    rank = len(call.inputs[scores].shape)
    if call.options.get("axis", -1) not in (1, 1 - rank):
        raise Unsupported(f"{operator} has no axis: its classes are on axis 1")
    if call.inputs["targets"].is_float or call.inputs["targets"].shape == call.inputs[scores].shape:
        raise Unsupported(f"{operator} takes integer labels, no distributions")
    inputs = {scores: call.inputs[scores], "targets": call.inputs["targets"]}
    if "class_weights" in call.options:
        inputs["class_weights"] = call.options["class_weights"]
    attributes = {"reduction": call.options["reduction"]}
    if call.options.get("ignore_index") is not None:
        attributes["ignore_index"] = int(call.options["ignore_index"])
    own = "weights" if "class_weights" in inputs else "valid" if "ignore_index" in attributes else "count"
    asked = call.options.get("denominator", own)
    return _prepared(operator, inputs, attributes, {} if asked == own else {"denominator": own})


def _prepared(
    operator: str,
    arrays: Mapping[str, Array],
    attributes: Mapping[str, Any],
    convention: Mapping[str, Any] | None = None,
) -> Prepared:
    inputs = tuple((name, array.dtype, array.shape) for name, array in arrays.items())
    unreduced = inputs[1][2] if "targets" in arrays else inputs[0][2]
    shape = unreduced if attributes.get("reduction", "none") == "none" else ()
    graph = Graph(operator, inputs, tuple(sorted(attributes.items())), (inputs[0][1], shape))
    feeds = {name: array.storage.view(numpy_type(array.dtype)) for name, array in arrays.items()}
    return Prepared(graph, feeds, convention or {})


def numpy_type(dtype: str) -> np.dtype[Any]:
    if dtype != "bfloat16":
        return np.dtype(dtype)
    import ml_dtypes  # which onnx brings since 1.17: whoever takes no bfloat16 needs none

    return np.dtype(ml_dtypes.bfloat16)


def to_model(graph: Graph) -> onnx.ModelProto:
    """The model, for exactly the shapes of the graph."""

    def typed(name: str, dtype: str, shape: Shape) -> onnx.ValueInfoProto:
        element = onnx.helper.np_dtype_to_tensor_dtype(numpy_type(dtype))
        return onnx.helper.make_tensor_value_info(name, element, shape)

    names = [name for name, _, _ in graph.inputs]
    node = onnx.helper.make_node(graph.operator, names, ["loss"], **dict(graph.attributes))
    inputs = [typed(*described) for described in graph.inputs]
    return onnx.helper.make_model(
        onnx.helper.make_graph([node], graph.operator, inputs, [typed("loss", *graph.result)]),
        opset_imports=[onnx.helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )


def answer(prepared: Prepared, result: Any, runner: str) -> Answer:
    """The answer of `runner` (the public class that ran the model)."""
    raw = np.asarray(result)
    name = raw.dtype.name
    value = Array(name, raw.view(np.uint16) if name == "bfloat16" else raw)
    operator = prepared.graph.operator
    return Answer(value, f"{runner}({operator})", convention=dict(prepared.convention) or None)
