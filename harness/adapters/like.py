"""A plain function as an implementation: one that takes the arguments of a framework's own, such as
`like:torch.nn.functional.cross_entropy=my_package.losses:cross_entropy`.

No adapter class is needed: `harness.adapters.framework_signatures` knows with which arguments such a function is
called.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from harness.adapters.base import Adapter, Answer, Array, Call, Description
from harness.adapters.framework_signatures import NUMPY, signatures, spelled


def like(known: str, function: Callable[..., Any]) -> Adapter:
    """The adapter of a function with the signature of `known`."""
    signature = signatures(known)[0]
    name = f"{function.__module__}.{getattr(function, '__qualname__', known)}"
    if signature.framework == "torch":
        from harness.adapters.torch_like import TorchLike

        return TorchLike(known, function, name, version_of(function))
    if signature.framework == "tf":
        from harness.adapters.tensorflow_like import TensorFlowLike

        return TensorFlowLike(known, function, name, version_of(function))
    if signature.framework == "jax":
        from harness.adapters.jax_like import JaxLike

        return JaxLike(known, function, name, version_of(function))
    return NumPyLike(known, function, name, version_of(function))


def version_of(function: Callable[..., Any]) -> str:
    """That of the distribution its package is called like; 0 where there is none."""
    try:
        return version(function.__module__.partition(".")[0])
    except PackageNotFoundError:
        return "0"


class NumPyLike:
    """A function of NumPy arrays in our own words, with or without the gradient."""

    def __init__(self, known: str, function: Callable[..., Any], name: str, version: str) -> None:
        self._known = known
        self._function = function
        self._name = name
        self._version = version

    def describe(self) -> Description:
        (signature,) = signatures(self._known)
        return Description(self._version, (signature.loss,), dtypes=NUMPY.dtypes, gradients=signature.with_gradient)

    def evaluate(self, call: Call) -> Answer:
        asked = spelled(self._known, call)
        arguments, keywords = asked.of({}, lambda array: array.storage, np.moveaxis)
        answer = self._function(*arguments, **keywords)
        if not asked.signature.with_gradient:
            return Answer(Array.of(answer), self._name)
        value, gradient = answer
        wanted = asked.signature.scores in call.differentiate
        return Answer(Array.of(value), self._name, {asked.signature.scores: Array.of(gradient)} if wanted else {})
