"""The float16 mean of 40,000 equal losses.

Every loss is 2.41 and so is their mean, whatever their number.

nll_loss accumulates the sum in float16 and divides afterwards: the sum exceeds 65504 although the
mean is small.

Needs NumPy and PyTorch. Exits 1 while the defect shows, 0 when it is gone.
"""

import sys

import numpy as np
import torch

logits = np.tile(
    np.array([[1.0, 2.0, 3.0]], dtype=np.float64),
    (
        40000,
        1,
    ),
)
targets = np.tile(np.array([0], dtype=np.int64), (40000,))


def observe():
    logits_ = torch.tensor(logits, dtype=torch.float16)
    targets_ = torch.tensor(targets)

    def loss(logits, targets):
        return torch.nn.functional.cross_entropy(logits, targets, reduction="mean")

    result = loss(logits_, targets_)
    answer = result.detach().double().numpy()
    return np.asarray(answer, dtype=np.float64)


print("torch", torch.__version__, "numpy", np.__version__)
expected = np.array(2.408203125, dtype=np.float64)
# 2 units of float16 times the error that rounding the input makes
allowed = np.array(0.009398427685874977, dtype=np.float64)
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
