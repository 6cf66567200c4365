"""The losses in mpmath: the textbook formulas, as naive as they come, at a precision where naivety does no harm.

Written without the reference's tricks and sharing nothing with it: exponentials are summed as they are, p_t − 1 is
computed as p_t − 1, gradients of reductions by the chain rule. What keeps it exact is the working precision, chosen
from the inputs: enough bits for their whole range of magnitudes, and for every cancellation that range allows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import mpmath
import numpy as np

MP = Any
"""An mpmath number; the library has no types."""

DIGITS = 60
"""Significant decimal digits that survive the worst cancellation."""

_BITS = math.ceil(DIGITS * math.log2(10))
_LARGEST_GAP = 760.0
"""Nats: e^−760 is below the smallest float64, so a larger gap between logits needs no more digits than this."""


@dataclass(frozen=True)
class Evaluated:
    """All elements of the value and of each gradient, in row-major order."""

    value: list[MP]
    gradients: Mapping[str, list[MP]]
    hessian_vector: list[MP] | None = None


def working_precision(arrays: Sequence[Any]) -> int:
    """Bits for sums of these numbers and for exponentials of their differences."""
    sizes = np.concatenate([np.abs(np.asarray(a, dtype=np.float64)).ravel() for a in arrays])
    sizes = sizes[np.isfinite(sizes) & (sizes > 0)]
    if not sizes.size:
        return _BITS + 64
    low, high = math.frexp(float(sizes.min()))[1], math.frexp(float(sizes.max()))[1]
    gap = min(2.0 * float(sizes.max()), _LARGEST_GAP)
    # 1 − p at p = 1 − 2^-k, and p itself at 2^-k, cost k bits each: the range twice, then the gap of the exponentials.
    return _BITS + 64 + 2 * (max(high, 1) - min(low, 0) + 53) + math.ceil(3 * 1.4427 * gap)


def evaluate(
    loss: str,
    inputs: Mapping[str, Any],
    options: Mapping[str, Any],
    convention: Mapping[str, Any],
    cotangent: Any | None,
    wanted: Sequence[str],
    vector: Any | None = None,
) -> Evaluated:
    """The loss and the wanted gradients, to `DIGITS` digits and more."""
    numbers = [a for a in inputs.values() if np.asarray(a).dtype.kind == "f"]
    numbers += [np.asarray(v, dtype=float) for v in options.values() if isinstance(v, list | np.ndarray | float)]
    numbers += [array for array in (cotangent, vector) if array is not None]
    if "softcap" in options:
        numbers.append(_capped(inputs, abs(float(options.get("logit_scale", 1.0))) / float(options["softcap"])))
    with mpmath.workprec(working_precision(numbers)):
        return _Formula(loss, inputs, options, convention, cotangent, tuple(wanted), vector).evaluate()


def _capped(inputs: Mapping[str, Any], factor: float) -> Any:
    """The sizes of what a cap takes the hyperbolic tangent of: 1 − tanh² is as small as e to minus twice these."""
    with np.errstate(over="ignore"):
        if "logits" in inputs:
            sizes = np.abs(np.asarray(inputs["logits"], dtype=np.float64))
        else:
            hidden, weight = (np.abs(np.asarray(inputs[name], dtype=np.float64)) for name in ("hidden", "weight"))
            sizes = hidden @ weight + np.abs(np.asarray(inputs.get("bias", 0.0)))
        return np.minimum(sizes * factor, _LARGEST_GAP)


def _mp(value: Any) -> MP:
    return mpmath.mpf(float(value))


def _log(value: MP) -> MP:
    return mpmath.log(value) if value > 0 else mpmath.mpf("-inf")


def _times(weight: MP, number: MP) -> MP:
    """weight · number, 0 where the weight is 0: what does not count does not, and x e^−x is 0 in the limit."""
    return mpmath.mpf(0) if weight == 0 else weight * number


_Seen = tuple[list[MP], list[MP], list[MP]]
"""A row of logits as the loss sees it, and its derivatives with respect to the logits."""


@dataclass(frozen=True)
class _Formula:
    loss: str
    inputs: Mapping[str, Any]
    options: Mapping[str, Any]
    convention: Mapping[str, Any]
    cotangent: Any | None
    wanted: tuple[str, ...]
    vector: Any | None = None

    # --- shapes -------------------------------------------------------------------------------------------------------

    def evaluate(self) -> Evaluated:
        method = {
            "softmax": self._function,
            "log_softmax": self._function,
            "logsumexp": self._function,
            "jensen_shannon": self._jensen_shannon,
            "soft_margin": self._pairs,
            "bernoulli_kl": self._pairs,
            "entropy": self._entropy,
            "kl_divergence": self._kl,
            "binary_cross_entropy": self._binary,
            "binary_cross_entropy_with_logits": self._binary,
            "binary_focal": self._binary,
            "linear_cross_entropy": self._linear,
            "linear_jensen_shannon": self._linear_jensen_shannon,
        }.get(self.loss, self._categorical)
        return method()

    def _rows(self, name: str) -> tuple[list[list[MP]], tuple[int, ...], int]:
        array = np.asarray(self.inputs[name], dtype=np.float64)
        axis = int(self.options.get("axis", -1))
        last = np.moveaxis(array, axis, -1)
        return [[_mp(v) for v in row] for row in last.reshape(-1, last.shape[-1])], last.shape, axis

    @staticmethod
    def _back(rows: list[list[MP]], shape: tuple[int, ...], axis: int) -> list[MP]:
        flat = np.empty(len(rows) * shape[-1], dtype=object)
        flat[:] = [v for row in rows for v in row]
        return list(np.moveaxis(flat.reshape(shape), -1, axis).ravel())

    def _cotangents(self, rows: int) -> list[MP]:
        if self.cotangent is None:
            return [mpmath.mpf(1)] * rows
        flat = np.asarray(self.cotangent, dtype=np.float64).ravel()
        return [_mp(v) for v in (flat if flat.size == rows else np.repeat(flat, rows))]

    # --- reductions ---------------------------------------------------------------------------------------------------

    def _reduced(self, losses: list[MP], denominator: MP | None) -> tuple[list[MP], list[MP]]:
        """The value, and what each row's derivative is multiplied with."""
        pull = self._cotangents(len(losses))
        kind = self.options.get("reduction", "mean")
        if kind == "none":
            return losses, pull
        total = mpmath.fsum(losses)
        if kind == "sum":
            return [total], pull
        assert denominator is not None
        if denominator == 0:
            empty = mpmath.mpf(0 if self.convention.get("finite_zero_mean") else "nan")
            return [empty], [mpmath.mpf("nan")] * len(pull)
        return [total / denominator], [c / denominator for c in pull]

    def _given(self) -> bool:
        """Whether the mean divides by a number that is handed in."""
        return not isinstance(self.options.get("denominator", ""), str)

    def _divisor(self, count: int) -> MP:
        """The number handed in, or how many there are."""
        return _mp(self.options["denominator"]) if self._given() else mpmath.mpf(count)

    # --- losses of rows -----------------------------------------------------------------------------------------------

    def _function(self) -> Evaluated:
        rows, shape, axis = self._rows("logits")
        classes = shape[-1]
        full = np.asarray(self.inputs["logits"]).shape
        u = np.ones(full) if self.cotangent is None else np.asarray(self.cotangent, dtype=np.float64)
        if self.loss == "logsumexp":
            return self._logsumexp(self._seen(rows, shape, axis), shape, axis)
        weights = np.moveaxis(u, axis, -1).reshape(-1, classes)
        values, slopes = [], []
        seen = self._seen(rows, shape, axis)
        for (z, slope, _), w in zip(seen, weights, strict=True):
            p, minus_log = _softmax(z)
            v = [_mp(c) for c in w]
            if self.loss == "softmax":
                values.append(p)
                mean = mpmath.fsum(a * b for a, b in zip(v, p, strict=True))
                slopes.append([f * q * (c - mean) for q, c, f in zip(p, v, slope, strict=True)])
            else:
                values.append([-m for m in minus_log])
                total = mpmath.fsum(v)
                slopes.append([f * (c - q * total) for q, c, f in zip(p, v, slope, strict=True)])
        gradients = {"logits": self._back(slopes, shape, axis)} if self.wanted else {}
        return Evaluated(self._back(values, shape, axis), gradients)

    def _logsumexp(self, seen: list[_Seen], shape: tuple[int, ...], axis: int) -> Evaluated:
        values = [mpmath.log(mpmath.fsum(mpmath.exp(v) for v in z)) for z, _, _ in seen]
        slopes = [
            [c * f * q for q, f in zip(_softmax(z)[0], slope, strict=True)]
            for c, (z, slope, _) in zip(self._cotangents(len(seen)), seen, strict=True)
        ]
        return Evaluated(values, {"logits": self._back(slopes, shape, axis)} if self.wanted else {})

    def _scaled(self, name: str) -> tuple[list[list[MP]], tuple[int, ...], int]:
        rows, shape, axis = self._rows(name)
        s = _mp(self.options.get("logit_scale", 1.0))
        return [[s * v for v in row] for row in rows], shape, axis

    def _through_softmax(self, p: list[MP], u: list[MP]) -> list[MP]:
        """s (p u − p Σ p u): a gradient with respect to p, pulled back to the logits."""
        mean = mpmath.fsum(_times(q, v) for q, v in zip(p, u, strict=True))
        s = _mp(self.options.get("logit_scale", 1.0))
        return [s * _times(q, _difference(v, mean)) for q, v in zip(p, u, strict=True)]

    def _log_base(self) -> MP:
        return mpmath.log(_mp(self.options["base"])) if self.options.get("base") is not None else mpmath.mpf(1)

    def _seen(self, rows: list[list[MP]], shape: tuple[int, ...], axis: int) -> list[_Seen]:
        """Each row of logits as the loss sees it, with its first and second derivative: scaled, capped, masked."""
        s = _mp(self.options.get("logit_scale", 1.0))
        cap = self.options.get("softcap")
        counts = self._counting(shape, axis)
        seen = []
        for x, keep in zip(rows, counts, strict=True):
            z, slope, bend = [s * v for v in x], [s] * len(x), [mpmath.mpf(0)] * len(x)
            if cap is not None:
                c = _mp(cap)
                t = [mpmath.tanh(v / c) for v in z]
                z, slope = [c * v for v in t], [s * (1 - v**2) for v in t]
                bend = [-2 * s**2 / c * v * (1 - v**2) for v in t]
            z = [v if k else mpmath.mpf("-inf") for v, k in zip(z, keep, strict=True)]
            slope, bend = ([v if k else mpmath.mpf(0) for v, k in zip(d, keep, strict=True)] for d in (slope, bend))
            seen.append((z, slope, bend))
        return seen

    def _counting(self, shape: tuple[int, ...], axis: int) -> list[list[bool]]:
        """Which classes of each row count."""
        given = self.options.get("class_mask")
        if given is None:
            return [[True] * shape[-1]] * int(np.prod(shape[:-1]))
        mask = np.asarray(given)
        last = mask if mask.shape == shape[-1:] else np.moveaxis(mask, axis, -1)
        return [[bool(v) for v in row] for row in np.broadcast_to(last, shape).reshape(-1, shape[-1])]

    def _penalties(self, seen: list[_Seen], valid: list[bool]) -> list[tuple[MP, MP]]:
        """λ s of each row, 0 where it does not count, and ln Σ e^z."""
        factor = _mp(self.options.get("z_loss", 0.0))
        samples = self.options.get("sample_weights")
        s = [mpmath.mpf(1)] * len(seen) if samples is None else [_mp(v) for v in np.asarray(samples).ravel()]
        sums = [mpmath.log(mpmath.fsum(mpmath.exp(v) for v in z)) if factor else mpmath.mpf(0) for z, _, _ in seen]
        return [(factor * w * counts, total) for w, counts, total in zip(s, valid, sums, strict=True)]

    def _targets(self, shape: tuple[int, ...], axis: int) -> tuple[list[list[MP]], list[list[MP]], MP, list[bool]]:
        """a_ij = weights × smoothed targets; ∂a_ij/∂target_ij; the denominator of the mean; which rows count."""
        classes = shape[-1]
        count = int(np.prod(shape[:-1]))
        raw = np.asarray(self.inputs["targets"])
        given = self.options.get("class_weights")
        w = [mpmath.mpf(1)] * classes if given is None else [_mp(v) for v in np.asarray(given)]
        samples = self.options.get("sample_weights")
        s = [mpmath.mpf(1)] * count if samples is None else [_mp(v) for v in np.asarray(samples).ravel()]
        eps = _mp(self.options.get("label_smoothing", 0.0))
        labels = raw.ravel() if raw.dtype.kind in "iu" else None
        ignored = self.options.get("ignore_index")
        a, per_target, row_weights, valid = [], [], [], []
        dense = None if labels is not None else np.moveaxis(raw, axis, -1).reshape(-1, classes)
        counting = self._counting(shape, axis)
        for i in range(count):
            shares = [mpmath.mpf(k) for k in counting[i]]
            counting_classes = sum(shares)  # once for each row: there may be fifty thousand classes
            counts = labels is None or ignored is None or int(labels[i]) != int(ignored)
            if labels is not None:
                q = [mpmath.mpf(1 if counts and j == int(labels[i]) else 0) for j in range(classes)]
                weight = w[int(labels[i])] if counts and given is not None else mpmath.mpf(1)
            else:
                assert dense is not None
                q = [_mp(v) for v in dense[i]]
                weight = mpmath.mpf(1) if given is None else mpmath.fsum(x * y for x, y in zip(w, q, strict=True))
            if self.convention.get("smoothing") == "others":
                others = max(counting_classes - 1, 1)
                smooth = [(1 - eps) * v + k * (1 - v) * eps / others for v, k in zip(q, shares, strict=True)]
            else:
                smooth = [(1 - eps) * v + k * eps / max(counting_classes, 1) for v, k in zip(q, shares, strict=True)]
            a.append([s[i] * x * y if counts else mpmath.mpf(0) for x, y in zip(w, smooth, strict=True)])
            per_target.append([s[i] * x * (1 - eps) for x in w])
            row_weights.append(s[i] * weight)
            valid.append(counts)
        kind = self.convention.get("denominator", self.options.get("denominator"))
        if kind is None:
            kind = "weights" if given is not None else "valid" if ignored is not None else "count"
        if not isinstance(kind, str):
            return a, per_target, _mp(kind), valid
        size = np.asarray(self.inputs.get("logits", self.inputs.get("probabilities", 0))).size
        denominators = {
            "count": mpmath.mpf(count),
            "valid": mpmath.mpf(sum(valid)),
            "weights": mpmath.fsum(x for x, c in zip(row_weights, valid, strict=True) if c),
            "elements": mpmath.mpf(size),
            "one": mpmath.mpf(1),
            "nonzero_weights": mpmath.mpf(sum(bool(c and x != 0) for x, c in zip(row_weights, valid, strict=True))),
        }
        return a, per_target, denominators[str(kind)], valid

    def _categorical(self) -> Evaluated:
        """cross_entropy, categorical_cross_entropy, softmax_cross_entropy, nll_loss, categorical_focal."""
        primary = {
            "softmax_cross_entropy": "logits",
            "categorical_focal": "logits",
            "nll_loss": "log_probabilities",
        }.get(self.loss, "probabilities")
        rows, shape, axis = self._rows(primary)
        a, per_target, denominator, valid = self._targets(shape, axis)
        if self.loss == "categorical_focal":
            alpha = np.broadcast_to(np.asarray(self.options.get("alpha", 1.0), dtype=float), (shape[-1],))
            a = [[x * _mp(c) for x, c in zip(row, alpha, strict=True)] for row in a]
            per_target = [[x * _mp(c) for x, c in zip(row, alpha, strict=True)] for row in per_target]
        seen = self._seen(rows, shape, axis) if primary == "logits" else []
        if seen:
            rows = [z for z, _, _ in seen]
        terms, slopes = [], []
        for x, weights in zip(rows, a, strict=True):
            term, slope = self._row(primary, x, weights)
            terms.append(term)
            slopes.append(slope)
        losses = [
            mpmath.fsum(_times(w, t) for w, t in zip(weights, term, strict=True))
            for weights, term in zip(a, terms, strict=True)
        ]
        if self.loss == "softmax_cross_entropy":
            losses, slopes = self._with_penalties(seen, valid, losses, slopes)
        value, pull = self._reduced(losses, denominator)
        pull = [c if counts else mpmath.mpf(0) for c, counts in zip(pull, valid, strict=True)]
        gradients: dict[str, list[MP]] = {}
        if primary in self.wanted:
            scaled = [[_times(c, v) for v in row] for c, row in zip(pull, slopes, strict=True)]
            scaled = [
                [_times(f, v) for f, v in zip(s, row, strict=True)]
                for row, (_, s, _) in zip(
                    scaled, seen or [([], [mpmath.mpf(1)] * shape[-1], [])] * len(rows), strict=True
                )
            ]
            gradients[primary] = self._back(scaled, shape, axis)
        if "targets" in self.wanted:
            scaled = [
                [_times(c * w, t) for w, t in zip(weights, term, strict=True)]
                for c, weights, term in zip(pull, per_target, terms, strict=True)
            ]
            weights_moved = self.options.get("class_weights") is not None and not self._labelled()
            if weights_moved and self._divides_by_weights():
                # The denominator W = Σ s w q moves with the targets: −mean · s w / W besides.
                moved = self._row_weight_slopes(shape)
                scaled = [
                    [_difference(v, value[0] * c * m) for v, m in zip(row, moves, strict=True)]
                    for c, row, moves in zip(pull, scaled, moved, strict=True)
                ]
            gradients["targets"] = self._back(scaled, shape, axis)
        if self.loss == "categorical_focal":
            return Evaluated(value, gradients, self._focal_hessian(rows, a, pull, shape, axis))
        return Evaluated(value, gradients, self._softmax_hessian(seen, a, slopes, pull, valid, shape, axis))

    def _with_penalties(
        self, seen: list[_Seen], valid: list[bool], losses: list[MP], slopes: list[list[MP]]
    ) -> tuple[list[MP], list[list[MP]]]:
        """Losses and slopes with λ s (ln Σ e^z)² and its derivative added."""
        penalties = self._penalties(seen, valid)
        more = [
            [g + _times(f, 2 * total * q) for g, q in zip(slope, _softmax(z)[0], strict=True)]
            for slope, (z, _, _), (f, total) in zip(slopes, seen, penalties, strict=True)
        ]
        return [v + _times(f, total**2) for v, (f, total) in zip(losses, penalties, strict=True)], more

    def _softmax_hessian(
        self,
        seen: list[_Seen],
        a: list[list[MP]],
        slopes: list[list[MP]],
        pull: list[MP],
        valid: list[bool],
        shape: tuple[int, ...],
        axis: int,
    ) -> list[MP] | None:
        """The derivative of [(Σa) p − a + 2 λ s lse p] z′ along the vector, with u = z′ v: [(Σa) (p u − p Σ p u) +
        2 λ s (p Σ p u + lse (p u − p Σ p u))] z′ + [(Σa) p − a + 2 λ s lse p] z″ v."""
        if self.vector is None:
            return None
        product = self._hessian_of_rows(seen, a, slopes, pull, valid, self._directions(shape, axis))
        return self._back(product, shape, axis)

    def _directions(self, shape: tuple[int, ...], axis: int) -> list[list[MP]]:
        """The vector as rows of classes."""
        rows = np.moveaxis(np.asarray(self.vector, dtype=np.float64), axis, -1).reshape(-1, shape[-1])
        return [[_mp(number) for number in row] for row in rows]

    def _hessian_of_rows(
        self,
        seen: list[_Seen],
        a: list[list[MP]],
        slopes: list[list[MP]],
        pull: list[MP],
        valid: list[bool],
        directions: list[list[MP]],
    ) -> list[list[MP]]:
        product = []
        rows = zip(seen, a, slopes, pull, self._penalties(seen, valid), directions, strict=True)
        for (z, first, second), weights, slope, c, (f, lse), v in rows:
            p, _ = _softmax(z)
            u = [x * y for x, y in zip(v, first, strict=True)]
            # u_j − p·u as the mean of the differences: in a direction of equal numbers 0, and not a rounding of it.
            less_mean = [mpmath.fsum(q * (x - y) for q, y in zip(p, u, strict=True)) for x in u]
            total, mean = mpmath.fsum(weights), mpmath.fsum(q * x for q, x in zip(p, u, strict=True))
            inner = [total * q * d + _times(f, 2 * (q * mean + lse * q * d)) for q, d in zip(p, less_mean, strict=True)]
            outer = zip(inner, slope, first, second, v, strict=True)
            product.append([_times(c, h * dz + _times(bend, g * d)) for h, g, dz, bend, d in outer])
        return product

    def _focal_hessian(
        self, rows: list[list[MP]], a: list[list[MP]], pull: list[MP], shape: tuple[int, ...], axis: int
    ) -> list[MP] | None:
        """Σ_j a_j [φ″(p_j) (∇p_j · v) ∇p_j + φ′(p_j) ∇²p_j v] for φ(p) = (1 − p)^γ (−ln p), where p_j moves by
        d_j = p_j (v_j − Σ p v) along v, ∂p_j/∂z_k is p_j (δ_jk − p_k), and that moves by d_j (δ_jk − p_k) − p_j d_k."""
        if self.vector is None:
            return None
        gamma, product = _mp(self.options.get("gamma", 2.0)), []
        for x, weights, c, v in zip(rows, a, pull, self._directions(shape, axis), strict=True):
            p, minus_log = _softmax(x)
            d = [q * mpmath.fsum(r * (s - t) for r, t in zip(p, v, strict=True)) for q, s in zip(p, v, strict=True)]
            row = [mpmath.mpf(0)] * len(p)
            for j, (w, q, m) in enumerate(zip(weights, p, minus_log, strict=True)):
                if w == 0 or q in (0, 1):  # what p is times keeps its product at 0
                    continue
                rest = 1 - q
                first = -gamma * mpmath.power(rest, gamma - 1) * m - mpmath.power(rest, gamma) / q
                second = gamma * (gamma - 1) * mpmath.power(rest, gamma - 2) * m
                second += 2 * gamma * mpmath.power(rest, gamma - 1) / q + mpmath.power(rest, gamma) / q**2
                for k, (other, moved) in enumerate(zip(p, d, strict=True)):
                    slope = (1 if j == k else 0) - other
                    row[k] += w * (second * d[j] * q * slope + first * (d[j] * slope - q * moved))
            product.append([c * h for h in row])
        return self._back(product, shape, axis)

    def _labelled(self) -> bool:
        return bool(np.issubdtype(np.asarray(self.inputs["targets"]).dtype, np.integer))

    def _divides_by_weights(self) -> bool:
        kind = self.convention.get("denominator", self.options.get("denominator") or "weights")
        return str(kind) == "weights" and self.options.get("reduction", "mean") == "mean"

    def _row_weight_slopes(self, shape: tuple[int, ...]) -> list[list[MP]]:
        """s_i w_j."""
        count = int(np.prod(shape[:-1]))
        samples = self.options.get("sample_weights")
        s = [mpmath.mpf(1)] * count if samples is None else [_mp(v) for v in np.asarray(samples).ravel()]
        return [[x * _mp(w) for w in np.asarray(self.options["class_weights"])] for x in s]

    def _row(self, primary: str, x: list[MP], a: list[MP]) -> tuple[list[MP], list[MP]]:
        """−ln of each class (or its focal form), and the derivative of Σ a (…) with respect to the row."""
        if primary == "log_probabilities":
            return [-v for v in x], [-w for w in a]
        if primary == "probabilities":
            return _of_probabilities(x, a, {**self.convention, **self._base()})
        p, minus_log = _softmax(x)
        if self.loss == "categorical_focal":
            gamma = _mp(self.options.get("gamma", 2.0))
            terms = [_power(1 - q, gamma) * m if q != 1 else mpmath.mpf(0) for q, m in zip(p, minus_log, strict=True)]
            inner = [  # d/dp of (1−p)^γ (−ln p), times p
                -gamma * _power(1 - q, gamma - 1) * q * m - _power(1 - q, gamma)
                if q not in (0, 1)
                else (mpmath.mpf(-1) if q == 0 else -_power(mpmath.mpf(0), gamma))
                for q, m in zip(p, minus_log, strict=True)
            ]
            pulled = [_times(w, d) for w, d in zip(a, inner, strict=True)]
            total = mpmath.fsum(pulled)
            return terms, [d - q * total for q, d in zip(p, pulled, strict=True)]
        total = mpmath.fsum(a)
        if self.convention.get("gradient_of_targets_summing_to_one"):
            return minus_log, [q - w for q, w in zip(p, a, strict=True)]
        return minus_log, [q * total - w for q, w in zip(p, a, strict=True)]

    def _base(self) -> dict[str, Any]:
        return {} if self.options.get("base") is None else {"base": self.options["base"]}

    def _entropy(self) -> Evaluated:
        name = "logits" if "logits" in self.inputs else "probabilities"
        rows, shape, axis = self._scaled(name) if name == "logits" else self._rows(name)
        of = [_softmax(row)[0] for row in rows] if name == "logits" else rows
        scale = self._log_base()
        losses = [-mpmath.fsum(_times(p, _log(p)) for p in row) / scale for row in of]
        value, pull = self._reduced(losses, self._divisor(len(rows)))
        slopes = [[-(_log(p) + 1) / scale for p in row] for row in of]
        if name == "logits":
            slopes = [self._through_softmax(p, u) for p, u in zip(of, slopes, strict=True)]
        scaled = [[c * v for v in row] for c, row in zip(pull, slopes, strict=True)]
        return Evaluated(value, {name: self._back(scaled, shape, axis)} if self.wanted else {})

    def _kl_of_logits(self) -> Evaluated:
        x, shape, axis = self._scaled("logits")
        t, _, _ = self._scaled("target_logits")
        p, q = ([_softmax(row)[0] for row in rows] for rows in (t, x))
        logs = [[_log(a) - _log(b) for a, b in zip(u, v, strict=True)] for u, v in zip(p, q, strict=True)]
        losses = [mpmath.fsum(_times(a, d) for a, d in zip(u, v, strict=True)) for u, v in zip(p, logs, strict=True)]
        batch = np.asarray(self.inputs["logits"]).shape[0]
        count = batch if self.options.get("reduction") == "batchmean" else len(losses)
        value, pull = self._reduced(losses, self._divisor(count))
        s = _mp(self.options.get("logit_scale", 1.0))
        slopes = {
            "logits": [[s * (b - a) for a, b in zip(u, v, strict=True)] for u, v in zip(p, q, strict=True)],
            # The derivative of p ln p has a 1 besides, which falls out: the probabilities sum to 1.
            "target_logits": [self._through_softmax(u, d) for u, d in zip(p, logs, strict=True)],
        }
        gradients = self._pulled(slopes, pull, shape, axis)
        if self.vector is None:
            return Evaluated(value, gradients)
        product = []
        for c, row, v in zip(pull, q, self._directions(shape, axis), strict=True):
            less_mean = [mpmath.fsum(b * (x - y) for b, y in zip(row, v, strict=True)) for x in v]
            product.append([c * s**2 * b * d for b, d in zip(row, less_mean, strict=True)])
        return Evaluated(value, gradients, self._back(product, shape, axis))

    def _pulled(
        self, slopes: Mapping[str, list[list[MP]]], pull: list[MP], shape: tuple[int, ...], axis: int
    ) -> dict[str, list[MP]]:
        return {
            name: self._back([[c * v for v in row] for c, row in zip(pull, slopes[name], strict=True)], shape, axis)
            for name in self.wanted
        }

    def _jensen_shannon(self) -> Evaluated:
        names = ("target_logits", "logits") if "logits" in self.inputs else ("targets", "probabilities")
        read = self._scaled if "logits" in self.inputs else self._rows
        (t, _, _), (x, shape, axis) = read(names[0]), read(names[1])
        p, q = ([_softmax(row)[0] for row in rows] for rows in (t, x)) if "logits" in self.inputs else (t, x)
        losses, of_p, of_q = self._between(p, q)
        value, pull = self._reduced(losses, self._divisor(len(losses)))
        slopes = {names[0]: of_p, names[1]: of_q}
        if "logits" in self.inputs:
            slopes = {
                name: [self._through_softmax(u, f) for u, f in zip(rows, of, strict=True)]
                for name, rows, of in zip(names, (p, q), (of_p, of_q), strict=True)
            }
        return Evaluated(value, self._pulled(slopes, pull, shape, axis))

    def _between(self, p: list[list[MP]], q: list[list[MP]]) -> tuple[list[MP], list[list[MP]], list[list[MP]]]:
        """The Jensen–Shannon divergence of each row, and what its terms are multiples of p and of q by."""
        beta, scale = _mp(self.options.get("beta", 0.5)), self._log_base()
        m = [[beta * a + (1 - beta) * b for a, b in zip(u, v, strict=True)] for u, v in zip(p, q, strict=True)]
        of_p, of_q = (
            [[w * (_log(a) - _log(c)) / scale for a, c in zip(u, v, strict=True)] for u, v in zip(rows, m, strict=True)]
            for rows, w in ((p, beta), (q, 1 - beta))
        )
        losses = [
            mpmath.fsum(_times(a, b) for a, b in zip((*u, *v), (*f, *g), strict=True))
            for u, v, f, g in zip(p, q, of_p, of_q, strict=True)
        ]
        return losses, of_p, of_q

    def _linear_jensen_shannon(self) -> Evaluated:
        s = _mp(self.options.get("logit_scale", 1.0))
        layers = {}
        for names in (("target_hidden", "target_weight"), ("hidden", "weight")):
            h, w = (
                [[_mp(v) for v in row] for row in np.asarray(a).reshape(-1, np.asarray(a).shape[-1])]
                for a in (np.asarray(self.inputs[name], dtype=np.float64) for name in names)
            )
            x = [
                [s * mpmath.fsum(a * b[j] for a, b in zip(row, w, strict=True)) for j in range(len(w[0]))] for row in h
            ]
            layers[names] = (h, w, [_softmax(row)[0] for row in x])
        (_, _, p), (_, _, q) = layers.values()
        losses, of_p, of_q = self._between(p, q)
        labels = np.asarray(self.inputs.get("targets", np.zeros(len(losses), int))).ravel()
        counts = [mpmath.mpf(int(v != self.options.get("ignore_index"))) for v in labels]
        divides = self.options.get("denominator", "valid") != "count"
        value, pull = self._reduced(
            [_times(c, v) for c, v in zip(counts, losses, strict=True)],
            mpmath.fsum(counts) if divides and not self._given() else self._divisor(len(losses)),
        )
        gradients: dict[str, list[MP]] = {}
        for (hidden, weight), of in zip(layers, (of_p, of_q), strict=True):
            h, w, rows = layers[hidden, weight]
            g = [
                [_times(k, c * v) for v in self._through_softmax(u, f)]
                for k, c, u, f in zip(counts, pull, rows, of, strict=True)
            ]
            gradients[hidden] = [mpmath.fsum(a * b for a, b in zip(row, k, strict=True)) for row in g for k in w]
            gradients[weight] = [
                mpmath.fsum(g[i][j] * h[i][k] for i in range(len(h))) for k in range(len(w)) for j in range(len(w[0]))
            ]
        return Evaluated(value, {name: gradients[name] for name in self.wanted})

    def _pairs(self) -> Evaluated:
        """soft_margin and bernoulli_kl, element by element."""
        primary = "logits" if self.loss == "soft_margin" else "probabilities"
        x, t = ([_mp(v) for v in np.asarray(self.inputs[n], dtype=np.float64).ravel()] for n in (primary, "targets"))
        samples = self.options.get("sample_weights")
        s = [mpmath.mpf(1)] * len(x) if samples is None else [_mp(v) for v in np.asarray(samples).ravel()]
        if self.loss == "soft_margin":
            terms = [mpmath.log(1 + mpmath.exp(-a * b)) for a, b in zip(x, t, strict=True)]
            down = [1 / (1 + mpmath.exp(a * b)) for a, b in zip(x, t, strict=True)]
            by_x = [-b * d for b, d in zip(t, down, strict=True)]
            by_t = [-a * d for a, d in zip(x, down, strict=True)]
        else:
            both = [(_log(b) - _log(a), _log(1 - b) - _log(1 - a)) for a, b in zip(x, t, strict=True)]
            terms = [_times(b, u) + _times(1 - b, v) for b, (u, v) in zip(t, both, strict=True)]
            by_x = [(a - b) / a / (1 - a) if 0 < a < 1 else _at_end(a, b) for a, b in zip(x, t, strict=True)]
            by_t = [u - v for u, v in both]
        kind = self.options.get("denominator") or "count"
        losses = [w * v for w, v in zip(s, terms, strict=True)]
        value, pull = self._reduced(losses, mpmath.fsum(s) if kind == "weights" else self._divisor(len(x)))
        slopes = {primary: by_x, "targets": by_t}
        return Evaluated(
            value, {n: [c * w * v for c, w, v in zip(pull, s, slopes[n], strict=True)] for n in self.wanted}
        )

    def _kl(self) -> Evaluated:
        if "logits" in self.inputs:
            return self._kl_of_logits()
        log_q, shape, axis = self._rows("log_probabilities")
        targets, _, _ = self._rows("targets")
        logs = bool(self.options.get("log_target", False))
        p = [[mpmath.exp(t) for t in row] for row in targets] if logs else targets
        log_p = targets if logs else [[_log(t) for t in row] for row in targets]
        free_p, free_q = ([[mpmath.mpf(1)] * shape[-1] for _ in log_q] for _ in range(2))
        if "clip" in self.convention:
            low, high = _bounds(self.convention["clip"])
            q = [[mpmath.exp(v) for v in row] for row in log_q]
            free_p, free_q = ([[mpmath.mpf(low <= v <= high) for v in row] for row in rows] for rows in (p, q))
            p, q = ([[min(max(v, low), high) for v in row] for row in rows] for rows in (p, q))
            log_p, log_q = ([[mpmath.log(v) for v in row] for row in rows] for rows in (p, q))
        difference = [[u - v for u, v in zip(a, b, strict=True)] for a, b in zip(log_p, log_q, strict=True)]
        losses = [
            mpmath.fsum(_times(w, d) for w, d in zip(a, b, strict=True)) for a, b in zip(p, difference, strict=True)
        ]
        batch = np.asarray(self.inputs["log_probabilities"]).shape[0]
        count = batch if self.options.get("reduction") == "batchmean" else len(losses)
        if self.convention.get("denominator") == "elements":
            count = len(losses) * shape[-1]
        value, pull = self._reduced(losses, self._divisor(count))
        gradients: dict[str, list[MP]] = {}
        if "log_probabilities" in self.wanted:
            slopes = [
                [-c * w * f for w, f in zip(row, free, strict=True)]
                for c, row, free in zip(pull, p, free_q, strict=True)
            ]
            gradients["log_probabilities"] = self._back(slopes, shape, axis)
        if "targets" in self.wanted:
            slopes = [
                [_times(f, _times(c * w, d + 1) if logs else c * (d + 1)) for w, d, f in zip(a, b, free, strict=True)]
                for c, a, b, free in zip(pull, p, difference, free_p, strict=True)
            ]
            gradients["targets"] = self._back(slopes, shape, axis)
        return Evaluated(value, gradients)

    def _linear(self) -> Evaluated:
        hidden = np.asarray(self.inputs["hidden"], dtype=np.float64)
        h = [[_mp(v) for v in row] for row in hidden.reshape(-1, hidden.shape[-1])]
        w = [[_mp(v) for v in row] for row in np.asarray(self.inputs["weight"], dtype=np.float64)]
        classes = len(w[0])
        bias = self.inputs.get("bias")
        b = [mpmath.mpf(0)] * classes if bias is None else [_mp(v) for v in np.asarray(bias)]
        logits = [[b[j] + mpmath.fsum(row[k] * w[k][j] for k in range(len(w))) for j in range(classes)] for row in h]
        a, per_target, denominator, valid = self._targets((*hidden.shape[:-1], classes), -1)
        losses, slopes, logs = [], [], []
        seen = self._seen(logits, (*hidden.shape[:-1], classes), -1)
        for (z, _, _), weights in zip(seen, a, strict=True):
            p, minus_log = _softmax(z)
            total = mpmath.fsum(weights)
            losses.append(mpmath.fsum(_times(v, m) for v, m in zip(weights, minus_log, strict=True)))
            slopes.append([q * total - v for q, v in zip(p, weights, strict=True)])
            logs.append(minus_log)
        losses, slopes = self._with_penalties(seen, valid, losses, slopes)
        value, pull = self._reduced(losses, denominator)
        pull = [c if counts else mpmath.mpf(0) for c, counts in zip(pull, valid, strict=True)]
        g = [
            [_times(c * f, v) for v, f in zip(row, slope, strict=True)]
            for c, row, (_, slope, _) in zip(pull, slopes, seen, strict=True)
        ]
        depth, n = len(w), len(h)
        gradients: dict[str, list[MP]] = {}
        if "hidden" in self.wanted:
            gradients["hidden"] = [
                mpmath.fsum(g[i][j] * w[k][j] for j in range(classes)) for i in range(n) for k in range(depth)
            ]
        if "weight" in self.wanted:
            gradients["weight"] = [
                mpmath.fsum(g[i][j] * h[i][k] for i in range(n)) for k in range(depth) for j in range(classes)
            ]
        if "bias" in self.wanted:
            gradients["bias"] = [mpmath.fsum(g[i][j] for i in range(n)) for j in range(classes)]
        if "targets" in self.wanted:
            moves = self.options.get("class_weights") is not None and self._divides_by_weights()
            moved = self._row_weight_slopes((*hidden.shape[:-1], classes)) if moves else None
            gradients["targets"] = [
                _times(c * v, m) - (value[0] * c * moved[i][j] if moved is not None else 0)
                for i, (c, weights, row) in enumerate(zip(pull, per_target, logs, strict=True))
                for j, (v, m) in enumerate(zip(weights, row, strict=True))
            ]
        if self.vector is None:
            return Evaluated(value, gradients)
        moving = self._directions(hidden.shape, -1)
        along = [[mpmath.fsum(v[k] * w[k][j] for k in range(depth)) for j in range(classes)] for v in moving]
        of_logits = self._hessian_of_rows(seen, a, slopes, pull, valid, along)
        product = [mpmath.fsum(h[j] * w[k][j] for j in range(classes)) for h in of_logits for k in range(depth)]
        return Evaluated(value, gradients, product)

    # --- binary losses ------------------------------------------------------------------------------------------------

    def _binary(self) -> Evaluated:
        primary = "probabilities" if self.loss == "binary_cross_entropy" else "logits"
        array = np.asarray(self.inputs[primary], dtype=np.float64)
        x = [_mp(v) for v in array.ravel()]
        eps = _mp(self.options.get("label_smoothing", 0.0))
        t = [_mp(v) * (1 - eps) + eps / 2 for v in np.asarray(self.inputs["targets"], dtype=np.float64).ravel()]
        up = [mpmath.mpf(1)] * len(x)
        down = [mpmath.mpf(1)] * len(x)
        if self.options.get("pos_weight") is not None:
            given = np.broadcast_to(np.asarray(self.options["pos_weight"], dtype=float), array.shape)
            up = [_mp(v) for v in given.ravel()]
        if self.loss == "binary_focal" and self.options.get("alpha") is not None:
            alpha = _mp(self.options["alpha"])
            up, down = [alpha] * len(x), [1 - alpha] * len(x)
        samples = self.options.get("sample_weights")
        s = [mpmath.mpf(1)] * len(x)
        if samples is not None:
            s = [_mp(v) for v in np.broadcast_to(np.asarray(samples, dtype=float), array.shape).ravel()]
        both = [self._binary_terms(primary, v) for v in x]
        losses = [
            w * (_times(y * u, f) + _times((1 - y) * d, g))
            for (f, g, _, _), y, w, u, d in zip(both, t, s, up, down, strict=True)
        ]
        kind = self.convention.get("denominator", self.options.get("denominator")) or "count"
        value, pull = self._reduced(losses, mpmath.fsum(s) if kind == "weights" else self._divisor(len(x)))
        gradients: dict[str, list[MP]] = {}
        if primary in self.wanted:
            gradients[primary] = [
                c * w * _difference(_times(y * u, f), -_times((1 - y) * d, g))
                for (_, _, f, g), c, y, w, u, d in zip(both, pull, t, s, up, down, strict=True)
            ]
        if "targets" in self.wanted:
            gradients["targets"] = [
                c * w * (1 - eps) * (u * f - d * g)
                for (f, g, _, _), c, w, u, d in zip(both, pull, s, up, down, strict=True)
            ]
        if self.vector is None:
            return Evaluated(value, gradients)
        second = [self._binary_second(primary, v) for v in x]
        v = [_mp(number) for number in np.asarray(self.vector, dtype=np.float64).ravel()]
        product = [
            c * w * (_times(y * u, f) + _times((1 - y) * d, g)) * r
            for (f, g), c, y, w, u, d, r in zip(second, pull, t, s, up, down, v, strict=True)
        ]
        return Evaluated(value, gradients, product)

    def _binary_second(self, primary: str, x: MP) -> tuple[MP, MP]:
        """The second derivatives of the loss at t = 1 and at t = 0."""
        if self.loss == "binary_focal":
            return self._focal_second(x), self._focal_second(-x)
        if primary == "logits":
            up = 1 / (1 + mpmath.exp(-x))
            return up * (1 - up), up * (1 - up)
        scale = mpmath.log(_mp(self._base()["base"])) if self._base() else mpmath.mpf(1)
        infinite = mpmath.mpf("inf")
        return (infinite if x == 0 else 1 / x**2 / scale, infinite if x == 1 else 1 / (1 - x) ** 2 / scale)

    def _focal_second(self, x: MP) -> MP:
        """The second derivative of σ(−x)^γ ln(1 + e^−x), by the rule for products: F″ f + 2 F′ f′ + F f″."""
        gamma, up, down = _mp(self.options.get("gamma", 2.0)), 1 / (1 + mpmath.exp(-x)), 1 / (1 + mpmath.exp(x))
        factor = _power(down, gamma)
        first, second = -gamma * up * factor, gamma * (gamma * up - down) * factor
        f = _times(up, mpmath.log(1 + mpmath.exp(-x)))  # F″ has the factor σ(x), which is 0 where f is infinite
        return second * f + 2 * first * -down + factor * up * down

    def _binary_terms(self, primary: str, x: MP) -> tuple[MP, MP, MP, MP]:
        """The loss at t = 1 and at t = 0, and their derivatives."""
        if primary == "probabilities":
            return _binary_of_probability(x, {**self.convention, **self._base()})
        up, down = 1 / (1 + mpmath.exp(-x)), 1 / (1 + mpmath.exp(x))
        f, g = mpmath.log(1 + mpmath.exp(-x)), mpmath.log(1 + mpmath.exp(x))
        if self.loss != "binary_focal":
            return f, g, -down, up
        gamma = _mp(self.options.get("gamma", 2.0))
        return (
            _power(down, gamma) * f,
            _power(up, gamma) * g,
            -_power(down, gamma) * (gamma * _times(up, f) + down),
            _power(up, gamma) * (gamma * _times(down, g) + up),
        )


