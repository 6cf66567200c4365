"""How a JAX function is called with our arrays, eagerly or compiled, and differentiated: shared by what rests on JAX.

Imports NumPy, JAX and the adapter contract only.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import jax.export
import jax.numpy as jnp
import numpy as np

from harness.adapters import processor
from harness.adapters.base import Answer, Array, Call, Prepared, Unsupported
from harness.adapters.facts import variables, xla_facts
from harness.adapters.rows import mapped

MAPPED = "vmap"
"""A program that has each row by itself, mapped over the batch."""
EXPORTED = "export"
"""A program that is exported without sizes, serialized, read again and called."""
COMPILED = ("jit", "safe", MAPPED, EXPORTED)
"""The modes that are compiled; `safe` is optax's."""

KEPT = 256
"""Programs that are kept. JAX keeps what it compiled until it is told to forget it, a megabyte or two for each program,
and a suite has thousands of them, most of which are asked for in one case alone."""

Named = Mapping[str, Any]
Loss = Callable[[Named], Any]
"""A loss of the inputs (and options that are arrays), by name."""


@dataclass(frozen=True)
class Recipe:
    """A loss as a user of JAX writes it, for the options of one call."""

    function: str
    """The public function, as a user would write it."""
    compute: Loss
    computed_with: Mapping[str, str] = field(default_factory=dict)


def version() -> str:
    """By its own word: the distribution may have another name."""
    return str(jax.__version__)


def flags() -> dict[str, str]:
    """The settings that change numbers."""
    return {"jax_enable_x64": str(bool(jax.config.jax_enable_x64)), **variables("jax", os.environ)}


def facts() -> dict[str, str]:
    """What of this machine changes numbers."""
    return xla_facts(processor.features(), os.environ)


def to_jax(array: Array) -> Any:
    """The same bits as a JAX array; JAX narrows 64-bit types itself where x64 is off."""
    return jax.device_put(array.storage.view(jnp.bfloat16) if array.dtype == "bfloat16" else array.storage)


def from_jax(result: Any) -> Array:
    raw = np.asarray(result)
    name = raw.dtype.name
    return Array(name, raw.view(np.uint16) if name == "bfloat16" else raw)


def reduced(call: Call, losses: Any, keep: Any = None) -> Any:
    """The reduction a JAX user writes behind a loss that has none: `jnp.sum` or `jnp.mean`.

    `keep` marks what is not ignored; it enters the mean where the call divides by what is valid.
    """
    match call.options["reduction"]:
        case "none":
            return losses
        case "sum":
            return jnp.sum(losses)
        case "mean" if keep is not None and call.options.get("denominator") != "count":
            return jnp.mean(losses, where=keep)
        case "mean":
            return jnp.mean(losses)
        case other:
            raise Unsupported(f"no reduction {other} behind a function without reductions")


def along(axis: int, mask: Any, logits: Any) -> Any:
    """A mask of the classes in the shape of the logits: one row stands along their axis for all rows."""
    shape = [1] * logits.ndim
    shape[axis] = mask.size if mask.ndim < logits.ndim else 1
    return jnp.broadcast_to(mask.reshape(shape) if mask.ndim < logits.ndim else mask, logits.shape).astype(bool)


def by_rows(call: Call, compute: Loss) -> Loss:
    """The same loss of each row of the batch by itself, mapped over the first axis, in the mode that asks for it."""
    if call.mode != MAPPED:
        return compute
    names = mapped(call)

    def of(named: Named) -> Any:
        axes = {name: 0 if name in names else None for name in named}
        return jax.vmap(compute, in_axes=(axes,))(dict(named))

    return of


class Runner:
    """Runs recipes and keeps what it has compiled last: one program for each signature."""

    def __init__(self) -> None:
        self._compiled: dict[str, Any] = {}

    def run(self, call: Call, recipe: Recipe) -> Answer:
        """The value, and the gradients asked for: `jax.vjp` applied to the cotangent (all ones where there is none)."""
        given, cotangent = _operands(call)
        asked = _asked(call, given)
        if call.vector is not None and asked:
            along, error = self._along(call, recipe, given)
            twice = self._run_twice(call, recipe, given, cotangent, asked)
            return replace(twice, directional=along, directional_error=error)
        try:
            value, gradients = self._staged(call, recipe, asked, _work(recipe, asked))(given, cotangent)
        except Exception as error:  # what the value alone does decides whether this is a failure of the gradient
            if not asked:
                raise
            value = self._staged(call, recipe, (), _work(recipe, ()))(given, None)[0]
            return self._answer(recipe, value, {}, error)
        return self._answer(recipe, value, gradients)

    def _run_twice(self, call: Call, recipe: Recipe, given: Named, cotangent: Any, asked: tuple[str, ...]) -> Answer:
        """Second derivatives too: `jax.jvp` of the gradient, forward over reverse, as JAX's documentation advises."""
        assert call.vector is not None
        first = call.differentiate[0]
        try:
            work = _work_twice(recipe, asked, first)
            vector = to_jax(call.vector)
            value, gradients, product = self._staged(call, recipe, ("twice", *asked), work)(given, cotangent, vector)
        except Exception as error:  # what the first derivatives do decides whether this is a failure of the second
            once = self.run(replace(call, vector=None), recipe)
            return replace(once, hessian_error=error)
        return replace(self._answer(recipe, value, gradients), hessian_vector=from_jax(product))

    def _along(self, call: Call, recipe: Recipe, given: Named) -> tuple[Array | None, BaseException | None]:
        """The derivative of the value along the vector: `jax.jvp`."""
        assert call.vector is not None
        first = call.differentiate[0]

        def pushed(named: Named, vector: Any) -> Any:
            tangent = vector.astype(named[first].dtype)
            return jax.jvp(lambda x: recipe.compute({**named, first: x}), (named[first],), (tangent,))[1]

        try:
            return from_jax(self._staged(call, recipe, ("along", first), pushed)(given, to_jax(call.vector))), None
        except Exception as raised:  # what forward mode raises is the outcome of this derivative alone
            return None, raised

    def prepare(self, call: Call, recipe: Recipe) -> Prepared:
        """The same work on arrays that are there, until its results are: JAX returns before it has computed."""
        given, cotangent = _operands(call)
        asked = _asked(call, given)
        work = self._staged(call, recipe, asked, _work(recipe, asked))
        return Prepared(
            run=lambda: jax.block_until_ready(work(given, cotangent)),
            answer=lambda result: self._answer(recipe, *result),
        )

    def _staged(self, call: Call, recipe: Recipe, asked: tuple[str, ...], function: Callable[..., Any]) -> Any:
        if call.mode not in COMPILED:
            return function
        # jax.jit tells shapes and dtypes apart itself, but only for one and the same function.
        signature = _signature(call, recipe, asked)
        if signature not in self._compiled:
            if len(self._compiled) >= KEPT:
                self._compiled.clear()
                jax.clear_caches()
            self._compiled[signature] = jax.jit(function) if call.mode != EXPORTED else _exported(function)
        return self._compiled[signature]

    def _answer(
        self, recipe: Recipe, value: Any, gradients: Named, gradient_error: BaseException | None = None
    ) -> Answer:
        return Answer(
            value=from_jax(value),
            function=recipe.function,
            gradients={n: from_jax(g) for n, g in gradients.items()},
            gradient_error=gradient_error,
            computed_with=recipe.computed_with,
        )


