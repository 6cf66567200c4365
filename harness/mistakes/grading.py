"""Grading somebody's test: which known-bad implementations it lets through, and the smallest inputs that show them.

Pure: whoever runs the test tells what it said. A known-bad implementation fits a function where some call of the
function tells it from a right one; what no argument of the function can show is held against no test.
"""

from __future__ import annotations

import math
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from harness.adapters.base import Array, Call, Unsupported
from harness.adapters.framework_signatures import Signature, Spelled, matched, signatures, spelled
from harness.core.case import Case, ExpectRaises, ExpectTruth
from harness.core.cell import SEVERITIES
from harness.execution.worker import evaluate
from harness.judgement.truth import TruthTable
from harness.mistakes import BESIDE, MUTANTS, SECOND, WAYS
from harness.mistakes.kill_matrix import mistaken, wrong_cells
from harness.mistakes.sound import Sound
from harness.suite.calls import call_of
from harness.suite.generators import shape_of

ORDER = ("float32", "float64", "float16", "bfloat16")
"""Formats as tests have them, the usual one first."""

SMALL = 256
"""Numbers in the inputs of what is tried beside the cover: of a thousand such cases most tell nothing new."""

EMPTY = 8
"""Numbers that an empty batch counts as."""

LARGE = 4096
"""Numbers beyond which a truth in plain float64 will do, ten times as fast: what is looked for there is a mistake of a
count or a block, not of the last digits."""


@dataclass(frozen=True, eq=False)
class Witness:
    """A call of the function that tells some known-bad implementations from a right one, and none smaller does."""

    case: str
    title: str
    expect: ExpectTruth | ExpectRaises
    call: Call
    """As the function is to be understood."""
    spelled: Spelled
    """The arguments."""
    shows: Mapping[str, str]
    """By name of the known-bad implementation: how grave what it answers is, a name of `SEVERITIES`."""

    @property
    def size(self) -> int:
        """Numbers in its inputs."""
        return sum(math.prod(array.shape) for array in self.call.inputs.values())


def witnesses(function: str, cases: Iterable[Case], cover: Container[str]) -> tuple[Witness, ...]:
    """Few small calls of a function that together tell every known-bad implementation that fits, the smallest first.

    Looked for in the cases of the cover, which together catch all, and for what they cannot show with arguments of this
    function in the other small ones.
    """
    offered = {signature.loss for signature in signatures(function)}
    left = [
        name
        for name, mutant in MUTANTS.items()
        if mutant.kind not in ("conduct", SECOND, BESIDE, WAYS) and offered & set(mutant.losses)
    ]
    sound, found = Sound(), []
    for case, dtype in _in_order([case for case in cases if case.loss in offered], cover):
        if not left:
            break
        assert isinstance(case.expect, ExpectTruth | ExpectRaises)
        understood = _understood(function, replace(call_of(case, dtype), vector=None))
        if understood is None:
            continue
        arguments, call = understood
        table = TruthTable(call, exact=_numbers(case) <= LARGE)
        # A case that asks for an error is one where the truth refuses, in the words of the function too.
        refused = table.under().refusal is not None
        right = evaluate(sound, call)
        if refused != isinstance(case.expect, ExpectRaises) or wrong_cells(case, "sound", dtype, right, table):
            continue
        possible = [name for name in left if case.loss in MUTANTS[name].losses]
        shown = {
            name: min((cell.severity or SEVERITIES[0] for cell in wrong), key=SEVERITIES.index)
            for name, wrong in mistaken(case, call, right, table, possible)
        }
        if shown:
            found.append(Witness(case.id, case.title, case.expect, call, arguments, shown))
            left = [name for name in left if name not in shown]
    return tuple(found)


def _in_order(cases: Sequence[Case], cover: Container[str]) -> Iterator[tuple[Case, str]]:
    """Cases that have one right answer, in their formats: those of the cover, then the others, the smallest first."""
    told = [case for case in cases if isinstance(case.expect, ExpectTruth | ExpectRaises)]
    pairs = [(case, dtype) for case in told for dtype in ORDER if dtype in case.dtypes]
    others = [(c, dtype) for c, dtype in pairs if c.id not in cover and dtype == ORDER[0] and _numbers(c) <= SMALL]
    yield from sorted((pair for pair in pairs if pair[0].id in cover), key=_size)
    yield from sorted(others, key=_size)


def _size(pair: tuple[Case, str]) -> tuple[int, int, int, str]:
    """Nothing is smaller than an empty batch, but few would think of it before a small one."""
    case, dtype = pair
    return _numbers(case) or EMPTY, len(case.options), ORDER.index(dtype), case.id


