"""One logit of minus-1e300, the label at the target.

A loss of 1e300 is a number, not infinity; code that narrows to float32 on the way returns inf or
nan.

tf.compat.v1.losses casts the unreduced losses to float32, where a loss above 3.4e38 is infinite.

Needs NumPy and TensorFlow. Exits 1 while the defect shows, 0 when it is gone.
"""

import sys

import numpy as np
import tensorflow as tf

logits = np.array([[-1e300, 0.0, -1.0]], dtype=np.float64)
targets = np.array([0], dtype=np.int64)


def observe():
    def loss(logits, targets):
        return tf.compat.v1.losses.sparse_softmax_cross_entropy(
            targets, logits=logits, reduction=tf.compat.v1.losses.Reduction.NONE
        )

    logits_ = tf.cast(tf.constant(logits), tf.float64)
    targets_ = tf.constant(targets)

    def computed(logits_, targets_):
        return loss(logits_, targets_)

    answer = tf.cast(computed(logits_, targets_), tf.float64).numpy()
    return np.asarray(answer, dtype=np.float64)


print("tensorflow", tf.__version__, "numpy", np.__version__)
expected = np.array([1e300], dtype=np.float64)
# 4 units of float64 times the error that rounding the input makes
allowed = np.array([8.881784197001253e284], dtype=np.float64)
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
