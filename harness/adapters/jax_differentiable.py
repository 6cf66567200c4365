"""An implementation of ours as a function of JAX arrays that JAX differentiates, eagerly or in a compiled program.

Imports NumPy, JAX and the adapter contract only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from harness.adapters.base import Array
from harness.adapters.jax_calls import from_jax
from harness.adapters.standing_in import Problem


def read(values: Any) -> Any:
    """An array of JAX as one of ours; zeros in the place of numbers that a program will have later."""
    if not isinstance(values, jax.Array):
        return values
    return from_jax(np.zeros(values.shape, values.dtype) if isinstance(values, jax.core.Tracer) else values)


def solved(problem: Problem) -> Any:
    """The value, with a rule for `jax.grad` and its like; inside a compiled program the host is called back."""
    sources = {n: v for n, v in problem.given.items() if isinstance(v, jax.Array)}
    names = tuple(sources)
    wanted = [n for n in names if n in problem.inputs and jnp.issubdtype(sources[n].dtype, jnp.inexact)]

    def held(arrays: tuple[Any, ...]) -> Problem:
        return problem.with_arrays({n: from_jax(a) for n, a in zip(names, arrays, strict=True)})

    def value(*arrays: Any) -> Any:
        return _native(held(arrays).value())

    def slopes(upstream: Any, *arrays: Any) -> Any:
        found = held(arrays).gradients(from_jax(upstream), wanted)
        return [_native(found[n]).astype(sources[n].dtype) for n in wanted]

    @jax.custom_vjp  # type: ignore[untyped-decorator]
    def loss(*arrays: Any) -> Any:
        return _asked(value, lambda: _form(value(*(np.zeros(a.shape, a.dtype) for a in arrays))), *arrays)

    def forwards(*arrays: Any) -> Any:
        return loss(*arrays), arrays

    def backwards(arrays: tuple[Any, ...], upstream: Any) -> tuple[Any, ...]:
        forms = [jax.ShapeDtypeStruct(sources[n].shape, sources[n].dtype) for n in wanted]
        found = dict(zip(wanted, _asked(slopes, lambda: forms, upstream, *arrays), strict=True))
        # What is no number has gradients of a type of its own, which holds nothing.
        return tuple(
            found[n]
            if n in found
            else np.zeros(sources[n].shape, jax.dtypes.float0)
            if not jnp.issubdtype(sources[n].dtype, jnp.inexact)
            else jnp.zeros_like(sources[n])
            for n in names
        )

    loss.defvjp(forwards, backwards)
    return loss(*sources.values())


def _asked(function: Callable[..., Any], form: Callable[[], Any], *arrays: Any) -> Any:
    """The function of NumPy arrays; called by the program where this is one that is being traced."""
    if any(isinstance(array, jax.core.Tracer) for array in arrays):
        return jax.pure_callback(function, form(), *arrays, vmap_method="sequential")
    return jax.tree.map(jnp.asarray, function(*arrays))


def _form(array: Any) -> Any:
    return jax.ShapeDtypeStruct(array.shape, array.dtype)


def _native(array: Array) -> Any:
    storage = np.asarray(array.storage)
    return storage.view(jnp.bfloat16) if array.dtype == "bfloat16" else storage
