"""The pool: one worker per implementation, asked side by side, as many at once as may run in parallel."""

from __future__ import annotations

import os
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self

from harness.adapters.base import Description
from harness.adapters.registry import Implementation
from harness.core.arrays import Array
from harness.core.call import Question, stated
from harness.core.case import ArraySpec
from harness.core.invariances import THREADS
from harness.core.outcomes import Outcome
from harness.execution import protocol
from harness.execution.levels import NATIVE, environment_at, numpy_dispatches
from harness.execution.process import WorkerProcess
from harness.execution.supervisor import STARTUP, Stopped, Supervisor
from harness.execution.worker_environment import command_line, environment_of, with_threads, worker_folder
from harness.suite.generators import realize

AHEAD = 256
"""Answers that may wait to be judged: where judging is slower than answering, workers wait rather than fill memory."""

LONGEST_KEPT = 10_000
"""Bytes of a message that are kept for the next implementation: little memory, even times ten thousand cases."""

Answer = tuple[Question, Outcome]


class WorkerPool:
    """The workers of one run. Leaving its block ends them all, whatever they are doing."""

    def __init__(
        self,
        implementations: Sequence[Implementation],
        *,
        timeout: float,
        parallel: int,
        python: str | None = None,
        level: str = NATIVE,
        startup: float = STARTUP,
        warm: bool = False,
    ) -> None:
        """`timeout` and `startup` in seconds, per call and per start; `python` is the interpreter of another
        environment, `level` one of `harness.execution.levels`. The workers of a `warm` pool stay after a plan, for the
        next one."""
        self.implementations = tuple(implementations)
        self._stack = ExitStack()
        self._place = self._stack.enter_context(worker_folder())
        # The kernel ends a worker when the thread that started it ends, so one thread starts them all and stays.
        self._starter = ThreadPoolExecutor(1, "worker starter")
        self._parallel = max(1, parallel)
        self._messages = Messages()
        self._messages_to: dict[str, Messages] = {}

        def supervisor(i: Implementation, threads: int) -> Supervisor[Question]:
            launch = self._launcher(i, python, level, threads)
            return Supervisor(i.name, launch, self._encoder(i), _named, _loss, timeout=timeout, startup=startup)

        self._supervisors = {i.name: supervisor(i, 1) for i in implementations}
        self._threaded = {i.name: supervisor(i, THREADS) for i in implementations}
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._warm = warm
        self._started: tuple[dict[str, Description], dict[str, str]] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End all workers, and wait until they are gone."""
        self._kill()
        for thread in self._threads:
            thread.join()
        for supervisor in self._all():
            supervisor.close()
        self._starter.shutdown()
        self._stack.close()

    def start(self) -> tuple[dict[str, Description], dict[str, str]]:
        """Start all workers; the descriptions of those that answered, and why the others did not.

        The workers of a warm pool are started once.
        """
        if self._warm and self._started is not None:
            return self._started
        with ThreadPoolExecutor(self._parallel) as threads:
            try:
                answers = list(threads.map(Supervisor.start, self._supervisors.values()))
            except BaseException:
                self._kill()  # or leaving this block would wait until the last of them has started
                raise
        pairs = list(zip(self._supervisors, answers, strict=True))
        self._started = (
            {name: a for name, a in pairs if isinstance(a, Description)},
            {name: a for name, a in pairs if isinstance(a, str)},
        )
        return self._started

    def incidents(self) -> list[str]:
        """What went wrong and was overcome since this was asked last, in sentences."""
        told = [text for supervisor in self._all() for text in supervisor.incidents]
        for supervisor in self._all():
            supervisor.incidents.clear()
        return told

    def startup_seconds(self, name: str) -> float:
        """Seconds from starting a worker to its description, imports included."""
        return self._supervisors[name].startup_seconds

    def stderr(self, name: str) -> str:
        """The end of what the workers of an implementation printed."""
        return self._supervisors[name].printed()

    def ask(self, plans: Mapping[str, Sequence[Question]]) -> Iterator[Answer]:
        """Every question with its outcome, as they come; in order within an implementation."""
        self._messages, self._messages_to = Messages(), {}  # what was asked before may have had the same names
        answers: queue.Queue[Answer | BaseException | None] = queue.Queue(AHEAD)
        # The longest plans first: a short one at the end leaves no core idle for long.
        plan_of = deque(sorted(plans.items(), key=lambda plan: -len(plan[1])))
        count = min(self._parallel, len(plans))
        self._threads = [
            threading.Thread(target=self._serve, args=(plan_of, answers), name=f"asking {n}") for n in range(count)
        ]
        for thread in self._threads:
            thread.start()
        try:
            while count:
                item = answers.get()
                if item is None:
                    count -= 1
                elif isinstance(item, BaseException):
                    raise item
                else:
                    yield item
        finally:
            if count:
                self._kill()

    def ask_one(self, name: str, plan: Sequence[Question]) -> Iterator[Answer]:
        """The questions to one implementation, whose worker stays for more. One thread asks it; `Stopped` where the
        pool is ended meanwhile."""
        self._messages_to[name] = Messages()  # what was asked before is not asked again
        yield from self._supervisors[name].ask(plan)

    def _serve(
        self, plan_of: deque[tuple[str, Sequence[Question]]], answers: queue.Queue[Answer | BaseException | None]
    ) -> None:
        """What each asking thread does: one plan after the other, as long as there are any."""
        try:
            while plan_of and not self._stopping.is_set():
                try:
                    name, plan = plan_of.popleft()
                except IndexError:  # another thread was faster
                    break
                # A worker's number of threads is decided at its start: what asks for more goes to another, afterwards.
                for supervisor, one in ((self._supervisors[name], True), (self._threaded[name], False)):
                    for answer in supervisor.ask([question for question in plan if (question.threads == 1) == one]):
                        self._put(answers, answer)
                    if not (self._warm and one):
                        supervisor.close()
            self._put(answers, None)
        except Stopped:
            return
        except BaseException as error:
            self._put(answers, error)

    def _put(self, answers: queue.Queue[Answer | BaseException | None], item: Answer | BaseException | None) -> None:
        """Hand over an answer; Stopped where nobody takes it any more."""
        while not self._stopping.is_set():
            try:
                return answers.put(item, timeout=0.5)  # to look whether anybody still listens
            except queue.Full:
                continue
        raise Stopped

    def stop(self) -> None:
        """End all workers now, whatever they are asked; whoever waits for an answer gets `Stopped`."""
        self._kill()

    def _kill(self) -> None:
        self._stopping.set()
        for supervisor in self._all():
            supervisor.kill()

    def _all(self) -> list[Supervisor[Question]]:
        return [*self._supervisors.values(), *self._threaded.values()]

    def _launcher(
        self, implementation: Implementation, python: str | None, level: str, threads: int
    ) -> Callable[[], WorkerProcess]:
        command = command_line(implementation, python)
        user = environment_at(level, os.environ, numpy_dispatches())
        alone = environment_of(implementation, self._place.code, user, python)
        environment = alone if threads == 1 else with_threads(alone, threads)
        return lambda: self._starter.submit(WorkerProcess, command, environment, self._place.leftovers).result()

    def _encoder(self, implementation: Implementation) -> Callable[[Question, int], bytes]:
        realized = bool(implementation.command)

        def encode(question: Question, number: int) -> bytes:
            # Whoever is asked alone has messages of its own: two campaigns' cases may have one id.
            kept = self._messages_to.get(implementation.name, self._messages)
            return kept.line(question, number, realized=realized)

        return encode


def _named(question: Question) -> str:
    return f"{question.case.id} ({question.mode}, {question.dtype})"


def _loss(question: Question) -> str:
    return question.home.loss


class Messages:
    """Questions as messages. What all implementations and modes of a case and dtype have in common is made once."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str, bool], bytes] = {}

    def line(self, question: Question, number: int, *, realized: bool) -> bytes:
        """The message of a question under this number; `realized` as for `request`."""
        key = (question.case.id, question.dtype, realized)
        common = self._kept.get(key)
        if common is None:
            common = protocol.line(protocol.request_to_wire(request(question, realized=realized)))
            if len(common) <= LONGEST_KEPT:
                self._kept[key] = common
        return protocol.addressed(common, number, question.mode)


def request(question: Question, *, realized: bool) -> protocol.Request:
    """A question as a request: small arrays as numbers; generated and unusually laid out ones as their specs, unless
    all are to be `realized`, for a program that has no generators of ours."""

    def operand(value: Any) -> Any:
        return array(value) if isinstance(value, ArraySpec) else value

    def array(spec: ArraySpec) -> Array | ArraySpec:
        is_plain = spec.generator is None and spec.layout == "contiguous"
        return realize(spec, question.dtype) if realized or is_plain else spec

    case = question.case
    return protocol.Request(
        loss=case.loss,
        dtype=question.dtype,
        inputs={name: array(spec) for name, spec in case.inputs.items()},
        options={name: operand(value) for name, value in stated(case.options).items()},
        differentiate=case.differentiate,
        cotangent=None if case.cotangent is None else array(case.cotangent),
        vector=None if case.vector is None else array(case.vector),
        outputs=case.outputs,
    )
