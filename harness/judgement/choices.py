"""Which of the choices that a case lists an implementation made, where no answer is right.

An error, a nan or an infinity is a choice where the case lists it. Finite numbers have to be those of a choice: the
formula as it stands, that of other inputs or options, or literal numbers, to the digits written; unless the case says
that any will do. An answer in a narrower type is compared in that type, from inputs rounded to it.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import numpy as np

from harness.core.arrays import Array, plain
from harness.core.case import ArraySpec, Choice, ExpectImplementationDefined
from harness.core.formats import FORMATS
from harness.judgement.agreement import BUDGET, Floats, Target, compare
from harness.judgement.narrowing import OTHERS
from harness.judgement.truth import Convention, TruthTable
from harness.suite.generators import realize


def choice_made(
    expect: ExpectImplementationDefined,
    kind: str,
    got: Array | None,
    aspect: str,
    table: TruthTable,
    declared: Convention | None,
    *,
    flush_to_zero: bool,
) -> str | None:
    """The name of the choice that an outcome is; None where it is none of them.

    `kind` is raises, nan, inf or finite, `got` what came back where something did, `declared` its convention.
    """
    if got is not None:
        name = _named(expect, got, aspect, table, got.dtype, declared, flush_to_zero=flush_to_zero)
        if name is not None:
            return name
    wanted = "any" if kind == "finite" else kind
    return next((choice.name for choice in expect.choices if choice.kind == wanted), None)


def computed_in_another(
    expect: ExpectImplementationDefined,
    got: Array,
    aspect: str,
    table: TruthTable,
    declared: Convention | None,
    *,
    flush_to_zero: bool,
) -> str | None:
    """The format in which an answer that is no choice would be one; None where it is in none."""
    for dtype in OTHERS[table.dtype]:
        if _named(expect, got, aspect, table, dtype, declared, flush_to_zero=flush_to_zero) is not None:
            return dtype
    return None


def _named(
    expect: ExpectImplementationDefined,
    got: Array,
    aspect: str,
    table: TruthTable,
    computed: str,
    declared: Convention | None,
    *,
    flush_to_zero: bool,
) -> str | None:
    """The choice whose numbers came back, where they were computed in a format."""
    numbers, dtype = got.to_float64(), computed if computed in FORMATS else table.dtype
    coarser = max(FORMATS[dtype], FORMATS[table.dtype], key=lambda fmt: fmt.eps)
    inside = table if dtype == table.dtype or coarser.name == table.dtype else table.in_format(dtype)
    for choice in expect.choices:
        for target in targets(choice, aspect, inside, declared):
            wanted = _spread(target, numbers.shape) if choice.numbers else target
            is_of_shape = wanted.hi.shape == numbers.shape
            if is_of_shape and compare(numbers, wanted, coarser, flush_to_zero=flush_to_zero).agrees:
                return choice.name
    return None


def targets(choice: Choice, aspect: str, table: TruthTable, declared: Convention | None = None) -> Iterator[Target]:
    """The numbers that a choice may be, plain and under a declared convention; one without axes is of any shape."""
    if choice.kind is not None:
        return
    if choice.numbers:
        if aspect in choice.numbers:
            yield _as_written(np.asarray(choice.numbers[aspect], dtype=np.float64), table.dtype)
        return
    inputs, options = (
        {name: plain(realize(v, table.dtype)) if isinstance(v, ArraySpec) else v for name, v in given.items()}
        for given in (choice.inputs, choice.options)
    )
    for convention in (None, declared) if declared else (None,):
        target = table.under(convention, options, inputs).targets.get(aspect)
        if target is not None:
            yield target


def _as_written(numbers: Floats, dtype: str) -> Target:
    """Numbers to the last digit written, or as precisely as the type allows, whichever is less."""
    unit = BUDGET[dtype] * FORMATS[dtype].eps
    with np.errstate(invalid="ignore"):
        error_scale = np.nan_to_num(1 + np.abs(numbers) + _last_digit(numbers) / 2 / unit)
    return Target(numbers, np.zeros_like(numbers), error_scale)


@np.vectorize(otypes=[np.float64])
def _last_digit(number: float) -> float:
    """One unit of the last digit that is written after the point; 0 for whole numbers, which are meant exactly."""
    if not np.isfinite(number) or float(number).is_integer():
        return 0.0
    return 10.0 ** int(Decimal(repr(float(number))).as_tuple().exponent)


def _spread(target: Target, shape: tuple[int, ...]) -> Target:
    """One number for every element of an answer; other targets as they are."""
    if target.hi.shape:
        return target
    hi, lo, error_scale = (np.broadcast_to(part, shape) for part in (target.hi, target.lo, target.error_scale))
    return Target(hi, lo, error_scale)
