"""`xent kills`: the kill matrix, its verdict on the terminal and the whole of it in a file."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from harness.cli import terminal
from harness.cli.options import Cases, Workers
from harness.cli.run_files import baseline_run, shipped_baseline
from harness.core.errors import UsageError
from harness.core.exit_codes import ExitCode
from harness.core.files import check_outputs, write_whole
from harness.core.printing import say, tell
from harness.mistakes.cover import cover as smallest_cover
from harness.mistakes.cover import demands, unmet
from harness.mistakes.kill_matrix import KillMatrix, kill_matrix, witnesses
from harness.runs.service import read_ledger
from harness.suite.cover_file import cover_file, cover_text
from harness.suite.loading import Suite
from harness.suite.selection import load_cover, load_selection, sources

MOST_NAMED = 20
"""Names printed of a list; all of them stand in the file."""


app = App(
    name="kills",
    help_epilogue="""\
Example: what one case catches:

    xent kills documents/d4-dog-in-bits
""",
)


@app.default
def kills(
    *cases: Cases,
    output: Annotated[Path | None, Parameter(alias="-o", metavar="KILLS.json", help="Write the matrix here.")] = None,
    parallel: Annotated[Workers | None, Parameter(help="Cases side by side; default: one per core.")] = None,
    cover: Annotated[
        bool, Parameter(help="Write cases/cover.yaml anew: few cases that catch and show what all do.")
    ] = False,
) -> ExitCode:
    """Ask whether every mistake is caught, also by the cover alone, and whether every case catches one; 1 where not.

    For cases named, for --output and for --cover all of the matrix is computed: every mistake put to every case.
    """
    if cover and cases:
        raise UsageError("--cover is that of all cases: name none")
    check_outputs([output], sources(cases))
    suite = load_selection(cases)
    whole = bool(cases) or output is not None or cover
    workers = parallel or os.cpu_count() or 1
    with terminal.progress() as tick:

        def progress(done: int, total: int) -> None:
            tick("known-bad ones", done, total)

        if whole:
            matrix = kill_matrix(suite.cases, workers, progress)
        else:
            covering, _ = load_cover()
            matrix = witnesses(suite.cases, {case.id for case in covering.cases}, workers, progress)
    if output is not None:
        entry = {**matrix.entry(), "suite": suite.digest}
        write_whole(output, json.dumps(entry, indent=1, ensure_ascii=False) + "\n")
    if not matrix.kills:
        tell("none of these cases is judged: each only records what implementations choose")
        return ExitCode.NOTHING_RAN
    _show(matrix, whole=whole)
    if output is not None:
        say(f"matrix: {output}")
    # Some cases cannot catch every mutant; only the whole suite has to, and its cover.
    holes = () if cases else (*matrix.survivors, *_uncovered(matrix, suite, whole=whole, write=cover))
    return ExitCode.DISAGREES if holes or matrix.false_positives or matrix.accused or matrix.idle else ExitCode.FINE


def _uncovered(matrix: KillMatrix, suite: Suite, *, whole: bool, write: bool) -> tuple[str, ...]:
    """What all cases show and the cover does not, said; nothing once it is written anew.

    Of a matrix of witnesses, which has one case for each mistake, nobody can tell in which others it shows: that those
    of plain calls show in plain calls is seen in the `whole` one alone.
    """
    ids = {case.id for case in suite.cases}
    plain = {case.id for case in suite.cases if whole and case.options in ({}, {"reduction": "mean"})}
    wanted = demands(matrix.kills, read_ledger().entries, baseline_run(shipped_baseline()).cells, ids, plain)
    if write:
        chosen = smallest_cover(wanted)
        write_whole(cover_file(), cover_text(chosen))
        tell(f"cover: {len(chosen)} of {len(ids)} cases show all {len(wanted)} mistakes, entries and conventions")
        return ()
    covering, _ = load_cover()
    lacking = unmet(wanted, {case.id for case in covering.cases})
    if lacking:
        _show_list("not shown by the cover, which xent kills --cover writes anew", lacking)
    return lacking


def _show(matrix: KillMatrix, *, whole: bool) -> None:
    count = len(matrix.mutants) - len(matrix.survivors)
    times = Counter(name for names in matrix.kills.values() for name in names)
    tell(f"{count} of {len(matrix.mutants)} known-bad implementations are caught by {len(matrix.kills)} cases")
    for heading, names in (
        ("caught by no case", matrix.survivors),
        ("right, and caught all the same", matrix.false_positives),
        ("cases that catch the correct implementation", matrix.accused),
        ("cases that catch no mutant and are not marked as characterisations", matrix.idle),
        ("caught by one case only", [name for name, n in times.items() if whole and n == 1]),
    ):
        if names:
            _show_list(heading, names)


def _show_list(heading: str, names: Sequence[str]) -> None:
    more = f", and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    tell(f"{heading}: {', '.join(names[:MOST_NAMED])}{more}")
