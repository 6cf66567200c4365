"""What differs between two runs. Pure: two `Run` values in, a list of changes out.

Cells are matched by case, implementation, mode, dtype and aspect. What is refused as a whole on one side is matched
with each cell of it on the other, so that the loss of all is told cell by cell, and the same refusals are the same
however many cells they are. `rename` maps names of implementations of the new side to those of the old one, for runs
that compare two implementations rather than two versions.
"""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from harness.core.cell import INFRASTRUCTURE, SEVERITIES, Cell, Key, Run, wider
from harness.core.errors import InfrastructureError
from harness.runs.change_clauses import DIFFERENT, DIRECTIONS, clause, direction, values
from harness.runs.kernels import OtherKernels, other_kernels


class NotComparable(InfrastructureError):  # noqa: N818 - says what is the case
    """Two runs that must not be compared, with the reason and a hint."""


KINDS = ("verdict", "error", "outcome", "dtype", "value", "drift", "removed", "added", "warnings")
"""Kinds of change, gravest first; each cell has one, its gravest."""

_DRIFT_FROM = 0.5
"""R below half an eps-error scale is rounding noise: a doubling there means nothing."""


@dataclass(frozen=True)
class Change:
    """One cell that is not what it was."""

    kind: str
    sentence: str
    old: Cell | None
    new: Cell | None

    @property
    def cell(self) -> Cell:
        chosen = self.new if self.new is not None else self.old
        assert chosen is not None
        return chosen

    @property
    def direction(self) -> str:
        """better, worse, or different."""
        return direction(self.kind, self.old, self.new)

    @property
    def gravity(self) -> tuple[int, int]:
        """Sorts gravest first: severity of what is there now, then kind of change."""
        severity = self.cell.severity
        rank = SEVERITIES.index(severity) if severity in SEVERITIES else len(SEVERITIES)
        return (rank, KINDS.index(self.kind))


@dataclass(frozen=True)
class Group:
    """Changes with one cause, as far as it can be told: of one implementation, in one direction, with one clause."""

    kind: str
    """That of the gravest change."""
    implementation: str
    loss: str
    """All of them, separated by commas."""
    sentence: str
    """The cause in one clause, without the numbers of any cell."""
    changes: tuple[Change, ...]
    """The smallest case first."""
    scripted: Cell | None = None
    """The first cell that is known to have a standalone script."""
    direction: str = DIFFERENT
    """better, worse, or different."""

    @property
    def repro(self) -> str:
        """The command that reproduces one of them: prints its script, or runs the first once more."""
        if self.scripted is not None:
            return f"xent repro {shlex.quote(self.scripted.name)}"
        return f"xent repro --again {shlex.quote(self.witness.cell.name)}"

    @property
    def witness(self) -> Change:
        """The change of the smallest case."""
        return self.changes[0]

    @property
    def values(self) -> str:
        """What both sides give in the smallest case, beside each other."""
        return values(self.witness.old, self.witness.new)


