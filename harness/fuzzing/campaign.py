"""A campaign: cases are drawn, asked, judged, and what disagrees is filed under its cause and shrunk.

Screening. The exact truth of a small case takes milliseconds, the plain float64 evaluation a tenth of that, so every
answer is first judged by the latter and only what is suspicious is judged exactly. The plain evaluation is what the
implementation `numpy` computes in float64, whose R is within the budget of 4 in every cell of the suite. For narrower
formats that is 2^-29 of a unit of float32 or less, and a whole unit of the budget is kept as a margin, so that nothing
wrong is accepted by it. In float64 what is accepted has R ≤ 2 against the plain evaluation, hence R ≤ 6 against the
truth: between 4 and 6 a divergence may be missed, beyond it none. Nothing is ever reported without the exact truth.

What an implementation is asked depends on the seed alone; how much of it, on the time.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace

from harness.adapters.base import Description
from harness.execution.asking import Fleet
from harness.execution.pool import Stopped
from harness.fuzzing.causes import Cause, Conditions, cause_of, condition, explains
from harness.fuzzing.drawing import drawn
from harness.fuzzing.shrinking import smaller
from harness.judgement.ledger import Ledger
from harness.judging import Bench
from harness.outcomes import Outcome, Returned
from harness.planning import Question, Scope, questions
from harness.records import Cell
from harness.suite.case import Case, ExpectRaises
from harness.suite.generators import realize

SLICE = 2.0
"""Seconds of work an implementation gets per round: short beside a minute, long beside starting a thread."""

MOST_PER_ROUND = 768
FEWEST_PER_ROUND = 24
"""Questions per round, whatever the rate: answers of a round are kept until they are judged."""

SLOWEST_START = 0.05
"""Seconds per question that are assumed before anything was asked: a compiler starts slowly, and rounds are to be
short from the first."""

OTHER_MODES_EVERY = 4
"""Of the cases drawn, every fourth is asked in all modes: compilers take seconds per signature."""

SHRINKING_STEPS = 25
"""Rounds of shrinking at most: a case has 4 rows, 5 options and a class to lose, and 12 numbers to make plain."""

SHRINKING_SECONDS = 10.0
"""Per finding: an emergency brake for compilers that need seconds per shape. Where it is met, a seed no longer decides
alone what the smallest input is; the steps above end all others long before."""

TELLING = 5.0
"""Seconds between two lines of progress."""

MOST_CHUNKS = 64
"""Chunks that are kept for the implementations that come after the fastest; a slower one has them drawn again."""

MOST_PER_CAUSE = 4
"""Findings of one cause that are told apart by their conditions: what is always wrong would be one per input."""

MARGIN = {"float64": 2.0, "float32": 3.0, "float16": 1.0, "bfloat16": 1.0}
"""R up to which the plain evaluation is believed: half the budget, or the budget less one."""

Answer = tuple[Question, Outcome]


@dataclass
class Finding:
    """A cause with the smallest input that shows it."""

    cause: Cause
    case: Case
    dtype: str
    cell: Cell
    conditions: frozenset[str]
    ledger: str | None = None
    """The entry that explains it; such findings are counted and not shown."""
    count: int = 1


@dataclass
class Tally:
    """What has been done so far."""

    judged: Counter[str] = field(default_factory=Counter)
    """By implementation: answers judged."""
    started: float = field(default_factory=time.monotonic)

    @property
    def rate(self) -> float:
        """Judged inputs per second of the campaign."""
        return sum(self.judged.values()) / max(time.monotonic() - self.started, 1e-9)


@dataclass
class Campaign:
    """One campaign over a running fleet."""

    fleet: Fleet
    descriptions: Mapping[str, Description]
    ledger: Ledger
    written: tuple[Case, ...]
    """The cases the ledger is about."""
    losses: tuple[str, ...]
    seed: int
    modes: bool = True
    """Whether modes other than the first are asked too."""
    filed: dict[str, list[Finding]] = field(default_factory=dict)
    """By implementation: what was found, explained by the ledger or not."""
    tally: Tally = field(default_factory=Tally)
    statuses: dict[str, dict[str, str]] = field(default_factory=dict)
    """By what is wrong with an input: each implementation's way, accepts or refuses."""
    _chunks: dict[int, list[Case]] = field(default_factory=dict)
    _drawing: threading.Lock = field(default_factory=threading.Lock)
    _ending: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._conditions = Conditions(self.written)
        self._streams = {name: self._stream(name) for name in self.descriptions}
        self.filed = {name: [] for name in self.descriptions}
        self._seconds = dict.fromkeys(self.descriptions, SLOWEST_START)

    def run(self, seconds: float, told: Callable[[Campaign, float], None]) -> None:
        """Every implementation on its own, round after round, until the time is up: a slow one holds up nobody.

        `told` is called now and then with the seconds left.
        """
        deadline = time.monotonic() + seconds
        with ThreadPoolExecutor(len(self.descriptions), "fuzzing") as threads:
            working = {threads.submit(self._go_on, name, deadline) for name in self.descriptions}
            try:
                while working:
                    done, working = wait(working, TELLING, FIRST_EXCEPTION)
                    for ended in done:
                        ended.result()
                    told(self, max(deadline - time.monotonic(), 0.0))
            finally:
                self._ending.set()
                if working:
                    self.fleet.stop()

    def _go_on(self, name: str, deadline: float) -> None:
        try:
            while (left := deadline - time.monotonic()) > 0 and not self._ending.is_set():
                self.round(name, min(SLICE, left), deadline)
        except Stopped:
            return

    def round(self, name: str, seconds: float, deadline: float) -> None:
        """A slice of work for one implementation, and what it shows filed and shrunk."""
        answers: list[Answer] = []
        for question, outcome in self.fleet.ask_one(name, self._next(name, seconds)):
            answers.append((question, outcome))
            self.tally.judged[name] += 1
            self._seconds[name] = 0.9 * self._seconds[name] + 0.1 * getattr(outcome, "seconds", 0.0)
        for case, dtype, cell in self._disagreeing(answers):
            self._file(case, dtype, cell, deadline)
        self._note_statuses(answers)

    def _next(self, name: str, seconds: float) -> list[Question]:
        """The next questions to an implementation, case by case: modes and parts are judged together."""
        share, plan = self._share(name, seconds), list[Question]()
        for asked in self._streams[name]:
            plan += asked
            if len(plan) >= share:
                break
        return plan

    def _share(self, name: str, seconds: float) -> int:
        # A third of a millisecond per question is what asking itself costs.
        wanted = int(seconds / (self._seconds[name] + 0.0003))
        return max(FEWEST_PER_ROUND, min(MOST_PER_ROUND, wanted))

    def _stream(self, name: str) -> Iterator[list[Question]]:
        """The questions to one implementation, case by case, in an order the seed alone decides."""
        description = self.descriptions[name]
        offered = tuple(loss for loss in self.losses if loss in description.losses)
        for number in itertools.count() if offered else ():
            for position, case in enumerate(self._chunk(number)):
                if case.loss not in offered:
                    continue
                every = self.modes and position % OTHER_MODES_EVERY == 0
                scope = Scope(modes=("all",) if every else None)
                yield [q for q in questions([case], name, description, scope) if isinstance(q, Question)]

    def _chunk(self, number: int) -> list[Case]:
        with self._drawing:  # Hypothesis draws for one thread at a time
            if number not in self._chunks:
                self._chunks[number] = drawn(self.seed, self.losses, number)
                while len(self._chunks) > MOST_CHUNKS:
                    del self._chunks[next(iter(self._chunks))]
            return self._chunks[number]

    # --- judging ---

    def _disagreeing(self, answers: Sequence[Answer]) -> Iterator[tuple[Case, str, Cell]]:
        """The cells that disagree, by the exact truth, with the case as it was drawn."""
        drawn_cases = {(q.case.id, q.dtype): q.case for q, _ in answers if not q.relation}
        suspicious = {spot for spot, cell in self._judged(answers, exact=False) if not _is_settled(cell)}
        again = [(q, o) for q, o in answers if _spot(q) in suspicious]
        for (_, home, dtype), cell in self._judged(again, exact=True):
            if cell.verdict in ("disagrees", "crashed", "timed_out"):
                yield drawn_cases[home, dtype], dtype, cell

    def _judged(self, answers: Sequence[Answer], *, exact: bool) -> Iterator[tuple[tuple[str, str, str], Cell]]:
        pending = Counter((q.home, q.dtype) for q, _ in answers)
        bench = Bench(Ledger(), realize, self.descriptions, pending, exact=exact, searches=False)
        for question, outcome in answers:
            for cell in bench.judge(question, outcome):
                yield _spot(question), cell

    # --- filing and shrinking ---

    def _file(self, case: Case, dtype: str, cell: Cell, deadline: float) -> None:
        cause, conditions = cause_of(cell, case), condition(case, dtype)
        findings = self.filed[cause.implementation]
        for finding in findings:
            if finding.cause == cause and finding.conditions <= conditions:
                finding.count += 1
                return
        if sum(finding.cause == cause for finding in findings) >= MOST_PER_CAUSE:
            next(finding for finding in findings if finding.cause == cause).count += 1
            return
        if not cell.aspect.startswith("relation/"):
            case = replace(case, relations=())
        finding = Finding(cause, case, dtype, cell, conditions)
        finding.ledger = self._explained(finding)
        if finding.ledger is None:
            self._shrink(finding, min(deadline, time.monotonic() + SHRINKING_SECONDS))
            finding.ledger = self._explained(finding)
        for earlier in findings:
            if earlier.cause == cause and earlier.conditions <= finding.conditions:
                earlier.count += 1
                return
        # A smaller condition says more than those that include it.
        covered = [f for f in findings if f.cause == cause and finding.conditions <= f.conditions]
        finding.count += sum(f.count for f in covered)
        self.filed[cause.implementation] = [*(f for f in findings if f not in covered), finding]

    def _explained(self, finding: Finding) -> str | None:
        for entry in self.ledger.entries:
            if explains(entry, finding.cause, finding.conditions, finding.dtype, self._conditions):
                return entry.id
        return None

    def _shrink(self, finding: Finding, deadline: float) -> None:
        """Replace the finding's case by the smallest one found that shows the same cause."""
        for step in range(SHRINKING_STEPS):
            if time.monotonic() > deadline or finding.cell.verdict != "disagrees":
                return
            better = next(filter(None, self._stages(finding, step)), None)
            if better is None:
                return
            finding.case, finding.cell = better
            finding.conditions = condition(finding.case, finding.dtype)

    def _stages(self, finding: Finding, step: int) -> Iterator[tuple[Case, Cell] | None]:
        """What each stage of smaller cases finds, asked only when the one before found nothing."""
        root = finding.case.id.partition("~")[0]
        for stage, cases in enumerate(smaller(finding.case, finding.dtype)):
            named = [replace(case, id=f"{root}~{step}.{stage}.{n}") for n, case in enumerate(cases)]
            yield self._first_showing(named, finding)

    def _first_showing(self, candidates: Sequence[Case], finding: Finding) -> tuple[Case, Cell] | None:
        """The first candidate that shows the same cause: a first look at all at once, the exact truth for that one."""
        showing = self._showing(candidates, finding, exact=False)
        for case in candidates:
            if case.id in showing:
                certain = self._showing([case], finding, exact=True)
                if case.id in certain:
                    return case, certain[case.id]
        return None

    def _showing(self, candidates: Sequence[Case], finding: Finding, *, exact: bool) -> dict[str, Cell]:
        """By candidate: its cell of the same cause. All are asked at once, since asking one by one waits."""
        name = finding.cause.implementation
        modes: tuple[str, ...] = (finding.cause.mode,)
        if finding.cause.aspect == "mode_agreement":
            modes = (self.descriptions[name].modes[0], finding.cause.mode)
        scope = Scope(dtypes=(finding.dtype,), modes=modes)
        plan = [q for q in questions(candidates, name, self.descriptions[name], scope) if isinstance(q, Question)]
        found: dict[str, Cell] = {}
        by_id = {case.id: case for case in candidates}
        for (_, home, _), cell in self._judged(list(self.fleet.ask_one(name, plan)), exact=exact):
            if cell.verdict == "disagrees" and cause_of(cell, by_id[home]) == finding.cause:
                found.setdefault(home, cell)
        return found

    def _note_statuses(self, answers: Sequence[Answer]) -> None:
        """Who accepts and who refuses what no truth covers."""
        for question, outcome in answers:
            if isinstance(question.case.expect, ExpectRaises) and not question.relation:
                what = f"{question.case.loss}: {question.case.expect.kind.replace('_', ' ')}"
                way = "accepts" if isinstance(outcome, Returned) else "refuses"
                said = self.statuses.setdefault(what, {})
                told = said.setdefault(f"{question.implementation} ({question.mode})", way)
                if told != way:
                    said[f"{question.implementation} ({question.mode})"] = "accepts some"

    @property
    def findings(self) -> list[Finding]:
        """What was found by all."""
        return [finding for filed in self.filed.values() for finding in filed]

    @property
    def shown(self) -> list[Finding]:
        """What the ledger does not explain, gravest first."""
        severity = defaultdict(lambda: 9, silently_wrong=1, silent_nonfinite=2, unexpected_error=3, wrong_error=4)
        new = [f for f in self.findings if f.ledger is None]
        return sorted(new, key=lambda f: (severity[f.cell.severity or ""], str(f.cause), sorted(f.conditions)))


def _spot(question: Question) -> tuple[str, str, str]:
    return question.implementation, question.home, question.dtype


def _is_settled(cell: Cell) -> bool:
    """Whether the first look is enough."""
    if cell.verdict in ("unsupported", "missing"):
        return True
    if cell.verdict not in ("agrees", "by_convention"):
        return False
    ratio = cell.ratio if isinstance(cell.ratio, float | int) else 0.0
    return ratio <= MARGIN[cell.dtype] or cell.aspect.startswith(("relation/", "mode_"))
