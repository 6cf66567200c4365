"""Asking implementations through a whole pool, for the tests of execution."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Sequence

from harness.adapters.registry import resolve
from harness.core.call import Question
from harness.core.case import ArraySpec, Case, Location
from harness.core.outcomes import Outcome
from harness.execution.pool import WorkerPool

PLENTY = 30.0
"""Seconds a call may take where no call is meant to time out: a busy machine must not fail a test."""


def miniature(name: str) -> str:
    return f"harness.tests.miniatures:{name}"


def softmax_case(logits: ArraySpec, name: str = "case") -> Case:
    return Case(
        f"tests/{name}", "title", "why", "softmax", {"logits": logits}, Location("f", 1), differentiate=("logits",)
    )


def plan(implementation: str, numbers: Sequence[float]) -> list[Question]:
    """One question per number, which is the first logit."""
    return [
        Question(implementation, softmax_case(ArraySpec(((n, 2.0),)), f"logit-{n:g}"), "float64", "eager")
        for n in numbers
    ]


def ask(
    implementations: Sequence[str], numbers: Sequence[float], *, timeout: float = PLENTY, python: str | None = None
) -> dict[str, list[Outcome]]:
    """The outcomes of every implementation, all of which can be started."""
    outcomes: dict[str, list[Outcome]] = {name: [] for name in implementations}
    with WorkerPool([resolve(name) for name in implementations], timeout=timeout, parallel=2, python=python) as pool:
        _, absent = pool.start()
        assert not absent
        for question, outcome in pool.ask({name: plan(name, numbers) for name in implementations}):
            outcomes[question.implementation].append(outcome)
    return outcomes


def is_running(pid: int) -> bool:
    """Whether a process exists that is more than an entry nobody has collected."""
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return bool(state.strip()) and not state.strip().startswith("Z")


def is_gone_within(pid: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while is_running(pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)  # between two looks at the table of processes
    return True
