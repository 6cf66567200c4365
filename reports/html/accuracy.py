"""How large the errors are: a drawing and a table per loss.

The drawings are SVG written by hand: a plotting library would bring a megabyte of script for circles on a scale.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from harness.core.cell import Cell, Run
from harness.core.formats import FORMATS
from reports.number_format import rough
from reports.tally import cases_of, order_of, text
from reports.words import excess

__all__ = ["LossAccuracy", "Spread", "build"]

_DTYPES = ("float64", "float32", "float16", "bfloat16")
_LOWEST, _HIGHEST = -2, 10
"""Decades of ulps the axis spans; what is smaller or larger is drawn at its ends, which are labelled so."""
_PANEL, _GAP, _LEFT, _TOP, _ROW = 200, 44, 116, 44, 20
"""Width of a panel, space between panels, space for names, for headings, height of a row: units of the drawing. The
first panel with its names is no wider than a phone."""


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
    leaves: str | None
    """Between which sizes of the true value it leaves its budget; empty where it does not, None without values."""


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
        leaves=_leaves(cells, cells[0].dtype),
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
        Markup(
            '<svg class="plot" role="img" viewBox="0 0 {} {}" width="{}" height="{}" data-loss="{}" aria-label="{}">'
        ).format(
            width,
            height,
            width,
            height,
            loss,
            f"Errors of {loss} in ulps by implementation and dtype; the table has the numbers",
        )
    ]
    for j, name in enumerate(names):
        parts.append(_label(_LEFT - 12, _TOP + j * _ROW + _ROW / 2 + 4, name, "end"))
    for i, dtype in enumerate(dtypes):
        left = _LEFT + i * (_PANEL + _GAP)
        parts.append(_panel_axis(left, dtype, len(names)))
        for j, name in enumerate(names):
            cells = found.get((name, dtype), ())
            if cells:
                dots = _dots(left, _TOP + j * _ROW + _ROW / 2, cells)
                parts.append(_linked(name, dtype, _in_words(cells), dots))
    return Markup("").join([*parts, Markup("</svg>")])


def _linked(name: str, dtype: str, words: str, dots: Markup) -> Markup:
    """What belongs to one implementation and dtype: the words beside the pointer, and, for the script, the way to its
    cells."""
    group = Markup('<g data-i="{}" data-d="{}"><title>{}</title>{}</g>')
    return group.format(name, dtype, f"{name}, {dtype}: {words}", dots)


def _in_words(cells: Sequence[Cell]) -> str:
    outside = sum(excess(cell) > 1 for cell in cells)
    worst = _open_ended(max(_number(cell.ulps) for cell in cells))
    return f"{len(cells)} cells, the worst {worst} ulp off, {outside} outside the budget"


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
                Markup('<circle{} cx="{:.4g}" cy="{:g}" r="{:.2g}"/>').format(
                    Markup(' class="out"') if kind == "out" else "", left + _across(decade), y, radius
                )
            )
    return Markup("").join(parts)


def _label(x: float, y: float, words: str, anchor: str, kind: str = "name") -> Markup:
    return Markup('<text class="{}" x="{:g}" y="{:g}" text-anchor="{}">{}</text>').format(
        kind, x, y, anchor, escape(words)
    )


_TRUTHS = (-20, 4)
"""Decades of |truth| that the plot spans: from losses that a confident network has to those of a hopeless one."""
_ERRORS = (-1, 17)
"""Decades of relative error, in eps; 1/eps of float64, where nothing is right any more, is at 15.7."""
_NAMED = (-20, -12, -4, 0)
_SMALL_W, _SMALL_H = 196, 110
_PLOTTED = (("wide", "float64"), ("narrow", "float32"))


@dataclass(frozen=True)
class _Element:
    """One number of a value: how large the truth is, how far off what came back, whether its cell left its budget."""

    size: float
    error: float
    """Relative, in eps of the dtype."""
    outside: bool


def _elements(cells: Iterable[Cell], dtype: str) -> list[_Element]:
    """The numbers of all values. Where a cell is outside its budget that is said of its element farthest from the
    truth, measured against 1 + |truth|, the error scale of most values."""
    found = []
    for cell in cells:
        if cell.aspect != "value" or dtype not in FORMATS:
            continue
        pairs = [
            (abs(truth), abs(got - truth))
            for truth, got in zip(_numbers_of(cell.truth), _numbers_of(cell.got), strict=False)
            if math.isfinite(truth) and truth != 0
        ]
        worst = max(pairs, key=lambda pair: _told(pair[1]) / (1 + pair[0]), default=None)
        for pair in pairs:
            size, error = pair
            outside = excess(cell) > 1 and pair == worst
            found.append(_Element(size, _told(error / size) / FORMATS[dtype].eps, outside))
    return found


def _told(error: float) -> float:
    """nan counts as infinitely wrong."""
    return math.inf if math.isnan(error) else error


def _numbers_of(value: object) -> list[float]:
    """Every number of a result, in order; of a larger array its worst element."""
    if isinstance(value, dict):
        return _numbers_of(value.get("worst"))
    if isinstance(value, list | tuple):
        return [number for entry in value for number in _numbers_of(entry)]
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        try:
            return [float(value)]
        except ValueError:
            return []
    return []


def _leaves(cells: Sequence[Cell] | None, dtype: str) -> str | None:
    """Between which sizes of the truth values are outside their budget; None where there are no values."""
    elements = _elements(cells or (), dtype)
    if not elements:
        return None
    sizes = sorted(element.size for element in elements if element.outside)
    if not sizes:
        return ""
    ends = rough(sizes[0]) if len(sizes) == 1 else f"{rough(sizes[0])} to {rough(sizes[-1])}"
    return f"{ends} ({len(sizes)})"


def _scatter(loss: str, names: Sequence[str], found: dict[tuple[str, str], list[Cell]]) -> Markup:
    """Relative error of every number of a value against its size, one panel per implementation that has any."""
    numbers = {(n, dtype): _elements(found.get((n, dtype), ()), dtype) for n in names for _, dtype in _PLOTTED}
    names = [name for name in names if any(numbers[name, dtype] for _, dtype in _PLOTTED)]
    if not names:
        return Markup("")
    return Markup("").join(_small(loss, name, numbers) for name in names)


def _small(loss: str, name: str, numbers: Mapping[tuple[str, str], Sequence[_Element]]) -> Markup:
    """The panel of one implementation: a drawing of its own, so that panels go on below where there is no room."""
    left, top, width, height = 44, 24, _SMALL_W + 52, _SMALL_H + 66
    label = f"Relative error of {name} against the size of the true {loss}; the table has where it leaves its budget"
    parts = [
        Markup(
            '<svg class="plot" role="img" viewBox="0 0 {} {}" width="{}" height="{}" data-loss="{}" aria-label="{}">'
        ).format(width, height, width, height, loss, label),
        _label(left, top - 8, name, "start", "head"),
        _label(left + _SMALL_W, top - 8, "↑ error in eps", "end", "tick"),
        Markup('<path class="grid" d="M{:g} {:g}h{}v{}h-{}z"/>').format(left, top, _SMALL_W, _SMALL_H, _SMALL_W),
        Markup('<path class="one" d="M{:g} {:.4g}h{}"/>').format(left, _up(top, 0), _SMALL_W),
        _label(left + _SMALL_W, top + _SMALL_H + 28, "true value →", "end", "tick"),
    ]
    for decade in _NAMED:
        x = _along(left, decade)
        parts.append(Markup('<path class="grid" d="M{:.4g} {:g}v3"/>').format(x, top + _SMALL_H))
        words, anchor = (f"1e{decade}" if decade else "1"), ("start" if decade == _TRUTHS[0] else "middle")
        parts.append(_label(x, top + _SMALL_H + 14, words, anchor, "tick"))
    parts += [
        _label(left - 5, _up(top, decade) + 4, f"1e{decade}" if decade else "1", "end", "tick")
        for decade in (0, 5, 10, 15)
    ]
    for kind, dtype in _PLOTTED:
        elements = numbers[name, dtype]
        if elements:
            outside = sum(element.outside for element in elements)
            words = f"{len(elements)} numbers, {outside} outside the budget"
            parts.append(_linked(name, dtype, words, _points(kind, left, top, elements)))
    return Markup("").join([*parts, Markup("</svg>")])


def _along(left: float, decade: float) -> float:
    inside = min(max(decade, _TRUTHS[0]), _TRUTHS[1])
    return left + _SMALL_W * (inside - _TRUTHS[0]) / (_TRUTHS[1] - _TRUTHS[0])


def _up(top: float, decade: float) -> float:
    inside = min(max(decade, _ERRORS[0]), _ERRORS[1])
    return top + _SMALL_H * (1 - (inside - _ERRORS[0]) / (_ERRORS[1] - _ERRORS[0]))


_SHAPES = {
    "wide": ("h0", "m-3 0a3 3 0 1 0 6 0a3 3 0 1 0 -6 0"),
    "narrow": ("m-2 0h4", "m-3 -3h6v6h-6z"),
}
"""A dot and a ring, a dash and a square: told apart without colour, and all of a kind in one element."""


def _points(kind: str, left: float, top: float, elements: Sequence[_Element]) -> Markup:
    """All points inside the budget as one path of round line ends, those outside as hollow ones; a pixel once."""
    inside: set[tuple[int, int]] = set()
    outside: set[tuple[int, int]] = set()
    for element in elements:
        error = math.log10(element.error) if element.error > 0 else -math.inf
        place = (round(_along(left, math.log10(element.size))), round(_up(top, error)))
        (outside if element.outside else inside).add(place)
    parts = [Markup("")]
    dot, ring = _SHAPES[kind]
    for name, shape, places in (("points", dot, inside - outside), ("leaves", ring, outside)):
        if places:
            path = "".join(f"M{x} {y}{shape}" for x, y in sorted(places))
            parts.append(Markup('<path class="{} {}" d="{}"/>').format(name, kind, path))
    return Markup("").join(parts)
