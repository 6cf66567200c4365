"""The HTML report: one file that needs nothing else.

    reports.html.write(read_run(path), Path("report.html"))

The same run gives the same bytes: nothing in it comes from a clock, a random number or the order of a set.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from harness.core.cell import Run
from harness.core.files import write_whole
from reports.html import (
    accuracy,
    casepage,
    changes,
    documents,
    implementations,
    invariances,
    killing,
    matrix,
    packing,
    pages,
    payload,
    speed,
    summary,
)
from reports.html.error_scales import BUDGETS
from reports.html.latex_formulas import FORMULAS
from reports.html.packed_scripts import Scripts
from reports.html.packed_scripts import pack as pack_scripts
from reports.html.strips import NO_STRIPS, Strips
from reports.html.templating import environment
from reports.tally import cases_of, text, unexpected_claims
from reports.words import CLAIM_MARKS, MARKS

__all__ = ["render", "write"]


_CHUNK = 25
"""Rows of the matrix in one table. The browser lays out only the tables in view, so few rows make filters fast; a
screen shows some twenty."""


def write(
    run: Run,
    path: Path,
    baseline: Run | None = None,
    kills: Mapping[str, Any] | None = None,
    scripts: Scripts | None = None,
    strips: Strips = NO_STRIPS,
) -> Path:
    """Write the report of `run` to `path`, making its folder, and return the path.

    With a `baseline` the first screen says what changed since; with `kills`, a kill matrix as `killing.read` gives it,
    the report has a page of what the suite catches; with `scripts`, the standalone reproduction of a cell, every cell
    has a button that copies it; with `strips`, cases and ledger entries say since which release they are as they are.
    """
    write_whole(path, render(run, baseline, kills, scripts, strips))
    return path


def render(
    run: Run,
    baseline: Run | None = None,
    kills: Mapping[str, Any] | None = None,
    scripts: Scripts | None = None,
    strips: Strips = NO_STRIPS,
) -> str:
    """The report as text.

    Everything that comes from the run is escaped by the template or packed by `payload`; a content security policy that
    names the one script and the one style sheet by their digests keeps anything else from running all the same.
    """
    table = matrix.build(run)
    cells = payload.in_order(run, table.cases, table.columns)
    packed = pack_scripts(cells, scripts)
    scripted = {cell.key for cell, reason in zip(cells, packed.lacking, strict=True) if not reason}
    case_pages = casepage.build(run, table.cases, scripted)
    claims_of = documents.of_case(run.claims)
    style = f"{_asset('report.css')}:root {{ --columns: {len(table.columns)}; }}\n"
    script = _asset("report.js")
    return (
        environment()
        .get_template("report.html.j2")
        .render(
            style=style,
            script=script,
            style_digest=_digest(style),
            script_digest=_digest(script),
            run=run,
            header=run.header,
            footer=run.footer,
            described=cases_of(run),
            summary=summary.build(run, dict(table.heads)),
            matrix=table,
            chunk_rows=_CHUNK,
            marks=tuple(MARKS.values()),
            claim_marks=CLAIM_MARKS,
            pages=case_pages,
            packed_pages=_packed(case_pages, claims_of, strips) if len(cells) >= packing.LARGE else "",
            implementations=implementations.build(run, dict(table.heads)),
            documents=documents.build(run.claims),
            surprises=unexpected_claims(run.claims),
            claims_of=claims_of,
            conventions=pages.conventions(run.cells),
            choices=pages.choices(run),
            ledger=pages.ledger(run),
            broken=pages.broken(run.cells),
            modes=pages.modes(run),
            invariances=invariances.build(run),
            speed_table=speed.table(run),
            speed_pictures=speed.pictures(run),
            timed=speed.timed(run),
            accuracy=accuracy.build(run),
            changes=None if baseline is None else changes.build(run, baseline),
            kills=None if kills is None else killing.build(kills),
            budgets=BUDGETS,
            formulas=FORMULAS,
            losses=sorted({text(entry.get("loss")) for entry in cases_of(run).values()}),
            facts=pages.facts,
            certified=pages.certified,
            payload=payload.pack(run, cells, table.cases, table.columns, packed.lacking),
            scripts=packed.payload,
            strips=strips,
        )
    )


def _packed(
    case_pages: Sequence[casepage.CasePage], claims_of: Mapping[str, Sequence[documents.ClaimLine]], strips: Strips
) -> str:
    """The pages of cases, each by the name of its case, for the script to put in when one is looked at."""
    page = vars(environment().get_template("case.html.j2").module)["case_page"]
    return packing.packed({p.case: str(page(p, claims_of.get(p.case), strips.cases.get(p.case))) for p in case_pages})


def _asset(name: str) -> str:
    return (files("reports.html") / "assets" / name).read_text(encoding="utf-8")


def _digest(content: str) -> str:
    """As a content security policy names it."""
    return "sha256-" + base64.b64encode(hashlib.sha256(content.encode("utf-8")).digest()).decode("ascii")
