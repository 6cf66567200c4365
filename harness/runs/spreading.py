"""An order spread over an executor: cut into parts, what each found kept until all is there, and joined to one run.

A part is some cases, in all the dtypes and modes that are asked, to one implementation: what is compared bit by bit,
the modes of a case or its layouts, is asked on one machine. How many cases, the seconds say that the parts before took,
so that each takes about as long. No cell depends on how the order was cut.

Beside the run file grows a folder of complete runs, one for each part, named by the digest of all that they are
computed from: it is what `--resume` takes up, and it goes when the run file is there.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.core.case import Case
from harness.core.cell import Cell, Run
from harness.core.errors import UsageError
from harness.mistakes import check_names
from harness.runs.auditing import audited
from harness.runs.executors.base import Executor, Killed
from harness.runs.executors.cutting import Remaining, in_parts
from harness.runs.executors.identity import identity
from harness.runs.executors.warm import WarmPools
from harness.runs.merge import merge
from harness.runs.run_file import footer_of, read_run, write_run
from harness.runs.service import execute_order
from harness.runs.session import Order, Progress, described_case, header_of
from harness.suite.ledger_files import described

FIRST_CASES = 16
"""Of an implementation's first part, when nobody knows how long it takes."""


@dataclass(frozen=True)
class RunPart:
    """Some of the cases of an order, asked of one implementation."""

    order: Order
    fresh: bool = False
    """Evaluate every truth, whatever earlier runs kept."""

    def answer(self, pools: WarmPools) -> Run:
        """As `harness.runs.executors.base.Part`."""
        with pools.pool(self.order) as pool:
            return execute_order(self.order, fresh=self.fresh, pool=pool)


@dataclass(frozen=True)
class Lost:
    """A case that ended, with itself, every process that asked an implementation for it."""

    implementation: str
    case: Case
    why: str

    def cell(self, modes: Sequence[str]) -> Cell:
        """Nothing is known of it: it is no pass, and no finding."""
        outcome = {"kind": "crashed", "signal": self.why, "said": ""}
        mode, explanation = next(iter(modes), "-"), f"asking for it {self.why}"
        return Cell(
            self.case.id,
            self.implementation,
            mode,
            self.case.dtypes[0],
            "value",
            "crashed",
            outcome,
            explanation=explanation,
        )


def spread(
    order: Order,
    executor: Executor,
    *,
    output: Path | None = None,
    resume: bool = False,
    progress: Progress | None = None,
    fresh: bool = False,
) -> Run:
    """Run what is ordered by way of an executor; as `harness.runs.service.execute_order`, cell by cell.

    `resume` goes on with what is kept beside `output`; UsageError where that was of another order.
    """
    check_names(i.name for i in order.implementations)
    kept = Kept(folder_beside(output), key_of(order)) if output is not None else None
    runs = kept.begin(resume=resume) if kept is not None else []
    lost: list[Lost] = []
    answered = {
        (name, case) for run in runs for name in run.header.implementations for case in run.header.suite["cases"]
    }
    todo = {
        i.name: Remaining(deque(case for case in order.cases if (i.name, case.id) not in answered), FIRST_CASES)
        for i in order.implementations
    }
    told = Counter(name for name, _ in answered)

    def part(name: str, cases: tuple[Case, ...]) -> RunPart:
        return RunPart(part_of(order, name, cases), fresh)

    for name, cases, found in in_parts(executor, todo, part, lambda run: run.footer.seconds["total"]):
        if isinstance(found, Killed):
            lost += [Lost(name, case, str(found)) for case in cases]
        else:
            runs.append(found)
            if kept is not None:
                kept.add(found)
        told[name] += len(cases)
        if progress is not None:
            progress(name, told[name], len(order.cases))
    whole = joined(order, runs, lost)
    if output is not None:
        write_run(output, whole)
    if kept is not None:
        kept.remove()
    return whole


def part_of(order: Order, name: str, cases: Sequence[Case]) -> Order:
    """Some cases of an order, of one of its implementations."""
    (implementation,) = (i for i in order.implementations if i.name == name)
    return replace(
        order, cases=tuple(cases), implementations=(implementation,), complete=False, cover_of=None, parallel=1
    )


