"""A run as a value, and as the file that is written along with it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from harness.adapters.registry import resolve
from harness.cli.run import record_with
from harness.core.cell import Run
from harness.judgement.ledger import Ledger
from harness.runs.run_file import read_run
from harness.runs.session import Order
from harness.suite.selection import load_selection


def silent(name: str, done: int, total: int) -> None:
    """No progress."""


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
    run = record_with(order(), path, silent)
    assert run == read_run(path)
    assert {"agrees", "disagrees", "unsupported"} <= set(run.footer.verdicts)
    assert any(cell.ratio == "inf" for cell in run.cells)
    assert run.claims


def test_without_a_path_there_is_no_file_and_the_run_is_the_same(tmp_path: Path) -> None:
    written = record_with(order(), tmp_path / "run.jsonl", silent)
    (tmp_path / "run.jsonl").unlink()
    kept = record_with(order(), None, silent)
    assert not list(tmp_path.iterdir())

    assert timeless(kept) == timeless(written)
    assert kept.claims == written.claims
    assert kept.footer.verdicts == written.footer.verdicts
