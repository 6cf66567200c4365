"""Questions answered in this process, and judged: for tests of what needs no worker."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from harness.adapters.base import Adapter
from harness.core.call import Question
from harness.core.case import Case
from harness.core.cell import Cell
from harness.core.outcomes import Outcome
from harness.execution import protocol
from harness.execution.pool import request
from harness.execution.worker import evaluate
from harness.judgement.ledger import Ledger
from harness.runs.judging import Bench
from harness.runs.plan import Scope, questions
from harness.suite.generators import realize


def answer(adapter: Adapter, question: Question) -> Outcome:
    """What an adapter does with a question, as a worker would send it."""
    message = protocol.parse(protocol.line(protocol.request_to_wire(request(question, realized=False))))
    return evaluate(adapter, protocol.call_from_wire({**message, "mode": question.mode}))


def cells(adapter: Adapter, cases: Sequence[Case], dtypes: tuple[str, ...]) -> list[Cell]:
    """The cells of an adapter on some cases."""
    description = adapter.describe()
    asked = list(questions(cases, "it", description, Scope(dtypes=dtypes)))
    plan = [item for item in asked if isinstance(item, Question)]
    pending = Counter((q.home.id, q.dtype) for q in plan)
    bench = Bench(Ledger(), realize, {"it": description}, pending)
    judged = [cell for question in plan for cell in bench.judge(question, answer(adapter, question))]
    return [item for item in asked if isinstance(item, Cell)] + judged
