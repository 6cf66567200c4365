"""One function per loss: the formula, the shapes and the options of each, in one place.

Each is `reference.evaluate` under its own name and with its own arguments, and returns an `Evaluation`: `.value`, and
`.gradients` by the name of the input, as pairs hi + lo of float64. `float(loss.value)` and `np.asarray(loss.value)` are
the nearest float64.

Examples
--------
>>> from reference.losses import softmax_cross_entropy
>>> loss = softmax_cross_entropy([[1.0, 2.0, 4.0]], [2])
>>> float(loss.value)
0.16984601955628564
>>> loss.gradients["logits"].shape
(1, 3)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import ArrayLike

from reference.evaluation import Evaluation, evaluate

Convention = Mapping[str, Any] | str | None


def entropy(
    probabilities: ArrayLike | None = None,
    *,
    logits: ArrayLike | None = None,
    axis: int = -1,
    base: float | None = None,
    logit_scale: float | None = None,
    reduction: str = "mean",
    cotangent: ArrayLike | None = None,
    convention: Convention = None,
) -> Evaluation:
    """Entropy of a distribution, H(p) = −Σ_j p_j ln p_j.

    Parameters
    ----------
    probabilities : array_like of float, shape (..., C), optional
        p within [0, 1]; rows need not sum to 1.
    logits : array_like of float, shape (..., C), optional
        In the place of probabilities: p is their softmax.
    axis : int, default -1
        The axis of the classes; a row is everything else.
    base : float, optional
        The base of the logarithm; without it the unit is the nat.
    logit_scale : float, optional
        s, what the logits are multiplied with first; a temperature T is 1/T. Only with logits.
    reduction : {"mean", "sum", "none"}, default "mean"
        "none" gives one number per row, "sum" their sum, "mean" their sum over the denominator.
    cotangent : array_like of float, optional
        What the value is multiplied with, and summed, before it is differentiated; of the shape of the value, by
        default ones.
    convention : mapping or str, optional
        A documented choice that changes the number, ``{"clip": 1e-7}`` or ``"clip(1e-7)"``; see
        `reference.conventions`.

    Returns
    -------
    Evaluation
        `value`, in nats, or over ln b in units of base b: of shape (), or of the rows for reduction "none".
        `gradients["probabilities"]` or `["logits"]`, of the shape of the input. Within 0.51 ulp of the exact result, 1
        ulp where that is subnormal.

    Raises
    ------
    ValueError
        A probability outside [0, 1], an axis or an option that is not allowed, a cotangent of another shape. The
        message names the argument.

    Notes
    -----
    ∂H/∂p_j = −ln p_j − 1, which is +inf at 0; 0 ln 0 = 0. Of logits: ∂H/∂x_j = s p_j Σ_k p_k (ln p_k − ln p_j).

    Source: [1]_.

    References
    ----------
    .. [1] C. E. Shannon, A mathematical theory of communication, Bell System Technical Journal 27 (1948).

    Examples
    --------
    >>> from reference.losses import entropy
    >>> entropy([0.5, 0.25, 0.25], base=2).value.hi
    array(1.5)
    >>> entropy([1.0, 0.0]).gradients["probabilities"].hi
    array([-1., inf])
    """
    options = {"axis": axis, "base": base, "logit_scale": logit_scale, "reduction": reduction}
    inputs = {"probabilities": probabilities, "logits": logits}
    return evaluate("entropy", inputs, options, convention, cotangent=cotangent)


def softmax(
    logits: ArrayLike,
    *,
    axis: int = -1,
    logit_scale: float | None = None,
    softcap: float | None = None,
    class_mask: ArrayLike | None = None,
    cotangent: ArrayLike | None = None,
) -> Evaluation:
    """Softmax, p_j = e^{x_j} / Σ_k e^{x_k}. It is not reduced.

    Parameters
    ----------
    logits : array_like of float, shape (..., C)
        x, one row per sample, the classes along `axis`.
    axis : int, default -1
        The axis of the classes; a row is everything else.
    logit_scale : float, optional
        s, what the logits are multiplied with first: y = s x; a temperature T is 1/T.
    softcap : float, optional
        c > 0, what they are capped with then: z = c tanh(y / c).
    class_mask : array_like of bool, shape (C,) or that of the logits, optional
        Which classes count: the others have no mass, no gradient and no share in smoothing, whatever their logits.
    cotangent : array_like of float, optional
        What the value is multiplied with, and summed, before it is differentiated; of the shape of the value, by
        default ones.

    Returns
    -------
    Evaluation
        `value`, of the shape of the logits, without a unit; `gradients["logits"]`, of the same shape. Within 0.51 ulp
        of the exact result, 1 ulp where that is subnormal.

    Raises
    ------
    ValueError
        An axis that the logits do not have, no class along it, a cotangent of another shape. The message names the
        argument.

    Notes
    -----
    ∂(Σ u p)/∂x_j = p_j Σ_k p_k (u_j − u_k) for a cotangent u; with a cotangent of ones it is 0.

    A logit of −inf has probability 0; a row with +inf or nan, or of nothing but −inf, is nan. Written with the distance
    to the largest logit, so that nothing cancels and a probability of 1e-300 keeps all its digits: [1]_, and
    `reference.softmax`.

    References
    ----------
    .. [1] P. Blanchard, D. J. Higham, N. J. Higham, Accurately computing the log-sum-exp and softmax functions, IMA
    Journal of Numerical Analysis 41 (2021).

    Examples
    --------
    >>> from reference.losses import softmax
    >>> softmax([0.0, 0.0]).value.hi
    array([0.5, 0.5])
    >>> softmax([0.0, 0.0], cotangent=[1, 0]).gradients["logits"].hi
    array([ 0.25, -0.25])
    >>> softmax([800.0, 0.0]).value.hi
    array([1., 0.])
    """
    options = {"axis": axis, "logit_scale": logit_scale, "softcap": softcap, "class_mask": class_mask}
    return evaluate("softmax", {"logits": logits}, options, cotangent=cotangent)


def log_softmax(
    logits: ArrayLike,
    *,
    axis: int = -1,
    logit_scale: float | None = None,
    softcap: float | None = None,
    class_mask: ArrayLike | None = None,
    cotangent: ArrayLike | None = None,
) -> Evaluation:
    """Logarithm of the softmax, ln p_j = x_j − ln Σ_k e^{x_k}. It is not reduced.

    Parameters
    ----------
    logits : array_like of float, shape (..., C)
        x, one row per sample, the classes along `axis`.
    axis : int, default -1
        The axis of the classes; a row is everything else.
    logit_scale : float, optional
        s, what the logits are multiplied with first: y = s x; a temperature T is 1/T.
    softcap : float, optional
        c > 0, what they are capped with then: z = c tanh(y / c).
    class_mask : array_like of bool, shape (C,) or that of the logits, optional
        Which classes count: the others have no mass, no gradient and no share in smoothing, whatever their logits.
    cotangent : array_like of float, optional
        What the value is multiplied with, and summed, before it is differentiated; of the shape of the value, by
        default ones.

    Returns
    -------
    Evaluation
        `value`, of the shape of the logits, in nats; `gradients["logits"]`, of the same shape. Within 0.51 ulp of the
        exact result, 1 ulp where that is subnormal.

    Raises
    ------
    ValueError
        An axis that the logits do not have, no class along it, a cotangent of another shape. The message names the
        argument.

    Notes
    -----
    ∂(Σ u ln p)/∂x_j = u_j (1 − p_j) − p_j Σ_{k≠j} u_k for a cotangent u. The limits are those of `softmax`, and ln 0 =
    −inf. Source: [1]_.

    References
    ----------
    .. [1] P. Blanchard, D. J. Higham, N. J. Higham, Accurately computing the log-sum-exp and softmax functions, IMA
    Journal of Numerical Analysis 41 (2021).

    Examples
    --------
    >>> from reference.losses import log_softmax
    >>> log_softmax([40.0, 0.0]).value.hi
    array([-4.24835426e-18, -4.00000000e+01])
    >>> log_softmax([0.0, 0.0], cotangent=[1, 0]).gradients["logits"].hi
    array([ 0.5, -0.5])
    """
    options = {"axis": axis, "logit_scale": logit_scale, "softcap": softcap, "class_mask": class_mask}
    return evaluate("log_softmax", {"logits": logits}, options, cotangent=cotangent)


def logsumexp(
    logits: ArrayLike,
    *,
    axis: int = -1,
    logit_scale: float | None = None,
    softcap: float | None = None,
    class_mask: ArrayLike | None = None,
    cotangent: ArrayLike | None = None,
) -> Evaluation:
    """Logarithm of a sum of exponentials, ln Σ_j e^{x_j}. It is not reduced.

    Parameters
    ----------
    logits : array_like of float, shape (..., C)
        x, one row per sample, the classes along `axis`.
    axis : int, default -1
        The axis of the classes; a row is everything else.
    logit_scale : float, optional
        s, what the logits are multiplied with first: y = s x; a temperature T is 1/T.
    softcap : float, optional
        c > 0, what they are capped with then: z = c tanh(y / c).
    class_mask : array_like of bool, shape (C,) or that of the logits, optional
        Which classes count: the others have no mass, no gradient and no share in smoothing, whatever their logits.
    cotangent : array_like of float, optional
        What the value is multiplied with, and summed, before it is differentiated; of the shape of the value, by
        default ones.

    Returns
    -------
    Evaluation
        `value`, one number per row; `gradients["logits"]`, of the shape of the logits. Within 0.51 ulp of the exact
        result, 1 ulp where that is subnormal.

    Raises
    ------
    ValueError
        An axis that the logits do not have, no class along it, a cotangent of another shape. The message names the
        argument.

    Notes
    -----
    ∂(ln Σ_j e^{x_j})/∂x_k = e^{x_k} / Σ_j e^{x_j}, the softmax. Where the largest logit is infinite the value is that
    logit, and the gradient nan. Source: [1]_.

    References
    ----------
    .. [1] P. Blanchard, D. J. Higham, N. J. Higham, Accurately computing the log-sum-exp and softmax functions, IMA J.
       Numer. Anal. 41 (2021).

    Examples
    --------
    >>> from reference.losses import logsumexp
    >>> float(logsumexp([1000.0, 1000.0]).value)
    1000.6931471805599
    """
    options = {"axis": axis, "logit_scale": logit_scale, "softcap": softcap, "class_mask": class_mask}
    return evaluate("logsumexp", {"logits": logits}, options, cotangent=cotangent)


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
    """Cross-entropy of two distributions, H(q, p) = −Σ_j q_j ln p_j.

    Parameters
    ----------
    targets : array_like of float, shape (..., C)
        q, the distribution the expectation is taken over.
    probabilities : array_like of float, shape (..., C)
        p within [0, 1]; rows need not sum to 1.
    axis : int, default -1
        The axis of the classes; a row is everything else.
    base : float, optional
        The base of the logarithm; without it the unit is the nat.
    reduction : {"mean", "sum", "none"}, default "mean"
        "none" gives one number per row, "sum" their sum, "mean" their sum over the denominator.
    cotangent : array_like of float, optional
        What the value is multiplied with, and summed, before it is differentiated; of the shape of the value, by
        default ones.
    convention : mapping or str, optional
        A documented choice that changes the number, ``{"clip": 1e-7}`` or ``"clip(1e-7)"``; see
        `reference.conventions`.

    Returns
    -------
    Evaluation
        `value`, in nats, or over ln b in units of base b: of shape (), or of the rows for reduction "none".
        `gradients["probabilities"]` and `gradients["targets"]`, of the shapes of the inputs. Within 0.51 ulp of the
        exact result, 1 ulp where that is subnormal.

    Raises
    ------
    ValueError
        Shapes that differ (nothing is broadcast), a probability outside [0, 1], an option that is not allowed. The
        message names the argument.

    Notes
    -----
    ∂/∂p_j = −q_j / p_j and ∂/∂q_j = −ln p_j. A term whose q_j is 0 is 0 whatever p_j is. Source: [1]_.

    References
    ----------
    .. [1] C. E. Shannon, A mathematical theory of communication, Bell System Technical Journal 27 (1948).

    Examples
    --------
    >>> from reference.losses import cross_entropy
    >>> cross_entropy([[0.5, 0.5]], [[0.5, 0.25]], base=2).value.hi
    array(1.5)
    >>> cross_entropy([[1.0, 0.0]], [[0.5, 0.0]]).gradients["probabilities"].hi
    array([[-2.,  0.]])
    """
    options = {"axis": axis, "base": base, "reduction": reduction}
    inputs = {"targets": targets, "probabilities": probabilities}
    return evaluate("cross_entropy", inputs, options, convention, cotangent=cotangent)


def kl_divergence(
    targets: ArrayLike | None = None,
    log_probabilities: ArrayLike | None = None,
    *,
    target_logits: ArrayLike | None = None,
    logits: ArrayLike | None = None,
    axis: int = -1,
    log_target: bool = False,
    logit_scale: float | None = None,
    reduction: str = "mean",
    cotangent: ArrayLike | None = None,
    convention: Convention = None,
) -> Evaluation:
    """Kullback-Leibler divergence, KL(p ‖ q) = Σ_j p_j (ln p_j − ln q_j).

    Parameters
    ----------
    targets : array_like of float, shape (..., C)
        p of at least 0, or ln p with `log_target`.
    log_probabilities : array_like of float, shape (..., C)
        ln q.
    target_logits, logits : array_like of float, shape (..., C), optional
        In the place of both: p and q are their softmaxes.
    axis : int, default -1
        The axis of the classes; a row is everything else.
    log_target : bool, default False
        Whether the targets are logarithms.
    logit_scale : float, optional
        s, what the logits are multiplied with first; a temperature T is 1/T. Only with logits.
    reduction : {"mean", "batchmean", "sum", "none"}, default "mean"
        "none" gives one number per row, "sum" their sum, "mean" their mean, "batchmean" their sum over the length of
        the first axis.
    cotangent : array_like of float, optional
        What the value is multiplied with, and summed, before it is differentiated; of the shape of the value, by
        default ones.
    convention : mapping or str, optional
        A documented choice that changes the number, ``{"clip": 1e-7}`` or ``"clip(1e-7)"``; see
        `reference.conventions`.

    Returns
    -------
    Evaluation
        `value`, in nats: of shape (), or of the rows for reduction "none". `gradients["log_probabilities"]` and
        `["targets"]`, or `["logits"]` and `["target_logits"]`, of the shapes of the inputs. Within 0.51 ulp of the
        exact result, 1 ulp where that is subnormal.

    Raises
    ------
    ValueError
        Shapes that differ (nothing is broadcast), targets below 0, "batchmean" without a batch, an option that is not
        allowed. The message names the argument.

    Notes
    -----
    ∂/∂(ln q_j) = −p_j and ∂/∂p_j = ln p_j − ln q_j + 1; with `log_target` ∂/∂(ln p_j) = p_j (ln p_j − ln q_j + 1). A
    term whose p_j is 0 is 0. Of logits: ∂/∂x_j = s (q_j − p_j), of the target's s p_j Σ_k p_k (d_j − d_k) with
    d = ln p − ln q. Source: [1]_.

    References
    ----------
    .. [1] S. Kullback, R. A. Leibler, On information and sufficiency, Annals of Mathematical Statistics 22 (1951).

    Examples
    --------
    >>> from reference.losses import kl_divergence
    >>> float(kl_divergence([[0.5, 0.5]], [[-1.0, -2.0]]).value)
    0.8068528194400547
    >>> kl_divergence([[0.5, 0.5]], [[-1.0, -2.0]]).gradients["log_probabilities"].hi
    array([[-0.5, -0.5]])
    """
    options = {"axis": axis, "log_target": log_target or None, "logit_scale": logit_scale, "reduction": reduction}
    pairs = {"target_logits": target_logits, "logits": logits}
    inputs = {"targets": targets, "log_probabilities": log_probabilities, **pairs}
    return evaluate("kl_divergence", inputs, options, convention, cotangent=cotangent)


def jensen_shannon(
    targets: ArrayLike | None = None,
    probabilities: ArrayLike | None = None,
    *,
    target_logits: ArrayLike | None = None,
    logits: ArrayLike | None = None,
    axis: int = -1,
    base: float | None = None,
    beta: float = 0.5,
    logit_scale: float | None = None,
    reduction: str = "mean",
    denominator: str | float | None = None,
    cotangent: ArrayLike | None = None,
) -> Evaluation:
    """Jensen-Shannon divergence, Σ_j β p_j ln(p_j/m_j) + (1 − β) q_j ln(q_j/m_j) with m = β p + (1 − β) q.

    Parameters
    ----------
    targets : array_like of float, shape (..., C)
        p within [0, 1].
    probabilities : array_like of float, shape (..., C)
        q within [0, 1].
    target_logits, logits : array_like of float, shape (..., C), optional
        In the place of both: p and q are their softmaxes.
    axis : int, default -1
        The axis of the classes; a row is everything else.
    base : float, optional
        The base of the logarithm; without it the unit is the nat.
    beta : float, default 0.5
        β between 0 and 1, the share of the targets.
    logit_scale : float, optional
        s, what the logits are multiplied with first; a temperature T is 1/T. Only with logits.
    reduction : {"mean", "sum", "none"}, default "mean"
        "none" gives one number per row, "sum" their sum, "mean" their sum over the denominator.
    denominator : {"count"} or float, optional
        What a mean divides by: the number of rows, or the number given, which is positive.
    cotangent : array_like of float, optional
        What the value is multiplied with, and summed, before it is differentiated; of the shape of the value, by
        default ones.

    Returns
    -------
    Evaluation
        `value`, in nats, or over ln b in units of base b: of shape (), or of the rows for reduction "none".
        `gradients["probabilities"]` and `["targets"]`, or `["logits"]` and `["target_logits"]`, of the shapes of the
        inputs. Within 0.51 ulp of the exact result, 1 ulp where that is subnormal.

    Raises
    ------
    ValueError
        Shapes that differ (nothing is broadcast), a probability outside [0, 1], an option that is not allowed. The
        message names the argument.

    Notes
    -----
    ∂/∂q_j = (1 − β) ln(q_j/m_j) and ∂/∂p_j = β ln(p_j/m_j), which is nan where p_j = q_j = 0; of logits both are pulled
    back through the softmax. A term whose probability is 0 is 0. Source: [1]_, for the share β [2]_.

    References
    ----------
    .. [1] J. Lin, Divergence measures based on the Shannon entropy, IEEE Trans. Inf. Theory 37 (1991).
    .. [2] R. Agarwal et al., On-policy distillation of language models, ICLR (2024).

    Examples
    --------
    >>> from reference.losses import jensen_shannon
    >>> float(jensen_shannon([[1.0, 0.0]], [[0.0, 1.0]], base=2).value)
    1.0
    """
    options = {
        "axis": axis,
        "base": base,
        "beta": beta,
        "logit_scale": logit_scale,
        "reduction": reduction,
        "denominator": denominator,
    }
    pairs = {"target_logits": target_logits, "logits": logits}
    inputs = {"targets": targets, "probabilities": probabilities, **pairs}
    return evaluate("jensen_shannon", inputs, options, cotangent=cotangent)


def bernoulli_kl(
    targets: ArrayLike,
    probabilities: ArrayLike,
    *,
    sample_weights: ArrayLike | None = None,
    reduction: str = "mean",
    denominator: str | float | None = None,
    cotangent: ArrayLike | None = None,
) -> Evaluation:
    """Kullback-Leibler divergence of Bernoulli distributions, s (t ln(t/p) + (1 − t) ln((1 − t)/(1 − p))) per element.

    Parameters
    ----------
    targets : array_like of float
        t within [0, 1], of any shape.
    probabilities : array_like of float
        p within [0, 1], of the shape of the targets.
    sample_weights : array_like of float, optional
        s, finite, of the shape of the inputs: one per element.
    reduction : {"mean", "sum", "none"}, default "mean"
        "none" gives one number per element, "sum" their sum, "mean" their sum over the denominator.
    denominator : {"count", "weights", "valid"} or float, optional
        What a mean divides by: the number of elements ("count", the default, and "valid"), the sum of the sample
        weights, or the number given, which is positive.
    cotangent : array_like of float, optional
        What the value is multiplied with, and summed, before it is differentiated; of the shape of the value, by
        default ones.

    Returns
    -------
    Evaluation
        `value`, in nats: of shape (), or of the inputs for reduction "none". `gradients["probabilities"]` and
        `["targets"]`, of the shapes of the inputs. Within 0.51 ulp of the exact result, 1 ulp where that is subnormal.

    Raises
    ------
    ValueError
        Shapes that differ (nothing is broadcast), a probability outside [0, 1], weights that are not finite. The
        message names the argument.

    Notes
    -----
    ∂/∂p = s (p − t) / (p (1 − p)), and at an end, of the side that has weight; ∂/∂t = s ln(t (1 − p) / (p (1 − t))). A
    side whose weight is 0 is 0. Source: [1]_.

    References
    ----------
    .. [1] S. Kullback, R. A. Leibler, On information and sufficiency, Annals of Mathematical Statistics 22 (1951).

    Examples
    --------
    >>> from reference.losses import bernoulli_kl
    >>> float(bernoulli_kl([1.0], [0.5]).value)
    0.6931471805599453
    """
    options = {"sample_weights": sample_weights, "reduction": reduction, "denominator": denominator}
    inputs = {"targets": targets, "probabilities": probabilities}
    return evaluate("bernoulli_kl", inputs, options, cotangent=cotangent)


def soft_margin(
    logits: ArrayLike,
    targets: ArrayLike,
    *,
    sample_weights: ArrayLike | None = None,
    reduction: str = "mean",
    denominator: str | float | None = None,
    cotangent: ArrayLike | None = None,
) -> Evaluation:
    """Logistic loss of labels ±1, s ln(1 + e^{−t z}) per element.

    Parameters
    ----------
    logits : array_like of float
        z, of any shape.
    targets : array_like of float
        t, of the shape of the logits: −1 or 1 as a rule, and not refused elsewhere.
    sample_weights : array_like of float, optional
        s, finite, of the shape of the inputs: one per element.
    reduction : {"mean", "sum", "none"}, default "mean"
        "none" gives one number per element, "sum" their sum, "mean" their sum over the denominator.
    denominator : {"count", "weights", "valid"} or float, optional
        What a mean divides by: the number of elements ("count", the default, and "valid"), the sum of the sample
        weights, or the number given, which is positive.
    cotangent : array_like of float, optional
        What the value is multiplied with, and summed, before it is differentiated; of the shape of the value, by
        default ones.

    Returns
    -------
    Evaluation
        `value`, in nats: of shape (), or of the inputs for reduction "none". `gradients["logits"]` and `["targets"]`,
        of the shapes of the inputs. Within 0.51 ulp of the exact result, 1 ulp where that is subnormal.

    Raises
    ------
    ValueError
        Shapes that differ (nothing is broadcast), weights that are not finite, an option that is not allowed. The
        message names the argument.

    Notes
    -----
    ∂/∂z = −s t σ(−t z) and ∂/∂t = −s z σ(−t z), with σ(z) = 1 / (1 + e^{−z}). Source: [1]_, equation 10.31.

    References
    ----------
    .. [1] T. Hastie, R. Tibshirani, J. Friedman, The Elements of Statistical Learning, Springer (2009).

    Examples
    --------
    >>> from reference.losses import soft_margin
    >>> float(soft_margin([0.0], [-1.0]).value)
    0.6931471805599453
    """
    options = {"sample_weights": sample_weights, "reduction": reduction, "denominator": denominator}
    return evaluate("soft_margin", {"logits": logits, "targets": targets}, options, cotangent=cotangent)


def nll_loss(
    log_probabilities: ArrayLike,
    targets: ArrayLike,
    *,
    axis: int = -1,
    class_weights: ArrayLike | None = None,
    ignore_index: int | None = None,
    reduction: str = "mean",
    denominator: str | float | None = None,
    cotangent: ArrayLike | None = None,
    convention: Convention = None,
) -> Evaluation:
    """Negative log-likelihood, −w_t ℓ_t for log-probabilities ℓ and labels t.

    Parameters
    ----------
    log_probabilities : array_like of float, shape (..., C)
        ℓ, taken as they are: no row is normalised.
    targets : array_like of int
        Class labels 0 … C − 1, in the shape of the rows.
    axis : int, default -1
        The axis of the classes; a row is everything else.
    class_weights : array_like of float, shape (C,), optional
        w, finite, one per class.
    ignore_index : int, optional
        A label whose rows are 0, have no gradient and do not count in a mean. Only with integer targets.
    reduction : {"mean", "sum", "none"}, default "mean"
        "none" gives one number per row, "sum" their sum, "mean" their sum over the denominator.
    denominator : {"count", "weights", "valid"} or float, optional
        What a mean divides by: the number of rows, the sum of the weights of the rows that count, or the number of rows
        that are not ignored; or the number given, which is positive. By default "weights" with class weights, else
        "valid" with an `ignore_index`, else "count".
    cotangent : array_like of float, optional
        What the value is multiplied with, and summed, before it is differentiated; of the shape of the value, by
        default ones.
    convention : mapping or str, optional
        A documented choice that changes the number, ``{"clip": 1e-7}`` or ``"clip(1e-7)"``; see
        `reference.conventions`.

    Returns
    -------
    Evaluation
        `value`, in nats: of shape (), or of the rows for reduction "none". `gradients["log_probabilities"]`, of the
        shape of the input. Within 0.51 ulp of the exact result, 1 ulp where that is subnormal.

    Raises
    ------
    ValueError
        A label that is no class and is not ignored, shapes that do not fit, weights that are not finite, an option that
        is not allowed. The message names the argument.

    Notes
    -----
    ∂/∂ℓ_j = −w_t where j = t, else 0, over the denominator. Rows whose label is `ignore_index` are 0 and do not count.
    Source: [1]_, section 4.3.4.

    References
    ----------
    .. [1] C. M. Bishop, Pattern Recognition and Machine Learning, Springer (2006).

    Examples
    --------
    >>> from reference.losses import nll_loss
    >>> nll_loss([[-0.5, -2.0], [-1.0, -3.0]], [0, 1]).value.hi
    array(1.75)
    >>> nll_loss([[-0.5, -2.0], [-1.0, -3.0]], [0, 9], ignore_index=9).gradients["log_probabilities"].hi
    array([[-1.,  0.],
           [ 0.,  0.]])
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
    denominator: str | float | None = None,
    cotangent: ArrayLike | None = None,
    convention: Convention = None,
) -> Evaluation:
    """Cross-entropy from probabilities, −s Σ_j w_j q̃_j ln p_j.

    Parameters
    ----------
    probabilities : array_like of float, shape (..., C)
        p within [0, 1]; rows are not renormalised.
    targets : array_like, of int or float
        Integers are class labels 0 … C − 1, in the shape of the rows; floats of the shape of the other input are
        distributions q.
    axis : int, default -1
        The axis of the classes; a row is everything else.
    class_weights : array_like of float, shape (C,), optional
        w, finite, one per class.
    sample_weights : array_like of float, optional
        s, finite, in the shape of the rows: one per row.
    label_smoothing : float, default 0.0
        ε within [0, 1]: q̃ = (1 − ε) q + ε/C.
    ignore_index : int, optional
        A label whose rows are 0, have no gradient and do not count in a mean. Only with integer targets.
    base : float, optional
        The base of the logarithm; without it the unit is the nat.
    reduction : {"mean", "sum", "none"}, default "mean"
        "none" gives one number per row, "sum" their sum, "mean" their sum over the denominator.
    denominator : {"count", "weights", "valid"} or float, optional
        What a mean divides by: the number of rows, the sum of the weights of the rows that count, or the number of rows
        that are not ignored; or the number given, which is positive. By default "weights" with class weights, else
        "valid" with an `ignore_index`, else "count".
    cotangent : array_like of float, optional
        What the value is multiplied with, and summed, before it is differentiated; of the shape of the value, by
        default ones.
    convention : mapping or str, optional
        A documented choice that changes the number, ``{"clip": 1e-7}`` or ``"clip(1e-7)"``; see
        `reference.conventions`.

    Returns
    -------
    Evaluation
        `value`, in nats, or over ln b in units of base b: of shape (), or of the rows for reduction "none".
        `gradients["probabilities"]`, of the shape of the input, and `gradients["targets"]` where the targets are
        distributions. Within 0.51 ulp of the exact result, 1 ulp where that is subnormal.

    Raises
    ------
    ValueError
        A probability outside [0, 1], a label that is no class and is not ignored, shapes that do not fit (nothing is
        broadcast), weights that are not finite, an option that is not allowed. The message names the argument.

    Notes
    -----
    With a_j = s w_j q̃_j: ∂/∂p_j = −a_j / p_j, which is −inf at p_j = 0 where a_j > 0. A term whose a_j is 0 is 0
    whatever p_j is. Sources: [1]_, and [2]_ for label smoothing.

    References
    ----------
    .. [1] C. E. Shannon, A mathematical theory of communication, Bell System Technical Journal 27 (1948).
    .. [2] C. Szegedy et al., Rethinking the Inception architecture for computer vision, CVPR (2016).

    Examples
    --------
    >>> from reference.losses import categorical_cross_entropy
    >>> float(categorical_cross_entropy([[0.775, 0.116, 0.109]], [0], base=2).value)
    0.3677317845004871
    >>> categorical_cross_entropy([[0.5, 0.5]], [0]).gradients["probabilities"].hi
    array([[-2.,  0.]])
    >>> float(categorical_cross_entropy([[1.0, 0.0]], [1], convention="clip(1e-7)").value)
    16.11809565095832
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
    logit_scale: float | None = None,
    softcap: float | None = None,
    class_mask: ArrayLike | None = None,
    z_loss: float | None = None,
    reduction: str = "mean",
    denominator: str | float | None = None,
    cotangent: ArrayLike | None = None,
    vector: ArrayLike | None = None,
    convention: Convention = None,
) -> Evaluation:
    """Cross-entropy from logits, −s Σ_j w_j q̃_j ln softmax(x)_j.

    Parameters
    ----------
    logits : array_like of float, shape (..., C)
        x, one row per sample, the classes along `axis`.
    targets : array_like, of int or float
        Integers are class labels 0 … C − 1, in the shape of the rows; floats of the shape of the other input are
        distributions q.
    axis : int, default -1
        The axis of the classes; a row is everything else.
    class_weights : array_like of float, shape (C,), optional
        w, finite, one per class.
    sample_weights : array_like of float, optional
        s, finite, in the shape of the rows: one per row.
    label_smoothing : float, default 0.0
        ε within [0, 1]: q̃ = (1 − ε) q + ε/C.
    ignore_index : int, optional
        A label whose rows are 0, have no gradient and do not count in a mean. Only with integer targets.
    logit_scale : float, optional
        s, what the logits are multiplied with first: y = s x; a temperature T is 1/T.
    softcap : float, optional
        c > 0, what they are capped with then: z = c tanh(y / c).
    class_mask : array_like of bool, shape (C,) or that of the logits, optional
        Which classes count: the others have no mass, no gradient and no share in smoothing, whatever their logits.
    z_loss : float, optional
        λ ≥ 0: λ (ln Σ_j e^{z_j})² is added to each row that counts, times its sample weight, before the reduction.
    reduction : {"mean", "sum", "none"}, default "mean"
        "none" gives one number per row, "sum" their sum, "mean" their sum over the denominator.
    denominator : {"count", "weights", "valid"} or float, optional
        What a mean divides by: the number of rows, the sum of the weights of the rows that count, or the number of rows
        that are not ignored; or the number given, which is positive. By default "weights" with class weights, else
        "valid" with an `ignore_index`, else "count".
    cotangent : array_like of float, optional
        What the value is multiplied with, and summed, before it is differentiated; of the shape of the value, by
        default ones.
    vector : array_like of float, shape (..., C), optional
        Asks for the product with it of the Hessian of Σ value · cotangent with respect to the logits.
    convention : mapping or str, optional
        A documented choice that changes the number, ``{"clip": 1e-7}`` or ``"clip(1e-7)"``; see
        `reference.conventions`.

    Returns
    -------
    Evaluation
        `value`, in nats: of shape (), or of the rows for reduction "none". `gradients["logits"]`, of the shape of the
        logits, and `gradients["targets"]` where the targets are distributions; `hessian_vector`, of the shape of the
        logits, where a `vector` is given. Within 0.51 ulp of the exact result, 1 ulp where that is subnormal.

    Raises
    ------
    ValueError
        A label that is no class and is not ignored, shapes that do not fit (nothing is broadcast), weights that are not
        finite, an option that is not allowed, a `vector` under a convention that changes more than the denominator. The
        message names the argument.

    Notes
    -----
    With p = softmax(x) and a_j = s w_j q̃_j: ∂/∂x_j = p_j Σ_{k≠j} a_k − a_j (1 − p_j), whatever the targets sum to;
    never p_j − 1, which cancels. The Hessian times v is (Σ a) p_j Σ_k p_k (v_j − v_k). A row with a logit of +inf or
    nan, or of nothing but −inf, is nan. Sources: [1]_, and [2]_ for label smoothing.

    References
    ----------
    .. [1] P. Blanchard, D. J. Higham, N. J. Higham, Accurately computing the log-sum-exp and softmax functions, IMA
    Journal of Numerical Analysis 41 (2021).
    .. [2] C. Szegedy et al., Rethinking the Inception architecture for computer vision, CVPR (2016).

    Examples
    --------
    >>> from reference.losses import softmax_cross_entropy
    >>> loss = softmax_cross_entropy([[40.0, 0.0]], [0])
    >>> float(loss.value)
    4.248354255291589e-18
    >>> loss.gradients["logits"].hi
    array([[-4.24835426e-18,  4.24835426e-18]])
    >>> softmax_cross_entropy([[0.0, 0.0], [1.0, 2.0]], [0, -100], ignore_index=-100).gradients["logits"].hi
    array([[-0.5,  0.5],
           [ 0. ,  0. ]])
    >>> softmax_cross_entropy([[0.0, 0.0]], [0], vector=[[1.0, 0.0]]).hessian_vector.hi
    array([[ 0.25, -0.25]])
    """
    options = {
        "axis": axis,
        "class_weights": class_weights,
        "sample_weights": sample_weights,
        "label_smoothing": label_smoothing,
        "ignore_index": ignore_index,
        "logit_scale": logit_scale,
        "softcap": softcap,
        "class_mask": class_mask,
        "z_loss": z_loss,
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
    denominator: str | float | None = None,
    cotangent: ArrayLike | None = None,
    vector: ArrayLike | None = None,
    convention: Convention = None,
) -> Evaluation:
    """Binary cross-entropy from probabilities, −s (t̃ ln p + (1 − t̃) ln(1 − p)) per element.

    Parameters
    ----------
    probabilities : array_like of float
        p within [0, 1].
    targets : array_like of float
        t within [0, 1], of the shape of the probabilities.
    sample_weights : array_like of float, optional
        s, finite, one per element; repeated to the shape of the inputs, as NumPy broadcasts.
    label_smoothing : float, default 0.0
        ε within [0, 1]: t̃ = (1 − ε) t + ε/2.
    base : float, optional
        The base of the logarithm; without it the unit is the nat.
    reduction : {"mean", "sum", "none"}, default "mean"
        "none" gives one number per element, "sum" their sum, "mean" their sum over the denominator.
    denominator : {"count", "weights", "valid"} or float, optional
        What a mean divides by: the number of elements ("count", the default, and "valid"), the sum of the sample
        weights, or the number given, which is positive.
    cotangent : array_like of float, optional
        What the value is multiplied with, and summed, before it is differentiated; of the shape of the value, by
        default ones.
    vector : array_like of float, optional
        Asks for the product with it of the Hessian of Σ value · cotangent with respect to the probabilities; of their
        shape.
    convention : mapping or str, optional
        A documented choice that changes the number, ``{"clip": 1e-7}`` or ``"clip(1e-7)"``; see
        `reference.conventions`.

    Returns
    -------
    Evaluation
        `value`, in nats, or over ln b in units of base b: of shape (), or of the inputs for reduction "none".
        `gradients["probabilities"]` and `gradients["targets"]`, of the shapes of the inputs; `hessian_vector`, of the
        same shape, where a `vector` is given. Within 0.51 ulp of the exact result, 1 ulp where that is subnormal.

    Raises
    ------
    ValueError
        A probability or target outside [0, 1], shapes that differ (only weights are broadcast), weights that are not
        finite, an option that is not allowed, a `vector` under a convention that changes more than the denominator. The
        message names the argument.

    Notes
    -----
    ∂/∂p = s (−t̃/p + (1 − t̃)/(1 − p)); second derivative s (t̃/p² + (1 − t̃)/(1 − p)²). A side whose weight is 0 is 0
    whatever its logarithm. 1 − p is exact here, where a format would round it. Source: [1]_, section 4.3.2.

    References
    ----------
    .. [1] C. M. Bishop, Pattern Recognition and Machine Learning, Springer (2006).

    Examples
    --------
    >>> from reference.losses import binary_cross_entropy
    >>> float(binary_cross_entropy([0.5, 0.25], [1.0, 0.0]).value)
    0.4904146265058631
    >>> binary_cross_entropy([0.5, 0.25], [1.0, 0.0], reduction="sum").gradients["probabilities"].hi
    array([-2.        ,  1.33333333])
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
    denominator: str | float | None = None,
    cotangent: ArrayLike | None = None,
    vector: ArrayLike | None = None,
    convention: Convention = None,
) -> Evaluation:
    """Binary cross-entropy from logits, s (w t̃ softplus(−z) + (1 − t̃) softplus(z)) per element.

    Parameters
    ----------
    logits : array_like of float
        z, of any shape.
    targets : array_like of float
        t, of the shape of the logits; within [0, 1] as a rule, and not refused elsewhere.
    sample_weights : array_like of float, optional
        s, finite, one per element; repeated to the shape of the inputs, as NumPy broadcasts.
    label_smoothing : float, default 0.0
        ε within [0, 1]: t̃ = (1 − ε) t + ε/2.
    pos_weight : float or array_like of float, optional
        w, finite, what the positive side is multiplied with; repeated to the shape of the inputs, as NumPy broadcasts.
    reduction : {"mean", "sum", "none"}, default "mean"
        "none" gives one number per element, "sum" their sum, "mean" their sum over the denominator.
    denominator : {"count", "weights", "valid"} or float, optional
        What a mean divides by: the number of elements ("count", the default, and "valid"), the sum of the sample
        weights, or the number given, which is positive.
    cotangent : array_like of float, optional
        What the value is multiplied with, and summed, before it is differentiated; of the shape of the value, by
        default ones.
    vector : array_like of float, optional
        Asks for the product with it of the Hessian of Σ value · cotangent with respect to the logits; of their shape.
    convention : mapping or str, optional
        A documented choice that changes the number, ``{"clip": 1e-7}`` or ``"clip(1e-7)"``; see
        `reference.conventions`.

    Returns
    -------
    Evaluation
        `value`, in nats: of shape (), or of the inputs for reduction "none". `gradients["logits"]` and
        `gradients["targets"]`, of the shapes of the inputs; `hessian_vector`, of the same shape, where a `vector` is
        given. Within 0.51 ulp of the exact result, 1 ulp where that is subnormal.

    Raises
    ------
    ValueError
        Shapes that differ (only weights are broadcast), weights that are not finite, an option that is not allowed, a
        `vector` under a convention that changes more than the denominator. The message names the argument.

    Notes
    -----
    With softplus(z) = ln(1 + e^z) = max(z, 0) + ln(1 + e^{−|z|}) and σ(z) = 1 / (1 + e^{−z}): ∂/∂z = s ((1 − t̃) σ(z) −
    w t̃ σ(−z)); second derivative s (w t̃ + 1 − t̃) σ(z) σ(−z). At z = ±inf a side whose weight is 0 is 0, so that the
    loss is 0 or inf and never nan. Source: [1]_, section 4.3.2.

    References
    ----------
    .. [1] C. M. Bishop, Pattern Recognition and Machine Learning, Springer (2006).

    Examples
    --------
    >>> from reference.losses import binary_cross_entropy_with_logits
    >>> float(binary_cross_entropy_with_logits([40.0], [1.0]).value)
    4.248354255291589e-18
    >>> binary_cross_entropy_with_logits([0.0, 0.0], [1.0, 0.0], pos_weight=3.0, reduction="sum").gradients["logits"].hi
    array([-1.5,  0.5])
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
    label_smoothing: float = 0.0,
    reduction: str = "mean",
    cotangent: ArrayLike | None = None,
    convention: Convention = None,
) -> Evaluation:
    """Binary focal loss, α t σ(−z)^γ softplus(−z) + (1 − α)(1 − t) σ(z)^γ softplus(z) per element.

    Parameters
    ----------
    logits : array_like of float
        z, of any shape.
    targets : array_like of float
        t, of the shape of the logits.
    alpha : float, optional
        α within [0, 1]: the weight of the positive side, 1 − α that of the negative. Without it both weigh 1.
    gamma : float, default 2.0
        γ, the focusing parameter: finite, at least 0.
    label_smoothing : float, default 0.0
        ε within [0, 1]: t̃ = (1 − ε) t + ε/2.
    reduction : {"mean", "sum", "none"}, default "mean"
        "none" gives one number per element, "sum" their sum, "mean" their sum over the denominator.
    cotangent : array_like of float, optional
        What the value is multiplied with, and summed, before it is differentiated; of the shape of the value, by
        default ones.
    convention : mapping or str, optional
        A documented choice that changes the number, ``{"clip": 1e-7}`` or ``"clip(1e-7)"``; see
        `reference.conventions`.

    Returns
    -------
    Evaluation
        `value`, in nats: of shape (), or of the inputs for reduction "none". `gradients["logits"]` and
        `gradients["targets"]`, of the shapes of the inputs. Within 0.51 ulp of the exact result, 1 ulp where that is
        subnormal.

    Raises
    ------
    ValueError
        Shapes that differ (nothing is broadcast), an α or γ out of its range, an option that is not allowed. The
        message names the argument.

    Notes
    -----
    With u = softplus(−z): ∂/∂z of σ(−z)^γ u is −σ(−z)^γ (γ σ(z) u + σ(−z)), and likewise for the other side. γ = 0
    without α is `binary_cross_entropy_with_logits`. Source: [1]_.

    References
    ----------
    .. [1] T.-Y. Lin et al., Focal loss for dense object detection, ICCV (2017).

    Examples
    --------
    >>> from reference.losses import binary_focal
    >>> float(binary_focal([0.0], [1.0], gamma=2.0).value)
    0.17328679513998632
    >>> binary_focal([0.0], [1.0], alpha=0.25).gradients["logits"].hi
    array([-0.0745717])
    """
    options = {"alpha": alpha, "gamma": gamma, "label_smoothing": label_smoothing, "reduction": reduction}
    return evaluate("binary_focal", {"logits": logits, "targets": targets}, options, convention, cotangent=cotangent)


def categorical_focal(
    logits: ArrayLike,
    targets: ArrayLike,
    *,
    alpha: ArrayLike | None = None,
    gamma: float = 2.0,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
    cotangent: ArrayLike | None = None,
    convention: Convention = None,
) -> Evaluation:
    """Categorical focal loss, −Σ_j α_j q_j (1 − p_j)^γ ln p_j with p = softmax(x).

    Parameters
    ----------
    logits : array_like of float, shape (..., C)
        x, one row per sample, the classes last.
    targets : array_like, of int or float
        Integers are class labels 0 … C − 1, in the shape of the rows; floats of the shape of the other input are
        distributions q.
    alpha : float or array_like of float, shape (C,), optional
        α, finite: one number, or one per class. Without it all weigh 1.
    gamma : float, default 2.0
        γ, the focusing parameter: finite, at least 0.
    label_smoothing : float, default 0.0
        ε within [0, 1]: q̃ = (1 − ε) q + ε/C.
    reduction : {"mean", "sum", "none"}, default "mean"
        "none" gives one number per row, "sum" their sum, "mean" their sum over the denominator.
    cotangent : array_like of float, optional
        What the value is multiplied with, and summed, before it is differentiated; of the shape of the value, by
        default ones.
    convention : mapping or str, optional
        A documented choice that changes the number, ``{"clip": 1e-7}`` or ``"clip(1e-7)"``; see
        `reference.conventions`.

    Returns
    -------
    Evaluation
        `value`, in nats: of shape (), or of the rows for reduction "none". `gradients["logits"]`, of the shape of the
        logits, and `gradients["targets"]` where the targets are distributions. Within 0.51 ulp of the exact result, 1
        ulp where that is subnormal.

    Raises
    ------
    ValueError
        A label that is no class, shapes that do not fit (nothing is broadcast), an α or γ out of its range, an option
        that is not allowed. The message names the argument.

    Notes
    -----
    With h = (1 − p)^{γ−1} (1 − p − γ p ln p): ∂/∂x_k = p_k Σ_{j≠k} α_j q_j h_j − α_k q_k (1 − p_k) h_k. γ = 0 without α
    is `softmax_cross_entropy`. Source: [1]_.

    References
    ----------
    .. [1] T.-Y. Lin et al., Focal loss for dense object detection, ICCV (2017).

    Examples
    --------
    >>> from reference.losses import categorical_focal
    >>> float(categorical_focal([[0.0, 0.0]], [0], gamma=2.0).value)
    0.17328679513998632
    >>> categorical_focal([[0.0, 0.0]], [0], gamma=0.0).gradients["logits"].hi
    array([[-0.5,  0.5]])
    """
    options = {"alpha": alpha, "gamma": gamma, "label_smoothing": label_smoothing, "reduction": reduction}
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
    logit_scale: float | None = None,
    softcap: float | None = None,
    class_mask: ArrayLike | None = None,
    z_loss: float | None = None,
    reduction: str = "mean",
    denominator: str | float | None = None,
    cotangent: ArrayLike | None = None,
    convention: Convention = None,
) -> Evaluation:
    """softmax_cross_entropy of the logits x = hidden · weight + bias.

    Parameters
    ----------
    hidden : array_like of float, shape (..., d)
        One row per sample.
    weight : array_like of float, shape (d, C)
        One column per class.
    targets : array_like, of int or float
        Integers are class labels 0 … C − 1, in the shape of the rows; floats of shape (..., C) are distributions q.
    bias : array_like of float, shape (C,), optional
        One per class; absent it is 0.
    axis : int, default -1
        The classes are last, so it can only be −1.
    class_weights : array_like of float, shape (C,), optional
        w, finite, one per class.
    sample_weights : array_like of float, optional
        s, finite, in the shape of the rows: one per row.
    label_smoothing : float, default 0.0
        ε within [0, 1]: q̃ = (1 − ε) q + ε/C.
    ignore_index : int, optional
        A label whose rows are 0, have no gradient and do not count in a mean. Only with integer targets.
    logit_scale : float, optional
        s, what the logits are multiplied with first: y = s x; a temperature T is 1/T.
    softcap : float, optional
        c > 0, what they are capped with then: z = c tanh(y / c).
    class_mask : array_like of bool, shape (C,) or that of the logits, optional
        Which classes count: the others have no mass, no gradient and no share in smoothing, whatever their logits.
    z_loss : float, optional
        λ ≥ 0: λ (ln Σ_j e^{z_j})² is added to each row that counts, times its sample weight, before the reduction.
    reduction : {"mean", "sum", "none"}, default "mean"
        "none" gives one number per row, "sum" their sum, "mean" their sum over the denominator.
    denominator : {"count", "weights", "valid"} or float, optional
        What a mean divides by: the number of rows, the sum of the weights of the rows that count, or the number of rows
        that are not ignored; or the number given, which is positive. By default "weights" with class weights, else
        "valid" with an `ignore_index`, else "count".
    cotangent : array_like of float, optional
        What the value is multiplied with, and summed, before it is differentiated; of the shape of the value, by
        default ones.
    convention : mapping or str, optional
        A documented choice that changes the number, ``{"clip": 1e-7}`` or ``"clip(1e-7)"``; see
        `reference.conventions`.

    Returns
    -------
    Evaluation
        `value`, in nats: of shape (), or of the rows for reduction "none". `gradients["hidden"]`, `["weight"]`,
        `["bias"]` where it is given, and `["targets"]` where they are distributions, of the shapes of the inputs.
        Within 0.51 ulp of the exact result, 1 ulp where that is subnormal.

    Raises
    ------
    ValueError
        A label that is no class and is not ignored, shapes that do not fit (nothing is broadcast), weights that are not
        finite, an option that is not allowed. The message names the argument.

    Notes
    -----
    With g = ∂/∂x of `softmax_cross_entropy`, one row per sample: ∂/∂hidden = g weightᵀ, ∂/∂weight = hiddenᵀ g, ∂/∂bias
    = Σ g. The products are summed in double-double arithmetic; no logit is rounded on the way. Source: [1]_, for the
    loss of a projection that is never held as a whole.

    References
    ----------
    .. [1] E. Wijmans et al., Cut your losses in large-vocabulary language models, ICLR (2025).

    Examples
    --------
    >>> from reference.losses import linear_cross_entropy
    >>> loss = linear_cross_entropy([[1.0, 2.0]], [[1.0, 0.0], [0.0, 0.5]], [0], bias=[0.0, 0.0])
    >>> float(loss.value)
    0.6931471805599453
    >>> loss.gradients["bias"].hi
    array([-0.5,  0.5])
    >>> loss.gradients["weight"].hi
    array([[-0.5,  0.5],
           [-1. ,  1. ]])
    """
    options = {
        "axis": axis,
        "class_weights": class_weights,
        "sample_weights": sample_weights,
        "label_smoothing": label_smoothing,
        "ignore_index": ignore_index,
        "logit_scale": logit_scale,
        "softcap": softcap,
        "class_mask": class_mask,
        "z_loss": z_loss,
        "reduction": reduction,
        "denominator": denominator,
    }
    inputs = {"hidden": hidden, "weight": weight, "bias": bias, "targets": targets}
    return evaluate("linear_cross_entropy", inputs, options, convention, cotangent=cotangent)


def linear_jensen_shannon(
    hidden: ArrayLike,
    weight: ArrayLike,
    target_hidden: ArrayLike,
    target_weight: ArrayLike,
    targets: ArrayLike | None = None,
    *,
    beta: float = 0.5,
    logit_scale: float | None = None,
    ignore_index: int | None = None,
    reduction: str = "mean",
    denominator: str | float | None = None,
    cotangent: ArrayLike | None = None,
) -> Evaluation:
    """jensen_shannon of the softmaxes of target_hidden · target_weight and of hidden · weight, as distillation has it.

    Parameters
    ----------
    hidden : array_like of float, shape (..., d)
        One row per sample, of the student.
    weight : array_like of float, shape (d, C)
        One column per class.
    target_hidden : array_like of float, shape (..., e)
        One row per sample, of the teacher, whose depth may be another.
    target_weight : array_like of float, shape (e, C)
        One column per class.
    targets : array_like of int, optional
        Class labels 0 … C − 1 in the shape of the rows: they only say which rows are ignored.
    beta : float, default 0.5
        β between 0 and 1, the share of the teacher.
    logit_scale : float, optional
        s, what the logits of both are multiplied with first; a temperature T is 1/T.
    ignore_index : int, optional
        A label whose rows are 0, have no gradient and do not count in a mean. Only with targets.
    reduction : {"mean", "sum", "none"}, default "mean"
        "none" gives one number per row, "sum" their sum, "mean" their sum over the denominator.
    denominator : {"count", "valid"} or float, optional
        What a mean divides by: the number of rows, or the number of rows that are not ignored (the default); or the
        number given, which is positive.
    cotangent : array_like of float, optional
        What the value is multiplied with, and summed, before it is differentiated; of the shape of the value, by
        default ones.

    Returns
    -------
    Evaluation
        `value`, in nats: of shape (), or of the rows for reduction "none". `gradients["hidden"]`, `["weight"]`,
        `["target_hidden"]` and `["target_weight"]`, of the shapes of the inputs. Within 0.51 ulp of the exact result,
        1 ulp where that is subnormal.

    Raises
    ------
    ValueError
        A label that is no class and is not ignored, shapes that do not fit (nothing is broadcast), an option that is
        not allowed. The message names the argument.

    Notes
    -----
    With g = ∂/∂x of `jensen_shannon` of logits x, one row per sample: ∂/∂hidden = g weightᵀ, ∂/∂weight = hiddenᵀ g.
    Source: [1]_, fused as in [2]_.

    References
    ----------
    .. [1] R. Agarwal et al., On-policy distillation of language models, ICLR (2024).
    .. [2] P.-L. Hsu et al., Liger Kernel: efficient Triton kernels for LLM training (2024).

    Examples
    --------
    >>> from reference.losses import linear_jensen_shannon
    >>> same = linear_jensen_shannon([[1.0]], [[0.0, 2.0]], [[2.0]], [[0.0, 1.0]])
    >>> float(same.value)
    0.0
    """
    options = {
        "beta": beta,
        "logit_scale": logit_scale,
        "ignore_index": ignore_index,
        "reduction": reduction,
        "denominator": denominator,
    }
    inputs = {
        "hidden": hidden,
        "weight": weight,
        "target_hidden": target_hidden,
        "target_weight": target_weight,
        "targets": targets,
    }
    return evaluate("linear_jensen_shannon", inputs, options, cotangent=cotangent)
