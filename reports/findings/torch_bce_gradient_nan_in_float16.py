"""Probability 0, target 0, reduction none.

The loss is 0 or infinite; 0 · ln 0 gives nan, a clamp gives 100, 36, 16.1 or 15.9 depending on the
library.

Needs NumPy and PyTorch. Exits 1 while the defect shows, 0 when it is gone.
"""

import sys

import numpy as np
import torch

probabilities = np.array([0.0, 0.0, 0.0], dtype=np.float64)
targets = np.array([0.0, 0.0, 0.0], dtype=np.float64)


def observe():
    probabilities_ = torch.tensor(probabilities, dtype=torch.float16)
    targets_ = torch.tensor(targets, dtype=torch.float16)
    probabilities_.requires_grad_()

    def loss(probabilities, targets):
        return torch.nn.functional.binary_cross_entropy(probabilities, targets, reduction="none")

    result = loss(probabilities_, targets_)
    (found,) = torch.autograd.grad(result, [probabilities_], grad_outputs=torch.ones_like(result))
    answer = found.double().numpy()
    return np.asarray(answer, dtype=np.float64)


print("torch", torch.__version__, "numpy", np.__version__)
expected = np.array([1.0, 1.0, 1.0], dtype=np.float64)
# 2 units of float16 times the error that rounding the input makes
allowed = np.array([0.003906309604644775, 0.003906309604644775, 0.003906309604644775], dtype=np.float64)
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
