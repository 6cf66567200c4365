"""Run files that a user names."""

from __future__ import annotations

import shlex
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
        raise UsageError(f"{path}: no such run file; make one with `xent run -o {shlex.quote(str(path))}`")
    return read_run(path)


def committed_baseline() -> Path:
    """The file of the committed baseline, whether it is there or not."""
    return find_cases_directory().parent / BASELINE


def overlay_file(baseline: Path, name: str) -> Path:
    """Where an overlay of this baseline is kept."""
    return baseline.with_name(f"{baseline.name.partition('.')[0]}.overlays") / f"{name}.jsonl.gz"


def overlays_of(baseline: Path | None) -> dict[str, Run]:
    """The overlays of the baseline in this file by name; None: of the committed one."""
    folder = overlay_file(baseline if baseline is not None else committed_baseline(), "").parent
    return {path.name.partition(".")[0]: read_run(path) for path in sorted(folder.glob("*.jsonl.gz"))}


def baseline_run(path: Path | None) -> Run:
    """The baseline in this file; None: the committed one."""
    path = path if path is not None else committed_baseline()
    if not path.is_file():
        hint = "make one with `xent run --complete -o RUN.jsonl` and `xent accept`"
        raise UsageError(f"{path}: there is no baseline yet; {hint}")
    return read_run(path)
