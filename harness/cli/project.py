"""What commands take from the project they are called in, where the command line says nothing."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from harness.adapters.choice import choose
from harness.adapters.registry import Implementation
from harness.core.printing import tell
from harness.judgement.ledger import Ledger
from harness.runs.project import Project, find_project
from harness.runs.service import read_ledger


def project_here() -> Project:
    """The project we are in; without one, its defaults."""
    return find_project() or Project(Path())


def ledger_here(folder: Path | None = None) -> Ledger:
    """As `read_ledger`, telling which entries explain nothing yet."""
    ledger = read_ledger(folder)
    if ledger.drafts:
        first = ledger.drafts[0].location
        one = len(ledger.drafts) == 1
        what = "1 entry lacks" if one else f"{len(ledger.drafts)} entries lack"
        tell(f"ledger: {what} a reason or a link, and until then explain{'s' * one} nothing: {first}", error=True)
    return ledger


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
