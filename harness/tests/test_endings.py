"""However the program ends, nothing of it stays, and its code is the right one. Everything runs in a subprocess."""

from __future__ import annotations

import array
import errno
import fcntl
import os
import select
import shlex
import signal
import subprocess
import sys
import termios
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.core.cell import Cell, Footer, Header, Run
from harness.core.exit_codes import ExitCode
from harness.execution import survivor
from harness.execution.leftovers import Leftovers
from harness.runs.run_file import write_run
from harness.runs.session import SUITE_VERSION
from harness.tests.pools import is_gone_within, miniature

ROOT = Path(__file__).resolve().parents[2]

PATIENCE = 60.0
"""Seconds until what is waited for must have come: starting and importing takes a few, on a busy machine more."""

LOOK = 0.02
"""Seconds between two looks at the table of processes."""

WAYS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks for survivors in /proc"),
]


@dataclass(frozen=True)
class Program:
    """A running `xent`, whose processes are known by a variable that all inherit, and whose folders have their own
    place."""

    process: subprocess.Popen[str]
    mark: str
    temporary: Path

    def descendants(self) -> dict[int, str]:
        """What runs besides the program itself: the command line of each by its number."""
        found = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != self.process.pid:
                try:
                    if self.mark.encode() in (entry / "environ").read_bytes():
                        found[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                except OSError:
                    continue  # it has just ended
        return found

    def wait_for(self, word: str, count: int = 1) -> None:
        """Until so many of its descendants have this word in their command line."""
        until(lambda: sum(word in line for line in self.descendants().values()) >= count or self.process.poll() == 0)

    def assert_nothing_is_left(self) -> None:
        until(lambda: not self.descendants(), lambda: str(self.descendants()))
        until(lambda: not list(self.temporary.iterdir()), lambda: str(list(self.temporary.iterdir())))

    def assert_it_says_one_line(self, way: signal.Signals) -> None:
        _, errors = self.process.communicate(timeout=PATIENCE)
        if way == signal.SIGKILL:
            assert self.process.returncode == -signal.SIGKILL
        else:
            assert self.process.returncode == ExitCode.INTERRUPTED, errors
            assert "Traceback" not in errors
            (line,) = [line for line in errors.splitlines() if line.startswith("xent: ")]
            assert line.startswith(f"xent: interrupted ({way.name})")


def until(happened: Callable[[], bool], why: Callable[[], str] = lambda: "") -> None:
    deadline = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < deadline, f"did not happen within {PATIENCE} s: {why()}"
        time.sleep(LOOK)


Start = Callable[..., Program]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts `xent WORDS` as a terminal does: in a group of its own."""
    started: list[Program] = []

    def program(*words: str, flags: Sequence[str] = (), **variables: str) -> Program:
        mark, temporary = f"xent-test-{uuid.uuid4().hex}", tmp_path / "temporary"
        temporary.mkdir(exist_ok=True)
        process = subprocess.Popen(
            [sys.executable, *flags, "-m", "harness", *words],
            cwd=tmp_path,
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT),
                "XENT_TEST_MARK": mark,
                "TMPDIR": str(temporary),
                **variables,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started.append(Program(process, mark, temporary))
        return started[-1]

    yield program
    for one in started:
        for number in (*one.descendants(), one.process.pid):
            if one.process.poll() is None or number != one.process.pid:
                os.kill(number, signal.SIGKILL)
        one.process.communicate()


RUN = ("run", "documents/d4-dog-softmax", "--dtypes", "float64")


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_a_run_that_ends_in_the_middle_leaves_no_process_and_no_folder(start: Start, way: signal.Signals) -> None:
    program = start(*RUN, "-i", miniature("HangsWithAChild"), "-i", miniature("HangsHoldingTheLock"))
    program.wait_for("sleep")
    program.wait_for("HangsHoldingTheLock")
    assert list(program.temporary.iterdir())
    program.process.send_signal(way)
    program.assert_it_says_one_line(way)
    program.assert_nothing_is_left()


@pytest.mark.parametrize(
    ("way", "command"),
    [
        (signal.SIGINT, ("kills", "documents/d4*")),
        (signal.SIGKILL, ("kills", "documents/d4*")),
        (signal.SIGKILL, ("certify", "--points", "100000")),
    ],
)
def test_processes_side_by_side_end_with_the_program(
    start: Start, way: signal.Signals, command: tuple[str, ...]
) -> None:
    program = start(*command)
    program.wait_for("spawn_main", 2)
    # Ctrl-C reaches the whole group of a terminal; a SIGKILL is for one process.
    send = os.killpg if way == signal.SIGINT else os.kill
    send(program.process.pid, way)
    program.assert_it_says_one_line(way)
    program.assert_nothing_is_left()


@pytest.mark.parametrize(
    ("way", "module"),
    [
        (signal.SIGINT, "cyclopts"),
        (signal.SIGTERM, "numpy"),
        (signal.SIGHUP, "rich"),
        (signal.SIGINT, "reports.html"),
    ],
)
def test_an_interrupt_while_modules_are_imported_has_the_same_meaning(
    start: Start, way: signal.Signals, module: str
) -> None:
    program = start(*RUN, "-i", miniature("HangsAlways"), flags=("-X", "importtime"))
    assert program.process.stderr is not None
    next(line for line in program.process.stderr if line.rpartition("|")[2].strip().startswith(module))
    program.process.send_signal(way)
    program.assert_it_says_one_line(way)
    program.assert_nothing_is_left()


def test_both_sides_of_an_upgrade_end_with_it(start: Start) -> None:
    sides = ("--old-python", sys.executable, "--new-python", sys.executable, "--no-speed")
    program = start("upgrade", *sides, "-i", miniature("HangsWithAChild"), "--cases", "documents/d2-softmax")
    program.wait_for("sleep", 2)
    program.process.send_signal(signal.SIGINT)
    program.assert_it_says_one_line(signal.SIGINT)
    program.assert_nothing_is_left()


UV = """\
#!/bin/sh
case "$1 $2" in
    "pip compile") echo "numpy==1.0" ;;
    venv*) for folder; do :; done; mkdir -p "$folder"; echo half > "$folder/half"; sleep 600 & sleep 601 ;;
