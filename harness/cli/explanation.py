"""One case in words: what is computed, what is true, how everybody answers. Fits a terminal of 80 columns."""

from __future__ import annotations

import inspect
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from harness.cli.console import Terminal
from harness.core.case import Case
from harness.core.cell import RIGHT, Cell, Run
from harness.core.formats import FORMATS
from reference import losses
from reports.words import MARKS, gravity, status

WIDTH = 80
"""Columns of the narrowest terminal that people use."""

LONGEST = 24
"""Characters of an answer in its line: a float64 with sign and exponent."""


def show_case(case: Case, run: Run, *, cells: bool = False) -> None:
    """Formula, inputs, truth, a line for each implementation and the claims; with `cells` one for each cell besides."""
    out = Terminal()
    out.print((case.id, "bold"))
    for line in described(case, run):
        out.print(line)
    asked = [cell for cell in run.cells if cell.case == case.id]
    for line, style in standing(asked):
        out.print((line, style))
    for line in own_truths(asked, run):
        out.print(line)
    if cells:
        headings = ("implementation", "dtype", "aspect", "verdict", "answer", "ulps", "R", "function, explanation")
        out.table(dict.fromkeys(headings, "left"), map(_answer, asked))
    for line in _claims(case, run):
        out.print(line)
    if not cells:
        out.print(f"next: `xent explain {case.id} --cells` for each cell")


def described(case: Case, run: Run) -> Iterator[str]:
    """What the case is, and what is true of it."""
    entry = run.header.suite["cases"][case.id]
    yield from _wrapped("", case.title)
    yield from _wrapped("why: ", case.why)
    if case.source is not None:
        yield from _wrapped("source: ", case.source.document)
    formula = (inspect.getdoc(getattr(losses, case.loss)) or "").partition("\n")[0]
    yield from _wrapped(f"{case.loss}: ", formula)
    for name, value in [*entry["inputs"].items(), *entry["options"].items()]:
        yield from _wrapped(f"  {name} = ", str(value))
    if entry.get("vector"):
        yield from _wrapped("  direction of the derivatives = ", str(entry["vector"]))
    if entry["expect"] != "truth":
        yield from _wrapped("expects: ", str(entry["expect"]))
    truth = entry.get("truth") or {}
    for aspect, shown in truth.items():
        if aspect != "dtype":
            yield from _wrapped(f"truth, {aspect} ({truth['dtype']}): ", ", ".join(shown["digits"]))


def standing(cells: Sequence[Cell]) -> Iterator[tuple[str, str]]:
    """A line and its style for each implementation and mode, the gravest first: its value, and how its cells stand.

    What is neither right nor right by convention has a line below that says why, one for neighbours of the same reason.
    Those that offer none of it are one sentence at the end.
    """
    groups: dict[str, list[Cell]] = {}
    for cell in cells:
        groups.setdefault(f"{cell.implementation}:{cell.mode}", []).append(cell)
    answering = {name: group for name, group in groups.items() if any(cell.verdict != "unsupported" for cell in group)}
    wide = max(map(len, answering), default=0)
    widest = max((len(_value(group)) for group in answering.values()), default=0)
    above = ""
    for name, group in sorted(answering.items(), key=lambda entry: (-max(map(_rank, entry[1])), entry[0])):
        worst = max(group, key=gravity)
        why = f"{worst.dtype} {worst.aspect}: {worst.explanation}" if worst.explanation else ""
        why = "" if worst.verdict in RIGHT else "    " + textwrap.shorten(why, WIDTH - 4, placeholder=" …")
        if above.strip() and why != above:
            yield (above, "")
        above = why
        yield (f"{name:{wide}}  {_value(group):{widest}}  {_counted(group)}", "" if _is_fine(worst) else "red")
    if above.strip():
        yield (above, "")
    silent = sorted({group[0].implementation for name, group in groups.items() if name not in answering})
    if silent:
        yield (f"not offered by {', '.join(silent)}", "")


def _counted(group: Sequence[Cell]) -> str:
    """How many cells are judged how; where the gravest are right by a convention, by which."""
    counts = Counter(status(cell) for cell in group if cell.verdict != "unsupported")
    worst = max(group, key=gravity)
    if worst.verdict == "by_convention" and worst.convention:
        return f"{counts['by_convention']} of {counts.total()} under {worst.convention}"
    return ", ".join(f"{MARKS[key].word} {counts[key]}" for key in MARKS if counts[key])


def own_truths(cells: Sequence[Cell], run: Run) -> Iterator[str]:
    """Whom the truth above does not judge, and by what they were judged."""
    for name, described in run.header.implementations.items():
        answered = [c for c in cells if c.implementation == name and c.aspect == "value" and c.truth is not None]
        if described.get("truth") and answered:
            truth = max(answered, key=lambda c: c.dtype == "float64")
            yield from _wrapped(f"{name} is judged by {described['truth']}: ", f"{truth.truth} ({truth.dtype})")


def _rank(cell: Cell) -> int:
    return MARKS[status(cell)].rank


def _is_fine(cell: Cell) -> bool:
    return cell.verdict in ("agrees", "by_convention", "known", "unsupported")


def _value(cells: Iterable[Cell]) -> str:
    """What came back for the value in the widest dtype that was answered."""
    order = list(FORMATS)
    answered = [c for c in cells if c.aspect == "value" and c.outcome["kind"] != "unsupported"]
    if not answered:
        return ""
    first = min(answered, key=lambda c: order.index(c.dtype) if c.dtype in order else len(order))
    kind = str(first.outcome["kind"])
    text = str(first.outcome.get("type", kind)).rpartition(".")[2] if first.got is None else str(first.got)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _answer(cell: Cell) -> tuple[str, ...]:
    answer = cell.outcome.get("type") or cell.got if cell.outcome["kind"] != "unsupported" else "-"
    return (
        f"{cell.implementation}:{cell.mode}",
        cell.dtype,
        cell.aspect,
        cell.verdict + (f" {cell.ledger}" if cell.ledger else ""),
        str(answer)[:60],
        "" if cell.ulps is None else f"{float(cell.ulps):.3g}",
        "" if cell.ratio is None else f"{float(cell.ratio):.3g}",
        "; ".join(t for t in (cell.function, cell.explanation) if t),
    )


def _claims(case: Case, run: Run) -> Iterator[str]:
    for claim in run.claims:
        if claim.case == case.id:
            judged = claim.verdict.replace("_", " ")
            yield from _wrapped("claim: ", f"{claim.says or claim.claimed} {judged.capitalize()}: {claim.explanation}")


def _wrapped(label: str, text: str) -> Iterator[str]:
    """The text after its label in lines of `WIDTH`, those after the first indented."""
    yield from textwrap.wrap(f"{label}{text}", WIDTH, subsequent_indent="    ", break_on_hyphens=False)
