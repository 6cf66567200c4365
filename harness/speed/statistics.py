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


def pair_ratio(ratios: Sequence[float]) -> float:
    """What one process pair says: the median of its rounds."""
    return math.exp(statistics.median(math.log(r) for r in ratios))


def interval(pairs: Sequence[float], *, seed: int = 0) -> Interval:
    """The geometric mean over process pairs, with a bootstrapped 95 % interval.

    Percentiles of n resampled pairs are too narrow by √((n − 1)/n) for few pairs, which is undone.
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
    stretch = math.sqrt(len(logs) / (len(logs) - 1))
    return Interval(
        math.exp(centre),
        math.exp(centre + stretch * (min(float(low), centre) - centre)),
        math.exp(centre + stretch * (max(float(high), centre) - centre)),
    )


def judge(pairs: Sequence[float], *, threshold: float = THRESHOLD, seed: int = 0) -> tuple[str, Interval | None]:
    """Whether a time is faster or slower than the one it was divided by, and the interval of the ratio.

    A difference must clear both: its interval must leave out one, and the ratio must be beyond the threshold.
    """
    if len(pairs) < FEWEST_PAIRS:
        return NOT_COMPARABLE, interval(pairs, seed=seed) if pairs else None
    found = interval(pairs, seed=seed)
    if found.low > 1 and found.ratio > 1 + threshold:
        return SLOWER, found
    if found.high < 1 and found.ratio < 1 / (1 + threshold):
        return FASTER, found
    return (UNSTABLE if found.half_width > WIDEST else SAME), found


def change(
    old: Sequence[float], new: Sequence[float], *, threshold: float = THRESHOLD, seed: int = 0
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
        math.sqrt(len(logs) / (len(logs) - 1))
        * (logs[generator.integers(0, len(logs), (RESAMPLES, len(logs)))].mean(axis=1) - logs.mean())
        for logs in sides
    ]
    centre = float(sides[1].mean() - sides[0].mean())
    low, high = np.quantile(spreads[1] - spreads[0], ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2))
    found = Interval(
        math.exp(centre), math.exp(centre + min(float(low), 0.0)), math.exp(centre + max(float(high), 0.0))
    )
    if found.low > 1 and found.ratio > 1 + threshold:
        return SLOWER, found
    if found.high < 1 and found.ratio < 1 / (1 + threshold):
        return FASTER, found
    return (UNSTABLE if found.half_width > WIDEST else SAME), found
