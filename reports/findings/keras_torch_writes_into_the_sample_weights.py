"""A loss that changes the sample weights it is given.

Keras on PyTorch multiplies the weights with the mask of ignored rows by `*=`. The tensor is the caller's own where its
type needs no cast, so it holds the masked weights afterwards, and the next call uses those.

Needs NumPy, PyTorch and Keras. Exits 1 while the defect shows, 0 when it is gone.
"""

import os
import sys

os.environ["KERAS_BACKEND"] = "torch"

import keras
import numpy as np
import torch

logits = np.array([[1.0, 2.0, 3.0], [0.0, -1.0, 0.5]], dtype=np.float32)
targets = np.array([2, -100], dtype=np.int64)
expected = np.array([0.5, 2.0], dtype=np.float32)

print("keras", keras.__version__, "torch", torch.__version__, "numpy", np.__version__)
sample_weights = torch.tensor(expected)
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=-100)
loss(torch.tensor(targets), torch.tensor(logits), sample_weight=sample_weights)
observed = sample_weights.numpy()
print("sample weights before the call:", expected)
print("sample weights after the call: ", observed)
sys.exit(0 if np.array_equal(observed, expected) else 1)