esac
"""
"""A program that resolves, and takes very long to build: in the place of uv, it needs no network."""


@pytest.mark.parametrize("way", [signal.SIGTERM, signal.SIGKILL], ids=lambda way: way.name)
def test_building_an_environment_ends_with_the_program_and_leaves_no_half_of_it(
    start: Start, way: signal.Signals, tmp_path: Path
) -> None:
    package, cache = tmp_path / "packages" / "uv", tmp_path / "cache"
    package.mkdir(parents=True)
    (package / "uv.sh").write_text(UV, encoding="utf-8")
    (package / "uv.sh").chmod(0o755)
    finds = f"def find_uv_bin():\n    return {str(package / 'uv.sh')!r}\n"
    (package / "__init__.py").write_text(finds, encoding="utf-8")
    path = os.pathsep.join([str(package.parent), str(ROOT)])
    program = start("upgrade", "numpy==1.0", "-i", "numpy", PYTHONPATH=path, XDG_CACHE_HOME=str(cache))
    program.wait_for("sleep", 2)
    assert list(cache.rglob("half"))
    program.process.send_signal(way)
    program.assert_it_says_one_line(way)
    program.assert_nothing_is_left()
    until(lambda: {entry.suffix for entry in cache.glob("xent/environments/*")} == {".lock"})


def test_a_second_interrupt_ends_at_once_what_the_first_one_waits_for(start: Start) -> None:
    program = start(*RUN, "-i", miniature("HangsWithAChild"))
    program.wait_for("sleep")
    program.process.send_signal(signal.SIGTERM)
    program.process.send_signal(signal.SIGINT)
    _, errors = program.process.communicate(timeout=PATIENCE)
    assert program.process.returncode == ExitCode.INTERRUPTED
    assert "Traceback" not in errors
    program.assert_nothing_is_left()


@pytest.mark.parametrize("streams", [2, 1], ids=["output", "output and errors"])
def test_an_interrupt_does_not_wait_for_a_reader_that_does_not_read(streams: int) -> None:
    read, write = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-m", "harness", "cases", "list"],
        cwd=ROOT,
        stdout=write,
        stderr=write if streams == 1 else subprocess.DEVNULL,
    )
    os.close(write)
    waiting = array.array("i", [0])

    def is_full() -> bool:
        fcntl.ioctl(read, termios.FIONREAD, waiting)
        return waiting[0] >= 2**16 - select.PIPE_BUF

    until(is_full)
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE) == ExitCode.INTERRUPTED
    os.close(read)


def test_what_is_to_go_goes_even_where_the_survivor_was_killed(tmp_path: Path) -> None:
    child = subprocess.Popen(["sleep", "600"], start_new_session=True)
    before = {int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()}
    with Leftovers() as leftovers:
        leftovers.group(child.pid)
        folder = tmp_path / "folder"
        folder.mkdir()
        leftovers.folder(folder)
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) not in before and _is_survivor(entry):
                os.kill(int(entry.name), signal.SIGKILL)
    child.wait(PATIENCE)
    assert child.returncode == -signal.SIGKILL
    assert not folder.exists()


def _is_survivor(entry: Path) -> bool:
    try:
        return b"survivor.py" in (entry / "cmdline").read_bytes()
    except OSError:  # it has just ended
        return False


def test_what_ended_or_is_kept_is_left_alone(tmp_path: Path) -> None:
    child = subprocess.Popen(["sleep", "600"], start_new_session=True)
    kept = tmp_path / "with\nline break"
    kept.mkdir()
    with Leftovers() as leftovers:
        leftovers.group(child.pid)
        leftovers.folder(kept)
        leftovers.ended(child.pid)
        leftovers.keep(kept)
    assert child.poll() is None
    assert kept.exists()
    child.kill()
    assert child.wait(PATIENCE)
    assert is_gone_within(child.pid, PATIENCE)


def test_half_an_entry_says_nothing(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    survivor.end(survivor.entry(True, "folder", str(kept))[:-1])
    survivor.end(b"")
    assert kept.exists()


# --- standard streams -------------------------------------------------------------------------------------------------

STREAMS = {
    "a reader that leaves": "{} | true",
    "a reader of errors that leaves": "{} 3>&1 >/dev/null 2>&3 | true",
    "output closed": "{} >&-",
    "errors closed": "{} 2>&-",
    "all closed": "{} <&- >&- 2>&-",
    "a full disk": "{} >/dev/full",
    "a full disk for errors too": "{} >/dev/full 2>&1",
    "output that is only to be read": "{} 1</dev/null",
    "ASCII asked for": "PYTHONIOENCODING=ascii {}",
    "ASCII by locale": "LC_ALL=C PYTHONUTF8=0 PYTHONCOERCECLOCALE=0 {}",
    "a vanished folder": "mkdir gone; cd gone; rmdir ../gone; {}",
}
"""What a shell can do to the streams and the place of a command."""


@pytest.mark.parametrize("kind", STREAMS)
def test_what_becomes_of_the_output_changes_no_exit_code(kind: str, tmp_path: Path) -> None:
    part, whole = tmp_path / "part.jsonl", tmp_path / "gänze.jsonl"
    crashed = Cell("a/b", "numpy", "eager", "float64", "value", "crashed", {"kind": "crashed", "signal": "SIGSEGV"})
    suite = {"version": SUITE_VERSION, "digest": "", "cases": {"a/b": {"loss": "softmax"}}}
    header = Header(suite, {"numpy": {"version": "1"}}, {}, "2026-01-01T00:00:00+00:00")
    write_run(part, Run(header, (crashed,), (), (), Footer(1, {"crashed": 1}, {})))
    command = shlex.join([sys.executable, "-m", "harness", "merge", str(part), "-o", str(whole)])
    script = STREAMS[kind].format(command) + "\nexit ${PIPESTATUS[0]}"
    ended = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )
    assert ended.returncode == ExitCode.INFRASTRUCTURE, ended.stderr
    assert b"Traceback" not in ended.stderr
    assert whole.exists()
    if kind == "ASCII asked for":
        assert "gänze.jsonl (1 cells" in ended.stdout.decode()
    if kind == "a full disk":
        assert ended.stderr.decode() == f"xent: standard output could not be written: {os.strerror(errno.ENOSPC)}\n"
