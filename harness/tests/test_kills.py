"""The kill matrix names what catches what, and says so where nothing does."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from harness.core.case import Case, ExpectRaises
from harness.mistakes import MUTANTS
from harness.mistakes.kill_matrix import CHARACTERISATION, SOUND, KillMatrix, kill_matrix, killed_by
from harness.suite.loading import load


@pytest.fixture(scope="module")
def cases() -> dict[str, Case]:
    return {case.id: case for case in load().cases}


def test_a_case_catches_the_mistakes_it_is_about_and_not_the_correct_implementation(cases: dict[str, Case]) -> None:
    caught = killed_by(cases["documents/d4-dog-in-bits"])
    assert "log-base-2.categorical_cross_entropy" in caught
    assert SOUND not in caught
    assert all("categorical_cross_entropy" in name for name in caught)


def test_a_wrong_expectation_catches_the_correct_implementation(cases: dict[str, Case]) -> None:
    wrong = replace(cases["documents/d4-dog-in-bits"], expect=ExpectRaises("shape_mismatch"))
    matrix = kill_matrix([wrong], workers=1)
    assert matrix.accused == (wrong.id,)


def test_what_hangs_dies_or_repeats_is_caught_in_processes_and_what_only_prints_is_not(cases: dict[str, Case]) -> None:
    chosen = [case for name, case in cases.items() if name.startswith("documents/d4")]
    matrix = kill_matrix(chosen, workers=2)
    caught = {name for names in matrix.kills.values() for name in names}
    assert {"hangs", "aborts", "repeats"} <= caught
    assert "prints" in matrix.mutants
    assert matrix.false_positives == ()


def test_survivors_idle_cases_and_false_positives_are_told_apart() -> None:
    wrong, noisy = MUTANTS["log-base-2.categorical_cross_entropy"], MUTANTS["prints"]
    mutants = {wrong.name: wrong, noisy.name: noisy}
    nothing = KillMatrix({"a": (), "b": ()}, mutants, frozenset({"b"}))
    assert (nothing.survivors, nothing.idle, nothing.false_positives) == ((wrong.name,), ("a",), ())
    everything = KillMatrix({"a": (wrong.name, noisy.name)}, mutants, frozenset())
    assert (everything.survivors, everything.idle, everything.false_positives) == ((), (), (noisy.name,))
    assert everything.entry()["mutants"][wrong.name]["killed_by"] == 1


IDLE = """
- id: mine/nothing-to-catch
  title: One class has probability one whatever is done
  why: {why}
  loss: softmax
  inputs: {{logits: [[0.0]]}}
  differentiate: []
  dtypes: [float32]
  tags: [{tag}]
"""


@pytest.mark.parametrize(("tag", "code"), [("one-class", 1), (CHARACTERISATION, 0)])
def test_the_command_fails_for_an_idle_case_that_does_not_say_so(tmp_path: Path, tag: str, code: int) -> None:
    file = tmp_path / "mine" / "cases.yaml"
    file.parent.mkdir()
    file.write_text(IDLE.format(why="Nothing in particular, which is what is tested.", tag=tag), encoding="utf-8")
    matrix = tmp_path / "kills.json"
    command = [sys.executable, "-m", "harness", "kills", str(file), "-o", str(matrix), "--parallel", "1"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == code, ended.stdout + ended.stderr
    assert ("mark" in ended.stdout) == bool(code)
    entry = json.loads(matrix.read_text(encoding="utf-8"))
    caught = entry["cases"]["mine/nothing-to-catch"]
    assert {entry["mutants"][name]["kind"] for name in caught} == {"conduct"}
