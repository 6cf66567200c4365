"""What the right steps did for a call, so that of a mistake in one of them only what it changes is computed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from harness.adapters import micro_batches
from harness.adapters.base import Answer, Call, Unsupported
from harness.mistakes.sound import LOSSES, Sound
from harness.mistakes.steps import Steps

UNFIT = (LookupError, ValueError, TypeError, ArithmeticError, Unsupported)
"""Raised by a step where it has no meaning: for a loss without such an input, an option of another form, or a call that
then is not cut into micro-batches."""
MANY = 512
"""Numbers from which on comparing them takes less than computing with them."""

Taken = Mapping[str, Sequence[tuple[tuple[Any, ...], Any]]]
"""By name of a step: what it was given, and what came of it, each time."""


@dataclass(frozen=True, eq=False)
class Answered:
    """A call, its right answer, and the steps that were taken on the way."""

    call: Call
    right: Answer
    taken: Taken
    value_only: bool
    """Whether nothing is differentiated whatever the call asks for."""

    def with_steps(self, changed: Mapping[str, Any]) -> Sound | None:
        """What answers the call with some steps replaced; None where it takes none of them."""
        if not changed.keys() & {*self.taken, "finish"} and not self._is_prepared_by(changed.get("prepare")):
            return None
        return Sound(replace(_remembering(self.taken), **changed), LOSSES, value_only=self.value_only)

    def _is_prepared_by(self, prepare: Callable[[Call], Call] | None) -> bool:
        """Whether it makes anything else of the call, or fails; not asked where parts or other calls are prepared."""
        if prepare is None or self.call.mode == micro_batches.MODE or self.call.outputs:
            return prepare is not None
        try:
            with np.errstate(all="ignore"):
                return prepare(self.call) is not self.call
        except Exception:  # whatever a known-bad implementation raises is its answer
            return True


def answered(call: Call, *, value_only: bool = False) -> Answered | None:
    """None where the right steps have no answer: no such loss or option, or an error is right."""
    taken: dict[str, list[tuple[tuple[Any, ...], Any]]] = {}
    if call.loss not in LOSSES:
        return None
    try:
        right = Sound(_recording(taken), LOSSES, value_only=value_only).evaluate(call)
    except UNFIT:
        return None
    within = {name: calls for name, calls in taken.items() if name not in ("prepare", "finish")}
    return Answered(call, right, within, value_only)


def _recording(taken: dict[str, list[tuple[tuple[Any, ...], Any]]]) -> Steps:
    """The right steps, which note in `taken` what they are given and what comes of it."""

    def noted(name: str, step: Callable[..., Any]) -> Callable[..., Any]:
        def take(*arguments: Any) -> Any:
            found = step(*arguments)
            taken.setdefault(name, []).append((arguments, found))
            return found

        return take

    return _each_step(noted)


def _remembering(taken: Taken) -> Steps:
    """The right steps, which do nothing anew that they did for the right answer: a mistake changes little of a call,
    and most of the time goes into the rest."""

    def remembered(name: str, step: Callable[..., Any]) -> Callable[..., Any]:
        def take(*arguments: Any) -> Any:
            for given, found in taken.get(name, ()):
                if all(map(_is_same, given, arguments)):
                    return found
            return step(*arguments)

        return take

    return _each_step(remembered)


def _each_step(of: Callable[[str, Callable[..., Any]], Callable[..., Any]]) -> Steps:
    right = Steps()
    return Steps(**{f.name: of(f.name, getattr(right, f.name)) for f in fields(Steps)})


def _is_same(one: Any, other: Any) -> bool:
    """Whether a step is given the same again; of what is no array, and of few numbers, it is enough to know the very
    same object."""
    if one is other:
        return True
    if not isinstance(one, np.ndarray) or not isinstance(other, np.ndarray) or one.dtype != other.dtype:
        return False
    return one.size >= MANY and np.array_equal(one, other)
