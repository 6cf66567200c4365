"""Closed sets of names that several rooms share."""

from __future__ import annotations

RELATIONS = (
    "shift",
    "class-permutation",
    "batch-permutation",
    "label-is-one-hot",
    "two-classes-are-binary",
    "mirror",
    "binary-difference",
    "bounds",
    "gibbs",
    "linear-in-the-target",
    "gradient-sums-to-zero",
    "monotone",
    "padding",
    "split-class",
    "weights-times-four",
    "unit-weights",
    "weight-zero-deletes",
    "ignoring-deletes",
    "ignoring-deletes-nan",
    "smoothing-mixes",
    "reductions-agree",
    "concatenation",
    "more-axes",
    "layouts",
    "label-types",
    "linear-in-the-cotangent",
    "pos-weight-one",
    "focal-without-focus",
    "focal-halved",
)
"""Relations between the answers to related calls; what each says is in `harness.judgement.relations`."""
