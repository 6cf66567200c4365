"""`xent upgrade` from outside, on environments that are there: the same twice, a planted change of each kind, a side
that cannot start, one that dies. The new side is this interpreter with a variable set, which the adapter obeys."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from harness.runs.diff import compare_runs
from harness.runs.run_file import read_run
from harness.tests.commands import xent

pytestmark = pytest.mark.slow

ADAPTER = '''
import os, signal, time, warnings
import numpy as np
from harness.adapters.base import Answer, Array
from harness.mistakes import adapter

PLANTED = os.environ.get("PLANTED", "")
if PLANTED == "unimportable":
    raise ImportError("built for another numpy")


class Loss:
    """The correct implementation, and on the new side whatever is planted there."""

    def __init__(self):
        self.sound = adapter("sound")

    def describe(self):
        return self.sound.describe()

    def evaluate(self, call):
        if PLANTED == "crash":
            os.kill(os.getpid(), signal.SIGKILL)
        # The first logit says which change this case is about; the label is out of range in the last two.
        planted = KINDS[int(call.inputs["logits"].to_float64().ravel()[0])] if PLANTED == "changes" else ""
        if planted == "warnings":
            warnings.warn("soon to be removed", DeprecationWarning)
        if planted == "error":
            raise RuntimeError("label 3 is out of range")
        if planted == "outcome":
            return Answer(Array.of(np.float64(0.5), call.dtype), "quiet")
        answer = self.sound.evaluate(call)
        if PLANTED == "slower":
            until = time.perf_counter() + 0.005
            while time.perf_counter() < until:
                pass
        if planted == "verdict":
            return Answer(Array.of(2 * answer.value.to_float64(), call.dtype), "doubled", answer.gradients)
        if planted == "drift":
            near = answer.value.to_float64() * (1 + 3 * 2.0**-52)
            return Answer(Array.of(near, call.dtype), "less exact", answer.gradients)
        return answer


KINDS = ("", "verdict", "drift", "warnings", "error", "outcome")
'''

REPORTED_AS = {
    "unchanged": set(),
    "verdict": {"verdict"},
    "drift": {"drift"},
    "warnings": {"warnings"},
    "error": {"error"},
    # A value where an error is right is judged, so the graver word for it is a changed verdict.
    "outcome": {"verdict"},
}
"""What each planted change has to be reported as; the case of each has its position as its first logit."""

CASE = """\
- id: mine/{name}
  title: The change {name}
  why: The change that is planted here has to be reported, and as nothing else.
  loss: softmax_cross_entropy
  inputs: {{logits: [[{position}, 2, 4]], targets: [{label}]}}
  dtypes: [float64]
