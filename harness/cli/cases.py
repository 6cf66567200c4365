"""`xent cases …` and `xent implementations`: looking at the suite without running it."""

from __future__ import annotations

import argparse
import json

from harness.adapters.registry import installed, registered
from harness.core.case import ArraySpec
from harness.core.exit_codes import ExitCode
from harness.runs.session import describe_array
from harness.speed.workloads import load_workloads
from harness.suite.ledger_files import load_entries
from harness.suite.linting import lint as lint_cases
from harness.suite.loading import find_cases_directory
from harness.suite.schema import schema as case_schema
from harness.suite.selection import load_selection


def lint(options: argparse.Namespace) -> ExitCode:
    """Check every case file and the ledger; every problem with its place and remedy."""
    suite = load_selection(options.cases)
    entries = load_entries(find_cases_directory() / "ledger")
    problems = lint_cases(suite.cases)
    for problem in problems:
        print(problem)
    if problems:
        print(f"{len(problems)} problems in {len(suite.cases)} cases")
        return ExitCode.USAGE
    workloads = load_workloads()
    print(
        f"{len(suite.cases)} cases, {len(entries)} ledger entries and {len(workloads)} workloads: "
        "nothing to complain about"
    )
    return ExitCode.FINE


def list_cases(options: argparse.Namespace) -> ExitCode:
    """One line per case."""
    for case in load_selection(options.cases).cases:
        print(f"{case.id}\t{case.loss}\t{case.title}")
    return ExitCode.FINE


def show(options: argparse.Namespace) -> ExitCode:
    """Cases as they are after the expansion of families."""
    for case in load_selection(options.cases).cases:
        print(f"{case.id}  ({case.location})\n  {case.title}\n  why: {case.why}\n  loss: {case.loss}")
        for name, spec in case.inputs.items():
            print(f"  {name}: {describe_array(spec)}")
        for name, value in case.options.items():
            print(f"  {name} = {describe_array(value) if isinstance(value, ArraySpec) else value}")
        if case.vector is not None:
            print(f"  vector: {describe_array(case.vector)}")
        print(f"  dtypes: {', '.join(case.dtypes)}; differentiate: {', '.join(case.differentiate) or 'nothing'}")
        print(f"  expect: {case.expect}")
    return ExitCode.FINE


def schema(options: argparse.Namespace) -> ExitCode:  # noqa: ARG001 - every command takes the options
    """The JSON schema of case files."""
    print(json.dumps(case_schema(), indent=2))
    return ExitCode.FINE


def implementations(options: argparse.Namespace) -> ExitCode:  # noqa: ARG001 - every command takes the options
    """What is registered, and what of it is installed here."""
    present = set(installed())
    for name, implementation in registered().items():
        state = "installed" if name in present else f"not installed: pip install 'xent[{implementation.extra}]'"
        print(f"{name:18} {implementation.target:48} {state}")
    return ExitCode.FINE
