"""What is wrong with an implementation, told once per cause. Pure.

A cause is a wrong step that the diagnosis named, in as many cells as it explains; else what was observed, and what the
cells that show it have in common and no right answer has. The smallest of the gravest cases stands for the rest.
"""

from __future__ import annotations

import shlex
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from harness.core.cell import RIGHT, SEVERITIES, Cell, Run
from harness.core.formats import FORMATS
from harness.core.shown_values import beside_truth

FEWEST = 2
"""Cells that have something in common: one has anything."""

NOT_OFFERED = ("what is refused as",)
"""Traits that nobody offers: with these an implementation has to say that they are wrong."""


@dataclass(frozen=True)
class Failure:
    """Cells of one implementation that are wrong for one reason."""

    implementation: str
    sentence: str
    """The reason in one clause, without the numbers of any cell."""
    cells: tuple[Cell, ...]
    """The smallest of the gravest first."""
    losses: tuple[str, ...]
    of: int
    """How many cells of the implementation are wrong."""
    explains: bool = False
    """Whether the reason is a wrong step."""
    hint: str = ""
    """What whoever wrote the adapter may do about it."""

    @property
    def witness(self) -> Cell:
        return self.cells[0]

    @property
    def severity(self) -> str:
        """Of its gravest cell, which is the witness: a heading that says one thing over a cell that shows another
        would be a third."""
        return SEVERITIES[_gravity(self.witness)]

    @property
    def count(self) -> str:
        """How many cells, and where a wrong step explains more than one, of how many."""
        n = len(self.cells)
        if self.explains and n > 1:
            return f"one change explains {n} of {self.of} wrong cells"
        return f"{n} cell{'' if n == 1 else 's'}"


def _gravity(cell: Cell) -> int:
    """The place of its severity; a cell that says none is taken for the gravest."""
    return SEVERITIES.index(cell.severity or SEVERITIES[0])


def failures(run: Run) -> tuple[Failure, ...]:
    """Everything that disagrees, by cause: the gravest first, then what explains most."""
    return failures_of(run.cells, run.header.suite.get("cases", {}))


def failures_of(cells: Iterable[Cell], cases: Mapping[str, Mapping[str, Any]]) -> tuple[Failure, ...]:
    """As `failures`; `cases` are what the header of the run says of each."""
    wrong: dict[str, list[Cell]] = defaultdict(list)
    right: dict[str, list[Cell]] = defaultdict(list)
    for cell in cells:
        if cell.verdict == "disagrees":
            wrong[cell.implementation].append(cell)
        elif cell.verdict in RIGHT and cell.outcome.get("kind") == "value":
            right[cell.implementation].append(cell)
    found = [failure for name, some in wrong.items() for failure in _of_one(name, some, right[name], cases)]
    return tuple(sorted(found, key=lambda f: (SEVERITIES.index(f.severity), -len(f.cells), f.implementation)))


def in_words(failure: Failure) -> tuple[str, ...]:
    """A failure in lines: the cause, what can be done, its smallest witness, the command that shows it again."""
    witness = failure.witness
    losses = f" {failure.losses[0]}" if len(failure.losses) == 1 else ""
    again = f"xent repro --again {shlex.quote(witness.name)}"
    lines = [f"  {failure.implementation}{losses}: {failure.count}: {failure.sentence}"]
    lines += [f"      {failure.hint}"] if failure.hint else []
    shown = (failure.explains and beside_truth(witness)) or " ".join(str(witness.explanation).split())
    return (*lines, f"      such as {witness.name}: {shown[:LONGEST_SHOWN]}", f"      {again}")


_ORDER = {name: place for place, name in enumerate(FORMATS)}
"""Of dtypes; a run file may hold a cell of all of them."""

LONGEST_SHOWN = 200
"""Characters of what a witness shows."""


