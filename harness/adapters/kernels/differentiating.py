"""A framework that differentiates when it is asked to: values and gradients of a request."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from harness.adapters.base import Answer, Array
from harness.adapters.functions import Request

Slopes = Callable[[Request, Mapping[str, Any], Sequence[str], Any], Iterable[Any]]
"""From the request, its arrays, the names that are asked for and the value to a gradient of each."""


def answered(
    request: Request,
    write: Callable[[Array], Any],
    read: Callable[[Any], Array],
    slopes_of: Slopes,
    ready: Callable[[Any], Any] = lambda array: None,  # noqa: ARG005
) -> Answer:
    """The value, and the gradients or what was raised in their place; what is differentiated is made `ready` first."""
    call = request.call
    options = {name: option for name, option in call.options.items() if isinstance(option, Array)}
    named = {name: write(array) for name, array in {**call.inputs, **options}.items()}
    asked = tuple(name for name in call.differentiate if call.inputs[name].is_float)
    for name in asked:
        ready(named[name])
    value = request.compute(named)
    found = read(value)
    error: BaseException | None = None
    slopes: dict[str, Array] = {}
    if asked:
        try:
            slopes = {n: read(slope) for n, slope in zip(asked, slopes_of(request, named, asked, value), strict=True)}
        except Exception as raised:  # the outcome of the gradient, not of the value
            error = raised
    return Answer(
        found, request.function, slopes, error, convention=request.convention, computed_with=request.computed_with
    )
