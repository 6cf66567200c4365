"""A loss of TensorFlow converted to TensorFlow Lite and interpreted, as it is on telephones.

Imports TensorFlow and the adapter contract only.
"""

from __future__ import annotations

import warnings
from typing import Any

import tensorflow as tf

from harness.adapters.base import Answer, Array, Call, Unsupported
from harness.adapters.tensorflow_calls import Recipe, tensors_of

MODE = "lite"


def evaluate(call: Call, recipe: Recipe) -> Answer:
    """The value; the interpreter differentiates nothing.

    Raises
    ------
    Unsupported
        For other types than float32, in which models are converted, and where a TensorFlow has no converter.
    """
    if call.dtype != "float32":
        raise Unsupported("models are converted in float32")
    if not hasattr(tf, "lite"):
        raise Unsupported("this TensorFlow has no tf.lite")
    given = tensors_of(call)
    names = list(given)

    def positional(*tensors: Any) -> Any:
        return recipe.compute(dict(zip(names, tensors, strict=True)))

    types = [tf.TensorSpec(tensor.shape, tensor.dtype, name=name) for name, tensor in given.items()]
    traced = tf.function(positional, autograph=False).get_concrete_function(*types)
    model = tf.lite.TFLiteConverter.from_concrete_functions([traced]).convert()
    with warnings.catch_warnings():
        # It says that it is going to move to a package of its own; what this TensorFlow ships is what is asked.
        warnings.simplefilter("ignore")
        interpreter = tf.lite.Interpreter(model_content=model)
    interpreter.allocate_tensors()
    for place in interpreter.get_input_details():
        interpreter.set_tensor(place["index"], given[place["name"]].numpy())
    interpreter.invoke()
    (place,) = interpreter.get_output_details()
    found = interpreter.get_tensor(place["index"])
    return Answer(
        value=Array(found.dtype.name, found),
        function=recipe.function,
        convention=recipe.convention,
        computed_with={**recipe.computed_with, "converted": "tf.lite.TFLiteConverter, tf.lite.Interpreter"},
    )