def _exported(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function as it is after a file of it was written and read, once for the types of what it is called with."""
    programs: dict[str, Callable[..., Any]] = {}

    def called(*arguments: Any) -> Any:
        types = _of_any_size(arguments)
        if (key := repr(types)) not in programs:
            written = jax.export.export(jax.jit(function))(*types).serialize()
            programs[key] = jax.export.deserialize(written).call
        return programs[key](*arguments)

    return called


def _of_any_size(arguments: Any) -> Any:
    """The types of arrays without their sizes; equal sizes are one unknown.

    An unknown is at least 1 to JAX, and one of 1 would not broadcast: 0 and 1 are told.
    """
    scope = jax.export.SymbolicScope()
    leaves, tree = jax.tree.flatten(arguments)
    shapes = [", ".join(f"n{size}" if size > 1 else str(size) for size in leaf.shape) for leaf in leaves]
    known = [
        jax.ShapeDtypeStruct(jax.export.symbolic_shape(s, scope=scope) if s else (), leaf.dtype)
        for s, leaf in zip(shapes, leaves, strict=True)
    ]
    return jax.tree.unflatten(tree, known)


def _operands(call: Call) -> tuple[dict[str, Any], Any]:
    given = {n: to_jax(a) for n, a in {**call.inputs, **_arrays(call.options)}.items()}
    return given, None if call.cotangent is None else to_jax(call.cotangent)


def _asked(call: Call, given: Named) -> tuple[str, ...]:
    return tuple(n for n in call.differentiate if jnp.issubdtype(given[n].dtype, jnp.inexact))


def _work(recipe: Recipe, asked: tuple[str, ...]) -> Callable[[Named, Any], Any]:
    """The value, and the gradients with respect to the inputs `asked` for, as one function that can be compiled."""
    if not asked:
        return lambda named, _: (recipe.compute(named), {})

    def differentiated(named: Named, upstream: Any) -> Any:
        rest = {n: a for n, a in named.items() if n not in asked}
        value, pull = jax.vjp(lambda wanted: recipe.compute({**rest, **wanted}), {n: named[n] for n in asked})
        return value, pull(jnp.ones_like(value) if upstream is None else upstream.astype(value.dtype))[0]

    return differentiated


def _work_twice(recipe: Recipe, asked: tuple[str, ...], first: str) -> Callable[[Named, Any, Any], Any]:
    """The same, and the derivative of the gradient with respect to the input `first` along a vector."""
    once = _work(recipe, asked)

    def differentiated(named: Named, upstream: Any, vector: Any) -> Any:
        def of_first(x: Any) -> Any:
            value, gradients = once({**named, first: x}, upstream)
            return gradients[first], (value, gradients)

        _, product, (value, gradients) = jax.jvp(
            of_first, (named[first],), (vector.astype(named[first].dtype),), has_aux=True
        )
        return value, gradients, product

    return differentiated


def _signature(call: Call, recipe: Recipe, asked: tuple[str, ...]) -> str:
    """What tells one function to be compiled from another; a recipe may be made for one dtype, such as that of a Keras
    class."""
    return repr((call.loss, call.mode, call.dtype, recipe.function, asked, _static(call)))


def _static(call: Call) -> list[Any]:
    """What a recipe is made from besides the numbers: options, kinds and shapes of the arrays."""
    options = sorted((n, repr(v.shape if isinstance(v, Array) else v)) for n, v in call.options.items())
    return [options, sorted((n, a.is_float, a.shape) for n, a in call.inputs.items())]


def _arrays(options: Mapping[str, Any]) -> dict[str, Array]:
    return {n: v for n, v in options.items() if isinstance(v, Array)}
