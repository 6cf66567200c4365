"""`xent kills`: the kill matrix, its verdict on the terminal and the whole of it in a file."""

from __future__ import annotations

import argparse
import json
from collections import Counter

from rich.console import Console
from rich.progress import Progress

from harness.core.exit_codes import ExitCode
from harness.mistakes.kill_matrix import KillMatrix, kill_matrix
from harness.suite.selection import load_selection

MOST_NAMED = 20
"""Names printed of a list; all of them stand in the file."""


def kills(options: argparse.Namespace) -> ExitCode:
    """Compute the matrix of the cases named; 1 where a mutant survives a whole suite, or a case is idle."""
    suite = load_selection(options.cases)
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("cases", total=None)
        matrix = kill_matrix(suite.cases, options.parallel, lambda n, total: bar.update(task, completed=n, total=total))
    if options.output is not None:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        entry = {**matrix.entry(), "suite": suite.digest}
        options.output.write_text(json.dumps(entry, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    if not matrix.kills:
        print("none of these cases is judged: each only records what implementations choose")
        return ExitCode.NOTHING_RAN
    _tell(matrix)
    if options.output is not None:
        print(f"matrix: {options.output}")
    # Some cases cannot catch every mutant; only the whole suite has to.
    holes = matrix.survivors if not options.cases else ()
    return ExitCode.DISAGREES if holes or matrix.slandered or matrix.accused or matrix.idle else ExitCode.FINE


def _tell(matrix: KillMatrix) -> None:
    count = len(matrix.mutants) - len(matrix.survivors)
    times = Counter(name for names in matrix.kills.values() for name in names)
    print(f"{count} of {len(matrix.mutants)} known-bad implementations are caught by {len(matrix.kills)} cases")
    for heading, names in (
        ("caught by no case", matrix.survivors),
        ("right, and caught all the same", matrix.slandered),
        ("cases that catch the correct implementation", matrix.accused),
        ("cases that catch no mutant and are not marked as characterisations", matrix.idle),
        ("caught by one case only", [name for name, n in times.items() if n == 1]),
    ):
        if names:
            more = f", and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
            print(f"{heading}: {', '.join(names[:MOST_NAMED])}{more}")
