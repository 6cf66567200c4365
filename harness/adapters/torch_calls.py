"""Our arrays as PyTorch tensors and back, and differentiation by autograd: shared by what rests on PyTorch.

Imports NumPy, PyTorch and the adapter contract only.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from torch.autograd import forward_ad

from harness.adapters import processor
from harness.adapters.base import Answer, Array, Call, Prepared
from harness.adapters.facts import torch_facts, variables

Tensors = Mapping[str, torch.Tensor]
Compute = Callable[[Tensors], torch.Tensor]
"""A loss of the inputs (and options that are arrays), by name."""


def version() -> str:
    """By its own word: the distribution may have another name."""
    return str(torch.__version__)


def flags() -> dict[str, str]:
    """The environment variables that change numbers."""
    return variables("torch", os.environ)


def facts() -> dict[str, str]:
    """What of this machine changes numbers, PyTorch's own word first."""
    onednn = torch.backends.mkldnn.is_available()
    told = torch_facts(_capability(), onednn, processor.features(), os.environ)
    return {**told, "deterministic": "on"} if torch.are_deterministic_algorithms_enabled() else told


def _capability() -> str:
    if hasattr(torch.backends, "cpu"):  # since torch 2.1; before, it stands in the description of the build only
        return str(torch.backends.cpu.get_cpu_capability())
    return torch.__config__.show().partition("CPU capability usage: ")[2].split()[0]


def threads() -> int:
    return int(torch.get_num_threads())


def tensors_of(call: Call) -> dict[str, torch.Tensor]:
    """The inputs and the options that are arrays, by name; what is to be differentiated asks for its gradient."""
    tensors = {name: to_torch(array) for name, array in _given(call).items()}
    for name in call.differentiate:
        if tensors[name].is_floating_point():
            tensors[name].requires_grad_()
    return tensors


def answer(
    call: Call,
    tensors: Tensors,
    value: torch.Tensor,
    function: str,
    convention: Mapping[str, Any] | None = None,
    computed_with: Mapping[str, str] = MappingProxyType({}),
    compute: Compute | None = None,
) -> Answer:
    """The answer around a value computed from `tensors`, with the gradients the call asks for.

    `compute` computes that value from such tensors once more, for its derivative in forward mode.
    """
    along, forward = _along(call, tensors, compute)
    slopes, error, product, second = _derivatives(call, tensors, value)
    copied = [name for name, array in _given(call).items() if _runs_backwards(array)]
    return Answer(
        value=from_torch(value),
        function=function,
        gradients={name: from_torch(slope) for name, slope in slopes.items()},
        gradient_error=error,
        hessian_vector=product,
        hessian_error=second,
        directional=along,
        directional_error=forward,
        convention=convention,
        computed_with={**computed_with, **dict.fromkeys(copied, "copied: torch has no negative strides")},
    )


def prepared(
    call: Call,
    tensors: Tensors,
    forward: Callable[[], torch.Tensor],
    function: str,
    convention: Mapping[str, Any] | None = None,
    computed_with: Mapping[str, str] = MappingProxyType({}),
) -> Prepared:
    """`forward`, followed by autograd where gradients are asked for. On the CPU a call returns when it is complete."""
    wanted = {name: tensors[name] for name in call.differentiate if tensors[name].requires_grad}
    sources = list(wanted.values())
    cotangent = None if call.cotangent is None else to_torch(call.cotangent)

    def run() -> tuple[torch.Tensor, Any]:
        value = forward()
        if not sources:
            return value, ()
        upstream = torch.ones_like(value) if cotangent is None else cotangent.to(value.dtype)
        return value, torch.autograd.grad(value, sources, grad_outputs=upstream)

    def finish(result: tuple[torch.Tensor, Any]) -> Answer:
        value, found = result
        gradients = {name: from_torch(gradient) for name, gradient in zip(wanted, found, strict=True)}
        return Answer(from_torch(value), function, gradients, convention=convention, computed_with=dict(computed_with))

    return Prepared(run, finish)


