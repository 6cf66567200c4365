"""Baseline, accept and gate: what is kept, what is compared, what a person still has to write; from subprocesses."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from harness.cli.run_files import BASELINE
from harness.runs.run_file import read_run
from harness.suite.ledger_edits import remove_entries
from harness.suite.ledger_files import load_entries
from harness.suite.problems import SuiteError
from harness.tests.commands import ROOT, xent
from harness.versions.canaries import CANARIES, Canary, CanaryResult, unreported

pytestmark = pytest.mark.slow

CASES = ("documents/d4-gradient-*", "documents/d4-perfect-*", "invalid/label-3-softmax-cross-entropy")
WRONG = "mutant:opposite-gradient.softmax_cross_entropy"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of the sound implementation, of a wrong one under its name, and of one that dies."""
    folder = tmp_path_factory.mktemp("runs")
    empty = folder / "ledger"
    empty.mkdir()
    for name, implementation in (("right", "mutant:sound"), ("wrong", WRONG), ("dead", "mutant:aborts")):
        path = folder / f"{name}.jsonl"
        xent("run", *CASES, "-i", implementation, "--ledger", empty, "-o", path)
        text = path.read_text(encoding="utf-8").replace(f'"{implementation}"', '"mutant:sound"')
        path.write_text(text, encoding="utf-8")
    return folder


def test_an_accepted_run_passes_its_own_gate_and_is_small_and_free_of_the_machine(made: Path, tmp_path: Path) -> None:
    baseline = tmp_path / "baseline.jsonl.gz"
    accepted = xent("accept", made / "right.jsonl", "--baseline", baseline, "--ledger", tmp_path)
    assert accepted.returncode == 0, accepted.stderr
    assert xent("gate", made / "right.jsonl", "--against", baseline).returncode == 0
    kept = read_run(baseline)
    assert kept.header.machine == {}
    assert all("digest" not in cell.outcome and cell.got is None for cell in kept.cells)
    assert baseline.stat().st_size < (made / "right.jsonl").stat().st_size / 5
    again = tmp_path / "again" / "baseline.jsonl.gz"
    again.parent.mkdir()
    xent("accept", made / "right.jsonl", "--baseline", again, "--ledger", tmp_path)
    assert again.read_bytes() == baseline.read_bytes()


def test_the_gate_is_red_when_something_nobody_accepted_changed(made: Path, tmp_path: Path) -> None:
    baseline = tmp_path / "baseline.jsonl.gz"
    xent("accept", made / "right.jsonl", "--baseline", baseline, "--ledger", tmp_path)
    gate = xent("gate", made / "wrong.jsonl", "--against", baseline, "--github")
    assert gate.returncode == 7
    assert "cells changed" in gate.stdout
    assert "::error file=cases/documents/" in gate.stdout


def test_a_run_that_was_not_judged_to_its_end_is_neither_accepted_nor_compared(made: Path, tmp_path: Path) -> None:
    refused = xent("accept", made / "dead.jsonl", "--baseline", tmp_path / "b.jsonl.gz", "--ledger", tmp_path)
    assert refused.returncode == 9
    assert "run it again" in refused.stderr
    assert not (tmp_path / "b.jsonl.gz").exists()
    assert xent("gate", made / "right.jsonl", made / "dead.jsonl").returncode == 9


def test_a_run_that_was_cut_off_is_refused(made: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.jsonl"
    lines = (made / "right.jsonl").read_text(encoding="utf-8").splitlines()
    cut.write_text("\n".join(lines[:-1]), encoding="utf-8")
    gate = xent("gate", made / "right.jsonl", cut)
    assert gate.returncode == 9
    assert "cut off" in gate.stderr


def test_a_baseline_of_another_suite_version_is_refused(made: Path, tmp_path: Path) -> None:
    old = tmp_path / "old.jsonl"
    text = (made / "right.jsonl").read_text(encoding="utf-8")
    old.write_text(text.replace('"suite":{"version":"1"', '"suite":{"version":"0"'), encoding="utf-8")
    gate = xent("gate", old, made / "right.jsonl")
    assert gate.returncode == 9
    assert "suite version 0" in gate.stdout


def test_without_a_baseline_the_gate_says_how_to_make_one(made: Path, tmp_path: Path) -> None:
    gate = xent("gate", made / "right.jsonl", "--against", tmp_path / "none.jsonl.gz")
    assert gate.returncode == 4
    assert "xent accept" in gate.stderr


def test_accepting_a_divergence_leaves_an_entry_that_lint_refuses_until_a_reason_is_written(
    made: Path, tmp_path: Path
) -> None:
    ledger = tmp_path / "ledger"
    ledger.mkdir()
    accepted = xent("accept", made / "wrong.jsonl", "--baseline", tmp_path / "b.jsonl.gz", "--ledger", ledger)
    assert accepted.returncode == 0, accepted.stderr
    assert "write their reasons" in accepted.stdout
    file = ledger / "accepted.yaml"
    with pytest.raises(SuiteError, match="cause of the divergence"):
        load_entries(ledger)
    written = file.read_text(encoding="utf-8").replace("upstream: TODO", "upstream: none found")
    reason = "The gradient is turned round on purpose, since the next layer turns it back."
    file.write_text(written.replace("reason: TODO", f"reason: {reason}"), encoding="utf-8")
    entry = load_entries(ledger)[0]
    assert (entry.pin.kind, entry.implementations) == ("finite", ("mutant:sound",))


def test_an_entry_is_taken_out_and_the_rest_of_its_file_stays_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    one, two = ("# a remark\n- id: one\n  x: 1\n", "- id: two\n  # its remark\n  x: 2\n")
    file.write_text(one + two, encoding="utf-8")
    assert remove_entries(tmp_path, {"two", "three"}) == ("two",)
    assert file.read_text(encoding="utf-8") == one


def test_a_canary_that_is_reported_as_something_else_is_silent() -> None:
    wrong = CanaryResult(Canary("mutant:warns", "warnings"), ("verdict", "warnings"), 3)
    assert unreported((wrong, CanaryResult(CANARIES[0], (CANARIES[0].kind,), 1))) == (wrong,)


def test_a_run_of_fewer_cases_does_not_shrink_the_baseline_unasked(made: Path, tmp_path: Path) -> None:
    baseline, part = tmp_path / "baseline.jsonl.gz", tmp_path / "part.jsonl"
    xent("accept", made / "right.jsonl", "--baseline", baseline, "--ledger", tmp_path)
    before = baseline.read_bytes()
    xent("run", CASES[0], "-i", "mutant:sound", "--ledger", tmp_path, "-o", part)
    refused = xent("accept", part, "--baseline", baseline, "--ledger", tmp_path)
    assert refused.returncode == 4
    assert "xent run --complete" in refused.stderr
    assert baseline.read_bytes() == before
    assert xent("accept", part, "--baseline", baseline, "--ledger", tmp_path, "--fewer").returncode == 0
    assert len(read_run(baseline).cells) < len(read_run(made / "right.jsonl").cells)


def test_errors_of_ours_that_the_committed_baseline_names_are_where_it_says() -> None:
    """A class that is moved or renamed is another error to whoever compares runs: then the baseline is made anew."""
    named = {cell.outcome.get("type", "") for cell in read_run(ROOT / BASELINE).cells}
    ours = {name for name in named if name.startswith("harness.")}
    assert ours  # as long as an implementation writes into its arguments, there is one
    for name in ours:
        home, _, error = name.rpartition(".")
        assert issubclass(getattr(importlib.import_module(home), error), Exception)
