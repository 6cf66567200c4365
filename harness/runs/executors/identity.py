"""What two processes must have in common so that one can do the other's work."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import platform
from pathlib import Path

Identity = dict[str, str]
"""Versions, by what they are of."""

JUDGING = ("numpy", "msgspec")
"""The packages that decide what is written into a cell; of frameworks each part says its own versions."""


@functools.cache
def identity() -> Identity:
    """The versions of this process."""
    return {
        "Python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in JUDGING},
        "xent with sources": sources(),
    }


def sources() -> str:
    """A digest of the modules of the program and of the reference, their tests left out."""
    found = hashlib.sha256()
    root = Path(__file__).resolve().parents[3]
    for package in ("reference", "harness"):
        for path in sorted((root / package).rglob("*.py")):
            if "tests" not in path.relative_to(root).parts:
                found.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return found.hexdigest()[:16]
