"""What timings mean: ratios within rounds, medians, an interval over process pairs, a verdict. Pure.

Two processes that run identical code differ by more than their blocks do (where the loader put things, which pages
they got), so a pair of processes is one observation, however many blocks it was measured with. All estimates are in
logarithms: a ratio and its reciprocal are equally far from one.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

RESAMPLES = 2000
"""Bootstrap resamples: the ends of a 95 % interval then move by less than a tenth of its width from seed to seed."""

CONFIDENCE = 0.95

FEWEST_PAIRS = 5
"""Of process pairs for a verdict: with fewer, the resamples of a bootstrap are too few to reach 95 %."""

THRESHOLD = 0.05
"""Ratios nearer to one than this are the same: identical code in two pinned processes differs by −4 to +2 %."""

WIDEST = 0.15
"""Half-width of an interval beyond which a measurement says nothing: unstable."""

DISTURBED_THRESHOLD = 0.25
"""The same where most rounds were disturbed: measured beside eight busy processes on two cores, identical code came
out up to 12 % different."""

CALM = 0.8
"""Share of its wall time for which the processor works in an undisturbed block; those of arithmetic come within 5 %."""

_T = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131)
"""The 97.5 % quantile of Student's t for 1, 2, … degrees of freedom."""

_Z = 1.959964

FASTER, SLOWER, SAME, UNSTABLE, NOT_COMPARABLE = "faster", "slower", "same", "unstable", "not comparable"
VERDICTS = (FASTER, SLOWER, SAME, UNSTABLE, NOT_COMPARABLE)


@dataclass(frozen=True)
class Interval:
    """A ratio with the ends of its interval."""

    ratio: float
    low: float
    high: float

    @property
    def half_width(self) -> float:
        """Relative: half the distance of the ends, divided by the ratio."""
        return (self.high - self.low) / (2 * self.ratio)


def round_ratios(numerators: Sequence[float], denominators: Sequence[float]) -> tuple[float, ...]:
    """Quotients of times taken in the same round; ValueError where the rounds are not the same ones."""
    if len(numerators) != len(denominators):
        raise ValueError(f"{len(numerators)} and {len(denominators)} rounds cannot be paired")
    return tuple(a / b for a, b in zip(numerators, denominators, strict=True))


def calm_rounds(numerators: Sequence[bool], denominators: Sequence[bool]) -> tuple[int, ...]:
    """Positions of rounds in which neither block was disturbed (True: calm)."""
    return tuple(i for i, both in enumerate(zip(numerators, denominators, strict=True)) if all(both))


def is_calm(cpu: float, wall: float) -> bool:
    """Whether the processor worked for the block's wall time, or nearly so, instead of for somebody else."""
    return cpu >= CALM * wall


def stretch(count: int) -> float:
    """What the percentiles of `count` resampled pairs are too narrow by.

    √(n/(n − 1)) for the spread of few numbers, and Student's t over the normal quantile for not knowing it.
    """
    freedom = count - 1
    t = _T[freedom - 1] if freedom <= len(_T) else _Z + (_Z**3 + _Z) / (4 * freedom)
    return math.sqrt(count / freedom) * t / _Z


def pair_ratio(ratios: Sequence[float]) -> float:
    """What one process pair says: the median of its rounds."""
    return math.exp(statistics.median(math.log(r) for r in ratios))


def interval(pairs: Sequence[float], *, seed: int = 0) -> Interval:
    """The geometric mean over process pairs, with a bootstrapped 95 % interval.

    The percentiles are stretched by `stretch`, without which five pairs would reach 85 % instead of 95 %.
    """
    if not pairs:
        raise ValueError("no process pair was measured")
    logs = np.log(np.asarray(pairs, dtype=np.float64))
    centre = float(logs.mean())
    if len(logs) == 1:
        return Interval(math.exp(centre), 0.0, math.inf)
    chosen = np.random.default_rng(seed).integers(0, len(logs), (RESAMPLES, len(logs)))
    means = logs[chosen].mean(axis=1)
    low, high = np.quantile(means, ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2))
    factor = stretch(len(logs))
    return Interval(
        math.exp(centre),
        math.exp(centre + factor * (min(float(low), centre) - centre)),
        math.exp(centre + factor * (max(float(high), centre) - centre)),
    )


def judge(
    pairs: Sequence[float], *, threshold: float = THRESHOLD, disturbed: bool = False, seed: int = 0
) -> tuple[str, Interval | None]:
    """Whether a time is faster or slower than the one it was divided by, and the interval of the ratio.

    A difference must clear both: its interval must leave out one, and the ratio must be beyond the threshold. Where
    most rounds were `disturbed`, what is not far beyond it is unstable.
    """
    if len(pairs) < FEWEST_PAIRS:
        return NOT_COMPARABLE, interval(pairs, seed=seed) if pairs else None
    found = interval(pairs, seed=seed)
    return _verdict(found, threshold, disturbed), found


def _verdict(found: Interval, threshold: float, disturbed: bool) -> str:
    different = found.low > 1 or found.high < 1
    far = max(found.ratio, 1 / found.ratio) - 1
    if different and far > (max(threshold, DISTURBED_THRESHOLD) if disturbed else threshold):
        return SLOWER if found.ratio > 1 else FASTER
    if found.half_width > WIDEST or (different and far > threshold):
        return UNSTABLE
    return SAME


def change(
    old: Sequence[float],
    new: Sequence[float],
    *,
    threshold: float = THRESHOLD,
    disturbed: bool = False,
    seed: int = 0,
) -> tuple[str, Interval | None]:
    """How a ratio against the same yardstick has changed from one run to another.

    `old` and `new` are the ratios of the process pairs of either run. The pairs of two runs do not belong together, so
    each side is resampled by itself.
    """
    if min(len(old), len(new)) < FEWEST_PAIRS:
        return NOT_COMPARABLE, None
    generator = np.random.default_rng(seed)
    sides = [np.log(np.asarray(side, dtype=np.float64)) for side in (old, new)]
    spreads = [
        stretch(len(logs)) * (logs[generator.integers(0, len(logs), (RESAMPLES, len(logs)))].mean(axis=1) - logs.mean())
        for logs in sides
    ]
    centre = float(sides[1].mean() - sides[0].mean())
    low, high = np.quantile(spreads[1] - spreads[0], ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2))
    found = Interval(
        math.exp(centre), math.exp(centre + min(float(low), 0.0)), math.exp(centre + max(float(high), 0.0))
    )
    return _verdict(found, threshold, disturbed), found
