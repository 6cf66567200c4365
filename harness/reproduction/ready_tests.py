"""Tests that somebody can put beside their own: each shows what theirs lets through, on the smallest input there is."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.core.arrays import Array
from harness.core.case import ExpectRaises
from harness.mistakes import MUTANTS
from harness.mistakes.grading import Witness
from harness.reproduction.example import Inexpressible, laid_out, literal
from harness.reproduction.torch import tensor as torch_tensor

MOST_NAMED = 4
"""Mistakes named in the docstring of a test that shows more of them."""


FEW = 64
"""Numbers of an array that are written out: a test of more is read by nobody."""


@dataclass(frozen=True)
class _Words:
    """How tests are written for one framework."""

    imports: tuple[str, ...]
    array: Callable[[str, Array], str]
    """An array from an expression of NumPy that has its numbers."""
    differentiated: Callable[[str, Sequence[str], str | None], list[str]]
    """Statements that define `value`, and NAME_gradient for each name, from the call as an expression and from the
    cotangent as one."""


def written_tests(found: Sequence[Witness], target: str, like: str) -> str:
    """A module of tests of the function `target`, one for each witness."""
    module, _, name = target.rpartition(".")
    bodies = [_test(witness, target, like) for witness in found]
    words = {line for witness in found for line in _WORDS[witness.spelled.signature.framework].imports}
    raising = ["import pytest"] if any("pytest." in body for body in bodies) else []
    imports = [
        *sorted(words | {"import numpy as np"} | set(raising)),
        "",
        "import xent",
        f"from {module} import {name}",
    ]
    return "\n".join(imports) + "\n" + "".join(f"\n\n{body}\n" for body in bodies)


def _test(witness: Witness, target: str, like: str) -> str:
    named = [MUTANTS[name].mistake for name in witness.shows]
    more = f"; and {len(named) - MOST_NAMED} more" if len(named) > MOST_NAMED else ""
    identifier = re.sub(r"\W+", "_", f"{witness.case.rpartition('/')[2]}_{witness.call.dtype}")
    shows = "\n    ".join(f"- {sentence}" for sentence in named[:MOST_NAMED])
    lines = [f'"""{witness.title}.', "", "Shows what", shows.replace("\n    ", "\n") + more, '"""']
    try:
        lines += _statements(witness, target.rpartition(".")[2])
    except Inexpressible:
        function = target.rpartition(".")[2]
        lines.append(
            f"xent.check({function}, [{witness.case!r}], loss={witness.call.loss!r}, like={like!r}).assert_conforms()"
        )
    return "\n".join(
        [f"def test_{identifier}():", *(f"    {line}" if line else "" for line in "\n".join(lines).split("\n"))]
    )


def _statements(witness: Witness, function: str) -> list[str]:
    call, spelled = witness.call, witness.spelled
    words = _WORDS[spelled.signature.framework]
    means = {parameter.name: parameter.means for parameter in spelled.signature.parameters}
    given = {**spelled.arguments, **spelled.keywords}
    arrays = {means[name]: value for name, value in given.items() if isinstance(value, Array)}
    lines = [f"{name} = {words.array(_source(array), array)}" for name, array in arrays.items()]

    def argument(name: str, value: object) -> str:
        return means[name] if isinstance(value, Array) else literal(value)

    arguments = [argument(name, value) for name, value in spelled.arguments.items()]
    options = [f"{name}={argument(name, value)}" for name, value in spelled.keywords.items()]
    if spelled.signature.made:
        expression = f"{function}({', '.join(options)})({', '.join(arguments)})"
    else:
        expression = f"{function}({', '.join([*arguments, *options])})"
    if isinstance(witness.expect, ExpectRaises):
        return [*lines, "with pytest.raises(Exception):  # " + witness.expect.kind, f"    {expression}"]
    if call.cotangent is not None:
        lines.append(f"cotangent = {words.array(_source(call.cotangent), call.cotangent)}")
    upstream = None if call.cotangent is None else "cotangent"
    if spelled.signature.with_gradient:
        lines.append(f"value, {spelled.signature.scores}_gradient = {expression}")
    else:
        lines += words.differentiated(expression, call.differentiate, upstream)

    def expanded(name: str, written: str) -> str:
        return f"{written}[..., None]" if call.inputs[name].shape == (*arrays[name].shape, 1) else written

    value = "value[..., None]" if spelled.signature.row_mean else "value"
    slopes = ", ".join(f'"{name}": {expanded(name, f"{name}_gradient")}' for name in call.differentiate)
    inputs = [f"{name}={expanded(name, name)}" for name in call.inputs]
    named = [f"{n}={n if isinstance(v, Array) else literal(v)}" for n, v in call.options.items()]
    named += ["cotangent=cotangent"] if call.cotangent is not None else []
    wanted = f"loss={call.loss!r}, {', '.join([*inputs, *named])}"
    gradients = f" {{{slopes}}}," if slopes else ""
    return [*lines, f"xent.assert_close({value},{gradients} {wanted})"]


def _source(array: Array) -> str:
    """The numbers as an expression of NumPy: as few digits as say them, and what is repeated once."""
    values = array.storage if array.dtype != "bfloat16" else array.to_float64()
    dtype = f"np.{values.dtype.name}" + ("_" if values.dtype.kind == "b" else "")
    shaped = "" if values.size else f".reshape({values.shape})"
    if values.size <= FEW:
        return f"np.array({_digits(values)}, dtype={dtype}){shaped}"
    flat = values.ravel()
    starts = np.flatnonzero(np.concatenate([[True], flat[1:] != flat[:-1]]))
    if len(starts) > FEW:
        raise Inexpressible(f"{values.size} numbers are too many to write down")
    counts = np.diff(np.append(starts, flat.size)).tolist()
    return f"np.repeat(np.array({_digits(flat[starts])}, dtype={dtype}), {counts}).reshape({values.shape})"


def _digits(values: NDArray[Any]) -> str:
    if values.dtype.kind != "f":
        return literal(values.tolist())
    if values.ndim:
        return "[" + ", ".join(_digits(entry) for entry in values) + "]"
    number = float(values)
    return literal(number) if number != number or abs(number) == math.inf else str(values)


def _numpy(source: str, array: Array) -> str:
    return laid_out(source, array)


def _torch(source: str, array: Array) -> str:
    return torch_tensor(source, array)


def _jax(source: str, array: Array) -> str:
    return f"jnp.asarray({source}, dtype=jnp.{array.dtype})"


def _tensorflow(source: str, array: Array) -> str:
    return f"tf.constant({source}, dtype=tf.{array.dtype})"


def _by_numpy(expression: str, names: Sequence[str], upstream: str | None) -> list[str]:  # noqa: ARG001
    return [f"value = {expression}"]


def _by_torch(expression: str, names: Sequence[str], upstream: str | None) -> list[str]:
    if not names:
        return [f"value = {expression}"]
    asked = [f"{name}.requires_grad_()" for name in names]
    found = ", ".join(f"{name}_gradient" for name in names)
    # Handed over as it lies in memory: what multiplies it first makes another of it.
    outputs = "value.sum()" if upstream is None else "value"
    given = "" if upstream is None else f", {upstream}"
    return [
        *asked,
        f"value = {expression}",
        f"({found},) = torch.autograd.grad({outputs}, [{', '.join(names)}]{given})",
    ]


def _by_jax(expression: str, names: Sequence[str], upstream: str | None) -> list[str]:
    if not names:
        return [f"value = {expression}"]
    listed, found = ", ".join(names), ", ".join(f"{name}_gradient" for name in names)
    return [
        f"value, pull = jax.vjp(lambda {listed}: {expression}, {listed})",
        f"({found},) = pull({upstream or 'jnp.ones_like(value)'})",
    ]


def _by_tensorflow(expression: str, names: Sequence[str], upstream: str | None) -> list[str]:
    if not names:
        return [f"value = {expression}"]
    listed, found = ", ".join(names), ", ".join(f"{name}_gradient" for name in names)
    return [
        "with tf.GradientTape() as tape:",
        f"    tape.watch([{listed}])",
        f"    value = {expression}",
        f"({found},) = tape.gradient(value, [{listed}], output_gradients={upstream})",
    ]


_WORDS: Mapping[str, _Words] = {
    "numpy": _Words((), _numpy, _by_numpy),
    "torch": _Words(("import torch",), _torch, _by_torch),
    "jax": _Words(("import jax", "import jax.numpy as jnp"), _jax, _by_jax),
    "tf": _Words(("import tensorflow as tf",), _tensorflow, _by_tensorflow),
}
