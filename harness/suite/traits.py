"""What a case asks for besides its numbers, in words: what the failures of an implementation may share. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from harness.core.case import ArraySpec, Case, ExpectRaises
from harness.suite.generators import shape_of

SCORES = ("logits", "probabilities", "log_probabilities", "hidden")
"""Inputs whose rank is that of a batch: targets of the same rank are distributions."""

DISTRIBUTIONS = "distributions as targets"


def traits_of(case: Case) -> tuple[str, ...]:
    """Each completes the words `for …`; what says most comes first.

    >>> from harness.suite.loading import load
    >>> traits_of(next(c for c in load().cases if c.id == "documents/d4-dog-in-bits"))
    ('distributions as targets', 'reduction mean', 'categorical_cross_entropy')
    """
    return tuple(dict.fromkeys(_traits(case)))


def size_of(case: Case) -> int:
    """Elements of all inputs together."""
    return sum(math.prod(shape_of(spec)) for spec in case.inputs.values())


def _traits(case: Case) -> Iterator[str]:
    shapes = {name: shape_of(spec) for name, spec in case.inputs.items()}
    scores = next((shapes[name] for name in SCORES if name in shapes), None)
    if isinstance(case.expect, ExpectRaises):
        yield f"what is refused as {case.expect.kind.replace('_', ' ')}"
    if scores is not None and len(shapes.get("targets", ())) == len(scores):
        yield DISTRIBUTIONS
    for name, value in case.options.items():
        if name not in ("reduction", "axis") or (name == "axis" and value not in (-1, len(scores or ()) - 1)):
            yield name
    if any(0 in shape for shape in shapes.values()):
        yield "an empty input"
    if scores is not None and len(scores) != 2:
        yield f"{len(scores)} axes"
    numbers = [number for spec in case.inputs.values() for number in _numbers(spec.values)]
    if any(math.isnan(number) for number in numbers):
        yield "nan among the inputs"
    if any(math.isinf(number) for number in numbers):
        yield "infinite inputs"
    specs = [*case.inputs.values(), *(value for value in case.options.values() if isinstance(value, ArraySpec))]
    yield from (f"inputs laid out {spec.layout}" for spec in specs if spec.layout != "contiguous")
    if case.cotangent is not None:
        yield "an upstream gradient"
    if "reduction" in case.options:
        yield f"reduction {case.options['reduction']}"
    yield case.loss


def _numbers(values: Any) -> Iterator[float]:
    if isinstance(values, tuple | list):
        for inner in values:
            yield from _numbers(inner)
    elif isinstance(values, int | float):
        yield float(values) if isinstance(values, float) else 0.0
