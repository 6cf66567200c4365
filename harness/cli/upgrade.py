"""`xent upgrade`: two environments, one suite, what is different."""

from __future__ import annotations

import shlex
import sys
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path
from typing import Annotated

from cyclopts import App, Group, Parameter
from packaging.utils import canonicalize_name

import reports.github
import reports.upgrade
from harness.adapters.choice import ALL, FIRST, choose
from harness.adapters.registry import Implementation, registered
from harness.cli import terminal
from harness.cli.options import Dtypes, Implementations, Modes, OwnSeconds, OwnSlower, day, interpreter
from harness.cli.project import ledger_here, project_here
from harness.core.cell import Run
from harness.core.exit_codes import ExitCode, gravest
from harness.core.files import check_outputs, write_whole
from harness.core.printing import annotate, say, tell
from harness.judgement.ledger import Ledger
from harness.reproduction.scripts import with_scripts
from harness.runs.diff import compare_runs
from harness.runs.plan import Scope
from harness.runs.project import case_patterns
from harness.runs.service import execute_order, make_order
from harness.runs.session import Order, Progress
from harness.speed.entrants import has_speed
from harness.speed.old_against_new import old_against_new
from harness.speed.speed_changes import SpeedChange, slowest_first
from harness.speed.workloads import Workload, load_workloads, select_workloads
from harness.suite.selection import sources
from harness.versions import canaries
from harness.versions.environments import CannotBuild, Environment, build, existing
from harness.versions.requirement_files import names_that_differ, parsed_file, pinned
from harness.versions.sides import Side, SideError, from_installed, side, touched, touching
from harness.versions.upgrade import Upgrade

app = App(
    name="upgrade",
    help_epilogue="""\
Examples: from what is installed here, and between any two versions:

    xent upgrade torch==2.13.0
    xent upgrade torch==2.13.0 --from torch==2.12.1 --no-speed
""",
)

OLD = Group.create_ordered("The old side")
NEW = Group.create_ordered("The new side")

Pins = Annotated[
    tuple[str, ...],
    Parameter(metavar="REQUIREMENT", help="Also on this side, such as 'numpy<2'; may be given several times."),
]
Date = Annotated[
    str | None,
    Parameter(validator=day, metavar="DATE", help="This side knows nothing released later, such as 2024-06-01."),
]
Interpreter = Annotated[
    Path | None,
    Parameter(
        validator=interpreter,
        metavar="PATH",
        help="Interpreter of an environment that is this side as it is; nothing is built.",
    ),
]


Requirements = Annotated[
    str | None,
    Parameter(
        metavar="FILE",
        help="What this side is, from a file: requirements.txt, pyproject.toml[extra] or uv.lock; goes with the same "
        "of the other side.",
    ),
]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Sides:
    """What the two sides are made of, besides the requirements themselves."""

    origin: Annotated[
        tuple[str, ...],
        Parameter(
            name="--from",
            group=OLD,
            metavar="REQUIREMENT",
            help="What it is; may be given several times; default: what is installed here.",
        ),
    ] = ()
    old_pin: Annotated[Pins, Parameter(group=OLD)] = ()
    old_exclude_newer: Annotated[Date, Parameter(group=OLD)] = None
    old_python: Annotated[Interpreter, Parameter(group=OLD)] = None
    old_requirements: Annotated[Requirements, Parameter(group=OLD)] = None
    new_pin: Annotated[Pins, Parameter(group=NEW)] = ()
    new_exclude_newer: Annotated[Date, Parameter(group=NEW)] = None
    new_python: Annotated[Interpreter, Parameter(group=NEW)] = None
    new_requirements: Annotated[Requirements, Parameter(group=NEW)] = None


WRITTEN = ("old.jsonl", "new.jsonl", "canaries.jsonl", "upgrade.md", "upgrade.html")
"""What is written into the folder."""

NOTHING_SAID = Sides()
"""The options where none is given."""


