"""What runs say of the machines they were made on: which entries sleep there, and whose kernels differ. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from harness.core.cell import Cell, Header, Run
from harness.core.ledger import Entry
from harness.judgement.ledger import is_awake
from harness.suite.problems import Problem


@dataclass(frozen=True)
class OtherKernels:
    """Implementations that run other kernels than in an earlier run, all in the same way."""

    implementations: tuple[str, ...]
    before: Mapping[str, str]
    """The machine facts that differ, as they were."""
    now: Mapping[str, str]

    def __str__(self) -> str:
        return f"{_listed(self.implementations)} with {_facts(self.now)} here, with {_facts(self.before)} there"


def other_kernels(
    old: Mapping[str, Mapping[str, Any]],
    new: Mapping[str, Mapping[str, Any]],
    names: Mapping[str, str],
    asked: Collection[str],
) -> tuple[OtherKernels, ...]:
    """Whose facts differ between the implementations of two headers.

    `names` maps implementations of the new side to those of the old; `asked` are those of the new side that have
    cells. A fact that one side alone knows says nothing: vocabularies grow, and older runs have no facts.
    """
    found: dict[tuple[tuple[str, str, str], ...], list[str]] = defaultdict(list)
    for name in sorted(asked):
        differing = differing_facts(old.get(names.get(name, name), {}), new.get(name, {}))
        if differing:
            found[differing].append(name)
    return tuple(
        OtherKernels(tuple(some), {f: was for f, was, _ in differing}, {f: is_ for f, _, is_ in differing})
        for differing, some in found.items()
    )


def differing_facts(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[tuple[str, str, str], ...]:
    """The facts that differ between two descriptions of an implementation, each as it was and as it is."""
    before, now = old.get("facts", {}), new.get("facts", {})
    return tuple((fact, before[fact], now[fact]) for fact in now if before.get(fact, now[fact]) != now[fact])


def told(kernels: OtherKernels, cells: Collection[Cell]) -> str:
    """What a gate says first: why bits are not compared, and how many cells the truth alone judged."""
    of = set(kernels.implementations)
    judged = sum(1 for cell in cells if cell.implementation in of and cell.verdict != "unsupported")
    verb = "runs" if len(of) == 1 else "run"
    return (
        f"{_listed(kernels.implementations)} {verb} with {_facts(kernels.now)} here, the baseline with "
        f"{_facts(kernels.before)}: bits and drift are not compared, "
        f"{judged:,} cell{'' if judged == 1 else 's'} judged by the truth alone"
    )


def _listed(names: Collection[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


def _facts(facts: Mapping[str, str]) -> str:
    return ", ".join(f"{fact}={value}" for fact, value in facts.items())


def sleeping(run: Run) -> str:
    """How many ledger entries sleep, by their conditions: `6 entries sleep here: onednn=on 4, isa=avx512 2`."""
    ledger = run.header.suite.get("ledger", {})
    counts = Counter(_conditions(ledger.get(entry, {}).get("where", {})) for entry in run.footer.dormant)
    told = ", ".join(f"{conditions} {count}" for conditions, count in counts.most_common())
    number = len(run.footer.dormant)
    return f"{number} {'entry sleeps' if number == 1 else 'entries sleep'} here: {told}"


def _conditions(where: dict[str, list[str]]) -> str:
    return " and ".join(f"{fact}={' or '.join(values)}" for fact, values in where.items()) or "unknown"


def lint_dormant(entries: Iterable[Entry], headers: Sequence[Header]) -> list[Problem]:
    """Entries that sleep in the baseline and all its overlays: nothing that is committed shows what they say.

    Such an entry says where it was seen; one that is awake somewhere does not have to.
    """
    problems: list[Problem] = []
    for entry in entries:
        told = [
            described.get("facts", {})
            for header in headers
            for name, described in header.implementations.items()
            if any(fnmatchcase(name, pattern) for pattern in entry.implementations)
        ]
        awake = any(is_awake(entry, facts) for facts in told)
        file, _, line = entry.location.rpartition(":")
        if told and not awake and not entry.seen:
            conditions = " and ".join(map(str, entry.where))
            message = f"no committed baseline or overlay is of a machine with {conditions}"
            hint = "Accept a run of such a machine, say where it was seen (seen: …), or remove the entry"
            problems.append(Problem(file, int(line), entry.id, message, hint))
        elif awake and entry.seen:
            hint = "Remove `seen`: the baseline or an overlay shows it"
            problems.append(Problem(file, int(line), entry.id, "an entry that is awake says where it was seen", hint))
    return problems
