"""Accepting runs: what they show becomes known, by new entries of the ledger where it lacks one. Pure."""

from __future__ import annotations

import glob
import itertools
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace

from packaging.version import InvalidVersion, Version

from harness.core.cell import INFRASTRUCTURE, Cell, Key, Run
from harness.core.errors import UsageError
from harness.core.ledger import Condition, Entry, Pin
from harness.judgement.ledger import Ledger, is_awake, meets, selector_of, selects
from harness.runs.separating import Facts, separating
from harness.suite.ledger_files import UNWRITTEN


class Inseparable(UsageError):  # noqa: N818 - says what is the case
    """A divergence that some runs show and others do not, where no machine fact says why."""


@dataclass(frozen=True)
class _Divergence:
    """One way in which a cell is wrong, and where that depends on the machine the conditions under which it is."""

    cell: Cell
    version: str
    loss: str
    pin: Pin
    where: tuple[Condition, ...]


def accepted(runs: Sequence[Run], ledger: Ledger) -> tuple[tuple[Run, ...], tuple[Entry, ...]]:
    """The runs with every divergence known, and the entries that the ledger lacks for it, without their reasons.

    What is accepted is `known`, as it is in the next run: the same run then has not changed. The runs are of machines
    with different facts: what shows in some of them and not in others is known under the coarsest conditions that
    separate them. Raises Inseparable where none do.
    """
    divergences = tuple(_divergences(runs, ledger))
    new = tuple(_entries(divergences, {entry.id for entry in ledger.entries}))
    whole = Ledger((*ledger.entries, *new))
    return tuple(_all_known(run, whole) for run in runs), new


def _all_known(run: Run, ledger: Ledger) -> Run:
    cells = tuple(
        _known(cell, _entry_of(cell, run, ledger)) if cell.verdict == "disagrees" else cell for cell in run.cells
    )
    return replace(run, cells=cells, footer=replace(run.footer, verdicts=Counter(cell.verdict for cell in cells)))


def _known(cell: Cell, entry: Entry | None) -> Cell:
    assert entry is not None, f"{cell.name} disagrees and no entry was made for it"
    return replace(cell, verdict="known", ledger=entry.id)


def _entry_of(cell: Cell, run: Run, ledger: Ledger) -> Entry | None:
    return ledger.explanation(selector_of(cell, run.header), cell)


def _divergences(runs: Sequence[Run], ledger: Ledger) -> Iterator[_Divergence]:
    """What no entry explains, each once however many runs show it."""
    by_key = [{cell.key: cell for cell in run.cells} for run in runs]
    seen: set[tuple[object, ...]] = set()
    for run in runs:
        for cell in run.cells:
            if cell.verdict != "disagrees" or _entry_of(cell, run, ledger) is not None:
                continue
            version, pin = selector_of(cell, run.header).version, pinned(cell)
            if (cell.key, version, pin) not in seen:
                seen.add((cell.key, version, pin))
                loss = str(run.header.suite["cases"][cell.case]["loss"])
                where = _where(cell, version, pin, zip(runs, by_key, strict=True))
                yield _Divergence(cell, version, loss, pin, where)


def _where(
    cell: Cell,
    version: str,
    pin: Pin,
    runs: Iterable[tuple[Run, Mapping[Key, Cell]]],
) -> tuple[Condition, ...]:
    """The conditions under which it shows, from the runs in which the same version was judged in this cell."""
    showing: list[Facts] = []
    silent: list[Facts] = []
    for run, cells in runs:
        other = cells.get(cell.key)
        if other is None or other.verdict in ("unsupported", *INFRASTRUCTURE):
            continue
        selector = selector_of(other, run.header)
        if selector.version == version:
            (showing if meets(pin, other) else silent).append(selector.facts)
    found = separating(showing, silent)
    if found is None:
        raise Inseparable(
            f"{cell.name}: {pin.kind} in {len(showing)} of these runs and not in {len(silent)}, and no conditions on "
            "machine facts hold in just those: what it depends on is not known, and an entry would be a guess; accept "
            "the runs one by one, or find the fact that is missing in the vocabulary"
        )
    return found


def depending(runs: Sequence[Run], ledger: Ledger) -> Iterator[tuple[Entry, tuple[Condition, ...] | None]]:
    """Entries that explain something in some runs and nothing of that in others, with the conditions that they lack.

    None where no conditions separate the runs.
    """
    by_key = [{cell.key: cell for cell in run.cells} for run in runs]
    shown: dict[str, set[Key]] = defaultdict(set)
    for cell in (cell for run in runs for cell in run.cells if cell.ledger is not None):
        shown[str(cell.ledger)].add(cell.key)
    for entry in ledger.entries:
        showing: list[Facts] = []
        silent: list[Facts] = []
        nothing = False
        for run, cells in zip(runs, by_key, strict=True):
            explained: dict[str, bool] = defaultdict(bool)
            for cell in (cells[key] for key in shown[entry.id] if key in cells):
                selector = selector_of(cell, run.header)
                is_judged = cell.verdict not in ("unsupported", *INFRASTRUCTURE)
                if is_judged and selects(entry, selector) and is_awake(entry, selector.facts):
                    explained[cell.implementation] |= cell.ledger == entry.id
            for name, some in explained.items():
                (showing if some else silent).append(run.header.implementations[name].get("facts", {}))
            nothing |= bool(explained) and not any(explained.values())
        if showing and nothing:
            yield entry, separating(showing, silent)


def _entries(divergences: Iterable[_Divergence], taken: Set[str]) -> Iterator[Entry]:
    """One entry for each implementation, version, loss, aspect, pinned outcome and conditions."""
    found: dict[tuple[str, str, str, str, Pin, tuple[Condition, ...]], list[Cell]] = defaultdict(list)
    for one in divergences:
        found[one.cell.implementation, one.loss, one.cell.aspect, one.version, one.pin, one.where].append(one.cell)
    used = set(taken)
    for (name, loss, aspect, version, pin, where), group in sorted(found.items(), key=lambda item: str(item[0])):
        plain = re.sub("[^a-z0-9]+", "-", f"{name}-{loss}-{aspect}-{pin.kind}".lower()).strip("-")
        free = next(id_ for n in itertools.count(1) if (id_ := plain if n == 1 else f"{plain}-{n}") not in used)
        used.add(free)
        yield Entry(
            id=free,
            cases=exactly(*(cell.case for cell in group)),
            implementations=exactly(name),
            versions=_only(version),
            modes=exactly(*(cell.mode for cell in group)),
            dtypes=exactly(*(cell.dtype for cell in group)),
            aspects=exactly(aspect),
            where=where,
            pin=pin,
            reason=UNWRITTEN,
            upstream=UNWRITTEN,
        )


def _only(version: str) -> str:
    """A specifier of one version; of every version where the text is none, since it cannot be compared."""
    try:
        return f"=={Version(version)}"
    except InvalidVersion:
        return ""


def exactly(*names: str) -> tuple[str, ...]:
    """Globs that match these names and no others."""
    return tuple(glob.escape(name) for name in sorted(set(names)))


def pinned(cell: Cell) -> Pin:
    """What was observed of a disagreeing cell, as a ledger entry pins it.

    Not how far a number is off, nor in which format it would be right: both move with the processor.
    """
    observed = cell.observed
    assert observed is not None, f"{cell.name} disagrees, and nothing was observed"
    error = None if observed.error is None else glob.escape(observed.error)
    return Pin(observed.kind, of=observed.of, error=error, dtype=observed.dtype)