@app.default
def upgrade(
    *requirements: Annotated[str, Parameter(help="What the new side is, such as torch==2.13.0.")],
    sides: Sides = NOTHING_SAID,
    implementation: Annotated[
        Implementations,
        Parameter(help="May be given several times; default: all that use the packages and are installed here."),
    ] = (),
    cases: Annotated[
        tuple[str, ...],
        Parameter(
            metavar="CASES", help="Files, folders, ids or globs of ids; may be given several times; default: all."
        ),
    ] = (),
    modes: Annotated[
        Modes, Parameter(help="Modes to run, `all` for every one; default: the `first` of each implementation.")
    ] = None,
    dtypes: Annotated[Dtypes, Parameter(help="Dtypes to run; default: all that a case names.")] = None,
    timeout: OwnSeconds = None,
    workloads: Annotated[
        tuple[str, ...],
        Parameter(
            metavar="NAME",
            help="What both sides are timed with, ids or globs of ids; default: the workloads of `xent bench`.",
        ),
    ] = (),
    no_speed: Annotated[bool, Parameter(help="Do not time the two sides.")] = False,
    slower: OwnSlower = None,
    strict: Annotated[bool, Parameter(help="End with 7 for what got better too: nobody has accepted it.")] = False,
    github: Annotated[
        bool, Parameter(help="Print annotations for the pages of a pull request, where the new version is pinned.")
    ] = False,
    output: Annotated[Path, Parameter(alias="-o", metavar="FOLDER", help="For both run files and the report.")] = Path(
        "reports/output/upgrade"
    ),
) -> ExitCode:
    """Build both sides, run the suite in both side by side, show the difference."""
    check_outputs([output / name for name in WRITTEN], sources(cases))
    timed = () if no_speed else select_workloads(load_workloads(), list(workloads), complete=False)
    wanted = _wanted(sides)
    if wanted is not None and (unchanged := _unchanged(wanted)):
        tell(unchanged)
        return ExitCode.FINE
    differ = () if wanted is None else names_that_differ(*wanted)
    implementations = _implementations(implementation, requirements or touching(differ, registered()))
    built = _environments(requirements, sides, implementations, wanted)
    project = project_here()
    modes = modes or project.modes
    threshold = (project.slower if slower is None else slower) / 100
    scope = Scope(dtypes=dtypes, modes=modes)
    ledger = ledger_here()
    orders = {
        name: make_order(
            cases or case_patterns(project),
            implementations,
            scope,
            ledger=ledger,
            timeout=timeout or project.seconds_per_call,
            # One worker at a time on either side: the two sides side by side are what shares the machine.
            parallel=1,
            command=("xent", *sys.argv[1:]),
            python=str(environment.python),
        )
        for name, (_, environment) in built.items()
    }
    paths = {name: output / f"{name}.jsonl" for name in orders}
    runs = _record_side_by_side(orders, paths)
    absent = [f"{name} side: {text}" for name, run in runs.items() for text in _missing(run)]
    if absent:
        for text in absent:
            tell(f"xent: {text}", error=True)
        tell(
            "xent: not compared: a side that cannot start is no difference; see --old-pin and --old-exclude-newer",
            error=True,
        )
        return ExitCode.INFRASTRUCTURE
    for line in terminal.other_modes(runs["new"], modes or ()):
        tell(line)
    difference = compare_runs(runs["old"], runs["new"], same_machine=True)
    with_speed = [
        (i, _supported(timed, runs.values(), i.name))
        for i in implementations
        if has_speed(i.name) and _has_any(runs["old"], i.name, modes)
    ]
    pythons = {name: str(environment.python) for name, (_, environment) in built.items()}
    speeds = None if no_speed else _timed(with_speed, pythons, modes, threshold)
    heard = canaries.results_of(_canary_run(output / "canaries.jsonl"))
    found = Upgrade(
        old=runs["old"],
        new=runs["new"],
        sides={name: (sentence, environment.packages) for name, (sentence, environment) in built.items()},
        difference=with_scripts(difference, runs["new"]),
        canary_results=heard,
        command=shlex.join(("xent", *sys.argv[1:])),
        speeds=speeds,
        pythons=pythons,
        strict=strict,
        timing_commands={i.name: _timing_command(requirements, sides, i) for i in implementations},
    )
    terminal.show_upgrade(found)
    for path, text in (
        (output / "upgrade.md", reports.upgrade.markdown(found)),
        (output / "upgrade.html", reports.upgrade.html(found)),
    ):
        write_whole(path, text)
        say(f"report:   {path.resolve()}")
    if ExitCode.CHANGED in found.codes:
        tell(
            "next: the commands under a cause show it on either side; what is accepted goes into your ledger, with why"
        )
    if github:
        for shown in reports.github.annotated_pins(found, _pin_files(sides)):
            annotate(shown.message, **shown.properties)
    if canaries.unreported(heard):
        tell("xent: a planted change was not reported as what it is: this comparison proves nothing", error=True)
        return ExitCode.INTERNAL
    return gravest(found.codes)


