"""Environments of other versions, built with uv side by side in the user's cache; the user's own is not touched."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import platformdirs

LONGEST_ANSWER = 3000
"""Characters of what uv says that are passed on: its explanation of a conflict is worth reading whole."""


class CannotBuild(RuntimeError):  # noqa: N818 - says what is the case
    """An environment that could not be built: infrastructure, never a difference."""


@dataclass(frozen=True)
class Environment:
    """An environment that is there."""

    python: Path
    packages: Mapping[str, str]
    """Versions by name, of everything installed."""
    fresh: bool
    """Whether it was built now, or found in the cache."""


def build(requirements: Sequence[str], exclude_newer: str | None = None) -> Environment:
    """The environment with these requirements, from the cache where it was built before.

    The list of its packages is written last, and an environment without it is built anew: one that was interrupted is
    never taken for a whole one. CannotBuild, with what uv said, where it cannot be had.
    """
    uv = uv_program()
    place = environments_folder() / _key(requirements, exclude_newer)
    python, complete = place / "bin" / "python", place / "packages.json"
    if complete.is_file():
        return Environment(python, json.loads(complete.read_text(encoding="utf-8")), fresh=False)
    shutil.rmtree(place, ignore_errors=True)
    place.parent.mkdir(parents=True, exist_ok=True)
    settings = {**os.environ, **uv_settings(os.environ, pip_configuration())}
    settings.pop("VIRTUAL_ENV", None)
    _call([uv, "venv", "--quiet", "--python", sys.executable, str(place)], settings, requirements)
    date = ["--exclude-newer", exclude_newer] if exclude_newer else []
    # Compiled now, once: a framework that compiles its modules at every import takes longer than the suite.
    install = [uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", str(python), *date, *requirements]
    _call(install, settings, requirements)
    listed = _call([uv, "pip", "list", "--format", "json", "--python", str(python)], settings, requirements)
    packages = {entry["name"]: entry["version"] for entry in json.loads(listed)}
    complete.write_text(json.dumps(packages, indent=1), encoding="utf-8")
    return Environment(python, packages, fresh=True)


def environments_folder() -> Path:
    """Where environments are kept; deleting it costs nothing but building them again."""
    return platformdirs.user_cache_path("xent") / "environments"


def _key(requirements: Sequence[str], exclude_newer: str | None) -> str:
    text = json.dumps([sys.version, sorted(requirements), exclude_newer])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def uv_program() -> str:
    """The uv that came with this project, or the one on the path."""
    with contextlib.suppress(ImportError, FileNotFoundError):
        import uv

        return str(uv.find_uv_bin())
    found = shutil.which("uv")
    if found is None:
        raise CannotBuild("uv is not installed: install this project with its extra `upgrade`, or uv itself")
    return found


def _call(command: Sequence[str], settings: Mapping[str, str], requirements: Sequence[str]) -> str:
    ended = subprocess.run(command, capture_output=True, text=True, env=dict(settings), check=False)
    if ended.returncode:
        said = (ended.stderr or ended.stdout).strip()[-LONGEST_ANSWER:]
        raise CannotBuild(f"no environment with {', '.join(requirements)}: {said}")
    return ended.stdout


def pip_configuration() -> Mapping[str, str]:
    """pip's settings as `pip config list` tells them, by name without their section; {} where there is no pip."""
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False
    )
    return dict(_settings(listed.stdout)) if listed.returncode == 0 else {}


def _settings(listed: str) -> Iterator[tuple[str, str]]:
    for line in listed.splitlines():
        name, equals, value = line.partition("=")
        if equals:
            yield name.rpartition(".")[2], " ".join(shlex.split(value))


def uv_settings(environment: Mapping[str, str], pip: Mapping[str, str]) -> dict[str, str]:
    """Where the user's pip would take wheels from, in uv's words; what the user told uv itself stays."""
    translated = {
        "UV_DEFAULT_INDEX": pip.get("index-url", ""),
        "UV_INDEX": pip.get("extra-index-url", ""),
        # pip looks for the best version in all its indexes; uv by itself stops at the first that has the package.
        "UV_INDEX_STRATEGY": "unsafe-best-match" if pip.get("extra-index-url") else "",
        # pip separates by blanks, uv by commas.
        "UV_FIND_LINKS": ",".join(pip.get("find-links", "").split()),
        "SSL_CERT_FILE": pip.get("cert", ""),
    }
    return {name: value for name, value in translated.items() if value and not environment.get(name)}
