"""PyTorch: `torch.nn.functional`, the same functions under `torch.compile`, and the classes of `torch.nn`."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch.nn import functional

from harness.adapters.base import Answer, Array, Call, Description, Unsupported
from harness.adapters.torch_losses import REQUESTS

# The class that stands for each function in the mode "module".
_MODULES = {
    "softmax": "Softmax",
    "log_softmax": "LogSoftmax",
    "cross_entropy": "CrossEntropyLoss",
    "nll_loss": "NLLLoss",
    "kl_div": "KLDivLoss",
    "binary_cross_entropy": "BCELoss",
    "binary_cross_entropy_with_logits": "BCEWithLogitsLoss",
}
_ENVIRONMENT = ("TORCH", "OMP_", "MKL_")
Function = Callable[..., torch.Tensor]


class Torch:
    """PyTorch on the CPU; `compile` compiles the very function that `eager` calls, once per signature."""

    def __init__(self) -> None:
        self._functions: dict[tuple[str, str], Function] = {}

    def describe(self) -> Description:
        return Description(
            version=torch.__version__,
            losses=tuple(REQUESTS),
            modes=("eager", "compile", "module"),
            versions={"torch": torch.__version__, "numpy": np.__version__},
            threads=torch.get_num_threads(),
            flags={name: value for name, value in os.environ.items() if name.startswith(_ENVIRONMENT)},
        )

    def evaluate(self, call: Call) -> Answer:
        if call.loss not in REQUESTS:
            raise Unsupported(f"PyTorch has no {call.loss}")
        options = {name: option for name, option in call.options.items() if isinstance(option, Array)}
        given = {**call.inputs, **options}
        tensors = {name: _to_torch(array) for name, array in given.items()}
        for name in call.differentiate:
            if tensors[name].is_floating_point():
                tensors[name].requires_grad_()
        request = REQUESTS[call.loss](call, tensors)
        run = self._function(request.function, call.mode)
        value = request.finish(run(*request.arguments, **request.keywords))
        gradients, error = _gradients(call, tensors, value)
        copied = [name for name, array in given.items() if _runs_backwards(array)]
        return Answer(
            value=_from_torch(value),
            function=_public_name(request.function, call.mode),
            gradients=gradients,
            gradient_error=error,
            convention=request.convention,
            computed_with={**request.computed_with, **dict.fromkeys(copied, "copied: torch has no negative strides")},
        )

    def _function(self, name: str, mode: str) -> Function:
        if (name, mode) not in self._functions:
            self._functions[name, mode] = _resolve(name, mode)
        return self._functions[name, mode]


def _resolve(name: str, mode: str) -> Function:
    if mode == "module":
        if name not in _MODULES:
            raise Unsupported(f"torch.nn has no class for {_public_name(name, 'eager')}")
        module = getattr(torch.nn, _MODULES[name])
        return lambda *arguments, **keywords: module(**keywords)(*arguments)
    function: Function = getattr(functional, name) if hasattr(functional, name) else getattr(torch.special, name)
    return _compiled(function) if mode == "compile" else function


def _compiled(function: Function) -> Function:
    from torch import _dynamo  # takes seconds to import, and only this mode needs it

    # After eight signatures torch.compile goes back to eager with no more than a log line.
    for limit in ("recompile_limit", "accumulated_recompile_limit", "cache_size_limit", "accumulated_cache_size_limit"):
        if hasattr(_dynamo.config, limit):  # the last two are the names before torch 2.7
            setattr(_dynamo.config, limit, 100_000)
    # dynamic=False: the answer for a shape must not depend on the shapes that came before it.
    # The lambda: the functions of torch.special are built in, and only Python functions are compiled.
    return torch.compile(lambda *arguments, **keywords: function(*arguments, **keywords), dynamic=False)


def _public_name(name: str, mode: str) -> str:
    if mode == "module":
        return f"torch.nn.{_MODULES[name]}"
    return f"torch.nn.functional.{name}" if hasattr(functional, name) else f"torch.special.{name}"


def _gradients(
    call: Call, tensors: Mapping[str, torch.Tensor], value: torch.Tensor
) -> tuple[dict[str, Array], BaseException | None]:
    wanted = {name: tensors[name] for name in call.differentiate if tensors[name].requires_grad}
    if not wanted:
        return {}, None
    try:
        cotangent = torch.ones_like(value) if call.cotangent is None else _to_torch(call.cotangent).to(value.dtype)
        found = torch.autograd.grad(value, list(wanted.values()), grad_outputs=cotangent, allow_unused=True)
    except Exception as error:  # what autograd raises is the outcome of the gradient, not of the value
        return {}, error
    return {name: _from_torch(found) for name, found in zip(wanted, found, strict=True) if found is not None}, None


def _runs_backwards(array: Array) -> bool:
    return min(array.storage.strides, default=0) < 0


def _to_torch(array: Array) -> torch.Tensor:
    """The array without a copy, its strides kept, where PyTorch can hold them."""
    storage = array.storage
    if _runs_backwards(array) or not storage.flags.writeable:
        storage = storage.copy()
    if array.dtype == "bfloat16":
        return torch.from_numpy(storage.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(storage)


def _from_torch(tensor: torch.Tensor) -> Array:
    name = str(tensor.dtype).removeprefix("torch.")
    plain = tensor.detach()
    if name == "bfloat16":
        return Array(name, plain.view(torch.int16).numpy().view(np.uint16))
    return Array(name, plain.numpy())
