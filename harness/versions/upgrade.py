"""What an upgrade found, as a value that writers render."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.core.cell import Run
from harness.core.exit_codes import ExitCode
from harness.runs.change_clauses import BETTER, DIFFERENT, DIRECTIONS, WORSE
from harness.runs.diff import Difference, Group
from harness.runs.gate import run_codes
from harness.speed.speed_changes import LOST, UNJUDGED, SpeedChange, in_words, slower
from harness.speed.statistics import FASTER, NOT_COMPARABLE, SAME, SLOWER, UNSTABLE
from harness.versions.canaries import CanaryResult


@dataclass(frozen=True)
class Upgrade:
    """Two runs of one suite, and what is different."""

    old: Run
    new: Run
    sides: Mapping[str, tuple[str, Mapping[str, str]]]
    """By side: what it was built from, and the versions of everything installed."""
    difference: Difference
    canary_results: tuple[CanaryResult, ...]
    command: str
    speeds: tuple[SpeedChange, ...] | None = None
    """Old against new, timed in the same rounds, the slowest change first; None where nothing was timed."""
    pythons: Mapping[str, str] = field(default_factory=dict)
    """By side: the interpreter of its environment."""
    strict: bool = False
    """Whether what got better is a reason to be red too: nobody has accepted it."""
    timing_commands: Mapping[str, str] = field(default_factory=dict)
    """By implementation: the command that times both sides again, up to the name of the workload, which it lacks."""

    @property
    def losses(self) -> Mapping[str, str]:
        """By case."""
        return {
            case: str(entry["loss"])
            for run in (self.old, self.new)
            for case, entry in run.header.suite.get("cases", {}).items()
        }

    @property
    def codes(self) -> set[ExitCode]:
        """What is different, and whatever was not judged on either side, by its exit codes."""
        codes = (run_codes(self.old) | run_codes(self.new)) & {ExitCode.INFRASTRUCTURE, ExitCode.NOTHING_RAN}
        speeds = {change.verdict for change in self.speeds or ()}
        codes |= {ExitCode.INFRASTRUCTURE} if UNJUDGED in speeds else set()
        counts = self.counts
        gating = counts[WORSE] + counts[DIFFERENT] + (counts[BETTER] if self.strict else 0)
        codes |= {ExitCode.CHANGED} if gating or LOST in speeds else set()
        return codes | ({ExitCode.SLOWER} if SLOWER in speeds else set())

    @property
    def counts(self) -> Counter[str]:
        """Cells that changed, by direction."""
        return Counter(change.direction for change in self.difference.changes)

    def commands(self, group: Group) -> tuple[str, ...]:
        """The smallest cell of a cause once more, on the old side and on the new."""
        name = shlex.quote(group.witness.cell.name)
        return tuple(
            f"xent repro --again {name} --python {shlex.quote(self.pythons[side])}"
            for side in ("old", "new")
            if side in self.pythons
        )

    @property
    def groups(self) -> tuple[Group, ...]:
        return self.difference.groups(self.losses)

    @property
    def packages(self) -> Mapping[str, tuple[str, str]]:
        """Packages whose version differs; a dash where a side has none."""
        old, new = self.sides["old"][1], self.sides["new"][1]
        pairs = {name: (old.get(name, "–"), new.get(name, "–")) for name in sorted(old.keys() | new.keys())}
        return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}

    @property
    def verdict(self) -> str:
        """One sentence."""
        same = (
            "" if self.difference.identical is None else f", {self.difference.identical:,} of them identical to the bit"
        )
        became_slower = slower(self.speeds or ())
        counts = self.counts
        told = [f"{counts[way]:,} {way}" for way in DIRECTIONS if counts[way]]
        changed = ", ".join(told) if told else "No cell changed" if became_slower else "Nothing changed"
        if told and set(counts) == {BETTER}:
            changed = f"Nothing got worse, {changed}"
        slowed = f" {len(became_slower)} of {len(self.speeds or ())} timings are slower." if became_slower else ""
        return f"{changed}: {self.difference.compared:,} cells compared{same}.{slowed}"

    @property
    def speed_verdict(self) -> str:
        """How many timings moved which way; what was not timed is said so."""
        if self.speeds is None:
            return "not compared"
        if not self.speeds:
            return "no workload is supported on both sides"
        return f"old against new in the same rounds: {in_words(self.speeds)}"

    @property
    def moved(self) -> tuple[SpeedChange, ...]:
        """Timings that are not the same, gravest first: slower, faster, then what cannot be told."""
        order = (UNJUDGED, LOST, SLOWER, FASTER, UNSTABLE, NOT_COMPARABLE)
        return tuple(sorted((c for c in self.speeds or () if c.verdict != SAME), key=lambda c: order.index(c.verdict)))

    def timed_by(self, change: SpeedChange) -> str:
        """The command that times this workload on both sides again."""
        return f"{self.timing_commands[change.implementation]} {shlex.quote(change.workload)}"
