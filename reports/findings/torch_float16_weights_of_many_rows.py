"""PyTorch: the sum of the class weights overflows in float16, and the mean of a weighted loss is nan.

Every loss below is representable, and so is their weighted mean, 1.25. nll_loss (and cross_entropy, which calls it) adds
the weights of the rows in the type of the input: 10000 weights of 8 are 80000, beyond 65504, and so is the weighted sum
of the losses. Infinity by infinity is nan, and the gradient, divided by infinity, is 0 everywhere.

torch 2.13.0. Exits 1 while the defect shows.
"""

import sys

import torch

log_probabilities = torch.full((10_000, 3), -1.25, dtype=torch.float16, requires_grad=True)
targets = torch.zeros(10_000, dtype=torch.int64)
weights = torch.full((3,), 8.0, dtype=torch.float16)
loss = torch.nn.functional.nll_loss(log_probabilities, targets, weight=weights)
loss.backward()
assert log_probabilities.grad is not None
largest = log_probabilities.grad.abs().max().item()

print(f"loss {loss.item()}, expected 1.25; largest gradient {largest:g}, expected {1e-4:g}")
sys.exit(0 if loss.item() == 1.25 and largest > 0 else 1)
