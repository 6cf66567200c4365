"""Timing in the worker, and the bench from end to end: what is wrong has no speed."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.adapters.base import Answer, Array, Call, Description
from harness.adapters.machine import _soonest
from harness.adapters.numpy import NumPy
from harness.adapters.registry import Implementation, installed, registered
from harness.core.exit_codes import ExitCode
from harness.core.outcomes import Raised, Refused, Returned
from harness.execution import timing
from harness.execution.worker_environment import worker_folder
from harness.runs.gate import run_codes
from harness.runs.run_file import read_run
from harness.speed.bench import Bench, Effort, Session
from harness.speed.entrants import YARDSTICK
from harness.speed.machine_workloads import MACHINE, machine_workload
from harness.speed.measured_worker import Core, TimedWorker, WorkerLostError, core, cores_in
from harness.speed.old_against_new import old_against_new
from harness.speed.tasks import modes_of
from harness.speed.workloads import load_workloads
from harness.tests.made_calls import make_call

pytestmark = pytest.mark.slow

SMALL = next(w for w in load_workloads() if w.id == "workloads/softmax-32x10")
QUICK = Effort(sets=2, rounds=2, block_seconds=0.001, budget=0.01)


def test_a_block_makes_as_many_calls_as_asked_and_counts_what_they_cost() -> None:
    made: list[float] = []

    def call() -> None:
        made.append(float(np.ones(300_000).sum()))

    block = timing.timed(call, 20)
    assert block.calls == 20
    assert len(made) == 21  # one to warm the caches
    assert timing.timed(call, 1).calls == 1
    assert len(made) == 22
    assert block.cpu > 0
    assert 0 <= block.system <= block.cpu
    assert 0 < block.wall < 60
    assert block.peak_bytes > 10_000_000  # an interpreter with NumPy is larger than that
    assert timing.block_from_wire(timing.block_to_wire(block)) == block


def test_a_message_that_is_no_block_is_refused() -> None:
    with pytest.raises(ValueError, match="wall"):
        timing.block_from_wire({"calls": 1})


@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_the_block_of_an_enlarged_call_is_what_the_call_alone_gives(reduction: str) -> None:
    inputs = {"logits": np.random.default_rng(1).normal(size=(3, 5)), "targets": np.array([0, 4, 2])}
    call = make_call("softmax_cross_entropy", inputs, {"reduction": reduction}, differentiate=("logits",))
    whole = timing.enlarged(call, 4, ("logits", "targets"))
    assert whole.inputs["logits"].shape == (12, 5)
    alone = NumPy().evaluate(call)
    back = timing.first_rows(NumPy().evaluate(whole), whole, 4, ("logits", "targets"))
    np.testing.assert_allclose(back.value.storage, alone.value.storage, rtol=1e-14)
    np.testing.assert_allclose(back.gradients["logits"].storage, alone.gradients["logits"].storage, rtol=1e-14)


@pytest.fixture
def worker() -> Iterator[TimedWorker]:
    with worker_folder() as place:
        started = TimedWorker(registered()["numpy"], place, core(1))
        try:
            assert isinstance(started.describe(), Description)
            yield started
        finally:
            started.stop()


def test_a_worker_prepares_times_and_lets_go(worker: TimedWorker) -> None:
    prepared = worker.prepare("w", SMALL, "float32", "eager", ("logits",))
    assert isinstance(prepared.outcome, Returned)
    assert set(prepared.outcome.gradients) == {"logits"}
    assert set(prepared.seconds) == {"making_inputs", "placing", "first_call", "second_call"}
    assert worker.time("w", 7).calls == 7
    worker.release("w")
    with pytest.raises(WorkerLostError, match="no workload 'w' was prepared"):
        worker.time("w", 1)


def test_what_is_refused_or_raised_is_an_outcome_and_the_worker_lives_on(worker: TimedWorker) -> None:
    assert isinstance(worker.prepare("w", SMALL, "float32", "eager", ("nothing",)).outcome, Raised)
    nothing = machine_workload("nothing", 1)
    assert isinstance(worker.prepare("n", nothing, "float32", "eager", ()).outcome, Refused)
    assert isinstance(worker.prepare("w", SMALL, "float32", "eager", ()).outcome, Returned)


class Wrong:
    """Twice the loss, in no time."""

    def describe(self) -> Description:
        return Description("1", ("softmax_cross_entropy",))

    def evaluate(self, call: Call) -> Answer:
        right = NumPy().evaluate(call)
        return Answer(Array.of(2 * right.value.to_float64(), call.dtype), "wrong", right.gradients)


def test_a_wrong_answer_has_no_speed_and_a_right_one_has_all_figures() -> None:
    wrong = Implementation("wrong", f"{__name__}:Wrong", found_here=True)
    bench = Bench((SMALL,), (registered()[YARDSTICK], wrong), effort=QUICK)
    found = {(s.implementation, s.figures["passes"]): s for s in Session(bench, core(1)).measure()}
    assert "seconds" not in found["wrong", "forward"].figures
    assert found["wrong", "forward"].figures["judged"] == "disagrees"
    figures = found[YARDSTICK, "forward+backward"].figures
    assert figures["judged"] == "agrees"
    assert figures["seconds"] > 0
    assert figures["ratios"] == [1.0, 1.0]
    assert figures["fraction_of_limit"] > 0
    assert 0 < figures["overhead_seconds"] < 1e-6
    assert figures["elements"] == 320
    assert found[YARDSTICK, "forward"].verdict == "not comparable"  # two pairs are no five


def test_what_is_too_slow_for_rounds_says_how_long_a_call_takes() -> None:
    bench = Bench(
        (replace(SMALL, passes=("forward",)),), (registered()[YARDSTICK],), effort=replace(QUICK, slowest=0.0)
    )
    (found,) = Session(bench, core(1)).measure()
    assert "seconds" not in found.figures
    assert "too slow to be timed repeatedly" in found.figures["why"]


class Dying:
    """Right at first, and gone at the tenth call."""

    def __init__(self) -> None:
        self._calls = 0

    def describe(self) -> Description:
        return Description("1", ("softmax_cross_entropy",))

    def evaluate(self, call: Call) -> Answer:
        self._calls += 1
        if self._calls == 10:
            os._exit(3)
        return NumPy().evaluate(call)


def test_a_worker_that_dies_while_it_is_timed_has_no_speed_and_the_others_go_on() -> None:
    dying = Implementation("dying", f"{__name__}:Dying", found_here=True)
    bench = Bench((SMALL,), (registered()[YARDSTICK], dying), effort=QUICK)
    found = {(s.implementation, s.figures["passes"]): s.figures for s in Session(bench, core(1)).measure()}
    assert found["dying", "forward"]["judged"] == "crashed"
    assert "exit status 3" in found["dying", "forward"]["why"]
    assert found[YARDSTICK, "forward"]["pairs"] == 2


class Spinning:
    """Leaves a thread behind that works on for a while, as thread pools do."""

    def describe(self) -> Description:
        return Description("1", ("softmax_cross_entropy",))

    def evaluate(self, call: Call) -> Answer:
        end = time.monotonic() + 0.04

        def spin() -> None:
            while time.monotonic() < end:
                pass

        threading.Thread(target=spin).start()
        return NumPy().evaluate(call)


def test_nobody_is_timed_before_the_threads_of_the_last_one_rest() -> None:
    cpus = core(None).cpus
    with worker_folder() as place:
        spinning = Implementation("spinning", f"{__name__}:Spinning", found_here=True)
        started = TimedWorker(spinning, place, Core(cpus, 2, cpus))
        try:
            started.describe()
            started.prepare("w", SMALL, "float32", "eager", ())
            # Ten, since what the system tells of a running thread lags behind and may mislead a look now and then.
            for _ in range(10):
                since = time.monotonic()
                started.time("w", 1)
                assert time.monotonic() - since >= 0.04
        finally:
            started.stop()


class DyingInTheSecondSet:
    """Two modes, right in the first processes, and gone at the first call in the second ones."""

    def __init__(self) -> None:
        started = Path(os.environ["XENT_TEST_STARTED"])
        self._dies = started.exists()
        started.touch()

    def describe(self) -> Description:
        return Description("1", ("softmax_cross_entropy",), modes=("eager", "graph"))

    def evaluate(self, call: Call) -> Answer:
        if self._dies:
            os._exit(3)
        return NumPy().evaluate(call)


def test_a_worker_that_dies_while_all_prepare_side_by_side_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XENT_TEST_STARTED", str(tmp_path / "started"))
    dying = Implementation("dying", f"{__name__}:DyingInTheSecondSet", found_here=True)
    bench = Bench((SMALL,), (registered()[YARDSTICK], dying), effort=QUICK)
    found = {(s.implementation, s.mode, s.figures["passes"]): s.figures for s in Session(bench, core(1)).measure()}
    assert found["dying", "eager", "forward"]["judged"] == "crashed"
    assert found["dying", "graph", "forward"]["pairs"] == 1  # of the first set
    assert found[YARDSTICK, "eager", "forward"]["pairs"] == 2


class Frozen:
    """Answers how many objects its collections do not look at."""

    def describe(self) -> Description:
        return Description("1", ("softmax_cross_entropy",))

    def evaluate(self, _: Call) -> Answer:
        return Answer(Array.of(np.float64(gc.get_freeze_count()), "float64"), "gc.get_freeze_count")


def test_collections_in_a_worker_do_not_look_at_what_importing_left() -> None:
    with worker_folder() as place:
        started = TimedWorker(Implementation("frozen", f"{__name__}:Frozen", found_here=True), place, core(1))
        try:
            started.describe()
            answered = started.prepare("w", SMALL, "float32", "eager", ()).outcome
        finally:
            started.stop()
    assert isinstance(answered, Returned)
    assert float(answered.value.to_float64()) > 1000  # an interpreter that has imported NumPy holds many more


@pytest.mark.skipif("keras-jax" not in installed(), reason="needs Keras and JAX")
def test_keras_on_jax_answers_in_float32_as_its_users_run_it_and_has_a_speed() -> None:
    bench = Bench((replace(SMALL, passes=("forward",)),), (registered()[YARDSTICK], registered()["keras-jax"]))
    session = Session(replace(bench, modes=("eager",), effort=replace(QUICK, sets=1)), core(1))
    found = {s.implementation: s.figures for s in session.measure()}
    assert found["keras-jax"]["judged"] == "agrees"
    assert found["keras-jax"]["seconds"] > 0
    assert session.descriptions["keras-jax"].flags["jax_enable_x64"] == "False"


def test_the_kernels_lists_of_cores() -> None:
    assert cores_in("0-3,8,10-11\n") == {0, 1, 2, 3, 8, 10, 11}
    assert cores_in("5") == {5}
    assert cores_in("\n") == set()


def test_what_is_timed_on_a_core_may_be_prepared_on_it() -> None:
    one = core(1)
    assert set(one.cpus) <= set(one.nearby)
    assert core(None).nearby == core(None).cpus


def test_an_implementation_that_cannot_start_is_absent_and_the_others_are_measured() -> None:
    absent = Implementation("absent", "no_such_module:Nothing")
    session = Session(Bench((SMALL,), (registered()[YARDSTICK], absent), effort=QUICK), core(1))
    assert {s.implementation for s in session.measure()} == {YARDSTICK}
    assert "no_such_module" in session.absent["absent"]


def test_the_modes_measured() -> None:
    description = Description("1", (), modes=("eager", "graph", "xla", "v1"))
    assert modes_of(description, None) == ("eager", "graph")
    assert modes_of(description, ("all",)) == ("eager", "graph", "xla")
    assert modes_of(description, ("xla",)) == ("xla",)


def test_the_machine_reads_and_copies() -> None:
    with worker_folder() as place:
        machine = TimedWorker(MACHINE, place, core(1))
        try:
            machine.describe()
            for what in ("nothing", "read", "copy"):
                workload = machine_workload(what, 2**20)
                assert isinstance(machine.prepare(what, workload, "float32", "eager", ()).outcome, Returned)
            empty, read = (machine.time(what, 20).wall for what in ("nothing", "read"))
        finally:
            machine.stop()
    assert empty < read


def test_the_machine_reads_in_one_thread_or_in_all_whichever_is_sooner_done() -> None:
    def quick() -> None: ...

    def slow() -> None:
        time.sleep(0.005)

    assert _soonest(quick, [slow, slow]) is quick
    assert _soonest(slow, [quick, quick]) is not slow
    assert _soonest(slow, [quick]) is slow  # one thread: there is nothing to choose


def test_old_against_new_finds_a_planted_slowdown() -> None:
    numpy = registered()["numpy"]
    twice = Implementation("numpy", f"{__name__}:Twice", found_here=True)
    (change,) = old_against_new(
        ((numpy, None), (twice, sys.executable)),
        [replace(SMALL, passes=("forward",))],
        effort=Effort(rounds=4, block_seconds=0.002),
    )
    assert change.key[:2] == ("workloads/softmax-32x10", "forward")
    assert change.verdict == "slower", change.sentence
    assert change.interval is not None
    assert change.interval.ratio > 1.3


class Twice:
    """NumPy, asked twice."""

    def describe(self) -> Description:
        return NumPy().describe()

    def evaluate(self, call: Call) -> Answer:
        NumPy().evaluate(call)
        return NumPy().evaluate(call)


def run(*arguments: str, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "harness", "bench", *arguments], capture_output=True, text=True, timeout=300, cwd=path
    )


def test_the_command_writes_a_run_file_and_shows_a_table(tmp_path: Path) -> None:
    path = tmp_path / "bench.jsonl"
    finished = run("softmax-32x10", "-i", "numpy", "--sets", "1", "-o", str(path))
    assert finished.returncode == ExitCode.FINE, finished.stderr
    assert "ns/element" in finished.stdout
    assert "is subtracted" in finished.stdout
    assert "  , " not in finished.stdout  # of the one that all are compared with there is no verdict to go before
    kept = read_run(path)
    assert {s.workload for s in kept.speeds} == {"workloads/softmax-32x10"}
    assert {s.implementation for s in kept.speeds} == {"numpy", YARDSTICK}
    assert {s.yardstick for s in kept.speeds} == {YARDSTICK}
    assert run_codes(kept) == set()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("no-such-workload",), "no workload has this id"),
        (("-i", "numpyy"), "no implementation is named"),
    ],
)
def test_what_cannot_be_done_is_a_usage_error(arguments: tuple[str, ...], message: str) -> None:
    finished = run(*arguments)
    assert finished.returncode == ExitCode.USAGE
    assert message in finished.stderr
