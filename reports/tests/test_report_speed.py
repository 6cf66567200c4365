"""Speed in the report: every picture has its table, what is wrong shows no number, odd numbers break nothing."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import reports.html
from reports.html import speed
from reports.tests.synthetic import SPEEDS, run


def test_the_bars_come_first_with_interval_and_disturbance() -> None:
    compared = tuple(replace(s, figures={**s.figures, "ratio_low": 0.5, "ratio_high": 2.0}) for s in SPEEDS)
    first = speed.pictures(run(speeds=compared))[0]
    assert first.title.startswith("How fast: ")
    assert first.table.heads == ("implementation", "time", "times numpy", "interval", "disturbed")
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


def test_the_page_is_there_only_where_something_was_measured() -> None:
    assert 'id="page=speed"' in reports.html.render(run())
    assert 'id="page=speed"' not in reports.html.render(run(speeds=()))


def test_numbers_no_picture_can_hold_are_left_out() -> None:
    values: tuple[Any, ...] = (math.nan, math.inf, -1.0, 0.0, "fast", None, True, [])
    odd = tuple(replace(s, figures={**s.figures, "seconds": value}) for s, value in zip(SPEEDS, values, strict=False))
    speed.pictures(run(speeds=odd))
    assert len(speed.table(run(speeds=odd)).rows) == len(odd)
