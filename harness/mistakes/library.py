"""Every named wrong step: what the kill matrix makes known-bad implementations of and what the diagnosis looks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from harness.mistakes import (
    wrong_answers,
    wrong_blocks,
    wrong_corners,
    wrong_divergences,
    wrong_forward_mode,
    wrong_gradients,
    wrong_inputs,
    wrong_kernels,
    wrong_logits,
    wrong_memory,
    wrong_options,
    wrong_outputs,
    wrong_reductions,
    wrong_second_derivatives,
    wrong_values,
    wrong_ways,
)
from harness.mistakes.mistake import Mistake

SECOND = "second derivatives"
"""The kind of those that are right about everything else: only a case that asks for second derivatives tells."""

FORWARD = "forward mode"
"""The same of those whose derivative along a vector is wrong."""

ALONG = (SECOND, FORWARD)
"""The kinds of which only a case with a vector tells."""

BESIDE = "outputs"
"""The kind of those that are right about the value: only a case that asks what is returned beside it tells."""

WAYS = "ways to call"
"""The kind of those that are right about a whole batch on one rank whose sizes are known: only micro-batches or slices
of it tell, or a program for any size."""

SEAMS = ("options", "memory", "blocks", "corners")
"""The kinds of those that are right on a small contiguous batch with one option at a time."""

KINDS: Mapping[str, Mapping[str, Mistake]] = MappingProxyType(
    {
        "reductions": wrong_reductions.MISTAKES,
        "inputs": wrong_inputs.MISTAKES,
        "values": wrong_values.MISTAKES,
        "gradients": wrong_gradients.MISTAKES,
        SECOND: wrong_second_derivatives.MISTAKES,
        FORWARD: wrong_forward_mode.MISTAKES,
        "answers": wrong_answers.MISTAKES,
        "logits": wrong_logits.MISTAKES,
        "divergences": wrong_divergences.MISTAKES,
        "options": wrong_options.MISTAKES,
        "memory": wrong_memory.MISTAKES,
        "kernels": wrong_kernels.MISTAKES,
        "blocks": wrong_blocks.MISTAKES,
        "corners": wrong_corners.MISTAKES,
        BESIDE: wrong_outputs.MISTAKES,
        WAYS: wrong_ways.MISTAKES,
    }
)
"""By kind and name, the likelier kinds first."""


@dataclass(frozen=True)
class Named:
    """A mistake with its name and kind."""

    name: str
    kind: str
    mistake: Mistake

    @property
    def rank(self) -> int:
        """That of the mistake, and behind the others where it shows at a seam only: there a simpler one is likelier."""
        return self.mistake.rank + (self.kind in SEAMS)


MISTAKES: tuple[Named, ...] = tuple(
    Named(name, kind, mistake) for kind, mistakes in KINDS.items() for name, mistake in mistakes.items()
)
"""The likelier first."""

MISTAKE_OF: Mapping[str, Mistake] = MappingProxyType({named.name: named.mistake for named in MISTAKES})
"""By name."""
