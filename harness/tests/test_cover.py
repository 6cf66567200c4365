"""The cover meets every demand and has no case too many; its file is a list of ids of cases that there are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.cell import Cell
from harness.core.ledger import Entry, Pin
from harness.mistakes.cover import cover, demands, unmet
from harness.suite.cover_file import cover_file, cover_text, lint_cover, read_cover
from harness.suite.problems import SuiteError
from harness.suite.selection import load_cover

SHOWING = st.frozensets(st.sampled_from("abcdefgh"), min_size=1)


@given(st.dictionaries(st.text(max_size=3), SHOWING))
def test_every_demand_is_met_and_no_case_could_be_left_out(wanted: dict[str, frozenset[str]]) -> None:
    chosen = set(cover(wanted))
    assert unmet(wanted, chosen) == ()
    for case in chosen:
        assert unmet(wanted, chosen - {case}), f"{case} is superfluous"


def test_a_case_that_meets_more_comes_before_those_that_meet_less() -> None:
    wanted = {"1": {"a", "d"}, "2": {"b", "d"}, "3": {"c", "d"}}
    assert cover(wanted) == ("d",)


def test_what_none_of_the_chosen_shows_is_named() -> None:
    assert unmet({"1": {"a"}, "2": {"b"}}, {"a"}) == ("2",)


def cell(case: str, *, ledger: str | None = None, convention: str | None = None) -> Cell:
    verdict = "known" if ledger else "by_convention" if convention else "agrees"
    outcome = {"kind": "value"}
    return Cell(case, "torch", "eager", "float32", "value", verdict, outcome, ledger=ledger, convention=convention)


def entry(id_: str, *cases: str) -> Entry:
    return Entry(id_, cases, ("torch",), Pin("finite"), "reason", "none found")


def test_mistakes_entries_and_conventions_have_to_show() -> None:
    cells = [
        cell("a"),
        cell("b", ledger="seen"),
        cell("c", convention="clip"),
        cell("d", convention="clip"),
        cell("e", convention="clip and count"),
        cell("gone", ledger="seen"),
    ]
    found = demands(
        {"a": ("m", "n"), "b": ("m",), "c": ()},
        [entry("seen", "a", "b"), entry("asleep", "edges/*"), entry("of another suite", "nowhere/*")],
        cells,
        {*"abcde", "edges/one", "edges/two"},
        {"b", "c"},
    )
    assert found == {
        "mistake m": {"a", "b"},
        "mistake m where only the mean is asked for": {"b"},
        "mistake n": {"a"},
        "entry seen": {"b"},
        "entry asleep": {"edges/one", "edges/two"},
        "convention torch clip": {"c", "d"},
        "convention torch clip and count": {"e"},
    }


def test_the_file_is_read_as_it_is_written() -> None:
    assert [*read_cover(cover_text(["edges/b", "edges/a"]), "cover.yaml")] == ["edges/b", "edges/a"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "cover.yaml:1: expected a list of ids"),
        ("a: b", "cover.yaml:1: expected a list of ids"),
        ("- edges/a\n- 3\n", r"cover.yaml:2: \[1\]: expected an id"),
        ("- edges/a\n- edges/a\n", r"cover.yaml:2: \[1\]: edges/a stands here twice"),
        ("- [edges/a", "cover.yaml"),
    ],
)
def test_what_is_no_list_of_ids_is_refused_with_its_place(text: str, message: str) -> None:
    with pytest.raises(SuiteError, match=message):
        read_cover(text, "cover.yaml")


def test_an_id_that_no_case_has_any_more_is_a_problem_with_its_line() -> None:
    (problem,) = lint_cover(read_cover("- edges/a\n- edges/b\n", "cover.yaml").items(), {"edges/a"}, "cover.yaml")
    assert (problem.line, problem.field) == (2, "edges/b")


def test_the_cover_of_the_suite_is_as_its_command_writes_it() -> None:
    suite, count = load_cover()
    ids = sorted(case.id for case in suite.cases)
    assert cover_file().read_text(encoding="utf-8") == cover_text(ids)
    assert len(ids) < count / 4