def joined(order: Order, runs: Sequence[Run], lost: Sequence[Lost] = ()) -> Run:
    """One run of all parts, in the order of the cases; NotComparable where two of them ran different versions."""
    implementations: dict[str, Mapping[str, Any]] = {lost_one.implementation: {"version": "?"} for lost_one in lost}
    for run in runs:
        for name, told in run.header.implementations.items():
            # Where it could start on one machine and not on another, it is not missing.
            if "missing" not in told or name not in implementations:
                implementations[name] = told
    found = merge([_of(run, implementations) for run in runs]) if runs else None
    cells = [] if found is None else list(found.cells)
    cells += [one.cell(implementations[one.implementation].get("modes", ())) for one in lost]
    place = {case.id: number for number, case in enumerate(order.cases)}
    rank = {i.name: number for number, i in enumerate(order.implementations)}
    cells.sort(key=lambda cell: (place[cell.case], rank[cell.implementation]))
    told_cases = {} if found is None else found.header.suite["cases"]
    header = header_of(
        order,
        implementations,
        {case.id: told_cases.get(case.id) or described_case(case, None) for case in order.cases},
    )
    complete = order.complete and not any("missing" in told for told in implementations.values())
    stale, dormant = audited(header, cells, order.ledger, complete=complete)
    # Whether an entry still happens, the whole says, and no part.
    incidents = () if found is None else tuple(p for p in found.footer.problems if p.kind == "incident")
    verdicts, seconds = Counter(cell.verdict for cell in cells), {} if found is None else found.footer.seconds
    footer = footer_of(verdicts, seconds, (*stale, *incidents), dormant)
    return Run(header, tuple(cells), () if found is None else found.claims, (), footer)


def _of(run: Run, implementations: Mapping[str, Mapping[str, Any]]) -> Run:
    """A part in which an implementation could not start, in the words of those in which it could."""
    ((name, told),) = run.header.implementations.items()
    if "missing" not in told or "missing" in implementations[name]:
        return run
    mode = next(iter(implementations[name].get("modes", ())), "-")
    cells = tuple(replace(cell, mode=mode) for cell in run.cells)
    return replace(run, header=replace(run.header, implementations={name: implementations[name]}), cells=cells)


# --- what is kept meanwhile -------------------------------------------------------------------------------------------


def key_of(order: Order) -> str:
    """A digest of all that the cells of an order are computed from, besides the machine and the frameworks, whose
    versions each part tells."""
    scope, names = order.scope, [(i.name, i.target, sorted(i.environment.items())) for i in order.implementations]
    ledger = described(order.ledger.entries)
    asked = [scope.dtypes, scope.modes, scope.shard, order.timeout, order.python, order.level]
    text = json.dumps([identity(), order.digest, names, ledger, asked], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def folder_beside(output: Path) -> Path:
    """Where the parts of a run are kept until it is whole."""
    return output.with_name(f"{output.name}.parts")


class Kept:
    """The parts that were done, each a complete run in a file of its own."""

    def __init__(self, folder: Path, key: str) -> None:
        self._folder, self._key = folder, key

    def begin(self, *, resume: bool) -> list[Run]:
        """What was done before, which goes where it is not to be resumed; UsageError where it was another order's."""
        there = sorted(self._folder.glob("*.jsonl.gz"))
        if not resume:
            self.remove()
            return []
        if others := [path.name for path in there if not path.name.startswith(f"{self._key}-")]:
            raise UsageError(
                f"{self._folder}: {len(others)} parts, such as {others[0]}, are of another order, or of another "
                "version of this program: ask for the same as before, or leave out --resume and begin anew"
            )
        return [read_run(path) for path in there]

    def add(self, run: Run) -> None:
        """Keep a part; one in which the implementation could not start is asked again."""
        ((name, told),) = run.header.implementations.items()
        if "missing" not in told:
            cases = json.dumps([name, *run.header.suite["cases"]])
            digest = hashlib.sha256(cases.encode()).hexdigest()[:16]
            write_run(self._folder / f"{self._key}-{digest}.jsonl.gz", run)

    def remove(self) -> None:
        """Nothing of it is needed any more."""
        for path in self._folder.glob("*.jsonl.gz"):
            path.unlink()
        if self._folder.is_dir() and not any(self._folder.iterdir()):
            self._folder.rmdir()
