"""TensorFlow: weighted_cross_entropy_with_logits is nan at infinite logits whose loss is 0.

A logit of −∞ says that the answer is no, and with a label of 0 that costs nothing, whatever a yes would have weighed.
The formula (1 − z)·x + (1 + (q − 1)·z)·(log1p(exp(−|x|)) + max(−x, 0)) adds −∞ and ∞ there, and at ∞ with a label of 1
it multiplies 0 with ∞. The unweighted loss has the same at other signs: tensorflow_infinite_binary_logits.py.

tensorflow 2.21.0. Exits 1 while the defect shows.
"""

import sys

import tensorflow as tf

logits = tf.constant([float("-inf"), float("inf"), -1000.0])
labels = tf.constant([0.0, 1.0, 0.0])
losses = tf.nn.weighted_cross_entropy_with_logits(labels=labels, logits=logits, pos_weight=3.0).numpy().tolist()

print(f"logits {logits.numpy().tolist()}, labels {labels.numpy().tolist()}: losses {losses}, expected zeros")
sys.exit(0 if losses == [0.0, 0.0, 0.0] else 1)
