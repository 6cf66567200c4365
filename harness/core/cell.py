"""What a run consists of: cells, claims and measurements, between a header and a footer.

How they are written to a file and read back is `harness.runs.run_file`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

SCHEMA = 1

VERDICTS = ("agrees", "by_convention", "known", "disagrees", "unsupported", "crashed", "timed_out", "missing")
RIGHT = ("agrees", "by_convention")
"""Verdicts of answers that are right, by mathematics or by a documented choice; and of what nothing is wrong in."""

INFRASTRUCTURE = frozenset({"crashed", "timed_out", "missing"})
"""Verdicts that say nothing about the implementation's mathematics: never a pass, never a skip, never a score."""

SEVERITIES = (
    "silently_wrong",
    "ends_its_process",
    "silent_nonfinite",
    "hangs",
    "unexpected_error",
    "wrong_error",
    "unsupported",
)
"""Gravest first: a wrong finite number, the end of the whole process, a silent nan or infinity, no answer ever, an
error where a value is right (or a value where an error is right counts as silently wrong), the wrong kind of error, not
offered at all."""

OBSERVED = ("finite", "nan", "inf", "shape", "dtype", "raises", "returns", "bits", "crashes", "hangs")
"""Kinds of facts behind a verdict: a wrong finite number, a nan or an infinity that is not right, an answer of another
shape or type than the right one, an error, an answer where an error is right, whether the bits are the same, a
call that ends its process or never answers, each time it is asked alone, while others are answered."""

MODE_AGREEMENT = "mode_agreement"
"""The aspect in which a mode is compared with the first one."""

EVERY = "*"
"""In place of an aspect: the call was refused, with all of them; in place of a dtype too: so was the case, in all."""

Key = tuple[str, str, str, str, str]
"""Case, implementation, mode, dtype, aspect."""


def wider(key: Key) -> tuple[Key, ...]:
    """The refusals that speak for a cell too, narrower first: of its call, of its case. A run has one of them or it."""
    case, implementation, mode, dtype, aspect = key
    if dtype == EVERY:
        return ()
    of_case = (case, implementation, mode, EVERY, EVERY)
    return (of_case,) if aspect == EVERY else ((case, implementation, mode, dtype, EVERY), of_case)


CLAIM_VERDICTS = ("holds", "holds_to_printed_digits", "holds_under_convention", "wrong", "cannot_be_checked")


def number(value: float) -> float | str:
    """A float as JSON can hold it, which has no nan and no infinities: "nan", "inf" or "-inf"."""
    return value if math.isfinite(value) else repr(float(value))


@dataclass(frozen=True)
class Header:
    """What was run, with what, and where."""

    suite: Mapping[str, Any]
    """version, digest (of all selected case texts), cases: {id: {title, why, loss, tags, inputs, options,
    cotangent, vector, source, file, line, expect, truth}} so that a report needs nothing but the run file."""
    implementations: Mapping[str, Mapping[str, Any]]
    """By name: version, versions, modes, dtypes, losses, device, threads, flags, facts (of
    `harness.core.machine_facts`), startup_seconds, stderr; or
    {"missing": reason} where the worker could not start."""
    machine: Mapping[str, Any]
    """python, platform, cpu, instruction_set, cores, memory_gib."""
    started: str
    """UTC, ISO 8601."""
    command: tuple[str, ...] = ()
    certificate: Mapping[str, Any] | None = None
    """The certificate of the reference the run was judged with."""
    schema: int = SCHEMA


@dataclass(frozen=True)
class Observed:
    """The fact behind a verdict: what the judge saw. Sentences are made from it and never read back."""

    kind: str
    """One of OBSERVED."""
    of: str | None = None
    """What of several things it is about: the aspect in which two modes differ."""
    error: str | None = None
    """Qualified name of the exception's class, where it raises; where it crashes, the signal or exit status."""
    dtype: str | None = None
    """The type of the answer, where that is not the right one."""
    computed_in: str | None = None
    """The format in which the answer is right for the inputs so rounded: a cast, and nothing else, is wrong."""
    choice: str | None = None
    """Where nothing is right: which of the choices that the case lists was made."""
    differing: int | None = None
    """Of bits: how many elements are not the same; the cell's `ulps` is the largest difference."""
    elements: int | None = None
    """Of bits: how many were compared."""


