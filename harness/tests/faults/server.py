"""Started as a program in a copy of the source: imports its commands once and forks for every fault.

A request is a line of JSON on the standard input (folder, arguments, environment, signal, seconds, largest file,
streams); the answer is a line with the exit code, minus the number of the signal that ended it, or null where it took
too long.
What the command printed is in the two files named as streams.
"""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import resource
import runpy
import select
import signal
import sys
import tempfile
import time
import traceback
from typing import Any, NoReturn

LARGEST_MEMORY = 8 * 2**30
"""Bytes of addresses: libraries reserve some two gigabytes; what asks for more than this would have taken the machine
with it."""


def main() -> None:
    """Answer requests until there are no more."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    _import_commands()
    for line in sys.stdin.buffer:
        request = json.loads(line)
        child = os.fork()
        if child == 0:
            _become(request)
        if request["signal"] is not None:
            _tell(child, request["folder"], **request["signal"])
        answers.write(json.dumps(_waited(child, request["seconds"])) + "\n")
        answers.flush()


def _import_commands() -> None:
    import harness.cli
    import reports

    for package in (harness.cli, reports):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if ".tests" not in module.name and not module.name.endswith("__main__"):
                importlib.import_module(module.name)


def _tell(child: int, folder: str, *, name: str, once: str, after: float) -> None:
    """Send a signal once the file is there; a command that ends without it has not been told anything."""
    handle = os.pidfd_open(child)
    try:
        deadline = time.monotonic() + 30  # a worker that has not begun by then never will
        while not os.path.exists(os.path.join(folder, once)) and time.monotonic() < deadline:  # noqa: PTH110, PTH118
            if select.select([handle], [], [], 0.01)[0]:
                return
        select.select([handle], [], [], after)
        os.kill(child, getattr(signal, name))
    finally:
        os.close(handle)


def _waited(child: int, seconds: float) -> int | None:
    handle = os.pidfd_open(child)
    try:
        ended, _, _ = select.select([handle], [], [], seconds)
    finally:
        os.close(handle)
    if not ended:
        os.killpg(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status) if ended else None


def _become(request: dict[str, Any]) -> NoReturn:
    """Be `xent` with these arguments, in this folder, to the end."""
    code = 1
    try:
        os.setsid()
        os.chdir(request["folder"])
        for descriptor, name, flags in (
            (0, os.devnull, os.O_RDONLY),
            (1, request["streams"][0], os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
            (2, request["streams"][1], os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
        ):
            opened = os.open(name, flags)
            os.dup2(opened, descriptor)
            os.close(opened)
        os.environ.update(request["environment"])
        tempfile.tempdir = None  # what another environment said
        resource.setrlimit(resource.RLIMIT_AS, (LARGEST_MEMORY, LARGEST_MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if request["largest_file"] is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (request["largest_file"],) * 2)
        sys.argv = ["xent", *request["arguments"]]
        runpy.run_module("harness", run_name="__main__")
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except (OSError, ValueError):
                code = 120  # what Python itself says where it cannot flush
        os._exit(code)


main()
