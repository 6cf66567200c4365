"""The digest of the reference: some evaluations, bit for bit, that are the same on any machine.

The reference is made of operations that round once everywhere, so its bits depend on no processor and no library.
`digest.json` beside this module holds a short digest of each of some evaluations, drawn from the cases and from the
grid of the certificate; whoever evaluates them anew, anywhere, gets the same.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from harness.certification.certificate import Evaluate, said_of
from harness.certification.grid import Sample, by_maker
from harness.certification.running import sample_of
from harness.core.case import Case, ExpectTruth
from harness.suite.generators import shape_of

COMMITTED = Path(__file__).resolve().parent / "digest.json"
COUNT = 500
LARGEST = 512
"""Elements of the largest input: what is digested is evaluated in seconds under an emulator too."""
GRID_SEED, GRID_EACH = 7, 20
"""What is drawn from of the grid: so many samples of each kind."""
GRID_BITS = 24
"""Significant bits of the inputs of the grid: what draws them takes logarithms and powers, whose last bit depends on
the machine, and the digest is of the reference and not of them."""

TINY = 1e-300
"""Numbers below it, and above its reciprocal, are at the ends of float64."""


@dataclass(frozen=True)
class Digest:
    """Twelve digits of the sha256 of what went into one evaluation, and of what came out of it."""

    inputs: str
    results: str


Digests = Mapping[str, Mapping[str, Digest]]
"""By loss, by the name of the evaluation."""


def digest_of(evaluate: Evaluate, sample: Sample) -> Digest:
    """One evaluation: everything it is asked, and the value and all derivatives, hi and lo."""
    found = said_of(evaluate, sample)
    results = [found.value, *(found.gradients[name] for name in sample.wanted)]
    results += [] if found.hessian_vector is None else [found.hessian_vector]
    asked: list[Any] = [sample.loss, *sample.wanted]
    for named in (sample.inputs, sample.options, sample.convention):
        asked += [thing for item in sorted(named.items()) for thing in item]
    asked += [sample.cotangent, sample.vector]
    return Digest(_hash(asked), _hash(part for exact in results for part in (exact.hi, exact.lo)))


def _hash(things: Iterable[Any]) -> str:
    h = hashlib.sha256()
    for thing in things:
        if isinstance(thing, str | None):
            h.update(repr(thing).encode())
            continue
        array = np.asarray(thing)
        # One kind of integer and one nan: which of them an operation makes depends on the machine.
        array = array.astype("<i8") if array.dtype.kind in "iub" else array.astype("<f8")
        h.update(repr(array.shape).encode())
        h.update(np.where(array == array, array, np.nan).astype(array.dtype).tobytes() if array.size else b"")
    return h.hexdigest()[:12]


def compute(evaluate: Evaluate, chosen: Mapping[str, Sample]) -> Digests:
    """The digests of these evaluations."""
    found: dict[str, dict[str, Digest]] = defaultdict(dict)
    for name, sample in sorted(chosen.items(), key=lambda item: (item[1].loss, item[0])):
        found[sample.loss][name] = digest_of(evaluate, sample)
    return found


def differences(before: Digests, now: Digests) -> Iterator[str]:
    """One sentence per loss whose evaluations are not the same, with the first that differs."""
    for loss, digests in before.items():
        mine = now.get(loss, {})
        wrong = [name for name, digest in digests.items() if mine.get(name) != digest]
        if not wrong:
            continue
        first = wrong[0]
        if first not in mine:
            what = "is no evaluation any more"
        elif mine[first].inputs != digests[first].inputs:
            what = "has other inputs"
        else:
            what = "has other bits for the same inputs"
        yield f"{loss}: {len(wrong)} of {len(digests)} evaluations differ; the first, {first}, {what}"


def to_json(digests: Digests) -> str:
    """The digests as they are committed: one evaluation a line."""
    plain = {
        loss: {name: f"{digest.inputs} {digest.results}" for name, digest in some.items()}
        for loss, some in sorted(digests.items())
    }
    return json.dumps(plain, indent=1) + "\n"


def read(path: Path = COMMITTED) -> Digests:
    """The inverse of `to_json`."""
    plain: dict[str, dict[str, str]] = json.loads(path.read_text(encoding="utf-8"))
    return {loss: {name: Digest(*two.split(" ")) for name, two in some.items()} for loss, some in plain.items()}


# --- which evaluations ------------------------------------------------------------------------------------------------


def drawn(cases: Sequence[Case], seed: int = 0, count: int = COUNT) -> Mapping[str, Sample]:
    """So many evaluations by name: first what shows a loss in another dtype or with another option, then any."""
    everything = [*named(cases, ()).items()]
    random.Random(seed).shuffle(everything)
    shown: set[tuple[str, str]] = set()
    first: list[tuple[str, Sample]] = []
    rest: dict[str, list[tuple[str, Sample]]] = defaultdict(list)
    for name, sample in everything:
        shows = {(sample.loss, word) for word in (*sample.options, *sample.convention, name.rpartition(" ")[2])}
        shows |= {("any", size) for size in _sizes(sample)}
        shows |= {(sample.loss, f"{option}={value}") for option, value in sample.options.items() if type(value) is str}
        (first if shows - shown else rest[sample.loss]).append((name, sample))
        shown |= shows
    turns = (group[turn] for turn in range(len(everything)) for group in rest.values() if turn < len(group))
    return dict([*first, *turns][:count])


def _sizes(sample: Sample) -> Iterator[str]:
    """What a sample has of the ends of float64."""
    for array in map(np.asarray, sample.inputs.values()):
        if array.dtype.kind == "f":
            sizes = np.abs(array[np.isfinite(array) & (array != 0)])
            if sizes.size and sizes.min() < TINY:
                yield "tiny"
            if sizes.size and sizes.max() > 1 / TINY:
                yield "huge"
            if not np.isfinite(array).all():
                yield "not finite"


def named(cases: Sequence[Case], names: Sequence[str]) -> Mapping[str, Sample]:
    """Evaluations by name: `CASE DTYPE`, or `KIND-NUMBER float64` of the grid; all where no name is given."""
    wanted = set(names)
    found: dict[str, Sample] = {}
    for case in cases:
        for dtype in case.dtypes if isinstance(case.expect, ExpectTruth) else ():
            name = f"{case.id} {dtype}"
            if (not wanted or name in wanted) and all(prod(shape_of(s)) <= LARGEST for s in case.inputs.values()):
                sample = sample_of(case, dtype)
                assert sample is not None, f"{name} is small, and no sample"
                found[name] = sample
    for kind, sample in by_maker(GRID_SEED, GRID_EACH):
        name = f"{kind} float64"
        if not wanted or name in wanted:
            found[name] = _rounded(sample)
    return found


def _rounded(sample: Sample) -> Sample:
    """A sample whose numbers have few bits, so that every machine draws the same."""

    def short(value: Any) -> Any:
        array = np.asarray(value)
        if array.dtype.kind != "f":
            return value
        mantissa, exponent = np.frexp(array)
        return np.ldexp(np.rint(np.ldexp(mantissa, GRID_BITS)), exponent - GRID_BITS)

    return replace(
        sample,
        inputs={name: short(value) for name, value in sample.inputs.items()},
        options={name: short(value) for name, value in sample.options.items()},
        cotangent=None if sample.cotangent is None else short(sample.cotangent),
        vector=None if sample.vector is None else short(sample.vector),
    )
