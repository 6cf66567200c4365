"""Which releases of a package there are for this interpreter, and when each came out.

Asked of the user's own clients, as they are set up: pip names the versions, uv's lock says when a wheel was uploaded.
"""

from __future__ import annotations

import datetime
import os
import re
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from packaging.version import InvalidVersion, Version

from harness.versions.environments import CannotBuild, answer_of, pip_configuration, uv_program, uv_settings

_UPLOADED = re.compile(r"upload-time = (\d{4}-\d{2}-\d{2})")


BESIDES = {"UV_INDEX", "UV_FIND_LINKS"}
"""Where uv looks besides the index."""


@dataclass(frozen=True)
class Release:
    """One version of a package."""

    version: str
    day: str
    """When its last file was uploaded, YYYY-MM-DD; empty where the index does not say."""


def versions_of(package: str, *, pre: bool = False) -> tuple[str, ...]:
    """Every released version, oldest first, with pre-releases where they are asked for; CannotBuild where pip names
    none."""
    more = ["--pre"] if pre else []
    answer = answer_of([sys.executable, "-m", "pip", "index", "versions", *more, package], os.environ)
    _, found, line = answer.stdout.partition("Available versions:")
    if not found:
        raise CannotBuild(
            f"no version of {package} is known: {answer.stderr.strip()[-600:]}; name them with --versions"
        )
    return in_order(line.splitlines()[0].split(","))


def in_order(texts: Collection[str]) -> tuple[str, ...]:
    """Versions oldest first; builds of one that have a name of their own (2.13.0+cpu) are the same version."""
    found: dict[Version, str] = {}
    for text in texts:
        try:
            version = Version(text.strip())
        except InvalidVersion:
            continue
        found.setdefault(Version(version.public), version.public)
    return tuple(found[version] for version in sorted(found))


def between(chosen: Sequence[str], every: Sequence[str]) -> tuple[str, ...]:
    """Those of every version that lie between some of the chosen ones and are none of them; oldest first.

    Examples
    --------
    >>> between(("1.2", "1.0"), ("0.9", "1.0", "1.1", "1.2", "1.3"))
    ('1.1',)
    """
    ends = sorted(map(Version, chosen))
    return tuple(v for v in every if v not in chosen and ends[0] < Version(v) < ends[-1])


def newest_and_later(versions: Sequence[str]) -> tuple[str, ...]:
    """The newest release and the pre-releases of the next one: what is new in these began in none before."""
    final = [version for version in versions if not Version(version).is_prerelease]
    return tuple(versions[versions.index(final[-1]) :]) if final else tuple(versions)


def released(package: str, versions: Sequence[str], since: str | None = None) -> Iterator[Release]:
    """Those of these versions that this interpreter has a wheel of, with the day they came out, from `since` on."""
    uv = uv_program()
    settings = {**os.environ, **uv_settings(os.environ, pip_configuration())}
    for version in versions:
        day = _day(uv, settings, f"{package}=={version}")
        if day == "" and settings.keys() & BESIDES:
            # What is asked besides the index may have the file and not its day.
            alone = {name: value for name, value in settings.items() if name not in BESIDES}
            day = _day(uv, alone, f"{package}=={version}") or day
        if day is not None and (since is None or not day or day >= since):
            yield Release(version, day)


def _day(uv: str, settings: Mapping[str, str], requirement: str) -> str | None:
    """None where there is no wheel."""
    bare = ["--quiet", "--no-deps", "--only-binary", ":all:"]
    ask = [uv, "pip", "compile", *bare, "--format", "pylock.toml", "--python", sys.executable, "-"]
    answer = answer_of(ask, settings, requirement)
    if answer.returncode and "No solution found" in answer.stderr:
        return None
    if answer.returncode:
        raise CannotBuild(f"nothing is known of {requirement}: {answer.stderr.strip()[-600:]}")
    return max(_UPLOADED.findall(answer.stdout), default="")


def day_after(day: str) -> str:
    """The companions of a release's time: what was out a day later, since parts of one release follow each other."""
    return (datetime.date.fromisoformat(day) + datetime.timedelta(days=1)).isoformat()
