"""How fast: the table of every measurement, and pictures, the bars first, each drawn from numbers that stand beside it.

Points are told apart by letters, not by colours; a key says which implementation a letter is.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup, escape

from harness.core.cell import RIGHT, Run, Speed
from reports.number_format import count, duration, rough
from reports.tally import cases_of, text
from reports.words import excess

__all__ = ["Picture", "Table", "Timed", "pictures", "table", "timed"]

_WIDTH, _HEIGHT, _LEFT, _TOP, _BOTTOM, _KEY = 520, 320, 70, 20, 50, 210
"""Units of a drawing: of the plane, of the space around it, of the key beside it."""
_TIMED = (*RIGHT, "known")
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True)
class Table:
    """Heads and rows of text; the first `words` columns are words, the others numbers."""

    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: int


@dataclass(frozen=True)
class Picture:
    """A drawing with the numbers it is drawn from."""

    title: str
    caption: str
    drawing: Markup
    table: Table


@dataclass(frozen=True)
class Timed:
    """What a page of speed says first: what was timed, and what of it counts."""

    measured: int
    """Answers that are right, and have a time."""
    unshown: int
    """Answers without one: most often, they are wrong."""
    workloads: int
    implementations: int
    disturbed: int
    """Of those measured, mostly disturbed by other work."""
    sets: int
    """Of processes, the most a time rests on."""
    yardstick: str


def timed(run: Run) -> Timed:
    """Of all measurements of a run."""
    counted = [s for s in run.speeds if _counts(s)]
    return Timed(
        measured=len(counted),
        unshown=len(run.speeds) - len(counted),
        workloads=len({s.workload for s in run.speeds}),
        implementations=len({s.implementation for s in run.speeds}),
        disturbed=sum(1 for s in counted if s.figures.get("mostly_disturbed")),
        sets=int(max((_finite(s.figures.get("pairs")) or 0 for s in counted), default=0)),
        yardstick=yardstick(run),
    )


@dataclass(frozen=True)
class _Point:
    """One dot: where, whose, and its line of the table."""

    x: float
    y: float
    name: str


_FIGURES: Mapping[str, str] = {
    "seconds": "seconds",
    "ns_per_element": "ns per element",
    "gb_per_s": "GB/s",
    "fraction_of_limit": "of the limit",
    "ratio": "times NumPy’s",
    "ratio_low": "from",
    "ratio_high": "to",
    "first_call_seconds": "first call, s",
    "compile_seconds": "compiling, s",
    "cpu_seconds": "CPU, s",
    "system_seconds": "system, s",
    "page_faults": "page faults",
    "peak_mib": "peak, MiB",
    "disturbed": "disturbed blocks",
    "overhead_seconds": "overhead subtracted, s",
}


def table(run: Run) -> Table:
    """Every measurement; one whose answer is wrong shows why and no number."""
    heads = ("workload", "passes", "threads", "implementation", "mode", "dtype", "verdict", *_FIGURES.values())
    rows = [
        (
            text(s.workload),
            _word(s.figures.get("passes")),
            _word(s.figures.get("threads")),
            text(s.implementation),
            text(s.mode),
            text(s.dtype),
            _verdict(s),
            *(_number(s.figures.get(name)) if _counts(s) else "–" for name in _FIGURES),
        )
        for s in sorted(run.speeds, key=_order)
    ]
    return Table(heads, tuple(rows), 7)


def _order(speed: Speed) -> tuple[str, str, str, float, str, str]:
    f = speed.figures
    seconds = _finite(f.get("seconds"))
    return (
        text(speed.workload),
        _word(f.get("passes")),
        _word(f.get("threads")),
        math.inf if seconds is None else seconds,
        text(speed.implementation),
        text(speed.mode),
    )


def _verdict(speed: Speed) -> str:
    return text(speed.verdict) if _counts(speed) else f"not shown: {_word(speed.figures.get('judged')) or 'not judged'}"


def _counts(speed: Speed) -> bool:
    """Whether there is a time, of an answer that is right."""
    return (_finite(speed.figures.get("seconds")) or 0) > 0 and speed.figures.get("judged") in _TIMED


def _word(value: object) -> str:
    return "" if value is None else text(value)


def _finite(value: object) -> float | None:
    """The number where it is one a picture can hold."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def _number(value: object) -> str:
    number = _finite(value)
    return "" if number is None else rough(number)


