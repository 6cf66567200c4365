"""Who is timed when nobody is named, and with which settings."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from harness.adapters.registry import Implementation, registered

YARDSTICK = "numpy-by-hand"
"""What everybody is compared with, the few lines a user of NumPy would write: always installed, one thread, and it
changes only when we change it."""

_WITHOUT_SPEED = ("scratch", "onnx-reference", "jax-x32")
"""Beginnings of names whose speed says nothing: explanations in code, an evaluator for specifications, JAX a second
time."""

_LEFT_OUT = (*_WITHOUT_SPEED, "keras", "sklearn")
"""What the default bench leaves out besides: wrappers of others, and what was never meant to be fast."""


def has_speed(name: str) -> bool:
    """Whether a complete bench and an upgrade time the implementation."""
    return not name.startswith(_WITHOUT_SPEED)


def timed_by_default(*, complete: bool) -> tuple[str, ...]:
    """Names of the registered implementations that take part where nobody is named."""
    return tuple(name for name in registered() if (has_speed(name) if complete else not name.startswith(_LEFT_OUT)))


def with_yardstick(implementations: Sequence[Implementation]) -> tuple[Implementation, ...]:
    """The implementations and what they are compared with."""
    if any(i.name == YARDSTICK for i in implementations):
        return tuple(implementations)
    return (registered()[YARDSTICK], *implementations)


def as_used(implementation: Implementation, dtypes: Collection[str]) -> Implementation:
    """The implementation with the settings its users have.

    JAX computes in 32 bits unless it is told otherwise. Correctness is judged with 64 bits switched on, or there would
    be no float64 to judge; a bench without float64 leaves them off, with labels and intermediate results as narrow as
    a user's.
    """
    if "float64" in dtypes or "JAX_ENABLE_X64" not in implementation.environment:
        return implementation
    return replace(implementation, environment={**implementation.environment, "JAX_ENABLE_X64": "0"})
