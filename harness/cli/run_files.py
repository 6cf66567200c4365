"""Run files that a user names."""

from __future__ import annotations

import shlex
from pathlib import Path

from harness.core.cell import Run
from harness.core.errors import UsageError
from harness.runs.project import find_project
from harness.runs.run_file import read_run
from harness.suite.loading import find_cases_directory

BASELINE = Path("reports/baseline/baseline.jsonl.gz")
"""Beside the cases: the baseline that comes with xent."""


def existing_run(path: Path) -> Run:
    """A complete run; UsageError where there is no such file."""
    if not path.is_file():
        raise UsageError(f"{path}: no such run file; make one with `xent run -o {shlex.quote(str(path))}`")
    return read_run(path)


def shipped_baseline() -> Path:
    """The baseline that comes with xent, whether it is there or not; in a checkout it is the project's own."""
    return find_cases_directory().parent / BASELINE


def own_baseline() -> Path | None:
    """The baseline of the project we are in, whether it is there or not; None where we are in none."""
    project = find_project()
    return None if project is None else project.baseline


def overlay_file(baseline: Path, name: str) -> Path:
    """Where an overlay of this baseline is kept."""
    return baseline.with_name(f"{baseline.name.partition('.')[0]}.overlays") / f"{name}.jsonl.gz"


def overlays_of(baseline: Path) -> dict[str, Run]:
    """The overlays of the baseline in this file by name."""
    folder = overlay_file(baseline, "").parent
    return {path.name.partition(".")[0]: read_run(path) for path in sorted(folder.glob("*.jsonl.gz"))}


def baseline_run(path: Path) -> Run:
    """The baseline in this file; UsageError where there is none yet."""
    if not path.is_file():
        hint = "make one with `xent run --complete -o RUN.jsonl` and `xent accept RUN.jsonl`"
        raise UsageError(f"{path}: there is no baseline yet; {hint}")
    return read_run(path)
