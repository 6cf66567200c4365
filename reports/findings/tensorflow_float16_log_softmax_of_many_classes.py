"""log_softmax of 131,075 classes in float16, and its gradient.

Every logarithm is about -12 and every element of the gradient about -0.1, both of which float16 holds.

The exponentials of the row, and the cotangents in the backward pass, are added up in float16, where
a sum above 65504 is infinite.

Needs NumPy and TensorFlow. Exits 1 while the defect shows, 0 when it is gone.
"""

import os
import sys

os.environ["CUDA_VISIBLE_DEVICES"] = ""
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import numpy as np
import tensorflow as tf

logits = tf.constant(np.resize(np.array([0.0, -0.1, -0.3], dtype=np.float16), (1, 131075)))

print("tensorflow", tf.__version__, "numpy", np.__version__)
with tf.GradientTape() as tape:
    tape.watch(logits)
    logarithms = tf.nn.log_softmax(logits)
gradient = tape.gradient(logarithms, logits, output_gradients=tf.ones_like(logarithms))

wide = logits.numpy().astype(np.float64)
expected = wide - np.log(np.sum(np.exp(wide)))
print("expected logarithm, gradient:", expected[0, 0], 1 - logits.shape[1] * np.exp(expected[0, 0]))
print("observed logarithm, gradient:", logarithms.numpy()[0, 0], gradient.numpy()[0, 0])
right = np.allclose(logarithms.numpy(), expected, rtol=2e-3) and np.isfinite(gradient.numpy()).all()
sys.exit(0 if right else 1)
