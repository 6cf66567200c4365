"""An order cut into parts: however it is cut, whoever does them and whatever ends meanwhile, the run is the same."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.adapters.registry import resolve
from harness.core.case import ArraySpec, Case
from harness.core.cell import Cell, Run
from harness.core.errors import UsageError
from harness.judgement.ledger import Ledger
from harness.runs.diff import NotComparable
from harness.runs.executors.base import Found, Killed, Part
from harness.runs.executors.chosen import executor_of
from harness.runs.executors.cutting import AIMED, Remaining
from harness.runs.executors.here import Here
from harness.runs.executors.warm import WarmPools
from harness.runs.run_file import read_run, to_json
from harness.runs.service import execute_order
from harness.runs.session import Order
from harness.runs.spreading import RunPart, folder_beside, joined, part_of, spread
from harness.tests.commands import xent
from harness.tests.pools import PLENTY, miniature, softmax_case

ROOT = Path(__file__).resolve().parents[2]


def cases(numbers: Sequence[float]) -> tuple[Case, ...]:
    """One case per number, its first logit."""
    return tuple(softmax_case(ArraySpec(((n, 2.0),)), f"logit-{n:g}") for n in numbers)


def order(names: Sequence[str], numbers: Sequence[float]) -> Order:
    return Order(cases(numbers), "digest", Ledger(), tuple(map(resolve, names)), timeout=PLENTY)


def bare(run: Run) -> dict[object, str]:
    """The records, by what they are about, without the time they took."""
    records: dict[object, str] = {cell.key: to_json(replace(cell, seconds=None)) for cell in run.cells}
    return {**records, **{(c.case, c.says): to_json(c) for c in run.claims}}


class Dies(Here):
    """Parts with certain cases end whoever does them, in any company."""

    def __init__(self, *poison: str) -> None:
        super().__init__(2)
        self._poison = frozenset(poison)
        self.sizes: list[int] = []

    def submit(self, part: Part[Found]) -> Future[Found]:
        asked = cast("RunPart", part).order.cases
        self.sizes.append(len(asked))
        if self._poison & {case.id for case in asked}:
            dead: Future[Found] = Future()
            dead.set_exception(Killed("ended 3 workers"))
            return dead
        return super().submit(part)


def test_parts_have_the_records_of_the_whole() -> None:
    asked = order(["numpy", miniature("EndsWhoAsked")], range(20, 60))
    with Here(2) as here:
        spread_out = spread(asked, here)
    whole = execute_order(asked)
    assert bare(spread_out) == bare(whole)
    assert spread_out.footer.verdicts == whole.footer.verdicts
    assert spread_out.header.suite == whole.header.suite


def test_what_ends_whoever_does_it_is_one_crashed_cell_and_the_rest_is_answered(tmp_path: Path) -> None:
    poison = "tests/logit-27"
    asked = order(["numpy"], range(20, 40))
    with Dies(poison) as dies:
        run = spread(asked, dies, output=tmp_path / "run.jsonl")
    (lost,) = [cell for cell in run.cells if cell.verdict == "crashed"]
    assert (lost.case, lost.mode, lost.severity) == (poison, "eager", None)
    assert lost.outcome == {"kind": "crashed", "signal": "ended 3 workers", "said": ""}
    others = replace(asked, cases=tuple(case for case in asked.cases if case.id != poison))
    assert bare(replace(run, cells=tuple(c for c in run.cells if c is not lost))) == bare(execute_order(others))
    assert min(dies.sizes) == 1
    assert bare(read_run(tmp_path / "run.jsonl")) == bare(run)


def test_where_everything_ends_whoever_does_it_the_run_says_so() -> None:
    asked = order(["numpy"], (20, 21))
    with Dies(*(case.id for case in asked.cases)) as dies:
        run = spread(asked, dies)
    assert {cell.verdict for cell in run.cells} == {"crashed"}
    assert len(run.cells) == 2


def test_a_part_in_which_it_could_not_start_is_missing_and_the_other_is_not() -> None:
    asked = order(["numpy"], (20, 21))
    first, second = (execute_order(part_of(asked, "numpy", [case])) for case in asked.cases)
    absent = tuple(
        Cell(case, "numpy", "-", "float64", "value", "missing", {"kind": "missing", "reason": "no memory"})
        for case in second.header.suite["cases"]
    )
    gone = replace(
        second, header=replace(second.header, implementations={"numpy": {"missing": "no memory"}}), cells=absent
    )
    run = joined(asked, [first, gone])
    assert [cell.verdict for cell in run.cells if cell.case == asked.cases[1].id] == ["missing"]
    assert "missing" not in run.header.implementations["numpy"]
    with pytest.raises(NotComparable):
        joined(asked, [first, first])


@settings(deadline=None)
@given(
    st.integers(1, 300),
    st.integers(1, 64),
    st.lists(st.floats(0, 1e4), max_size=8),
)
def test_every_item_is_in_one_part_and_the_parts_come_to_the_time_aimed_at(
    count: int, width: int, seconds: list[float]
) -> None:
    remaining = Remaining(deque(range(count)), 16)
    found: list[int] = []
    for number in range(10 * count):
        if not remaining.items:
            break
        part = remaining.next(width)
        assert part
        found += part
        took = seconds[number % len(seconds)] if seconds else 1.0
        remaining.took(len(part), took)
        assert remaining.size == 1 or remaining.size * took / len(part) <= AIMED
    assert found == list(range(count))


def test_a_client_that_is_killed_leaves_what_the_next_one_goes_on_with(tmp_path: Path) -> None:
    output = tmp_path / "run.jsonl"
    asked = ["edges/softmax*", "-i", "numpy", "--dtypes", "float32,float64"]
    begun = subprocess.Popen(
        [sys.executable, "-m", "harness", "run", *asked, "--resume", str(output)],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while not (parts := list(folder_beside(output).glob("*.gz"))):
            assert begun.poll() is None
            time.sleep(0.05)  # between two looks
    finally:
        begun.kill()
        begun.wait()
    assert not output.exists()
    kept = {path: path.stat().st_mtime_ns for path in parts}
    other = xent("run", *asked, "--timeout", "5", "--resume", output)
    assert other.returncode == 4, other
    assert "of another order" in other.stderr
    assert {path: path.stat().st_mtime_ns for path in parts} == kept
    finished = xent("run", *asked, "--resume", output)
    assert finished.returncode == 0, finished
    whole = xent("run", *asked, "-o", tmp_path / "whole.jsonl")
    assert whole.returncode == 0
    assert bare(read_run(output)) == bare(read_run(tmp_path / "whole.jsonl"))
    assert not folder_beside(output).exists()


def test_what_is_kept_of_the_order_is_not_asked_again(tmp_path: Path) -> None:
    output = tmp_path / "run.jsonl"
    asked = order(["numpy"], range(20, 40))

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), Here(1) as here:
        spread(asked, here, output=output, progress=interrupted)
    kept = {case for path in folder_beside(output).glob("*.gz") for case in read_run(path).header.suite["cases"]}
    with Dies(*kept) as dies:
        run = spread(asked, dies, output=output, resume=True)
    assert bare(run) == bare(execute_order(asked))


def test_a_warm_pool_answers_the_next_part_with_the_same_worker() -> None:
    asked = order([miniature("Idle")], (20, 21))
    pools = WarmPools()
    try:
        runs = [RunPart(part_of(asked, asked.implementations[0].name, [case])).answer(pools) for case in asked.cases]
    finally:
        pools.close()
    first, second = (run.header.implementations[miniature("Idle")]["version"] for run in runs)
    assert first == second, "the version is the number of the process"


def test_without_dask_nothing_of_it_is_imported_and_asking_for_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    watched = [sys.executable, "-X", "importtime", "-m", "harness", "run", "documents/d4-dog-in-bits", "-i", "numpy"]
    ended = subprocess.run(watched, cwd=ROOT, capture_output=True, text=True, check=True)
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in ended.stderr.splitlines()}
    assert "harness" in imported
    assert not imported & {"dask", "distributed", "tornado"}
    monkeypatch.delitem(sys.modules, "harness.runs.executors.dask_cluster", raising=False)
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UsageError, match=r"install xent\[dask\]"):
        executor_of("dask", 2)


@pytest.mark.parametrize("name", ["ray", "", "http://127.0.0.1:8786"])
def test_other_executors_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match="expected dask, or the address"):
        executor_of(name, 2)
