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
from harness.mistakes.kill_matrix import SOUND, KillMatrix, caught_once, kill_matrix, killed_by, one_each
from harness.tests.shipped import shipped_cases

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cases() -> dict[str, Case]:
    return {case.id: case for case in shipped_cases()}


def test_a_case_catches_the_mistakes_it_is_about_and_not_the_correct_implementation(cases: dict[str, Case]) -> None:
    caught = killed_by(cases["documents/d4-dog-in-bits"])
    assert "log-base-2.categorical_cross_entropy" in caught
    assert SOUND not in caught
    assert all("categorical_cross_entropy" in name for name in caught)


def test_what_hangs_dies_or_repeats_is_caught_in_processes_and_what_only_prints_is_not(cases: dict[str, Case]) -> None:
    chosen = [case for name, case in cases.items() if name.startswith("documents/d4")][:4]
    matrix = kill_matrix(chosen, workers=2)
    caught = {name for names in matrix.kills.values() for name in names}
    assert {"hangs", "aborts", "repeats"} <= caught
    assert "prints" in matrix.mutants
    assert matrix.false_positives == ()


def test_what_is_asked_no_further_than_to_the_first_witness_is_caught_and_idle_alike(cases: dict[str, Case]) -> None:
    chosen = [case for case in cases.values() if case.loss == "entropy"][:12]
    whole = {case.id: set(killed_by(case)) for case in chosen}
    idle = [case for case in chosen if not whole[case.id]]
    once = caught_once(chosen)
    everybody = set().union(*whole.values())
    assert sorted(name for names in once.values() for name in names) == sorted(everybody)
    before: set[str] = set()
    for case in chosen:
        assert set(once.get(case.id, ())) == whole[case.id] - before
        before |= whole[case.id]
    each = one_each(chosen)
    assert [case for case in chosen if not each[case.id]] == idle
    assert all(len(each[case.id]) == 1 and set(each[case.id]) <= whole[case.id] for case in chosen if case not in idle)


def test_the_correct_implementation_is_asked_in_every_dtype_though_a_witness_was_found(cases: dict[str, Case]) -> None:
    wrong = replace(cases["documents/d4-dog-in-bits"], expect=ExpectRaises("shape_mismatch"))
    assert one_each([wrong])[wrong.id][0] == SOUND


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
  why: Nothing in particular, which is what is tested.
  loss: softmax
  inputs: {logits: [[0.0]]}
  differentiate: []
  dtypes: [float32]
  tags: [one-class]
- id: mine/says-so
  title: One class has probability one, and that is said
  why: Nothing in particular, which is what is tested.
  loss: softmax
  inputs: {logits: [[0.0]]}
  differentiate: []
  dtypes: [float32]
  tags: [characterisation]
- id: mine/wrong
  title: The shapes are right, and nobody refuses them
  why: Nothing in particular, which is what is tested.
  loss: softmax
  inputs: {logits: [[0.0]]}
  expect: {raises: shape_mismatch}
"""


def test_the_command_fails_for_a_wrong_case_and_for_an_idle_one_that_does_not_say_so(tmp_path: Path) -> None:
    file = tmp_path / "mine" / "cases.yaml"
    file.parent.mkdir()
    file.write_text(IDLE, encoding="utf-8")
    matrix = tmp_path / "kills.json"
    command = [sys.executable, "-m", "harness", "kills", str(file), "-o", str(matrix), "--parallel", "1"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 1, ended.stdout + ended.stderr
    assert "not marked as characterisations: mine/nothing-to-catch\n" in ended.stdout
    assert "cases that catch the correct implementation: mine/wrong\n" in ended.stdout
    entry = json.loads(matrix.read_text(encoding="utf-8"))
    for names in (entry["cases"]["mine/nothing-to-catch"], entry["cases"]["mine/says-so"]):
        assert {entry["mutants"][name]["kind"] for name in names} == {"conduct"}
