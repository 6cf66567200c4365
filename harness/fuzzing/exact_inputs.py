"""The inputs of a case as the exact numbers they are in a dtype."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from harness.core.case import Case
from harness.suite.generators import realize
from reference.signatures import LOSSES


def exact_inputs(case: Case, dtype: str) -> dict[str, NDArray[Any]]:
    """By name: floating inputs rounded to the dtype and held in float64, integers as they are."""
    realized = {name: realize(spec, dtype) for name, spec in case.inputs.items()}
    return {name: array.to_float64() if array.is_float else array.storage for name, array in realized.items()}


def written(values: NDArray[Any]) -> Any:
    """An array as a case writes it: a number, or nested tuples of numbers."""

    def nested(entry: Any) -> Any:
        return tuple(map(nested, entry)) if isinstance(entry, list) else entry

    return nested(values.tolist())


def scores_of(case: Case) -> str:
    """The name of the first floating input that is no target: logits, probabilities, log_probabilities, hidden."""
    return next(name for name in LOSSES[case.loss].differentiate if name in case.inputs)