def _supported(workloads: Sequence[Workload], runs: Iterable[Run], name: str) -> tuple[Workload, ...]:
    """Workloads of losses that an implementation has on both sides: nothing else is timed."""
    offered = [set(run.header.implementations[name]["losses"]) for run in runs]
    return tuple(w for w in workloads if all(w.case.loss in losses for losses in offered))


def _wanted(sides: Sides) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
    """What both files of requirements ask for, pinned; None where none is named."""
    if sides.old_requirements is None and sides.new_requirements is None:
        return None
    if sides.old_requirements is None or sides.new_requirements is None:
        raise SideError("a file of requirements is compared with another: name both sides, such as two revisions of it")
    files = tuple(parsed_file(text) for text in (sides.old_requirements, sides.new_requirements))
    for side_name, file in zip(("old", "new"), files, strict=True):
        tell(f"{side_name} side: resolving {file}", error=True)
    return pinned(files[0]), pinned(files[1])


def _unchanged(wanted: tuple[tuple[str, ...], tuple[str, ...]]) -> str:
    """Why there is nothing to compare; empty where there is."""
    differ = names_that_differ(*wanted)
    if not differ:
        return "Nothing to compare: both files resolve to the same versions of everything."
    own = [name for name in project_here().implementations if name not in registered()]
    if not own and not touching(differ, registered()):
        return f"Nothing to compare: no implementation uses what differs ({', '.join(differ)})."
    return ""


def _pin_files(sides: Sides) -> tuple[Path, ...]:
    """Files of the new side in which a version may be pinned."""
    if sides.new_requirements is not None:
        named = parsed_file(sides.new_requirements).path
        return (named, *sorted(named.parent.glob("*.txt")), named.parent / "pyproject.toml", named.parent / "uv.lock")
    folder = project_here().folder
    return (*sorted(folder.glob("*requirements*.txt")), folder / "pyproject.toml", folder / "uv.lock")


def _timed(
    implementations: Iterable[tuple[Implementation, Sequence[Workload]]],
    pythons: Mapping[str, str],
    modes: tuple[str, ...] | None,
    threshold: float,
) -> tuple[SpeedChange, ...]:
    """Old against new, one implementation after the other, both sides in the same rounds."""
    found: list[SpeedChange] = []
    with terminal.progress() as tick:
        for implementation, workloads in implementations:
            if not workloads:
                continue
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


