"""`xent run` and `xent explain`: both go through the one engine."""

from __future__ import annotations

import argparse
import gc
import re
import sys
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

from harness.adapters.registry import Implementation, RegistryError, installed, registered, resolve
from harness.cli import terminal
from harness.core.cell import Cell, ClaimRecord, Footer, Header, Run
from harness.core.errors import UsageError
from harness.core.exit_codes import ExitCode, gravest
from harness.judgement.ledger import Ledger
from harness.runs.gate import run_codes
from harness.runs.plan import Scope, sharded
from harness.runs.run_file import RunWriter, footer_of
from harness.runs.session import Order, Progress, Result, execute
from harness.runs.truth_cache import KeptTruths, truths_file
from harness.suite.ledger_files import load_entries
from harness.suite.loading import find_cases_directory
from harness.suite.selection import load_selection


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


def record(order: Order, path: Path | None = None, *, fresh: bool = False) -> Run:
    """`record_with`, with progress on the terminal."""
    with terminal.progress() as tick:
        return record_with(order, path, tick, fresh=fresh)


def record_with(order: Order, path: Path | None, tick: Progress, *, fresh: bool = False) -> Run:
    """Execute the order: the run, as `read_run` would read it from the run file, which is written where `path` says.

    Whatever happens, what was found by then is in that file, without a footer. `fresh` evaluates every truth, whatever
    earlier runs kept.
    """
    header: Header | None = None
    footer: Footer | None = None
    found: list[Cell | ClaimRecord] = []
    with ExitStack() as stack:
        truths = stack.enter_context(KeptTruths(truths_file(), fresh=fresh))
        writer: RunWriter | None = None
        for item in execute(order, tick, truths.evaluate):
            match item:
                case Header():
                    header = item
                    writer = None if path is None else stack.enter_context(RunWriter(path, header))
                case Cell() | ClaimRecord():
                    found.append(item)
                    if writer is not None:
                        writer.add(item)
                case Result(seconds, problems) if writer is not None:
                    footer = writer.finish(seconds, problems)
                case Result(seconds, problems):
                    footer = footer_of(Counter(i.verdict for i in found if isinstance(i, Cell)), seconds, problems)
    assert header is not None, "a run begins with its header"
    assert footer is not None, "a run ends with its result"
    cells = tuple(item for item in found if isinstance(item, Cell))
    claims = tuple(item for item in found if isinstance(item, ClaimRecord))
    return Run(header, cells, claims, (), footer)


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
        ledger=Ledger(load_entries(ledger_folder)),
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


def explain(options: argparse.Namespace) -> ExitCode:
    """Everything about the cases named: formula, inputs, truth to 20 digits, every implementation's answer."""
    if not options.cases:
        raise UsageError("explain needs a case: xent explain documents/d4-dog-in-bits (`xent cases list` names them)")
    order = order_from(options)
    finished = record(order)
    for case in order.cases:
        terminal.show_case(case, finished)
    return gravest(run_codes(finished))
