"""`xent upgrade`: two environments, one suite, what is different."""

from __future__ import annotations

import argparse
import shlex
import sys
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import distributions
from pathlib import Path

from packaging.utils import canonicalize_name

import reports.upgrade
from harness.adapters.choice import ALL, FIRST, choose
from harness.adapters.registry import Implementation, registered
from harness.cli import terminal
from harness.cli.gate import threshold_of
from harness.cli.run import names_of
from harness.core.cell import Run
from harness.core.exit_codes import ExitCode, gravest
from harness.execution.virtual import CannotBuild, Environment, build, existing
from harness.judgement.ledger import Ledger
from harness.reproduction.scripts import with_scripts
from harness.runs.diff import NotComparable, compare_runs
from harness.runs.plan import Scope
from harness.runs.service import execute_order, make_order, read_ledger
from harness.runs.session import Order, Progress
from harness.speed.compared import SpeedChange, slower, slowest_first
from harness.speed.entrants import has_speed
from harness.speed.versus import old_against_new
from harness.speed.workloads import Workload, load_workloads, select_workloads
from harness.versions import canaries
from harness.versions.environments import Side, SideError, from_installed, side, touched
from harness.versions.upgrade import Upgrade


def upgrade(options: argparse.Namespace) -> ExitCode:
    """Build both sides, run the suite in both side by side, show the difference."""
    threshold = threshold_of(options)
    workloads = () if options.no_speed else select_workloads(load_workloads(), options.workloads, complete=False)
    implementations = _implementations(options)
    try:
        built = _environments(options, implementations)
    except CannotBuild as error:
        print(f"xent: {error}", file=sys.stderr)
        return ExitCode.INFRASTRUCTURE
    scope = Scope(
        dtypes=names_of(options.dtypes, "--dtypes", ("float64", "float32", "float16", "bfloat16")),
        modes=None if options.modes is None else tuple(options.modes.split(",")),
    )
    ledger = read_ledger()
    orders = {
        name: make_order(
            options.cases,
            implementations,
            scope,
            ledger=ledger,
            timeout=options.timeout,
            # One worker at a time on either side: the two sides side by side are what shares the machine.
            parallel=1,
            command=("xent", *sys.argv[1:]),
            python=str(environment.python),
        )
        for name, (_, environment) in built.items()
    }
    options.output.mkdir(parents=True, exist_ok=True)
    paths = {name: options.output / f"{name}.jsonl" for name in orders}
    runs = _record_side_by_side(orders, paths)
    unborn = [f"{name} side: {text}" for name, run in runs.items() for text in _missing(run)]
    if unborn:
        for text in unborn:
            print(f"xent: {text}", file=sys.stderr)
        print(
            "xent: not compared: a side that cannot start is no difference; see --old-pin and --old-exclude-newer",
            file=sys.stderr,
        )
        return ExitCode.INFRASTRUCTURE
    try:
        difference = compare_runs(runs["old"], runs["new"], same_machine=True)
    except NotComparable as refusal:
        print(f"xent: not compared: {refusal}", file=sys.stderr)
        return ExitCode.INFRASTRUCTURE
    timed = [i for i in implementations if has_speed(i.name) and _has_any(runs["old"], i.name, scope.modes)]
    pythons = {name: str(environment.python) for name, (_, environment) in built.items()}
    speeds = None if options.no_speed else _timed(timed, pythons, workloads, scope.modes, threshold)
    songs = canaries.listen(_canary_run(options.output / "canaries.jsonl"))
    found = Upgrade(
        old=runs["old"],
        new=runs["new"],
        sides={name: (sentence, environment.packages) for name, (sentence, environment) in built.items()},
        difference=with_scripts(difference, runs["new"]),
        songs=songs,
        command=shlex.join(("xent", *sys.argv[1:])),
        speeds=speeds,
        timing_commands={i.name: _timing_command(options, i) for i in implementations},
    )
    terminal.show_upgrade(found)
    for path, text in (
        (options.output / "upgrade.md", reports.upgrade.markdown(found)),
        (options.output / "upgrade.html", reports.upgrade.html(found)),
    ):
        path.write_text(text, encoding="utf-8")
        print(f"report:   {path.resolve()}")
    if canaries.silent(songs):
        print("xent: a planted change was not reported as what it is: this comparison proves nothing", file=sys.stderr)
        return ExitCode.INTERNAL
    return gravest(
        (
            ExitCode.CHANGED if difference.changes else ExitCode.FINE,
            ExitCode.SLOWER if slower(speeds or ()) else ExitCode.FINE,
        )
    )


