"""`xent since`: in which releases a cell, or what a ledger entry pins, is as it is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from harness.cli.history import STORE, kept_histories, known_stores
from harness.cli.repro import parsed
from harness.core.cell import Key
from harness.core.errors import UsageError
from harness.core.exit_codes import ExitCode
from harness.core.ledger import Entry
from harness.core.printing import tell
from harness.runs.service import read_ledger
from harness.versions import behaviours
from harness.versions.behaviours import History

app = App(
    name="since",
    help_epilogue="""\
Examples: a ledger entry, and a cell:

    xent since optax-integer-labels-cancel
    xent since 'documents/d2-extreme-89[optax:jit:float32:value]'
""",
)


@app.default
def since(
    what: Annotated[
        str, Parameter(help="The id of a ledger entry, or a cell: case[implementation:mode:dtype:aspect].")
    ],
    /,
    *,
    store: Annotated[
        Path | None,
        Parameter(
            metavar="FOLDER",
            help=f"Where the runs of releases are kept; default: {STORE}, and what comes with xent.",
        ),
    ] = None,
) -> ExitCode:
    """Since which release."""
    asked = _cell_or_entry(what)
    known = kept_histories(*known_stores(store))
    told = [text for history in known for text in _told(history, asked)]
    if not told:
        packages = ", ".join(history.name for history in known) or "no package"
        tell(
            f"nothing is known of {what}: kept are releases of {packages}; `xent history PACKAGE` runs those of another"
        )
        return ExitCode.NOTHING_RAN
    for text in told:
        tell(text)
    return ExitCode.FINE


def _cell_or_entry(what: str) -> Key | Entry:
    if "[" in what:
        named = parsed(what)
        return named.case, named.implementation, named.mode, named.dtype, named.aspect
    entry = next((entry for entry in read_ledger().entries if entry.id == what), None)
    if entry is None:
        raise UsageError(f"{what!r} is neither a ledger entry nor a cell, case[implementation:mode:dtype:aspect]")
    return entry


def _told(history: History, asked: Key | Entry) -> list[str]:
    return _of_entry(history, asked) if isinstance(asked, Entry) else _of_cell(history, asked)


def _of_entry(history: History, entry: Entry) -> list[str]:
    told = []
    for name in sorted({name for digest in history.known for name in digest.implementations}):
        span = behaviours.since(entry, history, name)
        if span is not None:
            newest = history.known[-1].version
            told.append(f"{name}: {behaviours.held(span, newest)}; the newest release that was run is {newest}")
    return told


def _of_cell(history: History, key: Key) -> list[str]:
    found = [b for b in behaviours.behaviours(history, (key,)) if b.timeline]
    return [
        f"{history.package}: {behaviours.sentence(b.timeline)}"
        + (f"; other bits in {', '.join(b.bits)}" if b.bits else "")
        + ("" if b.confirmed else " (not repeated)")
        for b in found
    ]
