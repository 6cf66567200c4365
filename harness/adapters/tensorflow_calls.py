"""Our arrays as TensorFlow tensors and back, eager, as a graph or compiled by XLA, and differentiated with a tape.

Shared by what rests on TensorFlow. Imports NumPy, TensorFlow and the adapter contract only.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import tensorflow as tf

from harness.adapters import processor
from harness.adapters.base import Answer, Array, Call, Prepared
from harness.adapters.facts import tensorflow_facts, variables
from harness.adapters.rows import mapped

DYNAMIC = "dynamic"
"""A graph that is traced without sizes, as it is for batches of any size: what is known then is how many axes."""
ACTIVATED = "activated-graph"
"""A graph of a loss and of the activation before it, which Keras makes of them."""
ACTIVATIONS = tf.nn
"""Of TensorFlow itself, whose operations leave traces of what they computed."""
TRACED = ("graph", "xla", DYNAMIC, ACTIVATED)
"""The modes that are traced."""

MAPPED = "vectorized_map"
"""Each row by itself, mapped over the batch."""

KEPT = 256
"""Traces that are kept: each takes a megabyte, and a suite has thousands, most of them of one case alone."""

Tensors = Mapping[str, Any]
Compute = Callable[[Tensors], Any]
"""A loss of the inputs (and options that are arrays), by name."""
Step = Callable[..., tuple[Any, ...]]
"""From tensors and cotangent to the value and the gradients; with a vector too, also to the second derivative."""


@dataclass(frozen=True)
class Recipe:
    """A public function by name, and the computation that calls it."""

    function: str
    compute: Compute
    convention: Mapping[str, Any] | None = None
    computed_with: Mapping[str, str] = field(default_factory=dict)


def version() -> str:
    """By its own word: the distribution may have another name."""
    return str(tf.__version__)


def flags() -> dict[str, str]:
    """The environment variables that change numbers."""
    return variables("tensorflow", os.environ)


def facts() -> dict[str, str]:
    """What of this machine changes numbers."""
    return tensorflow_facts(processor.features(), os.environ)


def threads() -> int:
    """Threads within one operation; zero, the default, leaves it to the environment and then to the machine."""
    configured = tf.config.threading.get_intra_op_parallelism_threads()
    return configured or int(os.environ.get("TF_NUM_INTRAOP_THREADS", "0")) or os.cpu_count() or 1


def by_rows(call: Call, compute: Compute) -> Compute:
    """The same loss of each row of the batch by itself, mapped over the first axis, in the mode that asks for it."""
    if call.mode != MAPPED:
        return compute
    names = mapped(call)

    def of(tensors: Tensors) -> Any:
        fixed = {name: tensor for name, tensor in tensors.items() if name not in names}
        return tf.vectorized_map(lambda row: compute({**fixed, **row}), {name: tensors[name] for name in names})

    return of


class Runner:
    """Runs recipes; `graph` and `xla` trace value and gradient together, once per signature, as training does, and keep
    the last of them."""

    def __init__(self) -> None:
        self._traces: dict[tuple[Any, ...], Step] = {}

    def run(self, call: Call, recipe: Recipe) -> Answer:
        tensors, cotangent, wanted = _operands(call)
        if call.vector is not None and wanted:
            along, failure = self._along(call, recipe, tensors)
            twice = self._run_twice(call, recipe, wanted, tensors, cotangent)
            return replace(twice, directional=along, directional_error=failure)
        error: BaseException | None = None
        try:
            value, found = self._step(call, _step(recipe.compute, wanted), wanted, tensors, cotangent)()
        except Exception as raised:  # the value's own error comes again below; otherwise it was the gradient's
            if not wanted:
                raise
            value, found = self._step(call, _step(recipe.compute, ()), (), tensors, None)()
            error = raised
        return _answer(recipe, value, found, error)

    def _run_twice(
        self, call: Call, recipe: Recipe, wanted: tuple[str, ...], tensors: Tensors, cotangent: Any
    ) -> Answer:
        """Second derivatives too: a tape around the tape, as TensorFlow's guide to automatic differentiation has it."""
        assert call.vector is not None
        step = _step_twice(recipe.compute, wanted, call.differentiate[0])
        vector = to_tensorflow(call.vector)
        try:
            value, found, product = self._step(call, step, ("twice", *wanted), tensors, cotangent, vector)()
        except Exception as error:  # what the first derivatives do decides whether this is a failure of the second
            return replace(self.run(replace(call, vector=None), recipe), hessian_error=error)
        # None is what a tape answers where nothing connects the gradient with the input.
        found_twice = None if product is None else from_tensorflow(product)
        return replace(_answer(recipe, value, found), hessian_vector=found_twice)

    def _along(self, call: Call, recipe: Recipe, tensors: Tensors) -> tuple[Array | None, BaseException | None]:
        """The derivative of the value along the vector: a forward accumulator."""
        assert call.vector is not None
        first = call.differentiate[0]

        def step(tensors: Tensors, _: Any, vector: Any) -> tuple[Any, ...]:
            with tf.autodiff.ForwardAccumulator(tensors[first], vector) as accumulator:
                value = recipe.compute(tensors)
            return (accumulator.jvp(value),)

        try:
            (found,) = self._step(call, step, ("along",), tensors, None, to_tensorflow(call.vector))()
        except Exception as error:  # what forward mode raises is the outcome of this derivative alone
            return None, error
        return None if found is None else from_tensorflow(found), None

    def prepare(self, call: Call, recipe: Recipe) -> Prepared:
        """The same work on tensors that are there. On the CPU a call returns when it is complete."""
        tensors, cotangent, wanted = _operands(call)
        return Prepared(
            run=self._step(call, _step(recipe.compute, wanted), wanted, tensors, cotangent),
            answer=lambda result: _answer(recipe, *result),
        )

    def _step(self, call: Call, step: Step, asked: tuple[str, ...], *operands: Any) -> Callable[[], tuple[Any, ...]]:
        """The step on its operands: tensors, cotangent and, where second derivatives are `asked` for, the vector."""
        if call.mode not in TRACED:
            return lambda: step(*operands)
        key = (call.loss, call.mode, asked, operands[1] is None, _signature(call))
        if key not in self._traces:
            if len(self._traces) >= KEPT:
                self._traces.clear()
            # autograph rewrites Python control flow on tensors; there is none here. The concrete function is asked
            # for because many functions from one line look to TensorFlow like one retraced again and again.
            function = tf.function(step, jit_compile=call.mode == "xla", autograph=False)
            known = tf.nest.map_structure(_of_any_size, operands) if call.mode == DYNAMIC else operands
            self._traces[key] = function.get_concrete_function(*known)
        traced = self._traces[key]
        return lambda: traced(*operands)


