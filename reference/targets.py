"""Targets as weights of −ln p: class labels or distributions, weighted, smoothed, ignored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reference import arguments
from reference.arguments import ArgumentError
from reference.problem import Problem, blocks, of_block
from reference.reductions import RowWeights, denominator_kind


@dataclass(frozen=True, eq=False)
class Block:
    """The targets of some rows, classes last."""

    a: Any
    """Class weights × sample weights × smoothed targets; rows that are ignored are 0."""
    keep: NDArray[np.bool_]
    """Which rows count, as a column."""
    per_target: Any
    """∂a_j/∂target_j: class weight × sample weight × (1 − ε), broadcastable to a."""
    per_row_weight: Any
    """∂(row weight)/∂target_j: class weight × sample weight, broadcastable to a."""
    unit: Any
    """Sample weight per row: what the targets are taken to sum to under gradient_of_targets_summing_to_one."""


@dataclass(frozen=True, eq=False)
class Targets:
    """The targets of a problem, row by row."""

    make: Any
    labels: NDArray[np.int64] | None
    """Class labels, one per row, where the targets are labels."""
    dense: NDArray[np.float64] | None
    """Distributions, one row per row, where they are not."""
    valid: NDArray[np.bool_]
    class_weights: Any | None
    sample_weights: Any
    """One per row, or one for all."""
    smoothing: float
    rule: str
    classes: int
    row_weights: RowWeights[Any]
    mask: NDArray[np.bool_] | None = None
    """Which classes count, one row for all rows or one per row; None: all."""

    def block(self, rows: slice) -> Block:
        """The targets of some rows."""
        make, keep = self.make, self.valid[rows][:, None]
        q = self._distribution(rows)
        kept = make(1.0) - make(self.smoothing)
        if self.smoothing:
            q = _smoothed(q, kept, make(self.smoothing), self._counting(rows), self.rule)
        own = of_block(self.sample_weights, rows)
        column = own if own.shape == () else own.column()
        factor = column if self.class_weights is None else self.class_weights * column
        a = q * factor
        a = a.where(np.broadcast_to(keep, a.shape), a.zeros())
        return Block(a, keep, factor * kept, factor, own)

    def _counting(self, rows: slice) -> NDArray[np.bool_]:
        if self.mask is None:
            return np.ones((1, self.classes), dtype=bool)
        return self.mask if self.mask.shape[0] == 1 else self.mask[rows]

    def _distribution(self, rows: slice) -> Any:
        if self.labels is None:
            assert self.dense is not None
            return self.make(self.dense[rows])
        one_hot = (np.arange(self.classes) == self.labels[rows, None]) & self.valid[rows, None]
        return self.make(one_hot.astype(np.float64))

    def moves_denominator(self, problem: Problem) -> bool:
        """Whether the mean divides by weights that the targets are part of.

        With W = Σ_i s_i Σ_j w_j q_ij the mean T/W has ∂/∂q_ij = (∂T/∂q_ij − mean · s_i w_j) / W.
        """
        averages = problem.options.get("reduction", "mean") in ("mean", "batchmean")
        divides = denominator_kind(self.row_weights, problem.options, problem.convention) == "weights"
        return averages and divides and self.dense is not None and self.class_weights is not None


def targets_of(problem: Problem, shape: tuple[int, ...], axis: int, mask: NDArray[np.bool_] | None = None) -> Targets:
    """The checked targets of a problem whose other input has `shape`, classes last; of the classes those in the `mask`
    count."""
    make, options, convention = problem.make, problem.options, problem.convention
    rows, classes = shape[:-1], shape[-1]
    count = int(np.prod(rows))
    raw = problem.inputs["targets"]
    ignored = options.get("ignore_index")
    if ignored is not None and (isinstance(ignored, bool) or int(ignored) != ignored):
        raise ArgumentError(f"ignore_index = {ignored!r}: expected an integer")
    class_weights, sample_weights = None, make(1.0)
    if "class_weights" in options:
        class_weights = make(arguments.weights("class_weights", options["class_weights"], (classes,), "one per class"))
    if "sample_weights" in options:
        given = arguments.weights("sample_weights", options["sample_weights"], rows, "one per row")
        sample_weights = make(given.reshape(count))
    smoothing = float(options.get("label_smoothing", 0.0))
    labels, dense, valid = None, None, np.ones(count, dtype=bool)
    if raw.dtype.kind in "iu":
        labels, valid = arguments.labels(raw, rows, classes, None if ignored is None else int(ignored))
        labels, valid = labels.reshape(count), valid.reshape(count)
        weights = sample_weights if class_weights is None else class_weights[labels] * sample_weights
    else:
        if ignored is not None and problem.loss != "nll_loss":
            raise ArgumentError("ignore_index: distributions cannot be ignored, expected integer targets")
        moved = np.moveaxis(arguments.floats("targets", raw), axis, -1) if raw.ndim == len(shape) else raw
        dense = arguments.shaped("targets", moved, shape, "the shape of the other input").reshape(count, classes)
        weights = sample_weights
        if class_weights is not None:
            weights = _weighted_sums(make, dense, class_weights) * sample_weights
    default = "weights" if class_weights is not None else "valid" if ignored is not None else "count"
    return Targets(
        make,
        labels,
        dense,
        valid,
        class_weights,
        sample_weights,
        smoothing,
        str(convention.get("smoothing", "uniform")),
        classes,
        RowWeights(weights, valid, rows, count * classes, default),
        mask,
    )


def _weighted_sums(make: Any, dense: NDArray[np.float64], class_weights: Any) -> Any:
    """Σ_j w_j q_ij, one per row."""
    parts = [(make(dense[rows]) * class_weights).sum() for rows in blocks(*dense.shape)]
    return type(parts[0])(**{n: np.concatenate([getattr(p, n) for p in parts]) for n in vars(parts[0])})


def _smoothed(q: Any, keep: Any, smoothing: Any, counting: NDArray[np.bool_], rule: str) -> Any:
    """(1 − ε) q and a share of ε for each class that counts: ε/K, or ε/(K − 1) of what the class does not have."""
    classes = counting.sum(axis=-1, keepdims=True)
    if rule == "others":
        share = (q.constant(np.ones(q.shape)) - q) * (smoothing / q.constant(np.maximum(classes - 1.0, 1.0)))
    else:
        share = q.zeros() + smoothing / q.constant(np.maximum(classes, 1.0))
    return q * keep + share.where(np.broadcast_to(counting, q.shape), q.zeros())