def _at_end(p: MP, t: MP) -> MP:
    """The derivative of t ln(t / p) + (1 − t) ln((1 − t) / (1 − p)) at p = 0 or 1: of the side that has weight."""
    if p == t:
        return mpmath.mpf(1 if p == 0 else -1)
    return mpmath.mpf("-inf" if p == 0 else "inf")


def _difference(a: MP, b: MP) -> MP:
    """a − b; zero where all but the last bits of the working precision cancel (at p = t the two sides are equal)."""
    difference = a - b
    noise = mpmath.ldexp(abs(a) + abs(b), 16 - mpmath.mp.prec)
    return mpmath.mpf(0) if mpmath.isfinite(difference) and abs(difference) <= noise else difference


def _power(base: MP, exponent: MP) -> MP:
    if exponent == 0:
        return mpmath.mpf(1)
    return mpmath.mpf(0) if base == 0 else mpmath.power(base, exponent)


def _softmax(x: list[MP]) -> tuple[list[MP], list[MP]]:
    """Probabilities and −ln of them. A logit of −inf has probability 0."""
    top = max(x)
    exponentials = [mpmath.exp(v - top) for v in x]
    total = mpmath.fsum(exponentials)
    log_total = mpmath.log(total) + top
    return [e / total for e in exponentials], [log_total - v for v in x]


