"""A campaign: cases are drawn, asked, judged, and what disagrees is filed under its cause and shrunk.

Screening. The exact truth of a small case takes milliseconds, the plain float64 evaluation a tenth of that, so every
answer is first judged by the latter and only what is suspicious is judged exactly. The plain evaluation is what the
implementation `numpy` computes in float64, whose R is within the budget of 4 in every cell of the suite. For narrower
formats that is 2^-29 of a unit of float32 or less, and a whole unit of the budget is kept as a margin, so that nothing
wrong is accepted by it. In float64 what is accepted has R ≤ 2 against the plain evaluation, hence R ≤ 6 against the
truth: between 4 and 6 a divergence may be missed, beyond it none. Nothing is ever reported without the exact truth, and
nothing that differs by less than the smallest normal number: how many bits survive below it depends on the order in
which even careful code rounds.

An implementation is asked in two lanes: all cases in its first mode and every format, and every fourth in all its
modes and one format, which gets a fifth of the time: a compiler that needs seconds per signature holds up nothing else.
What a lane asks depends on the seed alone; how much of it, on the time. `run_cases` asks a number of cases instead of
until a time, and then what is found depends on the seed alone.
"""

from __future__ import annotations

import itertools
import math
import threading
import time
import traceback
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace

from harness.adapters.base import Description
from harness.adapters.choice import check_truths
from harness.adapters.registry import Implementation
from harness.core.call import Question
from harness.core.case import Case, ExpectImplementationDefined, ExpectRaises, ExpectTruth
from harness.core.cell import RIGHT, SEVERITIES, Cell
from harness.core.errors import InfrastructureError
from harness.core.outcomes import Missing, Outcome, Refused, Returned
from harness.execution.pool import WorkerPool
from harness.execution.supervisor import Stopped
from harness.fuzzing.causes import Cause, Conditions, cause_of, condition, explains
from harness.fuzzing.drawing import CHUNK, drawn
from harness.fuzzing.shrinking import smaller, together
from harness.judgement.agreement import BUDGET
from harness.judgement.ledger import Ledger
from harness.judgement.truth_table import truth_table
from harness.runs.executors.base import Executor, Killed
from harness.runs.executors.cutting import Remaining, in_parts
from harness.runs.executors.warm import WarmPools
from harness.runs.judging import Bench
from harness.runs.plan import Scope, questions
from harness.runs.session import Order
from harness.suite.generators import realize

SLICE = 2.0
"""Seconds of work an implementation gets per round: short beside a minute, long beside starting a thread."""

MOST_PER_ROUND = 768
"""Questions per round, whatever the rate: answers of a round are kept until they are judged."""

LONGEST_CALL = 60.0
"""Seconds one call may take: thrice the slowest honest one, a first torch.compile."""

SLOWEST_START = {"first": 0.05, "modes": 2.0}
"""By lane: seconds per question that are assumed before anything was asked. A compiler starts slowly, and rounds are to
be short from the first."""

OTHER_MODES_EVERY = 4
"""Of the cases drawn, every fourth is asked in all modes."""

SHARE_OF_OTHER_MODES = 0.25
"""Time given to the lane of all modes, as a multiple of what the lane of the first mode got."""

CLEARLY = 2.0
"""Multiples of the budget from which a first look is enough to count one more input under a cause that was filed on the
exact truth: it is off by at most a unit of the budget."""

SHRINKING_STEPS = 25
"""Rounds of shrinking at most: a case has 4 rows, 5 options and a class to lose, and 12 numbers to make plain."""

SHRINKING_SECONDS = 10.0
"""Per finding: an emergency brake for compilers that need seconds per shape. Where it is met, a seed no longer decides
alone what the smallest input is; the steps above end all others long before. Where cases are counted, there is none."""

TELLING = 2.0
"""Seconds between two lines of progress."""

MOST_CHUNKS = 256
"""Chunks that are kept for the implementations that come after the fastest, some 100 MB; a slower one has them drawn
again."""

MOST_PER_CAUSE = 8
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
    lost: Counter[str] = field(default_factory=Counter)
    """By implementation: calls to which there was no answer that could be judged."""
    started: float = field(default_factory=time.monotonic)

    @property
    def rate(self) -> float:
        """Judged inputs per second of the campaign."""
        return sum(self.judged.values()) / max(time.monotonic() - self.started, 1e-9)


