"""NumPy: the reference's own formulas evaluated in plain floating point, as a careful author would write them."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

import reference
from harness.adapters.base import Answer, Array, Call, Description, Unsupported
from harness.adapters.facts import numpy_facts, variables
from harness.core.outputs import OUTPUTS, call_of
from harness.core.rows import rows_of, upstreams
from reference.evaluation import twice_differentiable


class NumPy:
    """`reference.evaluate_plain`: every operation rounds once to the dtype of the call."""

    def describe(self) -> Description:
        return Description(
            version=np.__version__,
            losses=tuple(reference.LOSSES),
            dtypes=("float64", "float32", "float16"),  # NumPy has no bfloat16
            outputs=tuple(OUTPUTS),
            versions={"numpy": np.__version__},
            flags=variables("numpy", os.environ),
            facts=numpy_facts(),
        )

    def evaluate(self, call: Call) -> Answer:
        if call.loss not in reference.LOSSES:
            raise Unsupported(f"there is no formula for {call.loss}")
        differentiable = tuple(n for n in call.differentiate if call.inputs[n].is_float)
        twice = call.vector is not None and twice_differentiable(call.loss, call.inputs)
        evaluation = _evaluate(
            call,
            cotangent=None if call.cotangent is None else call.cotangent.to_float64(),
            differentiate=differentiable,
            vector=call.vector.to_float64() if twice and call.vector is not None else None,
        )
        product = evaluation.hessian_vector
        return Answer(
            value=_array(evaluation.value),
            function="reference.evaluate_plain",
            gradients={
                name: _native(np.asarray(gradient.hi).astype(call.inputs[name].dtype, copy=False))
                for name, gradient in evaluation.gradients.items()
            },
            hessian_vector=None if product is None else _array(product),
            directional=None if call.vector is None else _native(_along(call, evaluation.value.shape)),
            outputs={name: _array(_evaluate(call_of(call, name), differentiate=()).value) for name in call.outputs},
        )


def _evaluate(call: Call, **how: Any) -> reference.Evaluation:
    inputs = {name: _numbers(array) for name, array in call.inputs.items()}
    options = {name: _numbers(option) for name, option in call.options.items()}
    # NumPy's own promotion: beside weights in float32, float16 logits are computed with in float32.
    widest = np.result_type(call.dtype, *(a for a in (*inputs.values(), *options.values()) if _is_floating(a)))
    return reference.evaluate_plain(call.loss, inputs, options, dtype=widest, **how)


def _is_floating(given: Any) -> bool:
    return isinstance(given, np.ndarray) and given.dtype.kind == "f"


def _along(call: Call, shape: tuple[int, ...]) -> NDArray[Any]:
    """The gradient of each element of the value, times the vector, summed."""
    assert call.vector is not None
    first, vector, axis = call.differentiate[0], call.vector.storage, int(call.options.get("axis", -1))

    def derivative(upstream: Any, of: tuple[int, ...]) -> Any:
        gradient = _evaluate(call, cotangent=upstream, differentiate=(first,)).gradients[first].hi
        with np.errstate(all="ignore"):
            return rows_of(gradient * vector, of, axis).sum(axis=-1)

    if reference.LOSSES[call.loss].reductions or shape != vector.shape:
        return np.asarray(derivative(None, shape))
    found = np.zeros(shape, call.dtype)
    for place, upstream in upstreams(shape, axis):
        found[place] = np.expand_dims(derivative(upstream, np.moveaxis(vector, axis, -1).shape[:-1]), axis)
    return found


def _numbers(given: Any) -> Any:
    return given.storage if isinstance(given, Array) else given


def _native(raw: NDArray[Any]) -> Array:
    return Array(raw.dtype.name, raw)


def _array(result: Any) -> Array:
    return _native(np.asarray(result.hi))
