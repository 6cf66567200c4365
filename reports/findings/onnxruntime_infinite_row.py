"""A row that has no softmax (plus-inf-elsewhere).

Nothing is defined here and nan says so; a finite number, or 0 for a confident +inf, hides a broken
network.

The float64 kernel subtracts an infinite maximum only from the entries that are infinite too, so the
row is infinite instead of undefined.

Needs NumPy and onnx and ONNX Runtime. Exits 1 while the defect shows, 0 when it is gone.
"""

import sys

import numpy as np
import onnx
import onnxruntime

logits = np.array([[0.0, np.inf, 1.0]], dtype=np.float64)
targets = np.array([0], dtype=np.int64)


def observe():
    from onnx import TensorProto, helper

    feeds = {}
    inputs = []
    feeds["logits"] = logits.astype(np.float64)
    inputs.append(helper.make_tensor_value_info("logits", TensorProto.DOUBLE, [1, 3]))
    feeds["targets"] = targets.astype(np.int64)
    inputs.append(helper.make_tensor_value_info("targets", TensorProto.INT64, [1]))
    given = ["logits", "targets"]
    node = helper.make_node("SoftmaxCrossEntropyLoss", given, ["loss"], reduction="none")
    output = helper.make_tensor_value_info("loss", TensorProto.DOUBLE, None)
    graph = helper.make_graph([node], "loss", inputs, [output])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7)
    chosen = ["CPUExecutionProvider"]
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=chosen)
    (answer,) = session.run(None, feeds)
    return np.asarray(answer, dtype=np.float64)


print("onnx", onnx.__version__, "onnxruntime", onnxruntime.__version__, "numpy", np.__version__)
expected = np.array([np.nan], dtype=np.float64)
# 4 units of float64 times the error that rounding the input makes
allowed = np.array([5e-324], dtype=np.float64)
try:
    observed = observe()
except Exception as error:
    print("expected (exactly):", expected)
    print("observed:", type(error).__name__, error)
    sys.exit(1)
print("expected (exactly):", expected)
print("observed:", observed)
if observed.shape != expected.shape:
    sys.exit(1)
with np.errstate(invalid="ignore"):
    near = np.abs(observed - expected) <= allowed
right = near | (observed == expected) | (np.isnan(observed) & np.isnan(expected))
sys.exit(0 if right.all() else 1)
