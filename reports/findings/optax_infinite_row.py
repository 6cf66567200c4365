"""A row that has no softmax (plus-inf-elsewhere).

Nothing is defined here and nan says so; a finite number, or 0 for a confident +inf, hides a broken
network.

logsumexp of a row with an infinite logit is infinite, not undefined, and the label is subtracted
from it; a class that flushes to zero has an infinite logarithm.

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

logits = np.array([[0.0, np.inf, 1.0]], dtype=np.float64)
targets = np.array([0], dtype=np.int64)


def observe():
    def loss(logits, targets):
        return optax.losses.softmax_cross_entropy_with_integer_labels(logits, targets, axis=-1)

    logits_ = jnp.asarray(logits, jnp.float64)
    targets_ = jnp.asarray(targets)

    def computed(logits_, targets_):
        return loss(logits_, targets_)

    answer = computed(logits_, targets_)
    return np.asarray(answer, dtype=np.float64)


print("jax", jax.__version__, "numpy", np.__version__, "optax", optax.__version__)
expected = np.array([np.nan], dtype=np.float64)
# 4 units of float64 times the error that rounding the input makes
allowed = np.array([2.2250738585072014e-308], dtype=np.float64)
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
