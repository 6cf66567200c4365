"""A run in one picture: how each implementation stands, as SVG for a README or a slide.

It follows the reader's light or dark theme by itself, needs no fonts and no script, and is the same for the same run.
"""

from __future__ import annotations

from markupsafe import Markup, escape

from harness.core.cell import Run
from reports.html.summary import Bar, segments
from reports.numbers import count, percent
from reports.tally import Standing, standings, totals
from reports.words import MARKS
from reports.xml_text import printable

__all__ = ["render"]

_WIDTH, _LEFT, _ROW, _TOP = 720, 190, 26, 76
"""Units of the picture: its width, the space for names, the height of a row, the space above the rows."""
_STRETCH = 1.5
"""Units of the picture per unit of a bar."""

_STYLE = """
text{font:13px system-ui,sans-serif;fill:#1b1e23}.quiet{fill:#5b626d;font-size:12px}
.head{font-size:17px;font-weight:600}
.agrees{fill:#7fae98}.by_convention{fill:#27599f}.known{fill:#64449a}.silently_wrong{fill:#a3161c}
.silent_nonfinite{fill:#9c3d00}.unexpected_error{fill:#7b4d00}.wrong_error{fill:#665200}.paper{fill:#fcfcfa}
@media(prefers-color-scheme:dark){text{fill:#e7e5df}.quiet{fill:#a0a7b3}.paper{fill:#131519}.agrees{fill:#4c7c67}
.by_convention{fill:#8db7f3}.known{fill:#c1a5ee}.silently_wrong{fill:#ff9a94}.silent_nonfinite{fill:#ffae75}
.unexpected_error{fill:#eec06a}.wrong_error{fill:#d9c96b}}
"""


def render(run: Run) -> str:
    """One row per implementation that was judged: name and version, bar of its verdicts, share that is right."""
    rows = [standing for standing in standings(run) if standing.judged]
    t = totals(run)
    height = _TOP + len(rows) * _ROW + 40
    title = f"{count(t.disagreeing)} of {count(t.judged)} judged cells disagree with the exact truth"
    parts = [
        Markup(
            '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {0} {1}" width="{0}" height="{1}" role="img">'
        ).format(_WIDTH, height),
        Markup("<title>{}</title><style>{}</style>").format(title, Markup(_STYLE)),
        Markup('<rect class="paper" width="{}" height="{}"/>').format(_WIDTH, height),
        _text(20, 34, title, "head"),
        _text(20, 54, f"{count(t.cases)} cases, {run.header.started[:10]}", "quiet"),
        *(_row(standing, _TOP + i * _ROW) for i, standing in enumerate(rows)),
        _legend(rows, height - 14),
        Markup("</svg>"),
    ]
    return "".join(parts) + "\n"


def _row(standing: Standing, y: int) -> Markup:
    bars = Markup("").join(_bar(bar, y) for bar in segments(standing.counts))
    name = _text(_LEFT - 12, y + 13, standing.implementation, anchor="end")
    share = _text(
        _LEFT + 240 * _STRETCH + 14, y + 13, f"{percent(standing.share)} of {count(standing.judged)}", "quiet"
    )
    return name + bars + share


def _bar(bar: Bar, y: int) -> Markup:
    return Markup('<rect class="{}" x="{:g}" y="{}" width="{:g}" height="12"/>').format(
        bar.key, round(_LEFT + bar.x * _STRETCH, 2), y + 3, round(bar.width * _STRETCH, 2)
    )


def _legend(rows: list[Standing], y: int) -> Markup:
    """Only what occurs, with its glyph: the colours mean nothing alone."""
    parts, x = [], 20
    for key in reversed([key for key in MARKS if any(bar.key == key for s in rows for bar in segments(s.counts))]):
        parts.append(Markup('<rect class="{}" x="{}" y="{}" width="10" height="10"/>').format(key, x, y - 9))
        parts.append(_text(x + 15, y, f"{MARKS[key].glyph} {MARKS[key].word}", "quiet"))
        x += 36 + 7 * len(MARKS[key].word)  # some seven units per letter of twelve
    return Markup("").join(parts)


def _text(x: float, y: float, words: str, kind: str = "name", anchor: str = "start") -> Markup:
    return Markup('<text class="{}" x="{:g}" y="{:g}" text-anchor="{}">{}</text>').format(
        kind, x, y, anchor, escape(printable(words))
    )
