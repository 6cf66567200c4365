"""A plain function of TensorFlow tensors with the signature of one of TensorFlow's or Keras' own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from harness.adapters.base import Answer, Call, Description
from harness.adapters.framework_signatures import signatures, spelled
from harness.adapters.tensorflow_calls import Recipe, Runner, Tensors, facts, flags, threads, to_tensorflow


class TensorFlowLike:
    """Eager, as a graph and compiled by XLA."""

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
            modes=("eager", "graph", "xla"),
            flush_to_zero=True,  # see harness/adapters/tensorflow.py
            versions={"tensorflow": tf.__version__},
            threads=threads(),
            flags=flags(),
            facts=facts(),
        )

    def evaluate(self, call: Call) -> Answer:
        asked = spelled(self._known, call)

        def compute(tensors: Tensors) -> Any:
            arguments, keywords = asked.of(tensors, to_tensorflow, tf.experimental.numpy.moveaxis)
            value = self._function(*arguments, **keywords)
            match asked.reduction:
                case "sum":
                    return tf.reduce_sum(value)
                case "mean":
                    return tf.reduce_mean(value)
            return value

        return self._runner.run(call, Recipe(self._name, compute, asked.convention))
