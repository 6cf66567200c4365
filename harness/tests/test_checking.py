"""`harness.check`: right, wrong, expected, stale and dying adapters, and the example project as its user runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import harness
from harness.checking import CheckResult
from harness.core.errors import UsageError
from harness.core.exit_codes import ExitCode
from harness.tests.plain_losses import softmax_of_the_last_axis

pytestmark = pytest.mark.slow

CASES = ("documents/d4-gradient-*", "documents/d4-perfect-*")
ROOT = Path(harness.__file__).resolve().parents[1]


def test_a_right_adapter_conforms() -> None:
    result = harness.check("mutant:sound", CASES)
    assert result.conforms
    assert result.code is ExitCode.FINE
    assert result.judged > 10
    result.assert_conforms()
    assert str(result) == f"{result.judged} cells were judged; all are as expected"


def test_a_wrong_one_is_told_where_what_it_gave_and_what_is_right() -> None:
    result = harness.check("mutant:opposite-gradient.softmax_cross_entropy", CASES)
    assert result.code is ExitCode.DISAGREES
    with pytest.raises(AssertionError, match=r"documents/d4-gradient-.*:gradient\]: .* where the truth is") as raised:
        result.assert_conforms()
    assert str(result) == str(raised.value)
    assert (
        repr(result) == f"<CheckResult: {result.judged} cells judged, {len(result.unexpected)} unexpectedly disagree>"
    )


def test_what_is_expected_is_excused_and_what_no_longer_happens_is_stale() -> None:
    wrong = "mutant:opposite-gradient.softmax_cross_entropy"
    reason = {"documents/*[*:gradient]": "the sign is turned round in the next layer"}
    assert harness.check(wrong, CASES, expected_divergences=reason).conforms
    stale = harness.check("mutant:sound", CASES, expected_divergences=reason)
    assert stale.stale == tuple(reason)
    assert stale.code is ExitCode.STALE_LEDGER
    with pytest.raises(AssertionError, match="no cell disagrees so"):
        stale.assert_conforms()


def test_an_adapter_that_dies_is_broken_and_not_excused() -> None:
    result = harness.check(
        "mutant:aborts", CASES[:1], expected_divergences={"*": "whatever it does"}, dtypes=["float64"]
    )
    assert result.broken
    with pytest.raises(AssertionError, match="not run to an end"):
        result.assert_conforms()


DIES_ONCE = '''
import os
from pathlib import Path
from typing import Any

from harness.mistakes.sound import Sound


class DiesOnce(Sound):
    """Right, but its process ends at the first call of its life."""

    def evaluate(self, call):
        died = Path("died")
        if not died.exists():
            died.touch()
            os.abort()
        return super().evaluate(call)
'''


@pytest.fixture
def dying(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of an adapter whose worker dies once, and answers everything when it is asked again."""
    (tmp_path / "dying.py").write_text(DIES_ONCE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return "dying:DiesOnce"


def test_a_worker_that_died_is_infrastructure_though_every_answer_is_right(dying: str) -> None:
    result = harness.check(dying, CASES[:1])
    assert not result.disagreeing
    assert not result.broken
    assert result.code is ExitCode.INFRASTRUCTURE
    assert not result.conforms
    with pytest.raises(AssertionError, match=r"a worker ended: .*SIGABRT; asked again, it answered"):
        result.assert_conforms()


def test_an_adapter_that_offers_nothing_does_not_conform() -> None:
    result = harness.check("mutant:detached.entropy", CASES)
    assert result.code is ExitCode.NOTHING_RAN
    with pytest.raises(AssertionError, match="nothing was judged"):
        result.assert_conforms()


def test_a_name_that_addresses_nothing_is_refused() -> None:
    with pytest.raises(UsageError, match="no implementation is named"):
        harness.check("no_such_thing")
    with pytest.raises(UsageError, match="--modes xla"):
        harness.check("mutant:sound", CASES[:1], modes=["xla"])


def test_the_example_project_passes_its_own_gate_and_fails_it_when_the_loss_is_broken(tmp_path: Path) -> None:
    example = ROOT / "examples" / "hand-written-loss"
    for file in example.glob("*.py"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    passes = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert passes.returncode == 0, passes.stdout
    loss = tmp_path / "my_loss.py"
    loss.write_text(loss.read_text(encoding="utf-8").replace("-others.sum", "others.sum"), encoding="utf-8")
    # Of what it fails in, a part is enough; that all of it passes is above.
    gate = tmp_path / "test_conformance.py"
    gate.write_text(gate.read_text(encoding="utf-8").replace('MyLosses", ', 'MyLosses", ["documents/d4-*"], '), "utf-8")
    fails = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert fails.returncode == 1
    assert "where the truth is" in fails.stdout


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"dtypes": ["flaot32"]}, "the dtype 'flaot32': expected one of float64"),
        ({"dtypes": []}, "no dtype or no mode"),
        ({"modes": []}, "no dtype or no mode"),
        ({"timeout": float("nan")}, "a finite time above 0"),
        ({"timeout": 0.0}, "a finite time above 0"),
    ],
)
def test_what_nothing_could_be_asked_with_is_refused_before_anything_starts(options: Any, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        harness.check("mutant:sound", CASES[:1], **options)


def test_a_plain_function_is_checked_by_the_arguments_it_takes() -> None:
    cases = ["options/softmax-axis-*", "edges/axis-of-length-one-of-a-row-softmax", "edges/near-the-smallest-softmax-*"]
    result = harness.check(softmax_of_the_last_axis, cases, loss="softmax", like="softmax", dtypes=["float32"])
    wrong = {cell.case for cell in result.disagreeing}
    assert "edges/axis-of-length-one-of-a-row-softmax" in wrong
    assert not any(case.startswith("edges/near-the-smallest") for case in wrong)
    assert result.judged > len(result.disagreeing)


@pytest.mark.parametrize(
    ("function", "given", "says"),
    [
        (lambda logits: logits, {"loss": "softmax"}, "cannot be imported by that name"),
        (softmax_of_the_last_axis, {}, "say loss="),
        (softmax_of_the_last_axis, {"like": "torch.nothing"}, "is not known"),
        (softmax_of_the_last_axis, {"like": "softmax", "loss": "entropy"}, "computes softmax, not entropy"),
    ],
)
def test_a_function_that_no_worker_can_ask_is_refused(
    function: Callable[..., Any], given: dict[str, Any], says: str
) -> None:
    with pytest.raises(UsageError, match=says):
        harness.check(function, CASES, **given)


def test_a_quick_check_calls_nothing_stale_that_it_did_not_ask() -> None:
    run = harness.check("mutant:sound", CASES).run
    reasons = {"edges/never-run-*": "?", "documents/*[*:gradient]": "no longer"}
    assert CheckResult(run, reasons, quick=True).stale == ("documents/*[*:gradient]",)
    assert CheckResult(run, reasons).stale == tuple(reasons)


def test_a_class_is_made_with_its_options_and_then_called() -> None:
    pytest.importorskip("torch")
    from harness.tests.plain_losses import SummedUp

    asked: dict[str, Any] = {"like": "torch.nn.BCELoss", "dtypes": ["float32"], "modes": None}
    assert harness.check(SummedUp, ["edges/binary-probability-1-target-1-none"], **asked).conforms
    assert harness.check(SummedUp, ["documents/d4-binary-mean"], **asked).disagreeing
