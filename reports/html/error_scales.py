"""The error each loss is allowed, term by term, in the letters of `harness.judgement.tolerance`.

A cell agrees when its error is at most k · eps · A. The terms of A are what the mathematics itself makes unavoidable:
rounding what enters a step moves the result by them, however the step is computed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

__all__ = ["BUDGETS", "Budget"]

Term = tuple[str, str]


@dataclass(frozen=True)
class Budget:
    """The error scale A of one loss: its terms, each with what it stands for."""

    value: tuple[Term, ...]
    gradient: tuple[Term, ...]
    hessian_vector: tuple[Term, ...] = ()
    """Empty for a loss whose second derivatives are not asked for."""


_RESULT: Term = ("|g|", "rounding of the gradient itself")
_FROM_LOGITS = (
    ("1", "rounding of the result"),
    ("L = −ln p", "the size of the loss"),
    ("ln C", "the sum over C classes, seen through the logarithm"),
)
_SPREAD: Term = ("p (1 + L + ln C)", "what rounding the logits moves a probability by")
_OF_LOGITS = (_RESULT, ("p (1 + L + ln C) · Σ|w q|", "what rounding the logits moves the probabilities by"))
_MOVED: Term = (
    "what rounding z costs",
    "where the logits are scaled or capped to z: the roundings of x s, x s / c and z",
)
_SLOPE: Term = ("|g of z| s (z/c)²", "under a cap: what rounding z moves the slope 1 − (z/c)² by")
_PRODUCT: Term = ("|h|", "rounding of the product itself")
_CURVATURE = (
    ("Σ|w q| · p (1 + L + ln C) (|v| + Σ p |v|)", "what rounding the logits moves the probability by"),
    ("Σ|w q| · p Σ p (1 + L + ln C) |v|", "and what it moves the mean of the direction v by"),
)
_Z_LOSS: Term = ("λ |lse| (|lse| + 2 r)", "a z-loss: its size, and what its logsumexp is off by, r")
_Z_SLOPE: Term = ("λ |lse| (|lse| + 2 r)", "the gradient of a z-loss: 2 λ (r p + |lse| p (1 + L + ln C))")
_CROSS_ENTROPY = (
    ("|w q|", "rounding of each weighted term"),
    ("|w q ln p|", "the size of each weighted term"),
)

BUDGETS: Mapping[str, Budget] = MappingProxyType(
    {
        "entropy": Budget(
            (("p", "rounding of each term"), ("p |ln p|", "the size of each term")),
            (("1", "rounding of the derivative"), ("|ln p|", "the size of the derivative")),
        ),
        "softmax": Budget(
            (_SPREAD,),
            (_RESULT, ("p (1 + L + ln C) · (|u| + Σ|u| p)", "the same, pulled by the cotangent u"), _SLOPE),
        ),
        "log_softmax": Budget(
            (*_FROM_LOGITS, _MOVED),
            (_RESULT, ("p (1 + L + ln C) · Σ|u|", "the probabilities, pulled by the cotangent u"), _SLOPE),
        ),
        "logsumexp": Budget(
            (
                ("1", "rounding of the sum"),
                ("|lse|", "rounding of the result"),
                ("ln C", "the sum over C classes, seen through the logarithm"),
                _MOVED,
            ),
            (_RESULT, ("p (1 + L + ln C) · |u|", "the probabilities, times the cotangent u"), _SLOPE),
        ),
        "jensen_shannon": Budget(
            (
                ("β p (1 + |ln p| + |ln m|)", "the term of the targets; of logits, their softmax rounds besides"),
                ("(1 − β) q (1 + |ln q| + |ln m|)", "the term of the predictions"),
            ),
            (
                (
                    "(1 − β) (1 + |ln q| + |ln m|)",
                    "rounding of both logarithms; of logits it is pulled through the softmax",
                ),
            ),
        ),
        "bernoulli_kl": Budget(
            (
                ("w t (1 + |ln t| + |ln p|)", "the term of what happens"),
                ("w (1 − t) (1 + |ln(1 − t)| + |ln(1 − p)|)", "the term of what does not"),
            ),
            (("2 w t / p", "the positive quotient"), ("2 w (1 − t) / (1 − p)", "the negative quotient")),
        ),
        "soft_margin": Budget(
            (("w (1 + softplus(−t z))", "the size of the loss"),),
            (_RESULT, ("w |t| σ(−t z) (1 + softplus(t z))", "rounding of the logistic function")),
        ),
        "cross_entropy": Budget(_CROSS_ENTROPY, (("2 |w q / p|", "twice the quotient: p and the division round"),)),
        "kl_divergence": Budget(
            (
                ("p", "rounding of each term"),
                ("p |ln p|", "the term of the targets"),
                ("p |ln q|", "the term of the predictions"),
            ),
            (("p", "rounding of the derivative"), ("p |ln p|", "targets given as logarithms are exponentiated first")),
            (_PRODUCT, *_CURVATURE),
        ),
        "nll_loss": Budget((("|w ln p|", "the size of each weighted term"),), (_RESULT,)),
        "categorical_cross_entropy": Budget(
            _CROSS_ENTROPY, (("2 |w q / p|", "twice the quotient: p and the division round"),)
        ),
        "softmax_cross_entropy": Budget(
            (*_FROM_LOGITS, _MOVED, _Z_LOSS),
            (*_OF_LOGITS, _Z_SLOPE, _SLOPE),
            (_PRODUCT, *_CURVATURE),
        ),
        "binary_cross_entropy": Budget(
            (
                ("w t (1 + |ln p|)", "the term of the positive class"),
                ("w (1 − t) (1 + |ln(1 − p)|)", "the term of the negative class; its 1 is the rounding of 1 − p"),
            ),
            (("2 w t / p", "the positive quotient"), ("2 w (1 − t) / (1 − p)", "the negative quotient")),
            (
                ("3 w t |v| / p²", "the positive quotient: p, its square and the division round"),
                ("3 w (1 − t) |v| / (1 − p)²", "the negative quotient"),
            ),
        ),
        "binary_cross_entropy_with_logits": Budget(
            (
                ("w t (1 + softplus(−z))", "the term of the positive class"),
                ("(1 − t) (1 + softplus(z))", "the term of the negative class"),
                ("min(w t, 1 − t) |z|", "what cancels between the two for a soft target"),
            ),
            (_RESULT, ("max(w t, 1 − t) · Σ p (1 − ln p)", "rounding of the logistic function on both sides")),
            (
                _PRODUCT,
                ("(w t + 1 − t) · Σ p (1 − ln p) |v|", "rounding of the logistic function on both sides"),
            ),
        ),
        "binary_focal": Budget(
            (
                ("(1 − p)^γ (1 + L)", "the size of the term"),
                ("γ (1 − p)^(γ−1) (min(L, 1) + p L)", "what rounding 1 − p moves the factor by"),
            ),
            (_RESULT, ("the same two, differentiated", "rounding of the factor and of its derivative")),
            (
                _PRODUCT,
                (
                    "(1 − p)^γ (γ (γ p + q) p L + (2 γ + 1) p q) |v|",
                    "terms that cancel where the curvature is 0, q = 1 − p",
                ),
                (
                    "(1 + γ) ((1 − p)^γ + γ (1 − p)^(γ−1)) · Σ p (1 − ln p) |v|",
                    "rounding of the factor and of the logistic function",
                ),
            ),
        ),
        "categorical_focal": Budget(
            (
                ("(1 + ln C) (1 − p)^γ (1 + L)", "the size of the term"),
                ("(1 + ln C) γ (1 − p)^(γ−1) (min(L, 1) + p L)", "what rounding 1 − p moves the factor by"),
            ),
            (_RESULT, ("the same two, differentiated", "rounding of the factor, of its derivative and of the logits")),
            (
                _PRODUCT,
                (
                    "p (1 + L + ln C) (|v| + Σ p |v|) · Σ α y E, with E = (1 + γ)² ((1 − p)^γ + γ (1 − p)^(γ−1))",
                    "rounding of the logits, of the factor and of its derivatives",
                ),
                ("p Σ p (1 + L + ln C) |v| · Σ α y E", "and what it moves the mean of the direction v by"),
            ),
        ),
        "linear_cross_entropy": Budget(
            (*_FROM_LOGITS, ("(1 + log₂ d) Σ|h||W|", "rounding of the dot products of length d that make the logits")),
            (
                ("|W| or |h| times the following", "the sum that carries the gradient of the logits back"),
                ("q + p", "rounding of the gradient of the logits"),
                ("p (1 + L + ln C)", "what rounding the logits moves a probability by"),
                ("p (1 + log₂ d) Σ|h||W|", "what rounding the dot products moves it by"),
            ),
            (
                ("|W| times the following", "the sum that carries the product of the logits back, |v| for |W| |v|"),
                *_CURVATURE,
                ("(2 + log₂ d) of both", "rounding of the dot products that the logits move by"),
            ),
        ),
        "linear_jensen_shannon": Budget(
            (
                ("β t (r |ln(t / m)| + r + s)", "the teacher's term, whose softmax is off by r and the student's by s"),
                ("(1 − β) p (s |ln(p / m)| + r + s)", "the student's term"),
                ("r, s = 1 + L + ln C + (1 + log₂ d) Σ|h||W|", "the softmax, of logits that are dot products"),
            ),
            (
                ("|W| or |h| times the following", "the sum that carries the gradient of the logits back"),
                ("(1 − β) p (|ln(p / m)| + r + s)", "rounding of the logarithms, pulled through the softmax"),
            ),
        ),
    }
)
