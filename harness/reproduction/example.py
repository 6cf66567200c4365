"""What is to be reproduced, and how its numbers are written as Python."""

from __future__ import annotations

import keyword
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.adapters.base import Unsupported
from harness.adapters.rows import mapped
from harness.adapters.scaled_logits import scale_of, without_scale
from harness.adapters.torch_chunks import CHUNKED
from harness.core.arrays import Array
from harness.core.call import Call
from harness.core.case import ArraySpec
from harness.core.formats import FORMATS
from harness.reproduction.sources import definitions
from harness.suite.generators import GENERATORS, completed

LARGEST_WRITTEN = 4096
"""Numbers of one array that are written out: a script of more is no longer read by anybody."""


class Inexpressible(Exception):  # noqa: N818 - a statement about the cell, not an error
    """The cell cannot be written as a standalone script, with the reason."""


MODES = frozenset(
    {
        "activated",
        "activated-elsewhere",
        "activated-graph",
        "autocast",
        "class-typed",
        "compile",
        "deterministic",
        "dynamic",
        "eager",
        "export",
        "export-dynamic",
        "func",
        "lite",
        "masked",
        "mixed-bfloat16",
        "mixed-float16",
        "module",
        "graph",
        "onnx",
        "onnx-dynamic",
        "safe",
        "vectorized_map",
        "vmap",
        "xla",
        "v1",
        "jit",
        "kl_div",
        "masked-array",
        "stats",
        "class",
        "ranks",
        "ranks-of-rows",
        "labels-backwards",
        *CHUNKED,
    }
)
"""Modes that some template knows how to write."""


@dataclass(frozen=True, eq=False)
class Example:
    """One call of one implementation, with its exact bits.

    What becomes a name or a word of a script is checked here, where every script comes by: a run file may say anything.
    Inexpressible where something is none of what the templates know.
    """

    implementation: str
    call: Call
    """It asks for the one gradient that is wanted, or for the value alone."""
    specs: Mapping[str, ArraySpec] = field(default_factory=lambda: MappingProxyType({}))
    """How the arrays are written in the suite, by name: one too large to write out is made as the suite makes it."""
    forward: bool = False
    """Whether the value itself is differentiated along the vector, in forward mode."""

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise Inexpressible(f"no template writes the mode {self.mode}")
        if self.dtype not in FORMATS:
            raise Inexpressible(f"no template writes the dtype {self.dtype}")
        for name in (self.loss, self.reduction, *self.inputs, *self.options, *self.call.differentiate):
            if not name.isidentifier() or keyword.iskeyword(name):
                raise Inexpressible(f"no template writes the name {name}")

    @property
    def loss(self) -> str:
        return self.call.loss

    @property
    def inputs(self) -> Mapping[str, Array]:
        return self.call.inputs

    @property
    def options(self) -> Mapping[str, Any]:
        return self.call.options

    @property
    def dtype(self) -> str:
        return self.call.dtype

    @property
    def mode(self) -> str:
        return self.call.mode

    @property
    def differentiate(self) -> str | None:
        """The input whose gradient is asked for; None: the value."""
        return next(iter(self.call.differentiate), None)

    @property
    def cotangent(self) -> Array | None:
        return self.call.cotangent

    @property
    def vector(self) -> Array | None:
        """The direction in which the value or that gradient is differentiated; None: neither is."""
        return self.call.vector

    @property
    def reduction(self) -> str:
        return str(self.options.get("reduction", "none"))

    @property
    def axis(self) -> int:
        return int(self.options.get("axis", -1))

    @property
    def rank(self) -> int:
        """Axes of the first input."""
        return len(next(iter(self.inputs.values())).shape)

    def targets_are_distributions(self, scores: str) -> bool:
        targets, rows = self.inputs["targets"], self.inputs[scores]
        return targets.shape == rows.shape or (targets.is_float and len(targets.shape) == len(rows.shape))

    def has_distributions(self, scores: str) -> bool:
        """Whether the targets are floating and have as many axes as the scores: what tells PyTorch."""
        targets = self.inputs["targets"]
        return targets.is_float and len(targets.shape) == len(self.inputs[scores].shape)

    @property
    def scale(self) -> float | None:
        """What the logits are multiplied with before the loss; None: nothing is."""
        return scale_of(self.call)

    def defined(self, expression: Callable[[Example], str]) -> list[str]:
        """Statements that define `loss`, by an expression of the example whose logits are multiplied already."""
        scaled = [] if self.scale is None else [f"    logits = logits * {self.scale!r}"]
        unscaled = replace(self, call=without_scale(self.call))
        return [f"def loss({', '.join(self.arrays)}):", *scaled, f"    return {expression(unscaled)}"]

    def rows(self) -> tuple[str, ...]:
        """The arrays that have a row for each of the batch, where the loss is mapped over it."""
        try:
            return mapped(self.call)
        except Unsupported as reason:
            raise Inexpressible(str(reason)) from reason

    def understands(self, *names: str) -> None:
        """Refuse options no template knows how to write."""
        for name in self.options:
            if name not in ("reduction", "denominator", *names):
                raise Inexpressible(f"no template writes the option {name}")

    def keyword(self, name: str, renamed: str | None = None) -> list[str]:
        """`name=value` where the option is given; arrays by their variable's name."""
        if name not in self.options:
            return []
        value = self.options[name]
        return [f"{renamed or name}={name if isinstance(value, Array) else literal(value)}"]

    @property
    def beside(self) -> tuple[str, ...]:
        """The arrays that are no inputs of the loss, which a program of any size is handed beside them."""
        arrays = {"cotangent": self.cotangent, "vector": self.vector}
        return tuple(name for name, array in arrays.items() if array is not None)

    @property
    def arrays(self) -> dict[str, Array]:
        """Every array by the name of its variable."""
        return {**self.inputs, **{n: v for n, v in self.options.items() if isinstance(v, Array)}}

    @property
    def constants(self) -> dict[str, str]:
        """The arrays, the cotangent and the vector as expressions of NumPy, by the name of the variable."""
        arrays = {**self.arrays, "cotangent": self.cotangent, "vector": self.vector}
        return {name: self._constant(name, array) for name, array in arrays.items() if array is not None}

    @property
    def definitions(self) -> tuple[str, ...]:
        """Functions of the suite that `constants` calls."""
        made = [self.specs[name].generator for name in self.arrays if self._is_made(name)]
        return definitions("suite/generators.py", [_function(name) for name in made if name is not None])

    def _is_made(self, name: str) -> bool:
        spec, array = self.specs.get(name), self.arrays.get(name)
        return spec is not None and spec.generator is not None and array is not None and _is_large(array.storage)

    def _constant(self, name: str, array: Array) -> str:
        if not self._is_made(name):
            return numpy_source(array)
        spec = self.specs[name]
        given = ", ".join(f"{key!r}: {literal(value)}" for key, value in completed(spec).items())
        return f"{_function(str(spec.generator))}({{{given}}})"