@dataclass
class Lane:
    """One stream of questions to an implementation, and what it has cost."""

    stream: Iterator[list[Question]]
    scope: Scope
    every: int
    """Of the cases drawn, it asks every n-th."""
    per_question: float
    """Seconds of the implementation's own, averaged over the latest."""
    spent: float = 0.0
    """Seconds in all, judging and shrinking included."""


Round = tuple[int, int]
"""The number of a chunk of cases, and how many of its cases are asked."""


@dataclass(frozen=True)
class Screened:
    """What some rounds showed of an implementation."""

    found: tuple[tuple[Case, str, Cell], ...] = ()
    """What disagrees by the exact truth: the case as drawn, the dtype, the cell."""
    judged: int = 0
    lost: int = 0
    statuses: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    by_convention: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    incidents: tuple[str, ...] = ()
    seconds: float = 0.0
    rounds: int = 0


@dataclass(frozen=True)
class ScreeningPart:
    """Some rounds of a campaign, asked of one implementation."""

    implementation: Implementation
    python: str | None
    losses: tuple[str, ...]
    seed: int
    modes: bool
    rounds: tuple[Round, ...]

    def answer(self, pools: WarmPools) -> Screened:
        """As `harness.runs.executors.base.Part`."""
        order = Order((), "", Ledger(), (self.implementation,), timeout=LONGEST_CALL, parallel=1, python=self.python)
        with pools.pool(order) as pool:
            descriptions, absent = pool.start()
            if absent:
                raise InfrastructureError(f"{self.implementation.name} cannot be fuzzed there: {absent}")
            campaign = Campaign(pool, descriptions, Ledger(), (), self.losses, self.seed, self.modes)
            return campaign.screen(self.implementation.name, self.rounds)


