"""An empty batch, reduction sum.

The last batch of an epoch may be empty; none is an empty array and the sum is 0, without an error.

The reduction of a Loss object returns losses of shape (0,) as they are, whatever the reduction is,
so a sum or mean over no samples is an empty array instead of a number.

Needs NumPy and Keras with TensorFlow. Exits 1 while the defect shows, 0 when it is gone.
"""

import os
import sys

os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
import numpy as np
import tensorflow as tf

logits = np.array([], dtype=np.float64).reshape((0, 3))
targets = np.array([], dtype=np.int64).reshape((0,))


def observe():
    def loss(logits, targets):
        return keras.losses.SparseCategoricalCrossentropy(reduction="sum", from_logits=True, axis=-1)(targets, logits)

    logits_ = tf.cast(tf.constant(logits), tf.float32)
    targets_ = tf.constant(targets)

    def computed(logits_, targets_):
        return loss(logits_, targets_)

    answer = tf.cast(computed(logits_, targets_), tf.float64).numpy()
    return np.asarray(answer, dtype=np.float64)


print("keras", keras.__version__, "tensorflow", tf.__version__, "numpy", np.__version__)
expected = np.array(0.0, dtype=np.float64)
# 4 units of float32 times the error that rounding the input makes
allowed = np.array(1.1754943508222875e-38, dtype=np.float64)
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
