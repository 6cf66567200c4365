"""ONNX Runtime: onnxruntime.InferenceSession on the CPU, values only; one thread unless told otherwise."""

from __future__ import annotations

import os

import onnx
import onnxruntime

from harness.adapters import processor
from harness.adapters.base import Answer, Call, Description, Prepared
from harness.adapters.facts import onnxruntime_facts, variables
from harness.adapters.onnx_graphs import DYNAMIC, LOSSES, OPSET, Graph, answer, prepare, to_model

_PROVIDER = "CPUExecutionProvider"


class OnnxRuntime:
    def __init__(self) -> None:
        self._sessions: dict[Graph, onnxruntime.InferenceSession] = {}

    def describe(self) -> Description:
        return Description(
            version=onnxruntime.__version__,
            losses=LOSSES,
            modes=("eager", DYNAMIC),
            dtypes=("float64", "float32", "float16"),  # no CPU kernel of these operators takes bfloat16
            gradients=False,
            versions={"onnxruntime": onnxruntime.__version__, "onnx": onnx.__version__},
            threads=_threads(),
            flags={"opset": str(OPSET), "provider": _PROVIDER, **variables("onnxruntime", os.environ)},
            facts=onnxruntime_facts(processor.features()),
        )

    def evaluate(self, call: Call) -> Answer:
        prepared = self.prepare(call)
        return prepared.answer(prepared.run())

    def prepare(self, call: Call) -> Prepared:
        model = prepare(call)
        graph = model.graph.of_any_size() if call.mode == DYNAMIC else model.graph
        session, feeds = self._session(graph), dict(model.feeds)
        return Prepared(
            run=lambda: session.run(None, feeds)[0],
            answer=lambda result: answer(model, result, "onnxruntime.InferenceSession"),
        )

    def _session(self, graph: Graph) -> onnxruntime.InferenceSession:
        if graph not in self._sessions:
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = _threads()
            options.inter_op_num_threads = 1
            model = to_model(graph).SerializeToString()
            self._sessions[graph] = onnxruntime.InferenceSession(model, options, providers=[_PROVIDER])
        return self._sessions[graph]


def _threads() -> int:
    """ONNX Runtime has no variable of its own for its pool of threads; it follows the one all others follow."""
    return int(os.environ.get("OMP_NUM_THREADS", "1"))
