"""The fleet: one worker per implementation, asked side by side; crashes, hangs and noise become outcomes.

The policy when something dies:
- A worker that dies or falls silent is killed and started again, and the call it was on is asked once more, alone in
  the fresh worker. If it answers then, the incident is noted and the answer counts; if it dies again, the outcome is
  `Crashed`. A call that timed out is not asked again: it would cost the same time once more, and a call whose time
  depends on luck is a finding too.
- After `HOPELESS` calls in a row have killed the worker, the rest is `Missing`: every one of them would die.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from harness.adapters.base import Description
from harness.adapters.registry import Implementation
from harness.execution import protocol
from harness.execution.environments import command_line, environment_of, private_code
from harness.execution.process import Died, Garbled, Silent, WorkerProcess
from harness.outcomes import Crashed, Missing, Outcome, TimedOut
from harness.planning import Question
from harness.suite.case import ArraySpec
from harness.suite.generators import realize, spec_to_wire

STARTUP = 120.0
"""Seconds a worker may take to import its framework: the slowest needs 10 s on an idle machine, and four of them may
start at once on two busy cores, with a cold disk."""

HOPELESS = 5
"""Calls in a row that may kill a worker."""

WINDOW = 8
"""Requests sent ahead, so that a worker never waits for us."""

PIPE = 32_768
"""Bytes that may be under way unread. A pipe holds 64 KiB; below that a write cannot block, and so cannot deadlock with
a worker that is itself blocked writing its answer. A larger request is sent alone, to a worker that is reading."""


@dataclass(eq=False)
class _Member:
    """One implementation of the fleet."""

    implementation: Implementation
    process: WorkerProcess | None = None
    startup_seconds: float = 0.0
    stderr: str = ""
    incidents: list[str] = field(default_factory=list)


class Fleet:
    """The workers of one run."""

    def __init__(
        self, implementations: Sequence[Implementation], *, timeout: float, parallel: int, python: str | None = None
    ) -> None:
        self._members = {i.name: _Member(i) for i in implementations}
        self._timeout = timeout
        self._parallel = max(1, parallel)
        self._python = python
        self._code = private_code()
        self._stopping = threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        for member in self._members.values():
            self._stop(member)
        self._code.cleanup()

    def start(self) -> tuple[dict[str, Description], dict[str, str]]:
        """Start all workers; the descriptions of those that answered, and why the others did not."""
        with ThreadPoolExecutor(self._parallel) as threads:
            answers = list(threads.map(self._start, self._members.values()))
        pairs = list(zip(self._members, answers, strict=True))
        return (
            {name: a for name, a in pairs if isinstance(a, Description)},
            {name: a for name, a in pairs if isinstance(a, str)},
        )

    def incidents(self) -> list[str]:
        """What went wrong and was overcome, in sentences."""
        return [text for member in self._members.values() for text in member.incidents]

    def startup_seconds(self, name: str) -> float:
        return self._members[name].startup_seconds

    def stderr(self, name: str) -> str:
        """The end of what a worker printed, once it was stopped."""
        member = self._members[name]
        return member.process.noise() if member.process is not None else member.stderr

    def ask(self, plans: Mapping[str, Sequence[Question]]) -> Iterator[tuple[Question, Outcome]]:
        """Every question with its outcome, as they come; in order within an implementation."""
        # Bounded: where judging is slower than answering, workers wait rather than fill the memory with answers.
        answers: queue.Queue[tuple[Question, Outcome] | BaseException | None] = queue.Queue(maxsize=256)
        slots = threading.Semaphore(self._parallel)
        # The longest plans first: a short one at the end leaves no core idle for long.
        order = sorted(plans, key=lambda name: -len(plans[name]))
        threads = [
            threading.Thread(target=self._serve, args=(self._members[n], plans[n], answers, slots), daemon=True)
            for n in order
        ]
        for thread in threads:
            thread.start()
        running = len(threads)
        while running:
            item = answers.get()
            if item is None:
                running -= 1
            elif isinstance(item, BaseException):
                raise item
            else:
                yield item

    def _serve(
        self,
        member: _Member,
        plan: Sequence[Question],
        answers: queue.Queue[tuple[Question, Outcome] | BaseException | None],
        slots: threading.Semaphore,
    ) -> None:
        with slots:
            try:
                for item in self._answers(member, plan):
                    while not self._stopping.is_set():
                        try:
                            answers.put(item, timeout=0.5)
                            break
                        except queue.Full:
                            continue
                    if self._stopping.is_set():
                        return
            except BaseException as error:
                answers.put(error)
            finally:
                self._stop(member)
                answers.put(None)

    def _answers(self, member: _Member, plan: Sequence[Question]) -> Iterator[tuple[Question, Outcome]]:
        """One implementation's outcomes, in order, whatever its worker does."""
        waiting = deque(plan)
        deaths = 0
        for question in self._pipelined(member, waiting):
            if not isinstance(question, _Failure):
                deaths = 0
                yield question
                continue
            outcome = self._after(member, question)
            killed = isinstance(outcome, Crashed | TimedOut | Missing)
            deaths = deaths + 1 if killed else 0
            yield question.question, outcome
            if deaths >= HOPELESS or member.process is None:
                reason = (
                    f"given up after {deaths} calls in a row ended its worker"
                    if deaths >= HOPELESS
                    else "its worker could not be started again"
                )
                while waiting:
                    yield waiting.popleft(), Missing(reason)

    def _pipelined(self, member: _Member, waiting: deque[Question]) -> Iterator[tuple[Question, Outcome] | _Failure]:
        """Ask with requests sent ahead; after a failure everything that was sent ahead is waiting again."""
        under_way: deque[tuple[Question, int]] = deque()
        while waiting or under_way:
            if member.process is None:
                return
            while waiting and len(under_way) < WINDOW:
                message = self._request(member, waiting[0])
                if under_way and sum(size for _, size in under_way) + len(message) > PIPE:
                    break
                under_way.append((waiting.popleft(), len(message)))
                if not member.process.send(message):
                    break
            reply = member.process.receive(self._timeout)
            question, _ = under_way.popleft()
            if isinstance(reply, dict):
                yield question, protocol.outcome_from_wire(reply)
                continue
            waiting.extendleft(q for q, _ in reversed(under_way))
            under_way.clear()
            yield _Failure(question, reply)

    def _after(self, member: _Member, failure: _Failure) -> Outcome:
        """The outcome of a call on which the worker died or fell silent; a fresh worker is left behind."""
        self._stop(member)
        name = member.implementation.name
        problem = self._start(member)
        if isinstance(problem, str):
            return Crashed(f"{_words(failure.reply)}; {problem}")
        if isinstance(failure.reply, Silent):
            return TimedOut(failure.reply.seconds)
        assert member.process is not None
        member.process.send(self._request(member, failure.question))
        again = member.process.receive(self._timeout)
        where = f"{name} on {failure.question.case.id} ({failure.question.mode}, {failure.question.dtype})"
        if isinstance(again, dict):
            member.incidents.append(f"the worker of {where}: {_words(failure.reply)}; asked again, it answered")
            return protocol.outcome_from_wire(again)
        self._stop(member)
        self._start(member)
        if isinstance(again, Silent):
            return TimedOut(again.seconds)
        return Missing(again.reason) if isinstance(again, Garbled) else Crashed(again.how)

    def _start(self, member: _Member) -> Description | str:
        """Start a member's worker; its description, or why there is none."""
        implementation = member.implementation
        begin = time.perf_counter()
        try:
            member.process = WorkerProcess(
                command_line(implementation, self._code.name, self._python),
                environment_of(implementation, self._code.name),
            )
        except OSError as error:
            return f"cannot start {implementation.target}: {error}"
        member.process.send(protocol.line({"kind": "describe", "protocol": protocol.PROTOCOL}))
        reply = member.process.receive(STARTUP)
        member.startup_seconds = time.perf_counter() - begin
        if isinstance(reply, dict) and "reason" not in reply:
            try:
                return protocol.description_from_wire(reply)
            except protocol.ProtocolError as error:
                reply = Garbled(f"protocol violated: {error}")
        reason = str(reply["reason"]) if isinstance(reply, dict) else _words(reply)
        self._stop(member)
        last = member.stderr.strip().splitlines()[-1:] if not isinstance(reply, dict) else []
        return reason + (f" ({last[0][:300]})" if last else "")

    def _stop(self, member: _Member) -> None:
        if member.process is not None:
            process, member.process = member.process, None
            member.stderr = process.stop()

    def _request(self, member: _Member, question: Question) -> bytes:
        """A question as a message. It carries no expectation."""
        case = question.case
        program = bool(member.implementation.command)

        def wire(spec: ArraySpec) -> dict[str, Any]:
            # A program in another language has no generators of ours, and rows in memory are its own affair.
            if not program and (spec.generator is not None or spec.layout != "contiguous"):
                return {"spec": spec_to_wire(spec)}
            return realize(spec, question.dtype).to_wire()

        return protocol.line(
            {
                "kind": "evaluate",
                "loss": case.loss,
                "dtype": question.dtype,
                "mode": question.mode,
                "inputs": {name: wire(spec) for name, spec in case.inputs.items()},
                "options": {n: wire(v) if isinstance(v, ArraySpec) else v for n, v in case.options.items()},
                "differentiate": list(case.differentiate),
                "cotangent": None if case.cotangent is None else wire(case.cotangent),
            }
        )


@dataclass(frozen=True, eq=False)
class _Failure:
    """A call that got no answer."""

    question: Question
    reply: Died | Silent | Garbled


def _words(reply: Died | Silent | Garbled) -> str:
    match reply:
        case Died(how):
            return f"died: {how}"
        case Silent(seconds):
            return f"no answer within {seconds:g} s"
        case Garbled(reason):
            return reason
