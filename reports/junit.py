"""A run as JUnit XML, which every CI server shows.

One suite per implementation, one class per case, one test per cell: what a test's class and name say together is the
cell. What disagrees is a failure; what says nothing about the mathematics (crashed, timed out, missing) is an error;
what is not offered is skipped; a known divergence and an agreement by convention pass and name the ledger's entry or
the convention. A failure's type is its cause, as `harness.runs.failures` finds it over all cells of the implementation;
how many each explains, and why an entry is known, is written once per suite: a run has tens of thousands of tests.
"""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from xml.etree import ElementTree as Xml

from harness.core.cell import INFRASTRUCTURE, Cell, ClaimRecord, Run
from harness.core.text import xml_document
from harness.runs.failures import Failure
from harness.runs.failures import failures as failures_of_run
from reports.number_format import rough, shown
from reports.tally import order_of, sentence
from reports.words import MARKS, happened, status

__all__ = ["render"]


def render(run: Run) -> str:
    """The document, with the same bytes for the same run: the only time in it is when the run was started."""
    root = Xml.Element("testsuites", name="xent", time=_seconds(run.footer.seconds.get("total")))
    by_implementation: dict[str, list[Cell]] = defaultdict(list)
    for cell in run.cells:
        by_implementation[cell.implementation].append(cell)
    all_found = failures_of_run(run)
    tests = failures = errors = skipped = 0
    for name in order_of(by_implementation):
        found = [failure for failure in all_found if failure.implementation == name]
        suite = _suite(run, name, by_implementation[name], found)
        root.append(suite)
        tests += int(suite.get("tests", "0"))
        failures += int(suite.get("failures", "0"))
        errors += int(suite.get("errors", "0"))
        skipped += int(suite.get("skipped", "0"))
    if run.claims:
        suite = _claims(run)
        root.append(suite)
        tests += int(suite.get("tests", "0"))
        failures += int(suite.get("failures", "0"))
    for attribute, number in (("tests", tests), ("failures", failures), ("errors", errors), ("skipped", skipped)):
        root.set(attribute, str(number))
    return xml_document(root)


def _suite(run: Run, name: str, cells: list[Cell], found: Sequence[Failure]) -> Xml.Element:
    causes = {cell.key: failure.sentence for failure in found for cell in failure.cells}
    statuses = [cell.verdict for cell in cells]
    suite = Xml.Element(
        "testsuite",
        name=name,
        tests=str(len(cells)),
        failures=str(statuses.count("disagrees")),
        errors=str(sum(1 for f in statuses if f in INFRASTRUCTURE)),
        skipped=str(statuses.count("unsupported")),
        time=_seconds(sum(cell.seconds or 0.0 for cell in cells)),
        timestamp=run.header.started,
    )
    described = run.header.implementations.get(name, {})
    properties = Xml.SubElement(suite, "properties")
    for key in ("version", "device", "threads"):
        if key in described:
            Xml.SubElement(properties, "property", name=key, value=str(described[key]))
    for cell in cells:
        suite.append(_test(cell, causes.get(cell.key, "")))
    told = [f"{failure.count}: {failure.sentence}, such as {failure.witness.name}" for failure in found]
    told += _known(run, {cell.ledger for cell in cells if cell.ledger})
    if told:
        Xml.SubElement(suite, "system-out").text = "\n".join(told)
    return suite


def _known(run: Run, ids: Set[str]) -> list[str]:
    """The reasons of the ledger's entries that the tests of a suite name."""
    entries = run.header.suite.get("ledger")
    reasons = entries if isinstance(entries, Mapping) else {}
    told = ((name, reasons.get(name)) for name in sorted(ids))
    return [f"{name}: {entry['reason']}" for name, entry in told if entry and entry.get("reason")]


def _test(cell: Cell, cause: str) -> Xml.Element:
    test = Xml.Element(
        "testcase",
        classname=f"{cell.implementation}.{cell.case.replace('/', '.')}",
        name=f"{cell.mode}:{cell.dtype}:{cell.aspect}",
    )
    if cell.seconds is not None:
        test.set("time", _seconds(cell.seconds))
    message = f"{MARKS[status(cell)].word}: {sentence(cell)}"
    if cell.verdict == "disagrees":
        # By its type a CI server shows failures together: one group per cause.
        failure = Xml.SubElement(test, "failure", type=cause or status(cell), message=message)
        failure.text = _detail(cell)
    elif cell.verdict in INFRASTRUCTURE:
        Xml.SubElement(test, "error", type=cell.verdict, message=message)
    elif cell.verdict == "unsupported":
        Xml.SubElement(test, "skipped", message=str(cell.outcome.get("reason", "not offered")))
    elif cell.verdict != "agrees":
        note = f"{MARKS[status(cell)].word}: {cell.ledger or cell.convention or cell.explanation or ''}"
        Xml.SubElement(test, "system-out").text = note
    return test


def _detail(cell: Cell) -> str:
    return "\n".join(
        [
            f"happened: {happened(cell)}",
            f"truth:    {shown(cell.truth, 'float64')}",
            f"got:      {shown(cell.got, cell.dtype)}",
            f"error:    {rough(cell.ulps)} ulp, {rough(cell.ratio)} of a budget of {rough(cell.budget)}",
            f"again:    xent repro --again {shlex.quote(cell.name)}",
        ]
    )


def _claims(run: Run) -> Xml.Element:
    """A claim fails where its verdict is not the one its case file expects; that a document is wrong is no failure."""
    unexpected = sum(1 for claim in run.claims if not claim.expected)
    suite = Xml.Element(
        "testsuite", name="claims of the documents", tests=str(len(run.claims)), failures=str(unexpected)
    )
    for position, claim in enumerate(run.claims, start=1):
        test = Xml.SubElement(
            suite,
            "testcase",
            classname=claim.document or "claims",
            name=_claim_name(claim, position),
        )
        if not claim.expected:
            Xml.SubElement(test, "failure", type=claim.verdict, message=claim.explanation)
    return suite


def _claim_name(claim: ClaimRecord, position: int) -> str:
    return f"{claim.case} claim {position}: {claim.says or claim.claimed}"


def _seconds(seconds: float | None) -> str:
    return f"{seconds or 0.0:.6f}"