@dataclass(frozen=True)
class Difference:
    """Everything that differs between two runs."""

    changes: tuple[Change, ...]
    compared: int
    identical: int | None
    """Cells whose bits are the same; None where the machines differ, since bits then mean nothing."""
    versions: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Versions that differ, by implementation and package."""
    scripted: frozenset[tuple[str, str, str, str, str]] = frozenset()
    """Keys of cells that are known to have a standalone script."""
    kernels: tuple[OtherKernels, ...] = ()
    """Implementations that run other kernels than before: truth and ledger alone judge their cells."""
    new_here: tuple[Change, ...] = ()
    """Cells of those that disagree and did not: new on this machine, which nobody has judged yet."""
    reasons: Mapping[str, str] = field(default_factory=dict)
    """Of the entries of the ledger that either run knows, by id."""
    sizes: Mapping[str, int] = field(default_factory=dict)
    """Elements of the inputs, by case."""

    def groups(self, losses: Mapping[str, str], *, new_here: bool = False) -> tuple[Group, ...]:
        """Changes, or what is new here, grouped by cause: worse before different before better, then the gravest first.

        `losses` maps case ids to losses.
        """
        found: dict[tuple[str, str, str, str], list[Change]] = defaultdict(list)
        for change in self.new_here if new_here else self.changes:
            says = clause(change.kind, change.old, change.new, self.reasons)
            # A kind of its own: what is red for another reason is another cause.
            found[change.direction, change.kind, change.cell.implementation, says].append(change)
        groups = []
        for (way, kind, name, says), changes in found.items():
            ordered = sorted(changes, key=lambda change: (self.sizes.get(change.cell.case, 0), change.cell.key))
            named = ", ".join(sorted({losses.get(change.cell.case, "") for change in changes}))
            groups.append(Group(kind, name, named, says, tuple(ordered), self._scripted(ordered), way))

        def gravity(group: Group) -> tuple[object, ...]:
            gravest = min(change.gravity for change in group.changes)
            return (DIRECTIONS.index(group.direction), gravest, -len(group.changes), group.implementation, group.loss)

        return tuple(sorted(groups, key=gravity))

    def _scripted(self, changes: Sequence[Change]) -> Cell | None:
        return next((change.cell for change in changes if change.cell.key in self.scripted), None)


def compare_runs(
    old: Run, new: Run, rename: Mapping[str, str] | None = None, *, same_machine: bool = False
) -> Difference:
    """The changes from `old` to `new`, gravest first; NotComparable where the two must not be compared.

    Of an implementation that runs other kernels on the new side, only what newly disagrees is told, apart from the
    changes. `same_machine` says that both sides were made on one: other kernels are then a change like any other.
    """
    _refuse_what_cannot_be_compared(old, new)
    names = rename or {}
    before = {cell.key: cell for cell in old.cells}
    after = {(c.case, names.get(c.implementation, c.implementation), c.mode, c.dtype, c.aspect): c for c in new.cells}
    bits_mean_something = _same_machine(old.header.machine, new.header.machine)
    asked = {cell.implementation for cell in new.cells}
    headers = (old.header.implementations, new.header.implementations)
    kernels = () if same_machine else other_kernels(*headers, names, asked)
    elsewhere = {names.get(name, name) for some in kernels for name in some.implementations}
    changes: list[Change] = []
    new_here: list[Change] = []
    compared = identical = 0
    for was, now in _matched(before, after):
        if was is None or now is None:
            changes.append(_one_sided(was, now))
            continue
        compared += 1
        if was.implementation in elsewhere:
            if now.verdict == "disagrees" and was.verdict != "disagrees":
                new_here.append(next(_differences(was, now, bits_mean_something=False)))
            continue
        change = next(_differences(was, now, bits_mean_something), None)
        if change is not None:
            changes.append(change)
        elif bits_mean_something and _digest(was) == _digest(now):
            identical += 1
    return Difference(
        changes=tuple(sorted(changes, key=lambda c: (c.gravity, c.cell.key))),
        compared=compared,
        identical=identical if bits_mean_something else None,
        versions=dict(_version_changes(old, new, names)),
        kernels=kernels,
        new_here=tuple(sorted(new_here, key=lambda c: (c.gravity, c.cell.key))),
        reasons={
            name: str(entry.get("reason", ""))
            for run in (old, new)
            for name, entry in run.header.suite.get("ledger", {}).items()
        },
        sizes={
            case: int(entry.get("size", 0))
            for run in (old, new)
            for case, entry in run.header.suite.get("cases", {}).items()
        },
    )


def _matched(before: Mapping[Key, Cell], after: Mapping[Key, Cell]) -> Iterator[tuple[Cell | None, Cell | None]]:
    """What both sides say of the same, by cell; None where one says nothing of it."""
    narrower = [{refusal for key in side for refusal in wider(key)} for side in (before, after)]
    for key in sorted(before.keys() | after.keys()):
        if key in narrower[0] or key in narrower[1]:
            continue  # a refusal of which the other side has cells: each of these is matched with it
        yield _spoken(before, key), _spoken(after, key)


def _spoken(side: Mapping[Key, Cell], key: Key) -> Cell | None:
    """The cell, or what the refusal that speaks for it says of it."""
    if key in side:
        return side[key]
    refusal = next((side[said] for said in wider(key) if said in side), None)
    return None if refusal is None else replace(refusal, dtype=key[3], aspect=key[4])


def _refuse_what_cannot_be_compared(old: Run, new: Run) -> None:
    mine, theirs = new.header.suite.get("version"), old.header.suite.get("version")
    if mine != theirs:
        raise NotComparable(
            f"the baseline was made with suite version {theirs}, this run with {mine}: "
            "make the baseline anew with `xent run --complete -o` and accept it with `xent accept`"
        )
    for side, run in (("baseline", old), ("current run", new)):
        absent = {name for name, description in run.header.implementations.items() if "missing" in description}
        absent |= {c.implementation for c in run.cells if c.verdict in INFRASTRUCTURE}
        dead = sorted(absent | {s.implementation for s in run.speeds if s.judged in INFRASTRUCTURE})
        if dead:
            raise NotComparable(
                f"the {side} has cells or timings that never were judged (crashed, timed out or missing) for "
                f"{', '.join(dead)}: run it again; infrastructure is never a difference"
            )


def _same_machine(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Whether bits are comparable: same processor, same instruction set."""
    return all(old.get(k) == new.get(k) and old.get(k) is not None for k in ("cpu", "instruction_set"))