def _of_probabilities(x: list[MP], a: list[MP], convention: Mapping[str, Any]) -> tuple[list[MP], list[MP]]:
    """−log of each probability under the convention, and the derivative of Σ a (−log)."""
    p = list(x)
    steps: list[Any] = []
    for name, parameter in convention.items():
        if name == "clip":
            low, high = _bounds(parameter)
            inside = [mpmath.mpf(low <= v <= high) for v in p]
            p = [min(max(v, low), high) for v in p]
            steps.append(lambda g, keep=tuple(inside): [_times(k, v) for v, k in zip(g, keep, strict=True)])
        elif name == "renormalize" and parameter:
            total = mpmath.fsum(p)
            p = [v / total for v in p]
            steps.append(
                lambda g, q=tuple(p), total=total: [
                    (v - mpmath.fsum(_times(y, z) for y, z in zip(q, g, strict=True))) / total for v in g
                ]
            )
    inside_log = [v + _mp(convention.get("add_inside_log", 0.0)) for v in p]
    scale = mpmath.log(_mp(convention["base"])) if "base" in convention else mpmath.mpf(1)
    logs = [-_log(v) for v in inside_log]
    clamped = [False] * len(p)
    if "log_clamp" in convention:
        limit = -_mp(convention["log_clamp"])
        clamped = [v > limit for v in logs]
        logs = [min(v, limit) for v in logs]
    g = [
        mpmath.mpf(0) if c or w == 0 else (-w / v / scale if v != 0 else mpmath.mpf("-inf") * w)
        for w, v, c in zip(a, inside_log, clamped, strict=True)
    ]
    for step in reversed(steps):
        g = step(g)
    return [v / scale for v in logs], g


