"""`xent history`: every release of a package, one suite, since when each behaviour exists."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import yaml
from cyclopts import App, Parameter

import reports.history
from harness.adapters.choice import FIRST, choose
from harness.adapters.registry import registered
from harness.cli import terminal
from harness.cli.options import Dtypes, ExecutorName, Implementations, Modes, Seconds, Workers, day
from harness.core.cell import Run
from harness.core.errors import InfrastructureError, UsageError
from harness.core.exit_codes import ExitCode
from harness.core.files import write_whole
from harness.core.machine_description import describe_machine
from harness.core.printing import tell
from harness.judgement.ledger import Ledger
from harness.runs.executors.base import Executor
from harness.runs.executors.chosen import executor_of
from harness.runs.plan import Scope
from harness.runs.service import execute_order, read_ledger
from harness.runs.session import Order
from harness.runs.spreading import spread
from harness.suite.ledger_edits import write_since
from harness.suite.loading import Suite, find_cases_directory
from harness.suite.selection import load_selection
from harness.versions import canaries
from harness.versions.behaviours import History, behaviours, groups, histories, ledger_since, sentence
from harness.versions.collecting import Task, collect
from harness.versions.digest import Store, case_digests
from harness.versions.environments import CannotBuild, Environment, build, remove
from harness.versions.releases import Release, between, day_after, in_order, newest_and_later, released, versions_of
from harness.versions.sides import own, side

app = App(
    name="history",
    help_epilogue="""\
Examples: since a day, two by name, what a pre-release brings, what is kept:

    xent history optax scipy --since 2023-01-01
    xent history optax --versions 0.2.5,0.2.6
    xent history optax --pre --store elsewhere
    xent history optax --kept -o docs/history
""",
)

STORE = Path("reports/history")
"""Where runs of releases are kept, in a project that keeps them."""

SHIPPED = Path(__file__).resolve().parents[2] / STORE
"""Those that come with the package; only ever read, but in a checkout, where they are the project's own."""

SINCE = "since.json"
"""Beside them: by ledger entry and implementation, since when it is so, which `xent cases lint` compares."""

NOTES = "notes.yaml"
"""Beside them: by package and version, what a person found in sources and release notes."""