@dataclass(frozen=True)
class Cell:
    """case × implementation × mode × dtype × aspect: the unit of report, diff and gate.

    What is refused is one cell: of a call with the aspect EVERY, of a case in all its dtypes with the dtype EVERY too.
    """

    case: str
    implementation: str
    mode: str
    dtype: str
    aspect: str
    """value; gradient (with respect to the loss's first differentiated input); gradient/NAME for any other input;
    directional (the derivative of the value along the vector of the case, by forward mode); hessian_vector (the Hessian
    with respect to that same first input, times that vector); log_sum_exp, entropy, rows, z_loss (what the call
    returned beside its value); mode_agreement; invariance/NAME; EVERY where the
    call was refused."""
    verdict: str
    outcome: Mapping[str, Any]
    """{"kind": "value"} with dtype, shape and digest (sha256 of the bits), or {"kind": "raises", "error", "type",
    "message"}, {"kind": "unsupported", "reason"}, {"kind": "timed_out", "seconds"}, {"kind": "crashed", "signal",
    "said"}, {"kind": "missing", "reason"}."""
    truth: Any = None
    """What is right: numbers (nested lists, at most 64 of them), or {"shape", "worst_index", "worst"} for larger
    arrays, or {"raises": kind} where an error is right."""
    got: Any = None
    """What came back, in the same form as `truth`."""
    ratio: float | str | None = None
    """R: the error divided by eps times the error scale, at the worst element."""
    budget: float | None = None
    """k: the R that is allowed."""
    error_scale: Mapping[str, float] | None = None
    """A at the worst element, term by term, the terms in the letters of the report; k · eps · their sum is allowed."""
    worst: int | None = None
    """Which element is the worst, counted through the flattened result; None for scalars."""
    grade: str | None = None
    """A accurate relative to the loss, B within the error scale, C only normwise, F worse."""
    ulps: float | str | None = None
    """Error of the worst element in units in the last place of the truth, fractional."""
    severity: str | None = None
    ledger: str | None = None
    """Id of the ledger entry that explains the cell."""
    convention: str | None = None
    """Convention under which the cell agrees, e.g. clip(1e-07)."""
    explanation: str | None = None
    """One sentence for people, for every cell that does not simply agree; made from the facts, never read back."""
    function: str | None = None
    """The public function that was called."""
    warnings: tuple[str, ...] = ()
    seconds: float | None = None
    """What the framework's own call took."""
    causes: Mapping[str, str] = field(default_factory=dict)
    """Wrong steps that explain the number, each by its name in `harness.mistakes` with its sentence; the likeliest
    first."""
    observed: Observed | None = None
    """The fact behind the verdict, of every cell that disagrees or is known, and of a choice where nothing is right."""

    @property
    def key(self) -> Key:
        return (self.case, self.implementation, self.mode, self.dtype, self.aspect)

    @property
    def name(self) -> str:
        """The cell as a user names it on the command line: case[implementation-mode-dtype-aspect]."""
        return f"{self.case}[{self.implementation}:{self.mode}:{self.dtype}:{self.aspect}]"


@dataclass(frozen=True)
class ClaimRecord:
    """A claim of a document with its verdict."""

    case: str
    claimed: Any
    verdict: str
    truth: Any
    explanation: str
    says: str = ""
    convention: str | None = None
    document: str | None = None
    expected: bool = True
    """Whether the verdict is the one the case file expects; the run is not green where it is not."""


@dataclass(frozen=True)
class Speed:
    """One measurement of one implementation on one workload."""

    workload: str
    implementation: str
    mode: str
    dtype: str
    verdict: str
    figures: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str, str, str, str, str]:
        """Workload, passes, threads, implementation, mode, dtype."""
        what = (self.workload, str(self.figures.get("passes")), str(self.figures.get("threads")))
        return (*what, self.implementation, self.mode, self.dtype)

    @property
    def yardstick(self) -> str:
        """The implementation its ratio is to; records that name none were compared with `numpy`."""
        return str(self.figures.get("yardstick", "numpy"))

    @property
    def judged(self) -> str:
        """The verdict of the answer that was timed, one of VERDICTS; `missing` where the record says none."""
        return str(self.figures.get("judged", "missing"))


LEDGER_PROBLEMS = ("fixed", "unmatched")
"""What may be wrong with a ledger entry: it no longer happens, or it matches nothing."""

RUN_PROBLEMS = (*LEDGER_PROBLEMS, "incident")
"""What a run as a whole may have to say: of the ledger, or of a worker that died."""


@dataclass(frozen=True)
class RunProblem:
    """Something a person has to look at that is about no single cell."""

    kind: str
    """One of RUN_PROBLEMS."""
    what: str
    """A sentence for people."""
    hint: str
    entry: str | None = None
    """Id of the ledger entry it is about."""
    place: str | None = None
    """File and line of that entry."""


@dataclass(frozen=True)
class Footer:
    """The proof that a run is complete."""

    cells: int
    verdicts: Mapping[str, int]
    seconds: Mapping[str, float] = field(default_factory=dict)
    """Where the time went: total, and by part."""
    problems: tuple[RunProblem, ...] = ()
    dormant: tuple[str, ...] = ()
    """Ids of the ledger entries whose conditions on machine facts hold for nothing that was run."""


@dataclass(frozen=True)
class Run:
    """A complete run."""

    header: Header
    cells: tuple[Cell, ...]
    claims: tuple[ClaimRecord, ...]
    speeds: tuple[Speed, ...]
    footer: Footer