def to_torch(array: Array) -> torch.Tensor:
    """The array without a copy, its strides kept, where PyTorch can hold them."""
    storage = array.storage
    if _runs_backwards(array) or not storage.flags.writeable:
        storage = storage.copy()
    if array.dtype == "bfloat16":
        return torch.from_numpy(storage.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(storage)


def from_torch(tensor: torch.Tensor) -> Array:
    name = str(tensor.dtype).removeprefix("torch.")
    plain = tensor.detach()
    if name == "bfloat16":
        return Array(name, plain.view(torch.int16).numpy().view(np.uint16))
    return Array(name, plain.numpy())


def _given(call: Call) -> dict[str, Array]:
    return {**call.inputs, **{name: option for name, option in call.options.items() if isinstance(option, Array)}}


def _derivatives(
    call: Call, tensors: Tensors, value: torch.Tensor
) -> tuple[Tensors, BaseException | None, Array | None, BaseException | None]:
    """The gradients or what was raised instead, then the same of the product of the Hessian with the vector."""
    if call.vector is None:
        return (*_slopes(call, tensors, value, again=False), None, None)
    slopes, error = _slopes(call, tensors, value, again=True)
    if error is None:
        return slopes, None, *_product(call, tensors, slopes)
    # What can be differentiated may refuse the graph that a second time needs: then it is the second that failed.
    return (*_slopes(call, tensors, value, again=False), None, error)


def _slopes(call: Call, tensors: Tensors, value: torch.Tensor, *, again: bool) -> tuple[Tensors, BaseException | None]:
    """The gradients, with the graph they were made by where they are to be differentiated `again`."""
    wanted = {name: tensors[name] for name in call.differentiate if tensors[name].requires_grad}
    if not wanted:
        return {}, None
    try:
        cotangent = torch.ones_like(value) if call.cotangent is None else to_torch(call.cotangent).to(value.dtype)
        sources = list(wanted.values())
        found = torch.autograd.grad(value, sources, grad_outputs=cotangent, allow_unused=True, create_graph=again)
    except Exception as error:  # what autograd raises is the outcome of the gradient, not of the value
        return {}, error
    return {name: grad for name, grad in zip(wanted, found, strict=True) if grad is not None}, None


def _product(call: Call, tensors: Tensors, slopes: Tensors) -> tuple[Array | None, BaseException | None]:
    """The gradient of (first gradient · vector), which is the product of the Hessian with the vector."""
    first = call.differentiate[0] if call.differentiate else ""
    # A kernel that hands out a gradient made beforehand offers no second derivative: its gradient has no graph.
    if call.vector is None or first not in slopes or not slopes[first].requires_grad:
        return None, None
    try:
        (product,) = torch.autograd.grad(slopes[first], tensors[first], grad_outputs=to_torch(call.vector))
    except Exception as error:  # what autograd raises is the outcome of the second derivative alone
        return None, error
    return from_torch(product), None


def _along(call: Call, tensors: Tensors, compute: Compute | None) -> tuple[Array | None, BaseException | None]:
    """The derivative of the value along the vector, by dual numbers."""
    if call.vector is None or compute is None:
        return None, None
    first = call.differentiate[0]
    plain = {name: tensor.detach() for name, tensor in tensors.items()}
    try:
        with forward_ad.dual_level():
            moving = forward_ad.make_dual(plain[first], to_torch(call.vector))
            value, tangent = forward_ad.unpack_dual(compute({**plain, first: moving}))
    except Exception as error:  # what forward mode raises is the outcome of this derivative alone
        return None, error
    # A value without a tangent does not depend on the input, says PyTorch: torch.func.jvp answers zeros for it.
    return from_torch(torch.zeros_like(value) if tangent is None else tangent), None


def _runs_backwards(array: Array) -> bool:
    return min(array.storage.strides, default=0) < 0
