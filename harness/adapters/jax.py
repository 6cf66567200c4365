"""JAX: jax.nn.softmax and log_softmax, and the elementwise functions of jax.scipy.special a user sums over classes.

jax.nn has no cross-entropy; optax, which JAX users take it from, is an implementation of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import jax.scipy.special
import jaxlib

from harness.adapters.base import Answer, Call, Description, Prepared, Unsupported
from harness.adapters.jax_calls import EXPORTED, MAPPED, Named, Recipe, Runner, along, by_rows, facts, flags, reduced
from harness.adapters.scaled_logits import attested, scaling, without_scale

_SUMMED = {"sum over classes": "jax.numpy.sum"}


def _masked(name: str, function: Callable[..., Any], call: Call) -> Recipe:
    """A function of logits, which take a mask of the classes as `where`."""
    call.refuse_options_except("axis", "class_mask", of=name)
    axis = call.options.get("axis", -1)

    def compute(named: Named) -> object:
        where = {"where": along(axis, named["class_mask"], named["logits"])} if "class_mask" in named else {}
        return function(named["logits"], axis=axis, **where)

    return Recipe(name, compute, {"class_mask": "where"} if "class_mask" in call.options else {})


def _softmax(call: Call) -> Recipe:
    return _masked("jax.nn.softmax", jax.nn.softmax, call)


def _log_softmax(call: Call) -> Recipe:
    return _masked("jax.nn.log_softmax", jax.nn.log_softmax, call)


def _logsumexp(call: Call) -> Recipe:
    return _masked("jax.nn.logsumexp", jax.nn.logsumexp, call)


def _entropy(call: Call) -> Recipe:
    call.refuse_inputs_except("probabilities")
    call.refuse_options_except("reduction", "denominator", "axis", of="jax.scipy.special.entr")
    axis = call.options.get("axis", -1)

    def compute(named: Named) -> object:
        return reduced(call, jnp.sum(jax.scipy.special.entr(named["probabilities"]), axis=axis))

    return Recipe("jax.scipy.special.entr", compute, _SUMMED)


def _cross_entropy(call: Call) -> Recipe:
    call.refuse_options_except("reduction", "denominator", "axis", of="jax.scipy.special.xlogy")
    axis = call.options.get("axis", -1)

    def compute(named: Named) -> object:
        return reduced(call, -jnp.sum(jax.scipy.special.xlogy(named["targets"], named["probabilities"]), axis=axis))

    return Recipe("jax.scipy.special.xlogy", compute, _SUMMED)


def _kl_divergence(call: Call) -> Recipe:
    """`rel_entr` takes the probabilities themselves."""
    call.refuse_inputs_except("targets", "log_probabilities")
    call.refuse_options_except("reduction", "denominator", "axis", "log_target", of="jax.scipy.special.rel_entr")
    axis, log_target = call.options.get("axis", -1), bool(call.options.get("log_target"))

    def compute(named: Named) -> object:
        targets = jnp.exp(named["targets"]) if log_target else named["targets"]
        terms = jax.scipy.special.rel_entr(targets, jnp.exp(named["log_probabilities"]))
        return reduced(call, jnp.sum(terms, axis=axis))

    computed_with = {**_SUMMED, "probabilities": "jax.numpy.exp(log_probabilities)"}
    return Recipe("jax.scipy.special.rel_entr", compute, computed_with)


_RECIPES = {
    "softmax": _softmax,
    "log_softmax": _log_softmax,
    "logsumexp": _logsumexp,
    "entropy": _entropy,
    "cross_entropy": _cross_entropy,
    "kl_divergence": _kl_divergence,
}


class Jax:
    """JAX on the CPU; whether it computes in float64 is decided by JAX_ENABLE_X64 before the process starts."""

    def __init__(self) -> None:
        self._runner = Runner()

    def describe(self) -> Description:
        return Description(
            version=jax.__version__,
            losses=tuple(_RECIPES),
            # jit first: one program for each signature, where eager compiles every operation for every shape.
            modes=("jit", "eager", MAPPED, EXPORTED),
            # Measured on the CPU: half the smallest normal float32 or float64 plus zero is zero. float16 is computed
            # in float32 and keeps its subnormals.
            flush_to_zero=True,
            versions={"jax": jax.__version__, "jaxlib": jaxlib.__version__},
            device=jax.default_backend(),
            flags=flags(),
            facts=facts(),
        )

    def evaluate(self, call: Call) -> Answer:
        if call.loss not in _RECIPES:
            raise Unsupported(f"JAX has no function for {call.loss}")
        return self._runner.run(call, _recipe(call))

    def prepare(self, call: Call) -> Prepared:
        if call.loss not in _RECIPES:
            raise Unsupported(f"JAX has no function for {call.loss}")
        return self._runner.prepare(call, _recipe(call))


def _recipe(call: Call) -> Recipe:
    recipe = _RECIPES[call.loss](without_scale(call))
    compute = by_rows(call, scaling(call, recipe.compute))
    return replace(recipe, compute=compute, computed_with={**recipe.computed_with, **attested(call)})
