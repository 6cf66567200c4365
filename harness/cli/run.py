"""`xent run` and `xent explain`: both go through the one engine."""

from __future__ import annotations

import argparse
import gc
import re
import sys
import time
from pathlib import Path

from harness.adapters.choice import choose
from harness.cli import terminal
from harness.core.cell import Run
from harness.core.errors import UsageError
from harness.core.exit_codes import ExitCode, gravest
from harness.runs.gate import run_codes
from harness.runs.plan import Scope
from harness.runs.service import execute_order, make_order, read_ledger
from harness.runs.session import Order


def run(options: argparse.Namespace) -> ExitCode:
    """Run the suite, print a verdict, write the run file and the report where asked."""
    order = order_from(options)
    # Cases, ledger and modules stay until the end, and so do most of the small objects a run makes by the hundred
    # thousand: looking through all of them again and again, as Python does by itself, is a twentieth of our time.
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)
    since = time.perf_counter()
    finished = record(order, options.output, fresh=options.fresh)
    terminal.show_run(finished, time.perf_counter() - since)  # the verdict first: a report takes a while
    if options.output is not None:
        print(f"run file: {options.output}")
    if options.report is not None:
        # What only a report needs; and what writes scripts needs this module.
        from harness.reproduction.scripts import scripts_of
        from reports.html import write

        report = write(finished, options.report, scripts=scripts_of(finished, order.cases))
        print(f"report:   {report.resolve()}")
    return gravest(run_codes(finished))


def record(order: Order, output: Path | None = None, *, fresh: bool = False) -> Run:
    """Execute an order with progress on the terminal."""
    with terminal.progress() as tick:
        return execute_order(order, output=output, progress=tick, fresh=fresh)


def order_from(options: argparse.Namespace) -> Order:
    """What the command line asks for; UsageError where it asks for something that is not there."""
    return make_order(
        options.cases,
        choose(options.implementation or (), family=options.family, elsewhere=options.python is not None),
        Scope(
            dtypes=names_of(options.dtypes, "--dtypes", ("float64", "float32", "float16", "bfloat16")),
            modes=None if options.modes is None else tuple(options.modes.split(",")),
            shard=_shard(options.shard),
        ),
        ledger=read_ledger(options.ledger),
        timeout=options.timeout,
        parallel=options.parallel,
        python=options.python,
        command=("xent", *sys.argv[1:]),
    )


def names_of(text: str | None, flag: str, allowed: tuple[str, ...]) -> tuple[str, ...] | None:
    if text is None:
        return None
    names = tuple(text.split(","))
    for name in names:
        if name not in allowed:
            raise UsageError(f"{flag} {name}: expected some of {', '.join(allowed)}, separated by commas")
    return names


def _shard(text: str | None) -> tuple[int, int]:
    if text is None:
        return (1, 1)
    match = re.fullmatch(r"(\d+)/(\d+)", text)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise UsageError(f"--shard {text}: expected i/n with 1 <= i <= n, such as 1/4")
    return int(match[1]), int(match[2])


def explain(options: argparse.Namespace) -> ExitCode:
    """Everything about the cases named: formula, inputs, truth to 20 digits, every implementation's answer."""
    if not options.cases:
        raise UsageError("explain needs a case: xent explain documents/d4-dog-in-bits (`xent cases list` names them)")
    order = order_from(options)
    finished = record(order)
    for case in order.cases:
        terminal.show_case(case, finished)
    return gravest(run_codes(finished))
