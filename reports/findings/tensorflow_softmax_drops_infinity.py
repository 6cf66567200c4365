"""A row that has no softmax (plus-inf).

The result is undefined and nan says so; zeros, or a one at +inf, hide it.

In float32 and bfloat16 the softmax is that of oneDNN, which has nan only where the undefined logit
is and 0 everywhere else in its row. With TF_ENABLE_ONEDNN_OPTS=0 the row is nan, as it is in
float64.

Needs NumPy and TensorFlow. Exits 1 while the defect shows, 0 when it is gone.
"""

import sys

import numpy as np
import tensorflow as tf

logits = np.array([[0.0, np.inf, 1.0]], dtype=np.float64)


def observe():
    def loss(logits):
        return tf.nn.softmax(logits, axis=-1)

    logits_ = tf.cast(tf.constant(logits), tf.float32)

    def computed(logits_):
        return loss(logits_)

    answer = tf.cast(computed(logits_), tf.float64).numpy()
    return np.asarray(answer, dtype=np.float64)


print("tensorflow", tf.__version__, "numpy", np.__version__)
expected = np.array([[np.nan, np.nan, np.nan]], dtype=np.float64)
# 4 units of float32 times the error that rounding the input makes
allowed = np.array([[1.1754943508222875e-38, 1.1754943508222875e-38, 1.1754943508222875e-38]], dtype=np.float64)
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
