"""The kill matrix: which case catches which known-bad implementation.

A suite that no mistake fails proves nothing, and a case that no mistake fails proves nothing either. So every mutant
of `harness.mistakes` is put through every case of its losses and judged as any implementation is, without a
ledger. A mutant that no case catches is a hole in the suite; a case that catches none has to be marked as a
characterisation of real frameworks, or is idle.

Mutants that compute are asked in this process: they are our own NumPy code. Those that misbehave towards the process
(they crash, hang, print) are asked in worker processes like anybody else.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from harness.adapters.registry import resolve
from harness.core.call import Call, Question
from harness.core.case import Case, ExpectImplementationDefined, ExpectInvariances, ExpectTruth
from harness.core.cell import RIGHT, Cell
from harness.core.outcomes import Outcome, Refused, Returned
from harness.execution.pool import WorkerPool
from harness.execution.side_by_side import processes
from harness.execution.worker import evaluate
from harness.judgement.ledger import Ledger
from harness.judgement.truth import TruthTable
from harness.judgement.truth_table import truth_table
from harness.judgement.verdict import Subject, judge
from harness.mistakes import ALONG, BESIDE, MUTANTS, WAYS, Mutant
from harness.mistakes.answers import answered
from harness.mistakes.sound import Sound
from harness.suite.calls import call_of
from harness.suite.generators import realize, shape_of

CHARACTERISATION = "characterisation"
"""Tag of a case that records what real frameworks do where no mistake of ours could be caught."""

SOUND = "sound"

COMPUTING = tuple(name for name, mutant in MUTANTS.items() if mutant.kind != "conduct")
"""The mutants that are asked in this process."""

PATIENCE = 2.0
"""Seconds a misbehaving mutant may take for a call: our NumPy code on a few numbers takes milliseconds, or hangs."""

PLAIN_CASE = 4096
"""Elements of a case that a mutant misbehaves on: its conduct does not depend on the size."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class KillMatrix:
    """What catches what. The cases are those judged: a case that only records choices catches nobody."""

    kills: Mapping[str, tuple[str, ...]]
    """By case: the mutants it catches. Empty for a case that catches none."""
    mutants: Mapping[str, Mutant]
    """By name: those that were tried, each with at least one case of its loss."""
    characterisations: frozenset[str]
    """Cases that say of themselves that they catch no mistake."""
    accused: tuple[str, ...] = ()
    """Cases that catch the correct implementation all mutants are made from. There must be none: what catches everybody
    catches nobody."""

    @property
    def survivors(self) -> tuple[str, ...]:
        """Mutants that no case catches though their answers or their conduct are wrong."""
        caught = {name for names in self.kills.values() for name in names}
        return tuple(n for n, m in self.mutants.items() if n not in caught and not m.answers_rightly)

    @property
    def false_positives(self) -> tuple[str, ...]:
        """Mutants that are caught though they answer rightly: the harness judged conduct that is no answer."""
        caught = {name for names in self.kills.values() for name in names}
        return tuple(n for n, m in self.mutants.items() if n in caught and m.answers_rightly)

    @property
    def idle(self) -> tuple[str, ...]:
        """Cases that catch no mutant that computes and are not marked as characterisations. What hangs or dies on
        everything is caught by everything, and says nothing for a case."""
        computing = {n for n, m in self.mutants.items() if m.kind != "conduct"}
        caught = {case for case, names in self.kills.items() if computing & set(names)}
        return tuple(case for case in self.kills if case not in caught | self.characterisations)

    def entry(self) -> dict[str, Any]:
        """As JSON holds it."""
        times: dict[str, int] = dict.fromkeys(self.mutants, 0)
        for names in self.kills.values():
            for name in names:
                times[name] += 1
        return {
            "schema": 1,
            "mutants": {
                n: {"mistake": m.mistake, "kind": m.kind, "losses": list(m.losses), "killed_by": times[n]}
                for n, m in self.mutants.items()
            },
            "cases": {case: list(names) for case, names in self.kills.items()},
            "survivors": list(self.survivors),
            "false_positives": list(self.false_positives),
            "accused": list(self.accused),
            "idle": list(self.idle),
        }


def kill_matrix(cases: Sequence[Case], workers: int, progress: Progress | None = None) -> KillMatrix:
    """Every mutant on every case of its losses, `workers` cases side by side."""
    judged = _judged(cases)
    caught: dict[str, tuple[str, ...]] = {}
    with processes(workers) as pool:
        for case, names in zip(judged, pool.map(killed_by, judged, chunksize=8), strict=True):
            caught[case.id] = names
            if progress is not None:
                progress(len(caught), len(judged))
    return _matrix(judged, caught, workers)


