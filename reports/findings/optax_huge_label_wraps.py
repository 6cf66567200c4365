"""A label of 2^32 + 1 among three classes.

A label that is no class has no loss; a number looks like one.

jnp.take_along_axis computes small indices in int32, so the label becomes 1 before it is compared
with anything.

Needs NumPy and optax. Exits 1 while the defect shows, 0 when it is gone.
"""

import os
import sys

os.environ["JAX_ENABLE_X64"] = "1"
os.environ["JAX_PLATFORMS"] = "cpu"

import jax
import jax.numpy as jnp
import jax.scipy.special
import numpy as np
import optax

logits = np.array([[1.0, 2.0, 3.0]], dtype=np.float64)
targets = np.array([4294967297], dtype=np.int64)


def observe():
    def loss(logits, targets):
        return optax.losses.softmax_cross_entropy_with_integer_labels(logits, targets, axis=-1)

    logits_ = jnp.asarray(logits, jnp.float32)
    targets_ = jnp.asarray(targets)

    def computed(logits_, targets_):
        return loss(logits_, targets_)

    answer = computed(logits_, targets_)
    return np.asarray(answer, dtype=np.float64)


print("jax", jax.__version__, "numpy", np.__version__, "optax", optax.__version__)
print("expected: an error (out of range label)")
try:
    print("observed:", observe())
except Exception as error:
    print("observed:", type(error).__name__, error)
    sys.exit(0)
sys.exit(1)