def _of_any_size(tensor: Any) -> Any:
    return None if tensor is None else tf.TensorSpec([None] * tensor.shape.rank, tensor.dtype)


def tensors_of(call: Call) -> dict[str, Any]:
    """Inputs and options that are arrays, as tensors."""
    options = {name: option for name, option in call.options.items() if isinstance(option, Array)}
    return {name: to_tensorflow(array) for name, array in {**call.inputs, **options}.items()}


def _operands(call: Call) -> tuple[dict[str, Any], Any, tuple[str, ...]]:
    """The tensors of a call, the cotangent, and the names to differentiate by."""
    tensors = tensors_of(call)
    cotangent = None if call.cotangent is None else to_tensorflow(call.cotangent)
    return tensors, cotangent, tuple(name for name in call.differentiate if tensors[name].dtype.is_floating)


def _answer(recipe: Recipe, value: Any, found: Mapping[str, Any], error: BaseException | None = None) -> Answer:
    return Answer(
        value=from_tensorflow(value),
        function=recipe.function,
        gradients={name: from_tensorflow(gradient) for name, gradient in found.items() if gradient is not None},
        gradient_error=error,
        convention=recipe.convention,
        computed_with=recipe.computed_with,
    )


def _step(compute: Compute, wanted: tuple[str, ...]) -> Step:
    def step(tensors: Tensors, cotangent: Any) -> tuple[Any, ...]:
        if not wanted:
            return compute(tensors), {}
        sources = {name: tensors[name] for name in wanted}
        with tf.GradientTape() as tape:
            tape.watch(sources)
            value = compute(tensors)
        weighted = tf.ones_like(value) if cotangent is None else tf.cast(cotangent, value.dtype)
        found = tape.gradient(value, sources, output_gradients=weighted)
        # Where rows were gathered it is a tensor of some rows, which an optimizer adds as it is.
        return value, {name: None if slope is None else tf.convert_to_tensor(slope) for name, slope in found.items()}

    return step


def _step_twice(compute: Compute, wanted: tuple[str, ...], first: str) -> Step:
    once = _step(compute, wanted)

    def step(tensors: Tensors, cotangent: Any, vector: Any) -> tuple[Any, ...]:
        with tf.GradientTape() as tape:
            tape.watch(tensors[first])
            value, found = once(tensors, cotangent)
        product = tape.gradient(found[first], tensors[first], vector)
        return value, found, None if product is None else tf.convert_to_tensor(product)

    return step


def _signature(call: Call) -> tuple[Any, ...]:
    """What a trace depends on: shapes and dtypes of the arrays, values of everything else."""
    return tuple(
        (name, given.dtype, given.shape) if isinstance(given, Array) else (name, repr(given))
        for name, given in [*call.inputs.items(), *sorted(call.options.items())]
    )


def to_tensorflow(array: Array) -> Any:
    if array.dtype == "bfloat16":
        return tf.constant(np.ascontiguousarray(array.storage).view(tf.bfloat16.as_numpy_dtype).reshape(array.shape))
    return tf.constant(array.storage)


def from_tensorflow(tensor: Any) -> Array:
    plain = np.asarray(tensor.numpy())  # a scalar of bfloat16 has no __array__ of its own
    return Array(tensor.dtype.name, plain.view(np.uint16) if tensor.dtype == tf.bfloat16 else plain)
