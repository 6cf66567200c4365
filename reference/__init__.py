"""The truth: every loss of the family, exactly, with every gradient, under every named convention.

By the loss's name, as cases and adapters have it, or by its own function in `reference.losses`. NumPy and nothing else;
see `reference.softmax` for how cancellation is avoided and `reference.doubledouble` for the arithmetic.

Examples
--------
>>> import reference
>>> truth = reference.evaluate("softmax_cross_entropy", {"logits": [[2.0, -1.0]], "targets": [0]})
>>> float(truth.value)
0.04858735157374206
>>> truth.gradients["logits"].hi
array([[-0.04742587,  0.04742587]])
"""

from reference.conventions import describe, parse
from reference.evaluation import Evaluation, Exact, evaluate, evaluate_plain
from reference.signatures import LOSSES, Signature

__all__ = ["LOSSES", "Evaluation", "Exact", "Signature", "describe", "evaluate", "evaluate_plain", "parse"]
