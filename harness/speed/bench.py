"""The bench: workloads × implementations × modes, timed side by side, into `Speed` records.

The unit of sampling is a set of processes: every set starts every worker anew, all on the same core, one active at a
time. Within a set the blocks of all implementations are interleaved round by round. What is judged is the answer of the
very call that is timed, and an implementation whose answer does not agree is not timed.
"""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from harness.adapters.base import Description
from harness.adapters.choice import check_modes, check_truths
from harness.adapters.registry import Implementation
from harness.core.cell import Speed
from harness.core.outcomes import Crashed, Missing, Refused, TimedOut
from harness.execution.timing import Block
from harness.execution.worker_environment import worker_folder
from harness.speed import block_order
from harness.speed import statistics as judging
from harness.speed.answers import GOOD, Answers
from harness.speed.entrants import YARDSTICK, as_used
from harness.speed.figures import Found, MachineBlocks, figures
from harness.speed.machine_workloads import MACHINE, Machine, machine_workload, timing
from harness.speed.measured_worker import Core, Prepared, TimedWorker, WorkerLostError
from harness.speed.tasks import Player, Task, lacking, modes_of, tasks_of, traffic
from harness.speed.workloads import Workload

Tell = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Effort:
    """How much is measured."""

    sets: int = judging.FEWEST_PAIRS
    """Sets of processes."""
    rounds: int = 6
    """Rounds in a set, where all that take part can afford them."""
    seconds: float = 1.0
    """Of a set for one workload and pass: few implementations have more rounds than `rounds` in that time."""
    most_rounds: int = 24
    block_seconds: float = 0.015
    """Length of a block where a call is shorter: long against the clock and the scheduler's tick, short against the
    drift of a shared machine."""
    budget: float = 0.6
    """Seconds a set may spend in the blocks of one implementation on one workload (one round at least)."""
    slowest: float = 3.0
    """Seconds of a call beyond which there are no rounds: the one of fifteen players that takes longer took a fifth
    of the time of the largest workload. How long its call takes is told all the same."""


@dataclass(frozen=True)
class Bench:
    """What is to be measured."""

    workloads: tuple[Workload, ...]
    implementations: tuple[Implementation, ...]
    modes: tuple[str, ...] | None = None
    """None: the first mode of each, and jit and graph where there are such."""
    effort: Effort = field(default_factory=Effort)
    threads: int | None = 1
    """None: all cores."""
    python: str | None = None
    pythons: Mapping[str, str] = field(default_factory=dict)
    """Interpreters of other environments, by implementation, before `python`."""


@dataclass
class Entry:
    """What takes part in the rounds of a task, in one set of processes."""

    run: Callable[[int], Block]
    """Times a block of so many calls."""
    found: Found
    second_call: float
    """Seconds of a call, roughly."""
    block_seconds: float
    """Length of its blocks."""


