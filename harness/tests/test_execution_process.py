"""One worker process and its pipes: nothing a program does or leaves undone can hold us up."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from harness.core.arrays import Array
from harness.execution import process as process_module
from harness.execution import protocol
from harness.execution.leftovers import Leftovers
from harness.execution.process import Died, Garbled, Silent, WorkerProcess
from harness.tests.pools import PLENTY, is_gone_within

PRELUDE = """
import json, os, sys, time
requests = os.fdopen(int(os.environ["XENT_REQUEST_FD"]))
answers = int(os.environ["XENT_RESPONSE_FD"])
"""
MEGABYTE = 1_000_000

Start = Callable[[str], WorkerProcess]


@pytest.fixture
def start() -> Iterator[Start]:
    """Runs a program; whatever is left of it is ended after the test."""
    with Leftovers() as leftovers:
        processes = []

        def started(program: str) -> WorkerProcess:
            processes.append(WorkerProcess([sys.executable, "-c", PRELUDE + program], os.environ, leftovers))
            return processes[-1]

        yield started
        for process in processes:
            process.stop()


def test_large_messages_pass_both_ways(start: Start) -> None:
    # The program answers each piece as it comes: whoever wrote all before reading any would wait for ever.
    process = start("for line in requests: os.write(answers, line.encode())")
    text = "x" * (10 * MEGABYTE)
    process.send(protocol.line({"text": text}))
    process.send(protocol.line({"text": "second"}))
    assert process.receive(PLENTY) == {"text": text}
    assert process.receive(PLENTY) == {"text": "second"}


def test_a_program_that_answers_before_it_reads_is_heard(start: Start) -> None:
    process = start(f"os.write(answers, b'\"' + b\"x\" * {MEGABYTE} + b'\"\\n{{}}\\n'); requests.read()")
    process.send(protocol.line({"text": "x" * MEGABYTE}))
    assert isinstance(process.receive(PLENTY), Garbled)
    assert process.receive(PLENTY) == {}


def test_a_program_that_never_reads_is_silent(start: Start) -> None:
    process = start("time.sleep(600)")
    process.send(protocol.line({"text": "x" * MEGABYTE}))
    assert process.receive(0.3) == Silent(0.3)


def test_half_a_line_is_no_answer(start: Start) -> None:
    process = start("os.write(answers, b'{\"id\": 1'); time.sleep(600)")
    assert process.receive(1.0) == Silent(1.0)


def test_a_line_without_end_is_garbage(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "LONGEST_LINE", MEGABYTE)
    process = start(f"\nwhile True: os.write(answers, b'x' * {MEGABYTE})")
    reply = process.receive(PLENTY)
    assert reply == Garbled("more than 1000000 bytes without an end of line")


def test_answers_written_before_the_end_are_heard_before_it(start: Start) -> None:
    process = start('os.write(answers, b\'{"a":1}\\n{"b":2}\\n\'); os._exit(3)')
    assert [process.receive(PLENTY) for _ in range(3)] == [{"a": 1}, {"b": 2}, Died("exit status 3")]


def test_a_request_to_one_that_is_gone_ends_in_its_death(start: Start) -> None:
    process = start("os.kill(os.getpid(), 11)")
    assert is_gone_within(process.pid, 10.0)
    process.send(protocol.line({"text": "x" * MEGABYTE}))
    assert process.receive(PLENTY) == Died("SIGSEGV")


def test_closing_the_answers_is_a_death_even_where_the_process_goes_on(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process_module, "GRACE", 0.2)
    process = start("os.close(answers); time.sleep(600)")
    assert process.receive(PLENTY) == Died("closed its pipe")


def test_an_exit_status_is_waited_for(start: Start) -> None:
    process = start("os.close(answers); time.sleep(0.5); sys.exit(5)")
    assert process.receive(PLENTY) == Died("exit status 5")


def test_without_wakeups_from_the_system_the_end_is_found_all_the_same(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "pidfd_open", raising=False)
    # A child keeps the pipe open, so that only looking after the process tells.
    process = start("\nif os.fork() == 0: time.sleep(600)\nos.write(answers, b'{}\\n'); os._exit(4)")
    assert process.receive(PLENTY) == {}
    assert process.receive(PLENTY) == Died("exit status 4")
    assert start("os.close(answers); time.sleep(0.3); sys.exit(5)").receive(PLENTY) == Died("exit status 5")


def test_stopping_ends_it_and_returns_what_it_printed(start: Start) -> None:
    process = start("print('out', flush=True); os.write(answers, b'{}\\n'); time.sleep(600)")
    assert process.receive(PLENTY) == {}
    process.kill()
    process.kill()
    assert process.stop() == "out\n"
    assert is_gone_within(process.pid, 5.0)
    process.kill()  # its number may be somebody else's by now
    assert process.stop() == "out\n"


def test_printing_without_end_neither_fills_memory_nor_saves_from_the_deadline(start: Start) -> None:
    process = start("\nwhile True: print('x' * 1000)")
    begin = time.perf_counter()
    assert process.receive(1.0) == Silent(1.0)
    assert time.perf_counter() - begin < 5.0
    assert len(process.printed()) <= process_module.KEPT_NOISE


def test_what_was_opened_is_closed() -> None:
    def descriptors() -> int:
        return len(os.listdir("/dev/fd"))  # noqa: PTH208 - pathlib would open another one to look

    before = descriptors()
    with Leftovers() as leftovers:
        for command in (["/no/such/program"], [sys.executable, "-c", ""]):
            with contextlib.suppress(FileNotFoundError):
                WorkerProcess(command, os.environ, leftovers).stop()
    assert descriptors() == before


def test_arrays_pass_through_the_pipe_bit_for_bit(start: Start) -> None:
    process = start("for line in requests: os.write(answers, line.encode())")
    array = Array.of(np.random.default_rng(1).normal(size=(300, 400)), "float32")
    process.send(protocol.line(array.to_wire()))
    reply = process.receive(PLENTY)
    assert isinstance(reply, dict)
    assert Array.from_wire(reply).same_bits(array)
    assert json.dumps(reply)
