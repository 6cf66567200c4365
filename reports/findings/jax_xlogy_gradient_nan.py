"""Cross-entropy of a certain target with a prediction that is perfect.

0 · ln 0 counts as 0 on the classes the target leaves out, and the loss is infinite where it
insists.

The gradient of xlogy with respect to y multiplies x = 0 with 1/y, which is infinite at y = 0.

Needs NumPy and JAX. Exits 1 while the defect shows, 0 when it is gone.
"""

import os
import sys

os.environ["JAX_ENABLE_X64"] = "1"
os.environ["JAX_PLATFORMS"] = "cpu"

import jax
import jax.numpy as jnp
import jax.scipy.special
import numpy as np

targets = np.array([[1.0, 0.0, 0.0]], dtype=np.float64)
probabilities = np.array([[1.0, 0.0, 0.0]], dtype=np.float64)


def observe():
    def loss(targets, probabilities):
        return -jnp.sum(jax.scipy.special.xlogy(targets, probabilities), axis=-1)

    targets_ = jnp.asarray(targets, jnp.float64)
    probabilities_ = jnp.asarray(probabilities, jnp.float64)

    def computed(targets_, probabilities_):
        result, pull = jax.vjp(lambda probabilities_: loss(targets_, probabilities_), probabilities_)
        return pull(jnp.ones_like(result))[0]

    answer = computed(targets_, probabilities_)
    return np.asarray(answer, dtype=np.float64)


print("jax", jax.__version__, "numpy", np.__version__)
expected = np.array([[-1.0, 0.0, 0.0]], dtype=np.float64)
# 4 units of float64 times the error that rounding the input makes
allowed = np.array([[1.7763568394002505e-15, 2.2250738585072014e-308, 2.2250738585072014e-308]], dtype=np.float64)
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
