"""Results close to the edge of their tolerance: all are found, and each has a statement that is about one."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.cli.cases import lint
from harness.cli.run_files import overlay_file
from harness.core.case import Location
from harness.core.cell import VERDICTS, Cell, Footer, Header, Run, number
from harness.core.exit_codes import ExitCode
from harness.core.formats import FORMATS
from harness.judgement.agreement import BUDGET
from harness.runs.margins import close_to_the_edge, lint_margins
from harness.runs.run_file import write_run
from harness.suite.margins_file import Statement, read_margins
from harness.suite.problems import SuiteError

PLACES = {"edges/one": Location("cases/edges/a.yaml", 7)}
REASON = "The row is added in one running sum, which is what this case is about."


def statement(
    cases: str = "*", implementations: str = "*", dtypes: str = "*", aspects: str = "*", line: int = 3
) -> Statement:
    return Statement((cases,), (implementations,), (dtypes,), (aspects,), REASON, line)


def cell(ratio: float, verdict: str = "agrees", dtype: str = "float32", implementation: str = "torch") -> Cell:
    return Cell("edges/one", implementation, "eager", dtype, "value", verdict, {"kind": "value"}, ratio=number(ratio))


@given(
    st.floats(0, 9) | st.sampled_from((1.0, 2.0, 4.0, math.inf, math.nan)),
    st.sampled_from(VERDICTS),
    st.sampled_from(sorted(FORMATS)),
)
def test_what_is_right_and_uses_more_than_half_is_close(ratio: float, verdict: str, dtype: str) -> None:
    close = list(close_to_the_edge([cell(ratio, verdict, dtype)]))
    k = BUDGET[dtype]
    assert bool(close) == (verdict in ("agrees", "by_convention") and k / 2 < ratio <= k)


def test_a_new_one_is_named_with_its_case_and_one_that_is_stated_is_not() -> None:
    stated = statement("edges/*", "torch")
    assert lint_margins([cell(3.5), cell(1.5)], [stated], "margins.yaml", PLACES) == []
    (problem,) = lint_margins([cell(3.5), cell(3.5, implementation="jax")], [stated], "margins.yaml", PLACES)
    assert (problem.file, problem.line) == ("cases/edges/a.yaml", 7)
    assert problem.field == "edges/one[jax:eager:float32:value]"
    assert "3.5 of 4" in problem.message


@pytest.mark.parametrize("ratio", [1.5, 4.5])
def test_a_statement_about_none_is_refused(ratio: float) -> None:
    stated = statement("edges/*", "torch")
    (problem,) = lint_margins([cell(ratio)], [stated], "margins.yaml", PLACES)
    assert (problem.file, problem.line) == ("margins.yaml", 3)


@pytest.mark.parametrize(
    "other",
    [
        statement(cases="other/*"),
        statement(implementations="jax"),
        statement(dtypes="float64"),
        statement(aspects="gradient"),
    ],
)
def test_every_field_of_a_statement_selects(other: Statement) -> None:
    assert not other.is_about(cell(3.5))
    assert statement().is_about(cell(3.5))


@pytest.mark.parametrize(
    ("text", "field", "line"),
    [
        ("a: 1\n", "", 1),
        ("- cases: [a]\n  implementations: [b]\n  reason: short\n", "[0].reason", 3),
        (f"- cases: []\n  implementations: [b]\n  reason: {REASON}\n", "[0].cases", 1),
        (f"- cases: [a]\n  implementations: [b]\n  mode: [c]\n  reason: {REASON}\n", "[0].mode", 3),
    ],
)
def test_what_is_no_statement_is_refused_with_its_line(text: str, field: str, line: int) -> None:
    with pytest.raises(SuiteError) as refused:
        read_margins(text, "margins.yaml")
    (problem,) = refused.value.problems
    assert (problem.field, problem.line) == (field, line)


def test_the_committed_statements_can_be_read() -> None:
    file = Path(__file__).resolve().parents[2] / "cases" / "margins.yaml"
    statements = read_margins(file.read_text(encoding="utf-8"), "cases/margins.yaml")
    assert all(statement.line for statement in statements)


def test_lint_reads_the_baseline_and_its_overlays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = replace(cell(3.5, implementation="mine"), case="documents/d4-dog-in-bits")
    header = Header({"version": "1", "cases": {shown.case: {"loss": "softmax"}}}, {"mine": {"version": "1"}}, {}, "now")
    baseline = tmp_path / "baseline.jsonl.gz"
    write_run(baseline, Run(header, (replace(shown, ratio=0.5),), (), (), Footer(1, {"agrees": 1})))
    monkeypatch.setattr("harness.cli.cases.shipped_baseline", lambda: baseline)
    lint()
    assert shown.name not in capsys.readouterr().out
    write_run(overlay_file(baseline, "avx2"), Run(header, (shown,), (), (), Footer(1, {"agrees": 1})))
    assert lint() == ExitCode.USAGE
    (line,) = [line for line in capsys.readouterr().out.splitlines() if shown.name in line]
    assert line.startswith("cases/documents/d4.yaml:")


def test_lint_refuses_an_overlay_of_another_baseline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = replace(cell(0.5, implementation="mine"), case="documents/d4-dog-in-bits")
    suite = {"version": "1", "cases": {shown.case: {"loss": "softmax"}}}
    baseline = tmp_path / "baseline.jsonl.gz"
    monkeypatch.setattr("harness.cli.cases.shipped_baseline", lambda: baseline)
    for file, version, isa in (
        (baseline, "2", "avx512"),
        (overlay_file(baseline, "of-this"), "2", "avx2"),
        (overlay_file(baseline, "of-another"), "1", "avx2"),
    ):
        header = Header(suite, {"mine": {"version": version, "facts": {"isa": isa}}}, {}, "now")
        write_run(file, Run(header, (shown,), (), (), Footer(1, {"agrees": 1})))
    assert lint() == ExitCode.USAGE
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "another baseline" in line]
    assert "of-another.jsonl.gz" in line
