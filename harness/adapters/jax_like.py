"""A plain function of JAX arrays with the signature of one of JAX's or optax's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from harness.adapters.base import Answer, Call, Description
from harness.adapters.framework_signatures import signatures, spelled
from harness.adapters.jax_calls import Named, Recipe, Runner, facts, flags, reduced, to_jax


class JaxLike:
    """Compiled first, as `harness.adapters.jax`."""

    def __init__(self, known: str, function: Callable[..., Any], name: str, version: str) -> None:
        self._known = known
        self._function = function
        self._name = name
        self._version = version
        self._runner = Runner()

    def describe(self) -> Description:
        return Description(
            version=self._version,
            losses=tuple(signature.loss for signature in signatures(self._known)),
            modes=("jit", "eager"),
            flush_to_zero=True,  # JAX on the CPU: see harness/adapters/jax.py
            versions={"jax": jax.__version__},
            device=jax.default_backend(),
            flags=flags(),
            facts=facts(),
        )

    def evaluate(self, call: Call) -> Answer:
        asked = spelled(self._known, call)

        def compute(named: Named) -> Any:
            arguments, keywords = asked.of(named, to_jax, jnp.moveaxis)
            value = self._function(*arguments, **keywords)
            return value if asked.reduction is None else reduced(call, value)

        return self._runner.run(call, Recipe(self._name, compute))
