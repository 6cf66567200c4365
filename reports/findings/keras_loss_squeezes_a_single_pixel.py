"""Keras 3: SparseCategoricalCrossentropy(axis=1) drops the pixels of images that have one.

Logits of shape (N, C, 1) with the classes on axis 1 and labels (N, 1) have losses of shape (N, 1), as they have (N, 2)
for two pixels. Before it looks at `axis`, a Loss object squeezes a last axis of length one away from predictions that
have one axis more than the labels, so that the losses come back as (N).

keras 3.15.1. Exits 1 while the defect shows.
"""

import os
import sys

os.environ["KERAS_BACKEND"] = "torch"

import keras
import numpy as np

loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, axis=1, reduction=None)
shapes = []
for pixels in (2, 1):
    logits = np.zeros((4, 3, pixels), dtype=np.float32)
    labels = np.zeros((4, pixels), dtype=np.int64)
    shapes.append(tuple(loss(labels, logits).shape))

print(f"two pixels: losses of shape {shapes[0]}, expected (4, 2); one pixel: {shapes[1]}, expected (4, 1)")
sys.exit(0 if shapes[1] == (4, 1) else 1)
