"""Implementations that misbehave towards the process they run in, each in one way, for the tests of execution.

All of them answer `softmax` with their input, and are well-behaved unless the first logit is 13, so that a test can see
the calls before and after the bad one.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from harness.adapters.base import Answer, Array, Call, Description, Unsupported

UNLUCKY = 13.0
HIGHEST = 1024
"""Above every file descriptor a worker has."""

LONG = 600.0
"""Seconds nobody will wait for: far beyond every timeout of the tests."""


def is_unlucky(call: Call) -> bool:
    return bool(call.inputs["logits"].to_float64().ravel()[:1] == UNLUCKY)


def echo(call: Call) -> Answer:
    return Answer(call.inputs["logits"], "echo", {name: call.inputs[name] for name in call.differentiate})


class Idle:
    """Does nothing wrong, and nothing else: what remains is the overhead of asking. Its version is the number of its
    process, so that a test can find it."""

    def describe(self) -> Description:
        return Description(version=str(os.getpid()), losses=("softmax",))

    def evaluate(self, call: Call) -> Answer:
        if is_unlucky(call):
            self.misbehave(call)
            answer: Answer = self.answer(call)
            return answer
        return echo(call)

    def misbehave(self, call: Call) -> None:
        """What it does wrong before it answers."""

    def answer(self, call: Call) -> Any:
        """What it answers to the unlucky call."""
        return echo(call)


class Aborts(Idle):
    """Calls abort, as a framework's failed internal check does."""

    def misbehave(self, call: Call) -> None:  # noqa: ARG002 - as all of them
        os.abort()


class Segfaults(Idle):
    """Reads address zero."""

    def misbehave(self, call: Call) -> None:  # noqa: ARG002
        ctypes.string_at(0)


class AbortsAlways(Idle):
    """Aborts on every call, the unlucky or not."""

    def evaluate(self, call: Call) -> Answer:  # noqa: ARG002
        os.abort()


class AbortsOnce(Idle):
    """Aborts on the unlucky call unless it has done so before: not the call is to blame, but its company."""

    def misbehave(self, call: Call) -> None:  # noqa: ARG002
        marker = Path(os.environ["XENT_TEST_MARKER"])
        if not marker.exists():
            marker.touch()
            os.abort()


class LeavesAtOnce(Idle):
    """Ends the process without a word, exit status 7."""

    def misbehave(self, call: Call) -> None:  # noqa: ARG002
        os._exit(7)


class Exits(Idle):
    """Calls sys.exit, which only an application may do."""

    def misbehave(self, call: Call) -> None:  # noqa: ARG002
        sys.exit(3)


class RaisesBaseException(Idle):
    """Raises what `except Exception` does not catch."""

    def misbehave(self, call: Call) -> None:  # noqa: ARG002
        raise BaseException("not even an Exception")


class Interrupts(Idle):
    """Raises KeyboardInterrupt, as if somebody sat at a keyboard."""

    def misbehave(self, call: Call) -> None:  # noqa: ARG002
        raise KeyboardInterrupt


class RaisesUnprintable(Idle):
    """Raises an exception whose message cannot be made."""

    def misbehave(self, call: Call) -> None:  # noqa: ARG002
        class UnprintableError(Exception):
            def __str__(self) -> str:
                raise RuntimeError("no message")

        raise UnprintableError


class RaisesVolumes(Idle):
    """Raises an exception with a message of a million characters."""

    def misbehave(self, call: Call) -> None:  # noqa: ARG002
        raise ValueError("x" * 1_000_000)


class Hangs(Idle):
    """Sleeps."""

    def misbehave(self, call: Call) -> None:  # noqa: ARG002
        time.sleep(LONG)


class HangsHoldingTheLock(Idle):
    """Hangs inside C code that keeps the interpreter's lock, so that no other thread of it can run."""

    def misbehave(self, call: Call) -> None:  # noqa: ARG002
        ctypes.PyDLL(None).sleep(int(LONG))


class HangsAlways(Idle):
    """Sleeps on every call."""

    def evaluate(self, call: Call) -> Answer:  # noqa: ARG002
        time.sleep(LONG)
        raise AssertionError("nobody waits that long")


class Prints(Idle):
    """Prints to stdout and stderr, from Python and below Python, what looks like an answer of the protocol."""

    def evaluate(self, call: Call) -> Answer:
        line = '{"kind":"outcome","id":1,"outcome":"unsupported","reason":"printed"}'
        print(line)
        print(line, file=sys.stderr)
        os.write(1, line.encode() + b"\n")
        os.write(2, line.encode() + b"\n")
        subprocess.run(["/bin/echo", line], check=True)
        return echo(call)


class PrintsVolumes(Idle):
    """Writes 50 MB to stderr, then a last word."""

    def misbehave(self, call: Call) -> None:  # noqa: ARG002
        for _ in range(50):
            os.write(2, b"n" * 999_999 + b"\n")
        os.write(2, b"the last word\n")


class ClosesItsOutput(Idle):
    """Closes stdout and stderr."""

    def misbehave(self, call: Call) -> None:  # noqa: ARG002
        os.close(1)
        os.close(2)


class Babbles(Idle):
    """Writes nonsense into every descriptor it finds, the response pipe among them."""

    def misbehave(self, call: Call) -> None:  # noqa: ARG002
        for descriptor in range(3, HIGHEST):
            try:
                os.write(descriptor, b"{nonsense\n")
            except OSError:
                continue


class AnswersUnasked(Idle):
    """Writes an answer nobody asked for into every descriptor it finds."""

    def misbehave(self, call: Call) -> None:  # noqa: ARG002
        for descriptor in range(3, HIGHEST):
            try:
                os.write(descriptor, b'{"kind":"outcome","id":-1,"outcome":"unsupported","reason":"forged"}\n')
            except OSError:
                continue


