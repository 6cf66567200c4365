"""What is measured: a workload in one type and pass, and who takes part. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from harness.adapters.base import Description
from harness.adapters.choice import ALL, FIRST
from harness.speed import memory_bound
from harness.speed.workloads import BOTH, Workload

CHEAP_MODES = ("jit", "graph")
"""Compiled modes whose compilation takes less than a second per workload."""

WAYS_TO_COMPUTE = ("eager", "graph", "xla", "jit", "compile")
"""Modes that differ in how they compute; the others differ in what they call."""


@dataclass(frozen=True)
class Task:
    """One thing whose speed is a number."""

    workload: Workload
    dtype: str
    passes: str

    @property
    def name(self) -> str:
        return f"{self.workload.id}:{self.dtype}:{self.passes}"

    @property
    def differentiate(self) -> tuple[str, ...]:
        return self.workload.case.differentiate if self.passes == BOTH else ()

    @property
    def judged_gradients(self) -> tuple[str, ...]:
        """Gradients that come back from the worker: those of rows that are repeated."""
        return tuple(name for name in self.differentiate if name in self.workload.batch)


@dataclass(frozen=True)
class Player:
    """An implementation in a mode."""

    implementation: str
    mode: str


def tasks_of(workloads: tuple[Workload, ...]) -> tuple[Task, ...]:
    """All tasks of some workloads."""
    return tuple(
        Task(workload, dtype, passes)
        for workload in workloads
        for dtype in workload.case.dtypes
        for passes in workload.passes
    )


def modes_of(description: Description, asked: tuple[str, ...] | None) -> tuple[str, ...]:
    """The modes measured: those asked for, else the first and what compiles quickly."""
    if asked is None:
        return tuple(dict.fromkeys((description.modes[0], *(m for m in description.modes if m in CHEAP_MODES))))
    if ALL in asked:
        return tuple(m for m in description.modes if m in WAYS_TO_COMPUTE)
    first = description.modes[:1] if FIRST in asked else ()
    return tuple(m for m in description.modes if m in (*asked, *first))


def lacking(description: Description, task: Task) -> str:
    """Why an implementation has no speed on a task; empty where it offers everything the task asks for."""
    if task.workload.case.loss not in description.losses:
        return f"offers no {task.workload.case.loss}"
    if task.dtype not in description.dtypes:
        return f"takes no {task.dtype}"
    if task.passes == BOTH and not description.gradients:
        return "computes values only"
    return ""


def traffic(task: Task) -> memory_bound.Traffic:
    """Bytes of a task."""
    workload = task.workload
    reduction = workload.case.options.get("reduction")
    dtypes = workload.dtypes_of(task.dtype)
    return memory_bound.traffic(workload.case.loss, workload.shapes(), dtypes, reduction, task.differentiate)
