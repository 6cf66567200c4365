"""JUnit, CSV and Markdown, read back by what reads them."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from xml.etree import ElementTree as Xml

import pytest

import reports.junit
import reports.markdown
import reports.table
from reports.tests.synthetic import HOSTILE, hostile, run


def test_junit_counts_are_those_of_the_tests() -> None:
    made = run(cases=10)
    root = Xml.fromstring(reports.junit.render(made))
    verdicts = [c.verdict for c in made.cells]
    assert int(root.get("tests", "")) == len(root.findall(".//testcase")) == len(made.cells) + len(made.claims)
    assert int(root.get("failures", "")) == len(root.findall(".//failure")) == verdicts.count("disagrees")
    assert int(root.get("skipped", "")) == len(root.findall(".//skipped")) == verdicts.count("unsupported")
    infrastructure = sum(verdicts.count(v) for v in ("crashed", "timed_out", "missing"))
    assert int(root.get("errors", "")) == len(root.findall(".//error")) == infrastructure


def test_junit_failure_says_how_to_run_the_cell_again() -> None:
    made = run(cases=10)
    root = Xml.fromstring(reports.junit.render(made))
    cell = next(c for c in made.cells if c.verdict == "disagrees")
    named = {"classname": f"{cell.implementation}.{cell.case.replace('/', '.')}"}
    named["name"] = f"{cell.mode}:{cell.dtype}:{cell.aspect}"
    failing = next(t for t in root.iter("testcase") if named.items() <= t.attrib.items())
    assert f"xent repro --again '{cell.name}'" in (failing.findtext("failure") or "")


def test_junit_names_every_test_differently() -> None:
    root = Xml.fromstring(reports.junit.render(run(cases=20)))
    names = [(t.get("classname"), t.get("name")) for t in root.iter("testcase")]
    assert len(set(names)) == len(names)


def test_junit_says_once_per_suite_why_something_is_known() -> None:
    made = run(cases=20)
    text = reports.junit.render(made)
    users = {c.implementation for c in made.cells if c.ledger == "keras-bce-clip"}
    reason = made.header.suite["ledger"]["keras-bce-clip"]["reason"]
    assert text.count(reason) == len(users) < sum(1 for c in made.cells if c.ledger == "keras-bce-clip")
    passing = next(t for t in Xml.fromstring(text).iter("testcase") if t.find("system-out") is not None)
    assert passing.findtext("system-out") in ("known: keras-bce-clip", "convention: clip(1e-07)")


def test_junit_fails_a_claim_that_is_not_as_expected_and_no_other() -> None:
    made = run(cases=2)
    assert all(c.expected for c in made.claims)
    root = Xml.fromstring(reports.junit.render(made))
    suite = next(s for s in root.iter("testsuite") if s.get("name") == "claims of the documents")
    assert suite.findall(".//failure") == []


def test_junit_of_hostile_text_is_still_xml() -> None:
    root = Xml.fromstring(reports.junit.render(hostile()))
    assert any(HOSTILE[0] in (s.get("name") or "") for s in root.iter("testsuite"))


def test_csv_has_one_line_per_cell_and_reads_back() -> None:
    made = run(cases=3)
    rows = list(csv.DictReader(io.StringIO(reports.table.render(made))))
    assert [(r["case"], r["implementation"], r["mode"], r["dtype"], r["aspect"]) for r in rows] == [
        c.key for c in made.cells
    ]
    assert [r["verdict"] for r in rows] == [c.verdict for c in made.cells]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t"])
def test_csv_text_is_no_formula(start: str) -> None:
    made = hostile()
    cell = made.cells[0].__class__(**{**made.cells[0].__dict__, "explanation": f"{start}cmd|'/c calc'!A1"})
    text = reports.table.render(made.__class__(**{**made.__dict__, "cells": (cell,)}))
    [row] = csv.DictReader(io.StringIO(text))
    assert row["explanation"].startswith("'" + start)


def test_markdown_begins_with_the_verdict_and_names_every_implementation() -> None:
    made = run(cases=10)
    text = reports.markdown.render(made)
    assert "judged cells disagree with the truth" in text.split("\n\n")[1]
    for name in made.header.implementations:
        assert f"| {name} |" in text


def test_markdown_fits_a_job_summary_whatever_the_run() -> None:
    made = run(cases=200)
    assert len(reports.markdown.render(made).encode()) < 64 * 1024


def test_markdown_of_hostile_text_has_no_markup_of_its_own() -> None:
    text = reports.markdown.render(hostile())
    outside_ours = text.replace("<details><summary>", "").replace("</summary>", "").replace("</details>", "")
    assert "<" not in outside_ours
    assert "@" not in text
    head = next(line for line in text.splitlines() if line.startswith("| implementation"))
    rows = [line.count("|") - line.count("\\|") for line in text.splitlines() if line.startswith("| &lt;")]
    assert set(rows) == {head.count("|")}


def test_markdown_tells_the_gravest_of_the_ledger_where_nothing_disagrees() -> None:
    made = run(cases=10)
    text = reports.markdown.render(replace(made, cells=tuple(c for c in made.cells if c.verdict != "disagrees")))
    assert "## Gravest known divergences" in text
    assert "; ledger: keras" in text
