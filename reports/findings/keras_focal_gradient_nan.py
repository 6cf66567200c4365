"""Binary focal loss, γ = 0.5, logits of size 20.

1 − p must be σ(−z), not 1 − σ(z), or the factor is 0 and so is the gradient; for γ below 1
automatic differentiation of (1 − p)^γ meets 0^(γ − 1) = ∞ and answers nan.

The factor (1 − p_t)^γ is computed with a general power, whose derivative γ·(1 − p_t)^(γ−1) is
infinite or 0·inf where p_t rounds to 1.

Needs NumPy and Keras with TensorFlow. Exits 1 while the defect shows, 0 when it is gone.
"""

import os
import sys

os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
import numpy as np
import tensorflow as tf

logits = np.array([20.0, 20.0, -20.0], dtype=np.float64)
targets = np.array([1.0, 0.0, 1.0], dtype=np.float64)


def observe():
    def loss(logits, targets):
        return keras.losses.binary_focal_crossentropy(
            keras.ops.expand_dims(targets, -1), keras.ops.expand_dims(logits, -1), from_logits=True, gamma=0.5
        )

    logits_ = tf.cast(tf.constant(logits), tf.float32)
    targets_ = tf.cast(tf.constant(targets), tf.float32)

    def computed(logits_, targets_):
        with tf.GradientTape() as tape:
            tape.watch(logits_)
            result = loss(logits_, targets_)
        return tape.gradient(result, logits_)

    answer = tf.cast(computed(logits_, targets_), tf.float64).numpy()
    return np.asarray(answer, dtype=np.float64)


print("keras", keras.__version__, "tensorflow", tf.__version__, "numpy", np.__version__)
expected = np.array([-1.4036435045956114e-13, 1.0, -1.0], dtype=np.float64)
# 4 units of float32 times the error that rounding the input makes
allowed = np.array([2.384402279665437e-07, 1.4480312978830042e-06, 1.4480312978830042e-06], dtype=np.float64)
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
