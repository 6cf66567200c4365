"""NumPy: the reference's own formulas evaluated in plain floating point, as a careful author would write them."""

from __future__ import annotations

from typing import Any

import numpy as np

import reference
from harness.adapters.base import Answer, Array, Call, Description, Unsupported
from reference.blocked import evaluate_blocked


class NumPy:
    """`reference.evaluate_plain`: every operation rounds once to the dtype of the call; what is trained with most goes
    through `reference.evaluate_blocked`, the same mathematics on blocks of rows."""

    def describe(self) -> Description:
        return Description(
            version=np.__version__,
            losses=tuple(reference.LOSSES),
            dtypes=("float64", "float32", "float16"),  # NumPy has no bfloat16
            versions={"numpy": np.__version__},
        )

    def evaluate(self, call: Call) -> Answer:
        if call.loss not in reference.LOSSES:
            raise Unsupported(f"there is no formula for {call.loss}")
        differentiable = tuple(n for n in call.differentiate if call.inputs[n].is_float)
        fast = _in_blocks(call, differentiable)
        if fast is not None:
            return fast
        evaluation = reference.evaluate_plain(
            call.loss,
            {name: _numbers(array) for name, array in call.inputs.items()},
            {name: _numbers(option) for name, option in call.options.items()},
            cotangent=None if call.cotangent is None else call.cotangent.to_float64(),
            differentiate=differentiable,
            dtype=np.dtype(call.dtype),
        )
        return Answer(
            value=_array(evaluation.value),
            function="reference.evaluate_plain",
            gradients={name: _array(gradient) for name, gradient in evaluation.gradients.items()},
        )


def _in_blocks(call: Call, differentiable: tuple[str, ...]) -> Answer | None:
    """The answer of the blocked formulas, where they cover the call."""
    if differentiable not in ((), ("logits",)):
        return None
    found = evaluate_blocked(
        call.loss,
        {name: _numbers(array) for name, array in call.inputs.items()},
        call.options,
        gradient=bool(differentiable),
        cotangent=None if call.cotangent is None else _numbers(call.cotangent),
    )
    if found is None:
        return None
    gradients = {} if found.gradient is None else {"logits": Array(found.gradient.dtype.name, found.gradient)}
    return Answer(Array(found.value.dtype.name, found.value), "reference.evaluate_blocked", gradients)


def _numbers(given: Any) -> Any:
    return given.storage if isinstance(given, Array) else given


def _array(result: Any) -> Array:
    raw = np.asarray(result.hi)
    return Array(raw.dtype.name, raw)
