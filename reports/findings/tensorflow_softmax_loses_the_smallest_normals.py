"""A softmax probability of 1.4 times the smallest normal number.

Exponentials put together as 2 · 2^(n − 1) lose it where subnormal factors are flushed to zero.
Fuzzing found it.

In float32 the softmax is that of oneDNN, which is 0 below 2 · 2^-126 already: its exponential is
put together as 2 · 2^(n − 1), and the second factor is flushed to zero. With
TF_ENABLE_ONEDNN_OPTS=0 the number is right.

Needs NumPy and TensorFlow. Exits 1 while the defect shows, 0 when it is gone.
"""

import sys

import numpy as np
import tensorflow as tf

logits = np.array([[2.0, 89.0]], dtype=np.float64)


def observe():
    def loss(logits):
        return tf.nn.softmax(logits, axis=-1)

    logits_ = tf.cast(tf.constant(logits), tf.float32)

    def computed(logits_):
        return loss(logits_)

    answer = tf.cast(computed(logits_), tf.float64).numpy()
    return np.asarray(answer, dtype=np.float64)


print("tensorflow", tf.__version__, "numpy", np.__version__)
expected = np.array([[1.6458114537543937e-38, 1.0]], dtype=np.float64)
# 4 units of float32 times the error that rounding the input makes
allowed = np.array([[1.175563978461281e-38, 8.073554899978377e-07]], dtype=np.float64)
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
