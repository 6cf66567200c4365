"""The bench: workloads × implementations × modes, timed side by side, into `Speed` records.

The unit of sampling is a set of processes: every set starts every worker anew, all on the same core, one active at a
time. Within a set the blocks of all implementations are interleaved round by round. What is judged is the answer of the
very call that is timed, and an implementation whose answer does not agree is not timed.
"""

from __future__ import annotations

import os
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from harness.adapters.base import Description
from harness.adapters.registry import Implementation
from harness.execution.environments import private_code
from harness.execution.timing import Block
from harness.judgement.ledger import Ledger
from harness.judgement.truth import TruthTable
from harness.judgement.verdict import Subject, judge
from harness.judging import truth_table
from harness.outcomes import Crashed, Missing, Refused, TimedOut
from harness.records import Speed
from harness.speed import limit, plan
from harness.speed import statistics as judging
from harness.speed.worker import Core, TimedWorker, WorkerLostError
from harness.suite.case import ArraySpec, Case, Location
from harness.suite.generators import realize
from harness.suite.workloads import BOTH, FORWARD, Workload

YARDSTICK = "numpy"
"""What everybody is compared with: always installed, one thread, and it changes only when we change it."""

MACHINE = Implementation("machine", "harness.adapters.machine:Machine")

SLOWEST = 8.0
"""Seconds of a call beyond which there are no rounds: a set would be spent on waiting for one implementation."""

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


@dataclass(frozen=True)
class Player:
    """An implementation in a mode."""

    implementation: str
    mode: str


@dataclass
class Found:
    """What was measured of one player on one task."""

    verdict: str = ""
    """Of the judged answer; the speed is shown where it agrees."""
    explanation: str = ""
    preparations: list[Mapping[str, float]] = field(default_factory=list)
    blocks: list[list[Block]] = field(default_factory=list)
    """By set of processes, in the order of the rounds."""
    yardstick: list[list[Block]] = field(default_factory=list)
    """Of the yardstick, in the same rounds."""
    calls: int = 0
    seconds: float = 0.0
    """Of a call, roughly: what the number of calls in a block is chosen by."""
    slow: bool = False


GOOD = ("agrees", "by_convention", "known")


