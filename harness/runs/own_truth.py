"""A truth of somebody's own, for a loss that the family lacks and whose calls are those of one it has.

An adapter names it (`Description.truth`, module:function). It is called with the inputs and options of a call by name:

    def my_loss(logits, targets, *, reduction, epsilon=1.0): ...

Floating inputs are arrays of `mpmath.mpf`, exactly the bits the implementation received, and integers are integers; the
result is one such number or an array of them. Gradients are differences of it in 400 digits, and the error scale is the
conditioning that is measured, |f| + Σ |x_i ∂f/∂x_i|, of the value and of each gradient: which is why a call may hold
`MOST_NUMBERS` at most. A function that has a parameter `cotangent` is handed arrays of float64 instead, of any size,
and returns the value and the gradients by the name of the input, each an array or a pair of arrays whose sum it is.
`Description.error_scale`, module:function of the same arrays of float64, replaces what is measured: it returns error
scales by "value" and the names of inputs.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from math import prod
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
from numpy.typing import NDArray

import reference
from harness.adapters.base import Description
from harness.core.call import Question
from harness.core.case import ArraySpec, Case, ExpectImplementationDefined, ExpectTruth
from harness.core.cell import Cell
from harness.core.errors import UsageError
from harness.judgement.tolerance import ErrorScales
from harness.runs.plan import refusal
from harness.suite.generators import Realize, shape_of

Arrays = Mapping[str, NDArray[Any]]
Scales = Mapping[str, NDArray[np.float64]]

MOST_NUMBERS = 32
"""Floating numbers of a call whose derivatives are taken as differences: their square of evaluations is a second."""

DIGITS, STEP = 400, -60
"""Of differences that are the truth. The gradient of a loss of 1000 is right down to the smallest subnormal of float64,
5e-324: its error is 1e-400 · 1000 / 1e-60 from rounding, and 1e-60 of itself from the step."""

YARD_DIGITS, YARD_STEP = 60, -15
"""Of second differences, which measure the conditioning: to 1e-30 of the loss."""


@dataclass(frozen=True, eq=False)
class OwnTruth:
    """What is true of the calls of one implementation."""

    name: str
    function: Callable[..., Any]
    scale: Callable[..., Any] | None = None

    @property
    def differentiates(self) -> bool:
        """Whether the function returns the gradients itself."""
        return "cotangent" in inspect.signature(self.function).parameters

    def refuses(self, question: Question, realize: Realize) -> str | None:
        """Why a question has no answer that this could judge; None where it has."""
        case = question.home
        if isinstance(case.expect, ExpectImplementationDefined):
            return "what implementations may choose is known of the family's own losses alone"
        if not isinstance(case.expect, ExpectTruth):
            return None
        floating = [spec for spec in case.inputs.values() if is_floating(spec)]
        if not self.differentiates and sum(prod(shape_of(spec)) for spec in floating) > MOST_NUMBERS:
            return f"its truth is differentiated by differences, of at most {MOST_NUMBERS} numbers"
        if not self.differentiates and not all(_finite(realize(spec, question.dtype)) for spec in floating):
            return "its truth is differentiated by differences, of finite numbers"
        return None

    def evaluate(
        self,
        _loss: str,
        inputs: Arrays,
        options: Mapping[str, Any],
        convention: Mapping[str, Any] | None = None,
        *,
        cotangent: NDArray[np.float64] | None = None,
        differentiate: Sequence[str] | None = None,
        **_: Any,
    ) -> reference.Evaluation:
        """As `reference.evaluate`. ValueError where the function cannot say it."""
        if convention:
            raise ValueError(f"{self.name} knows no conventions")
        wanted = tuple(differentiate or ())
        try:
            if self.differentiates:
                value, gradients = self.function(**inputs, **options, cotangent=cotangent)
                return reference.Evaluation(_pair(value), {name: _pair(gradients[name]) for name in wanted})
            with mpmath.workdps(DIGITS):
                value = self._value(inputs, options)
                step = mpmath.mpf(10) ** STEP
                upstream = _upstream(value, cotangent)
                slopes = {name: np.empty(inputs[name].shape, object) for name in wanted}
                for name, place, moved in _moves(inputs, wanted, step):
                    slopes[name][place] = np.sum((self._value(moved, options) - value) * upstream) / step
                return reference.Evaluation(_parts(value), {name: _parts(slope) for name, slope in slopes.items()})
        except Exception as error:
            called = ", ".join((*inputs, *options, *(("cotangent",) if self.differentiates else ())))
            raise ValueError(f"{self.name}, called with {called}: {type(error).__name__}: {error}") from error

    def error_scales(
        self,
        _loss: str,
        inputs: Arrays,
        options: Mapping[str, Any],
        gradients: Scales,
        cotangent: NDArray[np.float64] | None,
        *_: Any,
    ) -> ErrorScales:
        """As `harness.judgement.tolerance.error_scales`: what was given, or the conditioning that is measured."""
        if self.scale is not None:
            given = self.scale(**inputs, **options)
            scales = {name: np.asarray(size, np.float64) for name, size in given.items()}
            return ErrorScales(scales["value"], {name: scales[name] for name in gradients}, {})
        with mpmath.workdps(YARD_DIGITS):
            return self._measured(inputs, options, gradients, cotangent)

    def _measured(
        self, inputs: Arrays, options: Mapping[str, Any], gradients: Scales, cotangent: NDArray[np.float64] | None
    ) -> ErrorScales:
        names = tuple(name for name, array in inputs.items() if array.dtype.kind == "f")
        value, step = self._value(inputs, options), mpmath.mpf(10) ** YARD_STEP
        upstream = _upstream(value, cotangent)
        once = [(name, place, self._value(moved, options)) for name, place, moved in _moves(inputs, names, step)]
        size = np.abs(value)
        sizes: dict[str, NDArray[Any]] = {name: np.abs(gradients[name]).astype(np.float64) for name in gradients}
        for i, (name, place, one) in enumerate(once):
            size = size + np.abs((one - value) / step * inputs[name][place])
            moved = {**inputs, name: _exact(inputs[name])}
            moved[name][place] += step
            for j, (other, there, two) in enumerate(once[: i + 1]):
                again = {**moved, other: _exact(moved[other])}
                again[other][there] += step
                curve = float(abs(np.sum((self._value(again, options) - one - two + value) * upstream) / step**2))
                if other in sizes:
                    sizes[other][there] += curve * abs(float(inputs[name][place]))
                if name in sizes and j != i:
                    sizes[name][place] += curve * abs(float(inputs[other][there]))
        return ErrorScales(np.asarray(size, np.float64), sizes, {})

    def _value(self, inputs: Arrays, options: Mapping[str, Any]) -> NDArray[Any]:
        exact = {name: _exact(array) if array.dtype.kind in "fO" else array for name, array in inputs.items()}
        chosen = {
            name: _exact(option) if isinstance(option, np.ndarray) and option.dtype.kind == "f" else option
            for name, option in options.items()
        }
        return np.asarray(self.function(**exact, **chosen), object)


def own_truths(descriptions: Mapping[str, Description]) -> dict[str, OwnTruth]:
    """By implementation: the truth it brings. UsageError where there is none of that name."""
    return {
        name: OwnTruth(d.truth, _named(name, d.truth), _named(name, d.error_scale) if d.error_scale else None)
        for name, d in descriptions.items()
        if d.truth
    }


def answerable(item: Question | Cell, own: OwnTruth | None, realize: Realize) -> Question | Cell:
    """A question as it can be judged by a truth of its own, which has no derivatives along vectors."""
    if own is None or not isinstance(item, Question):
        return item
    reason = own.refuses(item, realize)
    if reason is not None:
        return refusal(item.home, item.implementation, item.mode, item.dtype, reason)
    return replace(item, case=_without_vector(item.case), of=None if item.of is None else _without_vector(item.of))


def is_floating(spec: ArraySpec) -> bool:
    """Whether an array is one of floating numbers."""
    return spec.dtype is None or not spec.dtype.startswith(("int", "uint", "bool"))


def _without_vector(case: Case) -> Case:
    return replace(case, vector=None)


def _named(implementation: str, name: str) -> Callable[..., Any]:
    """What module:function names, of what can be imported here or lies in the folder one is in."""
    module, _, function = name.partition(":")
    if str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))
    try:
        found = getattr(import_module(module), function)
    except Exception as error:
        raise UsageError(f"{implementation} brings the truth {name}, which cannot be imported: {error}") from error
    if not callable(found):
        raise UsageError(f"{implementation} brings the truth {name}, which is no function")
    return found  # type: ignore[no-any-return]


def _finite(array: Any) -> bool:
    return not array.is_float or bool(np.isfinite(array.to_float64()).all())


def _exact(array: NDArray[Any]) -> NDArray[Any]:
    """A copy of numbers as those of mpmath."""
    exact = np.empty(array.shape, object)
    for place, number in np.ndenumerate(array):
        exact[place] = number if isinstance(number, mpmath.mpf) else mpmath.mpf(float(number))
    return exact


def _moves(inputs: Arrays, names: Sequence[str], step: Any) -> Any:
    """The inputs with one number of them moved by `step`, for each number of those named."""
    for name in names:
        for place in np.ndindex(inputs[name].shape):
            moved = _exact(inputs[name])
            moved[place] += step
            yield name, place, {**inputs, name: moved}


def _upstream(value: NDArray[Any], cotangent: NDArray[np.float64] | None) -> NDArray[Any]:
    return _exact(np.ones(value.shape) if cotangent is None else np.asarray(cotangent, np.float64))


def _parts(numbers: NDArray[Any]) -> reference.Exact:
    """Numbers of mpmath as hi + lo."""
    hi = np.asarray(numbers, object).astype(np.float64)
    low = [
        float(n - mpmath.mpf(h)) if np.isfinite(h) else 0.0 for n, h in zip(np.ravel(numbers), hi.ravel(), strict=True)
    ]
    return reference.Exact(hi, np.asarray(low).reshape(hi.shape))


def _pair(numbers: Any) -> reference.Exact:
    """An array, or two whose sum it is, as hi + lo."""
    hi, lo = numbers if isinstance(numbers, tuple) else (numbers, np.zeros(np.shape(numbers)))
    return reference.Exact(np.asarray(hi, np.float64), np.asarray(lo, np.float64))