def pictures(run: Run) -> tuple[Picture, ...]:
    """Those there are numbers for."""
    timed = [s for s in run.speeds if _counts(s)]
    drawn = (_bars(timed, yardstick(run)), _sizes(timed, run), _errors(timed, run), _compiled(timed), _passes(timed))
    return tuple(picture for group in drawn for picture in group)


_BARS, _BAR_ROW = 340, 34
"""Width of a drawing of bars, which fits a phone, and the height of a bar with the words above it."""


_ABOUT_BARS = (
    "As a multiple of the time of {}, on a logarithmic scale: left of the line is faster. The thin line is the "
    "interval; a hollow bar was mostly disturbed by other work on this machine."
)
_YARDSTICKS: Mapping[str, str] = {
    "numpy-by-hand": "the few lines a user of NumPy would write (numpy-by-hand)",
    "numpy": "the reference’s formulas in NumPy (numpy)",
}
"""What times are compared with, as a reader sees it."""


def yardstick(run: Run) -> str:
    """What the times of a run are compared with, in words."""
    names = dict.fromkeys(text(s.yardstick) for s in run.speeds)
    return " or ".join(_YARDSTICKS.get(name, name) for name in names)


def _bars(timed: Sequence[Speed], against: str) -> list[Picture]:
    """Times beside NumPy's, one picture per workload, pass and number of threads, the fastest first."""
    groups: dict[tuple[str, ...], list[Speed]] = defaultdict(list)
    for s in timed:
        if (_finite(s.figures.get("ratio")) or 0) > 0:
            passes, threads = _word(s.figures.get("passes")), _word(s.figures.get("threads"))
            groups[text(s.workload), passes, text(s.dtype), threads].append(s)
    found: list[Picture] = []
    for (workload, passes, dtype, threads), members in sorted(groups.items()):
        ordered = sorted(members, key=lambda s: (float(s.figures["ratio"]), _name(s)))
        if len(ordered) < 2:
            continue
        many = f", {threads} threads" if threads not in ("", "1") else ""
        title = f"{workload.rpartition('/')[2]}, {passes}, {dtype}{many}"
        rows = [(_name(s), duration(float(s.figures["seconds"])), *_beside_numpy(s)) for s in ordered]
        found.append(
            Picture(
                f"How fast: {title}",
                "" if found else _ABOUT_BARS.format(against),
                _bar_drawing(f"Times of {title} beside NumPy's", ordered),
                Table(("implementation", "time", "times NumPy’s", "interval", "disturbed"), tuple(rows), 1),
            )
        )
    return found


def _beside_numpy(speed: Speed) -> tuple[str, str, str]:
    low, high = (_finite(speed.figures.get(name)) for name in ("ratio_low", "ratio_high"))
    disturbed = _finite(speed.figures.get("disturbed"))
    return (
        f"{rough(float(speed.figures['ratio']))} ×",
        f"{rough(low)} to {rough(high)}" if low is not None and high is not None else "",
        f"{100 * disturbed:.0f} %" if disturbed is not None else "",
    )


