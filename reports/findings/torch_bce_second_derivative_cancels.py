"""Curvature of the binary cross-entropy of a confident and right probability.

The double backward of binary_cross_entropy divides p² − 2pt + t by (p (1 − p))². For t = 1 the
numerator is (1 − p)², written out it cancels: next to p = 1 nothing is left in float32 of a
curvature of 1/p² = 1, while value and gradient are right.

Needs NumPy and PyTorch. Exits 1 while the defect shows, 0 when it is gone.
"""

import sys

import numpy as np
import torch

probabilities = np.array([0.9999995231628418, 0.999755859375, 0.9999995231628418, 0.999755859375], dtype=np.float64)
targets = np.array([1.0, 1.0, 0.0, 0.0], dtype=np.float64)
vector = np.array([1.0, -2.0, 0.5, 3.0], dtype=np.float64)


def observe():
    probabilities_ = torch.tensor(probabilities, dtype=torch.float32)
    targets_ = torch.tensor(targets, dtype=torch.float32)
    probabilities_.requires_grad_()

    def loss(probabilities, targets):
        return torch.nn.functional.binary_cross_entropy(probabilities, targets, reduction="none")

    result = loss(probabilities_, targets_)
    (slope,) = torch.autograd.grad(result, [probabilities_], grad_outputs=torch.ones_like(result), create_graph=True)
    direction = torch.tensor(vector, dtype=slope.dtype)
    (found,) = torch.autograd.grad(slope, [probabilities_], grad_outputs=direction)
    answer = found.double().numpy()
    return np.asarray(answer, dtype=np.float64)


print("torch", torch.__version__, "numpy", np.__version__)
expected = np.array([1.0000009536743164, -2.000977039337158, 2199023255552.0, 50331648.0], dtype=np.float64)
# 4 units of float32 times the error that rounding the input makes
allowed = np.array([1.4305135209734298e-06, 2.9815132835398448e-06, 3145728.0, 72.0], dtype=np.float64)
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
