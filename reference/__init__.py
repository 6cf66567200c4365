"""The truth: every loss of the family, exactly, with every gradient, under every named convention.

    import reference
    truth = reference.evaluate("softmax_cross_entropy", {"logits": [[2.0, -1.0]], "targets": [0]})
    float(truth.value), truth.gradients["logits"].hi

or, by the loss's own function, `reference.losses.softmax_cross_entropy([[2.0, -1.0]], [0])`.

NumPy and nothing else; see `reference.softmax` for how cancellation is avoided and `reference.doubledouble` for the
arithmetic.
"""

from reference.conventions import describe, parse
from reference.evaluation import Evaluation, Exact, evaluate, evaluate_plain
from reference.signatures import LOSSES, Signature

__all__ = ["LOSSES", "Evaluation", "Exact", "Signature", "describe", "evaluate", "evaluate_plain", "parse"]