def _binary_of_probability(x: MP, convention: Mapping[str, Any]) -> tuple[MP, MP, MP, MP]:
    p, keep = x, mpmath.mpf(1)
    if "clip" in convention:
        low, high = _bounds(convention["clip"])
        keep = mpmath.mpf(1 if low <= p <= high else 0)
        p = min(max(p, low), high)
    eps = _mp(convention.get("add_inside_log", 0.0))
    scale = mpmath.log(_mp(convention["base"])) if "base" in convention else mpmath.mpf(1)
    limit = _mp(-convention["log_clamp"]) if "log_clamp" in convention else mpmath.mpf("inf")

    def side(q: MP, sign: int) -> tuple[MP, MP]:
        loss = -_log(q + eps)
        slope = mpmath.mpf("-inf") if q + eps == 0 else -1 / (q + eps)
        return min(loss, limit) / scale, sign * (mpmath.mpf(0) if loss > limit else slope) / scale

    (f, df), (g, dg) = side(p, 1), side(1 - p, -1)
    if "gradient_clamp" in convention:
        floor = max(p * (1 - p), _mp(convention["gradient_clamp"]))
        df, dg = -(1 - p) / floor, p / floor
    return f, g, _times(keep, df), _times(keep, dg)


def _bounds(parameter: Any) -> tuple[MP, MP]:
    low, high = (parameter, 1.0 - parameter) if isinstance(parameter, int | float) else parameter
    return _mp(low), _mp(high)
