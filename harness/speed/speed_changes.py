"""What changed in speed between two runs: ratios against the yardstick of the same run, never absolute times. Pure.

Two machines, or one machine on two days, have nothing in common but what was measured in the same rounds. So what is
compared is how many times longer than NumPy an implementation takes, in one run and in the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from harness.core.cell import Run, Speed
from harness.speed.statistics import FASTER, NOT_COMPARABLE, SLOWER, THRESHOLD, Interval, change

LOST = "not measured any more"
"""Verdict of what had a number in the earlier run and has none in the later."""

UNJUDGED = "not judged"
"""Verdict of what crashed, timed out or is missing on either side: infrastructure, never a change."""

Key = tuple[str, str, str, str, str, str]
"""Workload, passes, threads, implementation, mode, dtype."""


@dataclass(frozen=True)
class SpeedChange:
    """One implementation on one workload, in both runs."""

    key: Key
    verdict: str
    """faster, slower, same, unstable, not comparable, LOST or UNJUDGED."""
    interval: Interval | None
    """Of the new time divided by the old, both in units of the yardstick."""
    reason: str = ""
    """Why it is not comparable."""

    @property
    def workload(self) -> str:
        return self.key[0]

    @property
    def implementation(self) -> str:
        return self.key[3]

    @property
    def sentence(self) -> str:
        workload, passes, threads, implementation, mode, dtype = self.key
        what = f"{implementation}:{mode} on {workload} ({dtype}, {passes}, threads: {threads})"
        if self.interval is None:
            return f"{what}: {self.verdict}" + (f": {self.reason}" if self.reason else "")
        i = self.interval
        return f"{what}: {self.verdict}, {i.ratio:.3g} times as long as before ({i.low:.3g}–{i.high:.3g})"


def compare_speeds(old: Run, new: Run, threshold: float = THRESHOLD) -> tuple[SpeedChange, ...]:
    """Every measurement both runs have, the slowest change first, and those of the earlier run that are lost.

    `threshold` is what a change must exceed besides clearing its interval: 0.05 is five per cent. What the later run
    was not about, a workload or an implementation, is not lost.
    """
    before, after = ({speed.key: speed for speed in run.speeds} for run in (old, new))
    both = [key for key in before if key in after and key[3] != after[key].yardstick]
    found = [_change(key, before[key], after[key], threshold) for key in both]
    asked = {_task(key) for key in after}
    gone = [k for k in before.keys() - after.keys() if _task(k) in asked and k[3] in new.header.implementations]
    found += [SpeedChange(key, LOST, None, "it is not offered") for key in gone]
    return slowest_first(found)


def _task(key: Key) -> tuple[str, ...]:
    """What is measured, whoever it is measured on."""
    workload, passes, threads, _, _, dtype = key
    return (workload, passes, threads, dtype)


def slowest_first(changes: Iterable[SpeedChange]) -> tuple[SpeedChange, ...]:
    """The order of reading: the largest ratio first, what could not be compared last."""
    return tuple(sorted(changes, key=lambda c: (c.interval is None, -(c.interval.ratio if c.interval else 0.0), c.key)))


def slower(changes: Iterable[SpeedChange]) -> tuple[SpeedChange, ...]:
    """Those a gate fails on."""
    return tuple(c for c in changes if c.verdict == SLOWER)


def lost(changes: Iterable[SpeedChange]) -> tuple[SpeedChange, ...]:
    """Those that have no number any more: they might be slower, or wrong, and nobody would know."""
    return tuple(c for c in changes if c.verdict == LOST)


def counts(changes: Sequence[SpeedChange]) -> Mapping[str, int]:
    """How many of each verdict, faster and slower always named."""
    verdicts = dict.fromkeys((SLOWER, FASTER), 0)
    for c in changes:
        verdicts[c.verdict] = verdicts.get(c.verdict, 0) + 1
    return verdicts


def in_words(changes: Sequence[SpeedChange]) -> str:
    """How many of each verdict, as a sentence says it: 1 slower, 0 faster, 8 same."""
    return ", ".join(f"{n} {verdict}" for verdict, n in counts(changes).items())


def _change(key: Key, old: Speed, new: Speed, threshold: float) -> SpeedChange:
    sides = [s.figures.get("ratios", ()) for s in (old, new)]
    for name, speed, ratios in zip(("before", "now"), (old, new), sides, strict=True):
        if not ratios:
            verdict = LOST if sides[0] else NOT_COMPARABLE
            why = speed.figures.get("why", "not measured")
            return SpeedChange(key, verdict, None, f"{name} there is no number ({speed.judged}: {why})")
    if old.yardstick != new.yardstick:
        why = f"before it was compared with {old.yardstick}, now with {new.yardstick}: measure the earlier side again"
        return SpeedChange(key, NOT_COMPARABLE, None, why)
    disturbed = any(s.figures.get("mostly_disturbed") for s in (old, new))
    verdict, interval = change(*sides, threshold=threshold, disturbed=disturbed)
    reason = "" if interval is not None else f"{len(sides[0])} and {len(sides[1])} process pairs are too few"
    return SpeedChange(key, verdict, interval, reason)
