"""Faults drawn of every kind, carried out on as many processors as are allowed, and what was wrong, by kind."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from queue import SimpleQueue
from random import Random
from types import TracebackType
from typing import Self

from harness.tests.faults.fault import TIMED_OUT, Ended, Fault, Kind, Sample, complaints
from harness.tests.faults.installation import environment, installed


@dataclass(frozen=True)
class Judged:
    """A fault that was carried out."""

    kind: str
    fault: Fault
    wrong: tuple[str, ...]
    """What broke the promise; nothing where it was kept."""
    ended: Ended


def drawn(kinds: Sequence[Kind], sample: Sample, seed: int, count: int) -> Iterator[tuple[str, Fault]]:
    """`count` faults in all, of each kind according to its share; the same seed gives the same faults."""
    total = sum(kind.share for kind in kinds)
    for kind in kinds:
        chance = Random(f"{seed} {kind.name}")
        for _ in range(max(1, round(count * kind.share / total))):
            yield kind.name, kind.draw(chance, sample)


class Server:
    """A process that has imported one copy of the source and carries out one fault at a time."""

    def __init__(self, place: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("server.py"))],
            cwd=place,
            env=environment(place),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate(timeout=60)  # it ends where its input does

    def ending(self, fault: Fault, folder: Path) -> Ended:
        """Carry out a fault in an empty folder."""
        before = _laid_out(fault, folder)
        temporary = Path(f"{folder}.tmp")
        temporary.mkdir()
        streams = [f"{folder}.stdout", f"{folder}.stderr"]
        request = {
            "folder": str(folder),
            "arguments": fault.arguments,
            "environment": {"TMPDIR": str(temporary), **fault.environment},
            "signal": None if fault.signal is None else asdict(fault.signal),
            "seconds": fault.seconds,
            "largest_file": fault.largest_file,
            "streams": streams,
        }
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        code = json.loads(self._process.stdout.readline())
        stdout, stderr = (_text(Path(name)) for name in streams)
        return Ended(TIMED_OUT if code is None else code, stdout, stderr, folder, before, left(temporary))


def _laid_out(fault: Fault, folder: Path) -> dict[str, bytes]:
    folder.mkdir()
    before = {}
    for name, content in fault.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        before[name] = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
        path.write_bytes(before[name])
    if fault.prepare is not None:
        fault.prepare(folder)
    return before


PATIENCE = 20.0
"""Seconds that what outlives a command by a little may take to go; it is looked at until then, and not longer."""


def left(temporary: Path) -> tuple[str, ...]:
    """The processes that have this temporary folder in their environment, and what is in it, if they stay.

    Such processes are ended then: they are ours.
    """
    deadline = time.monotonic() + PATIENCE
    while (processes := _processes(temporary)) or any(temporary.iterdir()):
        if time.monotonic() > deadline:
            for process in processes:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
            return (*processes.values(), *map(str, temporary.iterdir()))
        time.sleep(0.05)
    return ()


def _processes(temporary: Path) -> dict[int, str]:
    """By number, the command lines of the processes that were started with this temporary folder."""
    variable, found = f"TMPDIR={temporary}\0".encode(), {}
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # gone, or somebody else's
            if variable in (process / "environ").read_bytes():
                words = (process / "cmdline").read_bytes().replace(b"\0", b" ")
                found[int(process.name)] = words.decode("utf-8", "replace")
    return found


def _text(path: Path) -> str:
    """What was printed; a byte that is no UTF-8 stands out as a half of a surrogate pair."""
    return path.read_bytes().decode("utf-8", "surrogateescape") if path.exists() else ""


@dataclass(frozen=True)
class Bench:
    """A version of the project, ready to have faults injected."""

    sample: Sample
    servers: Sequence[Server]
    place: Path

    def judged(self, faults: Iterable[tuple[str, Fault]]) -> Iterator[Judged]:
        """Carry out faults, as many at a time as there are servers; in their order, each as soon as it is judged.

        They are carried out in threads and judged in this one: what judges parses Python, and two threads that do so
        at the same time are a SystemError in Python 3.11.
        """
        free: SimpleQueue[Server] = SimpleQueue()
        for server in self.servers:
            free.put(server)

        def ending(numbered: tuple[int, tuple[str, Fault]]) -> Ended:
            number, (_, fault) = numbered
            server = free.get()
            try:
                return server.ending(fault, self._folder(number))
            finally:
                free.put(server)

        numbered = list(enumerate(faults))
        with ThreadPoolExecutor(len(self.servers)) as pool:
            for (number, (kind, fault)), ended in zip(numbered, pool.map(ending, numbered), strict=True):
                yield Judged(kind, fault, tuple(complaints(fault, ended)), ended)
                self._cleared(number)

    def _folder(self, number: int) -> Path:
        return self.place / f"fault-{number}"

    def _cleared(self, number: int) -> None:
        folder = self._folder(number)
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(f"{folder}.tmp", ignore_errors=True)
        for stream in ("stdout", "stderr"):
            Path(f"{folder}.{stream}").unlink(missing_ok=True)


@contextmanager
def bench(source: Path, processors: int = 2) -> Iterator[Bench]:
    """The version of the project in `source`, copied into a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        home = Path(folder) / "home"
        home.mkdir()
        sample = installed(source, home)
        work = Path(folder) / "work"
        work.mkdir()
        servers = [Server(home) for _ in range(processors)]
        try:
            yield Bench(sample, servers, work)
        finally:
            for server in servers:
                server.__exit__(None, None, None)
