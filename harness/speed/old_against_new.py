"""Old against new: two environments of one implementation, interleaved in the same rounds. What `xent upgrade` asks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from harness.adapters.registry import Implementation, registered
from harness.core.cell import INFRASTRUCTURE, Speed
from harness.speed.bench import Bench, Effort, Session, Tell
from harness.speed.entrants import YARDSTICK
from harness.speed.measured_worker import WorkerLostError, core
from harness.speed.speed_changes import LOST, UNJUDGED, SpeedChange
from harness.speed.statistics import NOT_COMPARABLE, THRESHOLD, judge
from harness.speed.workloads import Workload

OLD, NEW = "old", "new"


def old_against_new(
    sides: tuple[tuple[Implementation, str | None], tuple[Implementation, str | None]],
    workloads: Sequence[Workload],
    *,
    modes: tuple[str, ...] | None = None,
    effort: Effort | None = None,
    threshold: float = THRESHOLD,
    tell: Tell = lambda *_: None,
) -> tuple[SpeedChange, ...]:
    """How the new side's times compare with the old side's, by workload, pass, mode and dtype.

    A side is an implementation and the interpreter of its environment (None: this one). Both sides and the yardstick
    are timed in the same rounds by processes started together, so each set of processes gives one ratio new / old.
    """
    named = [(replace(i, name=f"{i.name} ({side})"), p) for side, (i, p) in zip((OLD, NEW), sides, strict=True)]
    bench = Bench(
        workloads=tuple(workloads),
        implementations=(registered()[YARDSTICK], *(i for i, _ in named)),
        modes=modes,
        effort=effort or Effort(),
        pythons={i.name: python for i, python in named if python is not None},
    )
    session = Session(bench, core(1), tell)
    found = {(s.workload, str(s.figures["passes"]), s.implementation, s.mode, s.dtype): s for s in session.measure()}
    if session.absent:
        raise WorkerLostError("; ".join(f"{name} cannot be timed: {why}" for name, why in session.absent.items()))
    old_name, new_name = (i.name for i, _ in named)
    changes = []
    for (workload, passes, name, mode, dtype), old in found.items():
        new = found.get((workload, passes, new_name, mode, dtype))
        if name == old_name and new is not None:
            key = (workload, passes, "1", sides[1][0].name, mode, dtype)
            changes.append(_change(key, old, new, threshold))
    return tuple(changes)


def _change(key: tuple[str, str, str, str, str, str], old: Speed, new: Speed, threshold: float) -> SpeedChange:
    before, after = old.figures.get("ratios", ()), new.figures.get("ratios", ())
    if INFRASTRUCTURE & {old.judged, new.judged}:
        return SpeedChange(key, UNJUDGED, None, f"{OLD}: {old.judged}, {NEW}: {new.judged}")
    if not before or len(before) != len(after):
        why = " and ".join(f"{side}: {s.judged}" for side, s in ((OLD, old), (NEW, new)))
        return SpeedChange(key, LOST if before and not after else NOT_COMPARABLE, None, why)
    disturbed = any(s.figures.get("mostly_disturbed") for s in (old, new))
    quotients = [b / a for a, b in zip(before, after, strict=True)]
    verdict, interval = judge(quotients, threshold=threshold, disturbed=disturbed)
    return SpeedChange(key, verdict, interval)
