"""The page of invariances, and the pages and counts that are to take no notice of them."""

from __future__ import annotations

from dataclasses import replace

from harness.core.cell import Cell
from reports.html import invariances, render
from reports.html.pages import choices, conventions
from reports.tally import standings
from reports.tests.synthetic import run


def test_whose_bits_differ_is_counted_by_implementation_and_is_no_score_and_no_convention() -> None:
    plain = run(cases=10)
    case = plain.cells[0].case

    def bits(name: str, dtype: str, convention: str, ulps: float | None = None) -> Cell:
        where = (case, "numpy", "eager", dtype, f"invariance/{name}")
        return Cell(*where, "by_convention", {"kind": "value"}, convention=convention, ulps=ulps)

    asked = (
        bits("batch", "float32", "bits(differ)", 12.0),
        bits("batch", "float16", "bits(differ)", 3.0),
        bits("batch", "float64", "bits(same)"),
        bits("layout", "float32", "bits(raises)"),
        bits("position", "float32", "bits(same)"),
    )
    made = replace(plain, cells=(*plain.cells, *asked))
    (line,) = invariances.build(made).lines
    second, batch, position, layout, threads = line.places
    assert (line.implementation, line.mode, second, threads) == ("numpy", "eager", None, None)
    assert batch is not None
    assert (batch.asked, batch.differing, batch.worst, batch.cases) == (3, 2, "12", (case,))
    assert position is not None
    assert (position.asked, position.differing, position.cases) == (1, 0, ())
    assert layout is not None
    assert (layout.raising, layout.cases) == (1, (case,))
    assert standings(made) == standings(plain)
    assert conventions(made.cells) == conventions(plain.cells)
    assert choices(made) == choices(plain)
    text = render(made)
    assert "differs in 2 of 3" in text
    assert "same in all 1" in text
    assert "page=invariances" not in render(plain)