def witnesses(cases: Sequence[Case], first: Set[str], workers: int, progress: Progress | None = None) -> KillMatrix:
    """The matrix as far as it takes to say that no mutant survives and no case is idle.

    Each mutant is asked until one case catches it, by the cases in `first` before the others, and then each case until
    it catches one. So who survives, what `first` lets through, what is idle and what is accused is the same as in the
    whole matrix, in a quarter of the time; how often each is caught is not known.
    """
    judged = _judged(cases)
    by_loss: dict[str, list[Case]] = defaultdict(list)
    for case in sorted(judged, key=lambda case: (case.id not in first, _elements(case))):
        by_loss[case.loss].append(case)
    caught: dict[str, tuple[str, ...]] = {}

    def note(found: Mapping[str, tuple[str, ...]]) -> None:
        for case_id, names in found.items():
            caught[case_id] = (*caught.get(case_id, ()), *names)
        if progress is not None:
            progress(sum(map(bool, caught.values())), len(judged))

    with processes(workers) as pool:
        for found in pool.map(caught_once, by_loss.values()):
            note(found)
        silent = [[case for case in some if not caught.get(case.id)] for some in by_loss.values()]
        for found in pool.map(one_each, [some[at : at + 16] for some in silent for at in range(0, len(some), 16)]):
            note(found)
    return _matrix(judged, {case.id: caught[case.id] for case in judged}, workers)


def _judged(cases: Iterable[Case]) -> list[Case]:
    return [case for case in cases if not isinstance(case.expect, ExpectImplementationDefined | ExpectInvariances)]


def _matrix(judged: Sequence[Case], caught: Mapping[str, tuple[str, ...]], workers: int) -> KillMatrix:
    """What was found by asking in this process, and what misbehaves asked in others."""
    losses = {case.loss for case in judged}
    tried = {n: m for n, m in MUTANTS.items() if losses & set(m.losses)}
    kills = {case_id: tuple(name for name in names if name != SOUND) for case_id, names in caught.items()}
    for name, case_ids in _misconduct(judged, [m for m in tried.values() if m.kind == "conduct"], workers).items():
        for case_id in case_ids:
            kills[case_id] = (*kills[case_id], name)
    marked = frozenset(case.id for case in judged if CHARACTERISATION in case.tags)
    accused = tuple(case_id for case_id, names in caught.items() if SOUND in names)
    return KillMatrix(kills, tried, marked, accused)


def caught_once(cases: Sequence[Case]) -> dict[str, tuple[str, ...]]:
    """By case asked: the mutants that none before it has caught. The cases are of one loss."""
    left = [name for name in COMPUTING if cases[0].loss in MUTANTS[name].losses]
    found: dict[str, tuple[str, ...]] = {}
    for case in cases:
        if left:
            found[case.id] = killed_by(case, left)
            left = [name for name in left if name not in found[case.id]]
    return found


def one_each(cases: Sequence[Case]) -> dict[str, tuple[str, ...]]:
    """By case: one mutant that it catches, if there is any. What caught the last one is tried first."""
    order = list(COMPUTING)
    found: dict[str, tuple[str, ...]] = {}
    for case in cases:
        found[case.id] = killed_by(case, order, most=1)
        order.sort(key=lambda name: name not in found[case.id])
    return found


def killed_by(case: Case, among: Iterable[str] | None = None, most: int | None = None) -> tuple[str, ...]:
    """The mutants that compute and that one case catches, in any of its dtypes; `sound` too, should it be caught.

    `among` names those to try and their order, None all; after `most` that are caught no other is tried.
    """
    # Who is wrong about derivatives along a vector alone answers like the correct one where there is none.
    possible = [n for n in (COMPUTING if among is None else among) if case.loss in MUTANTS[n].losses]
    left = [n for n in possible if _can_tell(case, MUTANTS[n].kind)]
    sound = Sound()
    first, *ways = sound.describe().modes_of(case.loss, case.tags)
    accused: list[str] = []
    caught: list[str] = []
    for dtype in case.dtypes:
        table = truth_table(case, dtype, realize)
        call = call_of(case, dtype, first)
        for mode in (first, *ways):
            asked = replace(call, mode=mode)
            right = evaluate(sound, asked)
            if isinstance(right, Refused):
                # What the implementation they are made from does not offer is no mistake of the mutants.
                continue
            if is_caught(case, SOUND, dtype, right, table):
                accused.append(SOUND)
            # Who is wrong about parts of a batch alone is right about a whole one, and the others are asked of it.
            possible = [name for name in left if is_of_a_way(name) is (mode != first)]
            more = None if most is None else most - len(caught)
            caught += [name for name, _ in islice(mistaken(case, asked, right, table, possible), more)]
            left = [name for name in left if name not in caught]
    return (*accused, *caught)