def _of_one(
    name: str, wrong: Sequence[Cell], right: Sequence[Cell], cases: Mapping[str, Mapping[str, Any]]
) -> Iterator[Failure]:
    def failure(sentence: str, some: Iterable[Cell], *, explains: bool = False, hint: str = "") -> Failure:
        def smallest(cell: Cell) -> tuple[Any, ...]:
            size = cases.get(cell.case, {}).get("size", 0)
            return (_gravity(cell), size, cell.aspect != "value", _ORDER.get(cell.dtype, len(_ORDER)), cell.key)

        ordered = tuple(sorted(some, key=smallest))
        losses = tuple(sorted({str(cases.get(cell.case, {}).get("loss", "")) for cell in ordered}))
        return Failure(name, sentence, ordered, losses, len(wrong), explains, hint)

    left = {cell.key: cell for cell in _with_causes_of_the_same_case(wrong)}
    while True:
        counts = Counter(cause for cell in left.values() for cause in cell.causes)
        if not counts:
            break
        cause = max(counts, key=lambda one: (counts[one], one))
        explained = [cell for cell in left.values() if cause in cell.causes]
        says = Counter(cell.causes[cause] for cell in explained).most_common(1)[0][0]
        yield failure(says, explained, explains=True)
        for cell in explained:
            del left[cell.key]
    facts: dict[str, list[Cell]] = defaultdict(list)
    for cell in left.values():
        facts[fact_of(cell)].append(cell)
    innocent = {trait for cell in right for trait in _traits(cell, cases)}
    for fact, some in facts.items():
        remaining = list(some)
        while remaining:
            shared = Counter(t for cell in remaining for t in _traits(cell, cases) if t not in innocent)
            common = max(shared, key=lambda t: shared[t], default="")  # the first of those that say as much
            if shared[common] < FEWEST:
                yield failure(fact, remaining)
                break
            chosen = [cell for cell in remaining if common in _traits(cell, cases)]
            own = ":" in name and fact.startswith("raises") and not common.startswith(NOT_OFFERED)
            hint = "raise Unsupported if you do not offer it" if own else ""
            yield failure(f"{fact} for {common}", chosen, hint=hint)
            remaining = [cell for cell in remaining if common not in _traits(cell, cases)]


def _with_causes_of_the_same_case(wrong: Sequence[Cell]) -> Iterator[Cell]:
    """What nothing explains has the causes of the same aspect in a wider format, whose digits not many mistakes share,
    or else those of the value: a gradient may keep less of a mistake than the value. Never the other way round, and
    nothing where the shape says enough. Where the value is not finite, what explains it explains its derivatives too,
    whatever else would give these numbers: of infinity they are 0, 1 or nan."""
    same_aspect: dict[tuple[str, ...], Mapping[str, str]] = {}
    of_value: dict[tuple[str, ...], Mapping[str, str]] = {}
    not_finite: dict[tuple[str, ...], Mapping[str, str]] = {}
    for cell in wrong:
        if cell.causes and cell.dtype in ("float64", "float32"):
            same_aspect.setdefault((cell.case, cell.mode, cell.aspect), cell.causes)
            if cell.aspect == "value":
                of_value.setdefault((cell.case, cell.mode), cell.causes)
        if cell.aspect == "value" and _kind(cell) in ("nan", "inf"):
            not_finite[cell.case, cell.mode, cell.dtype] = cell.causes
    for cell in wrong:
        causes = cell.causes
        if not causes and _kind(cell) in _NUMBERS:
            near = same_aspect.get((cell.case, cell.mode, cell.aspect))
            causes = near or of_value.get((cell.case, cell.mode), {})
        if cell.aspect != "value" and _kind(cell) in _NUMBERS:
            causes = {**causes, **not_finite.get((cell.case, cell.mode, cell.dtype), {})}
        yield replace(cell, causes=causes)


_NUMBERS = ("finite", "nan", "inf")
"""Kinds of facts about numbers, which a wrong step may have made."""


def _kind(cell: Cell) -> str:
    return "finite" if cell.observed is None else cell.observed.kind


def _traits(cell: Cell, cases: Mapping[str, Mapping[str, Any]]) -> tuple[str, ...]:
    of_case = cases.get(cell.case, {}).get("traits", ())
    kind = "gradients" if cell.aspect.startswith("gradient") else cell.aspect.replace("_", " ")
    return (*of_case, cell.dtype, f"mode {cell.mode}", kind)


def fact_of(cell: Cell) -> str:
    """What was observed of a wrong cell, without its numbers."""
    observed = cell.observed
    kind = "finite" if observed is None else observed.kind
    error = "" if observed is None or observed.error is None else observed.error.removeprefix("builtins.")
    if kind == "raises":
        return f"raises {error}" + (", which is another error than the right one," * (cell.severity == "wrong_error"))
    return {
        "returns": "returns an answer where an error is right",
        "shape": "answers in another shape",
        "dtype": f"answers in {'' if observed is None else observed.dtype}",
        "nan": "gives nan where it is wrong",
        "inf": "gives infinity where it is wrong",
        "crashes": f"ends its process: {error}",
        "hangs": "never answers",
    }.get(kind, "gives a wrong number that no single change explains")
