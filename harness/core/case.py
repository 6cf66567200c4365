"""A case as a value: what the YAML files become, and what everything downstream reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True)
class Location:
    """Where in the suite something was written."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True)
class ArraySpec:
    """An array as written in a case: literal `values`, or a `generator` with its parameters.

    `harness.suite.generators.realize` turns it into numbers; nothing large is ever stored in a case.
    """

    values: Any = None
    """Nested tuples of numbers, or one number."""
    generator: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    dtype: str | None = None
    """None: the dtype of the cell for floating arrays, int64 for integers."""
    layout: str = "contiguous"
    """contiguous, strided (every second element of a larger buffer), transposed (Fortran order), reversed."""
    rows: tuple[int, ...] | None = None
    """Which entries of the first axis, in this order; None: all. Never written in a case: parts of a batch have it."""


@dataclass(frozen=True)
class ExpectTruth:
    """The value and gradients mathematics gives."""

    at_least: Mapping[str, str] = field(default_factory=dict)
    """By aspect: the grade that is demanded. A, accurate relative to the number itself, is the only one above what is
    demanded anyway."""


@dataclass(frozen=True)
class ExpectRaises:
    """An error of this kind: out_of_range_label, shape_mismatch, bad_dtype, invalid_probability, invalid_option."""

    kind: str


KINDS_OF_CHOICE = ("raises", "nan", "inf", "any")
"""Choices that are a kind of outcome: an error, a nan or an infinity somewhere in the answer, any finite numbers."""


@dataclass(frozen=True)
class Choice:
    """What implementations do where nothing is right: a kind of outcome, numbers, or the truth of another call."""

    name: str
    kind: str | None = None
    """One of KINDS_OF_CHOICE; None: an answer has to be what the rest says."""
    inputs: Mapping[str, ArraySpec] = field(default_factory=dict)
    """In place of those of the case: the answer is the truth of the case with these."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """In place of those of the case, as `inputs`."""
    numbers: Mapping[str, Any] = field(default_factory=dict)
    """By aspect: the answer itself, to the digits written, in nested tuples; one number stands for every element."""


@dataclass(frozen=True)
class ExpectImplementationDefined:
    """No right answer: the choices are listed, each implementation's choice is recorded, any change is gated."""

    choices: tuple[Choice, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The choices as a reader is told them."""
        return tuple(choice.name for choice in self.choices)


@dataclass(frozen=True)
class ExpectInvariances:
    """Nothing is right or wrong: whether bits are the same in each of these ways is recorded, any change is gated."""

    names: tuple[str, ...]
    """Of harness.core.invariances."""


Expectation = ExpectTruth | ExpectRaises | ExpectImplementationDefined | ExpectInvariances


@dataclass(frozen=True)
class Source:
    """The document a case comes from."""

    document: str
    section: str | None = None


EXPECTED_VERDICTS: Mapping[str, str] = MappingProxyType(
    {
        "yes": "holds",
        "to the digits printed": "holds_to_printed_digits",
        "no": "wrong",
        "cannot be checked": "cannot_be_checked",
    }
)
"""What `holds` says of a claim, and the verdict it stands for."""

ONLY_UNDER = "only under "
"""Beginning of a `holds` that names a convention, e.g. only under base 2."""


@dataclass(frozen=True)
class Claim:
    """Something a document says about this case, to be judged by computing it.

    Exactly one of `value`, `check` and `missing` is set.
    """

    says: str
    """The claim in a sentence."""
    holds: str
    """The verdict we expect: yes | to the digits printed | only under CONVENTION | no | cannot be checked."""
    value: Any = None
    """The number (or nested tuples of numbers) the document prints."""
    written: str | None = None
    """The number as the document writes it, where it is one number: 0.070, or more digits than float64 holds."""
    printed_digits: int | None = None
    """Decimals printed after the point."""
    convention: Mapping[str, Any] | None = None
    """The convention under which the number is right, where it is not the plain one."""
    output: str = "value"
    """Which result the claim speaks of: value, or the name of another loss evaluated on the same inputs."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Options that differ from those of the case, e.g. {"reduction": "none"} for a claim about single samples."""
    element: int | None = None
    """The element (row-major) the claim speaks of, where the result is an array."""
    from_rounded: float | None = None
    """A rounded probability the document may have computed its number from."""
    check: str | None = None
    """Name of a computed check, for claims that are not a number."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    missing: str | None = None
    """What would be needed to check it."""
    because: str | None = None
    """Why it does not hold, for a reader."""

    @property
    def expected_verdict(self) -> str:
        """The verdict of the run file that `holds` stands for; ValueError where it stands for none."""
        if self.holds.startswith(ONLY_UNDER) and self.holds != ONLY_UNDER:
            return "holds_under_convention"
        try:
            return EXPECTED_VERDICTS[self.holds]
        except KeyError:
            known = ", ".join(repr(name) for name in EXPECTED_VERDICTS)
            raise ValueError(f"holds is {known} or {ONLY_UNDER + 'CONVENTION'!r}, not {self.holds!r}") from None


@dataclass(frozen=True)
class Case:
    """One loss, one input, its options, what is expected and where it comes from."""

    id: str
    title: str
    why: str
    loss: str
    inputs: Mapping[str, ArraySpec]
    location: Location
    options: Mapping[str, Any] = field(default_factory=dict)
    """Scalars, strings, or ArraySpec. `reduction` is always present for a loss that has one."""
    dtypes: tuple[str, ...] = ("float64", "float32", "float16", "bfloat16")
    expect: Expectation = ExpectTruth()
    differentiate: tuple[str, ...] = ()
    """Inputs whose gradient is asked for."""
    cotangent: ArraySpec | None = None
    vector: ArraySpec | None = None
    """The direction of the derivatives that are asked for besides, in the shape of the first of `differentiate`: that
    of the value along it, and, of losses that are differentiated twice, the Hessian of value · cotangent times it."""
    outputs: tuple[str, ...] = ()
    """What is asked for beside the value: names of `harness.core.outputs.OUTPUTS`."""
    source: Source | None = None
    claims: tuple[Claim, ...] = ()
    tags: tuple[str, ...] = ()
