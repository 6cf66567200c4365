"""pytest-benchmark as a front end: workload files become benchmarks, measured by the one bench.

`pytest cases/workloads --benchmark-only`. All that was collected is measured once, interleaved, before the first item;
each item then hands its blocks to pytest-benchmark, whose timer is the worker's own clock, so that storing, comparing
and histograms work on our numbers. The verdict is ours: an item fails where the answer is wrong, whatever
pytest-benchmark was told to do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from harness.adapters.registry import Implementation
    from harness.core.cell import Speed
    from harness.speed.workloads import Workload

NOT_STORED = ("ratios",)
"""Figures that are lists, of which pytest-benchmark's tables know nothing."""


@dataclass(frozen=True)
class Measured:
    """One benchmark: what is measured, and where its result will be."""

    workload: Workload
    implementation: Implementation
    mode: str
    dtype: str
    passes: str

    @property
    def key(self) -> tuple[str, str, str, str, str]:
        return (self.workload.id, self.implementation.name, self.mode, self.dtype, self.passes)


@dataclass(frozen=True)
class Result:
    """What the bench found: the record, and the seconds per call of each block."""

    speed: Speed
    blocks: tuple[float, ...]


MEASURED = pytest.StashKey[Measured]()
RESULTS = pytest.StashKey[dict[tuple[str, str, str, str, str], Result]]()
ABSENT = pytest.StashKey[Mapping[str, str]]()
"""Why implementations could not start, by name: they fail, and are not skipped."""


def pytest_addoption(group: pytest.OptionGroup) -> None:
    group.addoption("--complete", action="store_true", help="every workload, not only the default ones")
    group.addoption("--sets", type=int, default=None, help="sets of processes; five at least for a verdict")
    group.addoption("--threads", default="1", help="threads of each implementation, or all")


class WorkerClock:
    """A clock that stands still but for the seconds the worker counted."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class WorkloadFile(pytest.File):
    """One YAML file of workloads."""

    def collect(self) -> Iterator[pytest.Item]:
        from harness.speed.workloads import load_workloads, select_workloads

        if not self.config.pluginmanager.hasplugin("benchmark"):
            raise pytest.UsageError("workloads need pytest-benchmark: pip install 'pytest-benchmark>=5.3.1'")
        complete = self.config.getoption("--complete")
        for workload in select_workloads(load_workloads([self.path]), [], complete=complete):
            for implementation in _implementations(self.config):
                for dtype in workload.case.dtypes:
                    for passes in workload.passes:
                        yield self._item(Measured(workload, implementation, "eager", dtype, passes))

    def _item(self, measured: Measured) -> pytest.Item:
        clock = WorkerClock()
        name = f"{measured.workload.id}[{measured.implementation.name}-{measured.dtype}-{measured.passes}]"
        item: pytest.Item = pytest.Function.from_parent(self, name=name, callobj=_benchmark(measured, clock))
        group = f"{measured.workload.id} {measured.dtype} {measured.passes}"
        item.add_marker(pytest.mark.benchmark(group=group, timer=clock))
        item.stash[MEASURED] = measured
        return item


def _benchmark(measured: Measured, clock: WorkerClock) -> Callable[..., None]:
    def test(benchmark: Any, request: pytest.FixtureRequest) -> None:
        result = request.config.stash[RESULTS].get(measured.key)
        if (reason := request.config.stash[ABSENT].get(measured.implementation.name)) is not None:
            pytest.fail(f"missing: {reason}", pytrace=False)
        if result is None:
            pytest.skip(f"{measured.implementation.name} does not offer it")
        figures = result.speed.figures
        if not result.blocks:
            pytest.fail(f"no speed: {figures.get('judged')}: {figures.get('why')}", pytrace=False)
        left = iter(result.blocks)

        def one_block() -> None:
            clock.now += next(left)

        benchmark.pedantic(one_block, rounds=len(result.blocks), iterations=1)
        benchmark.extra_info.update({n: v for n, v in figures.items() if n not in NOT_STORED})
        benchmark.extra_info["verdict"] = result.speed.verdict

    return test


def _implementations(config: pytest.Config) -> tuple[Implementation, ...]:
    from harness.adapters.choice import choose
    from harness.speed.entrants import timed_by_default

    among = timed_by_default(complete=config.getoption("--complete"))
    return choose(config.getoption("--implementation"), among=among)


def measure(config: pytest.Config, items: Sequence[pytest.Item]) -> None:
    """Measure everything that was selected, once; the items find it in the stash."""
    from harness.core.errors import UsageError
    from harness.speed.bench import Bench, Effort, Session
    from harness.speed.entrants import with_yardstick
    from harness.speed.measured_worker import core, thread_count

    wanted = [item.stash[MEASURED] for item in items if MEASURED in item.stash]
    results: dict[tuple[str, str, str, str, str], Result] = {}
    config.stash[RESULTS] = results
    config.stash[ABSENT] = {}
    if not wanted or config.getoption("benchmark_skip", False):
        return
    implementations = {m.implementation.name: m.implementation for m in wanted}
    sets = config.getoption("--sets")
    if sets is not None and sets < 1:
        raise pytest.UsageError(f"--sets {sets}: expected one at least")
    try:
        threads = thread_count(config.getoption("--threads"))
    except UsageError as error:
        raise pytest.UsageError(str(error)) from None
    bench = Bench(
        workloads=tuple({m.workload.id: m.workload for m in wanted}.values()),
        implementations=with_yardstick(tuple(implementations.values())),
        modes=("eager",),
        effort=Effort() if sets is None else Effort(sets=sets),
        threads=threads,
    )
    session = Session(bench, core(bench.threads))
    config.stash[ABSENT] = session.absent
    for speed in session.measure():
        key = (speed.workload, speed.implementation, speed.mode, speed.dtype, str(speed.figures["passes"]))
        results[key] = Result(speed, session.seconds_per_call(speed))
