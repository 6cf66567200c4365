"""Whether an implementation computed in another format than that of its inputs.

A class that casts its inputs to float32 is right, in float32, for the inputs so rounded: about the float64 it was given
that is a finding, and another one than a wrong formula. So a result that disagrees is compared once more with the truth
of the inputs rounded to the other format, under the constants of that format, and with the budget of the coarser of the
two (a float16 answer of a float32 computation was rounded to float16 at the end).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from harness.core.formats import FORMATS
from harness.judgement.agreement import Floats, compare
from harness.judgement.truth import Convention, TruthTable

OTHERS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "float64": ("float32", "bfloat16", "float16"),
        "float32": ("bfloat16", "float16"),
        # Frameworks widen the half formats to float32, and then hold constants such as 1 − 1e-7 that those cannot.
        "float16": ("float32",),
        "bfloat16": ("float32",),
    }
)
"""Formats an implementation may compute in instead, the likeliest first."""


def computed_in(
    got: Floats, aspect: str, table: TruthTable, declared: Convention | None, *, flush_to_zero: bool
) -> str | None:
    """The format in which `got` is right, plainly or under the `declared` convention; None where it is in none.

    The one it is declared to compute in comes first: what is right in float16 is mostly within bfloat16 too.
    """
    stated = (declared or {}).get("computed_in")
    for name in sorted(OTHERS[table.dtype], key=lambda name: name != stated):
        coarser = max(FORMATS[name], FORMATS[table.dtype], key=lambda fmt: fmt.eps)
        inside = table.in_format(name)
        for convention in (None, declared) if declared else (None,):
            target = inside.under(convention).targets.get(aspect)
            if target is None or target.hi.shape != got.shape:
                continue
            if compare(got, target, coarser, flush_to_zero=flush_to_zero).agrees:
                return name
    return None
