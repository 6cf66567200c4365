"""All cells of a run as one compressed text that the page unpacks when somebody looks at details.

Columns instead of objects, and every text, number list and name once: a hundred thousand cells take some two megabytes,
and the page holds no element for a cell that nobody looks at.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from harness.core.cell import Cell, Run
from harness.core.printing import visible
from reports.html.matrix import Column, folder
from reports.html.packing import packed
from reports.number_format import shown
from reports.tally import cases_of, text
from reports.words import MARKS, excess, status, told

__all__ = ["in_order", "pack"]

_ALIKE_SHOWN = 4
"""Elements shown of an array that agrees: which digits agree is no news, and they are most of a report's bytes."""
_LONGEST_TEXT = 600
"""Characters of a message; frameworks append whole stack traces to some."""


class _Table:
    """Texts numbered in the order in which they are first seen; 0 is the absence of one."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {"": 0}

    def number(self, words: str) -> int:
        return self._numbers.setdefault(words, len(self._numbers))

    def texts(self) -> list[str]:
        return list(self._numbers)


def in_order(run: Run, cases: Sequence[str], columns: Sequence[Column]) -> list[Cell]:
    """The cells as the page counts them."""
    case_number = {case: i for i, case in enumerate(cases)}
    column_number = {column: i for i, column in enumerate(columns)}
    return sorted(run.cells, key=lambda c: (case_number[c.case], column_number[column_of(c)], c.dtype, c.aspect))


def pack(
    run: Run, cells: Sequence[Cell], cases: Sequence[str], columns: Sequence[Column], scriptless: Sequence[str]
) -> str:
    """What report.js reads: the same run gives the same text.

    `cells` are those of the run in the page's order; `scriptless` says for each why it has no script, if it has none.
    """
    described = cases_of(run)
    case_number = {case: i for i, case in enumerate(cases)}
    column_number = {column: i for i, column in enumerate(columns)}
    strings, dtypes, aspects, happenings = _Table(), _Table(), _Table(), _Table()
    statuses = list(MARKS)
    content: dict[str, Any] = {
        "cases": [_case(case, described.get(case, {})) for case in cases],
        "columns": [[c.implementation, c.mode] for c in columns],
        "statuses": [[m.key, m.glyph, m.word, m.rank] for m in MARKS.values()],
        "case": _steps([case_number[c.case] for c in cells]),
        "column": [column_number[column_of(c)] for c in cells],
        "dtype": [dtypes.number(c.dtype) for c in cells],
        "aspect": [aspects.number(c.aspect) for c in cells],
        "status": [statuses.index(status(c)) for c in cells],
        "happened": [happenings.number(told(c)) for c in cells],
        "ulps": [_short(c.ulps) for c in cells],
        "ratio": [_short(c.ratio) for c in cells],
        "excess": [round(min(excess(c), 1e12), 3) for c in cells if status(c) != "agrees"],
        "budget": [_short(c.budget) for c in cells],
        "error_scale": [strings.number(_error_scale(c)) for c in cells],
        "worst": [c.worst for c in cells],
        "grade": [c.grade or "" for c in cells],
        "truth": [strings.number(_numbers(c, c.truth, "float64")) for c in cells],
        "got": [strings.number(_numbers(c, c.got, c.dtype)) for c in cells],
        "note": [strings.number(_clip(c.explanation)) for c in cells],
        "convention": [strings.number(_clip(c.convention)) for c in cells],
        "ledger": [strings.number(_clip(c.ledger)) for c in cells],
        "function": [strings.number(_clip(c.function)) for c in cells],
        "message": [strings.number(_message(c)) for c in cells],
        "scriptless": [strings.number(_clip(reason)) for reason in scriptless],
    }
    content |= {
        "strings": strings.texts(),
        "dtypes": dtypes.texts(),
        "aspects": aspects.texts(),
        "happenings": happenings.texts(),
    }
    return packed(_visible(content))


def _visible(content: Any) -> Any:
    """The content with what steers in its texts shown, since the page's script writes them as they are."""
    if isinstance(content, str):
        return visible(content)
    if isinstance(content, list):
        return [_visible(value) for value in content]
    return {_visible(n): _visible(v) for n, v in content.items()} if isinstance(content, dict) else content


def _error_scale(cell: Cell) -> str:
    """What the error budget is made of, as the script writes it: pairs of letter and number."""
    return "" if cell.error_scale is None else json.dumps(list(cell.error_scale.items()), ensure_ascii=False)


def column_of(cell: Cell) -> Column:
    return Column(cell.implementation, cell.mode)


def _case(case: str, described: Mapping[str, Any]) -> list[Any]:
    """id, title, folder, loss, what it can be filtered by (tags, then options)."""
    traits = [f"tag {t}" for t in described.get("tags") or ()]
    for name, value in (described.get("options") or {}).items():
        traits.append(f"option {name}")
        if isinstance(value, str) and len(value) < 16:
            traits.append(f"{name} = {value}")
    return [case, text(described.get("title")), folder(case), text(described.get("loss")), traits]


def _steps(numbers: Sequence[int]) -> list[int]:
    """Differences of a rising sequence; nearly all zeros, which compress to nothing."""
    return [b - a for a, b in zip([0, *numbers], numbers, strict=False)]


def _short(value: float | str | None) -> float | str | None:
    """Three digits; "inf" and "nan" stay words."""
    if value is None:
        return None
    number = float(value)
    return float(f"{number:.3g}") if abs(number) < float("inf") else str(number)


def _cut(value: Any) -> Any:
    if isinstance(value, list | tuple) and _size(value) > _ALIKE_SHOWN:
        flat = _flat(value)
        return [*flat[:_ALIKE_SHOWN], f"… {len(flat) - _ALIKE_SHOWN} more"]
    return value


def _numbers(cell: Cell, value: Any, dtype: str) -> str:
    return shown(_cut(value) if cell.verdict == "agrees" else value, dtype)


def _flat(value: Any) -> list[Any]:
    return [x for v in value for x in _flat(v)] if isinstance(value, list | tuple) else [value]


def _size(value: Any) -> int:
    return sum(_size(v) for v in value) if isinstance(value, list | tuple) else 1


def _message(cell: Cell) -> str:
    """What an exception said; why something is not offered or how a process ended, where no sentence says it."""
    outcome = cell.outcome
    other = "" if cell.explanation else outcome.get("reason") or outcome.get("signal") or ""
    words = outcome.get("message") or other
    kind = outcome.get("type")
    return _clip(f"{kind}: {words}" if kind else words) + _clip("".join(f" [{w}]" for w in cell.warnings))


def _clip(words: object) -> str:
    if words is None:
        return ""
    whole = str(words)
    return whole if len(whole) <= _LONGEST_TEXT else whole[: _LONGEST_TEXT - 1] + "…"