class Session:
    """One run of the bench. `measure` yields the records of a task when all sets of it are done."""

    def __init__(self, bench: Bench, where: Core, tell: Tell = lambda *_: None) -> None:
        self._bench, self._where, self._tell = bench, where, tell
        self.descriptions: dict[str, Description] = {}
        self.absent: dict[str, str] = {}
        self.startup: dict[str, float] = {}
        self._found: dict[tuple[str, Player], Found] = defaultdict(Found)
        self._machine: dict[tuple[str, str], Found] = defaultdict(Found)
        self._tables: dict[tuple[str, str, str], TruthTable] = {}

    def measure(self) -> Iterator[Speed]:
        """All records. Closing the iterator stops the workers."""
        tasks = [
            Task(workload, dtype, passes)
            for workload in self._bench.workloads
            for dtype in workload.case.dtypes
            for passes in workload.passes
        ]
        steps = self._bench.effort.sets * len(tasks)
        for number in range(self._bench.effort.sets):
            with ExitStack() as stack:
                workers = self._start(stack)
                for position, task in enumerate(tasks):
                    self._task(workers, task, number)
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
        code = stack.enter_context(private_code())
        workers: dict[str, TimedWorker] = {}
        for implementation in (MACHINE, *self._bench.implementations):
            if implementation.name not in self.absent:
                python = self._bench.pythons.get(implementation.name, self._bench.python)
                worker = TimedWorker(implementation, code, self._where, python)
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

    def players(self) -> Iterator[Player]:
        for name, description in self.descriptions.items():
            if name == MACHINE.name:
                continue
            for mode in modes_of(description, self._bench.modes):
                yield Player(name, mode)

    def _task(self, workers: dict[str, TimedWorker], task: Task, number: int) -> None:
        """One task in one set, in groups whose data fits into memory at once, the yardstick in each."""
        players = [p for p in self.players() if self._takes_part(task, p)]
        yardstick = Player(YARDSTICK, "eager")
        for group in plan.groups([p for p in players if p != yardstick], _side_by_side(task)):
            self._group(workers, task, (*(p for p in players if p == yardstick), *group), number)

    def _takes_part(self, task: Task, player: Player) -> bool:
        found = self._found[task.name, player]
        return not found.slow and (not found.verdict or found.verdict in GOOD)

    def _group(self, workers: dict[str, TimedWorker], task: Task, players: Sequence[Player], number: int) -> None:
        """Prepare, judge, time in rounds, let go."""
        ready: dict[Player, TimedWorker] = {}
        for player in players:
            worker, found = workers.get(player.implementation), self._found[task.name, player]
            if worker is not None and self._prepare(worker, player, task, found, workers):
                ready[player] = worker
        machine = self._prepare_machine(workers, task)
        schedule: list[tuple[str, Callable[[int], Block], Found]] = [
            (_key(task, player), _timing(worker, _key(task, player)), self._found[task.name, player])
            for player, worker in ready.items()
        ] + machine
        effort = self._bench.effort
        affordable = int(effort.seconds / (effort.block_seconds * len(schedule)))
        rounds = max(effort.rounds, min(effort.most_rounds, affordable))
        counts = {}
        for name, run, found in schedule:
            if not found.seconds:
                found.seconds = min(p["second_call"] for p in found.preparations if "second_call" in p)
                try:
                    found.seconds = _calibrated(run, found.seconds, effort.block_seconds)
                except WorkerLostError as lost:
                    found.verdict, found.explanation = "crashed", str(lost)
                found.calls = plan.calls_per_block(found.seconds, effort.block_seconds)
            seconds = found.seconds
            counts[name] = plan.round_count(seconds, effort.block_seconds, rounds, effort.budget)
            found.blocks.append([])
        # All take part in as many rounds as the slowest can afford: what is compared was measured in the same rounds.
        count = min(counts.values(), default=0)
        order = {name: (run, found) for name, run, found in schedule}
        for names_in_round in plan.rounds(list(order), count, seed=number):
            for name in names_in_round:
                run, found = order[name]
                if found.verdict == "crashed":
                    continue
                try:
                    found.blocks[-1].append(run(found.calls))
                except WorkerLostError as lost:
                    found.verdict, found.explanation = "crashed", str(lost)
        yardstick = self._found[task.name, Player(YARDSTICK, "eager")]
        for player, worker in ready.items():
            found = self._found[task.name, player]
            if found.verdict in GOOD:
                found.yardstick.append(yardstick.blocks[-1] if yardstick.blocks else [])
                worker.release(_key(task, player))
            else:
                worker.stop()
                workers.pop(player.implementation, None)
        for name, _, _ in machine:
            workers[MACHINE.name].release(name)

    def _prepare(
        self, worker: TimedWorker, player: Player, task: Task, found: Found, workers: dict[str, TimedWorker]
    ) -> bool:
        description, case = self.descriptions[player.implementation], task.workload.case
        lacking = _lacking(description, task)
        if lacking:
            found.verdict, found.explanation = "unsupported", lacking
            return False
        prepared = worker.prepare(
            _key(task, player),
            task.workload,
            task.dtype,
            player.mode,
            task.differentiate,
            # How long a call takes is known from the first set; after that one call is enough to warm up.
            again=not found.preparations,
        )
        if isinstance(prepared.outcome, Refused):
            found.verdict, found.explanation = "unsupported", prepared.outcome.reason
            return False
        if not found.verdict:
            subject = Subject(
                case=case.id,
                implementation=player.implementation,
                version=description.version,
                mode=player.mode,
                dtype=task.dtype,
                expect=case.expect,
                differentiate=_judged(task),
                flush_to_zero=description.flush_to_zero,
                table=self._table(task),
                searches=False,
            )
            cells = judge(subject, prepared.outcome, Ledger())
            worst = next((cell for cell in cells if cell.verdict not in GOOD), cells[0])
            found.verdict, found.explanation = worst.verdict, worst.explanation or ""
        if isinstance(prepared.outcome, Crashed | TimedOut | Missing):
            found.verdict = "crashed" if found.verdict in GOOD else found.verdict
            worker.stop()
            workers.pop(player.implementation, None)
            return False
        if not prepared.seconds:  # it raised: nothing was prepared
            found.verdict = "disagrees" if found.verdict in GOOD else found.verdict
            return False
        found.preparations.append(prepared.seconds)
        second = prepared.seconds.get("second_call", 0.0)
        if second > SLOWEST:
            found.slow, found.explanation = True, f"one call takes {second:.1f} s: too slow to be timed repeatedly"
        if found.verdict not in GOOD or found.slow:
            worker.release(_key(task, player))
            return False
        return True

    def _table(self, task: Task) -> TruthTable:
        key = (task.workload.id, task.dtype, task.passes)
        if key not in self._tables:
            case = task.workload.case
            kept = Case(
                id=case.id,
                title=case.title,
                why=case.why,
                loss=case.loss,
                inputs=case.inputs,
                location=case.location,
                options=case.options,
                differentiate=_judged(task),
            )
            self._tables[key] = truth_table(kept, task.dtype, realize)
        return self._tables[key]

    def _prepare_machine(
        self, workers: Mapping[str, TimedWorker], task: Task
    ) -> list[tuple[str, Callable[[int], Block], Found]]:
        worker = workers.get(MACHINE.name)
        if worker is None:
            raise WorkerLostError(f"the machine itself cannot be measured: {self.absent[MACHINE.name]}")
        elements = max(1, traffic(task).read // 4)
        prepared = []
        for what in ("nothing", "read", "copy"):
            name, found = f"{task.name}:{what}", self._machine[task.name, what]
            found.preparations.append(
                worker.prepare(name, machine_workload(what, elements), "float32", "eager", ()).seconds
            )
            prepared.append((name, _timing(worker, name), found))
        return prepared

    def _records(self, task: Task) -> Iterator[Speed]:
        for player in self.players():
            found = self._found[task.name, player]
            if found.verdict in ("unsupported", ""):
                continue  # nothing to say about the speed of what is not offered
            figures: dict[str, Any] = {"passes": task.passes, "threads": self._where.threads}
            if found.verdict in GOOD and found.blocks and all(found.blocks):
                figures |= self._figures(task, found)
            else:
                figures |= {"judged": found.verdict, "why": found.explanation or "not measured"}
            verdict = str(figures.pop("verdict", judging.NOT_COMPARABLE))
            yield Speed(task.workload.id, player.implementation, player.mode, task.dtype, verdict, figures)

    def _figures(self, task: Task, found: Found) -> dict[str, Any]:
        needs = traffic(task)
        overhead = _per_call(self._machine[task.name, "nothing"])
        seconds = max(_per_call(found) - overhead, 1e-12)
        measured = 4 * machine_workload("read", needs.read // 4).shapes()["block"][0]
        machine = {what: measured / _per_call(self._machine[task.name, what]) for what in ("read", "copy")}
        least = limit.Bandwidth(machine["read"], machine["copy"]).least_seconds(needs)
        blocks = [block for one_set in found.blocks for block in one_set]
        calls = found.calls
        figures: dict[str, Any] = {
            "judged": found.verdict,
            "seconds": seconds,
            "overhead_seconds": overhead,
            "ns_per_element": 1e9 * seconds / needs.elements,
            "gb_per_s": (needs.read + needs.written) / seconds / 1e9,
            "limit_seconds": least,
            "fraction_of_limit": least / seconds,
            "read_gb_per_s": machine["read"] / 1e9,
            "copy_gb_per_s": machine["copy"] / 1e9,
            "elements": needs.elements,
            "bytes": needs.read + needs.written,
            "first_call_seconds": found.preparations[0]["first_call"],  # later ones may find what it left in a cache
            "compile_seconds": statistics.median(
                p["first_call"] - p["second_call"] for p in found.preparations if "second_call" in p
            ),
            "placing_seconds": statistics.median(p["placing"] for p in found.preparations),
            "cpu_seconds": statistics.median(b.cpu for b in blocks) / calls,
            "system_seconds": statistics.median(b.system for b in blocks) / calls,
            "page_faults": statistics.median(b.page_faults for b in blocks) / calls,
            "peak_mib": max(b.peak_bytes for b in blocks) / 2**20,
            "disturbed": sum(1 for b in blocks if not judging.is_calm(b.cpu, b.wall)) / len(blocks),
            "calls_per_block": calls,
            "blocks": len(blocks),
            "pairs": len(found.blocks),
        }
        pairs = [
            _pair(mine, theirs) for mine, theirs in zip(found.blocks, found.yardstick, strict=True) if mine and theirs
        ]
        if not pairs:
            return figures
        ratios = [ratio for ratio, _ in pairs]
        disturbed = sum(1 for _, calm in pairs if not calm) > len(pairs) / 2
        verdict, interval = judging.judge(ratios, disturbed=disturbed)
        figures |= {"mostly_disturbed": disturbed}
        figures |= {"ratios": ratios, "verdict": verdict}
        if interval is not None:
            figures |= {"ratio": interval.ratio}
        if interval is not None and len(ratios) > 1:  # one pair has no interval
            figures |= {"ratio_low": interval.low, "ratio_high": interval.high}
        return figures


def modes_of(description: Description, asked: tuple[str, ...] | None) -> tuple[str, ...]:
    """The modes measured: those asked for, else the first and what compiles quickly."""
    if asked is None:
        return tuple(dict.fromkeys((description.modes[0], *(m for m in description.modes if m in CHEAP_MODES))))
    if asked == ("all",):
        return tuple(m for m in description.modes if m in WAYS_TO_COMPUTE)
    return tuple(m for m in description.modes if m in asked)


def traffic(task: Task) -> limit.Traffic:
    """Bytes of a task."""
    workload = task.workload
    reduction = workload.case.options.get("reduction")
    dtypes = workload.dtypes_of(task.dtype)
    return limit.traffic(workload.case.loss, workload.shapes(), dtypes, reduction, task.differentiate)


def _judged(task: Task) -> tuple[str, ...]:
    """Gradients that come back from the worker: those of rows that are repeated."""
    return tuple(name for name in task.differentiate if name in task.workload.batch)


def _lacking(description: Description, task: Task) -> str:
    if task.workload.case.loss not in description.losses:
        return f"offers no {task.workload.case.loss}"
    if task.dtype not in description.dtypes:
        return f"takes no {task.dtype}"
    if task.passes == BOTH and not description.gradients:
        return "computes values only"
    return ""


def _side_by_side(task: Task) -> int:
    """Players whose data may be in memory at once: half of what is free, each with its input, a copy, a gradient."""
    try:
        free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        free = 2**32  # unknown: as if there were four gigabytes
    return max(1, free // 2 // (3 * max(1, traffic(task).read)) - 1)


def _key(task: Task, player: Player) -> str:
    return f"{task.name}:{player.implementation}:{player.mode}"


def _timing(worker: TimedWorker, name: str) -> Callable[[int], Block]:
    return lambda calls: worker.time(name, calls)


def _calibrated(run: Callable[[int], Block], second_call: float, block_seconds: float) -> float:
    """Seconds of a call, the least of some blocks: a single call may have been interrupted, or still been warming up.

    Blocks of one implementation that were too short by a tenth would be slower than another's for that reason alone.
    """
    if second_call >= block_seconds:
        return second_call
    calls, least = 1, second_call
    while calls * least < block_seconds / 2:
        calls = max(calls + 1, plan.calls_per_block(least, block_seconds))
        block = run(calls)
        least = min(least, block.wall / calls)
    return min(least, *(b.wall / b.calls for b in (run(calls), run(calls))))


def _pair(mine: Sequence[Block], theirs: Sequence[Block]) -> tuple[float, bool]:
    """The ratio of one set of processes, from its calm rounds where there are any, and whether there are."""
    calm = judging.calm_rounds(*([judging.is_calm(b.cpu, b.wall) for b in blocks] for blocks in (mine, theirs)))
    chosen = calm or tuple(range(len(mine)))
    numerators, denominators = ([blocks[i].wall / blocks[i].calls for i in chosen] for blocks in (mine, theirs))
    return judging.pair_ratio(judging.round_ratios(numerators, denominators)), bool(calm)


def _per_call(found: Found) -> float:
    return statistics.median(b.wall / b.calls for one_set in found.blocks for b in one_set)


_MACHINE_BLOCK = 2**14
"""Elements of a block of the machine's workloads, and the fewest of a whole: what is smaller stays in the first-level
cache, where reading takes less time than NumPy's call."""


def machine_workload(what: str, elements: int) -> Workload:
    """So many numbers to read or to copy."""
    block = ArraySpec(generator="full", parameters={"shape": (_MACHINE_BLOCK,), "value": 1}, dtype="float32")
    case = Case(f"machine/{what}", what, "", what, {"block": block}, Location("", 0), {"reduction": "mean"})
    return Workload(case, max(1, elements // _MACHINE_BLOCK), False, (FORWARD,))
