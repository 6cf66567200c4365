"""Positive weight half on small logits.

w·t·softplus(−z) needs log1p on the positive side too; the formula with (1 + (w − 1)t) loses the
tail.

weighted_cross_entropy_with_logits is built from relu(−x) and −|x|, whose derivatives at exactly 0
are chosen as 0, so the gradient misses half of its limit there.

Needs NumPy and TensorFlow. Exits 1 while the defect shows, 0 when it is gone.
"""

import sys

import numpy as np
import tensorflow as tf

logits = np.array([1.0, -2.0, 0.5, 0.0], dtype=np.float64)
targets = np.array([1.0, 1.0, 0.0, 1.0], dtype=np.float64)
pos_weight = np.array(0.5, dtype=np.float64)


def observe():
    def loss(logits, targets, pos_weight):
        return tf.nn.weighted_cross_entropy_with_logits(labels=targets, logits=logits, pos_weight=pos_weight)

    logits_ = tf.cast(tf.constant(logits), tf.float32)
    targets_ = tf.cast(tf.constant(targets), tf.float32)
    pos_weight_ = tf.cast(tf.constant(pos_weight), tf.float32)

    def computed(logits_, targets_, pos_weight_):
        with tf.GradientTape() as tape:
            tape.watch(logits_)
            result = loss(logits_, targets_, pos_weight_)
        return tape.gradient(result, logits_)

    answer = tf.cast(computed(logits_, targets_, pos_weight_), tf.float64).numpy()
    return np.asarray(answer, dtype=np.float64)


print("tensorflow", tf.__version__, "numpy", np.__version__)
expected = np.array([-0.13447071611881256, -0.44039854407310486, 0.622459352016449, -0.25], dtype=np.float64)
# 4 units of float32 times the error that rounding the input makes
allowed = np.array(
    [4.467810636248519e-07, 5.406035091830867e-07, 1.1105337228857054e-06, 5.228870345497001e-07], dtype=np.float64
)
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
