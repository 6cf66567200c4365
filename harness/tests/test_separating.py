"""The conditions proposed for a divergence: they hold in exactly the runs that show it, and none coarser do."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.ledger import Condition
from harness.runs.separating import Facts, separating

NAMES = ("isa", "lanes", "onednn", "onednn_isa", "libc_version")
VALUES = {
    "isa": ("avx2", "avx512", "sse"),
    "lanes": ("4", "8", "16"),
    "onednn": ("on", "off"),
    "onednn_isa": ("avx2", "avx512_core"),
    "libc_version": ("2.36", "2.41"),
}
tables = st.lists(
    st.fixed_dictionaries({}, optional={name: st.sampled_from(VALUES[name]) for name in NAMES}), max_size=5
)


def hold(conditions: tuple[Condition, ...], facts: Facts) -> bool:
    return all(condition.holds(facts) for condition in conditions)


def separates(conditions: tuple[Condition, ...], showing: list[Facts], silent: list[Facts]) -> bool:
    return all(hold(conditions, facts) for facts in showing) and not any(hold(conditions, facts) for facts in silent)


def every_condition(name: str) -> list[Condition]:
    values = VALUES[name]
    return [Condition(name, some) for size in range(1, len(values) + 1) for some in combinations(values, size)]


def cost(conditions: tuple[Condition, ...]) -> tuple[int, int]:
    return len(conditions), sum(len(condition.values) for condition in conditions)


@given(tables.filter(len), tables)
def test_what_is_proposed_holds_where_it_shows_and_nowhere_else_and_nothing_coarser_does(
    showing: list[Facts], silent: list[Facts]
) -> None:
    found = separating(showing, silent)
    size = len(NAMES) if found is None else len(found)
    others: list[tuple[Condition, ...]] = [()]
    for names in (some for n in range(1, min(size, 2) + 1) for some in combinations(NAMES, n)):
        chosen: list[tuple[Condition, ...]] = [()]
        for name in names:
            chosen = [(*before, one) for before in chosen for one in every_condition(name)]
        others += chosen
    possible = [conditions for conditions in others if separates(conditions, showing, silent)]
    if found is None:
        assert not possible
    else:
        assert separates(found, showing, silent)
        assert all(cost(conditions) >= cost(found) for conditions in possible)


@given(tables.filter(len), tables)
def test_every_fact_that_is_named_is_needed(showing: list[Facts], silent: list[Facts]) -> None:
    for conditions in filter(None, [separating(showing, silent)]):
        for left_out in conditions:
            fewer = tuple(one for one in conditions if one is not left_out)
            assert not separates(fewer, showing, silent)


NATIVE = {"isa": "avx512", "lanes": "16", "onednn": "on"}
AVX2 = {"isa": "avx2", "lanes": "8", "onednn": "off"}
PLAIN = {"isa": "sse", "lanes": "4", "onednn": "off"}


@pytest.mark.parametrize(
    ("showing", "silent", "expected"),
    [
        ([NATIVE], [AVX2, PLAIN], "isa=avx512"),
        ([AVX2, PLAIN], [NATIVE], "onednn=off"),
        ([NATIVE, AVX2], [PLAIN], "isa=avx2 or avx512"),
        ([AVX2], [PLAIN, {**AVX2, "onednn": "on"}, {**NATIVE, "onednn": "off"}], "isa=avx2 and onednn=off"),
        ([NATIVE, AVX2], [], ""),
        ([NATIVE], [NATIVE], None),
        ([{}], [NATIVE], None),
    ],
)
def test_the_coarsest_comes_first(showing: list[Facts], silent: list[Facts], expected: str | None) -> None:
    found = separating(showing, silent)
    assert (None if found is None else " and ".join(map(str, found))) == expected
