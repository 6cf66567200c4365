"""Workloads as data: the committed ones, and what is wrong with broken ones."""

from __future__ import annotations

import jsonschema  # type: ignore[import-untyped]
import pytest
from ruamel.yaml import YAML

from harness.speed.workloads import Workload, load_workloads, parse_workloads, schema, schema_text, select_workloads
from harness.suite.loading import find_cases_directory
from harness.suite.problems import Problem, SuiteError

GOOD = """
- id: workloads/small
  title: Small
  why: It is small enough for a test to read.
  loss: softmax_cross_entropy
  inputs:
    logits: {generator: normal, shape: [2, 3], seed: 1}
    targets: {generator: labels, shape: [2], classes: 3, seed: 2}
  dtypes: [float32]
"""


def problems_of(text: str) -> str:
    return "\n".join(str(item) for item in parse_workloads(text, "w.yaml") if isinstance(item, Problem))


def test_the_committed_workloads_cover_what_limits_speed() -> None:
    shapes = {w.id: w.shapes() for w in load_workloads()}
    assert shapes["workloads/softmax-4096x32000"] == {"logits": (4096, 32000), "targets": (4096,)}
    assert shapes["workloads/binary-10000000"]["logits"] == (10_000_000,)
    assert shapes["workloads/linear-1024x512x32000"]["weight"] == (512, 32000)
    assert 3 < len(select_workloads(load_workloads(), [], complete=False)) < len(shapes)


def test_the_schema_is_current_and_true_of_every_file() -> None:
    home = find_cases_directory()
    committed = (home / "schema" / "workload.schema.json").read_text(encoding="utf-8")
    assert committed == schema_text(), "run: python -m harness.speed.workloads > cases/schema/workload.schema.json"
    validator = jsonschema.Draft202012Validator(schema())
    for file in (home / "workloads").glob("*.yaml"):
        validator.validate(YAML(typ="safe", pure=True).load(file.read_text(encoding="utf-8")))


def test_a_workload_is_a_case_whose_rows_are_repeated() -> None:
    (found,) = parse_workloads(GOOD + "  repeat: 4\n", "w.yaml")
    assert isinstance(found, Workload)
    assert found.shapes() == {"logits": (8, 3), "targets": (8,)}
    assert found.batch == ("logits", "targets")
    assert found.case.differentiate == ("logits",)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("  repeat: 3\n", "[0].repeat"),
        ("  colour: red\n", "[0].colour"),
        ("  passes: [backward]\n", "[0].passes[0]"),
        ("  options: {reduction: sum}\n  repeat: 2\n", "under sum"),
        ("  options: {gamma: 2}\n", "gamma"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(change: str, message: str) -> None:
    assert message in problems_of(GOOD + change)


def test_a_text_that_is_no_list_and_an_entry_that_is_no_map_are_refused() -> None:
    assert "expected a list" in problems_of("id: x\n")
    assert "expected a workload" in problems_of("- 3\n")


def test_a_pattern_that_selects_nothing_is_refused_with_what_comes_near() -> None:
    with pytest.raises(SuiteError, match="softmax-32x10"):
        select_workloads(load_workloads(), ["softmax-32x1O"], complete=False)
    assert [w.id for w in select_workloads(load_workloads(), ["linear-*"], complete=False)] == [
        "workloads/linear-1024x512x32000"
    ]
