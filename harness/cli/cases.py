"""`xent cases …`: looking at the suite without running it."""

from __future__ import annotations

import fnmatch
import functools
import json
import sys
from collections.abc import Iterable, Sequence

from cyclopts import App

from harness.adapters.registry import registered
from harness.cli.history import SINCE, STORE
from harness.cli.options import Cases
from harness.cli.project import project_here
from harness.cli.run_files import overlay_file, overlays_of, shipped_baseline
from harness.core.case import ArraySpec
from harness.core.exit_codes import ExitCode
from harness.core.ledger import Entry
from harness.core.printing import say, tell
from harness.judgement.widths import lint_widths
from harness.runs.kernels import lint_dormant
from harness.runs.margins import lint_margins
from harness.runs.overlays import rebased
from harness.runs.project import case_patterns
from harness.runs.run_file import read_run
from harness.runs.service import read_ledger, shipped_ledger
from harness.runs.session import describe_array, expectation
from harness.speed.workloads import load_workloads
from harness.suite.ledger_files import load_drafts
from harness.suite.linting import lint as lint_cases
from harness.suite.loading import Suite, display_name
from harness.suite.margins_file import margins_file, read_margins
from harness.suite.problems import Problem
from harness.suite.schema import schema_text
from harness.suite.selection import load_cover, load_selection

app = App(
    name="cases",
    help_epilogue="""\
Example: what a case holds once its family is expanded:

    xent cases show documents/d4-dog-in-bits
""",
)


def _verb(name: str, example: str) -> App:
    return App(name=name, help_epilogue=f"Example:\n\n    {example}\n")


lint_app = _verb("lint", "xent cases lint cases/edges/softmax.yaml")
list_app = _verb("list", "xent cases list 'edges/*'")
show_app = _verb("show", "xent cases show documents/d4-dog-in-bits")
schema_app = _verb("schema", "xent cases schema > cases/schema/case.schema.json")
for verb in (lint_app, list_app, show_app, schema_app):
    app.command(verb)


@lint_app.default
def lint(*cases: Cases) -> ExitCode:
    """Check every case file, the ledger and what the baseline shows; every problem with its place and a hint."""
    suite = load_selection(cases)
    ledger = read_ledger()
    entries = (*ledger.entries, *ledger.drafts)
    cover, _ = load_cover()
    problems = lint_cases(suite.cases) + lint_widths(suite.cases)
    if not cases:
        named = case_patterns(project_here())
        ids = [case.id for case in (*suite.cases, *(load_selection(named).cases if named else ()))]
        own = [entry for entry in entries if not entry.shipped]  # a team answers for its own entries alone
        shipped = load_drafts(shipped_ledger())
        problems += _lint_baseline(suite, shipped) + lint_since(own) + lint_selectors(own, ids, registered())
        problems += lint_drafts(ledger.drafts)
    for problem in problems:
        tell(problem)
    if problems:
        tell(f"{len(problems)} problems in {len(suite.cases)} cases")
        return ExitCode.USAGE
    workloads = load_workloads()
    tell(
        f"{len(suite.cases)} cases, {len(cover.cases)} of them the cover, {len(entries)} ledger entries and "
        f"{len(workloads)} workloads: nothing to complain about"
    )
    return ExitCode.FINE


def _lint_baseline(suite: Suite, entries: Sequence[Entry]) -> list[Problem]:
    """What the committed baseline and its overlays say of the suite; nothing where there is none."""
    file, margins = shipped_baseline(), margins_file()
    if not file.is_file() or not margins.is_file():
        return []
    name = display_name(margins, margins.parent)
    statements = read_margins(margins.read_text(encoding="utf-8"), name)
    places = {case.id: case.location for case in suite.cases}
    baseline, overlays = read_run(file), overlays_of(file)
    committed = (baseline, *overlays.values())
    hint = "Accept its run again, together with the baseline's"
    strange = [
        Problem(str(overlay_file(file, over)), 1, "", "it is an overlay of another baseline than the committed", hint)
        for over, run in overlays.items()
        if rebased(run, baseline, baseline) is None
    ]
    cells = [cell for run in committed for cell in run.cells]
    dormant = lint_dormant(entries, [run.header for run in committed])
    return lint_margins(cells, statements, name, places) + dormant + strange


