"""A case may demand more than the ordinary: a grade that is accurate relative to the number itself, by aspect."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import reports.html
from harness.adapters.registry import resolve
from harness.cli.explanation import described
from harness.core.arrays import Array
from harness.core.outcomes import Returned
from harness.judgement.ledger import Ledger
from harness.judgement.truth_table import truth_table
from harness.judgement.verdict import Subject, judge
from harness.mistakes.diagnosis import diagnose
from harness.runs.run_file import read_run
from harness.runs.service import execute_order, make_order
from harness.suite.generators import realize
from harness.suite.loading import load_text

CASE = """\
- id: own/certain
  title: A label that is as good as certain
  why: p − 1 has lost what is left of the gradient.
  loss: softmax_cross_entropy
  inputs: {logits: [[37.43, 0]], targets: [[1, 0]]}
  options: {reduction: sum}
  differentiate: [logits]
  dtypes: [float64]
"""


def verdicts(expect: str) -> dict[str, tuple[str, str | None, tuple[str, ...]]]:
    """By aspect: verdict, grade and causes of the value 0 and of a gradient of p − 1."""
    (case,), _ = load_text(CASE + expect, "own.yaml", "own")
    table = truth_table(case, "float64", realize)
    gradient = table.under().targets["gradient"].hi.copy()
    gradient[0, 0] = 0.0
    arrays = {"logits": Array.of(gradient, "float64")}
    returned = Returned(Array.of(np.float64(0.0), "float64"), "it", gradients=arrays)
    first = case.differentiate
    of = Subject(case.id, "it", "1", "eager", "float64", case.expect, first, False, table, diagnose)
    return {cell.aspect: (cell.verdict, cell.grade, tuple(cell.causes)) for cell in judge(of, returned, Ledger())}


def test_what_is_lost_is_wrong_only_where_it_is_demanded() -> None:
    assert {verdict for verdict, _, _ in verdicts("").values()} == {"agrees"}
    found = verdicts("  expect: {at_least: {gradient: A}}\n")
    assert found["value"][:2] == ("agrees", "B")
    verdict, grade, causes = found["gradient"]
    assert (verdict, grade) == ("disagrees", "C")
    assert causes[0] == "p-minus-one-in-float16", "the mistake whose step it is"


@pytest.mark.parametrize(
    ("grade", "message"),
    [
        ("{hessian_vector: A}", "no hessian_vector is asked for"),
        ("{gradient: B}", "expected one of A"),
        ("{}", "expected at least one entry"),
    ],
)
def test_a_grade_is_demanded_of_what_is_asked_for_and_is_above_the_ordinary(grade: str, message: str) -> None:
    _, problems = load_text(CASE + f"  expect: {{at_least: {grade}}}\n", "own.yaml", "own")
    assert any(message in str(problem) for problem in problems), problems


def test_a_run_tells_the_demand_as_data_and_its_pages_as_a_sentence(tmp_path: Path) -> None:
    file = tmp_path / "own" / "cases.yaml"
    file.parent.mkdir()
    file.write_text(CASE + "  expect: {at_least: {gradient: A}}\n", encoding="utf-8")
    order = make_order([str(file)], (resolve("numpy"),), ledger=Ledger())
    execute_order(order, output=tmp_path / "run.jsonl")
    run = read_run(tmp_path / "run.jsonl")
    (told,) = run.header.suite["cases"].values()
    assert (told["expect"], told["at_least"]) == ("truth", {"gradient": "A"})
    assert "<dd>truth, accurate relative to itself: gradient</dd>" in reports.html.render(run)
    assert not any(line.startswith("expects:") for line in described(order.cases[0], run))