class Session:
    """One run of the bench. `measure` yields the records of a task when all sets of it are done."""

    def __init__(self, bench: Bench, where: Core, tell: Tell = lambda *_: None) -> None:
        self._bench, self._where, self._tell = bench, where, tell
        self.descriptions: dict[str, Description] = {}
        self.absent: dict[str, str] = {}
        self.startup: dict[str, float] = {}
        self._found: dict[tuple[str, Player], Found] = defaultdict(Found)
        self._machine: dict[tuple[str, str], Found] = defaultdict(Found)
        self._answers = Answers()

    def measure(self) -> Iterator[Speed]:
        """All records. Closing the iterator stops the workers."""
        tasks = tasks_of(self._bench.workloads)
        steps = self._bench.effort.sets * len(tasks)
        for number in range(self._bench.effort.sets):
            with ExitStack() as stack:
                workers = self._start(stack)
                machine = self._start_machine(workers)
                if not self.absent:  # of what could not start nobody knows the modes
                    check_modes(self._bench.modes, self._described())
                check_truths(self._described(), "a measurement of speed")
                for position, task in enumerate(tasks):
                    self._task(workers, machine, task, number)
                    self._tell("bench", number * len(tasks) + position + 1, steps)
        for task in tasks:
            yield from self._records(task)

    def seconds_per_call(self, speed: Speed) -> tuple[float, ...]:
        """Of every block of a measurement, our overhead subtracted; none where there is no number."""
        if "overhead_seconds" not in speed.figures:
            return ()
        name = f"{speed.workload}:{speed.dtype}:{speed.figures['passes']}"
        found, overhead = self._found[name, Player(speed.implementation, speed.mode)], speed.figures["overhead_seconds"]
        return tuple(max(b.wall / b.calls - overhead, 0.0) for one_set in found.blocks for b in one_set)

    def _start(self, stack: ExitStack) -> dict[str, TimedWorker]:
        """A set of workers, imported side by side on all cores; what does not come up is left out for good."""
        place = stack.enter_context(worker_folder())
        dtypes = {dtype for workload in self._bench.workloads for dtype in workload.case.dtypes}
        workers: dict[str, TimedWorker] = {}
        for implementation in (MACHINE, *self._bench.implementations):
            if implementation.name not in self.absent:
                python = self._bench.pythons.get(implementation.name, self._bench.python)
                worker = TimedWorker(as_used(implementation, dtypes), place, self._where, python)
                stack.callback(worker.stop)
                workers[implementation.name] = worker
        for name, worker in list(workers.items()):
            since = time.perf_counter()
            described = worker.describe()
            self.startup.setdefault(name, time.perf_counter() - since)
            if isinstance(described, Missing):
                self.absent[name] = described.reason
                del workers[name]
            else:
                self.descriptions[name] = described
        return workers

    def _start_machine(self, workers: dict[str, TimedWorker]) -> Machine:
        if MACHINE.name not in workers:
            raise WorkerLostError(f"the machine itself cannot be measured: {self.absent[MACHINE.name]}")
        return Machine(workers.pop(MACHINE.name))

    def _described(self) -> dict[str, Description]:
        """What is compared: all but the machine itself."""
        return {name: d for name, d in self.descriptions.items() if name != MACHINE.name}

    def players(self) -> Iterator[Player]:
        for name, description in self._described().items():
            for mode in modes_of(description, self._bench.modes):
                yield Player(name, mode)

    def _task(self, workers: dict[str, TimedWorker], machine: Machine, task: Task, number: int) -> None:
        """One task in one set, in groups whose data fits into memory at once, the yardstick in each."""
        players = [p for p in self.players() if p.implementation in workers and self._takes_part(task, p)]
        yardstick = Player(YARDSTICK, "eager")
        for group in block_order.groups([p for p in players if p != yardstick], _side_by_side(task)):
            self._group(workers, machine, task, (*(p for p in players if p == yardstick), *group), number)

    def _takes_part(self, task: Task, player: Player) -> bool:
        """Whether it is timed as far as we know: it offers what is asked, and was right and quick enough so far."""
        found = self._found[task.name, player]
        offers = not lacking(self.descriptions[player.implementation], task)
        return offers and not found.slow and (not found.verdict or found.verdict in GOOD)

    def _group(
        self,
        workers: dict[str, TimedWorker],
        machine: Machine,
        task: Task,
        players: Sequence[Player],
        number: int,
    ) -> None:
        """Prepare, judge, time in rounds, let go."""
        ready = self._prepare(workers, task, players)
        schedule = {_key(task, p): self._entry(task, p, workers[p.implementation]) for p in ready}
        for what, (run, seconds) in machine.timings(max(1, traffic(task).read // 4)).items():
            # Some ten nanoseconds a call: a millisecond of them is long against the clock already.
            length = self._bench.effort.block_seconds if what != "nothing" else 0.001
            schedule[what] = Entry(run, self._machine[task.name, what], seconds, length)
        self._rounds(schedule, number)
        yardstick = self._found[task.name, Player(YARDSTICK, "eager")]
        for player in ready:
            found = self._found[task.name, player]
            if found.verdict in GOOD:
                found.yardstick.append(yardstick.blocks[-1] if yardstick.blocks else [])
                workers[player.implementation].release(_key(task, player))
            elif player.implementation in workers:
                workers.pop(player.implementation).stop()

    def _entry(self, task: Task, player: Player, worker: TimedWorker) -> Entry:
        found = self._found[task.name, player]
        return Entry(
            timing(worker, _key(task, player)),
            found,
            found.preparation["second_call"],
            self._bench.effort.block_seconds,
        )

    def _rounds(self, schedule: Mapping[str, Entry], number: int) -> None:
        """The blocks of one set, in the order planned."""
        effort = self._bench.effort
        affordable = int(effort.seconds / (effort.block_seconds * len(schedule)))
        rounds = max(effort.rounds, min(effort.most_rounds, affordable))
        counts = []
        for entry in schedule.values():
            found = entry.found
            if not found.seconds:
                found.seconds = entry.second_call
                try:
                    found.seconds = _calibrated(entry.run, entry.second_call, entry.block_seconds)
                except WorkerLostError as lost:
                    found.verdict, found.explanation = "crashed", str(lost)
                found.calls = block_order.calls_per_block(found.seconds, entry.block_seconds)
            counts.append(block_order.round_count(found.seconds, effort.block_seconds, rounds, effort.budget))
            found.blocks.append([])
        # All take part in as many rounds as the slowest can afford: what is compared was measured in the same rounds.
        for names in block_order.rounds(list(schedule), min(counts, default=0), seed=number):
            for entry in (schedule[name] for name in names):
                if entry.found.verdict == "crashed":
                    continue
                try:
                    entry.found.blocks[-1].append(entry.run(entry.found.calls))
                except WorkerLostError as lost:
                    entry.found.verdict, entry.found.explanation = "crashed", str(lost)

    def _prepare(self, workers: dict[str, TimedWorker], task: Task, players: Sequence[Player]) -> list[Player]:
        """Those that are ready to be timed.

        The first time each prepares alone, where it is going to be timed: what the first call costs is a number. Later
        they prepare side by side on all cores.
        """
        ready = []
        for player in (p for p in players if not self._found[task.name, p].verdict):
            worker = workers.get(player.implementation)  # gone where another mode of it has just crashed
            if worker is not None:
                prepared = worker.prepare(*_preparation(task, player))
                if self._accept(workers, player, task, prepared, first=True):
                    ready.append(player)
        known = [p for p in players if p not in ready and self._found[task.name, p].preparation]
        known = [p for p in known if self._takes_part(task, p) and p.implementation in workers]
        together = {p.implementation: workers[p.implementation] for p in known}
        for worker in together.values():
            worker.spread()
        asked = [(p, workers[p.implementation].ask_to_prepare(*_preparation(task, p), again=False)) for p in known]
        for player, request in asked:
            if player.implementation not in workers:
                continue  # another mode of it has just crashed
            prepared = together[player.implementation].prepared(request)
            if self._accept(workers, player, task, prepared, first=False):
                ready.append(player)
        for name, worker in together.items():
            if name in workers:
                worker.gather()
        return [p for p in ready if p.implementation in workers]

    def _accept(
        self, workers: dict[str, TimedWorker], player: Player, task: Task, prepared: Prepared, *, first: bool
    ) -> bool:
        """Judge what was answered the first time; let go of what is not to be timed."""
        found, outcome = self._found[task.name, player], prepared.outcome
        if isinstance(outcome, Refused):
            found.verdict, found.explanation = "unsupported", outcome.reason
            return False
        if first:
            description = self.descriptions[player.implementation]
            found.verdict, found.explanation = self._answers.judge(task, player, description, outcome)
        if isinstance(outcome, Crashed | TimedOut | Missing):
            found.verdict = "crashed" if found.verdict in GOOD else found.verdict
            workers.pop(player.implementation).stop()
            return False
        if not prepared.seconds:  # it raised: nothing was prepared
            found.verdict = "disagrees" if found.verdict in GOOD else found.verdict
            return False
        if first:
            found.preparation = prepared.seconds
        second = prepared.seconds.get("second_call", 0.0)
        if second > self._bench.effort.slowest:
            found.slow, found.explanation = True, f"one call takes {second:.1f} s: too slow to be timed repeatedly"
        if found.verdict not in GOOD or found.slow:
            workers[player.implementation].release(_key(task, player))
            return False
        return True

    def _records(self, task: Task) -> Iterator[Speed]:
        for player in self.players():
            found = self._found[task.name, player]
            if found.verdict in ("unsupported", ""):
                continue  # nothing to say about the speed of what is not offered
            described: dict[str, Any] = {
                "passes": task.passes,
                "threads": self._where.threads,
                "yardstick": YARDSTICK,
            }
            if found.verdict in GOOD and found.blocks and all(found.blocks):
                described |= figures(traffic(task), found, self._machine_blocks(task))
            else:
                described |= {"judged": found.verdict, "why": found.explanation or "not measured"}
            verdict = str(described.pop("verdict", judging.NOT_COMPARABLE))
            yield Speed(task.workload.id, player.implementation, player.mode, task.dtype, verdict, described)

    def _machine_blocks(self, task: Task) -> MachineBlocks:
        size = 4 * machine_workload("read", traffic(task).read // 4).shapes()["block"][0]
        blocks = {what: self._machine[task.name, what].blocks for what in ("nothing", "read", "copy")}
        return MachineBlocks(size, **blocks)


def _side_by_side(task: Task) -> int:
    """Players whose data may be in memory at once: half of what is free, each with its input, a copy, a gradient."""
    try:
        free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        free = 2**32  # unknown: as if there were four gigabytes
    return max(1, free // 2 // (3 * max(1, traffic(task).read)) - 1)


def _key(task: Task, player: Player) -> str:
    return f"{task.name}:{player.implementation}:{player.mode}"


def _preparation(task: Task, player: Player) -> tuple[str, Workload, str, str, tuple[str, ...]]:
    return _key(task, player), task.workload, task.dtype, player.mode, task.differentiate


def _calibrated(run: Callable[[int], Block], second_call: float, block_seconds: float) -> float:
    """Seconds of a call, the least of some blocks: a single call may have been interrupted, or still been warming up.

    Blocks of one implementation that were too short by a tenth would be slower than another's for that reason alone.
    """
    if second_call >= block_seconds:
        return second_call
    calls, least = 1, second_call
    while calls * least < block_seconds / 2:
        calls = max(calls + 1, block_order.calls_per_block(least, block_seconds))
        block = run(calls)
        least = min(least, block.wall / calls)
    return min(least, *(b.wall / b.calls for b in (run(calls), run(calls))))
