"""`xent certify`: the random grid and every case of the suite, on several processes, with progress."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

import reference
from harness.certification.certificate import Certificate, certify
from harness.certification.committed import source_digest
from harness.certification.grid import Sample, large, samples
from harness.core.arrays import Array
from harness.core.case import Case, ExpectTruth
from harness.core.files import write_whole
from harness.core.printing import say, tell
from harness.execution.side_by_side import processes
from harness.suite.calls import call_of
from reference.evaluation import twice_differentiable

CHUNK = 4000
"""Points of one piece of work: some seconds, so that progress is seen and cores are kept busy."""

LARGEST_CASE = 110_000
"""Elements of the largest input of a case that is certified: two rows of a vocabulary, some seconds of mpmath; beyond,
one case would take minutes."""

CASE_PARTS = 8
"""Pieces that the cases of the suite are certified in, so that several processes share them."""


def main(output: Path | None, points: int, seed: int, workers: int) -> Certificate:
    """Certify the reference over `points` random points and every case; print the certificate, write it to `output`."""
    chunks = [(seed * 1_000_003 + i, min(CHUNK, points - i * CHUNK)) for i in range(-(-points // CHUNK))]
    parts = []
    with processes(workers) as pool:
        for done, part in enumerate(pool.map(certify_chunk, chunks), start=1):
            parts.append(part)
            tell(f"certified {done * CHUNK} of {points} points", error=True)
        parts += pool.map(certify_cases_of_part, range(CASE_PARTS))
        parts.append(pool.submit(certify_large).result())
    certificate = replace(
        merged(parts),
        versions={"mpmath": version("mpmath"), "numpy": np.__version__},
        digest=source_digest(),
    )
    tell(certificate.sentence)
    for name, count in certificate.by_loss.items():
        tell(f"  {count:8} {name}")
    if certificate.skipped:
        tell(f"  {certificate.skipped} cases and dtypes not certified: more than {LARGEST_CASE} elements")
    if output is not None:
        write_whole(output, certificate.to_json() + "\n")
        say(f"certificate: {output}")
    return certificate


def certify_chunk(chunk: tuple[int, int]) -> Certificate:
    """One piece of the random grid."""
    seed, points = chunk
    return certify(reference.evaluate, samples(seed, points))


def certify_large() -> Certificate:
    """Rows of very many classes, which are no part of the random grid."""
    return certify(reference.evaluate, large(0))


def certify_cases_of_part(part: int) -> Certificate:
    """Every n-th case of the suite."""
    from harness.suite.loading import load

    return certify_cases(load().cases[part::CASE_PARTS])


def certify_cases(cases: Sequence[Case]) -> Certificate:
    """The reference on every case that expects the truth, in every dtype it names."""
    chosen = [(case, dtype) for case in cases if isinstance(case.expect, ExpectTruth) for dtype in case.dtypes]
    made = [sample_of(case, dtype) for case, dtype in chosen]
    kept = [sample for sample in made if sample is not None]
    return certify(reference.evaluate, kept, skipped=len(made) - len(kept))


def sample_of(case: Case, dtype: str) -> Sample | None:
    """A case as a sample; None where mpmath would take minutes."""
    call = call_of(case, dtype)
    arrays = [*call.inputs.values(), *(v for v in call.options.values() if isinstance(v, Array))]
    arrays += [array for array in (call.cotangent, call.vector) if array is not None]
    if any(array.storage.size > LARGEST_CASE for array in arrays):
        return None

    def plain(value: Any) -> Any:
        if not isinstance(value, Array):
            return value
        return value.to_float64() if value.is_float else value.storage

    return Sample(
        call.loss,
        {name: plain(array) for name, array in call.inputs.items()},
        {name: plain(option) for name, option in call.options.items()},
        {},
        plain(call.cotangent),
        call.differentiate,
        # Of another loss a vector asks for the derivative along it alone, which is the gradient's.
        vector=plain(call.vector) if twice_differentiable(call.loss, call.inputs) else None,
        name=f"{case.id} {dtype}",
    )


def merged(parts: Sequence[Certificate]) -> Certificate:
    """Several certificates as one."""
    by_loss: Counter[str] = Counter()
    for part in parts:
        by_loss.update(part.by_loss)
    entries = sorted(chain.from_iterable(p.worst for p in parts), key=lambda w: -w.ulps)
    first = {(w.loss, w.aspect): w for w in reversed(entries)}
    return Certificate(
        points=sum(p.points for p in parts),
        normal_ulps=max((p.normal_ulps for p in parts), default=0.0),
        subnormal_ulps=max((p.subnormal_ulps for p in parts), default=0.0),
        patterns=sum(p.patterns for p in parts),
        by_loss=dict(sorted(by_loss.items())),
        worst=tuple(first[key] for key in sorted(first)),
        skipped=sum(p.skipped for p in parts),
    )
