"""Cross-entropy of a certain target with a prediction that is perfect.

0 · ln 0 counts as 0 on the classes the target leaves out, and the loss is infinite where it
insists.

PyTorch has no cross-entropy of probabilities, so a user writes log(p) or xlogy(t, p). Their
backward pass multiplies the upstream gradient 0 of a class that does not count by 1/p, which is
infinite at p = 0.

Needs NumPy and PyTorch. Exits 1 while the defect shows, 0 when it is gone.
"""

import sys

import numpy as np
import torch

targets = np.array([[1.0, 0.0, 0.0]], dtype=np.float64)
probabilities = np.array([[1.0, 0.0, 0.0]], dtype=np.float64)


def observe():
    targets_ = torch.tensor(targets, dtype=torch.float64)
    probabilities_ = torch.tensor(probabilities, dtype=torch.float64)
    probabilities_.requires_grad_()

    def loss(targets, probabilities):
        return -(torch.special.xlogy(targets, probabilities)).sum(-1)

    result = loss(targets_, probabilities_)
    (found,) = torch.autograd.grad(result, [probabilities_], grad_outputs=torch.ones_like(result))
    answer = found.double().numpy()
    return np.asarray(answer, dtype=np.float64)


print("torch", torch.__version__, "numpy", np.__version__)
expected = np.array([[-1.0, 0.0, 0.0]], dtype=np.float64)
# 4 units of float64 times the error that rounding the input makes
allowed = np.array([[1.7763568394002505e-15, 5e-324, 5e-324]], dtype=np.float64)
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
