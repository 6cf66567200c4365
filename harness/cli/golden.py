"""`xent golden`: what is right for chosen calls, as a table for tests in any language."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from harness.cli import terminal
from harness.cli.options import Cases, Dtypes, words
from harness.core.errors import UsageError
from harness.core.exit_codes import ExitCode
from harness.core.files import check_outputs, write_whole
from harness.core.printing import tell
from harness.golden.parquet import parquet
from harness.golden.table import chosen, header, json_lines, line, row
from harness.suite.problems import suggestion
from harness.suite.selection import load_cover, load_selection, sources
from reference.signatures import LOSSES

app = App(
    name="golden",
    help_epilogue="""\
Without cases: those of the cover. 5: no case is left.

Example: what a softmax cross-entropy with class weights has to answer:

    xent golden --losses softmax_cross_entropy --options class_weights \\
        -o golden.jsonl
""",
)

Names = Annotated[tuple[str, ...] | None, Parameter(converter=words, n_tokens=1, metavar="NAME,…")]


@app.default
def golden(
    *cases: Cases,
    output: Annotated[
        Path, Parameter(alias="-o", metavar="FILE", help="Parquet where its name ends in .parquet, else JSON lines.")
    ],
    losses: Annotated[Names, Parameter(help="Only these losses.")] = None,
    options: Annotated[Names, Parameter(help="Only calls with no other option; reductions always count.")] = None,
    dtypes: Annotated[Dtypes, Parameter(help="Only these dtypes.")] = None,
    complete: Annotated[bool, Parameter(help="Of all cases, where none is named.")] = False,
) -> ExitCode:
    """Write inputs in bits with exact results and their tolerances, of small cases with one right answer."""
    _check("--losses", losses, tuple(LOSSES))
    _check("--options", options, tuple(dict.fromkeys(option for s in LOSSES.values() for option in s.options)))
    check_outputs((output,), sources(cases))
    suite = load_selection(cases) if cases or complete else load_cover()[0]
    pairs = tuple(chosen(suite.cases, losses=losses, options=options, dtypes=dtypes))
    if not pairs:
        tell("no row: no small case with one right answer is left", error=True)
        return ExitCode.NOTHING_RAN
    records = []
    with terminal.progress() as tick:
        for done, (case, dtype) in enumerate(pairs, 1):
            records.append(row(case, dtype).record())
            tick("rows", done, len(pairs))
    lines = [line(record) for record in records]
    head = header(lines, suite.digest)
    write_whole(output, parquet(records, head) if output.suffix == ".parquet" else json_lines(head, lines))
    tell(f"golden:      {output}: {len(lines)} rows, sha256 {head['digest']}")
    certificate = head["certificate"]
    tell(f"certificate: {certificate['sentence'] if certificate else 'none: the reference is not the certified one'}")
    return ExitCode.FINE


def _check(name: str, given: Sequence[str] | None, known: Sequence[str]) -> None:
    for word in given or ():
        if word not in known:
            raise UsageError(f"{name} {word}: there is no such name. {suggestion(word, known)}")
