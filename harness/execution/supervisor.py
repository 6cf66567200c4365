"""Keeping one implementation's worker alive, and what follows when it dies, hangs or loses its way.

- A call on which a worker dies, breaks the protocol or falls silent is asked once more, alone, in a fresh worker. If it
  answers then, the answer counts and the incident is noted: something ended the worker, but not this call by itself.
  If it ends like that again, the outcome is `Crashed`, `TimedOut`, or `Missing` for a broken protocol.
- A call that died or hung twice is a finding (`each_time`) where others are answered; before the first answer nobody
  knows, so it is told after that one, or at the end.
- A family of calls (those of one loss) is given up after `HOPELESS` failures in a row, the implementation where nothing
  was answered by then, or after `MOST_FAILURES` in all; what is left becomes `Missing`.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from harness.adapters.base import Description
from harness.core.outcomes import Crashed, Missing, Outcome, TimedOut
from harness.execution import protocol
from harness.execution.process import Died, Garbled, Silent, WorkerProcess

STARTUP = 120.0
"""Seconds a worker may take to import its framework: the slowest needs 10 s on an idle machine, and four of them may
start at once on two busy cores, with a cold disk."""

HOPELESS = 5
"""Calls of one family in a row that may end a worker: every further one would too."""

MOST_FAILURES = 100
"""Times in all that a worker may end: each costs up to two starts, for the slowest frameworks half an hour by then."""

WINDOW = 8
"""Requests sent ahead, so that a worker never waits for us."""

LONGEST_LAST_WORDS = 300
"""Characters of its last printed line that are quoted when a worker cannot start."""

T = TypeVar("T")


class Stopped(Exception):  # noqa: N818 - not an error: somebody wants everything to end
    """The run is being ended; no outcome is to be had any more."""


@dataclass(frozen=True)
class _Failure:
    """A call that got no answer."""

    reply: Died | Silent | Garbled
    said: str = ""
    """The last line that the worker wrote."""

    def __str__(self) -> str:
        match self.reply:
            case Died(how):
                return f"died: {how}"
            case Silent(seconds):
                return f"no answer within {seconds:g} s"
            case Garbled(reason):
                return f"protocol violated: {reason}"

    def outcome(self) -> Outcome:
        match self.reply:
            case Died(how):
                return Crashed(how, self.said)
            case Silent(seconds):
                return TimedOut(seconds)
            case Garbled():
                return Missing(str(self))


def _by_chance(told: tuple[T, Outcome]) -> tuple[T, Outcome]:
    """Of an implementation that answers nothing, no single call is to blame."""
    item, outcome = told
    return item, replace(outcome, each_time=False) if isinstance(outcome, Crashed | TimedOut) else outcome


def _last_words(printed: str) -> str:
    """The last line somebody wrote, before the interpreter's own list of where everybody was when it crashed."""
    own, fatal, rest = printed.partition("Fatal Python error")
    lines = own.strip().splitlines() or (fatal + rest).splitlines()[:1]
    return lines[-1][:LONGEST_LAST_WORDS] if lines else ""


