"""Runs on machines with other facts, planted: what the ledger says there, and what the gate compares."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from harness.core.cell import Run
from harness.core.ledger import Condition
from harness.runs.run_file import read_run
from harness.suite.ledger_files import load_entries
from harness.tests import commands

ADAPTER = '''
import os
import numpy as np
import reference
from harness.adapters.base import Answer, Array, Call, Description


class Told:
    """Attests the instruction set that TOLD_ISA names, and doubles the values of the cases that TOLD_WRONG names."""

    def describe(self):
        facts = {"isa": os.environ["TOLD_ISA"], "onednn": "off"}
        return Description(version="1", losses=("softmax_cross_entropy",), dtypes=("float64",), facts=facts)

    def evaluate(self, call: Call) -> Answer:
        inputs = {n: a.to_float64() if a.is_float else a.storage for n, a in call.inputs.items()}
        found = reference.evaluate(call.loss, inputs, call.options, differentiate=call.differentiate)
        wrong = str(int(inputs["targets"][0])) in os.environ.get("TOLD_WRONG", "")
        # On another machine the last bit differs, which no verdict depends on.
        nudge = np.spacing(1.0) if os.environ["TOLD_ISA"] == "avx2" else 0.0
        value = np.asarray(found.value) * (2 if wrong else 1) * (1 + nudge)
        gradients = {n: Array.of(np.asarray(g), call.dtype) for n, g in found.gradients.items()}
        return Answer(Array.of(value, call.dtype), "told", gradients)
'''

CASES = """\
- id: mine/label-{label}
  title: Three classes, label {label}
  why: A value that is doubled is caught here.
  for_each: {label: [0, 1, 2]}
  loss: softmax_cross_entropy
  inputs: {logits: [[1, 2, 4]], targets: [$label]}
  dtypes: [float64]
"""

ENTRY = """\
- id: doubled-on-avx2
  cases: [mine/label-1]
  implementations: ["adapter_under_test:*"]
  aspects: [value]
  where: {isa: avx2, onednn: off}
  outcome: {kind: finite}
  reason: The kernel for eight lanes multiplies the value by two, which is the whole point of it.
  upstream: none found
"""


def planted(place: Path) -> None:
    """The adapter, its cases and an empty ledger."""
    (place / "adapter_under_test.py").write_text(ADAPTER)
    (place / "mine").mkdir()
    (place / "mine" / "cases.yaml").write_text(CASES)
    (place / "ledger").mkdir()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    planted(tmp_path)
    return tmp_path


def xent(place: Path, *arguments: str, isa: str = "avx512", wrong: str = "") -> subprocess.CompletedProcess[str]:
    return commands.xent(*arguments, folder=place, environment={"TOLD_ISA": isa, "TOLD_WRONG": wrong})


def run(place: Path, file: str, isa: str = "avx512", wrong: str = "") -> subprocess.CompletedProcess[str]:
    name = "adapter_under_test:Told"
    arguments = ("run", "mine/cases.yaml", "-i", name, "--ledger", "ledger", "-o", file)
    return xent(place, *arguments, isa=isa, wrong=wrong)


def read(place: Path, file: str) -> Run:
    return read_run(place / file)


def test_an_entry_explains_where_its_conditions_hold_and_sleeps_elsewhere(place: Path) -> None:
    (place / "ledger" / "mine.yaml").write_text(ENTRY)
    awake = run(place, "avx2.jsonl", isa="avx2", wrong="1")
    assert awake.returncode == 0, awake.stdout + awake.stderr
    assert [c.case for c in read(place, "avx2.jsonl").cells if c.verdict == "known"] == ["mine/label-1"]
    assert read(place, "avx2.jsonl").footer.dormant == ()

    asleep = run(place, "avx512.jsonl")
    assert asleep.returncode == 0, asleep.stdout + asleep.stderr
    assert "1 entry sleeps here: isa=avx2 and onednn=off 1" in asleep.stdout
    assert read(place, "avx512.jsonl").footer.dormant == ("doubled-on-avx2",)


def test_an_entry_that_should_hold_and_does_not_show_is_stale(place: Path) -> None:
    (place / "ledger" / "mine.yaml").write_text(ENTRY)
    fixed = run(place, "run.jsonl", isa="avx2")
    assert fixed.returncode == 6
    assert "doubled-on-avx2" in fixed.stdout


def test_what_an_entry_sleeps_through_disagrees(place: Path) -> None:
    (place / "ledger" / "mine.yaml").write_text(ENTRY)
    assert run(place, "run.jsonl", wrong="1").returncode == 1


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A baseline on AVX-512, and runs on AVX2: right but for the last bit, and with one value doubled."""
    place = tmp_path_factory.mktemp("machines")
    planted(place)
    run(place, "baseline.jsonl")
    run(place, "right.jsonl", isa="avx2")
    run(place, "wrong.jsonl", isa="avx2", wrong="2")
    xent(place, "accept", "baseline.jsonl", "--ledger", "ledger", "--baseline", "accepted.jsonl.gz")
    return place


@pytest.mark.parametrize("baseline", ["baseline.jsonl", "accepted.jsonl.gz"])
def test_the_gate_on_other_kernels_is_green_and_says_first_what_is_not_compared(made: Path, baseline: str) -> None:
    passed = xent(made, "gate", baseline, "right.jsonl")
    assert passed.returncode == 0, passed.stdout + passed.stderr
    first = " ".join(passed.stdout.split())
    assert first.startswith("adapter_under_test:Told runs with isa=avx2 here, the baseline with isa=avx512: bits and")
    assert "6 cells judged by the truth alone" in first


