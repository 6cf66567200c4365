"""The label −1.

An identity matrix indexed with −1 gives its last row, so the last class is silently taken for the
label.

The losses clip probabilities without looking at them, never look at targets, label_smoothing, alpha
or gamma, and on JAX labels out of range give a row of zeros.

Needs NumPy and Keras with JAX. Exits 1 while the defect shows, 0 when it is gone.
"""

import os
import sys

os.environ["KERAS_BACKEND"] = "jax"
os.environ["JAX_ENABLE_X64"] = "1"
os.environ["JAX_PLATFORMS"] = "cpu"

import jax
import jax.numpy as jnp
import keras
import numpy as np

probabilities = np.array([[0.2, 0.8], [0.5, 0.5]], dtype=np.float64)
targets = np.array([-1, 0], dtype=np.int64)


def observe():
    def loss(probabilities, targets):
        return keras.ops.mean(
            keras.losses.sparse_categorical_crossentropy(targets, probabilities, from_logits=False, axis=-1)
        )

    probabilities_ = jnp.asarray(probabilities, jnp.float64)
    targets_ = jnp.asarray(targets)

    def computed(probabilities_, targets_):
        return loss(probabilities_, targets_)

    answer = computed(probabilities_, targets_)
    return np.asarray(answer, dtype=np.float64)


print("keras", keras.__version__, "jax", jax.__version__, "numpy", np.__version__)
print("expected: an error (out of range label)")
try:
    print("observed:", observe())
except Exception as error:
    print("observed:", type(error).__name__, error)
    sys.exit(0)
sys.exit(1)
