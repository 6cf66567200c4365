"""A label of 2^32 among three classes.

A label that is no class has no loss; a number looks like one.

The JAX backend converts labels to int32, so the label becomes 0 before anything looks at it.

Needs NumPy, JAX and Keras. Exits 1 while the defect shows, 0 when it is gone.
"""

import os
import sys

os.environ["KERAS_BACKEND"] = "jax"
os.environ["JAX_ENABLE_X64"] = "1"
os.environ["JAX_PLATFORMS"] = "cpu"

import keras
import numpy as np

labels = np.array([2**32], dtype=np.int64)
logits = np.array([[1.0, 2.0, 3.0]], dtype=np.float32)

print("keras", keras.__version__, "numpy", np.__version__)
try:
    observed = keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True)
except Exception as error:
    print("refused, as is right:", type(error).__name__)
    sys.exit(0)
print("the loss of class 0:", 2.4076059644443806)
print("observed:", np.asarray(observed))
sys.exit(0 if np.isnan(np.asarray(observed)).all() else 1)
