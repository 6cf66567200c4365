"""What `xent run` and `xent explain` are asked to run: the options they share, and the order these make."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from harness.cli.options import OWN_LEDGER, Count, Dtypes, Implementations, Modes, OwnSeconds, Python, Shard, Workers
from harness.cli.project import chosen, ledger_here, project_here
from harness.runs.plan import Scope
from harness.runs.project import case_patterns
from harness.runs.service import make_order
from harness.runs.session import Order


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Selection:
    """How much is run of the cases named, where, and how long it may take."""

    implementation: Annotated[
        Implementations,
        Parameter(
            help="A registered name, module:Class, command:PROGRAM or mutant:NAME; may be given several times; "
            "default: all that are installed."
        ),
    ] = ()
    family: Annotated[
        str | None, Parameter(metavar="NAME", help="All implementations of one family, such as torch.")
    ] = None
    modes: Annotated[
        Modes, Parameter(help="Modes to run, `all` for every one; default: the `first` of each implementation.")
    ] = None
    dtypes: Annotated[Dtypes, Parameter(help="Dtypes to run; default: all that a case names.")] = None
    exclude: Annotated[
        tuple[str, ...],
        Parameter(metavar="CASES", help="Files, folders, ids or globs of ids to leave out; several times."),
    ] = ()
    max_elements: Annotated[
        Count | None, Parameter(help="Leave out the cases with an array of more elements, for what is slow at size.")
    ] = None
    shard: Annotated[Shard, Parameter(help="Only part I of N of the cases, such as 1/4.")] = (1, 1)
    ledger: Annotated[Path | None, Parameter(metavar="FOLDER", help=OWN_LEDGER)] = None
    timeout: OwnSeconds = None
    parallel: Annotated[Workers, Parameter(help="Workers side by side.")] = 2
    python: Python = None
    level: Annotated[
        Literal["native", "onednn", "eigen", "avx2", "plain"],
        Parameter(help="Which kernels the frameworks are told to choose; `xent levels` says what can be had here."),
    ] = "native"


NOTHING_SAID = Selection()
"""The options where none is given."""


def order_from(cases: Sequence[str], selection: Selection, *, cover: bool = False) -> Order:
    """The order for these cases; where none is named, for all, or for the `cover`.

    UsageError where something is asked for that is not there.
    """
    project = project_here()
    patterns = tuple(cases) or (case_patterns(project) if cover else ())
    return make_order(
        patterns,
        chosen(selection.implementation, family=selection.family, elsewhere=selection.python is not None),
        Scope(dtypes=selection.dtypes, modes=selection.modes or project.modes, shard=selection.shard),
        ledger=ledger_here(selection.ledger),
        cover=cover,
        timeout=selection.timeout or project.seconds_per_call,
        parallel=selection.parallel,
        python=selection.python,
        level=selection.level,
        exclude=selection.exclude,
        max_elements=selection.max_elements,
        command=("xent", *sys.argv[1:]),
    )
