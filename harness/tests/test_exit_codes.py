"""The command line from outside: exit codes, errors, what is left on disk. Everything runs in a process of its own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.runs.run_file import RunFileError, read_run
from harness.tests import commands

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
Start = Callable[..., subprocess.CompletedProcess[str]]

ADAPTERS = '''
import os, signal, time
import numpy as np
import reference
from harness.adapters.base import Answer, Array, Call, Description


class Right:
    """The reference itself, rounded once: agrees with everything."""

    def describe(self):
        return Description(version="1", losses=("softmax", "softmax_cross_entropy"), dtypes=("float64",))

    def evaluate(self, call: Call) -> Answer:
        inputs = {n: a.to_float64() if a.is_float else a.storage for n, a in call.inputs.items()}
        options = {n: v.to_float64() if isinstance(v, Array) else v for n, v in call.options.items()}
        cotangent = None if call.cotangent is None else call.cotangent.to_float64()
        found = reference.evaluate(call.loss, inputs, options, cotangent=cotangent, differentiate=call.differentiate)
        gradients = {n: Array.of(np.asarray(g), call.dtype) for n, g in found.gradients.items()}
        return Answer(Array.of(np.asarray(found.value), call.dtype), "reference.evaluate", gradients)


class Doubled(Right):
    """Twice the right value: wrong, and by a factor that has a name."""

    def evaluate(self, call):
        answer = super().evaluate(call)
        return Answer(Array.of(2 * answer.value.to_float64(), call.dtype), "doubled", answer.gradients)


class Fused(Right):
    """Has a mode besides its first."""

    def describe(self):
        return Description("1", ("softmax_cross_entropy",), modes=("eager", "fused"), dtypes=("float64",))


class Dies(Right):
    """Kills its own process on every call."""

    def evaluate(self, call):
        os.kill(os.getpid(), signal.SIGKILL)


class Slow(Right):
    """Takes a while for every call, so that it can be interrupted."""

    def evaluate(self, call):
        time.sleep(0.5)
        return super().evaluate(call)
'''

CASE = """\
- id: mine/two-classes
  title: Two classes, label {n}
  why: A doubled loss is caught here, and so is a process that dies.
  loss: softmax_cross_entropy
  inputs: {logits: [[1, 2]], targets: [0]}
  dtypes: [float64]
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "adapters_under_test.py").write_text(ADAPTERS)
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "cases.yaml").write_text(CASE.replace("{n}", "zero"))
    (tmp_path / "ledger").mkdir()
    return tmp_path


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "harness", *arguments]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def xent(place: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return commands.xent(*arguments, folder=place)


def run(place: Path, adapter: str, *more: str, by: Start = xent) -> subprocess.CompletedProcess[str]:
    name = f"adapters_under_test:{adapter}"
    return by(place, "run", "mine/cases.yaml", "-i", name, "--ledger", "ledger", "-o", "run.jsonl", *more)


def by_python(place: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """As a user's shell starts it, for one test of each code."""
    return subprocess.run(
        command(*arguments), cwd=place, env=environment(), capture_output=True, text=True, timeout=120
    )


def test_a_right_implementation_ends_with_0(place: Path) -> None:
    done = run(place, "Right", by=by_python)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Everything agrees" in done.stdout
    finished = read_run(place / "run.jsonl")
    assert {cell.verdict for cell in finished.cells} == {"agrees"}
    assert {cell.aspect for cell in finished.cells} == {"value", "gradient"}


def test_without_cases_the_cover_is_run_and_the_first_line_says_so(place: Path) -> None:
    covered, complete = (
        xent(place, "run", "-i", "adapters_under_test:Right", "--dtypes", "float16", *more)
        for more in ((), ("--complete",))
    )
    # It offers float64 alone: which cases are asked is what the line is about.
    assert covered.returncode == complete.returncode == 5, covered.stderr + complete.stderr
    assert re.match(r"\d+ of \d{4} cases: the cover, .*; --complete for all\n", covered.stdout)
    assert "the cover" not in complete.stdout


def test_the_cover_is_not_written_from_some_of_the_cases(place: Path) -> None:
    assert xent(place, "kills", "documents", "--cover").returncode == 4


def test_a_wrong_implementation_ends_with_1_and_says_why(place: Path) -> None:
    done = run(place, "Doubled", by=by_python)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "factor of 2" in done.stdout
    verdicts = {cell.aspect: cell.verdict for cell in read_run(place / "run.jsonl").cells}
    assert verdicts == {"value": "disagrees", "gradient": "agrees"}


def test_a_mode_that_one_of_several_has_is_said_of_those_that_lack_it(place: Path) -> None:
    two = ("-i", "adapters_under_test:Fused", "--modes")
    has = run(place, "Right", *two, "fused")
    assert has.returncode == 0, has.stdout + has.stderr
    assert "adapters_under_test:Right has no mode fused: it was asked in its first, eager" in has.stdout
    assert "Fused has no mode" not in has.stdout
    told = xent(place, "explain", "mine/cases.yaml", "-i", "adapters_under_test:Right", *two, "fused")
    assert "adapters_under_test:Right has no mode fused: it was asked in its first, eager" in told.stdout
    for mistyped in ("fusde", "fused,fusde"):
        done = run(place, "Right", *two, mistyped)
        assert done.returncode == 4
        assert "--modes fusde: none of adapters_under_test:Right, adapters_under_test:Fused has it" in done.stderr


def test_the_time_that_is_told_is_the_time_that_was_waited(place: Path) -> None:
    since = time.monotonic()
    done = run(place, "Slow", by=by_python)  # the clock begins with the process
    waited = time.monotonic() - since
    told = float(re.search(r"^time: ([0-9.]+) s:", done.stdout, re.MULTILINE)[1])  # type: ignore[index]
    assert waited / 2 < told <= waited + 0.1
    assert done.stdout.splitlines()[-1].startswith("next: `xent report run.jsonl`, or `xent gate run.jsonl` ")


def test_a_worker_that_is_killed_ends_with_9_and_says_so(place: Path) -> None:
    done = run(place, "Dies", by=by_python)
    assert done.returncode == 9, done.stdout + done.stderr
    assert "SIGKILL" in done.stdout
    assert {cell.verdict for cell in read_run(place / "run.jsonl").cells} == {"crashed"}


def test_a_ledger_entry_explains_and_a_stale_one_ends_with_6(place: Path) -> None:
    entry = """\
- id: doubled
  cases: ["mine/*"]
  implementations: ["adapters_under_test:*"]
  aspects: [value]
  outcome: {kind: finite}
  reason: The miniature multiplies its value by two, which is the whole point of it.
  upstream: none found
"""
    (place / "ledger" / "mine.yaml").write_text(entry)
    done = run(place, "Doubled")
    assert done.returncode == 0, done.stdout + done.stderr
    assert {c.ledger for c in read_run(place / "run.jsonl").cells if c.verdict == "known"} == {"doubled"}
    assert run(place, "Right", by=by_python).returncode == 6


def test_gate_sees_the_change_and_refuses_what_is_cut_off(place: Path) -> None:
    run(place, "Right")
    (place / "run.jsonl").rename(place / "old.jsonl")
    assert xent(place, "gate", "old.jsonl", "old.jsonl").returncode == 0
    text = (place / "old.jsonl").read_text()
    (place / "new.jsonl").write_text(text.replace('"kind":"value","dtype"', '"kind":"value","was":"x","dtype"'))
    unknown = xent(place, "gate", "old.jsonl", "new.jsonl")
    assert unknown.returncode == 9
    assert "unknown field `was`" in unknown.stderr
    (place / "adapters_under_test.py").write_text(f"{ADAPTERS}\nRight = Doubled\n")
    run(place, "Right")
    changed = by_python(place, "gate", "old.jsonl", "run.jsonl")
    assert changed.returncode == 7
    assert "adapters_under_test:Right softmax_cross_entropy verdict: off by a factor of 2" in changed.stdout
    (place / "cut.jsonl").write_text("".join(text.splitlines(keepends=True)[:-1]))
    cut = xent(place, "gate", "old.jsonl", "cut.jsonl")
    assert cut.returncode == 9
    assert "cut off" in cut.stderr
    assert xent(place, "gate", "old.jsonl", "nothing.jsonl").returncode == 4


def test_interrupting_ends_with_2_and_leaves_no_run(place: Path) -> None:
    many = "".join(CASE.replace("two-classes", f"two-classes-{i}").replace("{n}", str(i)) for i in range(40))
    (place / "mine" / "cases.yaml").write_text(many)
    name = "adapters_under_test:Slow"
    process = subprocess.Popen(
        command("run", "mine/cases.yaml", "-i", name, "--ledger", "ledger", "-o", "run.jsonl"),
        cwd=place,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while not (place / "run.jsonl.part").exists() and time.monotonic() < deadline:
        time.sleep(0.1)  # the header is written once the workers have started
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 2, errors
    assert not (place / "run.jsonl").exists()
    with pytest.raises(RunFileError, match="cut off"):
        read_run(place / "run.jsonl.part")


def test_a_bad_case_file_names_file_line_and_field(place: Path) -> None:
    (place / "mine" / "cases.yaml").write_text(CASE.replace("targets: [0]", "labels: [0]"))
    done = run(place, "Right", by=by_python)
    assert done.returncode == 4
    assert "mine/cases.yaml:5" in done.stderr
    assert not (place / "run.jsonl").exists()


def test_an_adapter_that_cannot_be_imported_is_missing(place: Path) -> None:
    done = run(place, "Absent")
    assert done.returncode == 9
    assert "has no Absent" in done.stdout


def test_the_report_of_a_run_is_written(place: Path) -> None:
    run(place, "Doubled")
    done = xent(place, "report", "run.jsonl", "-o", "out/report.html", "--junit", "j.xml", "--csv", "c.csv")
    assert done.returncode == 0, done.stderr
    assert "mine/two-classes" in (place / "out" / "report.html").read_text()
    assert (place / "j.xml").exists()


def test_explain_shows_the_truth_to_20_digits(place: Path) -> None:
    done = xent(place, "explain", "mine/cases.yaml", "-i", "adapters_under_test:Right", "--ledger", "ledger")
    assert done.returncode == 0, done.stderr
    assert "1.3132616875182228340" in done.stdout
    assert "reference.evaluate" not in done.stdout
    more = xent(place, "explain", "mine/cases.yaml", "-i", "adapters_under_test:Right", "--ledger", "ledger", "--cells")
    assert "reference.evaluate" in more.stdout
