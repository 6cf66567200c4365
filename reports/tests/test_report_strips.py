"""Strips of versions: each release is one box, and says what became of a case or of what an entry pins."""

from __future__ import annotations

from dataclasses import replace

import reports.html
from harness.core.cell import Key
from harness.core.ledger import Entry, Pin
from harness.versions.behaviours import History
from harness.versions.digest import Answered, Digest, Seen
from reports.html.strips import Strip, build
from reports.tests.synthetic import run

RIGHT, WRONG = Answered(Seen("right"), "0"), Answered(Seen("wrong", observed="nan"), "1")


def history(case: str, *answers: Answered | None) -> History:
    """A release per answer, None one that could not be run; a second case is right in all of them."""
    key: Key = (case, "optax", "jit", "float32", "value")
    other: Key = ("another/case", *key[1:])
    digests = tuple(
        Digest(
            "optax",
            f"0.{n}",
            "2024-01-01",
            "suite",
            ("first",),
            {},
            {},
            {"optax": {}},
            {} if answer is None else {key: answer, other: RIGHT},
            gap="" if answer else "no wheel",
        )
        for n, answer in enumerate(answers)
    )
    return History("optax", digests, {"suite": {case: "1", "another/case": "1"}})


def kinds(strip: Strip) -> list[str]:
    return [release.kind for release in strip.releases]


def test_a_case_that_changed_has_a_box_for_every_release_and_others_have_none() -> None:
    told = build([history("a/case", RIGHT, None, WRONG)], ["a/case", "another/case"], ())
    assert list(told.cases) == ["a/case"]
    (strip,) = told.cases["a/case"]
    assert kinds(strip) == ["right", "unknown", "wrong"]
    assert [release.version for release in strip.releases] == ["0.0", "0.1", "0.2"]
    assert strip.about == "optax: value in float32"
    assert strip.sentence.startswith("right 0.0, wrong: nan since 0.2 (2024-01-01) or since 0.1")
    assert not build([history("a/case", RIGHT, WRONG)], ["another/case"], ()).cases


def test_an_entry_says_in_which_releases_it_is_as_pinned() -> None:
    entry = Entry("it-is-nan", ("a/*",), ("optax",), Pin("nan"), "why", "none found")
    told = build([history("a/case", WRONG, WRONG, RIGHT)], (), [entry, replace(entry, id="never", cases=("b/*",))])
    assert list(told.entries) == ["it-is-nan"]
    (strip,) = told.entries["it-is-nan"]
    assert kinds(strip) == ["wrong", "wrong", "right"]
    assert strip.sentence == "so in 0.0 or before, until 0.1"


def test_the_page_of_a_case_and_the_ledger_show_them() -> None:
    made = run(cases=4)
    case, entry = next(iter(made.header.suite["cases"])), next(iter(made.header.suite["ledger"]))
    planted = history(case, RIGHT, WRONG)
    told = build([planted], [case], [Entry(entry, (case,), ("optax",), Pin("nan"), "why", "none found")])
    page = reports.html.render(made, strips=told)
    assert page.count('<li class="wrong" title="0.1: wrong: nan">') == 1
    assert page.count('<li class="wrong" title="0.1: as pinned">') == 1
    assert "Release by release" not in reports.html.render(made)
