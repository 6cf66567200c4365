"""The binary losses, element by element: binary_cross_entropy with and without logits, binary_focal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reference import arguments, binary, probabilities
from reference.arguments import Floats
from reference.from_probabilities import with_base
from reference.numbers import log_of_ratio, vanishing
from reference.problem import HESSIAN_VECTOR, Problem, Result, by_rows, of_block
from reference.reductions import Reduction, RowWeights, reduction


@dataclass(frozen=True, eq=False)
class _Elements:
    """Targets and weights of some elements."""

    positive: Any
    negative: Any
    weights: Any


@dataclass(frozen=True, eq=False)
class _Targets:
    """Checked targets and weights, flat."""

    make: Any
    targets: NDArray[np.float64]
    weights: Any
    """One per element, or one for all."""
    smoothing: float
    shape: tuple[int, ...]

    @property
    def keep(self) -> Any:
        """1 − ε."""
        return self.make(1.0) - self.make(self.smoothing)

    def block(self, rows: slice) -> _Elements:
        raw = self.targets[rows]
        positive, negative = self.make(raw), self.make(1.0) - self.make(raw)
        if self.smoothing:
            half = self.make(0.5 * self.smoothing)
            positive, negative = positive * self.keep + half, negative * self.keep + half
        return _Elements(positive, negative, of_block(self.weights, rows) + positive.zeros())

    def reduction(self, problem: Problem) -> Reduction[Any]:
        valid = np.ones(self.targets.size, dtype=bool)
        rows = RowWeights(self.weights, valid, self.shape, self.targets.size, "count")
        return reduction(rows, problem.options, problem.convention)


def _targets_of(problem: Problem, shape: tuple[int, ...], other: str) -> _Targets:
    make, options = problem.make, problem.options
    raw = arguments.floats("targets", problem.inputs["targets"])
    arguments.shaped("targets", raw, shape, f"the shape of {other}")
    smoothing = float(options.get("label_smoothing", 0.0))
    weights = make(1.0)
    if "sample_weights" in options:
        weights = make(arguments.broadcast_weights("sample_weights", options["sample_weights"], shape).reshape(-1))
    return _Targets(make, raw.reshape(-1), weights, smoothing, shape)


def _pos_weight(problem: Problem, shape: tuple[int, ...]) -> Floats | None:
    """Flat, one per element."""
    if "pos_weight" not in problem.options:
        return None
    return arguments.broadcast_weights("pos_weight", problem.options["pos_weight"], shape).reshape(-1)


def _shaped(slopes: dict[str, Any], shape: tuple[int, ...]) -> dict[str, Any]:
    return {name: slope.reshape(*shape) for name, slope in slopes.items()}


def with_logits(problem: Problem) -> Result:
    """w t softplus(−z) + (1 − t) softplus(z), one per element."""
    z = arguments.floats("logits", problem.inputs["logits"])
    t = _targets_of(problem, z.shape, "logits")
    pos_weight = _pos_weight(problem, z.shape)
    given = problem.vector_like(z.shape)
    vector = None if given is None else given.reshape(-1)
    flat = z.reshape(-1)
    how = t.reduction(problem)
    scale = problem.scale(how, z.shape)

    def body(rows: slice) -> Result:
        b, number = t.block(rows), problem.make(flat[rows])
        w = None if pos_weight is None else problem.make(pos_weight[rows])
        positive = b.positive if w is None else b.positive * w
        s = binary.sides(number)
        weighted = b.weights * of_block(scale, rows)
        found: dict[str, Any] = {}
        if "logits" in problem.wanted:
            found["logits"] = weighted * binary.with_logits_gradient(s, positive, b.negative)
        if "targets" in problem.wanted:
            up = s.minus_log_up if w is None else s.minus_log_up * w
            # −ln σ(z) + ln σ(−z) = −z exactly, where no weight stands between the two.
            difference = -number if w is None else up - s.minus_log_down
            found["targets"] = difference * weighted * t.keep
        if vector is not None:
            curvature = binary.with_logits_hessian(s, positive, b.negative)
            found[HESSIAN_VECTOR] = weighted * curvature * problem.make(vector[rows])
        return vanishing(b.weights, b.weights * binary.with_logits(s, positive, b.negative)), found

    values, slopes = by_rows(flat.size, 1, body)
    return how.value(values, z.shape), _shaped(slopes, z.shape)


def focal(problem: Problem) -> Result:
    """α t σ(−z)^γ softplus(−z) + (1 − α)(1 − t) σ(z)^γ softplus(z), one per element."""
    z = arguments.floats("logits", problem.inputs["logits"])
    t = _targets_of(problem, z.shape, "logits")
    make = problem.make
    up_weight, down_weight = make(1.0), make(1.0)
    if "alpha" in problem.options:
        alpha = arguments.unit_interval("alpha", problem.options["alpha"])
        up_weight, down_weight = make(alpha), make(1.0) - make(alpha)
    gamma = float(problem.options.get("gamma", 2.0))
    given = problem.vector_like(z.shape)
    vector = None if given is None else given.reshape(-1)
    flat = z.reshape(-1)
    how = t.reduction(problem)
    scale = problem.scale(how, z.shape)

    def body(rows: slice) -> Result:
        b, s = t.block(rows), binary.sides(make(flat[rows]))
        positive, negative = b.positive * up_weight, b.negative * down_weight
        weight = of_block(scale, rows)
        found: dict[str, Any] = {}
        if "logits" in problem.wanted:
            found["logits"] = weight * binary.focal_gradient(s, positive, negative, gamma)
        if "targets" in problem.wanted:
            found["targets"] = weight * t.keep * binary.focal_target_gradient(s, up_weight, down_weight, gamma)
        if vector is not None:
            curvature = binary.focal_hessian(s, positive, negative, gamma)
            found[HESSIAN_VECTOR] = weight * curvature * make(vector[rows])
        return binary.focal(s, positive, negative, gamma), found

    values, slopes = by_rows(flat.size, 1, body)
    return how.value(values, z.shape), _shaped(slopes, z.shape)


def of_probabilities(problem: Problem) -> Result:
    """−t ln p − (1 − t) ln(1 − p), one per element."""
    p = arguments.probabilities("probabilities", arguments.floats("probabilities", problem.inputs["probabilities"]))
    arguments.probabilities("targets", arguments.floats("targets", problem.inputs["targets"]))
    t = _targets_of(problem, p.shape, "probabilities")
    convention = with_base(problem)
    clip = convention.get("clip")
    after = {k: v for k, v in convention.items() if k in ("add_inside_log", "log_clamp", "base")}
    given = problem.vector_like(p.shape)
    vector = None if given is None else given.reshape(-1)
    base = problem.make(float(convention["base"])).log() if "base" in convention else problem.make(1.0)
    flat = p.reshape(-1)
    how = t.reduction(problem)
    scale = problem.scale(how, p.shape)

    def body(rows: slice) -> Result:
        b, number, back = t.block(rows), problem.make(flat[rows]), None
        if clip is not None:
            number, back = probabilities.clipped(number, clip)
        rest = problem.make(1.0) - number
        up, down = probabilities.logarithms(number, after), probabilities.logarithms(rest, after)
        weighted = b.weights * of_block(scale, rows)
        value = vanishing(b.positive, b.positive * up.negative_logs) + vanishing(
            b.negative, b.negative * down.negative_logs
        )
        found: dict[str, Any] = {}
        if "probabilities" in problem.wanted:
            if "gradient_clamp" in convention:
                product = number * rest
                floor = product.zeros() + product.constant(float(convention["gradient_clamp"]))
                slope = (
                    (b.negative * number - b.positive * rest) * weighted / floor.where(product.below(floor), product)
                )
            else:
                slope = up.pull_back(b.positive * weighted) - down.pull_back(b.negative * weighted)
            found["probabilities"] = slope if back is None else back(slope)
        if "targets" in problem.wanted:
            found["targets"] = (up.negative_logs - down.negative_logs) * weighted * t.keep
        if vector is not None:
            # t/p² + (1 − t)/(1 − p)², over ln base; a side without weight has no curvature, not even at its pole.
            pull, push = b.positive / (number * number), b.negative / (rest * rest)
            curvature = vanishing(b.positive, pull) + vanishing(b.negative, push)
            found[HESSIAN_VECTOR] = weighted * curvature * problem.make(vector[rows]) / base
        return vanishing(b.weights, b.weights * value), found

    values, slopes = by_rows(flat.size, 1, body)
    return how.value(values, p.shape), _shaped(slopes, p.shape)


def soft_margin(problem: Problem) -> Result:
    """w ln(1 + e^{−t z}), one per element."""
    z = arguments.floats("logits", problem.inputs["logits"])
    t = _targets_of(problem, z.shape, "logits")
    flat = z.reshape(-1)
    how = t.reduction(problem)
    scale = problem.scale(how, z.shape)

    def body(rows: slice) -> Result:
        number, sign = problem.make(flat[rows]), problem.make(t.targets[rows])
        s = binary.sides(number * sign)
        weights = of_block(t.weights, rows) + sign.zeros()
        pull = -(s.down * weights * of_block(scale, rows))
        slopes = {"logits": pull * sign, "targets": vanishing(pull, pull * number)}
        found = {name: slope for name, slope in slopes.items() if name in problem.wanted}
        return vanishing(weights, weights * s.minus_log_up), found

    values, slopes = by_rows(flat.size, 1, body)
    return how.value(values, z.shape), _shaped(slopes, z.shape)


def bernoulli_kl(problem: Problem) -> Result:
    """w (t ln(t / p) + (1 − t) ln((1 − t) / (1 − p))), one per element."""
    p = arguments.probabilities("probabilities", arguments.floats("probabilities", problem.inputs["probabilities"]))
    t = _targets_of(problem, p.shape, "probabilities")
    arguments.probabilities("targets", t.targets)
    flat, one = p.reshape(-1), problem.make(1.0)
    how = t.reduction(problem)
    scale = problem.scale(how, p.shape)

    def body(rows: slice) -> Result:
        number, target = problem.make(flat[rows]), problem.make(t.targets[rows])
        other, rest = one - number, one - target
        difference = number - target  # exact
        up, down = log_of_ratio(target, number, difference), log_of_ratio(rest, other, -difference)
        weights = of_block(t.weights, rows) + target.zeros()
        weighted = weights * of_block(scale, rows)
        value = vanishing(target, target * up) + vanishing(rest, rest * down)
        # (p − t) / (p (1 − p)), whose two sides would cancel.
        slope = difference / (number * other)
        at_end = number.is_zero() & target.is_zero() | other.is_zero() & rest.is_zero()
        end = (other.is_zero() * -1.0) + (number.is_zero() * 1.0)
        slopes = {
            "probabilities": slope.constant(end).where(at_end, slope) * weighted,
            "targets": (up - down) * weighted,
        }
        found = {name: slope for name, slope in slopes.items() if name in problem.wanted}
        return vanishing(weights, weights * value), found

    values, slopes = by_rows(flat.size, 1, body)
    return how.value(values, p.shape), _shaped(slopes, p.shape)
