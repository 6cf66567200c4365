"""Run files that a user names."""

from __future__ import annotations

from pathlib import Path

from harness.core.cell import Run
from harness.core.errors import UsageError
from harness.runs.run_file import read_run
from harness.suite.loading import find_cases_directory

BASELINE = Path("reports/baseline/baseline.jsonl.gz")
"""Beside the cases: what `xent accept` writes and `xent gate RUN` reads where nothing else is named."""


def existing_run(path: Path) -> Run:
    """A complete run; UsageError where there is no such file."""
    if not path.is_file():
        raise UsageError(f"{path}: no such run file; make one with `xent run -o {path}`")
    return read_run(path)


def baseline_run(path: Path | None) -> Run:
    """The baseline in this file; None: the committed one."""
    path = path if path is not None else find_cases_directory().parent / BASELINE
    if not path.is_file():
        hint = "make one with `xent run --complete -o RUN.jsonl` and `xent accept`"
        raise UsageError(f"{path}: there is no baseline yet; {hint}")
    return read_run(path)