@pytest.mark.parametrize("baseline", ["baseline.jsonl", "accepted.jsonl.gz"])
def test_one_real_regression_on_other_kernels_is_red_and_nothing_else_is(made: Path, baseline: str) -> None:
    red = xent(made, "gate", baseline, "wrong.jsonl")
    assert red.returncode == 1, red.stdout + red.stderr
    assert "1 cells are new on this machine" in red.stdout
    assert red.stdout.count(" × ") == 1
    assert "cells changed" not in red.stdout


def test_the_same_kernels_may_be_demanded(made: Path) -> None:
    refused = xent(made, "gate", "baseline.jsonl", "right.jsonl", "--same-kernels")
    assert refused.returncode == 9, refused.stdout + refused.stderr
    assert "bits and drift are not compared" in " ".join(refused.stdout.split())


def test_with_an_overlay_the_comparison_is_whole_again(made: Path) -> None:
    files = ("baseline.jsonl", "right.jsonl")
    accepted = xent(made, "accept", *files, "--ledger", "ledger", "--baseline", "two.jsonl.gz")
    assert accepted.returncode == 0, accepted.stderr
    assert [path.name for path in (made / "two.overlays").iterdir()] == ["right.jsonl.gz"]
    for file in files:
        passed = xent(made, "gate", file, "--against", "two.jsonl.gz", "--same-kernels")
        assert passed.returncode == 0, passed.stdout + passed.stderr
        assert "are not compared" not in passed.stdout
    red = xent(made, "gate", "wrong.jsonl", "--against", "two.jsonl.gz")
    assert red.returncode == 7, red.stdout + red.stderr
    assert "1 cells changed" in red.stdout
    again = xent(made, "accept", "baseline.jsonl", "--ledger", "ledger", "--baseline", "two.jsonl.gz")
    assert "overlay:  right" in again.stdout
    assert xent(made, "gate", "right.jsonl", "--against", "two.jsonl.gz", "--same-kernels").returncode == 0


def test_what_can_be_no_overlay_is_told_by_name(made: Path) -> None:
    (made / "same.jsonl").write_bytes((made / "baseline.jsonl").read_bytes())
    (made / "other").mkdir()
    (made / "other" / "right.jsonl").write_bytes((made / "right.jsonl").read_bytes())
    command = ("accept", "baseline.jsonl", "--ledger", "ledger", "--baseline", "none.jsonl.gz")
    refused = xent(made, *command, "right.jsonl", "other/right.jsonl")
    assert refused.returncode == 4
    assert "two of the runs are named right" in " ".join(refused.stderr.split())
    assert not (made / "none.jsonl.gz").exists()
    accepted = xent(made, *command, "same.jsonl")
    assert accepted.returncode == 0
    assert "no overlay: same.jsonl has the machine facts of the baseline" in accepted.stdout
    assert not (made / "none.overlays").exists()


def written_reasons(place: Path) -> None:
    file = place / "ledger" / "accepted.yaml"
    reason = "The kernel for eight lanes multiplies the value by two, which is the whole point of it."
    text = (
        file.read_text().replace("reason: TODO", f"reason: {reason}").replace("upstream: TODO", "upstream: none found")
    )
    file.write_text(text)


def test_what_some_machines_show_is_accepted_where_their_facts_hold(place: Path) -> None:
    run(place, "avx512.jsonl", wrong="2")
    run(place, "avx2.jsonl", isa="avx2", wrong="12")
    run(place, "sse.jsonl", isa="sse", wrong="2")
    files = ("avx512.jsonl", "avx2.jsonl", "sse.jsonl")
    accepted = xent(place, "accept", *files, "--ledger", "ledger", "--baseline", "accepted.jsonl.gz")
    assert accepted.returncode == 0, accepted.stdout + accepted.stderr
    written_reasons(place)
    everywhere, conditional = sorted(load_entries(place / "ledger"), key=lambda entry: entry.where != ())
    assert (everywhere.cases, everywhere.where) == (("mine/label-2",), ())
    assert (conditional.cases, conditional.where) == (("mine/label-1",), (Condition("isa", ("avx2",)),))
    assert run(place, "again.jsonl", isa="avx2", wrong="12").returncode == 0
    assert run(place, "again.jsonl", wrong="2").returncode == 0
    assert run(place, "again.jsonl", wrong="12").returncode == 1


def test_what_no_fact_separates_is_not_guessed(place: Path) -> None:
    run(place, "right.jsonl")
    run(place, "wrong.jsonl", wrong="1")
    refused = xent(place, "accept", "right.jsonl", "wrong.jsonl", "--ledger", "ledger", "--baseline", "b.jsonl.gz")
    assert refused.returncode == 4
    assert "an entry would be a guess" in " ".join(refused.stderr.split())
    assert list((place / "ledger").iterdir()) == []
    assert not (place / "b.jsonl.gz").exists()


def test_an_entry_that_shows_in_some_runs_only_stays_and_needs_a_condition(place: Path) -> None:
    (place / "ledger" / "mine.yaml").write_text(ENTRY.replace("  where: {isa: avx2, onednn: off}\n", ""))
    run(place, "avx512.jsonl")
    run(place, "avx2.jsonl", isa="avx2", wrong="1")
    files = ("avx512.jsonl", "avx2.jsonl")
    accepted = xent(place, "accept", *files, "--ledger", "ledger", "--baseline", "b.jsonl.gz")
    assert accepted.returncode == 0, accepted.stderr
    assert "doubled-on-avx2 shows in some of these runs only; it needs where: {isa: [avx2]}" in accepted.stdout
    assert [entry.id for entry in load_entries(place / "ledger")] == ["doubled-on-avx2"]