@dataclass(frozen=True)
class Code:
    """How one framework computes one example."""

    imports: tuple[str, ...]
    body: tuple[str, ...]
    """Statements that define `answer`, as NumPy can read it: the value, or the gradient, or its derivative, whichever
    is asked for; and `dtype`, the name of the type it came back in."""
    versions: str
    """An expression for the text that names the versions."""
    environment: tuple[str, ...] = ()
    """Statements that come before the imports."""
    definitions: tuple[str, ...] = ()
    """Functions and constants that the statements use."""


def _function(generator: str) -> str:
    return GENERATORS[generator].make.__name__


def _is_large(values: NDArray[Any]) -> bool:
    return values.size > LARGEST_WRITTEN and not _repeats(values)


def _repeats(values: NDArray[Any]) -> bool:
    """Whether all rows are the same."""
    first = values[:1]
    return bool(values.ndim and ((values == first) | ((values != values) & (first != first))).all())


def layout_of(array: Array) -> str:
    """The word of the suite for how the array lies in memory."""
    storage = array.storage
    if storage.flags.c_contiguous:
        return "contiguous"
    if min(storage.strides) < 0:
        return "reversed"
    if 0 in storage.strides:
        return "repeated"
    if storage.flags.f_contiguous:
        return "transposed"
    if np.moveaxis(storage, min(1, storage.ndim - 1), -1).flags.c_contiguous:
        return "channels-last"
    return "sliced" if storage.strides[-1] == storage.itemsize else "strided"


def laid_out(expression: str, array: Array) -> str:
    """A contiguous NumPy array as an expression of one that lies in memory as `array` does."""
    match layout_of(array):
        case "strided":
            return f"np.repeat({expression}, 2, -1)[..., ::2]"
        case "transposed":
            return f"np.asfortranarray({expression})"
        case "channels-last":
            return f"np.moveaxis(np.ascontiguousarray(np.moveaxis({expression}, 1, -1)), -1, 1)"
        case "sliced":
            return f"np.concatenate([{expression}, {expression}], -1)[..., :{array.shape[-1]}]"
        case "repeated":
            return f"np.broadcast_to({expression}[:1].copy(), {array.shape})"
        case "reversed":
            return f"np.flip(np.flip({expression}).copy())"
    return expression


def literal(value: Any) -> str:
    """A number, a text or nested lists as Python source; nan and infinities as NumPy's."""
    if isinstance(value, tuple):
        return "(" + "".join(f"{literal(entry)}, " for entry in value).strip() + ")"
    if isinstance(value, list):
        return "[" + ", ".join(literal(entry) for entry in value) + "]"
    if isinstance(value, float | np.floating):
        number = float(value)
        if np.isnan(number):
            return "np.nan"
        if np.isinf(number):
            return "np.inf" if number > 0 else "-np.inf"
        return repr(number)
    return repr(value.item() if isinstance(value, np.generic) else value)


def numpy_source(array: Array) -> str:
    """The array as an expression of NumPy: float64 for every floating format, which holds all of them exactly."""
    values = array.to_float64() if array.is_float else array.storage
    dtype = "np.float64" if array.is_float else f"np.{values.dtype.name}" + ("_" if values.dtype.kind == "b" else "")
    return dense_source(values, dtype)


def dense_source(values: NDArray[Any], dtype: str = "np.float64") -> str:
    """The numbers as an expression of NumPy; rows that are all the same once. Inexpressible where they are too many."""
    if values.size > 16 and _repeats(values):
        counts = (values.shape[0], *(1,) * (values.ndim - 1))
        return f"np.tile(np.array({literal(values[:1].tolist())}, dtype={dtype}), {counts})"
    if values.size > LARGEST_WRITTEN:
        raise Inexpressible(f"{values.size} numbers are too many to write down")
    shaped = "" if values.size else f".reshape({values.shape})"
    return f"np.array({literal(values.tolist())}, dtype={dtype}){shaped}"
