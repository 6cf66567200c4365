"""What a plain function of TensorFlow tensors is called with and differentiated by."""

from __future__ import annotations

import tensorflow as tf

from harness.adapters.base import Answer, Description
from harness.adapters.functions import Library, Request
from harness.adapters.tensorflow_calls import Recipe, Runner, facts, flags, threads, to_tensorflow


def library() -> Library:
    """Eager, as a graph and compiled by XLA."""
    runner = Runner()
    description = Description(
        "",
        (),
        modes=("eager", "graph", "xla"),
        flush_to_zero=True,  # see harness/adapters/tensorflow.py
        versions={"tensorflow": tf.__version__},
        threads=threads(),
        flags=flags(),
        facts=facts(),
    )

    def run(request: Request) -> Answer:
        recipe = Recipe(request.function, request.compute, request.convention, request.computed_with)
        return runner.run(request.call, recipe)

    return Library(
        description,
        to_tensorflow,
        tf.experimental.numpy.moveaxis,
        tf.reshape,
        lambda labels, classes, scores: tf.one_hot(labels, classes, dtype=scores.dtype),
        tf.reduce_sum,
        tf.reduce_mean,
        run,
    )
