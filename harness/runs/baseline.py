"""The baseline: a run that a person has accepted, reduced to what a later run is compared with. Pure."""

from __future__ import annotations

from dataclasses import replace

from harness.core.cell import EVERY, Cell, Footer, Run, wider

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
    What one of the two says of every dtype is about those that the other one names.
    """
    asked = {(c.implementation, c.mode) for c in current.cells}
    cases = set(current.header.suite.get("cases", {}))
    dtypes = {c.dtype for c in current.cells}
    in_some_dtype = {c.case for c in current.cells}
    refused = {c.key for c in current.cells if c.dtype == EVERY}

    def is_asked(c: Cell) -> bool:
        if (c.implementation, c.mode) not in asked or c.case not in cases:
            return False
        if c.dtype == EVERY:
            return c.case in in_some_dtype
        return c.dtype in dtypes or not refused.isdisjoint(wider(c.key))

    cells = tuple(filter(is_asked, baseline.cells))
    return replace(baseline, cells=cells, footer=replace(baseline.footer, cells=len(cells)))


def lacking(run: Run, baseline: Run) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The cases and the implementations that a baseline has and a run was not about: accepting it would lose them."""
    cases = set(baseline.header.suite.get("cases", {})) - set(run.header.suite.get("cases", {}))
    return tuple(sorted(cases)), tuple(sorted(set(baseline.header.implementations) - set(run.header.implementations)))
