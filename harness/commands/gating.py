"""`xent gate` and `xent merge`: they read run files and run nothing."""

from __future__ import annotations

import argparse
from pathlib import Path

from harness import terminal
from harness.cli import UsageError
from harness.exit_codes import ExitCode, gravest
from harness.records import Cell, ClaimRecord, Run, RunWriter, Speed, read_run
from harness.upgrade.gate import gate as decide
from harness.upgrade.gate import run_codes
from harness.upgrade.merge import merge as merged


def gate(options: argparse.Namespace) -> ExitCode:
    """The gate between a dependency bump and the main branch."""
    baseline, current = _existing(options.baseline), _existing(options.current)
    result = decide(baseline, current)
    terminal.show_gate(result, baseline, current)
    return result.code


def merge(options: argparse.Namespace) -> ExitCode:
    """Parts of a run become one run file; its code is that of the whole."""
    whole = merged([_existing(path) for path in options.runs])
    with RunWriter(options.output, whole.header) as writer:
        records: tuple[Cell | ClaimRecord | Speed, ...] = (*whole.cells, *whole.claims, *whole.speeds)
        for record in records:
            writer.add(record)
        writer.finish(whole.footer.seconds, whole.footer.problems)
    print(f"run file: {options.output} ({len(whole.cells)} cells of {len(options.runs)} parts)")
    return gravest(run_codes(whole))


def _existing(path: Path) -> Run:
    if not path.is_file():
        raise UsageError(f"{path}: no such run file; make one with `xent run -o {path}`")
    return read_run(path)
