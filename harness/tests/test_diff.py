"""The difference of two runs and the gate: a planted change of each kind is reported as exactly that kind."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from harness.core.cell import Cell, Footer, Header, Run, RunProblem
from harness.core.exit_codes import ExitCode, gravest
from harness.runs.diff import NotComparable, compare_runs
from harness.runs.gate import gate, run_codes

MACHINE = {"cpu": "a", "instruction_set": "b"}
RIGHT = Cell(
    "documents/a",
    "torch",
    "eager",
    "float32",
    "value",
    "agrees",
    {"kind": "value", "dtype": "float32", "shape": [], "digest": "1"},
    ratio=0.4,
    grade="A",
)
KNOWN = replace(RIGHT, case="documents/b", verdict="known", severity="silently_wrong", ledger="x", got=1.0)
RAISED = replace(
    RIGHT,
    case="documents/c",
    outcome={"kind": "raises", "type": "builtins.ValueError", "error": []},
    ratio=None,
)


def run(*cells: Cell, problems: tuple[RunProblem, ...] = (), **header: Any) -> Run:
    head = {"suite": {"version": "1"}, "implementations": {"torch": {"version": "1"}}, "machine": MACHINE, **header}
    return Run(Header(started="", **head), cells, (), (), Footer(len(cells), {}, problems=problems))


BASE = run(RIGHT, KNOWN, RAISED)


def test_a_run_against_itself_has_no_change_and_every_bit_the_same() -> None:
    difference = compare_runs(BASE, BASE)
    assert difference.changes == ()
    assert (difference.compared, difference.identical) == (3, 3)
    assert gate(BASE, BASE).code == ExitCode.FINE


def test_bits_that_were_the_same_and_are_no_longer_are_a_change_that_is_gated() -> None:
    same = replace(RIGHT, aspect="invariance/batch", verdict="by_convention", convention="bits(same)", ratio=None)
    before, after = run(same), run(replace(same, convention="bits(differ)", ulps=2.0))
    (change,) = compare_runs(before, after).changes
    assert "bits(same)" in change.sentence
    assert gate(before, after).code == ExitCode.CHANGED


CHANGES = {
    "verdict": (0, replace(RIGHT, verdict="disagrees", severity="silently_wrong", explanation="off by 2")),
    "error": (2, replace(RAISED, outcome={"kind": "raises", "type": "builtins.TypeError", "error": []})),
    "outcome": (0, replace(RIGHT, outcome={**RIGHT.outcome, "shape": [1]})),
    "dtype": (0, replace(RIGHT, outcome={**RIGHT.outcome, "dtype": "float64"})),
    "value": (1, replace(KNOWN, outcome={**KNOWN.outcome, "digest": "2"}, got=2.0)),
    "drift": (0, replace(RIGHT, ratio=1.7)),
    "warnings": (0, replace(RIGHT, warnings=("DeprecationWarning: soon",))),
}


@pytest.mark.parametrize("kind", list(CHANGES))
def test_a_planted_change_is_reported_as_exactly_its_kind(kind: str) -> None:
    position, cell = CHANGES[kind]
    cells = [*BASE.cells]
    cells[position] = cell
    difference = compare_runs(BASE, run(*cells))
    assert [change.kind for change in difference.changes] == [kind]
    assert gate(BASE, run(*cells)).code == ExitCode.CHANGED
    groups = difference.groups({})
    assert [(group.kind, len(group.changes)) for group in groups] == [(kind, 1)]
    assert cell.name in groups[0].repro


def test_added_and_removed_cells_are_changes() -> None:
    assert [c.kind for c in compare_runs(BASE, run(RIGHT, KNOWN)).changes] == ["removed"]
    assert [c.kind for c in compare_runs(run(RIGHT, KNOWN), BASE).changes] == ["added"]


def test_rounding_noise_is_no_drift() -> None:
    quiet, louder = replace(RIGHT, ratio=0.1), replace(RIGHT, ratio=0.45)
    assert compare_runs(run(quiet), run(louder)).changes == ()


def test_across_machines_bits_mean_nothing_but_verdicts_do() -> None:
    other = run(
        RIGHT, replace(KNOWN, outcome={**KNOWN.outcome, "digest": "2"}), RAISED, machine={**MACHINE, "cpu": "z"}
    )
    difference = compare_runs(BASE, other)
    assert difference.changes == ()
    assert difference.identical is None
    worse = run(replace(RIGHT, verdict="disagrees"), KNOWN, RAISED, machine={**MACHINE, "cpu": "z"})
    assert [c.kind for c in compare_runs(BASE, worse).changes] == ["verdict"]


def test_the_gravest_change_comes_first() -> None:
    cells = [CHANGES["verdict"][1], KNOWN, CHANGES["error"][1]]
    assert [c.kind for c in compare_runs(BASE, run(*cells)).changes] == ["verdict", "error"]


def test_another_suite_version_is_refused() -> None:
    with pytest.raises(NotComparable, match="suite version"):
        compare_runs(BASE, run(RIGHT, suite={"version": "2"}))


@pytest.mark.parametrize("verdict", ["crashed", "timed_out", "missing"])
def test_infrastructure_is_never_a_difference(verdict: str) -> None:
    broken = run(replace(RIGHT, verdict=verdict), KNOWN, RAISED)
    for old, new in ((BASE, broken), (broken, BASE)):
        result = gate(old, new)
        assert result.code == ExitCode.INFRASTRUCTURE
        assert result.difference is None


def test_a_version_change_is_shown_even_where_nothing_else_changes() -> None:
    newer = run(*BASE.cells, implementations={"torch": {"version": "2"}})
    assert compare_runs(BASE, newer).versions == {"torch": ("1", "2")}


def test_a_stale_ledger_entry_has_its_own_code() -> None:
    stale = run(*BASE.cells, problems=(RunProblem("fixed", "x", "y"),))
    assert gate(BASE, stale).code == ExitCode.STALE_LEDGER
    assert run_codes(stale) == {ExitCode.STALE_LEDGER}


def test_a_worker_that_died_and_answered_when_asked_again_is_still_infrastructure() -> None:
    incident = run(*BASE.cells, problems=(RunProblem("incident", "died: SIGKILL", "y"),))
    assert run_codes(incident) == {ExitCode.INFRASTRUCTURE}


def test_one_code_the_gravest() -> None:
    assert gravest([]) == ExitCode.FINE
    assert gravest([ExitCode.SLOWER, ExitCode.STALE_LEDGER, ExitCode.CHANGED]) == ExitCode.CHANGED
    assert gravest(ExitCode) == ExitCode.INTERNAL
    assert gravest([ExitCode.DISAGREES, ExitCode.INFRASTRUCTURE]) == ExitCode.INFRASTRUCTURE


def test_nothing_ran_is_not_fine() -> None:
    assert run_codes(run()) == {ExitCode.NOTHING_RAN}


def test_the_same_fault_explained_on_one_side_only_is_no_change() -> None:
    """An upgrade compares versions, and a ledger entry names those it explains."""
    unexplained = replace(KNOWN, verdict="disagrees", ledger=None)
    assert compare_runs(run(unexplained), run(KNOWN)).changes == ()
    other = replace(KNOWN, outcome={**KNOWN.outcome, "digest": "2"})
    assert [change.kind for change in compare_runs(run(unexplained), run(other)).changes] == ["verdict"]


def elsewhere(*cells: Cell, isa: str = "avx2", **facts: str) -> Run:
    """A run of torch on a processor with this instruction set."""
    of_torch = {"version": "1", "facts": {"isa": isa, **facts}}
    found = run(*cells)
    return replace(found, header=replace(found.header, implementations={"torch": of_torch}))


def test_other_kernels_are_the_first_line_and_bits_and_drift_are_not_compared() -> None:
    worse = replace(RIGHT, ratio=3.9, outcome={**RIGHT.outcome, "digest": "other"}, warnings=("new",))
    result = gate(elsewhere(RIGHT, isa="avx512", libc="glibc"), elsewhere(worse, libc="glibc"))
    assert result.code == ExitCode.FINE
    assert result.reasons[0] == (
        "torch runs with isa=avx2 here, the baseline with isa=avx512: bits and drift are not compared, "
        "1 cell judged by the truth alone"
    )
    assert result.difference is not None
    assert result.difference.changes == result.difference.new_here == ()


def test_what_newly_disagrees_on_other_kernels_is_red_by_itself() -> None:
    wrong = replace(RIGHT, case="edges/other", verdict="disagrees", severity="silently_wrong")
    right = replace(RIGHT, case="edges/other")
    result = gate(elsewhere(RIGHT, right, isa="avx512"), elsewhere(RIGHT, wrong))
    assert result.code == ExitCode.DISAGREES
    assert result.difference is not None
    assert [change.cell.case for change in result.difference.new_here] == ["edges/other"]
    assert result.difference.changes == ()


def test_what_is_known_on_one_machine_only_changes_nothing() -> None:
    known = replace(RIGHT, verdict="known", ledger="an-entry", severity="silently_wrong")
    assert gate(elsewhere(known, isa="avx512"), elsewhere(RIGHT)).code == ExitCode.FINE
    assert gate(elsewhere(RIGHT, isa="avx512"), elsewhere(known)).code == ExitCode.FINE
    assert gate(elsewhere(known), elsewhere(RIGHT)).code == ExitCode.CHANGED


def test_a_cell_that_is_gone_is_gone_on_any_machine() -> None:
    other = replace(RIGHT, case="edges/other")
    result = gate(elsewhere(RIGHT, other, isa="avx512"), elsewhere(RIGHT))
    assert result.code == ExitCode.CHANGED


def test_the_same_kernels_may_be_demanded() -> None:
    there, here = elsewhere(RIGHT, isa="avx512"), elsewhere(RIGHT)
    assert gate(there, here, same_kernels=True).code == ExitCode.INFRASTRUCTURE
    assert gate(here, here, same_kernels=True).code == ExitCode.FINE


def test_between_two_versions_on_one_machine_other_kernels_are_a_change_like_any_other() -> None:
    worse = replace(RIGHT, ratio=3.9)
    assert compare_runs(elsewhere(RIGHT, isa="avx512"), elsewhere(worse), same_machine=True).changes


def test_a_fact_that_one_run_alone_knows_says_nothing() -> None:
    worse = replace(RIGHT, ratio=3.9)
    for old in (run(RIGHT), elsewhere(RIGHT)):
        assert gate(old, elsewhere(worse, lanes="8")).code == ExitCode.CHANGED
