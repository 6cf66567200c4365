"""The engine: a suite, a ledger and implementations in; the records of a run out.

`harness.runs.service` executes orders with it. Everything that is slow or can die happens in
`harness.execution`; everything that decides happens in `harness.judgement`; this module only joins the two.
"""

from __future__ import annotations

import datetime
import math
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import reference
from harness.adapters.base import Description
from harness.adapters.choice import check_modes
from harness.adapters.registry import Implementation
from harness.certification.committed import committed_certificate
from harness.core.arrays import Array
from harness.core.call import Question
from harness.core.case import (
    ArraySpec,
    Case,
    ExpectImplementationDefined,
    ExpectInvariances,
    ExpectRaises,
    ExpectTruth,
)
from harness.core.cell import Cell, ClaimRecord, Header, RunProblem
from harness.core.machine_description import describe_machine
from harness.core.outcomes import Outcome
from harness.execution.levels import NATIVE
from harness.execution.pool import WorkerPool
from harness.judgement.claims import judge_claim
from harness.judgement.ledger import Ledger
from harness.judgement.truth import Evaluate, Evaluated, aspects
from harness.judgement.truth_table import truth_table
from harness.mistakes import check_names
from harness.mistakes.diagnosis import diagnose
from harness.runs.judging import Bench
from harness.runs.own_truth import answerable, own_truths
from harness.runs.plan import Scope, questions, whole
from harness.runs.refusals import Refusals
from harness.suite.generators import Realize, realize, shape_of
from harness.suite.ledger_files import described
from harness.suite.traits import size_of, traits_of

Progress = Callable[[str, int, int], None]
"""Called with an implementation's name, questions answered, questions in all."""


@dataclass(frozen=True)
class Order:
    """What is to be run."""

    cases: tuple[Case, ...]
    digest: str
    ledger: Ledger
    implementations: tuple[Implementation, ...]
    scope: Scope = field(default_factory=Scope)
    complete: bool = False
    """Every case and every registered implementation: only then can a ledger entry be unmatched."""
    cover_of: int | None = None
    """Where the cases are the cover: how many there are in all."""
    timeout: float = 60.0
    """Seconds one call may take. The slowest honest call is a first torch.compile of some 20 s; thrice that."""
    parallel: int = 2
    command: tuple[str, ...] = ()
    python: str | None = None
    """Interpreter of another environment to run the workers in."""
    level: str = NATIVE
    """Which kernels the frameworks are told to choose: a name of `harness.execution.levels`."""


@dataclass
class Clock:
    """Where the time goes, by part."""

    seconds: dict[str, float] = field(default_factory=dict)

    def add(self, part: str, since: float) -> None:
        self.seconds[part] = self.seconds.get(part, 0.0) + time.perf_counter() - since


@dataclass(frozen=True)
class Result:
    """What closes a run: where the time went and what is to be said of the workers."""

    seconds: Mapping[str, float]
    problems: tuple[RunProblem, ...]
    complete: bool
    """Whether all was ordered, and could be asked."""


