"""`xent gate` and `xent merge`: they read run files and run nothing."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import reports.gate
import reports.github
from harness.cli import terminal
from harness.core.cell import Run
from harness.core.errors import UsageError
from harness.core.exit_codes import ExitCode, gravest
from harness.judgement.ledger import Ledger
from harness.reproduction.scripts import with_scripts
from harness.runs.baseline import accepted, comparable_part, reduced
from harness.runs.diff import NotComparable
from harness.runs.gate import gate as decide
from harness.runs.gate import run_codes
from harness.runs.merge import merge as merged
from harness.runs.run_file import read_run, write_run
from harness.suite.ledger_edits import append_entries, remove_entries
from harness.suite.ledger_files import load_drafts
from harness.suite.loading import find_cases_directory

BASELINE = Path("reports/baseline/baseline.jsonl.gz")
"""Beside the cases: what `xent accept` writes and `xent gate RUN` reads where nothing else is named."""


def gate(options: argparse.Namespace) -> ExitCode:
    """The gate between a dependency bump and the main branch."""
    if options.current is None:
        # One file: that is the run, and the committed baseline is what it is compared with, as far as it went.
        current = _existing(options.baseline)
        baseline = comparable_part(_baseline(options.against), current)
    else:
        baseline, current = _existing(options.baseline), _existing(options.current)
    result = decide(baseline, current, threshold_of(options))
    if result.difference is not None:
        result = replace(result, difference=with_scripts(result.difference, current))
    terminal.show_gate(result, baseline, current)
    if options.markdown is not None:
        options.markdown.parent.mkdir(parents=True, exist_ok=True)
        options.markdown.write_text(reports.gate.markdown(result, current), encoding="utf-8")
    if options.github and result.difference is not None:
        for line in reports.github.workflow_commands(result.difference, (baseline, current)):
            print(line)
    return result.code


def threshold_of(options: argparse.Namespace) -> float:
    """`--slower` as a fraction; UsageError where it is no percentage."""
    if not options.slower >= 0:
        raise UsageError(f"--slower {options.slower}: expected a percentage of zero or more")
    return float(options.slower) / 100


def accept(options: argparse.Namespace) -> ExitCode:
    """Make a run the baseline, and put what it shows into the ledger, with reasons for a person to write."""
    run = _existing(options.run)
    if ExitCode.INFRASTRUCTURE in run_codes(run):
        raise NotComparable(
            f"{options.run}: it has cells that never were judged (crashed, timed out or missing): run it again; "
            "a baseline without them would hide whatever they do"
        )
    folder = options.ledger if options.ledger is not None else find_cases_directory() / "ledger"
    gone = {p.entry for p in run.footer.problems if p.kind == "fixed" and p.entry is not None}
    ledger = Ledger(tuple(entry for entry in load_drafts(folder) if entry.id not in gone))
    known, new = accepted(run, ledger)
    whole = reduced(known)
    if new:
        file = append_entries(folder / "accepted.yaml", new)
        print(f"ledger:   {len(new)} entries in {file}: write their reasons, `xent cases lint` refuses them until then")
    for name in remove_entries(folder, gone):
        print(f"removed:  {name}, whose outcome no longer happens")
    write_run(options.baseline, whole)
    print(f"baseline: {options.baseline} ({len(whole.cells)} cells)")
    return ExitCode.FINE


def _baseline(named: Path | None) -> Run:
    path = named if named is not None else find_cases_directory().parent / BASELINE
    if not path.is_file():
        raise UsageError(f"{path}: there is no baseline yet; make one with `xent run -o RUN.jsonl` and `xent accept`")
    return read_run(path)


def merge(options: argparse.Namespace) -> ExitCode:
    """Parts of a run become one run file; its code is that of the whole."""
    whole = merged([_existing(path) for path in options.runs])
    write_run(options.output, whole)
    print(f"run file: {options.output} ({len(whole.cells)} cells of {len(options.runs)} parts)")
    return gravest(run_codes(whole))


def _existing(path: Path) -> Run:
    if not path.is_file():
        raise UsageError(f"{path}: no such run file; make one with `xent run -o {path}`")
    return read_run(path)
