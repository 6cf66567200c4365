"""The two sides of an upgrade: what is installed on each, and which implementations that touches. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from harness.adapters.registry import Implementation
from harness.core.errors import UsageError


class SideError(UsageError):
    """A requirement that cannot be used, with the reason and a hint."""


NAMED_OTHERWISE: Mapping[str, str] = {"sklearn": "scikit-learn"}
"""By importable name: the distribution that brings it, where that has another name."""

BUILDS: Mapping[str, str] = {"tensorflow-cpu": "tensorflow", "onnxruntime-gpu": "onnxruntime"}
"""Distributions that are another build of one above and take its place."""

PARTS: Mapping[str, str] = {"jaxlib": "jax", **BUILDS}
"""Distributions that are a part or another build of one above."""


RESTS_ON: Mapping[str, str] = {"optax": "jax"}
"""By importable name: the distribution that does its arithmetic, where it does none of its own."""


@dataclass(frozen=True)
class Side:
    """What one environment is built from."""

    name: str
    """old or new."""
    requirements: tuple[str, ...]
    """All of them, companions included, sorted: two sides with the same are the same environment."""
    exclude_newer: str | None = None
    """A date: what was released later does not exist for this side."""

    @property
    def sentence(self) -> str:
        date = f", nothing newer than {self.exclude_newer}" if self.exclude_newer else ""
        return f"{', '.join(self.requirements)}{date}"


def parsed(requirements: Iterable[str]) -> dict[str, Requirement]:
    """Requirements by canonical name; SideError for what is none, or for a package named twice."""
    found: dict[str, Requirement] = {}
    for text in requirements:
        try:
            requirement = Requirement(text)
        except InvalidRequirement as error:
            why = " ".join(str(error).split())
            raise SideError(f"{text!r} is no requirement ({why}): write name==version, such as torch==2.13.0") from None
        name = canonicalize_name(requirement.name)
        if name in found:
            raise SideError(f"{requirement.name} is named twice: {found[name]} and {requirement}")
        found[name] = requirement
    return found


def package_of(module: str) -> str:
    """The distribution that brings an importable module."""
    return NAMED_OTHERWISE.get(module, module)


def _packages(implementation: Implementation) -> set[str]:
    return {package_of(module) for module in implementation.requires}


def touching(names: Iterable[str], table: Mapping[str, Implementation]) -> tuple[str, ...]:
    """Those of these packages that any registered implementation uses."""
    known = {"numpy", *PARTS, *RESTS_ON, *(p for i in table.values() if i.family != "scratch" for p in _packages(i))}
    return tuple(name for name in names if name in known)


def touched(requirements: Iterable[str], table: Mapping[str, Implementation]) -> tuple[str, ...]:
    """Names of the registered implementations that are run by default and use any of these packages; SideError where
    none does."""
    names = {PARTS.get(name, name) for name in parsed(requirements)}
    packages = {name: _packages(i) for name, i in table.items() if i.family != "scratch" and i.by_default}
    resting = {module for module, package in RESTS_ON.items() if package in names}
    found = tuple(name for name in packages if names & packages[name] or resting & set(table[name].requires))
    if not found:
        known = ", ".join(sorted(set(PARTS).union(*packages.values())))
        raise SideError(f"no implementation uses {', '.join(sorted(names))}: there are ones for {known}")
    return found


def own(package: str, table: Mapping[str, Implementation]) -> tuple[str, ...]:
    """Names of the registered implementations of a package, those left out that only use it; SideError for none."""
    name = canonicalize_name(package)
    whole = PARTS.get(name, name)
    found = tuple(
        i.name for i in table.values() if i.family != "scratch" and i.by_default and whole == package_of(i.requires[0])
    )
    return found or touched([package], table)


def side(
    name: str,
    asked: Sequence[str],
    pins: Sequence[str],
    exclude_newer: str | None,
    implementations: Iterable[Implementation],
    kept: Mapping[str, str],
) -> Side:
    """The environment of one side.

    Everything that is not asked for has the version it has in `kept` (by package), so that the sides differ in what
    was asked for and in nothing else; what `kept` does not name is left to the resolver, and so is all of it where
    there is a date: today's companions were not released then. `pins` overrule both.
    """
    chosen = {**parsed(asked), **parsed(pins)}
    for implementation in implementations:
        for module in ("numpy", *implementation.requires):
            package = package_of(module)
            if package in chosen or any(BUILDS.get(name) == package for name in chosen):
                continue
            if exclude_newer is None and package in kept and not _part_of(package, chosen):
                # A local version such as 2.13.0+cpu names a build, and not every index has it.
                chosen[package] = Requirement(f"{package}=={Version(kept[package]).public}")
            else:
                chosen[package] = Requirement(package)
    return Side(name, tuple(sorted(str(requirement) for requirement in chosen.values())), exclude_newer)


def _part_of(package: str, chosen: Mapping[str, Requirement]) -> bool:
    return any(PARTS.get(name) == package for name in chosen)


def from_installed(asked: Iterable[str], installed: Mapping[str, str]) -> tuple[str, ...]:
    """The old side where none is named: what is asked for, in the version that is installed."""
    found = []
    for name, requirement in parsed(asked).items():
        version = installed.get(name)
        if version is None:
            raise SideError(f"{requirement.name} is not installed here: name the old side with --from {name}==VERSION")
        found.append(f"{name}=={Version(version).public}")
    return tuple(found)
