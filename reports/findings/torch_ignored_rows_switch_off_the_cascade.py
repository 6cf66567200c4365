"""Ignoring every sixteenth row makes the sum of nll_loss as inaccurate as adding one by one.

On the CPU nll_loss adds losses in a cascade of eight levels, so that the error of a long sum stays small. The carry from
one level to the next happens at rows whose number is a multiple of 16, after the row is added. An ignored row is left
before it comes to that: where those rows are ignored nothing is ever carried, and everything is added to one number.
Ignoring the row before each of them instead leaves the cascade as it is.

Needs NumPy and PyTorch. Exits 1 while the defect shows, 0 when it is gone.
"""

import math
import sys

import numpy as np
import torch

ROWS = 2**20
losses = np.random.default_rng(0).uniform(0.5, 1.5, ROWS).astype(np.float32)


def error(first_ignored):
    """The relative error of the sum where rows first_ignored, first_ignored + 16, … are ignored."""
    labels = np.zeros(ROWS, dtype=np.int64)
    labels[first_ignored::16] = -100
    scores = torch.tensor(-losses)[:, None]
    total = torch.nn.functional.nll_loss(scores, torch.tensor(labels), reduction="sum", ignore_index=-100)
    exact = math.fsum(losses[labels == 0].tolist())
    return abs(float(total) - exact) / exact


print("torch", torch.__version__, "numpy", np.__version__)
carried, alone = error(15), error(0)
print("rows 15, 31, … are ignored: relative error", carried)
print("rows 0, 16, … are ignored: relative error", alone)
# A cascade of 2^20 terms loses a few units of float32; one number loses some hundred.
sys.exit(1 if alone > 8 * np.finfo(np.float32).eps and alone > 4 * carried else 0)