def _numbers(case: Case) -> int:
    return sum(math.prod(shape_of(spec)) for spec in case.inputs.values())


def _understood(function: str, call: Call) -> tuple[Spelled, Call] | None:
    """The arguments for a call, and the call that the function takes them for; None where it has no such call."""
    try:
        held = replace(
            call,
            inputs={name: _held(function, array) for name, array in call.inputs.items()},
            options={n: _held(function, v) if isinstance(v, Array) else v for n, v in call.options.items()},
            cotangent=None if call.cotangent is None else _held(function, call.cotangent),
        )
        arguments = spelled(function, held)
        found = matched(function, tuple(arguments.arguments.values()), arguments.keywords)
        arrays = {name: value for name, value in found.arrays.items() if isinstance(value, Array)}
        seen = found.call(arrays, None, _differentiable(found.signature, call))
    except (Unsupported, TypeError):
        return None
    # The value of the function has the shape of the cotangent where it is reduced as the case has it, or not at all.
    kept = seen.options.get("reduction") == call.options.get("reduction") and seen.differentiate
    reshaped = found.signature.with_gradient or found.signature.by_element or found.signature.row_mean
    return arguments, replace(seen, cotangent=held.cotangent if kept and not reshaped else None)


def _held(function: str, array: Array) -> Array:
    """The array as the framework of the function can hold it; Unsupported where it cannot."""
    can = signatures(function)[0].arrays
    names = (*can.dtypes, *can.labels)
    if array.dtype not in names and (array.is_float or can.labels):
        if array.is_float or array.dtype != "int64":
            raise Unsupported(f"no {array.dtype} here")
        # Labels are written as int64 in the suite where nothing depends on it.
        array = Array.of(array.storage, can.labels[0])
    backwards = min(array.storage.strides, default=0) < 0
    if can.strides == "forwards" and backwards:
        raise Unsupported("no negative strides here")
    return Array(array.dtype, np.ascontiguousarray(array.storage)) if can.strides == "none" else array


def _differentiable(signature: Signature, call: Call) -> tuple[str, ...]:
    """The inputs whose gradient a test can ask for: a plain function of NumPy arrays returns one or none."""
    if signature.framework == "numpy":
        return (signature.scores,) if signature.with_gradient else ()
    return tuple(name for name in call.differentiate if call.inputs[name].is_float)


# ---- the score ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Graded:
    """One known-bad implementation, and whether the test noticed it."""

    name: str
    kind: str
    severity: str
    mistake: str
    noticed: bool | None
    """None where it could not be found out: the test did not end."""


@dataclass(frozen=True)
class Grade:
    """What a test notices."""

    graded: tuple[Graded, ...]

    @property
    def noticed(self) -> tuple[Graded, ...]:
        return tuple(g for g in self.graded if g.noticed)

    @property
    def passed(self) -> tuple[Graded, ...]:
        """What it lets through, gravest first."""
        return tuple(g for g in self.graded if g.noticed is False)

    @property
    def unknown(self) -> tuple[Graded, ...]:
        return tuple(g for g in self.graded if g.noticed is None)

    @property
    def score(self) -> float:
        """The share that is noticed of what was found out; 0 where nothing was."""
        told = len(self.noticed) + len(self.passed)
        return len(self.noticed) / told if told else 0.0

    def by(self, attribute: str) -> Mapping[str, tuple[int, int]]:
        """By kind or severity: how many are noticed, of how many."""
        names = dict.fromkeys(str(getattr(g, attribute)) for g in self.graded)
        of = {name: [g for g in self.graded if getattr(g, attribute) == name] for name in names}
        return {name: (sum(bool(g.noticed) for g in group), len(group)) for name, group in of.items()}


def grade(found: Sequence[Witness], noticed: Mapping[str, bool | None]) -> Grade:
    """The grade from what a test said of each known-bad implementation that fits."""
    severity = {name: grave for witness in found for name, grave in witness.shows.items()}
    graded = [
        Graded(name, MUTANTS[name].kind, severity[name], MUTANTS[name].mistake, said) for name, said in noticed.items()
    ]
    return Grade(tuple(sorted(graded, key=lambda g: (SEVERITIES.index(g.severity), g.kind, g.name))))


def lacking(found: Sequence[Witness], grade: Grade) -> tuple[Witness, ...]:
    """The calls that would show what a test lets through, each with what it shows of that; the smallest first."""
    passed = {g.name for g in grade.passed}
    cut = (replace(w, shows={n: s for n, s in w.shows.items() if n in passed}) for w in found)
    return tuple(witness for witness in cut if witness.shows)
