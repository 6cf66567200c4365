"""The reference evaluator of ONNX: onnx.reference.ReferenceEvaluator on a model of one node, values only."""

from __future__ import annotations

import os

import numpy as np
import onnx
import onnx.checker
import onnx.reference

from harness.adapters.base import Answer, Call, Description
from harness.adapters.facts import numpy_facts, variables
from harness.adapters.onnx_graphs import LOSSES, OPSET, Graph, answer, prepare, to_model


class OnnxReference:
    """Models are checked with onnx.checker first: the evaluator itself takes any model, valid or not."""

    def __init__(self) -> None:
        self._evaluators: dict[Graph, onnx.reference.ReferenceEvaluator] = {}

    def describe(self) -> Description:
        return Description(
            version=onnx.__version__,
            losses=LOSSES,
            gradients=False,
            versions={"onnx": onnx.__version__, "numpy": np.__version__},
            flags={"opset": str(OPSET), **variables("numpy", os.environ)},
            facts=numpy_facts(),
        )

    def evaluate(self, call: Call) -> Answer:
        prepared = prepare(call)
        if prepared.graph not in self._evaluators:
            model = to_model(prepared.graph)
            onnx.checker.check_model(model, full_check=True)
            self._evaluators[prepared.graph] = onnx.reference.ReferenceEvaluator(model)
        (result,) = self._evaluators[prepared.graph].run(None, dict(prepared.feeds))
        return answer(prepared, result, "onnx.reference.ReferenceEvaluator")
