"""Speed in the report: every picture has its table, what is wrong shows no number, odd numbers break nothing."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import Any

import reports.html
from harness.core.cell import Run
from reports.html import speed
from reports.tests.synthetic import SPEEDS, run


def test_the_bars_come_first_with_interval_and_disturbance() -> None:
    compared = tuple(replace(s, figures={**s.figures, "ratio_low": 0.5, "ratio_high": 2.0}) for s in SPEEDS)
    first = speed.pictures(run(speeds=compared))[0]
    assert first.title.startswith("How fast: ")
    assert first.table.heads == ("implementation", "time", "times NumPy’s", "interval", "disturbed")
    ratios = [float(row[2].removesuffix(" ×")) for row in first.table.rows]
    assert ratios == sorted(ratios)
    assert first.drawing.count('<path class="bar') == first.drawing.count("<title>") == len(ratios) > 1
    assert first.drawing.count('class="whisker"') == len(ratios)
    assert {row[3] for row in first.table.rows} == {"0.5 to 2"}
    disturbed = [replace(s, figures={**s.figures, "mostly_disturbed": True}) for s in SPEEDS]
    assert 'class="bar hollow"' in speed.pictures(run(speeds=tuple(disturbed)))[0].drawing


def test_four_kinds_of_picture_each_with_its_numbers() -> None:
    found = [picture for picture in speed.pictures(run()) if not picture.title.startswith("How fast")]
    titles = [p.title for p in found]
    for beginning in ("Time against size", "Error against time", "Eager against compiled", "Forward against forward"):
        assert any(title.startswith(beginning) for title in titles), titles
    for picture in found:
        assert picture.drawing.startswith("<svg")
        assert picture.table.rows
        assert all(len(row) == len(picture.table.heads) for row in picture.table.rows)
        dots = picture.drawing.count("<circle")
        assert dots == sum(1 for row in picture.table.rows if row[0] != "limit of the memory")


def test_a_wrong_implementation_shows_no_number_anywhere() -> None:
    rows = [row for row in speed.table(run()).rows if row[3] == "scratch-d3"]
    assert rows
    assert all(row[6] == "not shown: disagrees" and set(row[7:]) == {"–"} for row in rows)
    assert all("scratch-d3" not in p.drawing for p in speed.pictures(run()))


def test_the_limit_is_drawn_and_names_are_told_apart_without_colour() -> None:
    picture = next(p for p in speed.pictures(run()) if p.title.startswith("Time against size"))
    assert ">limit</text>" in picture.drawing
    assert ">A  jax:eager</text>" in picture.drawing
    assert ">C  torch:eager</text>" in picture.drawing


def timings(**figures: Any) -> Run:
    """A run as `xent bench` writes it: nothing but timings."""
    speeds = tuple(replace(s, figures={**s.figures, **figures}) for s in SPEEDS)
    return run(cells=(), claims=(), speeds=speeds)


def test_the_page_says_first_what_was_timed_and_judged_and_what_it_is_compared_with() -> None:
    told = speed.timed(timings(yardstick="numpy-by-hand", pairs=2, mostly_disturbed=True))
    assert (told.measured, told.unshown, told.workloads, told.implementations) == (12, 4, 2, 3)
    assert (told.disturbed, told.sets) == (12, 2)
    assert told.yardstick.startswith("the few lines a user of NumPy would write")
    assert speed.timed(timings()).yardstick.startswith("the reference’s formulas")  # a record of before

    page = " ".join(reports.html.render(timings(yardstick="numpy-by-hand", pairs=2)).split())
    assert "12 times of 3 implementations on 2 workloads. Every answer was judged first: 4 are not right" in page
    assert "2 sets of processes" in page
    right = replace(timings(pairs=5), speeds=tuple(s for s in timings(pairs=5).speeds if s.judged == "agrees"))
    page = " ".join(reports.html.render(right).split())
    assert "Every answer that was timed was judged first, and is right." in page
    assert "too few for a verdict" not in page


def test_a_report_of_timings_alone_has_no_page_that_counts_cells() -> None:
    page = reports.html.render(timings())
    assert [*re.findall(r'<section data-page="(\w+)"', page)] == ["speed", "environment"]
    assert [*re.findall(r'<a href="#page=(\w+)">', page)] == ["speed", "environment"]
    assert "Nothing was judged" not in page
    assert "0 cells" not in page


def test_the_page_is_there_only_where_something_was_measured() -> None:
    assert 'id="page=speed"' in reports.html.render(run())
    assert 'id="page=speed"' not in reports.html.render(run(speeds=()))


def test_numbers_no_picture_can_hold_are_left_out() -> None:
    values: tuple[Any, ...] = (math.nan, math.inf, -1.0, 0.0, "fast", None, True, [])
    odd = tuple(replace(s, figures={**s.figures, "seconds": value}) for s, value in zip(SPEEDS, values, strict=False))
    speed.pictures(run(speeds=odd))
    assert len(speed.table(run(speeds=odd)).rows) == len(odd)