def _timed(
    implementations: Sequence[Implementation],
    pythons: Mapping[str, str],
    workloads: Sequence[Workload],
    modes: tuple[str, ...] | None,
    threshold: float,
) -> tuple[SpeedChange, ...]:
    """Old against new, one implementation after the other, both sides in the same rounds."""
    found: list[SpeedChange] = []
    with terminal.progress() as tick:
        for implementation in implementations:
            found += old_against_new(
                ((implementation, pythons["old"]), (implementation, pythons["new"])),
                workloads,
                modes=modes,
                threshold=threshold,
                tell=lambda _, done, total, name=implementation.name: tick(f"time {name}", done, total),  # type: ignore[misc]
            )
    return slowest_first(found)


def _has_any(run: Run, name: str, modes: tuple[str, ...] | None) -> bool:
    """Whether the implementation has one of the modes asked for."""
    return modes is None or not {*run.header.implementations[name]["modes"], ALL, FIRST}.isdisjoint(modes)


def _timing_command(options: argparse.Namespace, implementation: Implementation) -> str:
    """The same two sides, one implementation, one quick case, and a workload that is still to be named."""
    words = ["xent", "upgrade", *options.requirements]
    for flag, values in (
        ("--from", options.origin),
        ("--old-pin", options.old_pin),
        ("--new-pin", options.new_pin),
        ("--old-exclude-newer", [options.old_exclude_newer]),
        ("--new-exclude-newer", [options.new_exclude_newer]),
        ("--old-python", [options.old_python]),
        ("--new-python", [options.new_python]),
    ):
        for value in values:
            words += [] if value is None else [flag, str(value)]
    words += ["-i", implementation.name, "--cases", "documents/d4-dog-in-bits", "--workloads"]
    return shlex.join(words)


def _implementations(options: argparse.Namespace) -> tuple[Implementation, ...]:
    if options.implementation:
        return choose(options.implementation)
    if not options.requirements:
        raise SideError("without a requirement nothing says which implementations to compare: name them with -i")
    return choose(among=touched(options.requirements, registered()))


def _environments(
    options: argparse.Namespace, implementations: Sequence[Implementation]
) -> dict[str, tuple[str, Environment]]:
    """Old and new, each with a sentence that says what it is."""
    pythons: dict[str, Path | None] = {"old": options.old_python, "new": options.new_python}
    here: dict[str, str] = {
        canonicalize_name(d.metadata["Name"]): d.version for d in distributions() if d.metadata["Name"]
    }
    # A side is tried with the companions that are installed here; then without today's NumPy, which old releases
    # seldom allow; then with companions of the resolver's choice.
    without_numpy = {package: version for package, version in here.items() if package != "numpy"}
    found: dict[str, tuple[str, Environment]] = {}
    for name, python in pythons.items():
        if python is not None:
            found[name] = (f"the environment of {python.name}", existing(python))
            continue
        if not options.requirements:
            raise SideError("name what is upgraded, such as torch==2.13.0, or both --old-python and --new-python")
        if name == "old":
            about = (
                options.origin or from_installed(options.requirements, here),
                options.old_pin,
                options.old_exclude_newer,
            )
        else:
            about = (options.requirements, options.new_pin, options.new_exclude_newer)
        made, environment = _built([side(name, *about, implementations, k) for k in (here, without_numpy, {})])
        found[name] = (made.sentence, environment)
    return found


def _built(candidates: Sequence[Side]) -> tuple[Side, Environment]:
    """The first side that can be built; CannotBuild, of the last, where none can."""
    for position, candidate in enumerate(candidates):
        try:
            return candidate, build(candidate.requirements, candidate.exclude_newer)
        except CannotBuild:
            if position == len(candidates) - 1:
                raise
    raise AssertionError("there is always a candidate")


def _record_side_by_side(orders: dict[str, Order], paths: dict[str, Path]) -> dict[str, Run]:
    """Both sides at once: what disturbs one in a minute disturbs the other in the same."""
    lock = threading.Lock()
    with terminal.progress() as tick, ThreadPoolExecutor(len(orders)) as pool:

        def named(prefix: str) -> Progress:
            def told(name: str, done: int, total: int) -> None:
                with lock:
                    tick(f"{prefix} {name}", done, total)

            return told

        started = {
            n: pool.submit(execute_order, order, output=paths[n], progress=named(n)) for n, order in orders.items()
        }
        return {name: future.result() for name, future in started.items()}


def _missing(run: Run) -> list[str]:
    return [
        f"{name} cannot start: {' '.join(str(d['missing']).split())[:600]}"
        for name, d in run.header.implementations.items()
        if "missing" in d
    ]


def _canary_run(path: Path) -> Run:
    scope = Scope(dtypes=("float64", "float32"))
    order = make_order(canaries.CASES, choose(canaries.IMPLEMENTATIONS), scope, ledger=Ledger())
    return execute_order(order, output=path)
