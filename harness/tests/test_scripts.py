"""Which cells of a run have a standalone script, and what is said of those that have none."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.core.cell import Cell, Footer, Header, Run
from harness.reproduction import Inexpressible
from harness.reproduction.scripts import cases_of, scripts_of, with_scripts
from harness.runs.diff import compare_runs
from harness.suite.loading import digest
from harness.tests.shipped import shipped_cases

CASE = "options/softmax-ordinary"
DIGEST = digest(shipped_cases())


def cell(implementation: str = "scipy", verdict: str = "agrees", case: str = CASE, dtype: str = "float64") -> Cell:
    return Cell(case, implementation, "eager", dtype, "value", verdict, {"kind": "value"}, got=[0.5])


def run_of(*cells: Cell, suite_digest: str = DIGEST) -> Run:
    cases = {c.case: {"loss": "softmax"} for c in cells}
    suite = {"version": "1", "digest": suite_digest, "cases": cases, "ledger": {"known-one": {"reason": "It rounds."}}}
    implementations = {c.implementation: {"version": "1"} for c in cells}
    header = Header(suite, implementations, {}, "2026-01-01T00:00:00+00:00")
    return Run(header, cells, (), (), Footer(len(cells), {}, {}, ()))


def test_script_of_a_known_cell_says_why_it_is_known() -> None:
    known = replace(cell(verdict="known"), ledger="known-one")
    run = run_of(known)
    assert "It rounds." in scripts_of(run, cases_of(run))(known)


@pytest.mark.parametrize(
    ("of", "why"),
    [
        (cell(verdict="unsupported"), "not offered"),
        (cell(verdict="missing"), "could not be started"),
        (cell(case="edges/long-ten-million"), "too large"),
        (cell(implementation="my_package:MyLosses"), "no template"),
    ],
)
def test_what_has_no_script_says_why(of: Cell, why: str) -> None:
    run = run_of(of)
    with pytest.raises(Inexpressible, match=why):
        scripts_of(run, cases_of(run))(of)


def test_cases_are_those_of_the_run_or_none() -> None:
    part = tuple(case for case in shipped_cases() if case.id == CASE)
    assert cases_of(run_of(cell())) == cases_of(run_of(cell(), suite_digest=digest(part))) == part
    other = run_of(cell(), suite_digest="of another suite")
    assert cases_of(other) == ()
    with pytest.raises(Inexpressible, match="has changed since the run"):
        scripts_of(other, cases_of(other))(cell())


def test_a_difference_names_a_cell_that_has_a_script_and_runs_again_what_has_none() -> None:
    before = [cell(), cell("my_package:MyLosses"), cell("my_package:MyLosses", dtype="float32")]
    after = [replace(c, verdict="disagrees", severity="silently_wrong", got=[1.0]) for c in before]
    old, new = run_of(*before), run_of(*after)
    difference = compare_runs(old, new)
    commands = {g.implementation: g.repro for g in with_scripts(difference, new).groups({})}
    assert commands == {
        "scipy": "xent repro 'options/softmax-ordinary[scipy:eager:float64:value]'",
        "my_package:MyLosses": "xent repro --again 'options/softmax-ordinary[my_package:MyLosses:eager:float32:value]'",
    }
