"""ONNX Runtime: onnxruntime.InferenceSession on a model of one node, on the CPU, one thread, values only."""

from __future__ import annotations

import onnx
import onnxruntime

from harness.adapters.base import Answer, Call, Description
from harness.adapters.onnx_graphs import LOSSES, OPSET, Graph, answer, prepare, to_model

_PROVIDER = "CPUExecutionProvider"


class OnnxRuntime:
    def __init__(self) -> None:
        self._sessions: dict[Graph, onnxruntime.InferenceSession] = {}

    def describe(self) -> Description:
        return Description(
            version=onnxruntime.__version__,
            losses=LOSSES,
            dtypes=("float64", "float32", "float16"),  # no CPU kernel of these operators takes bfloat16
            gradients=False,
            versions={"onnxruntime": onnxruntime.__version__, "onnx": onnx.__version__},
            flags={"opset": str(OPSET), "provider": _PROVIDER},
        )

    def evaluate(self, call: Call) -> Answer:
        prepared = prepare(call)
        if prepared.graph not in self._sessions:
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = 1
            options.inter_op_num_threads = 1
            model = to_model(prepared.graph).SerializeToString()
            self._sessions[prepared.graph] = onnxruntime.InferenceSession(model, options, providers=[_PROVIDER])
        (result,) = self._sessions[prepared.graph].run(None, dict(prepared.feeds))
        return answer(prepared, result, "onnxruntime.InferenceSession")
