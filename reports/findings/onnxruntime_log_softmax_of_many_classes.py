"""LogSoftmax of 131,075 classes in float32.

The logarithm of the sum is right to 4e-5 only, forty units of float32 where the sum of as many terms
in pairs is right to one.

The exponentials are added up in a running sum in each lane of a vector, whose roundings all go the
same way when the terms are alike.

Needs NumPy, onnx and ONNX Runtime. Exits 1 while the defect shows, 0 when it is gone.
"""

import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper

logits = np.resize(np.array([0.0, -0.1, -0.3], dtype=np.float32), (1, 131075))

print("onnxruntime", onnxruntime.__version__, "onnx", onnx.__version__, "numpy", np.__version__)
graph = helper.make_graph(
    [helper.make_node("LogSoftmax", ["x"], ["y"], axis=1)],
    "log_softmax",
    [helper.make_tensor_value_info("x", TensorProto.FLOAT, logits.shape)],
    [helper.make_tensor_value_info("y", TensorProto.FLOAT, logits.shape)],
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
observed = float(session.run(None, {"x": logits})[0][0, 0])

wide = logits.astype(np.float64)
expected = wide[0, 0] - np.log(np.sum(np.exp(wide)))
# 4 units of float32 of a loss of 12 among 131,075 classes: 1 + L + ln C
allowed = 4 * 2.0**-23 * (1 - expected + np.log(logits.size))
print("expected (to 16 digits):", expected)
print("observed:", observed)
sys.exit(0 if abs(observed - expected) <= allowed else 1)
