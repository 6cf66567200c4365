"""What exactness costs: the reference against its plain float64 formulas, against mpmath, and against memory.

A benchmark, not a test: it prints ratios measured in one run, and what was promised beside them.
"""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

import reference
from harness.certification.formulas import evaluate as evaluate_exactly

SLOWEST = 60.0
"""Times the plain float64 formula that the exact one may take."""
LEAST_GAIN = 15.0
"""Times faster than mpmath that it has to be."""
LARGEST = 12.0
"""Times the bytes of its input that an evaluation may hold at its peak."""

REPETITIONS = 5
MPMATH_ELEMENTS = 50_257
"""Elements that mpmath is timed on, one row at least; its time is proportional to the rows."""


@dataclass(frozen=True)
class Cost:
    """One loss at one size."""

    name: str
    megabytes: float
    times_plain: float
    times_faster_than_mpmath: float
    times_memory: float


def costs() -> list[Cost]:
    """The losses at the sizes promised, 1000 × 10 and 64 × 50,257; a million binary elements; and a linear layer, which
    multiplies matrices and has no promise but that of memory."""
    random = np.random.default_rng(0)
    found = []
    for rows, classes in ((1000, 10), (64, 50_257)):
        logits = random.normal(size=(rows, classes))
        p = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
        labels = random.integers(0, classes, rows)
        size = f"{rows} × {classes}"
        for loss, inputs in (
            ("softmax_cross_entropy", {"logits": logits, "targets": labels}),
            ("log_softmax", {"logits": logits}),
            ("categorical_cross_entropy", {"probabilities": p, "targets": labels}),
            ("kl_divergence", {"targets": p, "log_probabilities": np.log(p[::-1])}),
            ("entropy", {"probabilities": p}),
            ("categorical_focal", {"logits": logits, "targets": labels}),
        ):
            found.append(_cost(f"{loss} {size}", loss, inputs, rows))
    n = 1_000_000
    z, t = random.normal(size=n), random.integers(0, 2, n).astype(float)
    for loss, name, primary in (
        ("binary_cross_entropy_with_logits", "logits", z),
        ("binary_focal", "logits", z),
        ("binary_cross_entropy", "probabilities", 1 / (1 + np.exp(-z))),
    ):
        found.append(_cost(f"{loss} {n}", loss, {name: primary, "targets": t}, n))
    hidden, weight = random.normal(size=(128, 64)), random.normal(size=(64, 1000))
    layer = {"hidden": hidden, "weight": weight, "targets": random.integers(0, 1000, 128)}
    found.append(_cost("linear_cross_entropy 128 × 64 × 1000", "linear_cross_entropy", layer, 128))
    return found


def _cost(name: str, loss: str, inputs: Mapping[str, Any], rows: int) -> Cost:
    exact = _seconds(lambda: reference.evaluate(loss, inputs))
    plain = _seconds(lambda: reference.evaluate_plain(loss, inputs))
    size = sum(array.nbytes for array in inputs.values())
    tracemalloc.start()
    reference.evaluate(loss, inputs)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    few = max(1, min(rows, MPMATH_ELEMENTS * rows // max(a.size for a in inputs.values()), 1000))
    some = {n: a if n == "weight" else a[:few] for n, a in inputs.items()}
    wanted = reference.LOSSES[loss].differentiate
    start = time.process_time()
    evaluate_exactly(loss, some, {}, {}, None, wanted)
    mpmath_seconds = (time.process_time() - start) * rows / few
    return Cost(name, size / 1e6, exact / plain, mpmath_seconds / exact, peak / size)


def _seconds(run: Callable[[], object]) -> float:
    """The median of some repetitions, after one that warms up: seconds of this process alone, which a busy machine does
    not stretch; all of it runs on one thread."""
    run()
    taken = []
    for _ in range(REPETITIONS):
        start = time.process_time()
        run()
        taken.append(time.process_time() - start)
    return float(np.median(taken))


def tell() -> None:
    """Print the table."""
    print(f"{'':48}{'MB':>8}{'× plain':>10}{'mpmath ×':>10}{'memory ×':>10}")
    print(f"{'promised':48}{'':8}{f'≤ {SLOWEST:g}':>10}{f'≥ {LEAST_GAIN:g}':>10}{f'≤ {LARGEST:g}':>10}")
    for c in costs():
        speeds = f"{c.times_plain:10.1f}{c.times_faster_than_mpmath:10.0f}"
        print(f"{c.name:48}{c.megabytes:8.2f}{speeds}{c.times_memory:10.1f}")