class Supervisor(Generic[T]):
    """Asks one implementation whatever it is given, one worker at a time. One thread uses it; any may `kill`."""

    def __init__(
        self,
        name: str,
        launch: Callable[[], WorkerProcess],
        encode: Callable[[T, int], bytes],
        name_of: Callable[[T], str],
        family_of: Callable[[T], str],
        *,
        timeout: float,
        startup: float = STARTUP,
    ) -> None:
        """`launch` starts a worker (OSError where it cannot), `encode` makes the message of an item with its number,
        `name_of` names an item for a reader, `family_of` what is given up together with it."""
        self._name = name
        self._launch = launch
        self._encode = encode
        self._name_of = name_of
        self._family_of = family_of
        self._timeout = timeout
        self._startup = startup
        self._process: WorkerProcess | None = None
        self._changing = threading.Lock()
        self._stopped = False
        self._number = protocol.DESCRIBE_ID
        self._printed_earlier: list[str] = []
        self._answers = False
        self.startup_seconds = 0.0
        self.incidents: list[str] = []
        """What went wrong and was overcome, in sentences."""

    def start(self) -> Description | str:
        """Start a new worker: its description, or why there is none."""
        self.close()
        begin = time.perf_counter()
        try:
            process = self._launched()
        except OSError as error:
            return f"cannot start {self._name}: {error}"
        process.send(protocol.describe_request())
        reply = process.receive(self._startup)
        self.startup_seconds = time.perf_counter() - begin
        if isinstance(reply, dict):
            try:
                description = protocol.description_from_wire(reply)
                if isinstance(description, Description):
                    protocol.check_losses(description)
            except protocol.ProtocolError as error:
                reply = Garbled(str(error))
            else:
                if isinstance(description, Description):
                    return description
                self.close()
                return description.reason
        self.close()
        words = _last_words(self.printed())
        return f"cannot start {self._name}: {_Failure(reply)}" + (f"; it printed last: {words}" if words else "")

    def ask(self, items: Iterable[T]) -> Iterator[tuple[T, Outcome]]:
        """Every item with its outcome, in order, whatever the worker does. Starts a worker where none is running."""
        waiting = deque(items)
        under_way: deque[tuple[T, int]] = deque()
        in_a_row: Counter[str] = Counter()
        given_up: dict[str, str] = {}
        held: list[tuple[T, Outcome]] = []
        failures = 0
        while waiting or under_way:
            problem = self._hopeless(failures, given_up)
            if not problem and not under_way and (reason := given_up.get(self._family_of(waiting[0]))) is not None:
                yield waiting.popleft(), Missing(reason)
                continue
            if (problem := problem or self._ensure_running()) is not None:
                yield from map(_by_chance, held)
                yield from ((item, Missing(problem)) for item in waiting)
                return
            if waiting and len(under_way) <= WINDOW // 2:  # several in one piece, rather than one for every answer
                ahead = list(self._ahead(waiting, WINDOW - len(under_way), given_up))
                under_way += zip(ahead, self._send(ahead), strict=True)
            item, number = under_way[0]
            family = self._family_of(item)
            answer = self._receive(number)
            under_way.popleft()
            if isinstance(answer, _Failure):
                waiting.extendleft(unanswered for unanswered, _ in reversed(under_way))
                under_way.clear()
                answer = self._after(item, answer)
                failures += 1
                if isinstance(answer, Crashed | TimedOut | Missing):
                    in_a_row[family] += 1
                    if in_a_row[family] >= HOPELESS:
                        given_up[family] = f"given up {family} after {HOPELESS} calls in a row ended its worker"
                    if self._answers:
                        yield item, answer
                    else:
                        held.append((item, answer))
                    continue
            in_a_row[family] = 0
            self._answers = True
            yield from held
            held.clear()
            yield item, answer
        yield from map(_by_chance, held)

    def _ahead(self, waiting: deque[T], count: int, given_up: Container[str]) -> Iterator[T]:
        """The next items, up to one of a family that is given up, which is told in its turn."""
        while waiting and count and self._family_of(waiting[0]) not in given_up:
            count -= 1
            yield waiting.popleft()

    def kill(self) -> None:
        """End the worker and everything this supervisor is doing, from any thread."""
        with self._changing:
            self._stopped = True
            if self._process is not None:
                self._process.kill()

    def close(self) -> None:
        """End the worker; another `ask` starts a new one."""
        with self._changing:
            process, self._process = self._process, None
        if process is not None:
            printed = process.stop()
            # A worker that was restarted a hundred times keeps what its last few printed.
            self._printed_earlier = [*self._printed_earlier, printed][-5:]

    def printed(self) -> str:
        """The end of what its workers printed, the last one last."""
        current = [] if self._process is None else [self._process.printed()]
        return "\n".join(printed.rstrip("\n") for printed in [*self._printed_earlier, *current] if printed)

    def _launched(self) -> WorkerProcess:
        with self._changing:
            if self._stopped:
                raise Stopped
            self._process = self._launch()
            return self._process

    def _ensure_running(self) -> str | None:
        """None, or why no worker is running."""
        if self._process is not None:
            return None
        described = self.start()
        return described if isinstance(described, str) else None

    def _hopeless(self, failures: int, given_up: Collection[str]) -> str | None:
        if given_up and not self._answers:
            return f"given up after {HOPELESS} calls in a row ended its worker"
        if failures >= MOST_FAILURES:
            return f"given up after its worker had ended {failures} times"
        return None

    def _after(self, item: T, failure: _Failure) -> Outcome:
        """The outcome of a call on which the worker died, fell silent or lost its way. The worker is gone then, unless
        it answered when asked again."""
        first = self._with_last_words(failure)
        if self._ensure_running() is not None:
            return first.outcome()
        (number,) = self._send([item])
        again = self._receive(number)
        if isinstance(again, _Failure):
            again = self._with_last_words(again)
            outcome = again.outcome()
            if type(again.reply) is type(failure.reply) and isinstance(outcome, Crashed | TimedOut):
                return replace(outcome, each_time=True)
            return outcome
        where = f"{self._name} on {self._name_of(item)}"
        self.incidents.append(f"the worker of {where}: {failure}; asked again, it answered")
        return again

    def _with_last_words(self, failure: _Failure) -> _Failure:
        """End the worker, and keep what it wrote last."""
        self.close()
        return replace(failure, said=_last_words(self._printed_earlier[-1]) if self._printed_earlier else "")

    def _send(self, items: Sequence[T]) -> range:
        """Send some items; the numbers of their answers."""
        assert self._process is not None
        numbers = range(self._number + 1, self._number + 1 + len(items))
        self._number += len(items)
        self._process.send(b"".join(map(self._encode, items, numbers)))
        return numbers

    def _receive(self, number: int) -> Outcome | _Failure:
        assert self._process is not None
        reply = self._process.receive(self._timeout)
        if not isinstance(reply, dict):
            return _Failure(reply)
        try:
            return protocol.answer_from_wire(reply, number)
        except protocol.ProtocolError as error:
            return _Failure(Garbled(str(error)))