class ClosesItsPipes(Idle):
    """Closes every descriptor it has, as a daemon would."""

    def misbehave(self, call: Call) -> None:  # noqa: ARG002
        os.closerange(3, HIGHEST)


class ForksAndReturnsTwice(Idle):
    """Forks and lets the child return too, as a careless use of fork does."""

    def misbehave(self, call: Call) -> None:  # noqa: ARG002
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that forking a process with threads is dangerous
            os.fork()


class ForksAndDies(Idle):
    """Leaves a child behind that holds the pipes open, then dies: their end never comes."""

    def misbehave(self, call: Call) -> None:  # noqa: ARG002
        if os.fork() == 0:
            time.sleep(LONG)
        os.kill(os.getpid(), signal.SIGKILL)


class LeavesAChild(Idle):
    """Starts a process that outlives the call; its version is the number of that process."""

    def __init__(self) -> None:
        self.child = subprocess.Popen(["sleep", str(LONG)])

    def describe(self) -> Description:
        return Description(version=str(self.child.pid), losses=("softmax",))


class HangsWithAChild(LeavesAChild):
    """Starts a process, and sleeps on every call."""

    def evaluate(self, call: Call) -> Answer:  # noqa: ARG002
        time.sleep(LONG)
        raise AssertionError("nobody waits that long")


class ReturnsNothing(Idle):
    """Forgets to return."""

    def answer(self, call: Call) -> Any:  # noqa: ARG002
        return None


class ReturnsANumber(Idle):
    """Returns a number instead of an Answer."""

    def answer(self, call: Call) -> Any:  # noqa: ARG002
        return 1.0


class ReturnsAPlainArray(Idle):
    """Returns an Answer that holds NumPy's array instead of an Array."""

    def answer(self, call: Call) -> Any:
        return Answer(call.inputs["logits"].storage, "echo")  # type: ignore[arg-type]


class ReturnsObjects(Idle):
    """Returns an array of Python objects, whose bytes are addresses."""

    def answer(self, call: Call) -> Any:  # noqa: ARG002
        return Answer(Array.of(np.array([None, "text"], dtype=object)), "echo")


class ReturnsComplexNumbers(Idle):
    """Returns complex numbers."""

    def answer(self, call: Call) -> Any:  # noqa: ARG002
        return Answer(Array.of(np.array([1j])), "echo")


class ReturnsAPlainGradient(Idle):
    """Returns a gradient that is no Array."""

    def answer(self, call: Call) -> Any:
        return Answer(call.inputs["logits"], "echo", {"logits": [1.0]})  # type: ignore[dict-item]


class ReturnsAStrangeConvention(Idle):
    """Declares a convention that no message can hold."""

    def answer(self, call: Call) -> Any:
        return Answer(call.inputs["logits"], "echo", convention={"clip": object()})


class RefusesImport:
    """Cannot be constructed, as where a framework's library is missing."""

    def __init__(self) -> None:
        raise ImportError("libframework.so.1: cannot open shared object file")


class DiesAtStart:
    """Aborts while it is constructed, after a last word."""

    def __init__(self) -> None:
        print("the library was built for another processor", file=sys.stderr)
        os.abort()


class HangsAtStart:
    """Never finishes its construction."""

    def __init__(self) -> None:
        time.sleep(LONG)


class DescribesNothing:
    """Describes itself with a text."""

    def describe(self) -> Any:
        return "version 1"


class Warns(Idle):
    """Warns with the same text three times and with another once, and uses the random numbers everybody shares."""

    def evaluate(self, call: Call) -> Answer:  # noqa: ARG002
        for _ in range(3):
            warnings.warn("deprecated", FutureWarning, stacklevel=1)
        warnings.warn("imprecise", RuntimeWarning, stacklevel=1)
        return Answer(Array.of(np.random.random(3)), "random")


class TellsItsEnvironment(Idle):
    """Says which variables it was started with, and what is imported in its process."""

    def describe(self) -> Description:
        flags = {**os.environ, "modules": " ".join(sorted(sys.modules))}
        return Description(version="1", losses=("softmax",), flags=flags)


class RoundsByThreads(Idle):
    """Answers with the next larger numbers where it may use several threads."""

    def evaluate(self, call: Call) -> Answer:
        logits = call.inputs["logits"].storage
        several = int(os.environ["OMP_NUM_THREADS"]) > 1
        return Answer(Array.of(np.nextafter(logits, np.inf, dtype=logits.dtype) if several else logits), "echo")


class TellsItsLayout(Idle):
    """Answers with the strides of the logits, in elements."""

    def evaluate(self, call: Call) -> Answer:
        storage = call.inputs["logits"].storage
        return Answer(Array.of(np.array(storage.strides) // storage.itemsize), "strides")


class Refuses(Idle):
    """Says in its own words that it does not offer what is asked."""

    def misbehave(self, call: Call) -> None:
        call.refuse_options_except()
        raise Unsupported("bad luck")


class EndsWhoAsked(Idle):
    """Ends the process that started it: of a cluster, one of its workers. Its version is the same in every process."""

    def describe(self) -> Description:
        return Description(version="1", losses=("softmax",))

    def misbehave(self, call: Call) -> None:  # noqa: ARG002
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(LONG)


class EndsWhoAskedOnce(EndsWhoAsked):
    """The first time alone, which a file tells from later ones."""

    def misbehave(self, call: Call) -> None:
        first = Path(os.environ["XENT_TESTS_ENDED"])
        if not first.exists():
            first.touch()
            super().misbehave(call)
