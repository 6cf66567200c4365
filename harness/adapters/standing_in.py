"""An implementation of ours in the place of a framework's function: the framework's arguments in, its arrays out.

`stand_in(function, evaluate)` is called like `function`; what it returns can be differentiated by the framework whose
arrays it was given, and comes from `evaluate`, which answers calls of ours. A framework is imported only once one of
its arrays is there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.adapters.base import Answer, Array, Call
from harness.adapters.framework_signatures import Matched, matched

Evaluate = Callable[[Call], Answer]


class RefusedError(ValueError, IndexError, RuntimeError, TypeError):
    """What the implementation refuses, as whichever of these the framework would have raised."""


@dataclass(frozen=True)
class Problem:
    """One call of the function, whose arrays are ours already."""

    matched: Matched
    evaluate: Evaluate
    arrays: Mapping[str, Array]

    @property
    def given(self) -> Mapping[str, Any]:
        """The arguments by our names, as the framework has them."""
        return self.matched.arrays

    @property
    def inputs(self) -> Mapping[str, Any]:
        return self.matched.inputs

    def with_arrays(self, arrays: Mapping[str, Array]) -> Problem:
        """The same with other numbers: those of a program that a framework runs later."""
        return Problem(self.matched, self.evaluate, {**self.arrays, **arrays})

    def value(self) -> Array:
        """What the function returns. RefusedError where the implementation refuses."""
        return self.matched.value(self._answer(None, ()).value)

    def gradients(self, cotangent: Array, names: Sequence[str]) -> Mapping[str, Array]:
        """The gradients with respect to these inputs, of what is returned times the cotangent."""
        found = self._answer(cotangent, names).gradients
        return {n: self.matched.gradient(g, self.arrays[n].shape) for n, g in found.items()}

    def _answer(self, cotangent: Array | None, names: Sequence[str]) -> Answer:
        try:
            return self.evaluate(self.matched.call(self.arrays, cotangent, names))
        except (ValueError, LookupError, TypeError, ArithmeticError) as error:
            raise RefusedError(str(error)) from error


def stand_in(function: str, evaluate: Evaluate) -> Callable[..., Any]:
    """A function with the signature of the framework's `function`, answered by `evaluate`."""

    def called(*arguments: Any, **keywords: Any) -> Any:
        found = matched(function, arguments, keywords)
        return _solved(found, evaluate)

    return called


def _solved(found: Matched, evaluate: Evaluate) -> Any:
    roots = {type(value).__module__.partition(".")[0] for value in found.arrays.values()}
    read: Callable[[Any], Any] = _as_it_is
    solve: Callable[[Problem], Any] = _in_numpy
    if "torch" in roots:
        from harness.adapters import torch_differentiable

        read, solve = torch_differentiable.read, torch_differentiable.solved
    elif roots & {"jax", "jaxlib"}:
        from harness.adapters import jax_differentiable

        read, solve = jax_differentiable.read, jax_differentiable.solved
    elif "tensorflow" in roots:
        from harness.adapters import tensorflow_differentiable

        read, solve = tensorflow_differentiable.read, tensorflow_differentiable.solved
    return solve(Problem(found, evaluate, _arrays(found, read)))


def _arrays(found: Matched, read: Callable[[Any], Any]) -> dict[str, Array]:
    """The inputs, and the options that are arrays; numbers of Python's beside them take their format."""
    held = {n: read(v) for n, v in found.arrays.items()}
    arrays = {n: v if isinstance(v, Array) else _array(v) for n, v in held.items() if n in found.inputs or _is_array(v)}
    dtype = arrays[found.signature.scores].dtype
    return {
        n: a if isinstance(held[n], Array | np.ndarray) or not a.is_float else Array.of(held[n], dtype)
        for n, a in arrays.items()
    }


def _is_array(value: Any) -> bool:
    return isinstance(value, Array | np.ndarray | list)


def _as_it_is(values: Any) -> Any:
    return values


def _array(values: Any) -> Array:
    if not isinstance(values, np.ndarray):
        return Array.of(values)
    return (
        Array("bfloat16", values.view(np.uint16))
        if values.dtype.name == "bfloat16"
        else Array(values.dtype.name, values)
    )


def _in_numpy(problem: Problem) -> Any:
    """The value, and the gradient besides where functions of this signature return it."""
    value = _numbers(problem.value())
    if not problem.matched.signature.with_gradient:
        return value
    first = problem.matched.signature.scores
    ones = Array.of(np.ones(problem.value().shape), problem.arrays[first].dtype)
    gradient = problem.gradients(ones, (first,)).get(first)
    return value, None if gradient is None else _numbers(gradient)


def _numbers(array: Array) -> Any:
    return array.to_float64() if array.dtype == "bfloat16" else array.storage[()]
