"""Collecting a history: every release in an environment of its own, one after the other, oldest first.

What is kept already is not run again, so that interrupted work goes on where it stopped and a new release costs one
run. Where a cell is not what it was a release before, its case is run twice more on both sides, each time in a new
process, before anything is said of it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Iterable, Sequence
from dataclasses import dataclass

from harness.core.cell import Run
from harness.versions.digest import Digest, Store, digest_of, with_repeats
from harness.versions.environments import CannotBuild, Environment
from harness.versions.releases import Release

REPEATS = 2
"""How often a case is run again whose answer is not that of the release before."""


@dataclass(frozen=True)
class Task:
    """What is to be found out, and how."""

    package: str
    implementations: tuple[str, ...]
    suite: str
    modes: tuple[str, ...]
    dtypes: tuple[str, ...]
    machine: dict[str, str]
    build: Callable[[Release], Environment]
    run: Callable[[Environment, Sequence[str]], Run]
    """The cases with these ids, all where none is named, in an environment."""
    remove: Callable[[Environment], None]
    again: bool = False
    """Run what is kept too."""
    retry: bool = False
    """Try what is kept as a gap."""
    left_out: Collection[str] = ()
    """Versions that are not run, and stand as a gap between those that are: what began in one is not known to have
    begun in the next."""


@dataclass
class _Open:
    """A release whose neighbours are not both known yet, with its environment where it was needed."""

    release: Release
    digest: Digest
    environment: Environment | None = None


LEFT_OUT = "it was not asked for"
"""The gap that a release is which lies between those that were named."""


def collect(
    task: Task, releases: Iterable[Release], store: Store
) -> Generator[tuple[Release, Digest, bool], None, None]:
    """Every release that is not left out with what is known of it then, and whether it was run now, in their order."""
    nothing = _gap(task, Release("", ""), "")
    kept = {digest.version: digest for digest in store.digests(task.package) if digest.asked == nothing.asked}
    opened: list[_Open] = []
    try:
        for release in releases:
            digest = kept.get(release.version)
            if release.version in task.left_out:
                if digest is None:
                    store.write(_gap(task, release, LEFT_OUT))
                continue
            fresh = digest is None or task.again or digest.gap == LEFT_OUT or (task.retry and bool(digest.gap))
            now = _first(task, release, store) if digest is None or fresh else _Open(release, digest)
            if not now.digest.gap:
                opened.append(now)
            yield release, now.digest, fresh
            if len(opened) == 2:
                asked = flipped(opened[0].digest, opened[1].digest)
                _repeat(task, opened[0], asked, store)
                _repeat(task, opened[1], asked, store)
                _close(task, opened.pop(0))
    finally:
        for each in opened:
            _close(task, each)


def flipped(old: Digest, new: Digest) -> frozenset[str]:
    """The cases of which a cell is not the same, as far as both releases were asked for it."""
    found = set()
    for key in old.cells.keys() | new.cells.keys():
        was, now = old.answer(key), new.answer(key)
        if was is not None and now is not None and not was.same(now):
            found.add(key[0])
    return frozenset(found)


def _gap(task: Task, release: Release, why: str) -> Digest:
    return Digest(
        task.package,
        release.version,
        release.day,
        task.suite,
        task.modes,
        task.machine,
        {},
        {name: {} for name in task.implementations},
        gap=" ".join(why.split())[:600],
        dtypes=task.dtypes,
    )


def _first(task: Task, release: Release, store: Store) -> _Open:
    try:
        environment = task.build(release)
    except CannotBuild as error:
        digest = _gap(task, release, str(error))
        store.write(digest)
        return _Open(release, digest)
    try:
        run = task.run(environment, ())
    except BaseException:
        task.remove(environment)
        raise
    digest = digest_of(run, task.package, release.version, release.day, task.modes, environment.packages, task.dtypes)
    store.write(digest)
    if digest.gap:
        task.remove(environment)
        return _Open(release, digest)
    return _Open(release, digest, environment)


def _repeat(task: Task, release: _Open, cases: frozenset[str], store: Store) -> None:
    """Run these cases twice more, as far as that was not done; what cannot be built any more was seen once."""
    needed = sorted(cases - release.digest.repeated)
    if not needed:
        return
    if release.environment is None:
        try:
            release.environment = task.build(release.release)
        except CannotBuild:
            return
    about = (
        task.package,
        release.release.version,
        release.release.day,
        task.modes,
        release.environment.packages,
        task.dtypes,
    )
    others = [digest_of(task.run(release.environment, needed), *about) for _ in range(REPEATS)]
    release.digest = with_repeats(release.digest, others, needed)
    store.write(release.digest)


def _close(task: Task, release: _Open) -> None:
    if release.environment is not None:
        task.remove(release.environment)
        release.environment = None
