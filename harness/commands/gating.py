"""`xent gate`: reads two run files, prints what changed, exits with the gravest code."""

from __future__ import annotations

import argparse
from pathlib import Path

from harness import terminal
from harness.cli import UsageError
from harness.exit_codes import ExitCode
from harness.records import Run, read_run
from harness.upgrade.gate import gate as decide


def gate(options: argparse.Namespace) -> ExitCode:
    """The gate between a dependency bump and the main branch."""
    baseline, current = _existing(options.baseline), _existing(options.current)
    result = decide(baseline, current)
    terminal.show_gate(result, baseline, current)
    return result.code


def _existing(path: Path) -> Run:
    if not path.is_file():
        raise UsageError(f"{path}: no such run file; make one with `xent run -o {path}`")
    return read_run(path)
