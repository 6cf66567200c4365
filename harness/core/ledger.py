"""The nouns of the ledger: a known divergence, what it selects, what it pins, and what a cell shows.

Reading the files is `harness.suite.ledger_files`; matching entries with cells is `harness.judgement.ledger`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Pin:
    """The outcome an entry is about. Every field that is set has to be met."""

    kind: str
    """nan, inf, finite (a wrong finite number), raises, returns (a value where an error is right), dtype, shape."""
    error: str | None = None
    """Glob for the exception's type, where kind is raises."""
    ratio: tuple[float, float] | None = None
    """Closed interval R lies in."""
    got: tuple[float, ...] | None = None
    """The numbers that come back, flattened, each right to its last printed digit (relative 1e-5)."""
    diagnosis: str | None = None
    """Glob for the diagnosis sentence."""
    computed_in: str | None = None
    """The format in which the result is right for the inputs so rounded: a cast, and nothing else, is wrong."""


@dataclass(frozen=True)
class Entry:
    """One known divergence."""

    id: str
    cases: tuple[str, ...]
    implementations: tuple[str, ...]
    pin: Pin
    reason: str
    upstream: str
    """Address of the thread or of the documentation that states it, or `none found`."""
    versions: str = ""
    """A version specifier as in PEP 440, such as ">=2.0,<3"; empty: every version."""
    modes: tuple[str, ...] = ("*",)
    dtypes: tuple[str, ...] = ("*",)
    aspects: tuple[str, ...] = ("*",)
    expires: str | None = None
    """ISO date after which the entry has to be looked at again."""
    location: str = ""


@dataclass(frozen=True)
class Selector:
    """What a ledger entry selects by."""

    case: str
    implementation: str
    mode: str
    dtype: str
    aspect: str
    version: str


@dataclass(frozen=True, eq=False)
class Observed:
    """What a disagreeing cell shows, in the terms of a pin."""

    kind: str
    error: str | None = None
    ratio: float | None = None
    got: NDArray[np.float64] | None = None
    diagnosis: str | None = None
    computed_in: str | None = None


def flatten(numbers: Any) -> tuple[float, ...]:
    """Nested lists of numbers as one tuple."""
    if isinstance(numbers, Iterable) and not isinstance(numbers, str | bytes):
        return tuple(x for item in numbers for x in flatten(item))
    return (float(numbers),)
