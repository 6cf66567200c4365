"""Counts, rankings, words and numbers that all writers share."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.cell import VERDICTS, Cell
from reports.number_format import percent, rough, shown
from reports.tally import order_of, standings, totals, worst_known, worst_things
from reports.tests.synthetic import footer, run
from reports.words import MARKS, excess, happened, status

VALUE = {"kind": "value"}


def cell(verdict: str = "disagrees", implementation: str = "torch", **more: object) -> Cell:
    return dataclasses.replace(
        Cell("edges/a", implementation, "eager", "float32", "value", verdict, VALUE),
        **more,  # type: ignore[arg-type]
    )


def run_of(*cells: Cell):  # type: ignore[no-untyped-def]
    return run(cases=1, cells=cells, footer=footer(cells))


def test_every_verdict_has_a_mark_of_its_own_glyph_and_word() -> None:
    made_precise = {v for v in VERDICTS if v != "disagrees"}
    assert made_precise <= set(MARKS)
    assert len({(m.glyph, m.word) for m in MARKS.values()}) == len(MARKS)
    assert len({m.rank for m in MARKS.values()}) == len(MARKS)
    assert all(len(m.word) <= 11 for m in MARKS.values())


def test_disagreement_without_a_severity_counts_as_the_gravest() -> None:
    assert status(cell(severity=None)) == "silently_wrong"
    assert status(cell(severity="wrong_error")) == "wrong_error"


def test_infrastructure_is_in_no_percentage() -> None:
    good = cell("agrees")
    alone = totals(run_of(good))
    with_crashes = totals(run_of(good, *(cell("crashed", aspect=f"gradient/{i}") for i in range(9))))
    assert (alone.right, alone.judged) == (with_crashes.right, with_crashes.judged) == (1, 1)
    assert with_crashes.infrastructure == 9


def test_what_is_not_offered_is_neither_right_nor_wrong() -> None:
    [line] = [s for s in standings(run_of(cell("agrees"), cell("unsupported"))) if s.implementation == "torch"]
    assert (line.judged, line.right, line.share) == (1, 1, 100.0)


def test_known_divergence_is_judged_but_not_right() -> None:
    [line] = [s for s in standings(run_of(cell("agrees"), cell("known"))) if s.implementation == "torch"]
    assert (line.judged, line.right, line.disagreeing) == (2, 1, 0)


def test_worst_things_put_libraries_first_then_severity_then_size() -> None:
    small = cell(severity="silently_wrong", ratio=10.0, budget=4.0, case="edges/small")
    large = cell(severity="silently_wrong", ratio=1e9, budget=4.0, case="edges/large", implementation="jax")
    silent = cell(severity="silent_nonfinite", ratio="inf", budget=4.0, case="edges/nan", implementation="jax")
    scratch = cell(severity="silently_wrong", ratio="inf", budget=4.0, implementation="scratch-d0")
    found = [f.cell for f in worst_things(run_of(scratch, silent, small, large), most=4)]
    assert found == [large, small, silent, scratch]


def test_worst_things_tell_what_is_alike_once() -> None:
    alike = [cell(severity="silently_wrong", ratio=float(r), budget=4.0, dtype=f"d{r}") for r in (5, 50, 500)]
    [finding] = worst_things(run_of(*alike))
    assert (finding.cell.ratio, finding.alike) == (500.0, 3)


def test_nothing_is_worst_when_all_agree() -> None:
    assert worst_things(run_of(cell("agrees"), cell("known"), cell("crashed"))) == ()


def test_order_puts_the_documents_code_last() -> None:
    assert order_of(["torch", "scratch-d0", "jax"]) == ["jax", "torch", "scratch-d0"]


@pytest.mark.parametrize(
    ("got", "word"),
    [
        (1.0, "value"),
        ([1.0, "nan"], "nan"),
        ([["inf"], [2.0]], "inf"),
        (["-inf", "nan"], "nan"),
        ({"shape": [9], "worst": "nan"}, "nan"),
    ],
)
def test_happened_names_nonfinite_values(got: object, word: str) -> None:
    assert happened(cell(got=got)) == word


def test_happened_names_what_came_instead_of_a_value() -> None:
    assert happened(cell(outcome={"kind": "timed_out", "seconds": 60})) == "timed out"


@pytest.mark.parametrize(("ratio", "expected"), [(8.0, 2.0), ("inf", math.inf), ("nan", math.inf), (None, 0.0)])
def test_excess_is_in_budgets_and_nan_is_infinitely_wrong(ratio: float | str | None, expected: float) -> None:
    assert excess(cell(ratio=ratio, budget=4.0)) == expected


@given(st.integers(1, 10**7), st.integers(0, 10**7))
def test_percent_never_rounds_a_single_cell_away(judged: int, wrong: int) -> None:
    right = max(judged - wrong, 0)
    words = percent(100.0 * right / judged)
    assert (words == "100 %") == (right == judged)
    assert (words == "0 %") == (right == 0)


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_float32_is_shown_with_digits_that_give_it_back(value: float) -> None:
    assert float(np.float32(shown(value, "float32"))) == value


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_float64_is_shown_with_digits_that_give_it_back(value: float) -> None:
    assert float(shown(value, "float64")) == value


@given(st.floats(width=16, allow_nan=False, allow_infinity=False))
def test_float16_is_shown_with_digits_that_give_it_back(value: float) -> None:
    assert float(np.float16(shown(value, "float16"))) == value


def test_shown_is_short_and_names_the_worst_of_a_large_array() -> None:
    assert shown([0.10000000149011612, ["nan", 2.0]], "float32") == "[0.1, [nan, 2]]"
    assert shown({"raises": "shape_mismatch"}, "float64") == "raises shape_mismatch"
    large = {"shape": [64, 1000], "worst_index": [3, 7], "worst": 1e-7}
    assert shown(large, "float64") == "array 64×1000, worst element at [3, 7]: 1e-7"


@pytest.mark.parametrize(
    ("value", "words"),
    [(None, ""), (0.0, "0"), (0.51234, "0.512"), (12345.6, "12,300"), (4.5e9, "4.5e9"), ("inf", "inf"), (1e-9, "1e-9")],
)
def test_rough_has_three_digits(value: float | str | None, words: str) -> None:
    assert rough(value) == words


def test_worst_known_tell_each_entry_once_the_gravest_first() -> None:
    wrong = [cell("known", ledger="clip", severity="silently_wrong", ratio=r, budget=4.0) for r in (9.0, 90.0)]
    raised = cell("known", ledger="raises", severity="unexpected_error", case="edges/other")
    found = worst_known(run_of(raised, *wrong, cell("agrees")))
    assert [(f.cell.ledger, f.alike) for f in found] == [("clip", 2), ("raises", 1)]
    assert found[0].cell.ratio == 90.0
