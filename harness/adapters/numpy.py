"""NumPy: the reference's own formulas evaluated in plain floating point, as a careful author would write them."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

import reference
from harness.adapters.base import Answer, Array, Call, Description, Unsupported
from harness.adapters.facts import numpy_facts, variables


class NumPy:
    """`reference.evaluate_plain`: every operation rounds once to the dtype of the call."""

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


def _numbers(given: Any) -> Any:
    return given.storage if isinstance(given, Array) else given


def _native(raw: NDArray[Any]) -> Array:
    return Array(raw.dtype.name, raw)


def _array(result: Any) -> Array:
    return _native(np.asarray(result.hi))