def execute(
    order: Order,
    progress: Progress | None = None,
    evaluate: Evaluate = reference.evaluate,
    pool: WorkerPool | None = None,
) -> Iterator[Header | Cell | ClaimRecord | Result]:
    """The header, then cells and claims as they are judged, last the result. Closing the iterator stops the workers.

    UsageError, before anything else, where a mode is asked for that none of the implementations has, or a known-bad
    implementation that there is not.

    `evaluate` says what is true: `reference.evaluate`, or what remembers what that said (`harness.runs.truth_cache`).
    `pool` holds workers of this order's implementations that stay afterwards; by default there is one for this order.
    """
    start = time.perf_counter()
    clock = Clock()
    check_names(i.name for i in order.implementations)
    with pool_of(order) if pool is None else nullcontext(pool) as pool:
        since = time.perf_counter()
        descriptions, absent = pool.start()
        clock.add("starting the workers and importing the frameworks", since)
        if not absent:  # of what could not start nobody knows the modes
            check_modes(order.scope.modes, descriptions)
        own = own_truths(descriptions)
        evaluated: dict[str, Evaluated] = {case.id: {} for case in order.cases}

        def shown(case: Case) -> dict[str, Any] | None:
            """None where nobody is judged by it."""
            return None if descriptions.keys() == own.keys() else exact_truth(case, evaluated, evaluate, realize)

        yield _header(order, descriptions, absent, pool, shown)
        for case in order.cases:
            yield from _claims(case, evaluate, realize)
        since = time.perf_counter()
        yield from _absent_cells(order, absent)
        plans: dict[str, list[Question]] = {}
        unasked: list[Cell] = []
        for name, description in descriptions.items():
            by = own.get(name)
            items = [answerable(item, by, realize) for item in questions(order.cases, name, description, order.scope)]
            plans[name] = [item for item in items if isinstance(item, Question)]
            unasked += [item for item in items if isinstance(item, Cell)]
        asked_of = Counter((q.home.id, q.implementation, q.mode) for plan in plans.values() for q in plan)
        refusals = Refusals(whole(order.cases, order.scope), asked_of)
        yield from refusals.planned(unasked)
        pending = Counter((q.home.id, q.dtype) for plan in plans.values() for q in plan)
        bench = Bench(
            order.ledger, realize, descriptions, pending, evaluated, evaluate=evaluate, diagnose=diagnose, own=own
        )
        totals = {name: len(plan) for name, plan in plans.items()}
        answered: Counter[str] = Counter()
        clock.add("planning", since)
        asked = time.perf_counter()
        judging = 0.0
        for question, outcome in pool.ask(plans):
            since = time.perf_counter()
            yield from refusals.judged(question, bench.judge(question, outcome))
            judging += time.perf_counter() - since
            clock.seconds["inside the frameworks' own calls"] = clock.seconds.get(
                "inside the frameworks' own calls", 0.0
            ) + _own_seconds(outcome)
            answered[question.implementation] += 1
            if progress is not None:
                progress(question.implementation, answered[question.implementation], totals[question.implementation])
        clock.seconds["judging"] = judging
        clock.seconds["asking (wall, all workers)"] = time.perf_counter() - asked
        incidents = pool.incidents()
    clock.seconds["total"] = time.perf_counter() - start
    problems = tuple(RunProblem("incident", text, "see the worker's stderr") for text in incidents)
    yield Result(
        {part: round(s, 3) for part, s in clock.seconds.items()}, problems, complete=order.complete and not absent
    )


def pool_of(order: Order, *, warm: bool = False) -> WorkerPool:
    """The workers an order asks for; `warm`: as for `WorkerPool`."""
    return WorkerPool(
        order.implementations,
        timeout=order.timeout,
        parallel=order.parallel,
        python=order.python,
        level=order.level,
        warm=warm,
    )


def _own_seconds(outcome: Outcome) -> float:
    return float(getattr(outcome, "seconds", 0.0))


def _absent_cells(order: Order, absent: Mapping[str, str]) -> Iterator[Cell]:
    """One missing cell per case of an implementation whose worker could not start: never a pass, never a skip."""
    for name, reason in absent.items():
        outcome = {"kind": "missing", "reason": reason}
        for case in order.cases:
            yield Cell(case.id, name, "-", case.dtypes[0], "value", "missing", outcome, explanation=reason)


def _claims(case: Case, evaluate: Evaluate, realize: Realize) -> Iterator[ClaimRecord]:
    if not case.claims:
        return
    inputs = {n: _mathematical(realize(spec, "float64")) for n, spec in case.inputs.items()}
    for claim in case.claims:
        yield judge_claim(case, claim, evaluate, inputs)


def _mathematical(array: Array) -> Any:
    return array.to_float64() if array.is_float else array.storage


def _header(
    order: Order,
    descriptions: Mapping[str, Description],
    absent: Mapping[str, str],
    pool: WorkerPool,
    truth_of: Callable[[Case], dict[str, Any] | None],
) -> Header:
    implementations: dict[str, dict[str, Any]] = {}
    for name, d in descriptions.items():
        implementations[name] = {
            "version": d.version,
            "versions": dict(d.versions),
            "modes": list(d.modes),
            **({"mode_losses": {mode: list(names) for mode, names in d.mode_losses.items()}} if d.mode_losses else {}),
            **({"mode_tags": dict(d.mode_tags)} if d.mode_tags else {}),
            **({"outputs": list(d.outputs)} if d.outputs else {}),
            **({"truth": d.truth} if d.truth else {}),
            "dtypes": list(d.dtypes),
            "losses": list(d.losses),
            "gradients": d.gradients,
            "flush_to_zero": d.flush_to_zero,
            "device": d.device,
            "threads": d.threads,
            "flags": dict(d.flags),
            "facts": dict(d.facts),
            "startup_seconds": round(pool.startup_seconds(name), 3),
        }
    for name, reason in absent.items():
        implementations[name] = {"version": "?", "missing": reason, "stderr": pool.stderr(name)[-2000:]}
    return header_of(order, implementations, {case.id: described_case(case, truth_of(case)) for case in order.cases})


