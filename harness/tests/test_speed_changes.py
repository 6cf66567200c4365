"""The gate on speed: ratios within each run, an interval and a threshold, exit code 8."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.core.cell import Header, Run, Speed
from harness.core.exit_codes import ExitCode
from harness.runs.diff import Difference, NotComparable
from harness.runs.gate import gate, run_codes
from harness.runs.merge import merge
from harness.runs.run_file import RunWriter, read_run
from harness.speed.old_against_new import _change as against
from harness.speed.speed_changes import SpeedChange, compare_speeds, counts, slower
from harness.speed.statistics import Interval
from harness.versions.upgrade import Upgrade
from reports.gate import markdown


def ratios(centre: float, seed: int, count: int = 5) -> list[float]:
    return [float(r) for r in centre * np.exp(np.random.default_rng(seed).normal(0, 0.01, count))]


def speed(implementation: str, found: list[float], **more: Any) -> Speed:
    figures = {"passes": "forward", "threads": 1, "ratios": found, "judged": "agrees", **more}
    return Speed("workloads/w", implementation, "eager", "float32", "same", figures)


def run_of(tmp_path: Path, name: str, *speeds: Speed) -> Run:
    path = tmp_path / name
    names = {one.implementation: {"version": "1"} for one in speeds}
    header = Header({"version": "1", "digest": "", "cases": {}}, names, {"cpu": "some"}, "2026-01-01T00:00:00+00:00")
    with RunWriter(path, header) as writer:
        for one in speeds:
            writer.add(one)
        writer.finish({})
    return read_run(path)


def test_a_slowdown_is_red_and_nothing_else_is(tmp_path: Path) -> None:
    old = run_of(
        tmp_path, "old", speed("numpy", [1.0] * 5), *(speed(n, ratios(2, i)) for i, n in enumerate(("a", "b", "c")))
    )
    new = run_of(
        tmp_path,
        "new",
        speed("numpy", [1.0] * 5),
        speed("a", ratios(2.6, 11)),
        speed("b", ratios(2.02, 12)),
        speed("c", ratios(1.5, 13)),
    )
    result = gate(old, new)
    assert result.code == ExitCode.SLOWER
    assert {c.key[3]: c.verdict for c in result.speeds} == {"a": "slower", "b": "same", "c": "faster"}
    assert "1.3 times as long as before" in slower(result.speeds)[0].sentence
    assert counts(result.speeds) == {"slower": 1, "faster": 1, "same": 1}
    assert gate(old, new, threshold=0.5).code == ExitCode.FINE
    assert gate(old, old).code == ExitCode.FINE


def test_the_gates_markdown_names_what_became_slower_and_nothing_that_did_not(tmp_path: Path) -> None:
    old = run_of(tmp_path, "old", speed("numpy", [1.0] * 5), speed("a", ratios(2, 0)), speed("b", ratios(2, 1)))
    new = run_of(tmp_path, "new", speed("numpy", [1.0] * 5), speed("a", ratios(2.6, 2)), speed("b", ratios(2, 3)))
    text = markdown(gate(old, new), new)
    assert "1 slower, 0 faster, 1 same" in text
    assert "a:eager on workloads/w \\(float32, forward, threads: 1\\): slower" in text
    assert "b:eager" not in text


def test_an_upgrade_tells_the_slower_first_and_how_to_time_it_again(tmp_path: Path) -> None:
    run = run_of(tmp_path, "run")
    keys = {name: (f"workloads/{name}", "forward", "1", "torch", "eager", "float32") for name in ("a", "b", "c")}
    found = Upgrade(
        old=run,
        new=run,
        sides={"old": ("", {}), "new": ("", {})},
        difference=Difference((), 3, 3),
        canary_results=(),
        command="xent upgrade torch",
        speeds=(
            SpeedChange(keys["a"], "unstable", Interval(1.5, 0.7, 3.0)),
            SpeedChange(keys["b"], "slower", Interval(1.2, 1.1, 1.3)),
            SpeedChange(keys["c"], "same", Interval(1.0, 0.99, 1.01)),
        ),
        timing_commands={"torch": "xent upgrade torch --workloads"},
    )
    assert found.verdict.startswith("No cell changed: 3 cells compared")
    assert found.verdict.endswith("1 of 3 timings are slower.")
    assert [change.workload for change in found.moved] == ["workloads/b", "workloads/a"]
    assert found.timed_by(found.moved[0]) == "xent upgrade torch --workloads workloads/b"
    assert replace(found, speeds=()).speed_verdict == "no workload is supported on both sides"
    assert replace(found, speeds=None).speed_verdict == "not compared"


def test_absolute_times_are_never_compared(tmp_path: Path) -> None:
    old = run_of(tmp_path, "old", speed("a", ratios(2, 1), seconds=0.001))
    new = run_of(tmp_path, "new", speed("a", ratios(2, 2), seconds=0.1))
    assert gate(old, new).code == ExitCode.FINE


@pytest.mark.parametrize(
    ("found", "more", "reason"),
    [([], {"why": "3.1 s: too slow"}, "(agrees: 3.1 s: too slow)"), ([2.0, 2.0], {}, "2 process pairs are too few")],
)
def test_what_has_no_number_any_more_is_lost_and_too_few_are_not_comparable(
    tmp_path: Path, found: list[float], more: dict[str, Any], reason: str
) -> None:
    old = run_of(tmp_path, "old", speed("a", ratios(1, 1)))
    new = run_of(tmp_path, "new", speed("a", found, **more))
    (change,) = compare_speeds(old, new)
    assert change.verdict == ("not comparable" if found else "not measured any more")
    assert reason in change.sentence
    assert gate(old, new).code == (ExitCode.NOTHING_RAN if found else ExitCode.CHANGED)


def test_ratios_to_something_else_are_not_compared_and_it_says_so(tmp_path: Path) -> None:
    old = run_of(tmp_path, "old", speed("a", ratios(1, 1)), speed("numpy", [1.0] * 5))
    new = run_of(tmp_path, "new", *(speed(n, ratios(9, 2), yardstick="numpy-by-hand") for n in ("a", "numpy")))
    found = {c.implementation: c for c in compare_speeds(old, new)}
    assert {c.verdict for c in found.values()} == {"not comparable"}
    assert "before it was compared with numpy, now with numpy-by-hand" in found["a"].sentence
    assert gate(old, new).code == ExitCode.NOTHING_RAN


def test_what_only_one_run_measured_and_other_threads_are_no_change(tmp_path: Path) -> None:
    old = run_of(tmp_path, "old", speed("a", ratios(1, 1)), speed("b", ratios(1, 2)))
    new = run_of(tmp_path, "new", speed("a", ratios(2, 1), threads=2))
    assert compare_speeds(old, new) == ()
    assert gate(old, new).code == ExitCode.NOTHING_RAN


def test_who_was_asked_again_and_is_not_measured_any_more_is_lost(tmp_path: Path) -> None:
    old = run_of(tmp_path, "old", speed("a", ratios(1, 1)), speed("b", ratios(1, 2)))
    new = run_of(tmp_path, "new", speed("a", ratios(1, 3)))
    assert gate(old, new).code == ExitCode.FINE
    asked = replace(new, header=replace(new.header, implementations={"a": {}, "b": {}}))
    assert gate(old, asked).code == ExitCode.CHANGED


NO_NUMBER = {"crashed": 9, "timed_out": 9, "missing": 9, "disagrees": 1}


@pytest.mark.parametrize("judged", NO_NUMBER)
def test_what_was_not_timed_since_it_is_wrong_or_was_never_judged_is_red_everywhere(
    tmp_path: Path, judged: str
) -> None:
    good = run_of(tmp_path, "good.jsonl", speed("a", ratios(1, 1)))
    bad = run_of(tmp_path, "bad.jsonl", speed("a", ratios(1, 2)), speed("b", [], judged=judged))
    code = NO_NUMBER[judged]
    assert run_codes(bad) == {ExitCode(code)}
    assert gate(good, bad).code == gate(bad, bad).code == code
    other = run_of(tmp_path, "other.jsonl", speed("c", ratios(1, 1)))
    assert merge([other, bad]).speeds == other.speeds + bad.speeds
    assert run_codes(merge([other, bad])) == {ExitCode(code)}
    with pytest.raises(NotComparable, match="1 measurements are in more than one part"):
        merge([good, bad])


def test_an_implementation_that_could_not_start_is_red_though_nobody_measured_it(tmp_path: Path) -> None:
    good = run_of(tmp_path, "good.jsonl", speed("a", ratios(1, 1)))
    bad = replace(good, header=replace(good.header, implementations={"a": {}, "b": {"missing": "no module"}}))
    assert gate(good, bad).code == gate(bad, good).code == ExitCode.INFRASTRUCTURE
    assert ExitCode.INFRASTRUCTURE in run_codes(merge([bad]))


@pytest.mark.parametrize("judged", NO_NUMBER)
def test_an_upgrade_whose_timing_was_not_judged_is_red(tmp_path: Path, judged: str) -> None:
    run = run_of(tmp_path, "run", speed("a", ratios(1, 1)))
    change = against(("w", "f", "1", "a", "eager", "f"), speed("a", ratios(1, 1)), speed("a", [], judged=judged), 0.05)
    found = Upgrade(run, run, {}, Difference((), 1, 1), (), "", speeds=(change,))
    assert found.codes == {ExitCode.CHANGED if judged == "disagrees" else ExitCode.INFRASTRUCTURE}
    assert found.moved == (change,)


def test_the_command_exits_with_eight(tmp_path: Path) -> None:
    run_of(tmp_path, "old.jsonl", speed("a", ratios(2, 1)))
    run_of(tmp_path, "new.jsonl", speed("a", ratios(3, 2)))
    command = [sys.executable, "-m", "harness", "gate", str(tmp_path / "old.jsonl"), str(tmp_path / "new.jsonl")]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert finished.returncode == ExitCode.SLOWER, finished.stderr
    assert "a:eager on workloads/w" in finished.stdout
    lenient = subprocess.run([*command, "--slower", "80"], capture_output=True, text=True, timeout=100)
    assert lenient.returncode == ExitCode.FINE
