"""What the pages of implementations and of articles say, from small runs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from markupsafe import escape

import reports.html
from harness.core.cell import CLAIM_VERDICTS, Cell, ClaimRecord
from reference.conventions import NAMES
from reports.html import documents, implementations
from reports.html.convention_words import WORDS, meanings
from reports.html.matrix import build as matrix
from reports.html.pages import conventions, ledger
from reports.tests.synthetic import run

BASE = run(cases=2)
CASE, OTHER = sorted(BASE.header.suite["cases"])[:2]


def cell(name: str, verdict: str = "agrees", case: str = CASE, **more: Any) -> Cell:
    severity = "silently_wrong" if verdict in ("disagrees", "known") else None
    return Cell(case, name, "eager", "float32", "value", verdict, {"kind": "value"}, severity=severity, **more)


def pages_of(*cells: Cell) -> dict[str, implementations.Page]:
    header = replace(BASE.header, implementations={c.implementation: {"version": "1"} for c in cells})
    made = implementations.build(replace(BASE, header=header, cells=cells, claims=(), speeds=()), {})
    return {page.name: page for page in made}


def test_what_is_wrong_is_one_line_for_each_way_told_by_its_gravest_cell() -> None:
    pages = pages_of(
        cell("a", "disagrees", ratio=9, budget=4, explanation="a little off"),
        cell("a", "disagrees", case=OTHER, ratio=90, budget=4, explanation="far off"),
        cell("b"),
    )
    lines = pages["a"].wrong
    losses = {BASE.header.suite["cases"][case]["loss"] for case in (CASE, OTHER)}
    assert len(lines) == len(losses)
    assert lines[0].sentence in ("far off", "a little off")
    assert sum(line.cells for line in lines) == 2
    assert pages["b"].wrong == ()


def test_known_divergences_are_counted_by_entry_the_gravest_first() -> None:
    known = [
        cell("a", "known", ledger="first"),
        cell("a", "known", case=OTHER, ledger="first"),
        cell("a", "known", ledger="second"),
    ]
    (first, second) = pages_of(*known)["a"].known
    assert (first.id, first.cells) == ("first", 2)
    assert (second.id, second.cells) == ("second", 1)


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        ((), 0),
        ((cell("b"),), 0),  # with one other nobody can say who fails alone
        ((cell("b"), cell("c")), 1),
        ((cell("b"), cell("c", "known")), 0),
        ((cell("b"), cell("c", "by_convention")), 1),
        ((cell("b"), cell("c", "unsupported")), 0),
    ],
)
def test_wrong_only_here_needs_two_others_who_answer_and_all_of_them_right(
    others: tuple[Cell, ...], expected: int
) -> None:
    page = pages_of(cell("a", "disagrees"), *others)["a"]
    assert (len(page.alone), page.alone_in_all) == (expected, expected)


def test_reasons_for_what_is_not_offered_are_grouped_and_counted() -> None:
    refused = [
        replace(cell("a", "unsupported", case=case), outcome={"kind": "unsupported", "reason": why})
        for case, why in ((CASE, "no axis"), (OTHER, "no axis"), (OTHER, "no weights"))
    ]
    lines = pages_of(*refused)["a"].refusals
    assert [(line.reason, line.cells, line.cases) for line in lines] == [("no axis", 2, 2), ("no weights", 1, 1)]


def test_a_convention_with_another_number_in_another_dtype_is_one_line_with_its_meaning() -> None:
    cells = [
        cell("a", "by_convention", convention=text)
        for text in ("clip(1e-07)", "clip(0.0001)", "renormalize, clip(1e-07)")
    ]
    one, other = conventions(cells)
    assert [m.name for m in one.meanings] == ["clip"]
    assert one.meanings[0].words == WORDS["clip"]
    assert one.forms == ("clip(0.0001)", "clip(1e-07)")
    assert [m.name for m in other.meanings] == ["renormalize", "clip"]
    assert pages_of(*cells)["a"].conventions[0] == (one.meanings, 2)


def test_every_convention_of_the_reference_has_words_and_other_texts_stand_for_themselves() -> None:
    assert set(WORDS) == set(NAMES)
    assert [m.name for m in meanings("no such thing(")] == ["no such thing("]
    assert [m.name for m in meanings("")] == ["not named"]


def test_ledger_entries_that_explain_nothing_here_come_last() -> None:
    listed = {name: {"reason": "because"} for name in ("a-idle", "b-seen", "c-idle")}
    header = replace(BASE.header, suite={**BASE.header.suite, "ledger": listed})
    seen = replace(BASE, header=header, cells=(cell("x", "known", ledger="b-seen"),))
    assert [line.id for line in ledger(seen)] == ["b-seen", "a-idle", "c-idle"]


def claim(
    verdict: str, says: str = "It holds.", case: str = CASE, document: str = "000_78411d722bf5d7ff.txt", **more: Any
) -> ClaimRecord:
    return ClaimRecord(case, says, verdict, 1.0, "because", says=says, document=document, **more)


def test_a_claim_judged_on_several_cases_is_one_row_as_bad_as_where_it_fares_worst() -> None:
    (article,) = documents.build([claim("holds"), claim("wrong", case=OTHER), claim("holds", says="Another.")])
    assert (article.name, article.title[:5]) == ("D0", "Using")
    assert article.trust == "Not in everything: 1 of 2 claims is wrong."
    first, second = article.claims
    assert (first.key, first.cases, first.otherwise) == ("wrong", (OTHER,), ((CASE, "holds"),))
    assert second.key == "holds"


def test_what_is_not_as_expected_comes_first_and_every_verdict_has_its_place() -> None:
    (article,) = documents.build([claim("wrong", says="a"), claim("holds", says="b", expected=False)])
    assert [line.says for line in article.claims] == ["b", "a"]
    assert set(documents.GRAVEST) == set(CLAIM_VERDICTS)


def test_an_unknown_document_is_called_by_its_file() -> None:
    (article,) = documents.build([claim("cannot_be_checked", document="other.txt")])
    assert (article.name, article.title) == ("other.txt", "")
    assert article.trust.startswith("As far as it can be checked: 0 of 1 claims hold")


def test_groups_with_what_nobody_knows_come_first() -> None:
    header = replace(
        BASE.header, suite={**BASE.header.suite, "cases": {c: {"loss": "softmax"} for c in ("a/one", "b/two")}}
    )
    wrong = replace(BASE, header=header, cells=(cell("x", case="a/one"), cell("x", "disagrees", case="b/two")))
    assert [group.folder for group in matrix(wrong).groups] == ["b", "a"]
    known = replace(wrong, cells=(cell("x", case="a/one"), cell("x", "known", case="b/two")))
    assert [group.folder for group in matrix(known).groups] == ["a", "b"]


def test_the_first_screen_of_one_implementation_speaks_of_one() -> None:
    whole = run()
    own = tuple(c for c in whole.cells if c.implementation == "numpy" and c.verdict in ("agrees", "unsupported"))
    header = replace(whole.header, implementations={"numpy": whole.header.implementations["numpy"]})
    text = " ".join(reports.html.render(replace(whole, header=header, cells=own, claims=(), speeds=())).split())
    assert "numpy is 100 % right across " in text
    assert "1 implementations" not in text
    assert "Every judged cell agrees with the exact truth </h1>" in text  # and nothing of a ledger that says nothing


def test_causes_are_told_above_the_matrix() -> None:
    text = reports.html.render(run())
    causes = matrix(run()).causes
    assert causes
    assert text.index("What is wrong, by cause") < text.index('id="filters"')
    assert escape(causes[0].sentence) in text
