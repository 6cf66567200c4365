"""TensorFlow without Keras: `tf.nn` and `tf.compat.v1.losses`, eager, as a graph, compiled by XLA, and converted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import tensorflow as tf

from harness.adapters import tensorflow_lite
from harness.adapters.base import Answer, Call, Description, Prepared, Unsupported
from harness.adapters.scaled_logits import attested, scaling, without_scale
from harness.adapters.tensorflow_calls import DYNAMIC, MAPPED, Recipe, Runner, by_rows, facts, flags, threads
from harness.adapters.tensorflow_losses import RECIPES

_MAPPED = ("softmax", "log_softmax", "softmax_cross_entropy", "binary_cross_entropy_with_logits")
"""The losses that are mapped over the rows of a batch: those of `tf.nn`."""


class TensorFlow:
    """TensorFlow on the CPU; the mode `v1` asks `tf.compat.v1.losses` for all, with the mean it takes unasked."""

    def __init__(self) -> None:
        self._runner = Runner()

    def describe(self) -> Description:
        return Description(
            version=tf.__version__,
            losses=tuple(RECIPES),
            modes=("eager", "graph", "xla", DYNAMIC, MAPPED, tensorflow_lite.MODE, "v1"),
            mode_losses={MAPPED: _MAPPED},
            # Measured on the CPU: subnormal numbers become zero in float64, float32 and bfloat16, in every mode.
            flush_to_zero=True,
            versions={"tensorflow": tf.__version__, "numpy": np.__version__},
            threads=threads(),
            flags=flags(),
            facts=facts(),
        )

    def evaluate(self, call: Call) -> Answer:
        if call.loss not in RECIPES:
            raise Unsupported(f"TensorFlow without Keras has no {call.loss}")
        if call.mode == tensorflow_lite.MODE:
            return tensorflow_lite.evaluate(call, _recipe(call))
        return self._runner.run(call, _recipe(call))

    def prepare(self, call: Call) -> Prepared:
        if call.loss not in RECIPES:
            raise Unsupported(f"TensorFlow without Keras has no {call.loss}")
        return self._runner.prepare(call, _recipe(call))


class TensorFlowDeterministic:
    """`tf.nn` with TF_DETERMINISTIC_OPS, which holds for a whole process: the loss that has another formula then."""

    def __init__(self) -> None:
        self._all = TensorFlow()

    def describe(self) -> Description:
        return replace(
            self._all.describe(),
            losses=("softmax_cross_entropy",),
            modes=("eager", "graph", "xla"),
            mode_losses={},  # those are of modes that it has not got
        )

    def evaluate(self, call: Call) -> Answer:
        self._refuse(call)
        return self._all.evaluate(call)

    def prepare(self, call: Call) -> Prepared:
        self._refuse(call)
        return self._all.prepare(call)

    def _refuse(self, call: Call) -> None:
        if {"sample_weights", "label_smoothing"} & set(call.options):
            raise Unsupported("tf.nn has neither weights nor smoothing: tf.compat.v1.losses weighs what tf.nn answers")


def _recipe(call: Call) -> Recipe:
    recipe = RECIPES[call.loss](without_scale(call))
    compute = by_rows(call, scaling(call, recipe.compute))
    return replace(recipe, compute=compute, computed_with={**recipe.computed_with, **attested(call)})
