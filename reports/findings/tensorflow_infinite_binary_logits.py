"""A logit of plus infinity, target 0.

The limits are 0 and infinity; max(z, 0) − z·t gives inf − inf = nan, and 0·inf gives nan on the
side that is 0.

The kernel computes max(x, 0) − x·z + log1p(exp(−|x|)), which subtracts infinity from infinity or
multiplies it by zero at an infinite logit.

Needs NumPy and TensorFlow. Exits 1 while the defect shows, 0 when it is gone.
"""

import sys

import numpy as np
import tensorflow as tf

logits = np.array([np.inf, np.inf, np.inf], dtype=np.float64)
targets = np.array([0.0, 0.0, 0.0], dtype=np.float64)


def observe():
    def loss(logits, targets):
        return tf.nn.sigmoid_cross_entropy_with_logits(labels=targets, logits=logits)

    logits_ = tf.cast(tf.constant(logits), tf.float64)
    targets_ = tf.cast(tf.constant(targets), tf.float64)

    def computed(logits_, targets_):
        return loss(logits_, targets_)

    answer = tf.cast(computed(logits_, targets_), tf.float64).numpy()
    return np.asarray(answer, dtype=np.float64)


print("tensorflow", tf.__version__, "numpy", np.__version__)
expected = np.array([np.inf, np.inf, np.inf], dtype=np.float64)
# 4 units of float64 times the error that rounding the input makes
allowed = np.array([1.5966722476277757e293, 1.5966722476277757e293, 1.5966722476277757e293], dtype=np.float64)
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