"""
CASES = "".join(
    CASE.format(name=name, position=position, label=0)
    if position < 4
    else CASE.format(name=name, position=position, label=3) + "  expect: {raises: out_of_range_label}\n"
    for position, name in enumerate(REPORTED_AS)
)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "planted.py").write_text(ADAPTER, encoding="utf-8")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "cases.yaml").write_text(CASES, encoding="utf-8")
    return tmp_path


def interpreter(place: Path, planted: str) -> Path:
    """This interpreter, with a change planted in whatever it runs."""
    script = place / f"python-{planted or 'same'}"
    script.write_text(f'#!/bin/sh\nPLANTED={planted} exec "{sys.executable}" "$@"\n', encoding="utf-8")
    script.chmod(0o755)
    return script


def upgrade(
    place: Path, planted: str, *more: str, timed: bool = False, new: str | None = None
) -> subprocess.CompletedProcess[str]:
    """`new` is another interpreter than one with what is planted."""
    sides = ["--old-python", sys.executable, "--new-python", new or str(interpreter(place, planted))]
    words = ["upgrade", *sides, "-i", "planted:Loss", "--cases", "mine/cases.yaml", "-o", "out", *more]
    return xent(*words, *(["--workloads", "softmax-32x10"] if timed else ["--no-speed"]), folder=place)


def test_the_same_twice_changes_nothing_to_the_bit_is_not_slower_and_the_canaries_sing(place: Path) -> None:
    """The threshold is far beyond what other work on this machine can do to a measurement: the plumbing is tested."""
    done = upgrade(place, "", "--slower", "400", timed=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Nothing changed" in done.stdout
    assert "canaries: 6 of 6" in done.stdout
    assert "speed: old against new in the same rounds: 0 slower" in done.stdout
    difference = compare_runs(read_run(place / "out/old.jsonl"), read_run(place / "out/new.jsonl"))
    assert difference.identical == difference.compared == 10
    assert "Nothing changed" in (place / "out/upgrade.md").read_text(encoding="utf-8")


def test_a_planted_change_of_each_kind_is_reported_as_exactly_that(place: Path) -> None:
    done = upgrade(place, "changes")
    assert done.returncode == 7, done.stdout + done.stderr
    difference = compare_runs(read_run(place / "out/old.jsonl"), read_run(place / "out/new.jsonl"))
    found: dict[str, set[str]] = {name: set() for name in REPORTED_AS}
    for change in difference.changes:
        found[change.cell.case.removeprefix("mine/")].add(change.kind)
    assert found == REPORTED_AS
    text = (place / "out/upgrade.md").read_text(encoding="utf-8")
    page = (place / "out/upgrade.html").read_text(encoding="utf-8")
    assert "1 worse" not in done.stdout
    for way in ("Worse", "Different"):
        assert f"## {way}" in text
        assert f"<h2>{way}: " in page
    # What a cause's commands say is reproduced on either side.
    for side in (sys.executable, str(interpreter(place, "changes"))):
        assert f"--python {side}" in text
    for kind in ("verdict", "drift", "warnings", "error"):
        assert f", {kind}**" in text
        assert f": {kind}</h2>" in page
    assert "xent repro" in page


def test_what_got_better_is_green_unless_it_is_asked_for(place: Path) -> None:
    swapped = ("--old-python", str(interpreter(place, "changes")), "--new-python", sys.executable)
    words = ("upgrade", *swapped, "-i", "planted:Loss", "--cases", "mine/verdict", "--cases", "mine/cases.yaml", "-o")
    only = ("--no-speed", "--dtypes", "float64")
    (place / "mine" / "cases.yaml").write_text(CASE.format(name="verdict", position=1, label=0), encoding="utf-8")
    done = xent(*words, "out", *only, folder=place)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Nothing got worse, 1 better" in done.stdout
    assert "\nBetter\n" in done.stdout
    strict = xent(*words, "out", *only, "--strict", "--github", folder=place)
    assert strict.returncode == 7
    assert "::error title=better" in strict.stdout


def test_a_planted_slowdown_is_reported_as_exactly_that(place: Path) -> None:
    """Five milliseconds more on a call of well under one: no noise of this machine comes near."""
    done = upgrade(place, "slower", timed=True)
    assert done.returncode == 8, done.stdout + done.stderr
    assert "No cell changed" in done.stdout
    text = (place / "out/upgrade.md").read_text(encoding="utf-8")
    assert "times as long as before" in text
    assert "workloads/softmax-32x10`" in text, "the command that times it again"
    assert ">slower</td>" in (place / "out/upgrade.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("planted", "said"),
    [
        ("unimportable", ("built for another numpy", "not compared")),
        ("crash", ("never were judged", "infrastructure is never a difference")),
    ],
)
def test_a_side_that_cannot_run_is_infrastructure_and_never_a_difference(
    place: Path, planted: str, said: tuple[str, ...]
) -> None:
    done = upgrade(place, planted)
    assert done.returncode == 9, done.stdout + done.stderr
    assert all(words in done.stderr for words in said)
    assert not (place / "out/upgrade.md").exists()


def test_an_interpreter_that_is_not_there_is_a_usage_error_and_one_that_is_none_infrastructure(place: Path) -> None:
    done = upgrade(place, "", new="/nowhere/python")
    assert done.returncode == 4
    assert "there is no such program" in done.stderr
    done = upgrade(place, "", new="/bin/false")
    assert done.returncode == 9
    assert "/bin/false cannot be started" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "name them with -i"),
        (("torch=2.13",), "is no requirement"),
        (("left-pad==1.0",), "no implementation uses left-pad"),
        (("numpy==2.0", "-i", "numpy", "--workloads", "softmax-1x1"), "no workload has this id"),
        (("numpy==2.0", "-i", "numpy", "--slower", "-3"), "Expected a percentage"),
        (("numpy==2.0", "-i", "numpy", "--from", "numpy==1", "--from", "numpy==2"), "named twice"),
    ],
)
def test_what_cannot_be_asked_is_a_usage_error(place: Path, arguments: tuple[str, ...], said: str) -> None:
    done = xent("upgrade", *arguments, folder=place)
    assert done.returncode == 4, done.stdout + done.stderr
    assert said in done.stderr
