"""Canaries: planted changes that every upgrade has to report, or its silence means nothing.

Most upgrades change no number. So each report is shipped with changes that were planted in the same session: known-bad
implementations compared with the correct one they are made from, exactly as the new side is compared with the old.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from harness.core.cell import Footer, Run
from harness.runs.diff import KINDS, compare_runs
from harness.versions.collecting import flipped
from harness.versions.digest import digest_of

SOUND = "mutant:sound"


@dataclass(frozen=True)
class Canary:
    """A planted change and what it has to be reported as."""

    mutant: str
    kind: str
    """The kind of change, of `harness.runs.diff.KINDS`."""


CANARIES = (
    Canary("mutant:log-base-2.categorical_cross_entropy", "verdict"),
    Canary("mutant:opposite-gradient.softmax_cross_entropy", "verdict"),
    Canary("mutant:float32-for-float64.softmax_cross_entropy", "verdict"),
    Canary("mutant:other-error", "error"),
    Canary("mutant:drifts", "drift"),
    Canary("mutant:warns", "warnings"),
)
IMPLEMENTATIONS = (SOUND, *(canary.mutant for canary in CANARIES))

CASES = ("documents/d4-*", "invalid/label-3-softmax-cross-entropy", "edges/softmax-cross-entropy-shifted-1024*")
"""Cases the canaries are tried on: enough to show each change, few enough to take a second or two."""


@dataclass(frozen=True)
class CanaryResult:
    """What became of a canary."""

    canary: Canary
    kinds: tuple[str, ...]
    """Kinds of change that were reported, gravest first."""
    changes: int

    @property
    def as_planted(self) -> bool:
        return self.kinds == (self.canary.kind,)


def results_of(run: Run) -> tuple[CanaryResult, ...]:
    """Every canary of a run, compared with the sound implementation in it."""
    canary_results = []
    for canary in CANARIES:
        losses = run.header.implementations[canary.mutant]["losses"]
        sound, changed = (_only(run, name, losses) for name in (SOUND, canary.mutant))
        changes = compare_runs(sound, changed, rename={canary.mutant: SOUND}).changes
        kinds = sorted({change.kind for change in changes}, key=KINDS.index)
        canary_results.append(CanaryResult(canary, tuple(kinds), len(changes)))
    return tuple(canary_results)


def unreported(canary_results: Sequence[CanaryResult]) -> tuple[CanaryResult, ...]:
    """Those that were not reported as what they are."""
    return tuple(canary_result for canary_result in canary_results if not canary_result.as_planted)


def unseen(run: Run) -> tuple[str, ...]:
    """The planted changes that the digests of two releases would not tell; those that change no answer aside."""
    silent = []
    for canary in CANARIES:
        losses = run.header.implementations[canary.mutant]["losses"]
        sound, changed = (_only(run, name, losses) for name in (SOUND, canary.mutant))
        renamed = replace(
            changed,
            header=replace(changed.header, implementations=sound.header.implementations),
            cells=tuple(replace(cell, implementation=SOUND) for cell in changed.cells),
        )
        old, new = (digest_of(r, "canaries", version, "", (), {}) for version, r in (("1", sound), ("2", renamed)))
        if canary.kind != "warnings" and not flipped(old, new):
            silent.append(canary.mutant)
    return tuple(silent)


def _only(run: Run, name: str, losses: Sequence[str]) -> Run:
    """The cells of one implementation, on cases of these losses."""
    cases = run.header.suite["cases"]
    cells = tuple(c for c in run.cells if c.implementation == name and cases[c.case]["loss"] in losses)
    header = replace(run.header, implementations={name: run.header.implementations[name]})
    return Run(header, cells, (), (), Footer(len(cells), {}))
