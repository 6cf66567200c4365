"""The baseline: a run that a person has accepted, reduced to what a later run is compared with. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from harness.core.cell import Cell, Footer, Run

_OUTCOME = ("kind", "type", "dtype", "shape")
"""What of an outcome means the same on any machine: not the bits, and no message with addresses in it."""


def reduced(run: Run) -> Run:
    """A run without what another machine would not reproduce: bits, timings, numbers in full.

    The header keeps versions and the suite's identity, and says nothing of the machine: bits are then never compared.
    """
    suite = run.header.suite
    cases = {case: {"loss": entry["loss"]} for case, entry in suite.get("cases", {}).items()}
    implementations = {
        name: {"version": d.get("version", "?"), "versions": d.get("versions", {}), "modes": d.get("modes", [])}
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
    return Run(header, tuple(map(_reduced, run.cells)), (), run.speeds, Footer(len(run.cells), run.footer.verdicts))


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


@dataclass(frozen=True)
class Stub:
    """A ledger entry for a divergence that a run shows and nothing explains, without its reason."""

    id: str
    cases: tuple[str, ...]
    implementation: str
    version: str
    modes: tuple[str, ...]
    dtypes: tuple[str, ...]
    aspects: tuple[str, ...]
    outcome: Mapping[str, str]

    def text(self, unwritten: str) -> str:
        """The entry in YAML; `unwritten` stands where the reason and the link belong."""
        listed = "".join(f'    - "{case}"\n' for case in self.cases)
        pinned = ", ".join(f"{name}: {value}" for name, value in self.outcome.items())
        return (
            f"- id: {self.id}\n  cases:\n{listed}"
            f'  implementations: ["{self.implementation}"]\n'
            f'  versions: "=={self.version}"\n'
            f"  modes: {_quoted(self.modes)}\n  dtypes: {_quoted(self.dtypes)}\n  aspects: {_quoted(self.aspects)}\n"
            f"  outcome: {{{pinned}}}\n"
            f"  reason: {unwritten}\n  upstream: {unwritten}\n"
        )


def _quoted(names: Iterable[str]) -> str:
    return "[" + ", ".join(f'"{name}"' for name in names) + "]"


def stubs(run: Run) -> Iterator[Stub]:
    """One entry for each implementation, loss, aspect and outcome among the cells that disagree."""
    losses = {case: str(entry["loss"]) for case, entry in run.header.suite.get("cases", {}).items()}
    found: dict[tuple[Any, ...], list[Cell]] = {}
    for cell in run.cells:
        if cell.verdict == "disagrees":
            outcome = tuple(pinned(cell).items())
            found.setdefault((cell.implementation, losses.get(cell.case, ""), cell.aspect, outcome), []).append(cell)
    for number, ((name, loss, aspect, outcome), cells) in enumerate(sorted(found.items()), start=1):
        plain = "-".join(part for part in (name, loss, aspect, str(number)) if part)
        yield Stub(
            id="".join(c if c.isalnum() else "-" for c in plain.lower()).strip("-"),
            cases=tuple(sorted({c.case for c in cells})),
            implementation=name,
            version=str(run.header.implementations.get(name, {}).get("version", "?")),
            modes=tuple(sorted({c.mode for c in cells})),
            dtypes=tuple(sorted({c.dtype for c in cells})),
            aspects=(aspect,),
            outcome=dict(outcome),
        )


def pinned(cell: Cell) -> dict[str, str]:
    """What was observed of a disagreeing cell, as a ledger entry pins it."""
    assert cell.observed is not None, f"{cell.name} disagrees, and nothing was observed"
    return {name: value for name, value in asdict(cell.observed).items() if value is not None}
