"""Case files become a `Suite`: all of them, or an error with every problem in them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

from harness.core.case import Case
from harness.suite.building import build
from harness.suite.case_files import files_in, text_of
from harness.suite.families import expand
from harness.suite.problems import Problem, SuiteError
from harness.suite.reading import ListNode, MapNode, read

FOLDERS = ("documents", "edges", "options", "invalid", "invariances")
"""Folders of cases; cases/ledger, cases/workloads and cases/schema hold other things."""


@dataclass(frozen=True)
class Suite:
    """All cases of some files, in the order of the files and of the entries in them."""

    cases: tuple[Case, ...]
    digest: str
    """SHA-256 of what the cases say, wherever their files lie."""
    files: tuple[str, ...]
    """Names of the files read."""


def find_cases_directory() -> Path:
    """The cases that come with the package; SuiteError where they were left out of an installation."""
    directory = Path(__file__).resolve().parents[2] / "cases"
    if not directory.is_dir():
        hint = "Install the package again, or name case files"
        raise SuiteError([Problem(str(directory), 0, "", "the folder of the cases is not there", hint)])
    return directory


def load(paths: Sequence[Path] | None = None) -> Suite:
    """The cases in `paths` (files, and folders with all case files below them); None: all that come with the package.

    Raises SuiteError with every problem of every file.
    """
    home = find_cases_directory()
    roots = [home / folder for folder in FOLDERS if (home / folder).is_dir()] if paths is None else list(paths)
    problems: list[Problem] = []
    cases: list[Case] = []
    names: list[str] = []
    for path in _files(roots, home, problems):
        names.append(display_name(path, home))
        found, wrong = _load_file(path, names[-1], _folder(path, home))
        cases += found
        problems += wrong
    problems += _duplicates(cases)
    if problems:
        raise SuiteError(problems)
    return Suite(tuple(cases), digest(cases), tuple(names))


def load_text(text: str, file: str, folder: str) -> tuple[list[Case], list[Problem]]:
    """The cases in a YAML text that stands for `file`, whose ids begin with `folder`, and what is wrong with it."""
    root, problems = read(text, file)
    if root is None:
        if not problems:
            problems = [Problem(file, 1, "", "no cases", "Write a list of cases, or remove the file")]
        return [], problems
    if not isinstance(root, ListNode):
        hint = "Begin each case with a hyphen: - id: ..."
        return [], [Problem(file, root.line, "", "expected a list of cases", hint)]
    cases: list[Case] = []
    for n, entry in enumerate(root.entries):
        field = f"[{n}]"
        if not isinstance(entry, MapNode):
            hint = "Write id, title, why, loss and inputs"
            problems.append(Problem(file, entry.line, field, "expected a case, a map of fields", hint))
            continue
        expanded, wrong = expand(entry, file, field)
        problems += wrong
        seen: set[Problem] = set()
        for one in expanded:
            case, wrong = build(one, file, field, folder)
            # What is wrong with a family is wrong with most of its members: once is enough.
            problems += [problem for problem in wrong if problem not in seen]
            seen.update(wrong)
            if case is not None:
                cases.append(case)
    if not root.entries:
        problems.append(Problem(file, root.line, "", "no cases", "Write a list of cases, or remove the file"))
    return cases, problems


def digest(cases: Iterable[Case]) -> str:
    """SHA-256 of the cases as canonical JSON; where they are written does not count."""
    texts = sorted(json.dumps(_canonical(case), sort_keys=True, ensure_ascii=False) for case in cases)
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()


def display_name(path: Path, home: Path) -> str:
    """The name of a file or folder in messages and run files: cases/… for the package's own, else as given."""
    resolved = path.resolve()
    return f"cases/{resolved.relative_to(home).as_posix()}" if resolved.is_relative_to(home) else path.as_posix()


def _folder(path: Path, home: Path) -> str:
    """The first part of the ids in a file: its folder below cases/, else the folder it lies in."""
    resolved = path.resolve()
    if resolved.is_relative_to(home) and len(resolved.relative_to(home).parts) > 1:
        return resolved.relative_to(home).parts[0]
    return resolved.parent.name


def _files(roots: Iterable[Path], home: Path, problems: list[Problem]) -> list[Path]:
    found: dict[Path, Path] = {}
    for root in roots:
        if root.is_dir():
            inside, unreadable = files_in(root)
            problems += unreadable
            if root.resolve() == home:
                inside = [path for path in inside if path.relative_to(root).parts[0] in FOLDERS]
            if not inside and not unreadable:
                hidden = f"It hides the group of cases of this name, which is '{root}/*'"
                hint = hidden if str(root) in FOLDERS else "Name another, or a file"
                problems.append(Problem(str(root), 0, "", "no case file in this folder", hint))
        elif root.is_file():
            inside = [root]
        else:
            problems.append(Problem(str(root), 0, "", "no such file or folder", "Check the path"))
            continue
        for path in inside:
            found.setdefault(path.resolve(), path)
    return list(found.values())


def _load_file(path: Path, name: str, folder: str) -> tuple[list[Case], list[Problem]]:
    text, problems = text_of(path, name)
    if problems:
        return [], problems
    return load_text(text, name, folder)


def _duplicates(cases: Iterable[Case]) -> list[Problem]:
    first: dict[str, Case] = {}
    problems: list[Problem] = []
    for case in cases:
        if case.id in first:
            what = f"the id {case.id!r} a second time; the first is at {first[case.id].location}"
            problems.append(Problem(case.location.file, case.location.line, "id", what, "Give it an id of its own"))
        first.setdefault(case.id, case)
    return problems


def _canonical(value: Any) -> Any:
    """The value as JSON can hold it, exactly: floats by their repr."""
    if isinstance(value, float):
        return f"float {value!r}"
    if value is None or isinstance(value, str | int):
        return value
    if is_dataclass(value) and not isinstance(value, type):
        entries = {f.name: _canonical(getattr(value, f.name)) for f in fields(value) if f.name != "location"}
        return {"": type(value).__name__, **entries}
    if isinstance(value, dict):
        return {name: _canonical(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_canonical(entry) for entry in value]
    return value