MOST_GROUPS = 30
"""Groups of behaviours told on the terminal; the page holds all."""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is asked of each release."""

    implementation: Annotated[
        Implementations, Parameter(help="May be given several times; default: those that are made of the package.")
    ] = ()
    pin: Annotated[
        tuple[str, ...],
        Parameter(metavar="REQUIREMENT", help="Also in every environment, such as tensorflow-cpu; several times."),
    ] = ()
    cases: Annotated[
        tuple[str, ...],
        Parameter(metavar="CASES", help="Files, folders, ids or globs of ids; several times; default: all."),
    ] = ()
    modes: Annotated[
        Modes, Parameter(help="Modes to run, `all` for every one; default: the `first` of each implementation.")
    ] = None
    dtypes: Annotated[Dtypes, Parameter(help="Dtypes to run; default: all that a case names.")] = None
    timeout: Annotated[Seconds, Parameter(help="How long one call may take.")] = 60.0
    again: Annotated[bool, Parameter(help="Run releases too of which a run is kept.")] = False
    retry: Annotated[bool, Parameter(help="Try releases again that could not be built or started.")] = False


ALL_OF_IT = Asked()
"""The options where none is given."""


@app.default
def history(
    *packages: Annotated[str, Parameter(help="Packages, such as optax; with --kept all that are kept by default.")],
    since: Annotated[
        str | None, Parameter(validator=day, metavar="DATE", help="Only what was released on this day or later.")
    ] = None,
    versions: Annotated[
        Modes,
        Parameter(
            metavar="V,…", help="Only these, those between them are gaps; default: all that this interpreter can have."
        ),
    ] = None,
    pre: Annotated[bool, Parameter(negative="", help="The newest release and the pre-releases after it.")] = False,
    asked: Asked = ALL_OF_IT,
    kept: Annotated[bool, Parameter(help="Run nothing: tell what is kept.")] = False,
    store: Annotated[
        Path | None,
        Parameter(
            metavar="FOLDER",
            help=f"Where the runs of releases are kept; default: {STORE}, and to tell them what comes with xent too.",
        ),
    ] = None,
    executor: ExecutorName = None,
    parallel: Annotated[Workers, Parameter(help="Workers of a cluster on this machine.")] = 2,
    ledger: Annotated[bool, Parameter(help="Write into the ledger since when each entry is so.")] = False,
    output: Annotated[
        Path | None, Parameter(alias="-o", metavar="FOLDER", help="For a page and a JSON file per package.")
    ] = None,
) -> ExitCode:
    """Run the suite in every release, and say since which each behaviour exists."""
    if not packages and not kept:
        raise UsageError("name a package, such as optax, or --kept to tell what is kept")
    place = Store(store or STORE)
    gaps = False
    if not kept:
        suite = load_selection(asked.cases)
        _check_canaries()
        place.write_suite(suite.digest, case_digests(suite.cases))
        with nullcontext() if executor is None else executor_of(executor, parallel) as parts:
            for package in packages:
                chosen = in_order(versions) if versions else versions_of(package, pre=pre)
                chosen = newest_and_later(chosen) if pre else chosen
                left_out = between(chosen, _known_versions(package)) if versions else ()
                task = replace(_task(package, asked, suite, parts), left_out=left_out)
                for release, digest, fresh in collect(
                    task, released(package, in_order((*chosen, *left_out)), since), place
                ):
                    gaps |= bool(digest.gap)
                    said = f"a gap: {digest.gap}" if digest.gap else f"{len(digest.cells):,} cells"
                    tell(f"{package} {release.version} ({release.day or 'no date'}): {said}{'' if fresh else ', kept'}")
    _tell(known_stores(store) if kept else (place.folder,), packages, output)
    if ledger:
        found = ledger_since(read_ledger().entries, kept_histories(place.folder))
        write_whole(place.folder / SINCE, json.dumps(found, indent=1, sort_keys=True) + "\n")
        write_since(find_cases_directory() / "ledger", found)
    return ExitCode.INFRASTRUCTURE if gaps else ExitCode.FINE


def _known_versions(package: str) -> tuple[str, ...]:
    """Every released version; none where no index names any, and the user named those there are."""
    try:
        return versions_of(package)
    except CannotBuild:
        return ()


def _task(package: str, asked: Asked, suite: Suite, parts: Executor | None) -> Task:
    implementations = choose(asked.implementation or own(package, registered()))
    # Digests keep nothing of it: but what it explains needs no diagnosis, which takes longer than all else.
    ledger = read_ledger()
    # Old releases of JAX do not ask for the library they run on.
    companions = ("jaxlib",) if package != "jaxlib" and any(i.family == "jax" for i in implementations) else ()

    def built(release: Release) -> Environment:
        date = day_after(release.day) if release.day else None
        pins = (*asked.pin, *companions)
        chosen = side(package, [f"{package}=={release.version}"], pins, date, implementations, {})
        return build(chosen.requirements, chosen.exclude_newer, compiled=False)

    def run(environment: Environment, some: Sequence[str]) -> Run:
        chosen = frozenset(some)
        # Not by way of `make_order`: the suite is read once, and not for each part of each release.
        order = Order(
            tuple(case for case in suite.cases if not some or case.id in chosen),
            suite.digest,
            ledger,
            implementations,
            Scope(dtypes=asked.dtypes, modes=asked.modes),
            timeout=asked.timeout,
            parallel=1,
            python=str(environment.python),
        )
        with terminal.progress() as tick:
            return execute_order(order, progress=tick) if parts is None else spread(order, parts, progress=tick)

    return Task(
        package,
        tuple(i.name for i in implementations),
        suite.digest,
        asked.modes or (FIRST,),
        asked.dtypes or (),
        machine_of(describe_machine()),
        built,
        run,
        remove,
        again=asked.again,
        retry=asked.retry,
    )


def machine_of(description: Mapping[str, object]) -> dict[str, str]:
    """What of a machine decides whether bits are compared."""
    return {name: str(description[name]) for name in ("cpu", "instruction_set")}


def _check_canaries() -> None:
    """InfrastructureError where a planted change is not found: then nothing that is not found means anything."""
    order = Order(
        load_selection(canaries.CASES).cases,
        "",
        Ledger(),
        choose(canaries.IMPLEMENTATIONS),
        Scope(dtypes=("float64", "float32")),
    )
    silent = canaries.unseen(execute_order(order))
    if silent:
        raise InfrastructureError(f"planted changes were not found, so this proves nothing: {', '.join(silent)}")


def known_stores(named: Path | None) -> tuple[Path, ...]:
    """Where kept runs are read: in the folder named, else in this project's own and in what comes with the package."""
    return tuple({folder.resolve(): folder for folder in (STORE, SHIPPED)}.values()) if named is None else (named,)


def kept_histories(*stores: Path) -> tuple[History, ...]:
    """Everything that is kept, by package; of a package that several stores keep, what the first of them does."""
    by_package = {package: place for place in map(Store, reversed(stores)) for package in place.packages()}
    found = {package: place.digests(package) for package, place in by_package.items()}
    suites = {digest.suite: by_package[package] for package, digests in found.items() for digest in digests}
    digests = [digest for package in sorted(found) for digest in found[package]]
    return histories(digests, {suite: place.suite(suite) for suite, place in suites.items()})


def _tell(stores: Sequence[Path], packages: Sequence[str], output: Path | None) -> None:
    entries, losses = read_ledger().entries, {case.id: case.loss for case in load_selection(()).cases}
    notes: dict[str, Mapping[str, str]] = {}
    for file in (store / NOTES for store in reversed(stores)):
        notes |= yaml.safe_load(file.read_text(encoding="utf-8")) if file.is_file() else {}
    for history in kept_histories(*stores):
        if packages and history.package not in packages:
            continue
        every = behaviours(history)
        found = groups(history, every, entries, losses)
        changed = sum(len(group.keys) for group in found)
        tell(f"{history.name}: {len(history.known)} releases, {len(every):,} cells, {changed:,} changed")
        for group in found[:MOST_GROUPS]:
            tell(f"  {len(group.keys)} × {group.implementation} {group.loss}: {sentence(group.timeline)}")
        if output is not None:
            told = reports.history.page(history, found, every, notes.get(history.package, {}), losses)
            write_whole(output / f"{history.name}.md", told)
            write_whole(output / f"{history.name}.json", reports.history.as_json(history, found))