def _bar_drawing(label: str, members: Sequence[Speed]) -> Markup:
    values = [1.0]
    for s in members:
        ends = (_finite(s.figures.get(name)) for name in ("ratio", "ratio_low", "ratio_high"))
        values += [end for end in ends if end is not None and end > 0]
    left, right = math.log10(min(values)) - 0.05, math.log10(max(values)) + 0.05

    def across(ratio: float) -> float:
        return round(_BARS * (math.log10(ratio) - left) / (right - left), 1)

    height = _BAR_ROW * len(members) + 22
    parts = [
        Markup('<svg class="plot" role="img" viewBox="0 0 {} {}" width="{}" height="{}" aria-label="{}">').format(
            _BARS, height, _BARS, height, f"{label}; the table has the numbers"
        ),
        Markup('<path class="one" d="M{:g} 0V{:g}"/>').format(across(1.0), height - 18),
        _label(min(max(across(1.0), 24), _BARS - 24), height - 4, "NumPy", "middle", "tick"),
    ]
    for i, s in enumerate(members):
        top, ratio, (times, interval, disturbed) = _BAR_ROW * i, float(s.figures["ratio"]), _beside_numpy(s)
        one, end = across(1.0), across(ratio)
        kind = "bar hollow" if s.figures.get("mostly_disturbed") else "bar"
        words = f"{_name(s)}: {times}" + (f", {interval}" if interval else "") + f"; {disturbed or 'not'} disturbed"
        parts += [
            Markup("<g><title>{}</title>").format(words),
            _label(0, top + 12, f"{_name(s)}  {times}", "start", "name"),
            Markup('<path class="{}" d="M{:g} {:g}H{:g}v10H{:g}z"/>').format(kind, one, top + 17, end, one),
        ]
        low, high = (_finite(s.figures.get(name)) for name in ("ratio_low", "ratio_high"))
        if low is not None and high is not None and low > 0 and high > 0:
            parts.append(
                Markup('<path class="whisker" d="M{:g} {:g}H{:g}"/>').format(across(low), top + 22, across(high))
            )
        parts.append(Markup("</g>"))
    return Markup("").join([*parts, Markup("</svg>")])


def _sizes(timed: Sequence[Speed], run: Run) -> list[Picture]:
    """Time against size, one picture per loss and pass, with the limit of the machine."""
    losses = {name: text(w.get("loss")) for name, w in _workloads(run).items()}
    groups: dict[tuple[str, str, str], list[Speed]] = defaultdict(list)
    for s in timed:
        if _finite(s.figures.get("elements")):
            groups[losses.get(s.workload, "?"), _word(s.figures.get("passes")), text(s.dtype)].append(s)
    found = []
    for (loss, passes, dtype), members in sorted(groups.items()):
        if len({s.workload for s in members}) < 2:
            continue
        points = [_Point(float(s.figures["elements"]), float(s.figures["seconds"]), _name(s)) for s in members]
        limits = sorted(
            {(float(s.figures["elements"]), _finite(s.figures.get("limit_seconds")) or 0.0) for s in members}
        )
        limits = [(x, y) for x, y in limits if y > 0]
        rows = [(p.name, count(int(p.x)), duration(p.y)) for p in sorted(points, key=lambda p: (p.x, p.y))]
        rows += [("limit of the memory", count(int(x)), duration(y)) for x, y in limits]
        found.append(
            Picture(
                f"Time against size: {loss}, {passes}, {dtype}",
                "Both axes are logarithmic. The line is the least time in which this machine can move the bytes.",
                _plane(f"Time of {loss} against its size", "elements", "seconds", points, line=limits),
                Table(("implementation", "elements", "time"), tuple(rows), 1),
            )
        )
    return found


def _errors(timed: Sequence[Speed], run: Run) -> list[Picture]:
    """Error against time per loss: who is both right and fast. The error is that of the run's cells of the loss."""
    losses = {name: text(w.get("loss")) for name, w in _workloads(run).items()}
    case_loss = {case: text(entry.get("loss")) for case, entry in cases_of(run).items()}
    worst: dict[tuple[str, str, str], float] = {}
    outside: Counter[tuple[str, str, str]] = Counter()
    for cell in run.cells:
        if cell.aspect != "value" or cell.ulps is None:
            continue
        key = (case_loss.get(cell.case, ""), cell.implementation, cell.dtype)
        share = excess(cell)
        outside[key] += share > 1
        worst[key] = max(worst.get(key, 0.0), share if share <= 1 else 0.0)
    groups: dict[tuple[str, str], list[tuple[_Point, Speed]]] = defaultdict(list)
    for s in timed:
        loss, ns = losses.get(s.workload, "?"), _finite(s.figures.get("ns_per_element"))
        error = worst.get((loss, s.implementation, s.dtype))
        if ns and error is not None and s.figures.get("passes") == "forward":
            groups[loss, s.workload].append((_Point(ns, max(error, 1e-3), _name(s)), s))
    found = []
    for (loss, workload), members in sorted(groups.items()):
        rows = [
            (p.name, rough(p.x), rough(p.y), str(outside[loss, s.implementation, s.dtype]))
            for p, s in sorted(members, key=lambda m: m[0].x)
        ]
        found.append(
            Picture(
                f"Error against time: {loss} on {text(workload)}",
                "Up: the largest share of its error budget that any value of this loss needed in this run and kept "
                "within (1, the line, is all of it); how many were outside is in the table. Left and low is best.",
                _plane(
                    f"Error of {loss} against its time",
                    "ns per element",
                    "share of the error budget",
                    [p for p, _ in members],
                    level=1.0,
                ),
                Table(("implementation", "ns per element", "largest share", "values outside"), tuple(rows), 1),
            )
        )
    return found


