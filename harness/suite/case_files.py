"""Which YAML files lie in a folder, and their text: nothing that looks like one is passed over in silence."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from harness.core.inputs import read_whole, reason_of
from harness.suite.problems import Problem

SUFFIXES = (".yaml", ".yml")

LARGEST_FILE = 2**20
"""Bytes of one file, twenty times the largest we have: larger inputs belong in a generator."""


def is_yaml(path: Path) -> bool:
    """Whether a name is that of a YAML file, however its ending is written."""
    return path.suffix.lower() in SUFFIXES


def files_in(folder: Path) -> tuple[list[Path], list[Problem]]:
    """All YAML files in a folder and below, in order, and what of it cannot be looked at.

    A link that leads nowhere is among the files: whoever reads them says so.
    """
    problems: list[Problem] = []
    hint = "Make it readable, or name the files that are meant"

    def unreadable(error: OSError) -> None:
        problems.append(Problem(str(error.filename or folder), 0, "", f"cannot be read: {reason_of(error)}", hint))

    found = (
        Path(place) / name for place, names in _folders(folder, unreadable) for name in names if is_yaml(Path(name))
    )
    return sorted(found), problems


def _folders(folder: Path, unreadable: object) -> Iterator[tuple[str, list[str]]]:
    """Every folder with the names of the files in it, each once, wherever links lead."""
    seen: set[str] = set()
    for place, folders, names in os.walk(folder, onerror=unreadable, followlinks=True):  # type: ignore[arg-type]
        real = os.path.realpath(place)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        yield place, names


def text_of(path: Path, name: str) -> tuple[str, list[Problem]]:
    """The text of a file, and why there is none. `name` is what the file is called in a message."""
    try:
        return read_whole(path, LARGEST_FILE).decode("utf-8-sig"), []
    except UnicodeDecodeError as error:
        what, hint = f"not UTF-8: {error.reason} at byte {error.start}", "Save it as UTF-8"
        line = error.object.count(b"\n", 0, error.start) + 1
        return "", [Problem(name, line, "", what, hint)]
    except OSError as error:
        hint = "Split it, and write large inputs with a generator; or check its path and permissions"
        return "", [Problem(name, 0, "", f"cannot be read: {reason_of(error)}", hint)]
