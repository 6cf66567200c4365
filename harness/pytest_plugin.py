"""pytest as a front end: collects case files, runs the engine once for everything collected, reports cell by cell.

Stage one, collection: a case file becomes one item per case and implementation, and one per claim.
Stage two, before the first item runs: the engine executes what was selected, in one run.
Stage three, each item: fails on the disagreeing cells of its case and implementation; skips where all are unsupported.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harness.core.cell import INFRASTRUCTURE, Cell, ClaimRecord
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


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    if file_path.suffix == ".yaml" and file_path.parent == CASES / "workloads":
        workloads: pytest.Collector = pytest_workloads.WorkloadFile.from_parent(parent, path=file_path)
        return workloads
    is_case_file = file_path.suffix == ".yaml" and CASES in file_path.parents
    if is_case_file and file_path.parent.name not in ("ledger", "workloads", "properties"):
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
    from harness.adapters.registry import installed, registered, resolve

    names = config.getoption("--implementation")
    if names:
        return tuple(resolve(name) for name in names)
    table = registered()
    return tuple(table[name] for name in installed())


@dataclass
class Results:
    """What the engine found, by case and implementation, and by case for claims."""

    cells: dict[tuple[str, str], list[Cell]] = field(default_factory=lambda: defaultdict(list))
    claims: dict[str, list[ClaimRecord]] = field(default_factory=lambda: defaultdict(list))


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
            pytest.fail("\n".join([self.case.why, *lines, f"xent explain {self.case.id}"]), pytrace=False)
        if all(c.verdict == "unsupported" for c in cells):
            pytest.skip(str(cells[0].explanation))

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
            pytest.fail(f"judged {claim.verdict}: {claim.explanation}", pytrace=False)

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
    modes = ("all",) if session.config.getoption("--all-modes") else None
    from harness.runs.session import execute
    from harness.runs.truth_cache import KeptTruths, truths_file

    with KeptTruths(truths_file()) as truths:
        for record in execute(_order(items, claims, modes), evaluate=truths.evaluate):
            if isinstance(record, Cell):
                results.cells[(record.case, record.implementation)].append(record)
            elif isinstance(record, ClaimRecord):
                results.claims[record.case].append(record)


def _order(items: Sequence[CellsItem], claims: Sequence[ClaimItem], modes: tuple[str, ...] | None) -> Order:
    """One order for all: every case any item names, on every implementation any item names."""
    from harness.judgement.ledger import Ledger
    from harness.runs.plan import Scope
    from harness.runs.session import Order
    from harness.suite.ledger_files import load_entries

    cases = {item.case.id: item.case for item in items} | {item.case.id: item.case for item in claims}
    implementations = {item.implementation.name: item.implementation for item in items}
    ledger = Ledger(load_entries(CASES / "ledger"))
    return Order(tuple(cases.values()), "", ledger, tuple(implementations.values()), Scope(modes=modes))