@dataclass
class Campaign:
    """One campaign over a running pool."""

    pool: WorkerPool
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
    by_convention: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """By implementation, loss and convention: how often an answer was right by that convention only."""
    incidents: list[str] = field(default_factory=list)
    """What went wrong elsewhere and was overcome."""
    broken: dict[str, str] = field(default_factory=dict)
    """By implementation: the traceback of a mistake of ours that ended its part of the campaign."""
    _chunks: dict[int, list[Case]] = field(default_factory=dict)
    _drawing: threading.Lock = field(default_factory=threading.Lock)
    _noting: threading.Lock = field(default_factory=threading.Lock)
    _ending: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        check_truths(self.descriptions, "fuzzing")
        self._conditions = Conditions(self.written)
        self._flushing = {name: replace(d, flush_to_zero=True) for name, d in self.descriptions.items()}
        self._lanes = {name: self._lanes_of(name) for name in self.descriptions}
        self.filed = {name: [] for name in self.descriptions}

    def run(self, seconds: float, told: Callable[[Campaign, float], None]) -> None:
        """Every implementation on its own, round after round, until the time is up: a slow one holds up nobody.

        `told` is called now and then with the seconds left.
        """
        deadline = time.monotonic() + seconds

        def go_on(name: str) -> None:
            while (left := deadline - time.monotonic()) > 0 and not self._ending.is_set():
                self.round(name, min(SLICE, left), deadline)

        self._side_by_side(go_on, lambda: told(self, max(deadline - time.monotonic(), 0.0)))

    def run_cases(self, count: int, told: Callable[[Campaign, float], None]) -> None:
        """Every implementation is asked the first `count` cases drawn, however long that takes: what is found then
        depends on the seed alone, on any machine."""

        def go_on(name: str) -> None:
            for begin in range(0, count, CHUNK):
                here = min(CHUNK, count - begin)
                for lane in self._lanes[name]:
                    asked = itertools.islice(lane.stream, -(-here // lane.every))
                    self._ask(name, lane, [question for of_a_case in asked for question in of_a_case], math.inf)

        self._side_by_side(go_on, lambda: told(self, math.inf))

    def run_cases_on(
        self, executor: Executor, python: str | None, count: int, told: Callable[[Campaign, float], None]
    ) -> None:
        """As `run_cases`, but an executor asks and judges; what is found is filed and shrunk here, in order."""
        rounds = [(number, min(CHUNK, count - begin)) for number, begin in enumerate(range(0, count, CHUNK))]
        by_name = {i.name: i for i in self.pool.implementations}
        waiting: dict[str, dict[int, Screened]] = {name: {} for name in self.descriptions}
        position = dict.fromkeys(self.descriptions, 0)

        def part(name: str, items: tuple[Round, ...]) -> ScreeningPart:
            return ScreeningPart(by_name[name], python, self.losses, self.seed, self.modes, items)

        todo = {name: Remaining(deque(rounds), 1) for name in self.descriptions}
        for name, items, found in in_parts(executor, todo, part, lambda screened: screened.seconds):
            some = Screened(lost=sum(cases for _, cases in items)) if isinstance(found, Killed) else found
            waiting[name][items[0][0]] = replace(some, rounds=len(items))
            while (next_one := waiting[name].pop(position[name], None)) is not None:
                self._take(name, next_one)
                position[name] += next_one.rounds
            told(self, math.inf)

    def screen(self, name: str, rounds: Sequence[Round]) -> Screened:
        """Ask an implementation these rounds, and judge; nothing is filed."""
        found: list[tuple[Case, str, Cell]] = []
        begin = time.monotonic()
        for number, cases in rounds:
            for lane in self._lanes[name]:
                asked = itertools.islice(self._of_chunk(name, lane.scope, lane.every, number), -(-cases // lane.every))
                found += self._asked(name, lane, [question for of_a_case in asked for question in of_a_case])
        return Screened(
            tuple(found),
            self.tally.judged[name],
            self.tally.lost[name],
            self.statuses,
            self.by_convention,
            tuple(self.pool.incidents()),
            time.monotonic() - begin,
        )

    def _take(self, name: str, screened: Screened) -> None:
        """File what was found elsewhere."""
        self.tally.judged[name] += screened.judged
        self.tally.lost[name] += screened.lost
        self.by_convention += screened.by_convention
        self.incidents += screened.incidents
        for what, said in screened.statuses.items():
            for who, way in said.items():
                self._note_status(what, who, way)
        for case, dtype, cell in screened.found:
            self._file(case, dtype, cell, math.inf)

    def _side_by_side(self, go_on: Callable[[str], None], tell: Callable[[], None]) -> None:
        """One thread per implementation. A mistake of ours ends one of them; what the others find is kept."""

        def until_stopped(name: str) -> None:
            try:
                go_on(name)
            except Stopped:
                return
            except Exception:
                self.broken[name] = traceback.format_exc()

        with ThreadPoolExecutor(len(self.descriptions), "fuzzing") as threads:
            working = {threads.submit(until_stopped, name) for name in self.descriptions}
            try:
                while working:
                    _, working = wait(working, TELLING)
                    tell()
            finally:
                self._ending.set()
                if working:
                    self.pool.stop()

    def round(self, name: str, seconds: float, deadline: float) -> None:
        """A slice of work for one implementation, and what it shows filed and shrunk."""
        lane, *others = self._lanes[name]
        if others and others[0].spent < SHARE_OF_OTHER_MODES * lane.spent:
            lane = others[0]
        begin = time.monotonic()
        self._ask(name, lane, self._next(lane, seconds), deadline)
        lane.spent += time.monotonic() - begin

    def _ask(self, name: str, lane: Lane, plan: Sequence[Question], deadline: float) -> None:
        for case, dtype, cell in self._asked(name, lane, plan):
            self._file(case, dtype, cell, deadline)

    def _asked(self, name: str, lane: Lane, plan: Sequence[Question]) -> Iterator[tuple[Case, str, Cell]]:
        """What disagrees of these questions, to be filed before the next is taken."""
        answers: list[Answer] = []

        def arriving() -> Iterator[Answer]:
            for question, outcome in self.pool.ask_one(name, plan):
                answers.append((question, outcome))
                (self.tally.lost if isinstance(outcome, Missing) else self.tally.judged)[name] += 1
                lane.per_question = 0.9 * lane.per_question + 0.1 * getattr(outcome, "seconds", 0.0)
                yield question, outcome

        yield from self._disagreeing(plan, arriving(), answers)
        self._note_statuses(answers)

    def _next(self, lane: Lane, seconds: float) -> list[Question]:
        """The next questions of a lane, case by case: modes and parts are judged together."""
        # A third of a millisecond per question is what asking itself costs.
        wanted = min(MOST_PER_ROUND, int(seconds / (lane.per_question + 0.0003)))
        plan: list[Question] = []
        for asked in lane.stream:
            plan += asked
            if len(plan) >= wanted:
                break
        return plan

    def _lanes_of(self, name: str) -> list[Lane]:
        description = self.descriptions[name]
        lanes = [Lane(self._stream(name, Scope(), 1), Scope(), 1, SLOWEST_START["first"])]
        if self.modes and len(description.modes) > 1:
            every = Scope(modes=("all",))
            stream = self._stream(name, every, OTHER_MODES_EVERY)
            lanes.append(Lane(stream, every, OTHER_MODES_EVERY, SLOWEST_START["modes"]))
        return lanes

    def _stream(self, name: str, scope: Scope, every: int) -> Iterator[list[Question]]:
        """The questions of a lane, case by case, in an order the seed alone decides."""
        offered = any(loss in self.descriptions[name].losses for loss in self.losses)
        for number in itertools.count() if offered else ():
            yield from self._of_chunk(name, scope, every, number)

    def _of_chunk(self, name: str, scope: Scope, every: int, number: int) -> Iterator[list[Question]]:
        for case in self._chunk(number)[::every]:
            one = scope if every == 1 else replace(scope, dtypes=case.dtypes[:1])
            asked = questions([case], name, self.descriptions[name], one)
            yield [q for q in asked if isinstance(q, Question)]

    def _chunk(self, number: int) -> list[Case]:
        with self._drawing:
            if number not in self._chunks:
                self._chunks[number] = drawn(self.seed, self.losses, number)
                while len(self._chunks) > MOST_CHUNKS:
                    del self._chunks[next(iter(self._chunks))]
            return self._chunks[number]

    # --- judging ---

    def _disagreeing(
        self, plan: Sequence[Question], arriving: Iterator[Answer], answers: Sequence[Answer]
    ) -> Iterator[tuple[Case, str, Cell]]:
        """The cells that disagree, by the exact truth, with the case as it was drawn; not what is one input more of a
        finding there is. `answers` are those that have arrived: each is looked at while the worker is at the next."""
        drawn_cases = {(q.case.id, q.dtype): q.case for q in plan}
        suspicious: set[tuple[str, str, str]] = set()
        counted: set[tuple[str, str, str]] = set()
        for spot, cell in self._judged(plan, arriving, exact=False):
            case = drawn_cases[spot[1:]]
            self._note(cell, case.loss)
            if _is_settled(cell):
                continue
            if _is_clear(cell) and (finding := self._filed(cause_of(cell, case), condition(case, cell.dtype))):
                finding.count += 1
                counted.add((case.id, cell.mode, cell.aspect))
            else:
                suspicious.add(spot)
        again = [(q, o) for q, o in answers if _spot(q) in suspicious]
        for (_, home, dtype), cell in self._judged([q for q, _ in again], again, exact=True):
            is_wrong = cell.verdict in ("disagrees", "crashed", "timed_out")
            if is_wrong and (home, cell.mode, cell.aspect) not in counted:
                yield drawn_cases[home, dtype], dtype, cell

    def _note(self, cell: Cell, loss: str) -> None:
        # Who accepts what nothing is right for is told apart from this.
        if cell.verdict == "by_convention" and cell.observed is None:  # else a choice where nothing is right
            with self._noting:
                self.by_convention[cell.implementation, loss, str(cell.convention)] += 1

    def _judged(
        self, plan: Sequence[Question], answers: Iterable[Answer], *, exact: bool
    ) -> Iterator[tuple[tuple[str, str, str], Cell]]:
        pending = Counter((q.case.id, q.dtype) for q in plan)
        descriptions = self._flushing if exact else self.descriptions
        bench = Bench(Ledger(), realize, descriptions, pending, exact=exact)
        for question, outcome in answers:
            for cell in bench.judge(question, outcome):
                yield _spot(question), cell

    # --- filing and shrinking ---

    def _file(self, case: Case, dtype: str, cell: Cell, deadline: float) -> None:
        cause, conditions = cause_of(cell, case), condition(case, dtype)
        if (there := self._filed(cause, conditions)) is not None:
            there.count += 1
            return
        findings = self.filed[cause.implementation]
        finding = Finding(cause, case, dtype, cell, conditions)
        finding.ledger = self._explained(finding)
        if finding.ledger is None:
            self._shrink(
                finding, min(deadline, time.monotonic() + SHRINKING_SECONDS) if deadline < math.inf else deadline
            )
            finding.ledger = self._explained(finding)
        for earlier in findings:
            if earlier.cause == cause and earlier.conditions <= finding.conditions:
                earlier.count += 1
                return
        # A smaller condition says more than those that include it.
        covered = [f for f in findings if f.cause == cause and finding.conditions <= f.conditions]
        finding.count += sum(f.count for f in covered)
        self.filed[cause.implementation] = [*(f for f in findings if f not in covered), finding]

    def _filed(self, cause: Cause, conditions: frozenset[str]) -> Finding | None:
        """The finding that an input belongs to; None where it is a new one."""
        same = [finding for finding in self.filed[cause.implementation] if finding.cause == cause]
        covering = next((finding for finding in same if finding.conditions <= conditions), None)
        return covering or (same[0] if len(same) >= MOST_PER_CAUSE else None)

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
            kept = [case for case in cases if _says_no_more(case, finding)]
            named = [replace(case, id=f"{root}~{step}.{stage}.{n}") for n, case in enumerate(kept)]
            showing = self._showing(named, finding, exact=False)
            yield self._first_certain([case for case in named if case.id in showing], finding)

    def _first_certain(self, candidates: Sequence[Case], finding: Finding) -> tuple[Case, Cell] | None:
        """The first candidate that shows the same cause by the exact truth; before them all their changes at once."""
        all_at_once = together(finding.case, candidates) if len(candidates) > 1 else None
        if all_at_once is not None and _says_no_more(all_at_once, finding):
            candidates = [replace(all_at_once, id=f"{candidates[0].id}.all"), *candidates]
        for case in candidates:
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
        for (_, home, _), cell in self._judged(plan, self.pool.ask_one(name, plan), exact=exact):
            if cell.verdict == "disagrees" and cause_of(cell, by_id[home]) == finding.cause:
                found.setdefault(home, cell)
        return found

    def _note_statuses(self, answers: Sequence[Answer]) -> None:
        """Who accepts and who refuses what no truth covers."""
        for question, outcome in answers:
            expect = question.case.expect
            if isinstance(expect, ExpectRaises | ExpectImplementationDefined):
                kind = expect.kind if isinstance(expect, ExpectRaises) else expect.names[-1]
                if isinstance(outcome, Refused | Missing):
                    continue
                what = f"{question.case.loss}: {kind.replace('_', ' ')}"
                way = "accepts" if isinstance(outcome, Returned) else "refuses"
                self._note_status(what, f"{question.implementation} ({question.mode})", way)

    def _note_status(self, what: str, who: str, way: str) -> None:
        with self._noting:
            said = self.statuses.setdefault(what, {})
            if said.setdefault(who, way) != way:
                said[who] = "accepts some"

    @property
    def findings(self) -> list[Finding]:
        """What was found by all."""
        return [finding for filed in self.filed.values() for finding in filed]

    @property
    def shown(self) -> list[Finding]:
        """What the ledger does not explain, gravest first."""
        gravity = {name: rank for rank, name in enumerate((*SEVERITIES, ""))}
        new = [f for f in self.findings if f.ledger is None]
        return sorted(new, key=lambda f: (gravity[f.cell.severity or ""], str(f.cause), sorted(f.conditions)))


def _says_no_more(case: Case, finding: Finding) -> bool:
    """Whether a smaller case is about the same: a number that is plainer to read may be special in a way the one before
    was not, and an error may have become right."""
    if not condition(case, finding.dtype) <= finding.conditions:
        return False
    if finding.cause.outcome != "raises" or not isinstance(case.expect, ExpectTruth):
        return True
    return truth_table(case, finding.dtype, realize, exact=False).under().refusal is None


def _spot(question: Question) -> tuple[str, str, str]:
    return question.implementation, question.case.id, question.dtype


def _is_clear(cell: Cell) -> bool:
    """Whether a disagreement is one beyond what the first look may be off by."""
    if cell.verdict != "disagrees":
        return False
    return not isinstance(cell.ratio, float | int) or cell.ratio > CLEARLY * BUDGET[cell.dtype]


def _is_settled(cell: Cell) -> bool:
    """Whether the first look is enough."""
    if cell.verdict in ("unsupported", "missing"):
        return True
    if cell.verdict not in RIGHT:
        return False
    ratio = cell.ratio if isinstance(cell.ratio, float | int) else 0.0
    return ratio <= MARGIN[cell.dtype] or cell.aspect == "mode_agreement"