def is_of_a_way(name: str) -> bool:
    return MUTANTS[name].kind == WAYS


def mistaken(
    case: Case, call: Call, right: Outcome, table: TruthTable, among: Iterable[str]
) -> Iterator[tuple[str, tuple[Cell, ...]]]:
    """The mutants that compute and that are wrong about a call, with what of their answers is. `right` is what the
    correct one says of it."""
    known = answered(call)
    for name in among:
        mutant = MUTANTS[name]
        bad = mutant.factory() if known is None else known.with_steps(mutant.steps)
        if bad is not None:
            outcome = evaluate(bad, call)
            if not _is_same_answer(outcome, right):
                wrong = wrong_cells(case, name, call.dtype, outcome, table)
                if wrong:
                    yield name, wrong


def _is_same_answer(one: Outcome, other: Outcome) -> bool:
    """Whether two answers have the same bits, so that one judgement will do."""
    if not isinstance(one, Returned) or not isinstance(other, Returned):
        return False
    arrays = [
        (one.value, other.value),
        (one.hessian_vector, other.hessian_vector),
        (one.directional, other.directional),
    ]
    for own, others in ((one.gradients, other.gradients), (one.outputs, other.outputs)):
        arrays += [(own.get(name), others.get(name)) for name in own.keys() | others.keys()]
    errors = one.gradient_error, one.hessian_error, one.directional_error
    return not any(errors) and all(a is b or (a is not None and b is not None and a.same_bits(b)) for a, b in arrays)


def is_caught(case: Case, name: str, dtype: str, outcome: Outcome, table: TruthTable) -> bool:
    """Whether any aspect of an outcome is anything but right."""
    return bool(wrong_cells(case, name, dtype, outcome, table))


def wrong_cells(case: Case, name: str, dtype: str, outcome: Outcome, table: TruthTable) -> tuple[Cell, ...]:
    """The aspects of an outcome that are anything but right. What is called unsupported is so too: all mutants are made
    from an implementation that offers it."""
    subject = Subject(
        case=case.id,
        implementation=f"mutant:{name}",
        version="1",
        mode="eager",
        dtype=dtype,
        expect=case.expect,
        differentiate=table.differentiate,
        flush_to_zero=False,
        table=table,
    )
    return tuple(cell for cell in judge(subject, outcome, Ledger()) if cell.verdict not in RIGHT)


def _can_tell(case: Case, kind: str) -> bool:
    """Whether a case asks for what mistakes of a kind are in."""
    if kind in ALONG:
        return case.vector is not None
    return bool(case.outputs) or kind != BESIDE


def _misconduct(cases: Sequence[Case], mutants: Sequence[Mutant], workers: int) -> dict[str, list[str]]:
    """By mutant: the cases that catch it.

    First of three plain cases; three, since one that answers with the previous answer is right about the first, and
    about the second where that is the same. Then, of those not caught yet, on one case of every kind there is (as its
    tags tell): what hangs or dies on all of them would take minutes there.
    """
    small = [case for case in cases if _elements(case) <= PLAIN_CASE]
    plain = [case for case in small if isinstance(case.expect, ExpectTruth)]
    kinds = list({(case.loss, case.tags): case for case in small}.values())
    first = {m.name: [case for case in plain if case.loss in m.losses][:3] for m in mutants}
    caught = _asked(first, workers)
    again = {m.name: [c for c in kinds if c.loss in m.losses] for m in mutants if not caught[m.name]}
    return {**caught, **_asked(again, workers)}


def _asked(cases: Mapping[str, Sequence[Case]], workers: int) -> dict[str, list[str]]:
    """By mutant: those of its cases that catch it, asked in worker processes."""
    questions = {
        f"mutant:{name}": [Question(f"mutant:{name}", case, case.dtypes[0], "eager") for case in chosen]
        for name, chosen in cases.items()
    }
    caught: dict[str, list[str]] = {name: [] for name in cases}
    with WorkerPool([resolve(name) for name in questions], timeout=PATIENCE, parallel=workers) as asked:
        _, absent = asked.start()
        for name in absent:
            caught[name.removeprefix("mutant:")] = [question.case.id for question in questions.pop(name)]
        for question, outcome in asked.ask(questions):
            name = question.implementation.removeprefix("mutant:")
            table = truth_table(question.case, question.dtype, realize)
            if is_caught(question.case, name, question.dtype, outcome, table):
                caught[name].append(question.case.id)
    return caught


def _elements(case: Case) -> int:
    return max(math.prod(shape_of(spec)) for spec in case.inputs.values())
