"""What a plain function of JAX arrays is called with and differentiated by."""

from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp

from harness.adapters.base import ALL_DTYPES, Answer, Description
from harness.adapters.functions import Library, Request
from harness.adapters.jax_calls import Recipe, Runner, facts, flags, to_jax


def library() -> Library:
    """Compiled first, as `harness.adapters.jax`; float64 where JAX was told to have it."""
    runner = Runner()
    description = Description(
        "",
        (),
        modes=("jit", "eager"),
        dtypes=ALL_DTYPES if jax.config.jax_enable_x64 else ALL_DTYPES[1:],
        flush_to_zero=True,  # JAX on the CPU: see harness/adapters/jax.py
        versions={"jax": jax.__version__},
        device=jax.default_backend(),
        flags=flags(),
        facts=facts(),
    )

    def run(request: Request) -> Answer:
        recipe = Recipe(request.function, request.compute, request.computed_with)
        answer = runner.run(request.call, recipe)
        return answer if request.convention is None else replace(answer, convention=request.convention)

    return Library(
        description,
        to_jax,
        jnp.moveaxis,
        jnp.reshape,
        lambda labels, classes, scores: jax.nn.one_hot(labels, classes, dtype=scores.dtype),
        jnp.sum,
        jnp.mean,
        run,
    )
