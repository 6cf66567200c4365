"""An order is made and executed: the run as a value, and as the file that is written along with it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.adapters.registry import Implementation, registered, resolve
from harness.core.cell import Run
from harness.core.errors import UsageError
from harness.judgement.ledger import Ledger
from harness.runs.plan import Scope
from harness.runs.run_file import read_run
from harness.runs.service import execute_order, make_order, read_ledger
from harness.runs.session import Order
from harness.suite.selection import load_selection

pytestmark = pytest.mark.slow


def order() -> Order:
    """Claims, errors, nan, infinities and wrong answers, without a ledger that would explain them."""
    suite = load_selection(
        ["documents/*", "invalid/integer-logits-*", "edges/*zero-weights*", "edges/binary-probability-*"]
    )
    return Order(suite.cases, suite.digest, Ledger(), (resolve("numpy"), resolve("scratch-d1")))


def timeless(run: Run) -> set[str]:
    return {repr(replace(cell, seconds=None)) for cell in run.cells}


def test_a_run_is_what_would_be_read_back_from_its_file(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    run = execute_order(order(), output=path)
    assert run == read_run(path)
    assert {"agrees", "disagrees", "unsupported"} <= set(run.footer.verdicts)
    assert any(cell.ratio == "inf" for cell in run.cells)
    assert run.claims


def test_without_a_path_there_is_no_file_and_the_run_is_the_same(tmp_path: Path) -> None:
    written = execute_order(order(), output=tmp_path / "run.jsonl")
    (tmp_path / "run.jsonl").unlink()
    kept = execute_order(order())
    assert not list(tmp_path.iterdir())

    assert timeless(kept) == timeless(written)
    assert kept.claims == written.claims
    assert kept.footer.verdicts == written.footer.verdicts


def test_a_mode_that_nobody_has_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    with pytest.raises(UsageError, match=r"--modes xla: none of numpy, scratch-d1 has it; there are eager"):
        execute_order(replace(order(), scope=Scope(modes=("eager", "xla"))), output=path)
    assert not path.exists()


ALL_THAT_IS_REGISTERED = tuple(registered().values())


@pytest.mark.parametrize(
    ("cases", "implementations", "scope", "complete"),
    [
        ([], ALL_THAT_IS_REGISTERED, Scope(modes=("all",)), True),
        (["*"], ALL_THAT_IS_REGISTERED, Scope(modes=("all",)), False),
        ([], ALL_THAT_IS_REGISTERED[1:], Scope(modes=("all",)), False),
        ([], ALL_THAT_IS_REGISTERED, Scope(), False),
        ([], ALL_THAT_IS_REGISTERED, Scope(modes=("all",), dtypes=("float32",)), False),
        ([], ALL_THAT_IS_REGISTERED, Scope(modes=("all",), shard=(1, 2)), False),
    ],
)
def test_only_a_run_of_everything_can_tell_that_a_ledger_entry_matches_nothing(
    cases: list[str], implementations: tuple[Implementation, ...], scope: Scope, complete: bool
) -> None:
    assert make_order(cases, implementations, scope, ledger=Ledger()).complete is complete


def test_the_cover_is_no_complete_run_and_says_of_how_many_cases_it_is() -> None:
    everything = Scope(modes=("all",))
    cover = make_order([], ALL_THAT_IS_REGISTERED, everything, ledger=Ledger(), cover=True)
    whole = make_order([], ALL_THAT_IS_REGISTERED, everything, ledger=Ledger())
    assert (cover.complete, cover.cover_of, whole.cover_of) == (False, len(whole.cases), None)
    assert 0 < len(cover.cases) < len(whole.cases) / 4
    assert {case.id for case in cover.cases} < {case.id for case in whole.cases}


def test_cases_that_are_named_are_run_whether_or_not_the_cover_has_them() -> None:
    named = make_order(["documents"], (resolve("numpy"),), ledger=Ledger(), cover=True)
    assert named.cover_of is None
    assert named.cases == make_order(["documents"], (resolve("numpy"),), ledger=Ledger()).cases


def test_shards_are_all_cases_each_once() -> None:
    def ids(shard: tuple[int, int]) -> list[str]:
        made = make_order(["documents"], (resolve("numpy"),), Scope(shard=shard), ledger=Ledger())
        return [case.id for case in made.cases]

    parts = [ids((part, 3)) for part in (1, 2, 3)]
    assert sorted(name for part in parts for name in part) == sorted(ids((1, 1)))
    assert all(parts)


def test_a_ledger_that_is_not_there_is_refused() -> None:
    with pytest.raises(UsageError, match="no such folder; an empty folder adds nothing to the ledger"):
        read_ledger(Path("nowhere"))


def test_what_is_left_out_is_named_as_cases_are_and_has_to_be_somewhere() -> None:
    chosen = (["documents", "edges/two-classes-*"], (resolve("numpy"),))
    rest = make_order(*chosen, ledger=Ledger(), exclude=["documents"])
    assert {case.id.split("/")[0] for case in rest.cases} == {"edges"}
    assert (
        make_order(*chosen, ledger=Ledger(), exclude=["invalid/*"]).cases == make_order(*chosen, ledger=Ledger()).cases
    )
    with pytest.raises(UsageError, match="docments: no case has this id"):
        make_order(*chosen, ledger=Ledger(), exclude=["docments"])
    with pytest.raises(UsageError, match="what is left out is all there is"):
        make_order(*chosen, ledger=Ledger(), exclude=["documents", "edges"])
