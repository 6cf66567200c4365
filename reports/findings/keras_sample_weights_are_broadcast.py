"""Sample weights that do not fit two rows (one).

A column of weights against a row of losses broadcasts to a square, whose mean is a plausible
number; a weight per class is not a weight per sample.

reduce_weighted_values squeezes or expands sample_weight to the rank of the losses and then
multiplies with broadcasting, whatever its length.

Needs NumPy and Keras with TensorFlow. Exits 1 while the defect shows, 0 when it is gone.
"""

import os
import sys

os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
import numpy as np
import tensorflow as tf

logits = np.array([[1.0, 2.0, 3.0], [0.0, -1.0, 0.5]], dtype=np.float64)
targets = np.array([2, 0], dtype=np.int64)
sample_weights = np.array([2.0], dtype=np.float64)


def observe():
    def loss(logits, targets, sample_weights):
        return keras.losses.SparseCategoricalCrossentropy(
            reduction="sum_over_batch_size", dtype="float32", from_logits=True, axis=-1
        )(targets, logits, sample_weight=sample_weights)

    logits_ = tf.cast(tf.constant(logits), tf.float32)
    targets_ = tf.constant(targets)
    sample_weights_ = tf.cast(tf.constant(sample_weights), tf.float32)

    def computed(logits_, targets_, sample_weights_):
        return loss(logits_, targets_, sample_weights_)

    answer = tf.cast(computed(logits_, targets_, sample_weights_), tf.float64).numpy()
    return np.asarray(answer, dtype=np.float64)


print("keras", keras.__version__, "tensorflow", tf.__version__, "numpy", np.__version__)
print("expected: an error (shape mismatch)")
try:
    print("observed:", observe())
except Exception as error:
    print("observed:", type(error).__name__, error)
    sys.exit(0)
sys.exit(1)
