"""One function per loss: the formula, the shapes and the options of each, in one place.

All of them return an `Evaluation`: `.value`, and `.gradients` by the name of the input, as pairs hi + lo of float64
(`float(value)` is the nearest float64). They share these arguments:

    reduction     "none" (one number per row), "sum", or "mean", which divides by
    denominator   "count" (rows), "weights" (the sum of the weights of what counts) or "valid" (rows not ignored); by
                  default "weights" with class weights, "valid" with an ignore_index, else "count"
    axis          the axis of the classes, −1 by default; a row is everything else
    cotangent     what the value is multiplied with before it is differentiated, in the shape of the value
    vector        asks for the product of the Hessian with it, in the shape of the first input
    convention    a documented choice that changes the number; `reference.conventions` lists them

Targets that are integers are labels, in the shape of the rows; targets of the shape of the other input are
distributions. Values and gradients are within 0.51 ulp of the exact result (1 ulp where it is subnormal). A wrong
shape, label, probability or option raises a ValueError that names the argument and what is allowed; nothing is
broadcast.

Sources: C. E. Shannon, A mathematical theory of communication (1948), for entropy and cross-entropy; S. Kullback and
R. A. Leibler, On information and sufficiency (1951); T.-Y. Lin et al., Focal loss for dense object detection (2017);
C. Szegedy et al., Rethinking the Inception architecture (2016), for label smoothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import ArrayLike

from reference.evaluation import Evaluation, evaluate

Convention = Mapping[str, Any] | str | None


def entropy(
    probabilities: ArrayLike,
    *,
    axis: int = -1,
    base: float | None = None,
    reduction: str = "mean",
    cotangent: ArrayLike | None = None,
    convention: Convention = None,
) -> Evaluation:
    """H(p) = −Σ_j p_j ln p_j, in nats, or over ln b in units of `base` b. Shape: (..., C).

    0 ln 0 = 0. ∂H/∂p_j = −ln p_j − 1, which is +inf at 0.
    """
    options = {"axis": axis, "base": base, "reduction": reduction}
    return evaluate("entropy", {"probabilities": probabilities}, options, convention, cotangent=cotangent)


def softmax(logits: ArrayLike, *, axis: int = -1, cotangent: ArrayLike | None = None) -> Evaluation:
    """p_j = e^{x_j} / Σ_k e^{x_k}. Shape: (..., C), and so is the value.

    ∂(Σ u p)/∂x_j = p_j Σ_k p_k (u_j − u_k). A logit of −inf has probability 0; a row with +inf or nan, or of nothing
    but −inf, is nan.
    """
    return evaluate("softmax", {"logits": logits}, {"axis": axis}, cotangent=cotangent)


def log_softmax(logits: ArrayLike, *, axis: int = -1, cotangent: ArrayLike | None = None) -> Evaluation:
    """ln p_j = x_j − ln Σ_k e^{x_k}. Shape: (..., C), and so is the value.

    ∂(Σ u ln p)/∂x_j = u_j (1 − p_j) − p_j Σ_{k≠j} u_k.
    """
    return evaluate("log_softmax", {"logits": logits}, {"axis": axis}, cotangent=cotangent)


def cross_entropy(
    targets: ArrayLike,
    probabilities: ArrayLike,
    *,
    axis: int = -1,
    base: float | None = None,
    reduction: str = "mean",
    cotangent: ArrayLike | None = None,
    convention: Convention = None,
) -> Evaluation:
    """H(q, p) = −Σ_j q_j ln p_j of two distributions, both (..., C); over ln b with a `base` b.

    ∂/∂p_j = −q_j / p_j and ∂/∂q_j = −ln p_j; a term whose q_j is 0 is 0 whatever p_j is.
    """
    options = {"axis": axis, "base": base, "reduction": reduction}
    inputs = {"targets": targets, "probabilities": probabilities}
    return evaluate("cross_entropy", inputs, options, convention, cotangent=cotangent)


def kl_divergence(
    targets: ArrayLike,
    log_probabilities: ArrayLike,
    *,
    axis: int = -1,
    log_target: bool = False,
    reduction: str = "mean",
    cotangent: ArrayLike | None = None,
    convention: Convention = None,
) -> Evaluation:
    """KL(p ‖ q) = Σ_j p_j (ln p_j − ln q_j), one number per row, for p and ln q of shape (..., C).

    With `log_target` the targets are ln p. `reduction` may also be "batchmean": the sum over the length of the first
    axis. ∂/∂(ln q_j) = −p_j; ∂/∂p_j = ln p_j − ln q_j + 1. A term whose p_j is 0 is 0.
    """
    options = {"axis": axis, "log_target": log_target, "reduction": reduction}
    inputs = {"targets": targets, "log_probabilities": log_probabilities}
    return evaluate("kl_divergence", inputs, options, convention, cotangent=cotangent)


def nll_loss(
    log_probabilities: ArrayLike,
    targets: ArrayLike,
    *,
    axis: int = -1,
    class_weights: ArrayLike | None = None,
    ignore_index: int | None = None,
    reduction: str = "mean",
    denominator: str | None = None,
    cotangent: ArrayLike | None = None,
    convention: Convention = None,
) -> Evaluation:
    """−w_t ℓ_t for log-probabilities ℓ (..., C) and labels t of the shape of the rows; class weights w (C,).

    Rows whose label is `ignore_index` are 0 and do not count.
    """
    options = {
        "axis": axis,
        "class_weights": class_weights,
        "ignore_index": ignore_index,
        "reduction": reduction,
        "denominator": denominator,
    }
    inputs = {"log_probabilities": log_probabilities, "targets": targets}
    return evaluate("nll_loss", inputs, options, convention, cotangent=cotangent)


def categorical_cross_entropy(
    probabilities: ArrayLike,
    targets: ArrayLike,
    *,
    axis: int = -1,
    class_weights: ArrayLike | None = None,
    sample_weights: ArrayLike | None = None,
    label_smoothing: float = 0.0,
    ignore_index: int | None = None,
    base: float | None = None,
    reduction: str = "mean",
    denominator: str | None = None,
    cotangent: ArrayLike | None = None,
    convention: Convention = None,
) -> Evaluation:
    """−s Σ_j w_j q̃_j ln p_j for probabilities p (..., C) and labels or distributions q.

    q̃ = (1 − ε) q + ε/C with `label_smoothing` ε; class weights w (C,), sample weights s of the shape of the rows. Rows
    are not renormalised. ∂/∂p_j = −s w_j q̃_j / p_j.
    """
    options = {
        "axis": axis,
        "class_weights": class_weights,
        "sample_weights": sample_weights,
        "label_smoothing": label_smoothing,
        "ignore_index": ignore_index,
        "base": base,
        "reduction": reduction,
        "denominator": denominator,
    }
    inputs = {"probabilities": probabilities, "targets": targets}
    return evaluate("categorical_cross_entropy", inputs, options, convention, cotangent=cotangent)


def softmax_cross_entropy(
    logits: ArrayLike,
    targets: ArrayLike,
    *,
    axis: int = -1,
    class_weights: ArrayLike | None = None,
    sample_weights: ArrayLike | None = None,
    label_smoothing: float = 0.0,
    ignore_index: int | None = None,
    reduction: str = "mean",
    denominator: str | None = None,
    cotangent: ArrayLike | None = None,
    vector: ArrayLike | None = None,
    convention: Convention = None,
) -> Evaluation:
    """−s Σ_j w_j q̃_j ln softmax(x)_j for logits x (..., C) and labels or distributions q; q̃, w, s as above.

    With a_j = s w_j q̃_j: ∂/∂x_j = p_j Σ_{k≠j} a_k − a_j (1 − p_j), whatever the targets sum to, and the Hessian times
    v is (Σa) p_j Σ_k p_k (v_j − v_k).
    """
    options = {
        "axis": axis,
        "class_weights": class_weights,
        "sample_weights": sample_weights,
        "label_smoothing": label_smoothing,
        "ignore_index": ignore_index,
        "reduction": reduction,
        "denominator": denominator,
    }
    inputs = {"logits": logits, "targets": targets}
    return evaluate("softmax_cross_entropy", inputs, options, convention, cotangent=cotangent, vector=vector)


def binary_cross_entropy(
    probabilities: ArrayLike,
    targets: ArrayLike,
    *,
    sample_weights: ArrayLike | None = None,
    label_smoothing: float = 0.0,
    base: float | None = None,
    reduction: str = "mean",
    denominator: str | None = None,
    cotangent: ArrayLike | None = None,
    vector: ArrayLike | None = None,
    convention: Convention = None,
) -> Evaluation:
    """−s (t̃ ln p + (1 − t̃) ln(1 − p)), one per element; all inputs of one shape, t̃ = (1 − ε) t + ε/2.

    ∂/∂p = s (−t̃/p + (1 − t̃)/(1 − p)); second derivative s (t̃/p² + (1 − t̃)/(1 − p)²).
    """
    options = {
        "sample_weights": sample_weights,
        "label_smoothing": label_smoothing,
        "base": base,
        "reduction": reduction,
        "denominator": denominator,
    }
    inputs = {"probabilities": probabilities, "targets": targets}
    return evaluate("binary_cross_entropy", inputs, options, convention, cotangent=cotangent, vector=vector)


def binary_cross_entropy_with_logits(
    logits: ArrayLike,
    targets: ArrayLike,
    *,
    sample_weights: ArrayLike | None = None,
    label_smoothing: float = 0.0,
    pos_weight: ArrayLike | None = None,
    reduction: str = "mean",
    denominator: str | None = None,
    cotangent: ArrayLike | None = None,
    vector: ArrayLike | None = None,
    convention: Convention = None,
) -> Evaluation:
    """s (w t̃ softplus(−z) + (1 − t̃) softplus(z)), one per element; `pos_weight` w is a number, or one per last entry.

    ∂/∂z = s ((1 − t̃) σ(z) − w t̃ σ(−z)); second derivative s (w t̃ + 1 − t̃) σ(z) σ(−z).
    """
    options = {
        "sample_weights": sample_weights,
        "label_smoothing": label_smoothing,
        "pos_weight": pos_weight,
        "reduction": reduction,
        "denominator": denominator,
    }
    inputs = {"logits": logits, "targets": targets}
    return evaluate("binary_cross_entropy_with_logits", inputs, options, convention, cotangent=cotangent, vector=vector)


def binary_focal(
    logits: ArrayLike,
    targets: ArrayLike,
    *,
    alpha: float | None = None,
    gamma: float = 2.0,
    reduction: str = "mean",
    cotangent: ArrayLike | None = None,
    convention: Convention = None,
) -> Evaluation:
    """α t σ(−z)^γ softplus(−z) + (1 − α)(1 − t) σ(z)^γ softplus(z), one per element; without α both sides weigh 1.

    γ = 0 without α is binary_cross_entropy_with_logits.
    """
    options = {"alpha": alpha, "gamma": gamma, "reduction": reduction}
    return evaluate("binary_focal", {"logits": logits, "targets": targets}, options, convention, cotangent=cotangent)


def categorical_focal(
    logits: ArrayLike,
    targets: ArrayLike,
    *,
    alpha: ArrayLike | None = None,
    gamma: float = 2.0,
    reduction: str = "mean",
    cotangent: ArrayLike | None = None,
    convention: Convention = None,
) -> Evaluation:
    """−Σ_j α_j q_j (1 − p_j)^γ ln p_j with p = softmax(x), logits (..., C); α is a number or one per class.

    γ = 0 without α is softmax_cross_entropy.
    """
    options = {"alpha": alpha, "gamma": gamma, "reduction": reduction}
    inputs = {"logits": logits, "targets": targets}
    return evaluate("categorical_focal", inputs, options, convention, cotangent=cotangent)


def linear_cross_entropy(
    hidden: ArrayLike,
    weight: ArrayLike,
    targets: ArrayLike,
    *,
    bias: ArrayLike | None = None,
    axis: int = -1,
    class_weights: ArrayLike | None = None,
    sample_weights: ArrayLike | None = None,
    label_smoothing: float = 0.0,
    ignore_index: int | None = None,
    reduction: str = "mean",
    denominator: str | None = None,
    cotangent: ArrayLike | None = None,
    convention: Convention = None,
) -> Evaluation:
    """softmax_cross_entropy of x = hidden · weight + bias: hidden (..., d), weight (d, C), bias (C,); the classes
    are last, so `axis` can only be −1.

    With g = ∂/∂x: ∂/∂hidden = g weightᵀ, ∂/∂weight = hiddenᵀ g, ∂/∂bias = Σ g.
    """
    options = {
        "axis": axis,
        "class_weights": class_weights,
        "sample_weights": sample_weights,
        "label_smoothing": label_smoothing,
        "ignore_index": ignore_index,
        "reduction": reduction,
        "denominator": denominator,
    }
    inputs = {"hidden": hidden, "weight": weight, "bias": bias, "targets": targets}
    return evaluate("linear_cross_entropy", inputs, options, convention, cotangent=cotangent)
