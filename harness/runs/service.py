"""Making an order and executing it: the one way from what somebody asks for to a run.

The command line, pytest and `harness.check` all come through here, so that the same question has the same answer.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from harness.adapters.choice import ALL
from harness.adapters.registry import Implementation, registered
from harness.core.case import Case
from harness.core.cell import Cell, ClaimRecord, Footer, Header, Run
from harness.core.errors import UsageError
from harness.core.formats import FORMATS
from harness.execution.levels import NATIVE
from harness.execution.pool import WorkerPool
from harness.judgement.ledger import Ledger
from harness.runs.auditing import audited
from harness.runs.plan import Scope, sharded
from harness.runs.project import find_project
from harness.runs.run_file import RunWriter, footer_of
from harness.runs.session import Order, Progress, Result, execute
from harness.runs.truth_cache import KeptTruths, truths_file
from harness.suite.generators import shape_of
from harness.suite.ledger_files import is_draft, load_drafts, load_entries
from harness.suite.loading import find_cases_directory, load
from harness.suite.problems import Problem, SuiteError
from harness.suite.selection import load_cover, load_selection, select

EVERYTHING = Scope()
"""Every dtype, the first mode of each implementation."""


def make_order(
    cases: Sequence[str],
    implementations: tuple[Implementation, ...],
    scope: Scope = EVERYTHING,
    *,
    ledger: Ledger,
    cover: bool = False,
    timeout: float = 60.0,
    parallel: int = 2,
    python: str | None = None,
    level: str = NATIVE,
    exclude: Sequence[str] = (),
    max_elements: int | None = None,
    command: tuple[str, ...] = (),
) -> Order:
    """The order for the cases that `cases` select: files, folders, ids or globs of ids; all where there is none.

    Where no case is named, `cover` asks for the cover instead of all. `timeout` is in seconds per call; `command` is
    what the run file says it came from. Raises UsageError where a file cannot be used or a pattern selects nothing.
    """
    _check_limits(scope, timeout, parallel)
    only_cover = cover and not cases
    suite, count = load_cover() if only_cover else (load_selection(cases), None)
    whole_suite = not cases and not only_cover
    # What is left out need not be among the cases of this order, but has to be somewhere: else it is a slip.
    known = suite.cases if whole_suite or not exclude else (*load().cases, *suite.cases)
    left_out = {case.id for case in select(known, exclude)} if exclude else set()
    kept = tuple(case for case in suite.cases if case.id not in left_out and not _is_larger(case, max_elements))
    if suite.cases and not kept:
        raise UsageError("what is left out is all there is: exclude fewer cases")
    everything = (
        whole_suite
        and len(kept) == len(suite.cases)
        and scope.shard == (1, 1)
        and scope.dtypes is None
        and ALL in (scope.modes or ())
    )
    return Order(
        cases=sharded(kept, scope),
        digest=suite.digest,
        ledger=ledger,
        implementations=implementations,
        scope=scope,
        cover_of=count,
        complete=everything
        and {i.name for i in implementations} >= {i.name for i in registered().values() if i.by_default},
        timeout=timeout,
        parallel=parallel,
        command=command,
        python=python,
        level=level,
    )


def _is_larger(case: Case, max_elements: int | None) -> bool:
    """Whether an input has more elements than are to be asked for."""
    shapes = (shape_of(spec) for spec in case.inputs.values())
    return max_elements is not None and any(math.prod(shape) > max_elements for shape in shapes)


def _check_limits(scope: Scope, timeout: float, parallel: int) -> None:
    """What the command line refuses too, for whoever asks from Python."""
    for dtype in scope.dtypes if scope.dtypes is not None else FORMATS:
        if dtype not in FORMATS:
            raise UsageError(f"the dtype {dtype!r}: expected one of {', '.join(FORMATS)}")
    if scope.dtypes == () or scope.modes == ():
        raise UsageError("no dtype or no mode: name one at least, or None for the default")
    if not 0 < timeout < math.inf or parallel < 1:
        raise UsageError(
            f"timeout {timeout} s, {parallel} workers: expected a finite time above 0, one worker at least"
        )


def read_ledger(folder: Path | None = None, *, drafts: bool = False) -> Ledger:
    """The entries of a folder, or else of the project we are in, and besides them those that came with xent.

    Raises UsageError where there is no such folder, and where two entries have one id. An entry explains nothing before
    its reason is written, and is put aside; `drafts` takes it like any other, and allows a folder still to be made.
    """
    if folder is not None and not drafts and not folder.is_dir():
        raise UsageError(f"--ledger {folder}: no such folder; an empty folder adds nothing to the ledger")
    project = find_project() if folder is None else None
    own = project.ledger if project is not None else folder
    read = () if own is None else load_drafts(own)
    waiting = () if drafts else tuple(entry for entry in read if is_draft(entry))
    entries = tuple(entry for entry in read if entry not in waiting)
    if own is not None and is_shipped(own):
        return Ledger(entries, drafts=waiting)
    said = {replace(entry, location="") for entry in entries}
    # The same entry to the letter is the project's own: that of another checkout of xent, say.
    shipped = tuple(
        replace(entry, shipped=True)
        for entry in load_entries(shipped_ledger())
        if replace(entry, location="") not in said
    )
    taken = {entry.id: entry.location for entry in shipped}
    hint = "Call it otherwise: its own entries come with xent"
    twice = [
        Problem(*_place(entry.location), "id", f"the id {entry.id} is also at {taken[entry.id]} of xent", hint)
        for entry in read
        if entry.id in taken
    ]
    if twice:
        raise SuiteError(twice, of="the ledger")
    return Ledger((*entries, *shipped), drafts=waiting)


def _place(location: str) -> tuple[str, int]:
    file, _, line = location.rpartition(":")
    return file, int(line)


def shipped_ledger() -> Path:
    """The ledger that comes with xent; in a checkout it is the project's own."""
    return find_cases_directory() / "ledger"


