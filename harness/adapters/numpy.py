"""NumPy: the reference's own formulas evaluated in plain floating point, as a careful author would write them."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

import reference
from harness.adapters.base import Answer, Array, Call, Description, Unsupported
from harness.adapters.facts import numpy_facts, variables
from reference.blocked import evaluate_blocked
from reference.blocked_linear import evaluate_linear_blocked

SMALLEST_REUSED = 2**20
"""Bytes from which memory comes from the system page by page; smaller arrays come from a heap that is warm already."""


class NumPy:
    """`reference.evaluate_plain`: every operation rounds once to the dtype of the call; what is trained with most goes
    through `reference.evaluate_blocked`, the same mathematics on blocks of rows."""

    def __init__(self) -> None:
        self._memory = Reused()

    def describe(self) -> Description:
        return Description(
            version=np.__version__,
            losses=tuple(reference.LOSSES),
            dtypes=("float64", "float32", "float16"),  # NumPy has no bfloat16
            versions={"numpy": np.__version__},
            flags=variables("numpy", os.environ),
            facts=numpy_facts(),
        )

    def evaluate(self, call: Call) -> Answer:
        if call.loss not in reference.LOSSES:
            raise Unsupported(f"there is no formula for {call.loss}")
        differentiable = tuple(n for n in call.differentiate if call.inputs[n].is_float)
        fast = _in_blocks(call, differentiable, self._memory.empty)
        if fast is not None:
            return fast
        evaluation = reference.evaluate_plain(
            call.loss,
            {name: _numbers(array) for name, array in call.inputs.items()},
            {name: _numbers(option) for name, option in call.options.items()},
            cotangent=None if call.cotangent is None else call.cotangent.to_float64(),
            differentiate=differentiable,
            vector=None if call.vector is None else call.vector.to_float64(),
            dtype=np.dtype(call.dtype),
        )
        product = evaluation.hessian_vector
        return Answer(
            value=_array(evaluation.value),
            function="reference.evaluate_plain",
            gradients={name: _array(gradient) for name, gradient in evaluation.gradients.items()},
            hessian_vector=None if product is None else _array(product),
        )


class Reused:
    """Large arrays in memory that was used before, as the allocators of the frameworks do it.

    Memory the system has just handed out costs more than the arithmetic: every page of it is first filled with zeros.
    """

    def __init__(self) -> None:
        self._kept: NDArray[np.uint8] | None = None

    def empty(self, shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
        """An array of which nothing is known; in the memory kept, unless somebody still holds an array in it."""
        size = math.prod(shape) * np.dtype(dtype).itemsize
        if size < SMALLEST_REUSED:
            return np.empty(shape, dtype)
        # Two references are the attribute's and that of the call that counts them; an array inside holds a third.
        if self._kept is None or self._kept.nbytes < size or sys.getrefcount(self._kept) > 2:
            self._kept = np.empty(size, np.uint8)
        return self._kept[:size].view(dtype).reshape(shape)


def _in_blocks(
    call: Call, differentiable: tuple[str, ...], empty: Callable[[tuple[int, ...], Any], NDArray[Any]]
) -> Answer | None:
    """The answer of the blocked formulas, where they cover the call."""
    if call.vector is not None:
        return None
    inputs = {name: _numbers(array) for name, array in call.inputs.items()}
    cotangent = None if call.cotangent is None else _numbers(call.cotangent)
    if call.loss == "linear_cross_entropy":
        linear = evaluate_linear_blocked(inputs, call.options, differentiate=differentiable, cotangent=cotangent)
        if linear is None:
            return None
        found_gradients = {name: _native(gradient) for name, gradient in linear.gradients.items()}
        return Answer(_native(linear.value), "reference.evaluate_linear_blocked", found_gradients)
    if differentiable not in ((), ("logits",)):
        return None
    found = evaluate_blocked(
        call.loss, inputs, call.options, gradient=bool(differentiable), cotangent=cotangent, empty=empty
    )
    if found is None:
        return None
    gradients = {} if found.gradient is None else {"logits": _native(found.gradient)}
    return Answer(_native(found.value), "reference.evaluate_blocked", gradients)


def _numbers(given: Any) -> Any:
    return given.storage if isinstance(given, Array) else given


def _native(raw: NDArray[Any]) -> Array:
    return Array(raw.dtype.name, raw)


def _array(result: Any) -> Array:
    return _native(np.asarray(result.hi))
