"""`xent` in a process of its own, without starting Python and importing everything for each.

A server that has imported every command forks a process per call: it is the program from its first function on, with
streams, folder, environment, signals and an end of its own. That `python -m harness` comes to this function, and ends
with each of the codes, is in `test_cli`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from multiprocessing import get_context
from pathlib import Path

from harness.cli.ending import program
from harness.cli.main import COMMANDS

ROOT = Path(__file__).resolve().parents[2]
SERVER = get_context("forkserver")
SERVER.set_forkserver_preload([f"harness.cli.{name}" for name in COMMANDS])

WIDE = {"COLUMNS": "1000"}
"""So that a sentence which a test looks for stands in one line."""

PATIENCE = 300.0
"""Seconds until a command counts as hanging; on a busy machine the longest takes a tenth of that."""


def xent(
    *words: str | Path, folder: Path | None = None, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """What a command says and how it ends, in `folder` (default: the current one) with these variables set besides."""
    arguments = tuple(map(str, words))
    variables = {**os.environ, **WIDE, "PYTHONPATH": str(ROOT), **(environment or {})}
    with tempfile.TemporaryDirectory() as place:
        out, err = Path(place) / "out", Path(place) / "err"
        process = SERVER.Process(target=_become, args=(arguments, folder or Path.cwd(), variables, out, err))
        process.start()
        process.join(PATIENCE)
        hangs = process.exitcode is None
        if hangs:
            process.kill()
            process.join()
        said = (out.read_text(encoding="utf-8"), err.read_text(encoding="utf-8"))
    assert not hangs, f"{arguments} was at work after {PATIENCE} s: {said}"
    assert process.exitcode is not None
    return subprocess.CompletedProcess(arguments, process.exitcode, *said)


def _become(arguments: tuple[str, ...], folder: Path, variables: Mapping[str, str], out: Path, err: Path) -> None:
    """The program, in this process."""
    for number, path in ((1, out), (2, err)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
    os.environ.clear()
    os.environ.update(variables)
    os.chdir(folder)
    sys.path.insert(0, str(folder))  # as `python -m` does
    sys.argv = ["xent", *arguments]
    program()
