"""What a mistake is: a sentence, the losses it is made in, and the steps it replaces."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from harness.core.arrays import Array
from harness.core.call import Call

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
DIAGNOSED: tuple[str, ...] = ()
"""No known-bad implementation: other mistakes fail the same cases, so only the diagnosis has a use for it."""

COMMON, USUAL, RARE = 0, 1, 2
"""Ranks: what explains an answer is named unless something of a smaller rank explains it too."""

SMALL_CONSTANTS = (1e-7, 1e-15, 1e-12, 1e-8, 1e-6, 1e-10, 1e-9, 1e-5, 1e-4, 1e-3)
"""What people add and clip at, the usual ones first."""
OWN = "the format of the inputs"
"""The parameter of what is computed as it is given."""


@dataclass(frozen=True)
class Mistake:
    """One wrong step."""

    sentence: str
    """What the code does; {} stands for the parameter."""
    losses: tuple[str, ...]
    """Those that the kill matrix has a known-bad implementation of. The diagnosis looks for the mistake in every loss
    that has the step."""
    make: Callable[[Any], Mapping[str, Any]]
    """The steps that are replaced, by their name in `Steps`, from the parameter."""
    parameter: Any = None
    """What the known-bad implementations are made with; None where there is nothing to choose."""
    others: tuple[Any, ...] = ()
    """What the diagnosis tries besides."""
    rank: int = USUAL
    same_step: str = ""
    """The mistake whose step it is: this one is made in a part of the computation, or with another parameter. The
    diagnosis, which sees one aspect at a time, names that one."""
    slack: Callable[[Any], float] = lambda _: 0.0
    """What an implementation of the mistake may be off by besides, absolutely: the noise of a difference quotient."""

    @property
    def steps(self) -> Mapping[str, Any]:
        """The replaced steps of a known-bad implementation."""
        return self.make(self.parameter)

    @property
    def parameters(self) -> tuple[Any, ...]:
        return (self.parameter, *(other for other in self.others if other != self.parameter))

    def says(self, *parameters: Any) -> str:
        """The sentence, with every parameter that it may be made with."""
        return self.sentence.format(" or ".join(_text(p) for p in parameters if p is not None))


def _text(parameter: Any) -> str:
    return f"{parameter:g}" if isinstance(parameter, float | int) else str(parameter)


def mistake(
    sentence: str, losses: tuple[str, ...], /, *, rank: int = USUAL, same_step: str = "", **steps: Any
) -> Mistake:
    """A mistake without a parameter."""
    return Mistake(sentence, losses, lambda _: steps, rank=rank, same_step=same_step)


def with_parameter(
    sentence: str,
    losses: tuple[str, ...],
    make: Callable[[Any], Mapping[str, Any]],
    parameter: Any,
    others: tuple[Any, ...] = (),
    *,
    rank: int = USUAL,
) -> Mistake:
    """A mistake that is made with something: a bound, a format. The known-bad implementations have `parameter`."""
    return Mistake(sentence, losses, make, parameter, others, rank)


def scores_of(call: Call) -> Array:
    """The input that has the shape of the classes. LookupError where there is none."""
    found = [array for name, array in call.inputs.items() if name in SCORES]
    return found[0]


def with_options(call: Call, **options: Any) -> Call:
    """The call with other options; None leaves one out."""
    changed = {**call.options, **options}
    return replace(call, options={n: v for n, v in changed.items() if v is not None})
