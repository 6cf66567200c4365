"""What commands take from the project they are called in, where the command line says nothing."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from harness.adapters.choice import choose
from harness.adapters.registry import Implementation
from harness.runs.project import Project, find_project


def project_here() -> Project:
    """The project we are in; without one, its defaults."""
    return find_project() or Project(Path())


def chosen(
    names: Sequence[str],
    *,
    family: str | None = None,
    among: Collection[str] | None = None,
    elsewhere: bool = False,
) -> tuple[Implementation, ...]:
    """As `choose`, where nothing is named those that the project names."""
    if not names and family is None:
        names = project_here().implementations
    return choose(names, family=family, among=among, elsewhere=elsewhere)
