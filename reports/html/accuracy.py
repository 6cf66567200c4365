"""How large the errors are: a drawing and a table per loss.

The drawings are SVG written by hand: a plotting library would bring a megabyte of script for circles on a scale.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from harness.records import Cell, Run
from reports.numbers import rough
from reports.tally import cases_of, order_of, text
from reports.words import excess

__all__ = ["LossAccuracy", "Spread", "build"]

_DTYPES = ("float64", "float32", "float16", "bfloat16")
_LOWEST, _HIGHEST = -2, 10
"""Decades of ulps the axis spans; what is smaller or larger is drawn at its ends, which are labelled so."""
_PANEL, _GAP, _LEFT, _TOP, _ROW = 200, 44, 150, 44, 20
"""Width of a panel, space between panels, space for names, for headings, height of a row: units of the drawing."""


@dataclass(frozen=True)
class Spread:
    """The errors of one implementation in one dtype."""

    cells: int
    median: str
    worst: str
    used: str
    """Largest share of the budget."""
    outside: int
    """Cells outside their budget, nan and inf included."""


@dataclass(frozen=True)
class LossAccuracy:
    """One loss."""

    loss: str
    dtypes: tuple[str, ...]
    drawing: Markup
    scatter: Markup
    rows: tuple[tuple[str, tuple[Spread | None, ...]], ...]
    """By implementation, one spread per dtype."""


def build(run: Run) -> tuple[LossAccuracy, ...]:
    """Losses by name, implementations in their usual order."""
    described = cases_of(run)
    losses = {case: text(entry.get("loss")) for case, entry in described.items()}
    by_loss: dict[str, list[Cell]] = defaultdict(list)
    for cell in run.cells:
        if cell.ulps is not None:
            by_loss[losses.get(cell.case, "")].append(cell)
    return tuple(_loss(loss, by_loss[loss]) for loss in sorted(by_loss))


def _loss(loss: str, cells: Sequence[Cell]) -> LossAccuracy:
    found: dict[tuple[str, str], list[Cell]] = defaultdict(list)
    for cell in cells:
        found[cell.implementation, cell.dtype].append(cell)
    names = order_of(name for name, _ in found)
    present = {dtype for _, dtype in found}
    dtypes = (*(d for d in _DTYPES if d in present), *sorted(present - set(_DTYPES)))
    return LossAccuracy(
        loss=loss,
        dtypes=dtypes,
        drawing=_strips(loss, names, dtypes, found),
        scatter=_scatter(loss, names, found),
        rows=tuple((name, tuple(_spread(found.get((name, d))) for d in dtypes)) for name in names),
    )


def _spread(cells: Sequence[Cell] | None) -> Spread | None:
    if not cells:
        return None
    errors = sorted(_number(c.ulps) for c in cells)
    return Spread(
        cells=len(cells),
        median=rough(errors[len(errors) // 2]),
        worst=_open_ended(errors[-1]),
        used=_open_ended(max(excess(c) for c in cells)),
        outside=sum(1 for c in cells if excess(c) > 1),
    )


def _open_ended(number: float) -> str:
    return "∞" if math.isinf(number) else rough(number)


def _number(value: float | str | None) -> float:
    """nan counts as infinitely wrong."""
    number = float("inf") if value is None else float(value)
    return float("inf") if math.isnan(number) else abs(number)


def _decade(ulps: float) -> float:
    """Place on the axis, in decades, rounded to a third of one: dots that would hide each other become one larger."""
    if ulps <= 10.0**_LOWEST:
        return float(_LOWEST)
    if ulps >= 10.0**_HIGHEST:
        return float(_HIGHEST)
    return round(3 * math.log10(ulps)) / 3


def _across(decade: float) -> float:
    return _PANEL * (decade - _LOWEST) / (_HIGHEST - _LOWEST)


def _strips(loss: str, names: Sequence[str], dtypes: Sequence[str], found: dict[tuple[str, str], list[Cell]]) -> Markup:
    """One row per implementation, one panel per dtype; the area of a dot is the number of cells."""
    width = _LEFT + len(dtypes) * (_PANEL + _GAP)
    height = _TOP + len(names) * _ROW + 30
    parts = [
        Markup('<svg class="plot" role="img" viewBox="0 0 {} {}" width="{}" height="{}" aria-label="{}">').format(
            width,
            height,
            width,
            height,
            f"Errors of {loss} in ulps by implementation and dtype; the table has the numbers",
        )
    ]
    for j, name in enumerate(names):
        parts.append(_label(_LEFT - 12, _TOP + j * _ROW + _ROW / 2 + 4, name, "end"))
    for i, dtype in enumerate(dtypes):
        left = _LEFT + i * (_PANEL + _GAP)
        parts.append(_panel_axis(left, dtype, len(names)))
        for j, name in enumerate(names):
            parts.append(_dots(left, _TOP + j * _ROW + _ROW / 2, found.get((name, dtype), ())))
    return Markup("").join([*parts, Markup("</svg>")])


def _panel_axis(left: float, dtype: str, rows: int) -> Markup:
    bottom = _TOP + rows * _ROW
    parts = [_label(left, 14, dtype, "start", "head")]
    for decade in range(_LOWEST, _HIGHEST + 1, 2):
        x = left + _across(decade)
        kind = "one" if decade == 0 else "grid"
        parts.append(Markup('<path class="{}" d="M{:g} {:g}V{:g}"/>').format(kind, x, _TOP - 4, bottom))
        words = {_LOWEST: "≤0.01", 0: "1", 4: "1e4", _HIGHEST: "≥1e10"}.get(decade)
        if words:
            parts.append(_label(x, bottom + 16, words, "middle", "tick"))
    parts.append(_label(left, 30, "error in ulps", "start", "tick"))
    return Markup("").join(parts)


def _dots(left: float, y: float, cells: Iterable[Cell]) -> Markup:
    inside, outside = Counter[float](), Counter[float]()
    for cell in cells:
        (outside if excess(cell) > 1 else inside)[_decade(_number(cell.ulps))] += 1
    total = sum(inside.values()) + sum(outside.values())
    parts = []
    for kind, bins in (("in", inside), ("out", outside)):
        for decade, number in sorted(bins.items()):
            radius = 1.6 + 5.4 * math.sqrt(number / total)
            parts.append(
                Markup('<circle class="{}" cx="{:.4g}" cy="{:g}" r="{:.2g}"/>').format(
                    kind, left + _across(decade), y, radius
                )
            )
    return Markup("").join(parts)


def _label(x: float, y: float, words: str, anchor: str, kind: str = "name") -> Markup:
    return Markup('<text class="{}" x="{:g}" y="{:g}" text-anchor="{}">{}</text>').format(
        kind, x, y, anchor, escape(words)
    )


_TRUTHS = (-20, 4)
"""Decades of |truth| that the scatter spans."""
_SMALL_W, _SMALL_H = 150, 96


def _scatter(loss: str, names: Sequence[str], found: dict[tuple[str, str], list[Cell]]) -> Markup:
    """Error of the value against the size of the loss, one small panel per implementation, float64 above float32."""
    across = 4
    rows = -(-len(names) // across)
    width, height = across * (_SMALL_W + 24) + 40, rows * (_SMALL_H + 46) + 10
    label = f"Error of {loss} in ulps against the size of the true value, one panel per implementation"
    parts = [
        Markup('<svg class="plot" role="img" viewBox="0 0 {} {}" width="{}" height="{}" aria-label="{}">').format(
            width, height, width, height, label
        )
    ]
    for i, name in enumerate(names):
        left, top = 40 + (i % across) * (_SMALL_W + 24), 24 + (i // across) * (_SMALL_H + 46)
        parts.append(_label(left, top - 8, name, "start", "head"))
        parts.append(
            Markup('<path class="grid" d="M{:g} {:g}h{}v{}h-{}z"/>').format(left, top, _SMALL_W, _SMALL_H, _SMALL_W)
        )
        one = top + _SMALL_H * (1 - (0 - _LOWEST) / (_HIGHEST - _LOWEST))
        parts.append(Markup('<path class="one" d="M{:g} {:.4g}h{}"/>').format(left, one, _SMALL_W))
        for decade in (-20, -12, -4, 4):
            x = left + _SMALL_W * (decade - _TRUTHS[0]) / (_TRUTHS[1] - _TRUTHS[0])
            parts.append(_label(x, top + _SMALL_H + 13, f"1e{decade}", "middle", "tick"))
        if i % across == 0:
            for decade in (_LOWEST, 0, 5, _HIGHEST):
                y = top + _SMALL_H * (1 - (decade - _LOWEST) / (_HIGHEST - _LOWEST)) + 4
                parts.append(_label(left - 5, y, f"1e{decade}" if decade else "1", "end", "tick"))
        for kind, dtype in (("wide", "float64"), ("narrow", "float32")):
            parts.append(_points(kind, left, top, found.get((name, dtype), ())))
    return Markup("").join([*parts, Markup("</svg>")])


def _points(kind: str, left: float, top: float, cells: Iterable[Cell]) -> Markup:
    """All points as one path of round line ends; the same pixel is drawn once."""
    places = set()
    for cell in cells:
        truth = _only_number(cell.truth)
        if cell.aspect != "value" or truth is None or truth == 0 or not math.isfinite(truth):
            continue
        x = min(max(math.log10(abs(truth)), _TRUTHS[0]), _TRUTHS[1])
        y = _decade(_number(cell.ulps))
        places.add(
            (
                round(left + _SMALL_W * (x - _TRUTHS[0]) / (_TRUTHS[1] - _TRUTHS[0]), 1),
                round(top + _SMALL_H * (1 - (y - _LOWEST) / (_HIGHEST - _LOWEST)), 1),
            )
        )
    if not places:
        return Markup("")
    path = "".join(f"M{x:g} {y:g}h0" for x, y in sorted(places))
    return Markup('<path class="points {}" d="{}"/>').format(kind, path)


def _only_number(truth: object) -> float | None:
    """The truth where it is a single number, or the worst element of an array."""
    if isinstance(truth, dict):
        return _only_number(truth.get("worst"))
    if isinstance(truth, list) and len(truth) == 1:
        return _only_number(truth[0])
    if isinstance(truth, int | float) and not isinstance(truth, bool):
        return float(truth)
    return None
