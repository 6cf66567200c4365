"""Environments of other versions, built with uv side by side in the user's cache; the user's own is not touched."""

from __future__ import annotations

import contextlib
import fcntl
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

from harness.core.errors import InfrastructureError
from harness.core.files import write_whole
from harness.execution.leftovers import Leftovers

LONGEST_ANSWER = 3000
"""Characters of what uv says that are passed on: its explanation of a conflict is worth reading whole."""


class CannotBuild(InfrastructureError):  # noqa: N818 - says what is the case
    """An environment that could not be built: infrastructure, never a difference."""


@dataclass(frozen=True)
class Environment:
    """An environment that is there."""

    python: Path
    packages: Mapping[str, str]
    """Versions by name, of everything installed."""
    fresh: bool
    """Whether it was built now, or found in the cache."""


def build(requirements: Sequence[str], exclude_newer: str | None = None, *, compiled: bool = True) -> Environment:
    """The environment these requirements resolve to today, from the cache where it was built before.

    `compiled` compiles all modules now, which pays where they are imported often: not for a single run.

    Its key is what the resolver chose, so that a range never gives the environment of another day. A marker is written
    last: one that was interrupted is never taken for a whole one. Two that want the same wait for each other.
    CannotBuild, with what uv said, where it cannot be had.
    """
    uv = uv_program()
    settings = {**os.environ, **uv_settings(os.environ, pip_configuration())}
    settings.pop("VIRTUAL_ENV", None)
    chosen = resolved(uv, settings, requirements, exclude_newer)
    place = environments_folder() / key_of(chosen)
    python, complete = place / "bin" / "python", place / "packages.json"
    place.parent.mkdir(parents=True, exist_ok=True)
    with _alone(place.with_suffix(".lock")) as lock, Leftovers([lock]) as leftovers:
        if complete.is_file():
            return Environment(python, json.loads(complete.read_text(encoding="utf-8")), fresh=False)
        leftovers.folder(place)
        shutil.rmtree(place, ignore_errors=True)
        call([uv, "venv", "--quiet", "--python", sys.executable, str(place)], settings, requirements)
        # Compiled now, once: a framework that compiles its modules at every import takes longer than the suite.
        compiling = ["--compile-bytecode"] if compiled else []
        install = [uv, "pip", "install", "--quiet", "--no-deps", *compiling, "--python", str(python), *chosen]
        call(install, settings, requirements)
        listed = call([uv, "pip", "list", "--format", "json", "--python", str(python)], settings, requirements)
        packages = {entry["name"]: entry["version"] for entry in json.loads(listed)}
        write_whole(complete, json.dumps(packages, indent=1))
        leftovers.keep(place)
        return Environment(python, packages, fresh=True)


def existing(python: Path) -> Environment:
    """An environment somebody else built; CannotBuild where its interpreter does not start."""
    ask = "import importlib.metadata as m, json; print(json.dumps({d.name: d.version for d in m.distributions()}))"
    try:
        # -P: the folder the user is in must not be taken for a package of that environment.
        answer = answer_of([str(python), "-P", "-c", ask], os.environ)
    except OSError as error:
        raise CannotBuild(f"{python} cannot be started: {error}") from error
    if answer.returncode:
        raise CannotBuild(f"{python} cannot be started: {said(answer)}")
    return Environment(python, dict(sorted(json.loads(answer.stdout).items())), fresh=False)


def resolved(
    uv: str, settings: Mapping[str, str], requirements: Sequence[str], exclude_newer: str | None
) -> tuple[str, ...]:
    """Every package of the environment, pinned, as the resolver chooses them now."""
    date = ["--exclude-newer", exclude_newer] if exclude_newer else []
    # What has no wheel would be compiled here, with today's compilers: that is no release anybody was given.
    bare = [
        "--quiet",
        "--only-binary",
        ":all:",
        "--no-header",
        "--no-annotate",
        "--no-emit-index-url",
        "--no-emit-find-links",
    ]
    ask = [uv, "pip", "compile", *bare, "--python", sys.executable, *date, "-"]
    answer = call(ask, settings, requirements, "\n".join(requirements))
    return tuple(line.strip() for line in answer.splitlines() if line.strip() and not line.startswith(("#", "-")))


def remove(environment: Environment) -> None:
    """Take an environment of the cache away; `build` makes it again."""
    shutil.rmtree(environment.python.parents[1], ignore_errors=True)


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[int]:
    """Holds a lock that other threads and processes wait for; the system takes it away when nobody has it open."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file.fileno()


def environments_folder() -> Path:
    """Where environments are kept; deleting it costs nothing but building them again."""
    return platformdirs.user_cache_path("xent") / "environments"


def key_of(pinned: Sequence[str]) -> str:
    """The name of an environment: the interpreter, and every package with its version."""
    text = json.dumps([sys.version, sorted(pinned)])
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


def call(
    command: Sequence[str], settings: Mapping[str, str], requirements: Sequence[str], told: str | None = None
) -> str:
    """What uv answers; CannotBuild, with what it said and what was asked for, where it fails."""
    ended = answer_of(command, settings, told)
    if ended.returncode:
        raise CannotBuild(f"no environment with {', '.join(requirements)}: {said(ended)}")
    return ended.stdout


def said(ended: subprocess.CompletedProcess[str]) -> str:
    """The last of what a program complained of."""
    return (ended.stderr or ended.stdout).strip()[-LONGEST_ANSWER:]


def answer_of(
    command: Sequence[str], settings: Mapping[str, str], told: str | None = None
) -> subprocess.CompletedProcess[str]:
    """What a program answered. It ends with us, and what it started: it is a session of its own, as a worker is."""
    with Leftovers() as leftovers:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            env=dict(settings),
            start_new_session=True,
        )
        leftovers.group(process.pid)
        output, errors = process.communicate(told)
        # It has been waited for, and its group is ended all the same: its number is not given again within seconds.
        return subprocess.CompletedProcess(command, process.returncode, output, errors)


def pip_configuration() -> Mapping[str, str]:
    """pip's settings as `pip config list` tells them, by name without their section; {} where there is no pip."""
    listed = answer_of([sys.executable, "-m", "pip", "config", "list"], os.environ)
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
