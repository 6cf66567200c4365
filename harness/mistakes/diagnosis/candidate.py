"""One alternative computation: in words, and the results it has."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.core.formats import FORMATS
from harness.judgement.agreement import Floats
from harness.judgement.truth import TruthTable

Results = Mapping[str, Floats]
"""By aspect; an aspect the change says nothing about is absent."""

BINARY = frozenset({"binary_cross_entropy", "binary_cross_entropy_with_logits", "binary_focal"})
OF_PROBABILITIES = frozenset({"entropy", "cross_entropy", "categorical_cross_entropy", "binary_cross_entropy"})
"""Losses that take the logarithm of an input."""

SMALL_CONSTANTS = (1e-7, 1e-15, 1e-12, 1e-8, 1e-6, 1e-10, 1e-9, 1e-5, 1e-4, 1e-3)
"""What people add and clip at, the usual ones first."""


@dataclass(frozen=True)
class Candidate:
    """A change, and what comes out under it: computed when first asked for, empty where it has no meaning."""

    says: str
    results: Callable[..., Results]
    """Called without arguments; defaults bind what a loop goes through."""
    slack: float = 0.0
    """What an implementation of the change may be off by besides, absolutely: the noise of a difference quotient."""


Candidates = Iterator[Candidate]


def alone(says: str, aspect: str, compute: Callable[..., Floats]) -> Candidate:
    """A change that is seen in one aspect."""
    return Candidate(says, lambda: {aspect: compute()})


def native(dtype: str) -> Any:
    """The type NumPy computes a format in; bfloat16, which it lacks, is computed in float32 everywhere."""
    return np.float32 if dtype == "bfloat16" else np.dtype(dtype).type


def constants(table: TruthTable) -> tuple[float, ...]:
    """The small constants, and the eps of the format."""
    return (*SMALL_CONSTANTS, FORMATS[table.dtype].eps)


def is_labels(array: NDArray[Any] | None) -> bool:
    """Whether targets are class labels."""
    return array is not None and array.dtype.kind in "iu"


def is_distribution(array: NDArray[Any] | None) -> bool:
    """Whether targets are numbers, one for each class."""
    return array is not None and array.dtype.kind == "f"
