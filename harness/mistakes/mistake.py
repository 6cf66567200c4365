"""What a mistake is: a sentence, the losses it is made in, and the steps it replaces."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from harness.adapters.base import Call

LABELLED = ("softmax_cross_entropy", "categorical_cross_entropy", "nll_loss")
"""Class losses that take integer labels, weights and an ignored label."""
FROM_LOGITS = ("softmax_cross_entropy", "categorical_focal", "linear_cross_entropy")
ROWS = (*LABELLED, "cross_entropy", "categorical_focal", "linear_cross_entropy")
BINARY = ("binary_cross_entropy", "binary_cross_entropy_with_logits", "binary_focal")
WITH_LOGITS = ("binary_cross_entropy_with_logits", "binary_focal")
PROBABILITIES = ("categorical_cross_entropy", "binary_cross_entropy", "cross_entropy", "entropy")
SOFTMAXES = ("softmax", "log_softmax")
SCORES = ("logits", "probabilities", "log_probabilities")
"""Inputs with the shape of the classes."""
MAIN = ("softmax_cross_entropy", "categorical_cross_entropy", "binary_cross_entropy", "kl_divergence")
"""One loss of each kind, for mistakes that do not depend on the formula."""


@dataclass(frozen=True)
class Mistake:
    """One wrong step, in the losses it is made in. The sentence says what the code does."""

    sentence: str
    losses: tuple[str, ...]
    steps: Mapping[str, Any]
    """By name of the step in `Steps`."""


def mistake(sentence: str, losses: tuple[str, ...], /, **steps: Any) -> Mistake:
    return Mistake(sentence, losses, steps)


def with_options(call: Call, **options: Any) -> Call:
    """The call with other options; None leaves one out."""
    changed = {**call.options, **options}
    return replace(call, options={n: v for n, v in changed.items() if v is not None})
