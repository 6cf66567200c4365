"""An implementation of ours as a function of TensorFlow tensors that a tape differentiates, eagerly or in a graph.

Imports NumPy, TensorFlow and the adapter contract only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from harness.adapters.base import Array
from harness.adapters.standing_in import Problem
from harness.adapters.tensorflow_calls import from_tensorflow, to_tensorflow


def read(values: Any) -> Any:
    """A tensor as an array of ours; zeros in the place of numbers that a graph will have later."""
    if not tf.is_tensor(values):
        return values
    tensor = tf.convert_to_tensor(values)
    return from_tensorflow(tensor) if _is_eager(tensor) else _array(np.zeros(tensor.shape, tensor.dtype.as_numpy_dtype))


@tf.autograph.experimental.do_not_convert  # type: ignore[untyped-decorator]
def solved(problem: Problem) -> Any:
    """The value, with a rule for `tf.GradientTape`; inside a graph the host is called back."""
    sources = {n: tf.convert_to_tensor(v) for n, v in problem.given.items() if tf.is_tensor(v)}
    names = tuple(sources)
    wanted = [n for n in names if n in problem.inputs and sources[n].dtype.is_floating]

    def held(arrays: Sequence[Any]) -> Problem:
        return problem.with_arrays({n: _array(np.asarray(a)) for n, a in zip(names, arrays, strict=True)})

    def value(*arrays: Any) -> Any:
        return [held(arrays).value()]

    def slopes(upstream: Any, *arrays: Any) -> Any:
        found = held(arrays).gradients(_array(np.asarray(upstream)), wanted)
        return [found[n] for n in wanted if n in found]

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def loss(*tensors: Any) -> Any:
        (result,) = _asked(value, tensors)

        def backwards(upstream: Any) -> Any:
            found = dict(zip(wanted, _asked(slopes, (upstream, *tensors)), strict=True))
            return [found.get(n) for n in names]

        return result, backwards

    return loss(*sources.values())


def _asked(function: Callable[..., list[Array]], tensors: Sequence[Any]) -> list[Any]:
    """The function of NumPy arrays; called by the graph where this is one that is being traced."""
    if all(map(_is_eager, tensors)):
        return [to_tensorflow(Array(a.dtype, np.asarray(a.storage))) for a in function(*(t.numpy() for t in tensors))]
    example = function(*(np.zeros(t.shape, t.dtype.as_numpy_dtype) for t in tensors))

    def native(*arrays: Any) -> list[Any]:
        return [to_tensorflow(Array(a.dtype, np.asarray(a.storage))).numpy() for a in function(*arrays)]

    found = tf.numpy_function(native, tensors, [tf.as_dtype(array.dtype) for array in example])
    for tensor, array in zip(found, example, strict=True):
        tensor.set_shape(array.shape)
    return list(found)


def _is_eager(tensor: Any) -> bool:
    return hasattr(tensor, "numpy")


def _array(values: Any) -> Array:
    name = values.dtype.name
    return Array(name, values.view(np.uint16) if name == "bfloat16" else values)
