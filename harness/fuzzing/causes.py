"""What findings have in common: the condition of an input, and the cause a finding is filed under. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

import numpy as np

from harness.core.case import Case, ExpectRaises
from harness.core.cell import Cell
from harness.core.formats import FORMATS
from harness.core.ledger import Entry
from harness.fuzzing.exact_inputs import exact_inputs, scores_of
from harness.judgement.agreement import Floats
from reference.signatures import OPTIONS


@dataclass(frozen=True)
class Cause:
    """One kind of divergence: what findings are grouped by, instead of by input."""

    implementation: str
    mode: str
    loss: str
    aspect: str
    outcome: str
    """nan, inf, finite, dtype, shape, raises, returns; crashed and timed_out of a worker."""

    def __str__(self) -> str:
        return f"{self.implementation} ({self.mode}) {self.loss} {self.aspect}: {self.outcome}"


def cause_of(cell: Cell, case: Case) -> Cause:
    """The cause a disagreeing cell belongs to, but for the condition of its input."""
    return Cause(cell.implementation, cell.mode, case.loss, cell.aspect, outcome_of(cell))


def outcome_of(cell: Cell) -> str:
    """The class of outcome, in the words of a ledger's pin."""
    if cell.verdict in ("crashed", "timed_out", "missing"):
        return cell.verdict
    assert cell.observed is not None, f"{cell.name} disagrees, and nothing was observed"
    return cell.observed.kind


def condition(case: Case, dtype: str) -> frozenset[str]:
    """What is special about an input: a closed set of words, empty for an ordinary one."""
    return frozenset(_features(case, dtype))


_SPECIAL = tuple(name for name in OPTIONS if name not in ("reduction", "denominator", "axis", "base", "alpha", "gamma"))
"""Options that make an input special by being there."""


def _features(case: Case, dtype: str) -> Iterator[str]:
    if isinstance(case.expect, ExpectRaises):
        yield case.expect.kind
    fmt = FORMATS[dtype]
    inputs, options = exact_inputs(case, dtype), case.options
    rows = inputs[scores_of(case)]
    for name, values in inputs.items():
        if values.dtype.kind != "f":
            continue
        yield from _of_numbers(name, values, fmt.smallest_normal, fmt.largest)
    targets = inputs.get("targets")
    has_classes = not case.loss.startswith("binary")
    if has_classes and targets is not None and targets.dtype.kind == "f" and targets.ndim == rows.ndim > 1:
        yield "distributions"
        axis = options.get("axis", -1)
        if -targets.ndim <= axis < targets.ndim and not bool(np.isclose(targets.sum(axis), 1.0).all()):
            yield "targets that do not sum to 1"
    for option in _SPECIAL:
        if option in options:
            yield option.replace("_", " ")
    if options.get("reduction") in ("mean", "batchmean"):
        yield "mean"
    if options.get("reduction") == "sum":
        yield "sum"
    if rows.ndim > 2:
        yield "more axes"
    if rows.shape and rows.shape[0] >= 1000:
        yield "many rows"
    if targets is not None and targets.dtype.kind in "iu" and targets.dtype != np.int64:
        yield f"{targets.dtype} labels"
    if next(iter(case.inputs.values())).layout != "contiguous":
        yield "layout"


def _of_numbers(name: str, values: Floats, smallest: float, largest: float) -> Iterator[str]:
    finite = values[np.isfinite(values)]
    if np.isnan(values).any():
        yield f"nan in {name}"
    if (values == np.inf).any():
        yield f"inf in {name}"
    if (values == -np.inf).any():
        yield f"-inf in {name}"
    if ((finite != 0) & (np.abs(finite) < smallest)).any():
        yield f"subnormal {name}"
    if name in ("probabilities",) or (name == "targets" and finite.size):
        if name == "probabilities" and (finite == 0).any():
            yield "probability 0"
        if name == "probabilities" and (finite == 1).any():
            yield "probability 1"
        if name == "probabilities" and ((finite > 0) & (finite < 1e-6)).any():
            yield "tiny probability"
        return
    if finite.size:
        spread = float(np.ptp(finite, axis=-1).max()) if finite.shape == values.shape and values.ndim > 1 else 0.0
        if np.abs(finite).max() > largest / 4:
            yield f"{name} near overflow"
        elif np.abs(finite).max() >= 64.0:
            yield f"large {name}"
        elif np.abs(finite).max() >= 8.0 or spread >= 8.0:
            yield f"confident {name}"


def explains(entry: Entry, cause: Cause, conditions: frozenset[str], dtype: str, known: Conditions) -> bool:
    """Whether a ledger entry is about this cause: same selector and outcome, on a case of the same loss whose
    condition includes that of the finding."""
    return (
        entry.pin.kind == cause.outcome
        and any(fnmatchcase(cause.implementation, pattern) for pattern in entry.implementations)
        and any(fnmatchcase(cause.mode, pattern) for pattern in entry.modes)
        and (any(fnmatchcase(dtype, pattern) for pattern in entry.dtypes) or known.whatever_the_dtype(entry))
        and any(fnmatchcase(cause.aspect, pattern) for pattern in entry.aspects)
        and any(conditions <= of for of in known.of(entry, cause.loss, dtype))
    )


@dataclass
class Conditions:
    """The conditions of the written cases, which is what a ledger entry of their ids is about."""

    cases: tuple[Case, ...]

    def __post_init__(self) -> None:
        self._found: dict[tuple[str, str, str], list[frozenset[str]]] = {}

    def whatever_the_dtype(self, entry: Entry) -> bool:
        """Whether an entry is about who accepts an input, which no floating type changes: it names the types its cases
        are run in, and no case of it is run in another."""
        if entry.pin.kind not in ("raises", "returns"):
            return False
        chosen = [c for c in self.cases if any(fnmatchcase(c.id, p) for p in entry.cases)]
        return all(any(fnmatchcase(d, p) for p in entry.dtypes) for case in chosen for d in case.dtypes)

    def of(self, entry: Entry, loss: str, dtype: str) -> list[frozenset[str]]:
        """The conditions of the cases an entry selects, of one loss, in a dtype."""
        key = (entry.id, loss, dtype)
        if key not in self._found:
            chosen = [c for c in self.cases if c.loss == loss and any(fnmatchcase(c.id, p) for p in entry.cases)]
            self._found[key] = [condition(c, dtype) for c in chosen]
        return self._found[key]
