"""From outcomes to cells, case by case: keeps each truth only while somebody may still ask for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import reference
from harness.adapters.base import Description
from harness.core.call import Question
from harness.core.case import ExpectInvariances
from harness.core.cell import Cell
from harness.core.formats import FORMATS
from harness.core.outcomes import Outcome
from harness.judgement.invariances import judge_invariances
from harness.judgement.ledger import Ledger
from harness.judgement.modes import judge_modes
from harness.judgement.truth import Evaluate, Evaluated, TruthTable
from harness.judgement.truth_table import truth_table
from harness.judgement.verdict import Diagnose, Subject, judge
from harness.runs.own_truth import OwnTruth
from harness.suite.generators import Realize
from harness.suite.invariance_calls import parts_of


@dataclass
class Bench:
    """Where outcomes are judged as they arrive, in any order across implementations."""

    ledger: Ledger
    realize: Realize
    descriptions: Mapping[str, Description]
    open_questions: Counter[tuple[str, str]]
    """By case and dtype: how many outcomes are still to come. The truth is dropped after the last."""
    evaluated: dict[str, Evaluated] = field(default_factory=dict)
    """By case: truths that are known already."""
    exact: bool = True
    """False judges by the plain float64 evaluation: for a first look, see harness.fuzzing."""
    evaluate: Evaluate = reference.evaluate
    """What says the truths that are not known already."""
    diagnose: Diagnose | None = None
    """Searches the cause of what nothing explains, where it is to be searched."""
    own: Mapping[str, OwnTruth] = field(default_factory=dict)
    """By implementation: the truth it brings; all others have one in common."""
    _tables: dict[tuple[str, str, str], TruthTable] = field(default_factory=dict)
    """By case, dtype, and the implementation whose own truths they are."""
    _ledgers: dict[str, Ledger] = field(default_factory=dict)
    """By case: the ledger entries that can be about it."""
    _calls: dict[tuple[str, str, str, str], dict[str, Outcome]] = field(default_factory=dict)
    """By implementation, mode, case and dtype: the outcomes of the calls its invariances speak of, by part."""
    _first_modes: dict[tuple[str, str, str], Outcome] = field(default_factory=dict)
    """By implementation, case and dtype: the outcome in its first mode, with which the others are to agree."""

    def judge(self, question: Question, outcome: Outcome) -> Iterator[Cell]:
        """The cells of one outcome, mode agreement included."""
        case, key = question.home, (question.home.id, question.dtype)
        if isinstance(case.expect, ExpectInvariances):
            yield from self._bits(question, outcome)
            self._answered(key)
            return
        if case.id not in self._ledgers:
            self._ledgers[case.id] = self.ledger.about(case.id)
        ledger = self._ledgers[case.id]
        own = self.own.get(question.implementation)
        table = (*key, "" if own is None else question.implementation)
        if table not in self._tables:
            known = {} if own is not None else self.evaluated.setdefault(case.id, {})
            says = (
                {"evaluate": self.evaluate} if own is None else {"evaluate": own.evaluate, "measure": own.error_scales}
            )
            self._tables[table] = truth_table(case, question.dtype, self.realize, known, exact=self.exact, **says)
        description = self.descriptions[question.implementation]
        subject = Subject(
            case=case.id,
            implementation=question.implementation,
            version=description.version,
            mode=question.mode,
            dtype=question.dtype,
            expect=case.expect,
            differentiate=case.differentiate,
            flush_to_zero=description.flush_to_zero,
            table=self._tables[table],
            facts=description.facts,
            diagnose=self.diagnose if own is None else None,
        )
        cells = list(judge(subject, outcome, ledger))
        spot, first = (question.implementation, *key), description.modes[0]
        if question.mode == first:
            self._first_modes[spot] = outcome
        elif spot in self._first_modes:
            agreement = judge_modes(subject, first, self._first_modes[spot], outcome, ledger)
            cells += [] if agreement is None else [agreement]
        yield from cells
        self._answered(key)

    def _bits(self, question: Question, outcome: Outcome) -> Iterator[Cell]:
        """Keep the outcome, and judge the invariances of the case when it was the last one of its calls."""
        case, place = question.home, (question.implementation, question.mode, question.home.id, question.dtype)
        outcomes = self._calls.setdefault(place, {})
        outcomes[question.part] = outcome
        if len(outcomes) == 1 + len(parts_of(case)):
            del self._calls[place]
            yield from judge_invariances(case, question.implementation, question.mode, question.dtype, outcomes)

    def _answered(self, key: tuple[str, str]) -> None:
        self.open_questions[key] -= 1
        if not self.open_questions[key]:
            self._drop(key)

    def _drop(self, key: tuple[str, str]) -> None:
        for name in ("", *self.own):
            self._tables.pop((*key, name), None)
        if not any(self.open_questions[key[0], dtype] for dtype in FORMATS):
            self.evaluated.pop(key[0], None)
        for name in self.descriptions:
            self._first_modes.pop((name, *key), None)
