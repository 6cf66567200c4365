"""The rows of a golden table, and the table as JSON lines.

A row is one call: its arrays in bits, its options, and for each result (value, gradients, the product of the Hessian
with a vector) the truth as hi + lo and the error that is allowed of each element. The first line is the header, whose
digest is the sha256 of all that follows it.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from harness.certification.committed import committed_certificate, source_digest
from harness.core.arrays import Array
from harness.core.call import Call, default_denominator
from harness.core.case import Case, ExpectTruth
from harness.core.cell import number
from harness.core.formats import FORMATS
from harness.judgement.agreement import Floats, allowed
from harness.judgement.truth import TruthTable, aspects
from harness.suite.calls import call_of
from harness.suite.generators import shape_of
from reference.evaluation import twice_differentiable

SCHEMA = 1
LARGEST = 512
"""Numbers in the inputs of a case: the larger ones show little besides, and a table is read by hand-written readers."""
DIRECTION = (1.0, -0.5, 2.0, 0.25)
"""The numbers, over and over, of the vector of a case that has none: exact in every format."""


@dataclass(frozen=True, eq=False)
class Result:
    """What is right for one result of a call."""

    of: str
    """value, hessian_vector, or the name of the input whose gradient it is."""
    hi: Floats
    lo: Floats
    tolerance: Floats


@dataclass(frozen=True, eq=False)
class Row:
    """One call and its results."""

    case: str
    call: Call
    results: tuple[Result, ...]

    @property
    def arrays(self) -> Mapping[str, Array]:
        """By name: the inputs, the options that are arrays, and what derivatives are taken with."""
        options = {name: value for name, value in self.call.options.items() if isinstance(value, Array)}
        along = {"cotangent": self.call.cotangent, "vector": self.call.vector}
        return {**self.call.inputs, **options, **{n: a for n, a in along.items() if a is not None}}

    @property
    def options(self) -> Mapping[str, Any]:
        """Those that are no arrays, as JSON has them; what a mean divides by, also by default."""
        plain = ((name, value) for name, value in self.call.options.items() if not isinstance(value, Array))
        given = {name: number(value) if isinstance(value, float) else value for name, value in plain}
        if given.get("reduction") == "mean":
            given.setdefault("denominator", default_denominator(self.call.options))
        return given

    def record(self) -> dict[str, Any]:
        """As it is written; bits are integers."""
        return {
            "case": self.case,
            "loss": self.call.loss,
            "dtype": self.call.dtype,
            "options": dict(self.options),
            "arrays": [
                {"name": name, "dtype": array.dtype, "shape": list(array.shape), "bits": _bits(array)}
                for name, array in self.arrays.items()
            ],
            "results": [
                {
                    "of": result.of,
                    "shape": list(result.hi.shape),
                    **{name: getattr(result, name).ravel().tolist() for name in ("hi", "lo", "tolerance")},
                }
                for result in self.results
            ],
        }


def chosen(
    cases: Iterable[Case], *, losses: Sequence[str] | None, options: Sequence[str] | None, dtypes: Sequence[str] | None
) -> Iterator[tuple[Case, str]]:
    """Small cases with one right answer, of these losses, with no option but these, in these dtypes; None: any."""
    for case in cases:
        left_out = (
            not isinstance(case.expect, ExpectTruth)
            or (losses is not None and case.loss not in losses)
            or (options is not None and not set(case.options) <= {*options, "reduction", "denominator"})
            or sum(math.prod(shape_of(spec)) for spec in case.inputs.values()) > LARGEST
        )
        if not left_out:
            yield from ((case, dtype) for dtype in case.dtypes if dtypes is None or dtype in dtypes)


def row(case: Case, dtype: str) -> Row:
    """The row of a case in a dtype, with second derivatives where the reference has them."""
    call = call_of(case, dtype)
    if call.vector is None and twice_differentiable(call.loss, call.inputs) and call.differentiate:
        along = np.resize(DIRECTION, call.inputs[call.differentiate[0]].shape)
        twice = replace(call, vector=Array.of(along, dtype))
        if TruthTable(twice).under().refusal is None:
            call = twice
    truth = TruthTable(call).under()
    if truth.refusal is not None:
        raise ValueError(f"{case.id} in {dtype}: {truth.refusal}")
    named = aspects(call)
    return Row(
        case.id,
        call,
        tuple(
            Result(named[aspect] or aspect, target.hi, target.lo, allowed(target, FORMATS[dtype]))
            for aspect, target in truth.targets.items()
        ),
    )


def _bits(array: Array) -> list[int]:
    unsigned = np.dtype(f"uint{8 * array.storage.dtype.itemsize}")
    bits: list[int] = np.ascontiguousarray(array.storage).view(unsigned).ravel().tolist()
    return bits


# --- JSON lines -------------------------------------------------------------------------------------------------------


def header(lines: Sequence[str], suite: str) -> dict[str, Any]:
    """What the table says of itself, from its lines and the digest of the suite."""
    text = "".join(f"{line}\n" for line in lines)
    return {
        "kind": "golden",
        "schema": SCHEMA,
        "rows": len(lines),
        "digest": hashlib.sha256(text.encode()).hexdigest(),
        "suite": suite,
        "reference": source_digest(),
        "certificate": committed_certificate(),
    }


def line(record: Mapping[str, Any]) -> str:
    """A record as a line of JSON: bits are hexadecimal texts, nan and infinities the texts nan, inf and -inf."""
    arrays = [{**a, "bits": [f"{bits:0{_digits(a['dtype'])}x}" for bits in a["bits"]]} for a in record["arrays"]]
    results = [
        {**r, **{name: [number(value) for value in r[name]] for name in ("hi", "lo", "tolerance")}}
        for r in record["results"]
    ]
    written = {**record, "arrays": arrays, "results": results}
    return json.dumps(written, allow_nan=False, separators=(",", ":"))


def json_lines(header: Mapping[str, Any], lines: Sequence[str]) -> str:
    """The whole file."""
    return "".join(f"{text}\n" for text in (json.dumps(header, separators=(",", ":")), *lines))


def _digits(dtype: str) -> int:
    stored = FORMATS[dtype].storage if dtype in FORMATS else dtype
    return 2 * np.dtype(stored).itemsize
