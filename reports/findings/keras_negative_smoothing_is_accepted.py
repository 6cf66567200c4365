"""Label smoothing of minus-tenth, targets as one-hot.

Beyond 1 the right class gets a negative share, below 0 the others do; both train, backwards.

The losses clip probabilities without looking at them and never look at targets, label_smoothing,
alpha or gamma.

Needs NumPy and Keras with TensorFlow. Exits 1 while the defect shows, 0 when it is gone.
"""

import os
import sys

os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
import numpy as np
import tensorflow as tf

logits = np.array([[1.0, 2.0, 3.0], [0.0, -1.0, 0.5]], dtype=np.float64)
targets = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]], dtype=np.float64)


def observe():
    def loss(logits, targets):
        return keras.ops.mean(
            keras.losses.categorical_crossentropy(targets, logits, from_logits=True, axis=-1, label_smoothing=-0.1)
        )

    logits_ = tf.cast(tf.constant(logits), tf.float32)
    targets_ = tf.cast(tf.constant(targets), tf.float32)

    def computed(logits_, targets_):
        return loss(logits_, targets_)

    answer = tf.cast(computed(logits_, targets_), tf.float64).numpy()
    return np.asarray(answer, dtype=np.float64)


print("keras", keras.__version__, "tensorflow", tf.__version__, "numpy", np.__version__)
print("expected: an error (invalid option)")
try:
    print("observed:", observe())
except Exception as error:
    print("observed:", type(error).__name__, error)
    sys.exit(0)
sys.exit(1)
