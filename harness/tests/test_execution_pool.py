"""The pool: side by side, in order, killed from outside, interrupted, and what it costs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from harness.adapters.registry import resolve
from harness.core.arrays import Array
from harness.core.call import Question
from harness.core.case import ArraySpec
from harness.core.outcomes import Returned
from harness.execution.pool import WorkerPool
from harness.suite.generators import realize
from harness.tests.pools import PLENTY, ask, is_gone_within, is_running, miniature, plan, softmax_case

IDLE = miniature("Idle")
ROOT = Path(__file__).resolve().parents[2]


def test_answers_come_in_order_from_implementations_side_by_side() -> None:
    names = [IDLE, miniature("Prints"), miniature("Warns")]
    plans = {name: plan(name, range(20, 60)) for name in names}
    seen = defaultdict(list)
    with WorkerPool([resolve(name) for name in names], timeout=PLENTY, parallel=2) as pool:
        descriptions, absent = pool.start()
        assert set(descriptions) == set(names)
        assert not absent
        assert all(pool.startup_seconds(name) > 0 for name in names)
        for question, _ in pool.ask(plans):
            seen[question.implementation].append(question)
    assert seen == plans


def test_a_pool_can_be_asked_again() -> None:
    with WorkerPool([resolve(IDLE)], timeout=PLENTY, parallel=1) as pool:
        for _ in range(2):
            assert len(list(pool.ask({IDLE: plan(IDLE, (1.0, 2.0))}))) == 2
        assert list(pool.ask({})) == []


def test_starting_again_ends_the_worker_that_was_running() -> None:
    with WorkerPool([resolve(IDLE)], timeout=PLENTY, parallel=1) as pool:
        first, second = (int(pool.start()[0][IDLE].version) for _ in range(2))
        assert is_gone_within(first, 5.0)
        assert is_running(second)


def test_a_worker_killed_from_outside_is_an_incident_and_every_call_is_answered() -> None:
    numbers = range(20, 420)
    answered: list[float] = []
    with WorkerPool([resolve(IDLE)], timeout=PLENTY, parallel=1) as pool:
        descriptions, _ = pool.start()
        os.kill(int(descriptions[IDLE].version), signal.SIGKILL)
        for _, outcome in pool.ask({IDLE: plan(IDLE, numbers)}):
            assert isinstance(outcome, Returned)
            answered.append(outcome.value.to_float64().ravel()[0])
        (incident,) = pool.incidents()
    assert answered == list(numbers)
    assert "SIGKILL" in incident


def test_leaving_in_the_middle_ends_all_workers_promptly() -> None:
    names = [IDLE, miniature("HangsHoldingTheLock")]
    with WorkerPool([resolve(name) for name in names], timeout=600.0, parallel=2) as pool:
        descriptions, _ = pool.start()
        pids = [int(description.version) for description in descriptions.values()]
        assert all(is_running(pid) for pid in pids)
        answers = pool.ask({IDLE: plan(IDLE, range(20, 2000)), names[1]: plan(names[1], (13.0,))})
        next(answers)
        begin = time.perf_counter()
    assert time.perf_counter() - begin < 10.0
    assert all(is_gone_within(pid, 5.0) for pid in pids)


SCRIPT = """
import sys
from harness.adapters.registry import resolve
from harness.execution.pool import WorkerPool
from harness.tests.pools import miniature, plan

name = miniature("{name}")
with WorkerPool([resolve(name)], timeout=600.0, parallel=1) as pool:
    if "{name}" == "HangsAtStart":
        print("0", flush=True)
    descriptions, _ = pool.start()
    print(descriptions[name].version, flush=True)
    list(pool.ask({{name: plan(name, (13.0,))}}))
"""


def running(name: str) -> tuple[subprocess.Popen[str], int]:
    """Another harness that asks a miniature for what it will not answer, and the number of its worker."""
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT.format(name=name)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    return process, int(process.stdout.readline())


@pytest.mark.parametrize("name", ["Hangs", "HangsHoldingTheLock", "HangsAtStart"])
def test_an_interrupt_ends_everything_promptly(name: str) -> None:
    process, worker = running(name)
    time.sleep(1.0)  # for the call, or the construction, to have begun
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=15.0)
    assert errors.rstrip().endswith("KeyboardInterrupt")
    assert worker == 0 or is_gone_within(worker, 5.0)


@pytest.mark.parametrize("name", ["Hangs", "HangsHoldingTheLock"])
def test_a_worker_does_not_outlive_the_harness(name: str) -> None:
    process, worker = running(name)
    assert is_running(worker)
    process.kill()
    process.communicate(timeout=15.0)
    assert is_gone_within(worker, 5.0)


@pytest.mark.parametrize("layout", ["contiguous", "strided", "transposed", "reversed", "sliced"])
def test_generated_arrays_and_layouts_are_made_inside_the_worker(layout: str) -> None:
    spec = ArraySpec(generator="uniform", parameters={"shape": (3, 4), "seed": 5}, layout=layout)
    here = realize(spec, "float32")
    for name, expected in (
        (miniature("Idle"), here),
        (miniature("TellsItsLayout"), Array.of(np.array(here.storage.strides) // 4)),
    ):
        with WorkerPool([resolve(name)], timeout=PLENTY, parallel=1) as pool:
            ((_, outcome),) = pool.ask({name: [Question(name, softmax_case(spec), "float32", "eager")]})
        assert isinstance(outcome, Returned)
        assert outcome.value.same_bits(expected)


def test_warnings_are_told_once_each_and_random_numbers_do_not_depend_on_earlier_calls() -> None:
    name = miniature("Warns")
    first, second = ask([name], (1.0, 2.0))[name]
    assert isinstance(first, Returned)
    assert isinstance(second, Returned)
    assert first.warnings == second.warnings == ("FutureWarning: deprecated", "RuntimeWarning: imprecise")
    assert first.value.same_bits(second.value)
