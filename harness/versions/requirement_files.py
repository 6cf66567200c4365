"""What a file of requirements asks for, pinned by uv: requirements.txt, pyproject.toml with an extra, uv.lock."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from harness.core.errors import UsageError
from harness.versions.environments import (
    CannotBuild,
    answer_of,
    call,
    pip_configuration,
    said,
    uv_program,
    uv_settings,
)

LOCKS = ("uv.lock",)

UV_ERROR = 2
"""uv's exit code where it could not work at all; 1 is that there is no solution, or nothing to be had."""


@dataclass(frozen=True)
class RequirementFile:
    """A file, and the extras of it that are meant."""

    path: Path
    extras: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.path}[{','.join(self.extras)}]" if self.extras else str(self.path)


def parsed_file(text: str) -> RequirementFile:
    """`FILE` or `FILE[extra,…]`; UsageError where there is no such file."""
    match = re.fullmatch(r"(.+?)(?:\[([A-Za-z0-9._,-]+)\])?", text)
    path = Path(text if match is None else match[1])
    if not path.is_file():
        raise UsageError(f"{path}: no such file of requirements: requirements.txt, pyproject.toml[extra] or uv.lock")
    return RequirementFile(path, () if match is None or match[2] is None else tuple(match[2].split(",")))


def pinned(file: RequirementFile) -> tuple[str, ...]:
    """Every package it asks for, with the version the resolver chooses today, or that the lock has.

    UsageError where the file is none that uv can read, CannotBuild where what it asks for cannot be had; both with
    what uv said.
    """
    uv = uv_program()
    settings = {**os.environ, **uv_settings(os.environ, pip_configuration())}
    settings.pop("VIRTUAL_ENV", None)
    extras = [word for extra in file.extras for word in ("--extra", extra)]
    if file.path.name in LOCKS:
        ask = [uv, "export", "--quiet", "--frozen", "--no-hashes", "--no-header", "--no-annotate", "--no-emit-project"]
        ask += ["--directory", str(file.path.resolve().parent), *extras]
        alone = ask  # what is frozen asks nobody
    else:
        bare = ["--quiet", "--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links"]
        ask = [uv, "pip", "compile", *bare, "--python", sys.executable, *extras, str(file.path)]
        alone = [*ask, "--offline", "--no-index", "--no-deps"]
    try:
        lines = call(ask, settings, (str(file),)).splitlines()
    except CannotBuild as error:
        # Alone, it can only fail with an error for what is written in the file: what cannot be had is another code.
        answer = answer_of(alone, settings)
        if answer.returncode == UV_ERROR:
            raise UsageError(f"{file}: cannot be read as a file of requirements: {said(answer)}") from error
        raise
    return tuple(line.strip() for line in lines if line.strip() and not line.startswith(("#", "-", ".", "/")))


def names_that_differ(old: Sequence[str], new: Sequence[str]) -> tuple[str, ...]:
    """Packages that are on one side only, or in another version."""
    before, after = _versions(old), _versions(new)
    return tuple(sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name)))


def _versions(lines: Sequence[str]) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for line in lines:
        try:
            requirement = Requirement(line)
        except InvalidRequirement:
            found[line] = line
            continue
        if requirement.marker is None or requirement.marker.evaluate():
            found[canonicalize_name(requirement.name)] = f"{requirement.specifier}{requirement.url or ''}"
    return found
