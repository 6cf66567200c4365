"""Whether our measuring deserves belief, as figures anybody can have printed again.

python -m tools.bench_self_tests aa         identical code under two names: none may be called different
python -m tools.bench_self_tests planted    a planted slowdown of known size: it has to be found
python -m tools.bench_self_tests overhead   what a timed call costs by itself
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping

from harness.adapters.registry import Implementation, registered
from harness.core.cell import Speed
from harness.core.exit_codes import ExitCode
from harness.execution.worker_environment import worker_folder
from harness.speed.bench import Bench, Effort, Session
from harness.speed.machine_workloads import MACHINE, machine_workload
from harness.speed.measured_worker import TimedWorker, core
from harness.speed.statistics import SAME, SLOWER
from harness.speed.workloads import FORWARD, Workload, load_workloads

COMPARED = "workloads/softmax-512x1000"
"""Two megabytes of logits: its temporaries stay far below 32 MB."""

NARROW = 0.03
"""Half-width an interval should have."""


def main() -> int:
    """Run one and print what it found; DISAGREES where it misses its goal."""
    tests: Mapping[str, Callable[[int], bool]] = {
        "aa": identical_code,
        "planted": planted_slowdown,
        "overhead": lambda _: overhead(),
    }
    parser = argparse.ArgumentParser(prog="python -m tools.bench_self_tests")
    parser.add_argument("test", choices=tuple(tests))
    parser.add_argument("--comparisons", type=int, default=100, metavar="N")
    options = parser.parse_args()
    return int(ExitCode.FINE if tests[options.test](options.comparisons) else ExitCode.DISAGREES)


def _against_numpy(other: Implementation, comparisons: int) -> Iterator[Speed]:
    """The verdict about `other`, again and again, each time in new processes."""
    workload = next(w for w in load_workloads() if w.id == COMPARED)
    only_forward = Workload(workload.case, workload.repeat, workload.default, (FORWARD,))
    for number in range(comparisons):
        since = time.perf_counter()
        bench = Bench((only_forward,), (registered()["numpy"], other), ("eager",), Effort())
        found = next(s for s in Session(bench, core(1)).measure() if s.implementation == other.name)
        f = found.figures
        print(
            f"{number + 1:4}  {found.verdict:14} × {f['ratio']:.4f}  {f['ratio_low']:.4f}–{f['ratio_high']:.4f}  "
            f"{100 * f['disturbed']:3.0f} % disturbed  {time.perf_counter() - since:.1f} s",
            flush=True,
        )
        yield found


def _half_width(speed: Speed) -> float:
    f = speed.figures
    return float((f["ratio_high"] - f["ratio_low"]) / (2 * f["ratio"]))


def identical_code(comparisons: int) -> bool:
    """A/A: one implementation under two names. None may be called different; the intervals should be narrow."""
    again = Implementation("numpy-again", registered()["numpy"].target, "numpy")
    found = list(_against_numpy(again, comparisons))
    different = sum(1 for speed in found if speed.verdict != SAME and speed.verdict in ("faster", "slower"))
    unstable = sum(1 for speed in found if speed.verdict == "unstable")
    narrow = sum(1 for speed in found if _half_width(speed) <= NARROW)
    print(
        f"identical code: {different} of {len(found)} called different (goal: 0), {unstable} unstable; half-width at "
        f"most {100 * NARROW:.0f} % in {narrow} (goal: {round(0.9 * len(found))}), "
        f"median {100 * statistics.median(map(_half_width, found)):.2f} %"
    )
    return different == 0 and narrow >= 0.9 * len(found)


def planted_slowdown(comparisons: int) -> bool:
    """A slowdown of a tenth has to be found in 95 of 100."""
    since = time.perf_counter()
    slowed = Implementation("numpy-slowed", "tools.slowed:Slowed", "numpy")
    found = list(_against_numpy(slowed, comparisons))
    seen = sum(1 for speed in found if speed.verdict == SLOWER)
    each = (time.perf_counter() - since) / len(found)
    print(
        f"planted slowdown of 10 %: {seen} of {len(found)} found (goal: {round(0.95 * len(found))}), median ratio "
        f"{statistics.median(s.figures['ratio'] for s in found):.4f}; {each:.1f} s each (goal: 20 s)"
    )
    return seen >= 0.95 * len(found) and each <= 20


def overhead() -> bool:
    """What a call of ours costs, and what is left of it when one worker's is subtracted from another's."""
    workload = machine_workload("nothing", 1)
    with worker_folder() as place:
        workers = [TimedWorker(MACHINE, place, core(1)) for _ in range(2)]
        try:
            for worker in workers:
                worker.describe()
                worker.prepare("nothing", workload, "float32", "eager", ())
            # 2^16 calls of nothing take some 2 ms.
            blocks = [[worker.time("nothing", 2**16) for worker in workers] for _ in range(25)]
        finally:
            for worker in workers:
                worker.stop()
    calls = [statistics.median(row[i].wall / row[i].calls for row in blocks) for i in range(2)]
    left = statistics.median(abs(a.wall / a.calls - b.wall / b.calls) for a, b in blocks)
    print(
        f"overhead per call: {1e9 * calls[0]:.1f} ns and {1e9 * calls[1]:.1f} ns in two empty workers; "
        f"{1e9 * left:.2f} ns after subtraction (goal: under 1000 ns)"
    )
    return left < 1e-6


if __name__ == "__main__":
    sys.exit(main())
