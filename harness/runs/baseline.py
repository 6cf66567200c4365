"""The baseline: a run that a person has accepted, reduced to what a later run is compared with. Pure."""

from __future__ import annotations

import glob
import itertools
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Set
from dataclasses import replace

from packaging.version import InvalidVersion, Version

from harness.core.cell import Cell, Footer, Run
from harness.core.ledger import Entry, Pin, Selector
from harness.judgement.ledger import Ledger
from harness.suite.ledger_files import UNWRITTEN

_OUTCOME = ("kind", "type", "dtype", "shape")
"""What of an outcome means the same on any machine: not the bits, and no message with addresses in it."""


def reduced(run: Run) -> Run:
    """A run without what another machine would not reproduce: bits, timings, numbers in full.

    The header keeps versions, machine facts and the suite's identity, and says nothing else of the machine: bits are
    then never compared.
    """
    suite = run.header.suite
    cases = {case: {"loss": entry["loss"]} for case, entry in suite.get("cases", {}).items()}
    implementations = {
        name: {"version": d.get("version", "?"), "versions": d.get("versions", {}), "modes": d.get("modes", [])}
        | ({"facts": dict(d["facts"])} if d.get("facts") else {})
        for name, d in run.header.implementations.items()
    }
    header = replace(
        run.header,
        suite={"version": suite.get("version"), "digest": suite.get("digest"), "cases": cases},
        implementations=implementations,
        machine={},
        command=(),
        certificate=None,
    )
    return Run(header, tuple(map(_reduced, run.cells)), (), run.speeds, _closed(run))


def _closed(run: Run) -> Footer:
    return Footer(len(run.cells), run.footer.verdicts, dormant=run.footer.dormant)


def _reduced(cell: Cell) -> Cell:
    return Cell(
        cell.case,
        cell.implementation,
        cell.mode,
        cell.dtype,
        cell.aspect,
        cell.verdict,
        {name: cell.outcome[name] for name in _OUTCOME if name in cell.outcome},
        ratio=cell.ratio,
        severity=cell.severity,
        ledger=cell.ledger,
        convention=cell.convention,
        warnings=cell.warnings,
        observed=cell.observed,
    )


def comparable_part(baseline: Run, current: Run) -> Run:
    """The baseline's cells of what the current run was about: its implementations, modes, dtypes and cases.

    A run of one family is compared with that family's part of the baseline; what it did not try is not `removed`.
    """
    asked = {(c.implementation, c.mode) for c in current.cells}
    cases = set(current.header.suite.get("cases", {}))
    dtypes = {c.dtype for c in current.cells}
    cells = tuple(
        c for c in baseline.cells if (c.implementation, c.mode) in asked and c.case in cases and c.dtype in dtypes
    )
    return replace(baseline, cells=cells, footer=replace(baseline.footer, cells=len(cells)))


def lacking(run: Run, baseline: Run) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The cases and the implementations that a baseline has and a run was not about: accepting it would lose them."""
    cases = set(baseline.header.suite.get("cases", {})) - set(run.header.suite.get("cases", {}))
    return tuple(sorted(cases)), tuple(sorted(set(baseline.header.implementations) - set(run.header.implementations)))


def accepted(run: Run, ledger: Ledger) -> tuple[Run, tuple[Entry, ...]]:
    """The run with every divergence known, and the entries that the ledger lacks for it, without their reasons.

    What is accepted is `known` in the baseline, as it is in the next run: the same run then has not changed.
    """
    unexplained = [c for c in run.cells if c.verdict == "disagrees" and _entry_of(c, run, ledger) is None]
    new = tuple(_entries(run, unexplained, {entry.id for entry in ledger.entries}))
    whole = Ledger((*ledger.entries, *new))
    cells = tuple(
        _known(cell, _entry_of(cell, run, whole)) if cell.verdict == "disagrees" else cell for cell in run.cells
    )
    verdicts = Counter(cell.verdict for cell in cells)
    return replace(run, cells=cells, footer=replace(run.footer, verdicts=verdicts)), new


def _known(cell: Cell, entry: Entry | None) -> Cell:
    assert entry is not None, f"{cell.name} disagrees and no entry was made for it"
    return replace(cell, verdict="known", ledger=entry.id)


def _entry_of(cell: Cell, run: Run, ledger: Ledger) -> Entry | None:
    version, facts = (
        _version(run, cell.implementation),
        run.header.implementations[cell.implementation].get("facts", {}),
    )
    selector = Selector(cell.case, cell.implementation, cell.mode, cell.dtype, cell.aspect, version, facts)
    return ledger.explanation(selector, cell)


def _version(run: Run, implementation: str) -> str:
    return str(run.header.implementations[implementation].get("version", "?"))


def _entries(run: Run, cells: Iterable[Cell], taken: Set[str]) -> Iterator[Entry]:
    """One entry for each implementation, loss, aspect and pinned outcome."""
    found: dict[tuple[str, str, str, Pin], list[Cell]] = defaultdict(list)
    for cell in cells:
        loss = str(run.header.suite["cases"][cell.case]["loss"])
        found[cell.implementation, loss, cell.aspect, pinned(cell)].append(cell)
    used = set(taken)
    for (name, loss, aspect, pin), group in sorted(found.items(), key=lambda item: str(item[0])):
        plain = re.sub("[^a-z0-9]+", "-", f"{name}-{loss}-{aspect}-{pin.kind}".lower()).strip("-")
        free = next(id_ for n in itertools.count(1) if (id_ := plain if n == 1 else f"{plain}-{n}") not in used)
        used.add(free)
        yield Entry(
            id=free,
            cases=exactly(*(cell.case for cell in group)),
            implementations=exactly(name),
            versions=_only(_version(run, name)),
            modes=exactly(*(cell.mode for cell in group)),
            dtypes=exactly(*(cell.dtype for cell in group)),
            aspects=exactly(aspect),
            pin=pin,
            reason=UNWRITTEN,
            upstream=UNWRITTEN,
        )


def _only(version: str) -> str:
    """A specifier of one version; of every version where the text is none, since it cannot be compared."""
    try:
        return f"=={Version(version)}"
    except InvalidVersion:
        return ""


def exactly(*names: str) -> tuple[str, ...]:
    """Globs that match these names and no others."""
    return tuple(glob.escape(name) for name in sorted(set(names)))


def pinned(cell: Cell) -> Pin:
    """What was observed of a disagreeing cell, as a ledger entry pins it.

    Not how far a number is off, nor in which format it would be right: both move with the processor.
    """
    observed = cell.observed
    assert observed is not None, f"{cell.name} disagrees, and nothing was observed"
    error = None if observed.error is None else glob.escape(observed.error)
    return Pin(observed.kind, of=observed.of, error=error, dtype=observed.dtype)
