"""A class of weight zero whose log-probability is minus infinity.

What has no weight counts nothing; a product of 0 and infinity is nan. Fuzzing found it.

The kernel of nll_loss multiplies the log-probability of the label by the weight of its class
without looking at either: a class of weight zero that is impossible adds 0 · ∞ to the sum.

Needs NumPy and PyTorch. Exits 1 while the defect shows, 0 when it is gone.
"""

import sys

import numpy as np
import torch

log_probabilities = np.array([[0.0, -1.0, -np.inf], [-0.5, -1.0, -2.0]], dtype=np.float64)
targets = np.array([2, 0], dtype=np.int64)
class_weights = np.array([0.5, 3.0, 0.0], dtype=np.float64)


def observe():
    log_probabilities_ = torch.tensor(log_probabilities, dtype=torch.float64)
    targets_ = torch.tensor(targets)
    class_weights_ = torch.tensor(class_weights, dtype=torch.float64)

    def loss(log_probabilities, targets, class_weights):
        return torch.nn.functional.nll_loss(log_probabilities, targets, weight=class_weights, reduction="none")

    result = loss(log_probabilities_, targets_, class_weights_)
    answer = result.detach().double().numpy()
    return np.asarray(answer, dtype=np.float64)


print("torch", torch.__version__, "numpy", np.__version__)
expected = np.array([0.0, 0.25], dtype=np.float64)
# 4 units of float64 times the error that rounding the input makes
allowed = np.array([5e-324, 2.220446049250313e-16], dtype=np.float64)
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
