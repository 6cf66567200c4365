"""Softmax and what is built on it, one row of logits at a time, without cancellation.

With m = max_j x_j at the class `top`, d_j = m − x_j ≥ 0 (exact), e_j = e^{−d_j} and S = Σ_{j≠top} e_j:

    −ln p_j = d_j + ln(1 + S)          a sum of two numbers that are not negative
    p_j     = e_j / (1 + S)
    1 − p_j = Σ_{k≠j} e_k / (1 + S)    never 1 minus something

so a loss of 1e-300 keeps all its digits, and so does a gradient p_t − 1 = −Σ_{j≠t} p_j.

Limits: a logit of −inf has probability 0 (and −ln p = inf, which an expectation counts only where its weight is not
zero); any logit of +inf, all logits −inf, or a nan make the row nan.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from reference.numbers import Number, others_sum, vanishing

N = TypeVar("N", bound=Number)

_PAIRWISE = 32
"""Classes up to which the gradient of the softmax compares every pair: beyond, C² terms cost more than they tell."""


@dataclass(frozen=True, eq=False)
class Rows(Generic[N]):
    """Rows of logits, classes last, in the form everything else is computed from."""

    distance: N
    """d_j = m − x_j."""
    weight: N
    """e_j = e^{−d_j}."""
    others: N
    """Σ_{k≠j} e_k."""
    total: N
    """1 + S, one per row."""
    log_total: N
    """ln(1 + S), one per row."""
    top: N
    """m, one per row."""

    def negative_logs(self) -> N:
        """−ln p_j ≥ 0."""
        return self.distance + self.log_total.column()

    def log_sum_exp(self) -> N:
        """m + ln(1 + S): what an infinite logit is, where one is the largest."""
        total = self.top + self.log_total
        return total.where(~np.isnan(self.log_total.nearest()), self.top)

    def probabilities(self) -> N:
        return self.weight / self.total.column()

    def complements(self) -> N:
        """1 − p_j."""
        return self.others / self.total.column()


def rows(logits: N) -> Rows[N]:
    """The rows of logits (…, C), C ≥ 1."""
    top = logits.argmax()
    largest = logits.take_along(top)
    distance = largest.column() - logits
    weight = (-distance).exp()
    is_top = np.arange(logits.shape[-1]) == top[..., None]
    rest = weight.zeros().where(is_top, weight).sum()
    # The weight of the top class is 1, or nan where the row has no softmax; then everything of the row is nan.
    own = weight.take_along(top)
    rest = rest * own
    total = own + rest
    spread = weight.zeros() + rest.column()
    others = spread.where(is_top, own.column() + (rest.column() - weight))
    return Rows(distance, weight, others, total, rest.log1p(), largest)


def softmax(r: Rows[N]) -> N:
    return r.probabilities()


def softmax_gradient(r: Rows[N], u: N) -> N:
    """Σ_k u_k ∂p_k/∂x_j = p_j Σ_k p_k (u_j − u_k)."""
    return r.probabilities() * _less_mean(r, u)


def _less_mean(r: Rows[N], u: N) -> N:
    """Σ_k p_k (u_j − u_k)."""
    p = r.probabilities()
    if p.shape[-1] <= _PAIRWISE:
        differences = u.column() - u[..., None, :]
        weights = p[..., None, :] + differences.zeros()
        return vanishing(weights, weights * differences).sum()
    return u - vanishing(p, p * u).sum().column()


def log_softmax(r: Rows[N]) -> N:
    return -r.negative_logs()


def log_softmax_gradient(r: Rows[N], u: N) -> N:
    """Σ_k u_k ∂ln p_k/∂x_j = u_j (1 − p_j) − p_j Σ_{k≠j} u_k."""
    return (u * r.others - r.weight * others_sum(u)) / r.total.column()


def cross_entropy(r: Rows[N], a: N) -> N:
    """−Σ_j a_j ln p_j, one per row, for weights a (targets times class weights, smoothed)."""
    return vanishing(a, a * r.negative_logs()).sum()


def cross_entropy_gradient(r: Rows[N], a: N, a_others: N) -> N:
    """∂/∂x_j = p_j Σ_{k≠j} a_k − a_j (1 − p_j), for a_others = Σ_{k≠j} a_k."""
    gradient = (r.weight * a_others - a * r.others) / r.total.column()
    nothing: NDArray[np.bool_] = a.is_zero() & a_others.is_zero()
    return gradient.zeros().where(nothing, gradient)


def squared_log_sum_exp(r: Rows[N], factor: N) -> N:
    """λ (ln Σ_j e^{x_j})², one per row, for a factor λ per row or for all."""
    total = r.log_sum_exp()
    return vanishing(total.zeros() + factor, factor * total * total)


def squared_log_sum_exp_gradient(r: Rows[N], factor: N) -> N:
    """∂/∂x_j = 2 λ lse p_j."""
    total = r.log_sum_exp()
    pull = vanishing(total.zeros() + factor, total.constant(2.0) * factor * total).column()
    p = r.probabilities()
    return vanishing(p.zeros() + pull, pull * p)


def squared_log_sum_exp_hessian_vector(r: Rows[N], factor: N, v: N) -> N:
    """Σ_k ∂²/∂x_j∂x_k v_k = 2 λ (p_j Σ_k p_k v_k + lse p_j Σ_k p_k (v_j − v_k))."""
    p, twice = r.probabilities(), r.total.constant(2.0) * factor
    along = p * vanishing(p, p * v).sum().column()
    turning = r.log_sum_exp().column() * softmax_gradient(r, v)
    return (twice if twice.shape == () else twice.column()) * (along + turning)


def focal(r: Rows[N], a: N, gamma: float) -> N:
    """−Σ_j a_j (1 − p_j)^γ ln p_j, one per row."""
    return vanishing(a, a * _focal_terms(r, gamma)).sum()


def _focal_terms(r: Rows[N], gamma: float) -> N:
    """(1 − p_j)^γ (−ln p_j), which is 0 where p_j is 1."""
    factor = r.complements().power(gamma)
    return vanishing(factor, factor * r.negative_logs())


def focal_target_gradient(r: Rows[N], gamma: float) -> N:
    """What a distribution's entry is multiplied with: (1 − p_j)^γ (−ln p_j)."""
    return _focal_terms(r, gamma)


