"""The binary losses, element by element, from logits and from probabilities, without cancellation.

With e = e^{−|z|}:   σ(|z|) = 1 / (1 + e),   σ(−|z|) = e / (1 + e),   softplus(z) = max(z, 0) + ln(1 + e).

    loss(z, t) = w t softplus(−z) + (1 − t) softplus(z)
    ∂/∂z       = (1 − t) σ(z) − w t σ(−z)

Limits: at z = ±inf the side whose weight is zero counts nothing, so the losses are 0 or inf and never nan.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from reference.numbers import Number, vanishing

N = TypeVar("N", bound=Number)


@dataclass(frozen=True, eq=False)
class Sides(Generic[N]):
    """Both sides of a logit: σ(z) and σ(−z), softplus(−z) = −ln σ(z) and softplus(z) = −ln σ(−z)."""

    up: N
    down: N
    minus_log_up: N
    minus_log_down: N


def sides(z: N) -> Sides[N]:
    """Everything about the logits that the losses need."""
    positive = ~z.negative()
    size = z.where(positive, -z)
    e = (-size).exp()
    total = e.constant(1.0) + e
    near, far = e.constant(1.0) / total, e / total
    log_total = e.log1p()
    return Sides(
        up=near.where(positive, far),
        down=far.where(positive, near),
        minus_log_up=log_total.where(positive, size + log_total),
        minus_log_down=(size + log_total).where(positive, log_total),
    )


def with_logits(s: Sides[N], positive: N, negative: N) -> N:
    """positive · softplus(−z) + negative · softplus(z), for positive = w t and negative = 1 − t."""
    return vanishing(positive, positive * s.minus_log_up) + vanishing(negative, negative * s.minus_log_down)


def with_logits_gradient(s: Sides[N], positive: N, negative: N) -> N:
    """negative · σ(z) − positive · σ(−z)."""
    return negative * s.up - positive * s.down


def with_logits_hessian(s: Sides[N], positive: N, negative: N) -> N:
    """(positive + negative) σ(z) σ(−z)."""
    return (positive + negative) * s.up * s.down


def focal(s: Sides[N], positive: N, negative: N, gamma: float) -> N:
    """positive · σ(−z)^γ softplus(−z) + negative · σ(z)^γ softplus(z)."""
    up, down = _focal_sides(s, gamma)
    return vanishing(positive, positive * up) + vanishing(negative, negative * down)


def _focal_sides(s: Sides[N], gamma: float) -> tuple[N, N]:
    one, other = s.down.power(gamma), s.up.power(gamma)
    return vanishing(one, one * s.minus_log_up), vanishing(other, other * s.minus_log_down)


def focal_target_gradient(s: Sides[N], alpha_positive: N, alpha_negative: N, gamma: float) -> N:
    up, down = _focal_sides(s, gamma)
    return alpha_positive * up - alpha_negative * down


def focal_gradient(s: Sides[N], positive: N, negative: N, gamma: float) -> N:
    """−positive σ(−z)^γ [γ σ(z) softplus(−z) + σ(−z)] + negative σ(z)^γ [γ σ(−z) softplus(z) + σ(z)]."""
    g = s.up.constant(gamma)
    pull = s.down.power(gamma) * (g * vanishing(s.up, s.up * s.minus_log_up) + s.down)
    push = s.up.power(gamma) * (g * vanishing(s.down, s.down * s.minus_log_down) + s.up)
    return vanishing(negative, negative * push) - vanishing(positive, positive * pull)


def focal_hessian(s: Sides[N], positive: N, negative: N, gamma: float) -> N:
    """positive σ(−z)^γ [γ (γ σ(z) − σ(−z)) σ(z) softplus(−z) + (2 γ + 1) σ(z) σ(−z)] and, turned round, the other."""
    g, both = s.up.constant(gamma), s.up.constant(2.0 * gamma + 1.0) * s.up * s.down

    def side(up: N, down: N, minus_log_up: N) -> N:
        return down.power(gamma) * (g * (g * up - down) * vanishing(up, up * minus_log_up) + both)

    one, other = side(s.up, s.down, s.minus_log_up), side(s.down, s.up, s.minus_log_down)
    return vanishing(positive, positive * one) + vanishing(negative, negative * other)
