"""Whether the answer of a timed call is right: no speed without that. Judged once for each player and task."""

from __future__ import annotations

from dataclasses import replace

from harness.adapters.base import Description
from harness.core.cell import RIGHT
from harness.core.outcomes import Outcome
from harness.judgement.ledger import Ledger
from harness.judgement.truth import TruthTable
from harness.judgement.truth_table import truth_table
from harness.judgement.verdict import Subject, judge
from harness.speed.tasks import Player, Task
from harness.suite.generators import realize

GOOD = (*RIGHT, "known")
"""Verdicts of answers whose speed is worth a number."""


class Answers:
    """Judges answers, and keeps the truth of each task for the next."""

    def __init__(self) -> None:
        self._tables: dict[str, TruthTable] = {}

    def judge(self, task: Task, player: Player, description: Description, outcome: Outcome) -> tuple[str, str]:
        """The gravest verdict among the value and the gradients, and its explanation."""
        case = task.workload.case
        subject = Subject(
            case=case.id,
            implementation=player.implementation,
            version=description.version,
            mode=player.mode,
            dtype=task.dtype,
            expect=case.expect,
            differentiate=task.judged_gradients,
            flush_to_zero=description.flush_to_zero,
            table=self._table(task),
        )
        cells = judge(subject, outcome, Ledger())
        worst = next((cell for cell in cells if cell.verdict not in GOOD), cells[0])
        return worst.verdict, worst.explanation or ""

    def _table(self, task: Task) -> TruthTable:
        if task.name not in self._tables:
            kept = replace(task.workload.case, differentiate=task.judged_gradients)
            self._tables[task.name] = truth_table(kept, task.dtype, realize)
        return self._tables[task.name]