def focal_gradient(r: Rows[N], a: N, gamma: float) -> N:
    """∂/∂x_k = p_k Σ_{j≠k} a_j h_j − a_k (1 − p_k) h_k with h = (1 − p)^{γ−1} [γ p (−ln p) + 1 − p]."""
    own, h = _focal_pull(r, gamma)
    return r.probabilities() * others_sum(vanishing(a, a * h)) - vanishing(a, a * own)


def _focal_pull(r: Rows[N], gamma: float) -> tuple[N, N]:
    """(1 − p) h, and h."""
    p, rest = r.probabilities(), r.complements()
    bracket = p.constant(gamma) * vanishing(p, p * r.negative_logs()) + rest
    own = rest.power(gamma) * bracket
    # (1 − p)^{γ−1} is infinite at p = 1 for γ < 1; there the bracket is 0 too, and h = (own) / (1 − p) has the limit 0.
    return own, own.zeros().where(rest.is_zero(), own / rest)


def focal_hessian_vector(r: Rows[N], a: N, gamma: float, v: N) -> N:
    """p_k m_k Σ_j a_j h_j + p_k Σ_{j≠k} a_j t_j m_j − a_k (1 − p_k) t_k m_k with m_k = Σ_j p_k (v_k − v_j) and
    t = p ∂h/∂p = γ (1 − p)^{γ−2} [(1 − γ p) p (−ln p) − 2 p (1 − p)]."""
    p, rest, moved = r.probabilities(), r.complements(), _less_mean(r, v)
    _, h = _focal_pull(r, gamma)
    g, two = p.constant(gamma), p.constant(2.0)
    bracket = (p.constant(1.0) - g * p) * vanishing(p, p * r.negative_logs()) - two * p * rest
    # The bracket and m are as small as 1 − p is next to p = 1: both are divided by it before anything overflows.
    turned = g * rest.power(gamma) * (bracket / rest) * (moved / rest)
    turned = turned.zeros().where(rest.is_zero() | g.is_zero(), turned)
    pulled, own = vanishing(a, a * turned), vanishing(a, a * rest * turned)
    along = vanishing(p, p * moved)
    return along * vanishing(a, a * h).sum().column() + vanishing(p, p * others_sum(pulled)) - own


def hessian_vector(r: Rows[N], a_total: N, v: N) -> N:
    """Σ_k ∂²/∂x_j∂x_k v_k of −Σ a ln p: (Σa) p_j Σ_k p_k (v_j − v_k), which is the softmax's gradient times Σa."""
    return a_total.column() * softmax_gradient(r, v)
