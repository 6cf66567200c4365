"""The float16 mean of 100,000 equal losses.

Every loss is 2.41 and so is their mean, whatever their number.

tf.reduce_mean divides by the number of elements in float16, where 100,000 is infinite.

Needs NumPy and TensorFlow. Exits 1 while the defect shows, 0 when it is gone.
"""

import sys

import numpy as np
import tensorflow as tf

logits = np.tile(
    np.array([[1.0, 2.0, 3.0]], dtype=np.float64),
    (
        100000,
        1,
    ),
)
targets = np.tile(np.array([0], dtype=np.int64), (100000,))


def observe():
    def loss(logits, targets):
        return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=targets, logits=logits))

    logits_ = tf.cast(tf.constant(logits), tf.float16)
    targets_ = tf.constant(targets)

    def computed(logits_, targets_):
        return loss(logits_, targets_)

    answer = tf.cast(computed(logits_, targets_), tf.float64).numpy()
    return np.asarray(answer, dtype=np.float64)


print("tensorflow", tf.__version__, "numpy", np.__version__)
expected = np.array(2.408203125, dtype=np.float64)
# 2 units of float16 times the error that rounding the input makes
allowed = np.array(0.00939842768587498, dtype=np.float64)
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
