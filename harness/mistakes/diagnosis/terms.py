"""The losses as the linear functions of −ln p that they are: so a change of one step costs a few multiplications.

A class loss is Σ_j a_j F_j over the classes of a row, F_j the penalty of class j (−ln p_j, or what stands in for it),
and a_j = class weight × sample weight × smoothed target / divisor of the mean, 0 where a row is ignored. A binary loss
is b (t F⁺ + (1 − t) F⁻) for every element. The coefficients are asked of the reference, so that its rules for weights,
ignored rows and divisors are stated once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.judgement.agreement import Floats
from harness.judgement.truth import TruthTable, aspects
from harness.mistakes.diagnosis.candidate import Results

FROM_LOGITS = frozenset({"softmax_cross_entropy", "categorical_focal", "linear_cross_entropy"})
_SHARED = ("reduction", "denominator", "axis", "class_weights", "sample_weights", "label_smoothing", "ignore_index")


def times(a: Floats, b: Floats) -> Floats:
    """a · b, and 0 where a is 0, whatever b."""
    return np.where(a == 0, 0.0, a * b)


def by_aspect(table: TruthTable, value: Floats | None, slopes: Mapping[str, Floats]) -> dict[str, Floats]:
    """Results by aspect from a value and gradients by the name of their input."""
    found: dict[str, Floats] = {} if value is None else {"value": np.asarray(value)}
    for aspect, name in aspects(table.differentiate).items():
        if name is not None and name in slopes:
            found[aspect] = slopes[name]
    return found


@dataclass(frozen=True, eq=False)
class Rows:
    """The coefficients of a class loss, classes last."""

    table: TruthTable
    axis: int
    a: Floats
    upstream: Floats
    """The cotangent: one number, or one per row, as a column."""
    reduced: bool

    def value(self, penalties: Floats) -> Floats:
        each = np.asarray(times(self.a, penalties).sum(axis=-1))
        return np.asarray(each.sum()) if self.reduced else each

    @property
    def pull(self) -> Floats:
        """∂result/∂F_j."""
        return self.a * self.upstream

    def back(self, slope: Floats) -> Floats:
        return np.moveaxis(slope, -1, self.axis)

    def with_coefficients(self, a: Floats) -> Rows:
        return replace(self, a=a)

    def from_logits(self, slope: Floats) -> dict[str, Floats]:
        """The gradients by input from the gradient with respect to the logits."""
        inputs = self.table.inputs
        if self.table.loss != "linear_cross_entropy":
            return {"logits": self.back(slope)}
        hidden, weight = inputs["hidden"], inputs["weight"]
        flat = slope.reshape(-1, slope.shape[-1])
        return {
            "hidden": slope @ weight.T,
            "weight": hidden.reshape(-1, hidden.shape[-1]).T @ flat,
            "bias": flat.sum(axis=0),
        }


def last(table: TruthTable, array: NDArray[Any]) -> NDArray[Any]:
    """An input with its classes on the last axis."""
    return np.moveaxis(array, table.options.get("axis", -1), -1)


def logits_of(table: TruthTable) -> Floats | None:
    """The logits, classes last; None where the loss has none."""
    inputs = table.inputs
    if table.loss == "linear_cross_entropy":
        product: Floats = inputs["hidden"] @ inputs["weight"]
        return product + inputs["bias"] if "bias" in inputs else product
    logits = inputs.get("logits")
    return None if logits is None or logits.ndim == 0 else last(table, logits)


def rows_of(table: TruthTable, **changed: Any) -> Rows | None:
    """The coefficients of a class loss, with some options replaced; None for other losses, for input that is refused
    and where nothing counts."""
    inputs, loss = table.inputs, table.loss
    options = {name: table.options[name] for name in _SHARED if table.options.get(name) is not None} | changed
    axis = options.get("axis", -1)
    if loss == "entropy":
        shape, targets = inputs["probabilities"].shape, inputs["probabilities"]
    elif loss == "cross_entropy":
        shape, targets = inputs["probabilities"].shape, inputs["targets"]
    elif loss == "linear_cross_entropy":
        shape, targets = (*inputs["hidden"].shape[:-1], inputs["weight"].shape[-1]), inputs["targets"]
        axis = -1
    elif loss in FROM_LOGITS or loss in ("nll_loss", "categorical_cross_entropy"):
        scores = next(n for n in ("logits", "probabilities", "log_probabilities") if n in inputs)
        shape, targets = inputs[scores].shape, inputs["targets"]
    else:
        return None
    found = table.plainly(
        "categorical_cross_entropy",
        {"probabilities": np.ones(shape), "targets": targets},
        options,
        differentiate=("probabilities",),
    )
    if not found:
        return None
    a = np.moveaxis(-found["gradient"], axis, -1)
    if not a.any():
        # Nothing counts: the mean over nothing is no sum of terms, and no step of the formula has an effect.
        return None
    given = np.asarray(1.0 if table.cotangent is None else table.cotangent)
    upstream = given[..., None] if given.ndim and given.shape == a.shape[:-1] else given
    base = table.options.get("base")
    unit = 1.0 if base is None else 1.0 / np.log(float(base))
    return Rows(table, axis, np.asarray(a * unit), upstream, options.get("reduction", "mean") != "none")


@dataclass(frozen=True, eq=False)
class Softmax:
    """Rows of logits after a softmax, right or wrong."""

    penalty: Floats
    """−ln p."""
    p: Floats
    rest: Floats
    """1 − p."""


def softmax(x: Floats) -> Softmax:
    """−ln p = d + log1p(S), with d = max − x and S = Σ e^{−d} over all but the largest: nothing cancels."""
    top = x.argmax(axis=-1)[..., None]
    d = np.take_along_axis(x, top, axis=-1) - x
    e = np.exp(-d)
    others = e.copy()
    np.put_along_axis(others, top, 0.0, axis=-1)
    S = others.sum(axis=-1, keepdims=True)
    rest = (1.0 - e) + S
    np.put_along_axis(rest, top, S, axis=-1)
    return Softmax(d + np.log1p(S), e / (1 + S), rest / (1 + S))


def of_probabilities(p: Floats) -> Softmax:
    """As if these were the probabilities."""
    return Softmax(-np.log(p), p, 1 - p)


def pulled_back(a: Floats, s: Softmax) -> Floats:
    """From ∂/∂(−ln p_j) to ∂/∂x_j: p_j Σ_{k≠j} a_k − a_j (1 − p_j); 0 in a row where nothing counts, even if nan."""
    slope = times(s.p, a.sum(axis=-1, keepdims=True) - a) - times(a, s.rest)
    return np.where((a != 0).any(axis=-1, keepdims=True), slope, 0.0)


def focused(s: Softmax, gamma: float) -> tuple[Floats, Floats]:
    """(1 − p)^γ (−ln p), and its derivative with respect to −ln p."""
    if gamma == 0:
        return s.penalty, np.ones_like(s.penalty)
    factor = s.rest**gamma
    ratio = np.where(s.rest == 0, 1.0, times(s.p, s.penalty) / s.rest)
    return times(factor, s.penalty), factor * (1 + gamma * ratio)


def class_results(rows: Rows, s: Softmax) -> Results:
    """Value and gradients of a loss from logits under a softmax that may be another than the right one."""
    table = rows.table
    penalty, slope = s.penalty, np.ones_like(s.penalty)
    if table.loss == "categorical_focal":
        penalty, slope = focused(s, float(table.options.get("gamma", 2.0)))
        alpha = table.options.get("alpha", 1.0)
        penalty, slope = penalty * alpha, slope * alpha
    return by_aspect(table, rows.value(penalty), rows.from_logits(pulled_back(times(rows.pull, slope), s)))


@dataclass(frozen=True, eq=False)
class Elements:
    """The coefficients of a binary loss."""

    table: TruthTable
    scale: Floats
    """Sample weight / divisor of the mean, for every element."""
    t: Floats
    """Targets after smoothing."""
    positive: Floats
    """What the positive side is multiplied with: pos_weight, or α; 1 where there is none."""
    negative: Floats
    upstream: Floats
    reduced: bool

    @property
    def loss(self) -> str:
        return self.table.loss

    def value(self, up: Floats, down: Floats) -> Floats:
        each = self.scale * (times(self.t * self.positive, up) + times((1 - self.t) * self.negative, down))
        return np.asarray(each.sum()) if self.reduced else each

    def slope(self, up: Floats, down: Floats) -> Floats:
        """The gradient from the derivatives of the two sides."""
        sides = times(self.t * self.positive, up) + times((1 - self.t) * self.negative, down)
        return np.asarray(self.scale * self.upstream * sides)

    def with_sides(self, positive: Any, negative: Any) -> Elements:
        return replace(self, positive=np.asarray(positive, float), negative=np.asarray(negative, float))


def elements_of(table: TruthTable) -> Elements | None:
    """The coefficients of a binary loss; None for other losses and refused input."""
    name = next((n for n in ("logits", "probabilities") if n in table.inputs), None)
    if name is None or not table.loss.startswith("binary"):
        return None
    options, shape = table.options, table.inputs[name].shape
    shared = {n: options[n] for n in ("reduction", "denominator", "sample_weights") if options.get(n) is not None}
    at_zero = {"logits": np.zeros(shape), "targets": np.zeros(shape)}
    found = table.plainly("binary_cross_entropy_with_logits", at_zero, shared, differentiate=("logits",))
    if not found:
        return None
    smoothing = float(options.get("label_smoothing") or 0.0)
    t = table.inputs["targets"] * (1 - smoothing) + smoothing / 2
    positive, negative = np.asarray(1.0), np.asarray(1.0)
    if options.get("pos_weight") is not None:
        positive = np.asarray(options["pos_weight"], dtype=float)
    if options.get("alpha") is not None:
        positive, negative = np.asarray(float(options["alpha"])), np.asarray(1.0 - float(options["alpha"]))
    base = options.get("base")
    unit = 1.0 if base is None else 1.0 / np.log(float(base))
    given = np.asarray(1.0 if table.cotangent is None else table.cotangent)
    # The gradient at z = 0, t = 0 is the scale times σ(0) = 1/2.
    scale = 2.0 * found["gradient"] * unit
    return Elements(table, scale, t, positive, negative, given, options.get("reduction", "mean") != "none")


@dataclass(frozen=True, eq=False)
class Sides:
    """Of every element: −ln σ(z), −ln σ(−z), σ(z) and σ(−z)."""

    up: Floats
    down: Floats
    p: Floats
    q: Floats


def sides(z: Floats) -> Sides:
    tail, e = np.log1p(np.exp(-np.abs(z))), np.exp(-np.abs(z))
    larger, smaller = 1 / (1 + e), e / (1 + e)
    p, q = np.where(z >= 0, larger, smaller), np.where(z >= 0, smaller, larger)
    return Sides(np.maximum(-z, 0) + tail, np.maximum(z, 0) + tail, p, q)


def binary_results(elements: Elements, s: Sides, weighed: Sides | None = None) -> Results:
    """Value and gradient of a binary loss from logits under sides that may be other than the right ones; `weighed` are
    those a focal weight is taken of, where they are others."""
    up, down = s.up, s.down
    rising, falling = -s.q, s.p
    if elements.loss == "binary_focal":
        exponent, of = float(elements.table.options.get("gamma", 2.0)), weighed or s
        up, up_slope = focused(Softmax(s.up, s.p, of.q), exponent)
        down, down_slope = focused(Softmax(s.down, s.q, of.p), exponent)
        rising, falling = times(up_slope, rising), times(down_slope, falling)
    return by_aspect(elements.table, elements.value(up, down), {"logits": elements.slope(rising, falling)})