def _compiled(timed: Sequence[Speed]) -> list[Picture]:
    """Eager against compiled: below the diagonal compiling paid."""
    eager = {_spot(s): s for s in timed if s.mode == "eager"}
    pairs = [(eager[_spot(s)], s) for s in timed if s.mode != "eager" and _spot(s) in eager]
    return _against(
        pairs,
        "Eager against compiled",
        "One dot per workload and pass. Below the line the compiled one is faster; compiling itself is not counted.",
        ("eager, s", "compiled, s"),
        _name,
    )


def _passes(timed: Sequence[Speed]) -> list[Picture]:
    """Forward against forward+backward."""
    forward = {
        (*_spot(s)[:3], s.mode, s.figures.get("threads")): s for s in timed if s.figures.get("passes") == "forward"
    }
    pairs = []
    for s in timed:
        key = (*_spot(s)[:3], s.mode, s.figures.get("threads"))
        if s.figures.get("passes") != "forward" and key in forward:
            pairs.append((forward[key], s))
    return _against(
        pairs,
        "Forward against forward and backward",
        "One dot per workload. How far above the line a dot lies is what the gradient costs.",
        ("forward, s", "forward and backward, s"),
        _name,
    )


def _spot(speed: Speed) -> tuple[str, str, str, Any, Any]:
    return (
        speed.workload,
        speed.implementation,
        speed.dtype,
        speed.figures.get("passes"),
        speed.figures.get("threads"),
    )


def _against(
    pairs: Sequence[tuple[Speed, Speed]], title: str, caption: str, axes: tuple[str, str], name: Callable[[Speed], str]
) -> list[Picture]:
    if not pairs:
        return []
    points = [_Point(float(a.figures["seconds"]), float(b.figures["seconds"]), name(b)) for a, b in pairs]
    rows = [
        (
            name(b),
            f"{text(b.workload)} {_word(b.figures.get('passes'))}",
            duration(float(a.figures["seconds"])),
            duration(float(b.figures["seconds"])),
            rough(b.figures["seconds"] / a.figures["seconds"]),
        )
        for a, b in sorted(pairs, key=lambda p: (name(p[1]), p[0].figures["seconds"]))
    ]
    heads = ("implementation", "workload", *axes, "second / first")
    drawing = _plane(title, *axes, points, diagonal=True)
    return [Picture(title, caption, drawing, Table(heads, tuple(rows), 2))]


def _name(speed: Speed) -> str:
    return f"{text(speed.implementation)}:{text(speed.mode)}"


def _workloads(run: Run) -> Mapping[str, Mapping[str, Any]]:
    found = run.header.suite.get("workloads")
    return found if isinstance(found, Mapping) else {}


