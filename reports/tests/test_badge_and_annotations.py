"""The badge's three colours, and annotations that foreign text cannot break out of."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

import reports.badge
import reports.github
from harness.core.cell import Cell, Footer, Header, Run
from harness.core.printing import annotate
from harness.runs.diff import compare_runs

RIGHT = Cell("documents/a", "torch", "eager", "float32", "value", "agrees", {"kind": "value"})
CASES = {"documents/a": {"loss": "entropy", "file": "cases/documents/a.yaml", "line": 3, "title": "A"}}


def run(*cells: Cell) -> Run:
    header = Header(suite={"version": "1", "cases": CASES}, implementations={"torch": {}}, machine={}, started="")
    return Run(header, cells, (), (), Footer(len(cells), {}))


@pytest.mark.parametrize(
    ("verdict", "color"), [("agrees", "brightgreen"), ("disagrees", "red"), ("crashed", "lightgrey")]
)
def test_the_badge_is_green_red_or_grey(verdict: str, color: str) -> None:
    severity = "silently_wrong" if verdict == "disagrees" else None
    badge = json.loads(reports.badge.render(run(replace(RIGHT, verdict=verdict, severity=severity))))
    assert (badge["schemaVersion"], badge["color"]) == (1, color)


def test_an_annotation_stands_at_the_line_of_its_case_and_holds_foreign_text_in_one_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    hostile = "off\n::warning title=x::injected, 100%"
    wrong = replace(
        RIGHT, verdict="disagrees", severity="silently_wrong", explanation=hostile, causes={"cause": hostile}
    )
    difference = compare_runs(run(RIGHT), run(wrong))
    (shown,) = reports.github.annotated(difference, (run(RIGHT), run(wrong)))
    annotate(shown.message, **shown.properties)
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("::error file=cases/documents/a.yaml,line=3,title=1 × torch entropy%3A verdict::")
    assert "%0A" in line
    assert "100%25" in line
