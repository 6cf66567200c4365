"""A logit of −33 with target 0 and a positive weight of 3.

Found by fuzzing. (1 − t)·x + w·(log1p(e^−|x|) + max(−x, 0)) adds |x| to the small loss and takes it
away again.

weighted_cross_entropy_with_logits is (1 − t)·x + l·(log1p(e^−|x|) + max(−x, 0)): for negative x and
target 0 the two parts are −|x| and |x| plus the loss, so the loss keeps only the precision of the
input.

Needs NumPy and TensorFlow. Exits 1 while the defect shows, 0 when it is gone.
"""

import sys

import numpy as np
import tensorflow as tf

logits = np.array([-33.0], dtype=np.float64)
targets = np.array([0.0], dtype=np.float64)
pos_weight = np.array(3.0, dtype=np.float64)


def observe():
    def loss(logits, targets, pos_weight):
        return tf.nn.weighted_cross_entropy_with_logits(labels=targets, logits=logits, pos_weight=pos_weight)

    logits_ = tf.cast(tf.constant(logits), tf.float64)
    targets_ = tf.cast(tf.constant(targets), tf.float64)
    pos_weight_ = tf.cast(tf.constant(pos_weight), tf.float64)

    def computed(logits_, targets_, pos_weight_):
        return loss(logits_, targets_, pos_weight_)

    answer = tf.cast(computed(logits_, targets_, pos_weight_), tf.float64).numpy()
    return np.asarray(answer, dtype=np.float64)


print("tensorflow", tf.__version__, "numpy", np.__version__)
expected = np.array([4.658886145103387e-15], dtype=np.float64)
# 4 units of float64 times the error that rounding the input makes
allowed = np.array([8.881784197001294e-16], dtype=np.float64)
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
