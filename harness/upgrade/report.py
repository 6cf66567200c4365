"""What an upgrade found, as a value that writers render."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harness.records import Run
from harness.upgrade.canaries import Song
from harness.upgrade.diff import Difference, Group


@dataclass(frozen=True)
class Upgrade:
    """Two runs of one suite, and what is different."""

    old: Run
    new: Run
    sides: Mapping[str, tuple[str, Mapping[str, str]]]
    """By side: what it was built from, and the versions of everything installed."""
    difference: Difference
    songs: tuple[Song, ...]
    command: str

    @property
    def losses(self) -> Mapping[str, str]:
        """By case."""
        return {
            case: str(entry["loss"])
            for run in (self.old, self.new)
            for case, entry in run.header.suite.get("cases", {}).items()
        }

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
        compared = f"{self.difference.compared} cells compared"
        same = (
            "" if self.difference.identical is None else f", {self.difference.identical} of them identical to the bit"
        )
        if not self.difference.changes:
            return f"Nothing changed: {compared}{same}."
        return f"{len(self.difference.changes)} cells changed: {compared}{same}."