def _digest(cell: Cell) -> Any:
    return cell.outcome.get("digest", (cell.outcome.get("kind"), cell.outcome.get("type")))


def _one_sided(old: Cell | None, new: Cell | None) -> Change:
    present = new if old is None else old
    assert present is not None
    verb = "new" if old is None else "gone"
    return Change("added" if old is None else "removed", f"{verb}: {present.verdict}", old, new)


def _differences(old: Cell, new: Cell, bits_mean_something: bool) -> Iterator[Change]:
    """The ways two cells differ, gravest first."""
    was, now = old.outcome, new.outcome
    # Ledger entries name versions: the same wrong bits, or the same error, may be explained on one side only.
    same_fault = (
        {old.verdict, new.verdict} == {"disagrees", "known"}
        and _digest(old) == _digest(new)
        and (was.get("kind") == "raises" or (bits_mean_something and "digest" in was))
    )
    if old.verdict != new.verdict and not same_fault:
        detail = f": {new.explanation}" if new.explanation else ""
        yield Change("verdict", f"was {_words(old)}, is {_words(new)}{detail}", old, new)
    if was.get("kind") != now.get("kind"):
        yield Change("outcome", f"was {was.get('kind')}, is {now.get('kind')}", old, new)
    if now.get("kind") == "raises" and was.get("type") != now.get("type"):
        yield Change("error", f"raised {was.get('type')}, raises {now.get('type')}", old, new)
    if was.get("dtype") != now.get("dtype"):
        yield Change("dtype", f"answered in {was.get('dtype')}, answers in {now.get('dtype')}", old, new)
    if was.get("shape") != now.get("shape"):
        yield Change("outcome", f"had shape {was.get('shape')}, has {now.get('shape')}", old, new)
    if old.convention != new.convention:
        yield Change("verdict", f"was right under {old.convention}, is under {new.convention}", old, new)
    if bits_mean_something and new.verdict in ("known", "disagrees") and _digest(old) != _digest(new):
        yield Change("value", f"gave {_short(old.got)}, gives {_short(new.got)}", old, new)
    ratios = (_number(old.ratio), _number(new.ratio))
    if ratios[0] is not None and ratios[1] is not None and ratios[1] > max(2.0 * ratios[0], _DRIFT_FROM):
        yield Change("drift", f"R was {ratios[0]:.3g}, is {ratios[1]:.3g}: more than doubled", old, new)
    fresh = [w for w in new.warnings if w not in old.warnings]
    if fresh:
        yield Change("warnings", f"warns: {fresh[0][:160]}", old, new)


def _words(cell: Cell) -> str:
    return cell.verdict.replace("_", " ") + (f" ({cell.severity.replace('_', ' ')})" if cell.severity else "")


def _short(numbers: Any) -> str:
    text = str(numbers)
    return text if len(text) <= 60 else text[:57] + "..."


def _number(ratio: float | str | None) -> float | None:
    return None if ratio is None else float(ratio)


def _version_changes(old: Run, new: Run, names: Mapping[str, str]) -> Iterable[tuple[str, tuple[str, str]]]:
    for name, description in new.header.implementations.items():
        former = old.header.implementations.get(names.get(name, name), {})
        before = {"": former.get("version", "?"), **former.get("versions", {})}
        after = {"": description.get("version", "?"), **description.get("versions", {})}
        for package in sorted(before.keys() & after.keys()):
            if before[package] != after[package]:
                yield (f"{name} {package}".strip(), (str(before[package]), str(after[package])))
