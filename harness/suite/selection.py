"""What a user names on the command line becomes cases: files, folders, ids, and patterns of ids."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from harness.core.case import Case
from harness.core.errors import UsageError
from harness.core.inputs import is_there
from harness.suite.case_files import files_in, text_of
from harness.suite.cover_file import cover_file, lint_cover, read_cover
from harness.suite.loading import Suite, digest, display_name, find_cases_directory, load
from harness.suite.problems import SuiteError, close_matches


class SelectionError(UsageError):
    """Patterns that select no case, each with what comes near."""


def select(cases: Iterable[Case], patterns: Sequence[str]) -> tuple[Case, ...]:
    """The cases that any pattern names, in their order; all of them where there is no pattern.

    A pattern is the path of a case file or of a folder, an id or its first part (documents), or a pattern of ids with
    `*`, `?` and `[…]` (documents/*, *focal*); `*` also matches slashes. SelectionError names every pattern that matches
    nothing.
    """
    everything = tuple(cases)
    if not patterns:
        return everything
    chosen: set[str] = set()
    unmatched: list[str] = []
    home = find_cases_directory()
    for pattern in patterns:
        matched = {case.id for case in everything if _matches(case, pattern, home)}
        chosen |= matched
        if not matched:
            unmatched.append(pattern)
    if unmatched:
        raise SelectionError("\n".join(_explanation(pattern, everything) for pattern in unmatched))
    return tuple(case for case in everything if case.id in chosen)


def load_selection(patterns: Sequence[str]) -> Suite:
    """The suite a command line names: the package's own cases, and files of the user's own, narrowed to `patterns`.

    Raises SuiteError where files cannot be used and SelectionError where a pattern matches nothing.
    """
    if not all(patterns):  # the empty name is that of the folder one is in, which nobody means by it
        raise SelectionError("an empty name: no case has it, and no file. Name cases, or leave it out for all")
    paths = [path for path in map(Path, patterns) if is_there(path)]
    if patterns and len(paths) == len(patterns):
        # Where only files are named, only they are read: a broken file elsewhere is no reason not to run these.
        return load(paths)
    home = find_cases_directory()
    foreign = [path for path in paths if not path.resolve().is_relative_to(home)]
    suites = [load()] + ([load(foreign)] if foreign else [])
    cases = tuple(case for suite in suites for case in suite.cases)
    chosen = select(cases, patterns)
    return Suite(chosen, digest(chosen), tuple(sorted({case.location.file for case in chosen})))


def load_around(files: Iterable[str]) -> tuple[Case, ...]:
    """All cases that there are: the package's own, and those of these files, named as cases name their place.

    Raises SuiteError where some of them cannot be read.
    """
    home = find_cases_directory()
    foreign = sorted(name for name in set(files) if not _written(name, home).is_relative_to(home))
    return (*load().cases, *(load([Path(name) for name in foreign]).cases if foreign else ()))


def load_cover() -> tuple[Suite, int]:
    """The cases of the cover, and how many there are in all.

    Raises SuiteError where the file of the cover cannot be used or names a case that is not there.
    """
    suite = load()
    file = cover_file()
    text, problems = text_of(file, display_name(file, file.parent))
    if problems:
        raise SuiteError(problems)
    chosen = read_cover(text, display_name(file, file.parent))
    problems = lint_cover(chosen.items(), {case.id for case in suite.cases}, display_name(file, file.parent))
    if problems:
        raise SuiteError(problems)
    cases = tuple(case for case in suite.cases if case.id in chosen)
    return Suite(cases, digest(cases), suite.files), len(suite.cases)


def sources(patterns: Sequence[str], ledger: Path | None = None) -> list[Path]:
    """Every file of cases and ledgers that is read for these patterns, or could be: none is to be written over."""
    named = [path for path in map(Path, patterns) if is_there(path)]
    folders = [find_cases_directory(), *named, *([] if ledger is None else [ledger])]
    inside = [file for folder in folders if folder.is_dir() for file in files_in(folder)[0]]
    return [*(path for path in named if path.is_file()), *inside]


def _matches(case: Case, pattern: str, home: Path) -> bool:
    if case.id == pattern or fnmatchcase(case.id, pattern) or case.id.startswith(f"{pattern.rstrip('/')}/"):
        return True
    path = Path(pattern)
    if not is_there(path):
        return False
    return _written(case.location.file, home).is_relative_to(path.resolve())


def _written(name: str, home: Path) -> Path:
    """The file that a case names as its place."""
    return (home.parent / name if name.startswith("cases/") else Path(name)).resolve()


def _explanation(pattern: str, cases: Sequence[Case]) -> str:
    if is_there(Path(pattern)):
        return f"{pattern}: no case of the suite is written there. Name a case file, or a folder with case files"
    ids = [case.id for case in cases]
    inside = [i for i in ids if pattern.strip("*") and pattern.strip("*") in i][:3]
    near = inside or close_matches(pattern, ids) or close_matches(pattern, {i.rpartition("/")[2] for i in ids})
    hint = f"Did you mean {', '.join(near)}?" if near else "List the ids with `xent cases list`"
    return f"{pattern}: no case has this id, and no file has this name. {hint}"