def _timing_command(requirements: Sequence[str], sides: Sides, implementation: Implementation) -> str:
    """The same two sides, one implementation, one quick case, and a workload that is still to be named."""
    words = ["xent", "upgrade", *requirements]
    for flag, values in (
        ("--from", sides.origin),
        ("--old-pin", sides.old_pin),
        ("--new-pin", sides.new_pin),
        ("--old-exclude-newer", [sides.old_exclude_newer]),
        ("--new-exclude-newer", [sides.new_exclude_newer]),
        ("--old-python", [sides.old_python]),
        ("--new-python", [sides.new_python]),
        ("--old-requirements", [sides.old_requirements]),
        ("--new-requirements", [sides.new_requirements]),
    ):
        for value in values:
            words += [] if value is None else [flag, str(value)]
    words += ["-i", implementation.name, "--cases", "documents/d4-dog-in-bits", "--workloads"]
    return shlex.join(words)


def _implementations(names: Sequence[str], requirements: Sequence[str]) -> tuple[Implementation, ...]:
    if names:
        return choose(names)
    own = project_here().implementations
    if not requirements and not own:
        raise SideError(
            "without a requirement nothing says which implementations to compare: name them with -i, or in xent.toml"
        )
    if not requirements:
        return choose(own)
    found = touched(requirements, registered())
    # What is not registered may use any package.
    return choose(tuple(name for name in own if name in found or name not in registered()), among=found)


def _environments(
    requirements: Sequence[str],
    sides: Sides,
    implementations: Sequence[Implementation],
    wanted: tuple[tuple[str, ...], tuple[str, ...]] | None,
) -> dict[str, tuple[str, Environment]]:
    """Old and new, each with a sentence that says what it is."""
    pythons: dict[str, Path | None] = {"old": sides.old_python, "new": sides.new_python}
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
        if wanted is not None:
            pins = wanted[("old", "new").index(name)]
            # Whatever they ask for: a worker needs NumPy.
            needed = () if any(pin.startswith("numpy==") for pin in pins) else ("numpy",)
            made, environment = _built(name, [Side(name, (*pins, *needed))])
            found[name] = (str(sides.old_requirements if name == "old" else sides.new_requirements), environment)
            continue
        if not requirements:
            raise SideError(
                "name what is upgraded, such as torch==2.13.0, or both sides: with --old-python and --new-python, or "
                "with --old-requirements and --new-requirements"
            )
        if name == "old":
            about = (
                sides.origin or from_installed(requirements, here),
                sides.old_pin,
                sides.old_exclude_newer,
            )
        else:
            about = (tuple(requirements), sides.new_pin, sides.new_exclude_newer)
        made, environment = _built(name, [side(name, *about, implementations, k) for k in (here, without_numpy, {})])
        found[name] = (made.sentence, environment)
    return found


def _built(name: str, candidates: Sequence[Side]) -> tuple[Side, Environment]:
    """The first side that can be built; CannotBuild, of the last, where none can."""
    for position, candidate in enumerate(candidates):
        tell(f"{name} side: building an environment with {candidate.sentence:.300}", error=True)
        since = time.perf_counter()
        try:
            environment = build(candidate.requirements, candidate.exclude_newer)
            how = "built" if environment.fresh else "found"
            packages = len(environment.packages)
            tell(f"{name} side: {how}, {packages} packages, {time.perf_counter() - since:.0f} s", error=True)
            return candidate, environment
        except CannotBuild:
            if position == len(candidates) - 1:
                raise
    raise AssertionError("there is always a candidate")


def _record_side_by_side(orders: dict[str, Order], paths: dict[str, Path]) -> dict[str, Run]:
    """Both sides at once: what disturbs one in a minute disturbs the other in the same."""
    lock = threading.Lock()
    pool = ThreadPoolExecutor(len(orders))
    with terminal.progress() as tick:

        def named(prefix: str) -> Progress:
            def report(name: str, done: int, total: int) -> None:
                with lock:
                    tick(f"{prefix} {name}", done, total)

            return report

        started = {
            n: pool.submit(execute_order, order, output=paths[n], progress=named(n)) for n, order in orders.items()
        }
        try:
            return {name: future.result() for name, future in started.items()}
        finally:
            pool.shutdown(wait=False)  # who interrupts, or whose one side fails, does not wait for a side to end


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
