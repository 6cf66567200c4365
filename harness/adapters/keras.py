"""Keras 3 on the backend that KERAS_BACKEND names: the functions of `keras.losses`, and its classes.

Keras has modes of its own: `eager` calls the function, or, for weights and for means that skip ignored rows, the
class with the dtype of the call; `class` always calls the class as a user constructs it, who then computes in
`keras.config.floatx()` whatever was passed, and `class-typed` the class with the dtype of the call. `activated` has the
probabilities made by Keras itself, by a softmax or sigmoid of their logarithms, `activated-elsewhere` by a softmax
along the first axis, wherever the classes are, and `activated-graph` by TensorFlow's own in the graph of the loss.
`masked` has the rows of the ignored label masked by the layer before the loss object, `mixed-float16` and
`mixed-bfloat16` have that layer under a mixed policy. `graph`, `xla` and `jit` are what `Model.fit` makes of the
function, `dynamic` what it makes of it for batches of any size.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import keras
import numpy as np

from harness.adapters.base import Answer, Call, Description, Prepared, Unsupported
from harness.adapters.keras_losses import ACTIVATED, IN_A_GRAPH, RECIPES, TAGGED, Recipe
from harness.adapters.scaled_logits import attested, scaling, without_scale

_MODES = {
    "tensorflow": ("eager", "class", "graph", "xla", "dynamic", *TAGGED, *IN_A_GRAPH),
    "torch": ("eager", "class", *TAGGED),
    # jit first, as it is in `Model.fit`: one program for each signature, where eager compiles every operation.
    "jax": ("jit", "eager", "class", *TAGGED),
}
"""Of a backend; the first is what a run asks by default."""
_OF_PROBABILITIES = ("categorical_cross_entropy", "binary_cross_entropy")


@dataclass(frozen=True)
class _Connected:
    """How recipes run on a backend, and what it says of itself."""

    version: str
    """Its own word: TensorFlow's distribution may be tensorflow-cpu."""
    run: Callable[[Call, Recipe], Answer]
    prepare: Callable[[Call, Recipe], Prepared]
    flags: Mapping[str, str]
    facts: Mapping[str, str]
    threads: int = 1


class Keras:
    """One backend of Keras; which one was decided by KERAS_BACKEND before the process started."""

    def __init__(self) -> None:
        self._backend = keras.backend.backend()
        if self._backend not in _MODES:
            known = ", ".join(_MODES)
            raise ImportError(f"KERAS_BACKEND is {self._backend}; this adapter differentiates with one of {known}")
        self._connected = _connect(self._backend)

    def describe(self) -> Description:
        return Description(
            version=keras.__version__,
            losses=tuple(RECIPES),
            modes=_MODES[self._backend],
            mode_losses={mode: _OF_PROBABILITIES for mode in _MODES[self._backend] if mode in ACTIVATED},
            mode_tags={mode: tag for mode, tag in {**TAGGED, **IN_A_GRAPH}.items() if mode in _MODES[self._backend]},
            # TensorFlow and JAX flush subnormal numbers on the CPU, PyTorch keeps them.
            flush_to_zero=self._backend != "torch",
            versions={
                "keras": keras.__version__,
                self._backend: self._connected.version,
                "numpy": np.__version__,
            },
            threads=self._connected.threads,
            flags={
                **self._connected.flags,
                "KERAS_BACKEND": self._backend,
                "floatx": keras.config.floatx(),
                "epsilon": repr(keras.config.epsilon()),
            },
            facts=self._connected.facts,
        )

    def evaluate(self, call: Call) -> Answer:
        if call.loss not in RECIPES:
            raise Unsupported(f"Keras has no {call.loss}")
        return self._connected.run(call, _recipe(call))

    def prepare(self, call: Call) -> Prepared:
        if call.loss not in RECIPES:
            raise Unsupported(f"Keras has no {call.loss}")
        return self._connected.prepare(call, _recipe(call))


def _recipe(call: Call) -> Recipe:
    recipe = RECIPES[call.loss](without_scale(call))
    return replace(
        recipe, compute=scaling(call, recipe.compute), computed_with={**recipe.computed_with, **attested(call)}
    )


def _connect(backend: str) -> _Connected:
    """What a backend brings. Imported here, since the other backends may be absent."""
    if backend == "tensorflow":
        from harness.adapters import tensorflow_calls

        on_tensorflow = tensorflow_calls.Runner()

        def translated(recipe: Recipe) -> tensorflow_calls.Recipe:
            return tensorflow_calls.Recipe(recipe.function, recipe.compute, recipe.convention, recipe.computed_with)

        return _Connected(
            tensorflow_calls.version(),
            lambda call, recipe: on_tensorflow.run(call, translated(recipe)),
            lambda call, recipe: on_tensorflow.prepare(call, translated(recipe)),
            tensorflow_calls.flags(),
            tensorflow_calls.facts(),
            tensorflow_calls.threads(),
        )
    if backend == "jax":
        from harness.adapters import jax_calls

        on_jax = jax_calls.Runner()

        def for_jax(recipe: Recipe) -> jax_calls.Recipe:
            return jax_calls.Recipe(recipe.function, recipe.compute, recipe.computed_with)

        def prepare_jax(call: Call, recipe: Recipe) -> Prepared:
            prepared = on_jax.prepare(call, for_jax(recipe))
            return Prepared(prepared.run, lambda result: replace(prepared.answer(result), convention=recipe.convention))

        return _Connected(
            jax_calls.version(),
            lambda call, recipe: replace(on_jax.run(call, for_jax(recipe)), convention=recipe.convention),
            prepare_jax,
            jax_calls.flags(),
            jax_calls.facts(),
        )
    from harness.adapters import torch_calls

    def on_torch(call: Call, recipe: Recipe) -> Answer:
        tensors = torch_calls.tensors_of(call)
        value = recipe.compute(tensors)
        return torch_calls.answer(
            call, tensors, value, recipe.function, recipe.convention, recipe.computed_with, recipe.compute
        )

    def prepare_torch(call: Call, recipe: Recipe) -> Prepared:
        tensors = torch_calls.tensors_of(call)
        return torch_calls.prepared(
            call, tensors, lambda: recipe.compute(tensors), recipe.function, recipe.convention, recipe.computed_with
        )

    return _Connected(
        torch_calls.version(),
        on_torch,
        prepare_torch,
        torch_calls.flags(),
        torch_calls.facts(),
        torch_calls.threads(),
    )