def _plane(
    label: str,
    across: str,
    up: str,
    points: Sequence[_Point],
    *,
    line: Sequence[tuple[float, float]] = (),
    level: float | None = None,
    diagonal: bool = False,
) -> Markup:
    """Points on two logarithmic axes, one letter per name."""
    xs = [p.x for p in points] + [x for x, _ in line]
    ys = [p.y for p in points] + [y for _, y in line] + ([] if level is None else [level])
    if diagonal:
        xs = ys = xs + ys
    left, right = _decades(xs)
    low, high = _decades(ys)

    def place(x: float, y: float) -> tuple[float, float]:
        return (
            round(_LEFT + _WIDTH * (math.log10(x) - left) / (right - left), 1),
            round(_TOP + _HEIGHT * (1 - (math.log10(y) - low) / (high - low)), 1),
        )

    width, height = _LEFT + _WIDTH + _KEY, _TOP + _HEIGHT + _BOTTOM
    parts = [
        Markup('<svg class="plot" role="img" viewBox="0 0 {} {}" width="{}" height="{}" aria-label="{}">').format(
            width, height, width, height, f"{label}; the table has the numbers"
        )
    ]
    for decade in range(left, right + 1):
        x, _ = place(10.0**decade, 10.0**low)
        parts.append(Markup('<path class="grid" d="M{:g} {:g}v{:g}"/>').format(x, _TOP, _HEIGHT))
        parts.append(_label(x, _TOP + _HEIGHT + 16, f"1e{decade}", "middle", "tick"))
    for decade in range(low, high + 1):
        _, y = place(10.0**left, 10.0**decade)
        parts.append(Markup('<path class="grid" d="M{:g} {:g}h{:g}"/>').format(_LEFT, y, _WIDTH))
        parts.append(_label(_LEFT - 6, y + 4, f"1e{decade}", "end", "tick"))
    if line:
        path = "L".join("{:g} {:g}".format(*place(x, y)) for x, y in line)
        parts.append(Markup('<path class="one" fill="none" d="M{}"/>').format(path))
        x, y = place(*line[-1])
        parts.append(_label(x, y + 14, "limit", "end", "tick"))
    if level is not None:
        _, y = place(10.0**left, level)
        parts.append(Markup('<path class="one" d="M{:g} {:g}h{:g}"/>').format(_LEFT, y, _WIDTH))
    if diagonal:
        ends = (*place(10.0**left, 10.0**low), *place(10.0**right, 10.0**high))
        parts.append(Markup('<path class="one" d="M{:g} {:g}L{:g} {:g}"/>').format(*ends))
    names = sorted({p.name for p in points})
    letters = {name: _LETTERS[i % len(_LETTERS)] for i, name in enumerate(names)}
    at = [(*place(p.x, p.y), letters[p.name]) for p in points]
    if line:  # the points of one implementation belong together
        for letter in sorted({letter for *_, letter in at}):
            path = "L".join(f"{x:g} {y:g}" for x, y, own in sorted(at) if own == letter)
            parts.append(Markup('<path class="trend" d="M{}"/>').format(path))
    parts += [Markup('<circle class="in" cx="{:g}" cy="{:g}" r="2.5"/>').format(x, y) for x, y, _ in at]
    parts += _letters(at)
    for i, name in enumerate(names):
        parts.append(_label(_LEFT + _WIDTH + 24, _TOP + 12 + 16 * i, f"{letters[name]}  {name}", "start", "name"))
    parts.append(_label(_LEFT + _WIDTH / 2, _TOP + _HEIGHT + 38, across, "middle", "tick"))
    parts.append(_label(_LEFT, _TOP - 7, up, "start", "tick"))
    return Markup("").join([*parts, Markup("</svg>")])


_AROUND = [(side * (8 + 9 * away), 4 + 9 * up) for away in range(4) for up in (0, -1, 1, -2, 2) for side in (1, -1)]
"""Where a letter may stand beside its point, nearest first: nine units are the width and height of one."""


def _letters(points: Sequence[tuple[float, float, str]]) -> list[Markup]:
    """The letter of each point, moved aside where another stands already; letters that stay crowded overlap."""
    taken: list[tuple[float, float]] = []
    parts = []
    for x, y, letter in sorted(points, key=lambda p: (p[1], p[0], p[2])):
        free = (
            (x + dx, y + dy)
            for dx, dy in _AROUND
            if all(abs(x + dx - a) >= 9 or abs(y + dy - b) >= 9 for a, b in taken)
        )
        spot = next(free, (x + _AROUND[0][0], y + _AROUND[0][1]))
        taken.append(spot)
        parts.append(_label(*spot, letter, "middle", "tick letter"))
    return parts


def _decades(values: Sequence[float]) -> tuple[int, int]:
    """Whole decades around the numbers, two ends at least."""
    low = math.floor(math.log10(min(values)))
    return low, max(low + 1, math.ceil(math.log10(max(values))))


def _label(x: float, y: float, words: str, anchor: str, kind: str) -> Markup:
    return Markup('<text class="{}" x="{:g}" y="{:g}" text-anchor="{}">{}</text>').format(
        kind, x, y, anchor, escape(words)
    )
