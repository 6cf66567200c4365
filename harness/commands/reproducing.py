"""`xent repro`: a cell as a standalone script, as the text of an issue, or run once more."""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping
from dataclasses import dataclass

from harness import reproduction, terminal
from harness.cli import UsageError
from harness.commands.running import order_from, recorded
from harness.engine import Order
from harness.exit_codes import ExitCode, gravest
from harness.judgement.truth import HESSIAN_VECTOR, Evaluated, aspects
from harness.judging import Realize, truth_table
from harness.records import Cell, Run
from harness.suite.case import ArraySpec, Case, ExpectRaises, ExpectTruth
from harness.suite.generators import realize
from harness.upgrade.gate import run_codes

_CELL = re.compile(
    # Implementations such as module:Class have colons of their own, so the name is read from the right.
    r"(?P<case>[^\[\]]+)\[(?P<implementation>.+):(?P<mode>[^:]+):(?P<dtype>[^:]+):(?P<aspect>[^:]+)\]"
)
FIRST_MODE = "eager"
"""What mode_agreement compares with: the first mode of every registered implementation."""


@dataclass(frozen=True)
class Named:
    """The parts of a cell's name."""

    case: str
    implementation: str
    mode: str
    dtype: str
    aspect: str


def parsed(name: str) -> Named:
    """The parts of a cell's name; UsageError where it is none."""
    match = _CELL.fullmatch(name)
    if match is None:
        raise UsageError(f"{name!r} names no cell: expected case[implementation:mode:dtype:aspect]")
    return Named(**match.groupdict())


def repro(options: argparse.Namespace) -> ExitCode:
    """Print the script; with --issue the issue around it; with --again run the cell once more and show everything."""
    named = parsed(options.cell)
    order = _order(named)
    finished = recorded(order)
    (case,) = order.cases
    if options.again:
        terminal.show_case(case, finished)
        return gravest(run_codes(finished) - {ExitCode.STALE_LEDGER})
    try:
        program = standalone(case, named, finished, note=_pointer(finished, named))
    except reproduction.Inexpressible as reason:
        raise UsageError(f"{options.cell}: {reason}; `xent repro --again` runs it once more instead") from reason
    print(issue_text(case, named, finished, program) if options.issue else program, end="")
    return ExitCode.FINE


def standalone(
    case: Case,
    named: Named,
    finished: Run,
    note: str = "",
    *,
    realize: Realize = realize,
    evaluated: Evaluated | None = None,
) -> str:
    """The script of a cell of a finished run; Inexpressible where there is none.

    `evaluated` are truths of the case that are known already, and receives those that are worked out.
    """
    described = finished.header.implementations[named.implementation]
    problem, expected = _problem(case, named, described, realize, evaluated)
    return reproduction.script(problem, expected, case.title, case.why, note)


def issue_text(case: Case, named: Named, finished: Run, program: str) -> str:
    """The issue around a script, with the versions and the machine of the run."""
    of = finished.header.implementations[named.implementation]
    machine = finished.header.machine
    cell = cell_of(finished, named)
    return reproduction.issue(
        title=case.title,
        why=case.why,
        program=program,
        observed=cell.explanation or "The result agrees.",
        versions={**of.get("versions", {}), "Python": str(machine.get("python", "?"))},
        machine=str(machine.get("platform", "?")),
    )


def cell_of(finished: Run, named: Named) -> Cell:
    """The cell a name is about; UsageError where the run has none."""
    for cell in finished.cells:
        if (cell.mode, cell.dtype, cell.aspect) == (named.mode, named.dtype, named.aspect):
            return cell
    there = ", ".join(sorted({f"{c.mode}:{c.dtype}:{c.aspect}" for c in finished.cells}))
    raise UsageError(f"{named.case} has no cell {named.mode}:{named.dtype}:{named.aspect} here; there are {there}")


def _pointer(finished: Run, named: Named) -> str:
    cell = cell_of(finished, named)
    entry = finished.header.suite.get("ledger", {}).get(cell.ledger, {})
    return str(entry.get("reason", "")) if cell.ledger else ""


def _problem(
    case: Case,
    named: Named,
    described: Mapping[str, object],
    realize: Realize,
    evaluated: Evaluated | None,
) -> tuple[reproduction.Problem, reproduction.Expected]:
    if named.aspect.startswith("relation/"):
        raise reproduction.Inexpressible("a relation is about several calls; name the cell of one of its parts")
    is_second = named.aspect == HESSIAN_VECTOR and case.vector is not None
    gradient_of = case.differentiate[0] if is_second else aspects(case.differentiate).get(named.aspect)
    problem = reproduction.Problem(
        implementation=named.implementation,
        loss=case.loss,
        inputs={n: realize(spec, named.dtype) for n, spec in case.inputs.items()},
        options={n: realize(v, named.dtype) if isinstance(v, ArraySpec) else v for n, v in case.options.items()},
        dtype=named.dtype,
        mode=named.mode,
        differentiate=gradient_of,
        cotangent=None if case.cotangent is None else realize(case.cotangent, named.dtype),
        vector=realize(case.vector, named.dtype) if is_second and case.vector is not None else None,
    )
    match case.expect:
        case ExpectRaises(kind):
            return problem, reproduction.Expected(raises=kind)
        case ExpectTruth():
            pass
        case _:
            raise reproduction.Inexpressible("the case has no right answer to compare with")
    if named.aspect == "mode_agreement":
        # Two modes may each be as far from the truth as the budget allows; 1e-6 is far above that in float32.
        return problem, reproduction.Expected(mode=FIRST_MODE, share=1e-6)
    truth = truth_table(case, named.dtype, realize, evaluated).under()
    target = truth.targets.get(named.aspect)
    if target is None:
        raise reproduction.Inexpressible(truth.refusal or f"the reference has no {named.aspect} for this loss")
    flush = bool(described.get("flush_to_zero"))
    return problem, reproduction.Expected.truth(target, named.dtype, flush_to_zero=flush)


def _order(named: Named) -> Order:
    modes = named.mode if named.aspect != "mode_agreement" else f"{FIRST_MODE},{named.mode}"
    options = argparse.Namespace(
        cases=[named.case],
        implementation=[named.implementation],
        family=None,
        modes=modes,
        dtypes=named.dtype,
        shard=None,
        ledger=None,
        timeout=60.0,
        parallel=1,
        python=None,
    )
    return order_from(options)
