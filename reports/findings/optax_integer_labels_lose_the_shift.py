"""Three ordinary logits shifted by 10000.

The loss depends on differences only; code that adds logits before subtracting the maximum loses
their digits.

softmax_cross_entropy_with_integer_labels returns logsumexp(x) − x_label: with a large common offset
both are large and their difference keeps only the digits of the offset, so the loss is not shift
invariant. A row with an infinite logit is finite or zero for the same reason.

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

logits = np.array([[10000.0, 10001.0, 9999.0]], dtype=np.float64)
targets = np.array([0], dtype=np.int64)


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
expected = np.array([1.4076060056686401], dtype=np.float64)
# 4 units of float32 times the error that rounding the input makes
allowed = np.array([1.7131194076376751e-06], dtype=np.float64)
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