def header_of(
    order: Order, implementations: Mapping[str, Mapping[str, Any]], cases: Mapping[str, Mapping[str, Any]]
) -> Header:
    """The header of a run of this order, given what is told of each implementation and of each case."""
    return Header(
        suite={
            "version": SUITE_VERSION,
            "digest": order.digest,
            "cases": cases,
            "ledger": described(order.ledger.entries),
        },
        implementations=dict(sorted(implementations.items())),
        machine=describe_machine(),
        started=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        command=order.command,
        certificate=committed_certificate(),
    )


SUITE_VERSION = "1"
"""Raised when the meaning of cells changes (names, error scales, budgets): runs across it are not compared."""


def described_case(case: Case, truth: Mapping[str, Any] | None) -> dict[str, Any]:
    """A case as the report shows it, with its `exact_truth`; the report needs nothing but the run file."""
    demanded = case.expect.at_least if isinstance(case.expect, ExpectTruth) else {}
    return {
        "title": case.title,
        "why": case.why,
        "loss": case.loss,
        "traits": list(traits_of(case)),
        "size": size_of(case),
        "tags": list(case.tags),
        "inputs": {name: describe_array(spec) for name, spec in case.inputs.items()},
        "options": {n: describe_array(v) if isinstance(v, ArraySpec) else v for n, v in case.options.items()},
        "cotangent": None if case.cotangent is None else describe_array(case.cotangent),
        "vector": None if case.vector is None else describe_array(case.vector),
        **({"outputs": list(case.outputs)} if case.outputs else {}),
        "source": None if case.source is None else {"document": case.source.document, "section": case.source.section},
        "file": case.location.file,
        "line": case.location.line,
        "expect": expectation(case),
        **({"at_least": dict(demanded)} if demanded else {}),
        "truth": truth if isinstance(case.expect, ExpectTruth) else None,
    }


def expectation(case: Case) -> str:
    """What a case expects, as a person reads it."""
    match case.expect:
        case ExpectRaises(kind):
            return f"raises {kind}"
        case ExpectImplementationDefined() as expect:
            return f"implementation_defined: {', '.join(expect.names)}"
        case ExpectInvariances(names):
            return f"invariances: {', '.join(names)}"
    return "truth"


def describe_array(spec: ArraySpec) -> str:
    """An array as a person reads it."""
    if spec.generator is not None:
        parameters = ", ".join(f"{k}={v}" for k, v in spec.parameters.items())
        text = f"{spec.generator}({parameters})"
    else:
        text = _listed(spec.values)
    extras = [e for e in (spec.dtype, None if spec.layout == "contiguous" else spec.layout) if e]
    return text + (f" ({', '.join(extras)})" if extras else "")


def _listed(values: Any) -> str:
    if isinstance(values, tuple | list):
        return "[" + ", ".join(_listed(v) for v in values) + "]"
    return repr(values)


LARGEST_SHOWN = 16
"""Elements of a truth shown with 20 digits; of larger ones the case page shows the first."""


LARGEST_EXPLAINED = 2**16
"""Elements of an input whose truth is worth computing once more for its digits alone."""


def exact_truth(
    case: Case, evaluated: Mapping[str, Evaluated], evaluate: Evaluate, realize: Realize
) -> dict[str, Any] | None:
    """The truth in the widest dtype of the case, to 20 digits, by aspect."""
    dtype = next((d for d in ("float64", "float32", "float16", "bfloat16") if d in case.dtypes), None)
    if dtype is None or any(math.prod(shape_of(spec)) > LARGEST_EXPLAINED for spec in case.inputs.values()):
        return None
    truth = truth_table(case, dtype, realize, evaluated[case.id], evaluate=evaluate).under()
    shown: dict[str, Any] = {"dtype": dtype}
    for aspect in aspects(case):
        target = truth.targets.get(aspect)
        if target is not None:
            first = reference.Exact(target.hi.ravel()[:LARGEST_SHOWN], target.lo.ravel()[:LARGEST_SHOWN])
            more = target.hi.size - LARGEST_SHOWN
            shown[aspect] = {
                "shape": list(target.hi.shape),
                "digits": first.digits + ([f"… and {more} more"] if more > 0 else []),
            }
    return shown
