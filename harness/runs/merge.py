"""Several runs of parts of one suite become one run: shards of the cases, or families of implementations. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from harness.core.cell import VERDICTS, Footer, Header, Run, wider
from harness.runs.diff import NotComparable
from harness.runs.kernels import other_kernels


def merge(runs: Sequence[Run], *, other_machines: bool = False) -> Run:
    """One run with the cells, claims and measurements of all; NotComparable where they do not belong together.

    The parts must come from one suite version, must not hold the same cell twice, and must name the same version
    and the same machine facts of an implementation that several of them hold; `other_machines` lets the facts of the
    first part stand for all. Claims are judged by every part that holds their case: the
    duplicates, which are identical, are kept once.
    """
    if not runs:
        raise NotComparable("nothing to merge: name at least one run file")
    versions = sorted({str(run.header.suite.get("version")) for run in runs})
    if len(versions) > 1:
        raise NotComparable(f"the parts come from suite versions {', '.join(versions)}: run them with one version")
    seen = Counter(cell.key for run in runs for cell in run.cells)
    twice = [key for key, count in seen.items() if count > 1 or any(refusal in seen for refusal in wider(key))]
    if twice:
        raise NotComparable(f"{len(twice)} cells are in more than one part, the first is {twice[0]}: drop one of them")
    timed = Counter(speed.key for run in runs for speed in run.speeds)
    if again := [key for key, count in timed.items() if count > 1]:
        raise NotComparable(f"{len(again)} measurements are in more than one part, the first is {again[0]}")
    cells = tuple(cell for run in runs for cell in run.cells)
    claims = {(c.case, str(c.claimed), c.says): c for run in runs for c in run.claims}
    verdicts = Counter(cell.verdict for cell in cells)
    return Run(
        header=_header(runs, other_machines),
        cells=cells,
        claims=tuple(claims.values()),
        speeds=tuple(speed for run in runs for speed in run.speeds),
        footer=Footer(
            cells=len(cells),
            verdicts={v: verdicts[v] for v in VERDICTS if verdicts[v]},
            seconds=_seconds(runs),
            problems=tuple(problem for run in runs for problem in run.footer.problems),
            dormant=_dormant(runs),
        ),
    )


def _header(runs: Sequence[Run], other_machines: bool) -> Header:
    implementations: dict[str, Any] = {}
    described: dict[str, dict[str, Any]] = {}
    for run in runs:
        for what in ("cases", "ledger", "workloads"):
            if what in run.header.suite:
                described.setdefault(what, {}).update(run.header.suite[what])
        for name, description in run.header.implementations.items():
            former = implementations.setdefault(name, description)
            if former.get("version") != description.get("version"):
                raise NotComparable(
                    f"{name} is {former.get('version')} in one part and {description.get('version')} in another: "
                    "a run has one version of an implementation; compare the parts with `xent gate`"
                )
            differing = other_kernels({name: former}, {name: description}, {}, {name})
            if differing and not other_machines:
                raise NotComparable(
                    f"the parts ran other kernels: {differing[0]}; run all parts on one kind of machine, or merge them "
                    "all the same with --other-machines"
                )
    first = runs[0].header
    digests = sorted({str(run.header.suite.get("digest")) for run in runs})
    return replace(
        first,
        suite={**first.suite, **described, "digest": "+".join(digests)},
        implementations=dict(sorted(implementations.items())),
        started=min(run.header.started for run in runs),
    )


def _dormant(runs: Sequence[Run]) -> tuple[str, ...]:
    """What sleeps in some part and was awake in none."""
    awake = {cell.ledger for run in runs for cell in run.cells}
    awake |= {problem.entry for run in runs for problem in run.footer.problems}
    return tuple(sorted({entry for run in runs for entry in run.footer.dormant} - awake))


def _seconds(runs: Sequence[Run]) -> dict[str, float]:
    total: Counter[str] = Counter()
    for run in runs:
        total.update(run.footer.seconds)
    return {part: round(seconds, 3) for part, seconds in total.items()}