def lint_selectors(entries: Sequence[Entry], cases: Sequence[str], names: Iterable[str]) -> list[Problem]:
    """Whether every pattern of an entry selects something: what is misspelt explains nothing, and nobody notices."""
    problems = []
    known, selects = tuple(names), functools.cache(lambda pattern: bool(fnmatch.filter(cases, pattern)))
    for entry in entries:
        place, _, line = entry.location.rpartition(":")
        absent = [("cases", "case", pattern) for pattern in entry.cases if not selects(pattern)]
        # What has a colon is addressed, as module:Class is, and has no list it could be in.
        names_of = [pattern for pattern in entry.implementations if ":" not in pattern]
        strangers = [pattern for pattern in names_of if not fnmatch.filter(known, pattern)]
        absent += [("implementations", "implementation", pattern) for pattern in strangers]
        for field, what, pattern in absent:
            hint = "Correct it, or remove it"
            problems.append(Problem(place, int(line), f"{entry.id}: {field}", f"no {what} is called {pattern}", hint))
    return problems


def lint_since(entries: Sequence[Entry]) -> list[Problem]:
    """Whether the entries say what the history of releases says; nothing where none is kept."""
    file = STORE / SINCE
    if not file.is_file():
        return []
    found = json.loads(file.read_text(encoding="utf-8"))
    problems = []
    for entry in entries:
        said, known = dict(entry.since), found.get(entry.id, {})
        if said != known:
            place, _, line = entry.location.rpartition(":")
            what = f"it says since {said or 'nothing'}, and the history of releases {known or 'nothing'}"
            problems.append(Problem(place, int(line), "since", what, "`xent history --kept --ledger` writes it"))
    return problems


def lint_drafts(drafts: Iterable[Entry]) -> list[Problem]:
    """What `xent accept` wrote down and nobody has said the reason of."""
    what, hint = (
        "expected the cause in a sentence and its thread, by a person",
        "See CONTRIBUTING.md, accepting a divergence",
    )
    places = ((entry, entry.location.rpartition(":")) for entry in drafts)
    return [Problem(place, int(line), entry.id, what, hint) for entry, (place, _, line) in places]


@list_app.default
def list_cases(*cases: Cases) -> ExitCode:
    """Each case: its id, its loss and its title, with tabs between them where it is no terminal that reads."""
    for case in load_selection(cases).cases:
        if sys.stdout.isatty():
            tell(f"{case.id}\n    {case.loss}: {case.title}")
        else:
            say(f"{case.id}\t{case.loss}\t{case.title}")
    return ExitCode.FINE


@show_app.default
def show(*cases: Cases) -> ExitCode:
    """Cases as they are after the expansion of families."""
    for case in load_selection(cases).cases:
        tell(f"{case.id}  ({case.location})\n  {case.title}\n  why: {case.why}\n  loss: {case.loss}")
        for name, spec in case.inputs.items():
            tell(f"  {name}: {describe_array(spec)}")
        for name, value in case.options.items():
            tell(f"  {name} = {describe_array(value) if isinstance(value, ArraySpec) else value}")
        if case.vector is not None:
            tell(f"  vector: {describe_array(case.vector)}")
        tell(f"  dtypes: {', '.join(case.dtypes)}; differentiate: {', '.join(case.differentiate) or 'nothing'}")
        tell(f"  expect: {expectation(case)}")
    return ExitCode.FINE


@schema_app.default
def schema() -> ExitCode:
    """The JSON schema of case files, for editors."""
    say(schema_text(), end="")
    return ExitCode.FINE
