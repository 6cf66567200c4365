"""The formula of each loss, written as LaTeX and typeset as MathML: browsers show it without fonts or
script, and screen readers read it.

Symbols: p probabilities, x logits, q log-probabilities, y and t targets, w weights, h hidden, W weight matrix, σ the
logistic function, j and k run over classes, b the base of the logarithm (e unless the option says otherwise).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from latex2mathml.converter import convert
from markupsafe import Markup

__all__ = ["FORMULAS", "Formula"]


@dataclass(frozen=True)
class Formula:
    """A loss, its gradient, and the sentence that says what the letters are; the formulas are LaTeX."""

    value: str
    gradient: str
    words: str
    hessian_vector: str | None = None
    """The second derivative in the direction v, of a loss that is asked for it."""

    @property
    def typeset(self) -> Mapping[str, Markup]:
        """What each formula is about, and its MathML."""
        written = {"value": self.value, "gradient": self.gradient, "second derivative": self.hessian_vector}
        # Every formula is written in this file; nothing from a run file ever enters one.
        return {name: _mathml(latex) for name, latex in written.items() if latex is not None}


def _mathml(latex: str) -> Markup:
    # The converter leaves no space around the name of a function; typesetters leave a sixth of an em.
    return Markup(convert(re.sub(r"\\(ln|log_b) ", r"\,\\\1\,", latex), display="block"))


_OF_LOGITS = (
    "In the place of x stands s x where logits are scaled, c tanh(s x / c) where they are capped, −∞ where a class "
    "does not count."
)

FORMULAS: Mapping[str, Formula] = MappingProxyType(
    {
        "entropy": Formula(
            r"H(p) = {-\sum_j p_j \log_b p_j}",
            r"\frac{\partial H}{\partial p_j} = {-\frac{1 + \ln p_j}{\ln b}}",
            "p are probabilities, or the softmax of logits; b is the base of the logarithm; 0 log 0 is 0.",
        ),
        "softmax": Formula(
            r"p_j = \frac{e^{x_j}}{\sum_k e^{x_k}}",
            r"\frac{\partial p_j}{\partial x_k} = p_j (\delta_{jk} - p_k)",
            f"x are logits; δ is 1 where j = k and 0 elsewhere. {_OF_LOGITS}",
        ),
        "log_softmax": Formula(
            r"\ell_j = x_j - \ln \sum_k e^{x_k}",
            r"\frac{\partial \ell_j}{\partial x_k} = \delta_{jk} - p_k",
            f"x are logits, p their softmax; δ is 1 where j = k and 0 elsewhere. {_OF_LOGITS}",
        ),
        "logsumexp": Formula(
            r"L = \ln \sum_j e^{x_j}",
            r"\frac{\partial L}{\partial x_j} = p_j",
            f"x are logits, p their softmax. {_OF_LOGITS}",
        ),
        "jensen_shannon": Formula(
            r"J = \sum_j \beta t_j \log_b \frac{t_j}{m_j} + (1 - \beta) p_j \log_b \frac{p_j}{m_j},"
            r" \quad m = \beta t + (1 - \beta) p",
            r"\frac{\partial J}{\partial p_j} = (1 - \beta) \log_b \frac{p_j}{m_j}",
            "t is the target distribution, p the predicted one, β the share of the targets (one half unless given), "
            "b the base of the logarithm; of logits both are softmaxes.",
        ),
        "bernoulli_kl": Formula(
            r"D = t \ln \frac{t}{p} + (1 - t) \ln \frac{1 - t}{1 - p}",
            r"\frac{\partial D}{\partial p} = \frac{p - t}{p (1 - p)}",
            "t is the target probability, p the predicted one; 0 ln 0 is 0.",
        ),
        "soft_margin": Formula(
            r"L = \ln (1 + e^{-t z})",
            r"\frac{\partial L}{\partial z} = {-t \sigma(-t z)}",
            "z is the logit, t the label, −1 or 1, σ the logistic function.",
        ),
        "cross_entropy": Formula(
            r"H(t, p) = {-\sum_j t_j \log_b p_j}",
            r"\frac{\partial H}{\partial p_j} = {-\frac{t_j}{p_j \ln b}}",
            "t is the target distribution, p the predicted one, b the base of the logarithm; 0 log 0 is 0.",
        ),
        "kl_divergence": Formula(
            r"D(t \| p) = \sum_j t_j (\ln t_j - q_j)",
            r"\frac{\partial D}{\partial q_j} = {-t_j}",
            "t is the target distribution, q = ln p are log-probabilities; a target of 0 contributes 0. Of logits, "
            "t and p are the softmaxes of both, and x those of p; v is a direction.",
            r"\sum_k \frac{\partial^2 D}{\partial x_j \partial x_k} v_k = p_j \left( v_j - \sum_k p_k v_k \right)",
        ),
        "nll_loss": Formula(
            r"L = {-w_t q_t}",
            r"\frac{\partial L}{\partial q_j} = {-w_t \delta_{jt}}",
            "q are log-probabilities, t the class label, w the weight of a class (1 unless given).",
        ),
        "categorical_cross_entropy": Formula(
            r"L = {-\sum_j w_j y_j \log_b p_j}",
            r"\frac{\partial L}{\partial p_j} = {-\frac{w_j y_j}{p_j \ln b}}",
            "p are probabilities, y the targets (a label is the distribution that is 1 there), w class weights.",
        ),
        "softmax_cross_entropy": Formula(
            r"L = \sum_j w_j y_j \left( \ln \sum_k e^{x_k} - x_j \right)",
            r"\frac{\partial L}{\partial x_j} = p_j \sum_k w_k y_k - w_j y_j",
            "x are logits, p their softmax, y the targets (a label: 1 there, else 0), w class weights, v a direction. "
            f"{_OF_LOGITS} A z-loss λ adds λ times the square of the logarithm.",
            r"\sum_k \frac{\partial^2 L}{\partial x_j \partial x_k} v_k"
            r" = p_j \left( v_j - \sum_k p_k v_k \right) \sum_k w_k y_k",
        ),
        "binary_cross_entropy": Formula(
            r"L = {-y \log_b p - (1 - y) \log_b (1 - p)}",
            r"\frac{\partial L}{\partial p} = \frac{p - y}{p (1 - p) \ln b}",
            "p is the probability of the positive class, y the target in [0, 1], v a direction; 0 log 0 is 0.",
            r"\frac{\partial^2 L}{\partial p^2} v"
            r" = \frac{v}{\ln b} \left( \frac{y}{p^2} + \frac{1 - y}{(1 - p)^2} \right)",
        ),
        "binary_cross_entropy_with_logits": Formula(
            r"L = w y \ln (1 + e^{-z}) + (1 - y) \ln (1 + e^z)",
            r"\frac{\partial L}{\partial z} = (1 - y) \sigma(z) - w y (1 - \sigma(z))",
            "z is the logit, y the target in [0, 1], w the weight of the positive class, σ the logistic function, "
            "v a direction.",
            r"\frac{\partial^2 L}{\partial z^2} v = (w y + 1 - y) \sigma(z) (1 - \sigma(z)) v",
        ),
        "binary_focal": Formula(
            r"L = {-\alpha_t (1 - p_t)^\gamma \ln p_t}, \quad p_t = \sigma(\pm z)",
            r"\frac{d L}{d p_t} = \alpha_t (1 - p_t)^{\gamma - 1} \left( \gamma \ln p_t - \frac{1 - p_t}{p_t} \right)",
            "z is the logit, taken with + for the positive and − for the negative class; α weighs the classes, v is a "
            "direction.",
            r"\frac{\partial^2 L}{\partial z^2} v = \alpha_t (1 - p_t)^\gamma p_t \left( (2 \gamma + 1) (1 - p_t)"
            r" - \gamma (\gamma p_t - 1 + p_t) \ln p_t \right) v",
        ),
        "categorical_focal": Formula(
            r"L = {-\sum_j \alpha y_j (1 - p_j)^\gamma \ln p_j}, \quad p_j = \frac{e^{x_j}}{\sum_k e^{x_k}}",
            r"\frac{\partial L}{\partial x_k}"
            r" = \sum_j \frac{\partial L}{\partial p_j} p_j (\delta_{jk} - p_k)",
            "x are logits, p their softmax, y the targets, α a weight, γ the focusing exponent, v a direction.",
            r"\sum_l \frac{\partial^2 L}{\partial x_k \partial x_l} v_l = p_k d_k \sum_j a_j h_j"
            r" + p_k \sum_j a_j t_j d_j - a_k t_k d_k, \quad d_j = v_j - \sum_l p_l v_l, \quad a_j = \alpha y_j,"
            r" \quad h = -p \frac{d}{d p} \left( {-(1 - p)^\gamma \ln p} \right), \quad t = p \frac{d h}{d p}",
        ),
        "linear_cross_entropy": Formula(
            r"L = \sum_j w_j y_j \left( \ln \sum_k e^{x_k} - x_j \right), \quad x = W h + b",
            r"\frac{\partial L}{\partial h} = W^T g, \quad \frac{\partial L}{\partial W} = g h^T,"
            r" \quad \frac{\partial L}{\partial b} = g",
            "h is the hidden state, W the weight, b the bias, g the gradient of softmax cross-entropy at x, with its "
            "options, H its second derivative, v a direction.",
            r"\sum_k \frac{\partial^2 L}{\partial h_j \partial h_k} v_k = \left( W^T H W v \right)_j",
        ),
        "linear_jensen_shannon": Formula(
            r"J = \sum_j \beta t_j \ln \frac{t_j}{m_j} + (1 - \beta) p_j \ln \frac{p_j}{m_j},"
            r" \quad m = \beta t + (1 - \beta) p, \quad x = W h",
            r"\frac{\partial J}{\partial h} = W^T g, \quad \frac{\partial J}{\partial W} = g h^T",
            "p is the softmax of x, t that of the teacher's logits, which its own hidden state and weight make; g is "
            "the gradient of the Jensen–Shannon divergence at x, β the share of the teacher.",
        ),
    }
)
