"""`xent run` and `xent explain`: both go through the one engine."""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from harness import terminal
from harness.adapters.registry import Implementation, RegistryError, installed, registered, resolve
from harness.cli import UsageError
from harness.engine import Order, Progress, Result, execute
from harness.exit_codes import ExitCode, gravest
from harness.kept_truths import KeptTruths, truths_file
from harness.planning import Scope, sharded
from harness.records import Cell, ClaimRecord, Header, Run, RunWriter, read_run
from harness.suite.divergences import load_ledger
from harness.suite.loading import find_cases_directory
from harness.suite.selection import load_selection
from harness.upgrade.gate import run_codes


def run(options: argparse.Namespace) -> ExitCode:
    """Run the suite, print a verdict, write the run file and the report where asked."""
    order = order_from(options)
    with ExitStack() as stack:
        path = options.output
        if path is None:
            path = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "run.jsonl"
        since = time.perf_counter()
        record(order, path, fresh=options.fresh)
        finished = read_run(path)
        terminal.show_run(finished, time.perf_counter() - since)  # the verdict first: a report takes a while
        if options.output is not None:
            print(f"run file: {options.output}")
        if options.report is not None:
            # What only a report needs; and what writes scripts needs this module.
            from harness.commands.scripts import scripts_of
            from reports.html import write

            report = write(finished, options.report, scripts=scripts_of(finished, order.cases))
            print(f"report:   {report.resolve()}")
    return gravest(run_codes(finished))


def record(order: Order, path: Path, *, fresh: bool = False) -> None:
    """Execute the order into a run file, with progress on the terminal."""
    with terminal.progress() as tick:
        record_with(order, path, tick, fresh=fresh)


def record_with(order: Order, path: Path, tick: Progress, *, fresh: bool = False) -> None:
    """Execute the order into a run file. Whatever happens, what was found by then is on disk, without a footer.

    `fresh` evaluates every truth, whatever earlier runs kept.
    """
    writer: RunWriter | None = None
    with KeptTruths(truths_file(), fresh=fresh) as truths:
        try:
            for item in execute(order, tick, truths.evaluate):
                match item:
                    case Header():
                        writer = RunWriter(path, item)
                    case Cell() | ClaimRecord() if writer is not None:
                        writer.add(item)
                    case Result(seconds, problems) if writer is not None:
                        writer.finish(seconds, problems)
        finally:
            if writer is not None:
                writer.close()


def order_from(options: argparse.Namespace) -> Order:
    """What the command line asks for; UsageError where it asks for something that is not there."""
    suite = load_selection(options.cases)
    scope = Scope(
        dtypes=names_of(options.dtypes, "--dtypes", ("float64", "float32", "float16", "bfloat16")),
        modes=None if options.modes is None else tuple(options.modes.split(",")),
        shard=_shard(options.shard),
    )
    implementations = chosen_implementations(options)
    everything = not options.cases and options.shard is None and options.dtypes is None
    ledger_folder = options.ledger if options.ledger is not None else find_cases_directory() / "ledger"
    if options.ledger is not None and not options.ledger.is_dir():
        raise UsageError(f"--ledger {options.ledger}: no such folder; an empty folder is an empty ledger")
    return Order(
        cases=sharded(suite.cases, scope),
        digest=suite.digest,
        ledger=load_ledger(ledger_folder),
        implementations=implementations,
        scope=scope,
        complete=everything and scope.modes == ("all",) and {i.name for i in implementations} >= set(registered()),
        timeout=options.timeout,
        parallel=options.parallel,
        command=("xent", *sys.argv[1:]),
        python=options.python,
    )


def chosen_implementations(options: argparse.Namespace) -> tuple[Implementation, ...]:
    """The implementations a command line names; all that are installed where it names none."""
    try:
        if options.implementation:
            return tuple(resolve(name) for name in options.implementation)
    except RegistryError as error:
        raise UsageError(str(error)) from error
    table = registered()
    present = {name: table[name] for name in (table if options.python else installed())}
    if options.family is not None:
        families = sorted({i.family for i in table.values()})
        if options.family not in families:
            raise UsageError(f"--family {options.family}: no such family; there are {', '.join(families)}")
        # A family that was asked for by name has to be there: what cannot be imported becomes `missing`.
        return tuple(i for i in table.values() if i.family == options.family)
    return tuple(present.values())


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


def recorded(order: Order) -> Run:
    """The order executed, as a run."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.jsonl"
        record(order, path)
        return read_run(path)


def explain(options: argparse.Namespace) -> ExitCode:
    """Everything about the cases named: formula, inputs, truth to 20 digits, every implementation's answer."""
    if not options.cases:
        raise UsageError("explain needs a case: xent explain documents/d4-dog-in-bits (`xent cases list` names them)")
    order = order_from(options)
    finished = recorded(order)
    for case in order.cases:
        terminal.show_case(case, finished)
    return gravest(run_codes(finished))