def is_shipped(folder: Path) -> bool:
    """Whether a ledger is the one that comes with xent."""
    return folder.resolve() == shipped_ledger().resolve()


def execute_order(
    order: Order,
    *,
    output: Path | None = None,
    progress: Progress | None = None,
    fresh: bool = False,
    pool: WorkerPool | None = None,
) -> Run:
    """Run what is ordered, judge it, keep the truths that were evaluated, and write the run file.

    Parameters
    ----------
    order
        What is to be run.
    output
        The run file. Whatever happens, what was found by then is in it, without a footer. None: no file.
    progress
        Called with an implementation's name, questions answered, questions in all.
    fresh
        Evaluate every truth, whatever earlier runs kept.
    pool
        Workers that are running already and stay afterwards; by default there are some for this order.

    Returns
    -------
    Run
        The run as it would be read back from its file.

    Raises
    ------
    UsageError
        A mode is asked for that none of the implementations has; nothing is run or written then.
    """
    header: Header | None = None
    footer: Footer | None = None
    found: list[Cell | ClaimRecord] = []
    with ExitStack() as stack:
        truths = stack.enter_context(KeptTruths(truths_file(), fresh=fresh))
        writer: RunWriter | None = None
        for item in execute(order, progress, truths.evaluate, pool):
            match item:
                case Header():
                    header = item
                    writer = None if output is None else stack.enter_context(RunWriter(output, header))
                case Cell() | ClaimRecord():
                    found.append(item)
                    if writer is not None:
                        writer.add(item)
                case Result(seconds, problems, complete):
                    assert header is not None, "a run begins with its header"
                    cells = tuple(item for item in found if isinstance(item, Cell))
                    stale, dormant = audited(header, cells, order.ledger, complete=complete)
                    closing = (seconds, (*stale, *problems), dormant)
                    verdicts = Counter(cell.verdict for cell in cells)
                    footer = footer_of(verdicts, *closing) if writer is None else writer.finish(*closing)
    assert header is not None, "a run begins with its header"
    assert footer is not None, "a run ends with its result"
    claims = tuple(item for item in found if isinstance(item, ClaimRecord))
    return Run(header, cells, claims, (), footer)
