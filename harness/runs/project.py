"""A project's own settings: `xent.toml`, found from the folder one is in upwards, and what lies in the folder it is in.

State of a project lives in its folder, never in the installed package. What the command line says overrules the file.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from harness.adapters.registry import RegistryError, resolve
from harness.core.inputs import is_there, leads_to, read_whole, reason_of
from harness.suite.problems import Problem, SuiteError, suggestion

NAME = "xent.toml"
FOLDER = "conformance"
"""Where `xent init` puts what belongs to it."""

LARGEST_FILE = 2**16
"""Bytes: some thousand lines of names."""
MOST_NAMES = 1000
LONGEST_NAME = 1000
LONGEST_CALL = 10**6
"""Seconds, as on the command line."""
MOST_SLOWER = 10**6
"""Per cent."""


@dataclass(frozen=True)
class Project:
    """What every command starts from in a folder and below it."""

    folder: Path
    implementations: tuple[str, ...] = ()
    """Names as on the command line; none: all that are installed."""
    modes: tuple[str, ...] | None = None
    """None: the first of each implementation."""
    cases: tuple[str, ...] = ()
    """Files, folders, ids or globs of ids; none: the cover. What is a path is one from here, wherever that is."""
    baseline: Path = Path(FOLDER, "baseline.jsonl.gz")
    """What `xent accept` writes, and `xent gate` reads."""
    ledger: Path = Path(FOLDER, "ledger")
    """A folder of entries that add to those that come with xent."""
    seconds_per_call: float = 60.0
    slower: float = 5.0
    """Per cent beyond the interval of a measurement that are too slow."""


def find_project(start: Path | None = None) -> Project | None:
    """The project of a folder, by default the one we are in: its own, or that of the next folder above that has one.

    SuiteError with every problem of the file.
    """
    try:
        here = (start if start is not None else Path.cwd()).resolve()
    except FileNotFoundError:
        return None  # somebody removed the folder we are in
    for folder in (here, *here.parents):
        file = folder / NAME
        if is_there(file):
            return read_project(file)
    return None


def read_project(file: Path) -> Project:
    """The settings of one file; SuiteError with every problem of it."""
    shown = _from_here(file)
    try:
        text = read_whole(file, LARGEST_FILE).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        hint = "It is a small text in UTF-8: see `xent init`"
        raise SuiteError([Problem(shown, 0, "", f"cannot be read: {reason_of(error)}", hint)], of=NAME) from error
    project, problems = parse_project(text, shown, file.parent)
    if problems:
        raise SuiteError(problems, of=NAME)
    return project


def parse_project(text: str, file: str, folder: Path) -> tuple[Project, list[Problem]]:
    """The settings a text means, and everything that is wrong with it."""
    try:
        found = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        place = re.search(r" \(at (?:line (\d+), column \d+|end of document)\)", str(error))
        line = int(place[1]) if place is not None and place[1] is not None else text.count("\n") + 1
        what = str(error) if place is None else str(error)[: place.start()]
        hint = 'Write names in quotes and lists in brackets: modes = ["first"]'
        return Project(folder), [Problem(file, line, "", f"no TOML: {what}", hint)]
    problems: list[Problem] = []
    values: dict[str, Any] = {}
    for path, value in _flat(found):
        field = ".".join(path)
        if field not in _FIELDS:
            what, hint = f"no field {path[-1]!r} here", suggestion(field, _FIELDS)
        else:
            name, read = _FIELDS[field]
            try:
                values[name] = read(value)
                continue
            except ValueError as error:
                what, _, hint = str(error).partition("; ")
        problems.append(Problem(file, _line_of(text, path), field, what, hint))
    for name in ("baseline", "ledger"):
        place = folder / values.get(name, getattr(Project(folder), name))
        if not leads_to(place).is_relative_to(leads_to(folder)):
            hint = f"What belongs to a project lies in its folder, such as {FOLDER}/{place.name}"
            problems.append(Problem(file, _line_of(text, (name,)), name, f"{place} is outside of {folder}", hint))
        values[name] = place
    return Project(folder, **{name: value for name, value in values.items() if name in _NAMES}), problems


def _flat(found: Mapping[str, Any]) -> list[tuple[tuple[str, ...], Any]]:
    """Every value with its path; a table that holds nothing we know is a value too, and wrong as a whole."""
    return [
        pair
        for key, value in found.items()
        for pair in (
            [((key, inner), one) for inner, one in value.items()]
            if isinstance(value, dict) and key in _TABLES
            else [((key,), value)]
        )
    ]


def _line_of(text: str, path: tuple[str, ...]) -> int:
    """Where a key is written, inside its table; the first line where that cannot be told."""
    table = ""
    for number, line in enumerate(text.splitlines(), start=1):
        header = re.fullmatch(r"\s*\[+\s*([^\[\]]*?)\s*\]+\s*(#.*)?", line)
        if header is not None:
            table = header[1].strip("\"'")
            if path == (table,):
                return number
        key = re.match(r"""\s*(["']?)([^"'=]*?)\1\s*=""", line)
        if key is not None and (*([table] if table else []), key[2].strip()) in (path, path[:1]):
            return number
    return 1


def _names(value: object) -> tuple[str, ...]:
    """A list of names, or one name."""
    listed = [value] if isinstance(value, str) else value
    if not isinstance(listed, list) or not all(isinstance(one, str) for one in listed):
        raise ValueError(f'expected a list of names, got {_short(value)}; Write ["torch", "jax"]')
    if len(listed) > MOST_NAMES:
        raise ValueError(f"{len(listed)} names; {MOST_NAMES} are allowed: name folders or globs")
    return tuple(dict.fromkeys(_name(one) for one in listed))


def _name(value: str) -> str:
    if not value.strip() or len(value) > LONGEST_NAME or not value.isprintable():
        raise ValueError(
            f"{_short(value)} is no name; Expected printable text of at most {LONGEST_NAME} characters, and some"
        )
    return value


def _implementations(value: object) -> tuple[str, ...]:
    names = _names(value)
    for name in names:
        try:
            resolve(name)
        except RegistryError as error:
            raise ValueError(str(error).replace(": ", "; ", 1)) from error
    return names


def _modes(value: object) -> tuple[str, ...] | None:
    """Which modes there are is said by the implementations, once they are started."""
    return _names(value) or None


def _path(value: object) -> Path:
    if not isinstance(value, str):
        raise ValueError(f"expected the path of a file or folder, got {_short(value)}; Write it in quotes")
    return Path(_name(value))


def _number(most: float, unit: str, *, zero: bool) -> Callable[[object], float]:
    def read(value: object) -> float:
        # A comparison with nan is false, and one with a whole number that no float holds is exact.
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not 0 <= value <= most or (value == 0 and not zero):  # type: ignore[operator]
            raise ValueError(
                f"expected {unit} of {'0 or more' if zero else 'more than 0'}, got {_short(value)}; "
                f"At most {most:,}, without quotes"
            )
        return float(value)  # type: ignore[arg-type]

    return read


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


_FIELDS: Mapping[str, tuple[str, Callable[[object], Any]]] = {
    "implementations": ("implementations", _implementations),
    "modes": ("modes", _modes),
    "cases": ("cases", _names),
    "baseline": ("baseline", _path),
    "ledger": ("ledger", _path),
    "budgets.call": ("seconds_per_call", _number(LONGEST_CALL, "seconds", zero=False)),
    "budgets.slower": ("slower", _number(MOST_SLOWER, "per cent", zero=True)),
}
"""By what is written: the field it is, and how it is read."""
_TABLES = {field.partition(".")[0] for field in _FIELDS if "." in field}
_NAMES = {field.name for field in fields(Project)}


def _from_here(path: Path) -> str:
    """A path as short as it can be said from the folder we are in."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def shown_path(path: Path) -> str:
    """A path as a person reads it here: from the folder we are in where it lies below."""
    return _from_here(leads_to(path))


def case_patterns(project: Project) -> tuple[str, ...]:
    """The cases that a project names, with paths from the folder we are in."""
    return tuple(
        shown_path(project.folder / pattern) if is_there(project.folder / pattern) else pattern
        for pattern in project.cases
    )


def settings_text(implementations: tuple[str, ...]) -> str:
    """A first `xent.toml`, with every setting, its meaning and its default."""
    listed = ", ".join(f'"{name}"' for name in implementations)
    default = Project(Path())
    return f"""\
# What every `xent` command starts from in this folder and below it; what the command line says overrules it.

implementations = [{listed}]  # names of `xent implementations`, or module:Class
modes = ["first"]             # "first" of each implementation, "all", or names such as "eager", "compile"
cases = []                    # files, folders, ids or globs of ids; none: the cover, few that catch what all do
baseline = "{default.baseline.as_posix()}"  # `xent accept RUN` writes it, `xent gate RUN` reads it
ledger = "{default.ledger.as_posix()}"      # your known divergences; they add to those that come with xent

[budgets]
call = {default.seconds_per_call:g}     # seconds that one call may take
slower = {default.slower:g}    # per cent beyond the interval of a measurement that are too slow
"""
