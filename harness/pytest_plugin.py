"""pytest as a front end: collects case files, runs the engine once for everything collected, reports cell by cell.

Stage one, collection: a case file becomes one item per case and implementation, and one per claim.
Stage two, before the first item runs: the engine executes what was selected, in one run.
Stage three, each item: fails on the disagreeing cells of its case and implementation; skips where all are unsupported.

What is wrong with the run as a whole and with no item, a worker that died or a stale ledger entry, is said at the end
and gives the exit code that `xent run` has for it.
"""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harness.core.cell import INFRASTRUCTURE, Cell, ClaimRecord
from harness.core.exit_codes import ExitCode, gravest
from harness.core.printing import printable
from harness.speed import pytest_workloads

if TYPE_CHECKING:
    from harness.adapters.registry import Implementation
    from harness.core.case import Case
    from harness.runs.session import Order

CASES = Path(__file__).resolve().parents[1] / "cases"
"""Unit tests are collected through this module too, so the engine is imported only where a case file is collected."""


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("xent")
    group.addoption(
        "--implementation",
        action="append",
        default=[],
        help="implementation to run the case files on (repeatable); default: all that are installed",
    )
    group.addoption("--all-modes", action="store_true", help="run every mode of every implementation")
    pytest_workloads.pytest_addoption(group)


def pytest_configure(config: pytest.Config) -> None:
    """Refuse names that address nothing now: while collecting it would look like an error of a case file."""
    from harness.core.errors import UsageError

    try:
        _implementations(config)
    except UsageError as error:
        raise pytest.UsageError(str(error)) from None


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    if CASES not in file_path.parents or file_path.suffix.lower() not in (".yaml", ".yml"):
        return None
    if file_path.parent == CASES / "workloads":
        workloads: pytest.Collector = pytest_workloads.WorkloadFile.from_parent(parent, path=file_path)
        return workloads
    if file_path.parent.name not in ("ledger", "workloads"):
        collector: pytest.Collector = CaseFile.from_parent(parent, path=file_path)
        return collector
    return None


class CaseFile(pytest.File):
    """One YAML file of cases."""

    def collect(self) -> Iterator[pytest.Item]:
        from harness.suite.loading import load

        for case in load([self.path]).cases:
            for implementation in _implementations(self.config):
                yield CellsItem.from_parent(
                    self, name=f"{case.id}[{implementation.name}]", case=case, implementation=implementation
                )
            for position, _ in enumerate(case.claims):
                yield ClaimItem.from_parent(self, name=f"{case.id}[claim {position + 1}]", case=case, position=position)


def _implementations(config: pytest.Config) -> tuple[Implementation, ...]:
    from harness.adapters.choice import choose

    return choose(config.getoption("--implementation"))


@dataclass
class Results:
    """What the engine found, by case and implementation, and by case for claims."""

    cells: dict[tuple[str, str], list[Cell]] = field(default_factory=lambda: defaultdict(list))
    claims: dict[str, list[ClaimRecord]] = field(default_factory=lambda: defaultdict(list))
    codes: frozenset[ExitCode] = frozenset()
    """What is wrong with the run besides its cells."""
    problems: tuple[str, ...] = ()


RESULTS = pytest.StashKey[Results]()


class CellsItem(pytest.Item):
    """All cells of one case on one implementation."""

    def __init__(self, *, case: Case, implementation: Implementation, **more: Any) -> None:
        super().__init__(**more)
        self.case = case
        self.implementation = implementation

    def runtest(self) -> None:
        cells = self.config.stash[RESULTS].cells[(self.case.id, self.implementation.name)]
        if not cells:
            pytest.fail("the engine returned no cell for this item", pytrace=False)
        bad = [c for c in cells if c.verdict == "disagrees" or c.verdict in INFRASTRUCTURE]
        if bad:
            lines = [f"{c.mode} {c.dtype} {c.aspect}: {c.verdict}: {c.explanation}" for c in bad]
            again = f"xent explain {shlex.quote(self.case.id)}"
            pytest.fail(printable("\n".join([self.case.why, *lines, again])), pytrace=False)
        if all(c.verdict == "unsupported" for c in cells):
            pytest.skip(printable(cells[0].explanation))

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, self.case.location.line - 1, self.name


class ClaimItem(pytest.Item):
    """One claim of a document: passes when it is judged as the case file expects."""

    def __init__(self, *, case: Case, position: int, **more: Any) -> None:
        super().__init__(**more)
        self.case = case
        self.position = position

    def runtest(self) -> None:
        claim = self.config.stash[RESULTS].claims[self.case.id][self.position]
        if not claim.expected:
            pytest.fail(printable(f"judged {claim.verdict}: {claim.explanation}"), pytrace=False)

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, self.case.location.line - 1, self.name


def pytest_runtestloop(session: pytest.Session) -> None:
    """Before the first item: one run of the engine for everything selected; then pytest goes on as usual."""
    if session.config.option.collectonly:
        return
    pytest_workloads.measure(session.config, session.items)
    items = [item for item in session.items if isinstance(item, CellsItem)]
    claims = [item for item in session.items if isinstance(item, ClaimItem)]
    results = Results()
    session.config.stash[RESULTS] = results
    if not items and not claims:
        return
    from harness.runs.gate import run_codes
    from harness.runs.service import execute_order

    modes = ("all",) if session.config.getoption("--all-modes") else None
    run = execute_order(_order(items, claims, modes))
    for cell in run.cells:
        results.cells[(cell.case, cell.implementation)].append(cell)
    for claim in run.claims:
        results.claims[claim.case].append(claim)
    results.codes = frozenset(run_codes(run) & {ExitCode.INFRASTRUCTURE, ExitCode.STALE_LEDGER})
    results.problems = tuple(problem.what for problem in run.footer.problems)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """The gravest of pytest's own code and what the run earns as a whole; pytest's 0 to 5 mean the same as ours."""
    results = session.config.stash.get(RESULTS, None)
    if results is not None and results.codes:
        session.exitstatus = gravest({ExitCode(exitstatus), *results.codes})


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What is wrong with the run as a whole."""
    results = terminalreporter.config.stash.get(RESULTS, None)
    for problem in () if results is None else results.problems:
        terminalreporter.write_line(printable(f"xent: {problem}"))


def _order(items: Sequence[CellsItem], claims: Sequence[ClaimItem], modes: tuple[str, ...] | None) -> Order:
    """One order for all: every case any item names, on every implementation any item names."""
    from harness.runs.plan import Scope
    from harness.runs.service import read_ledger
    from harness.runs.session import Order

    cases = {item.case.id: item.case for item in items} | {item.case.id: item.case for item in claims}
    implementations = {item.implementation.name: item.implementation for item in items}
    return Order(tuple(cases.values()), "", read_ledger(), tuple(implementations.values()), Scope(modes=modes))
