"""PyTorch: `torch.nn.functional`, the same functions under `torch.compile`, and the classes of `torch.nn`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch.nn import functional

from harness.adapters.base import Answer, Call, Description, Prepared, Unsupported
from harness.adapters.torch_calls import answer, flags, prepared, tensors_of, threads
from harness.adapters.torch_losses import COMPUTING_REQUESTS, REQUESTS

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
            threads=threads(),
            flags=flags(),
        )

    def evaluate(self, call: Call) -> Answer:
        if call.loss not in REQUESTS:
            raise Unsupported(f"PyTorch has no {call.loss}")
        tensors = tensors_of(call)
        request = REQUESTS[call.loss](call, tensors)
        run = self._function(request.function, call.mode)
        value = request.finish(run(*request.arguments, **request.keywords))
        name = _public_name(request.function, call.mode)
        return answer(call, tensors, value, name, request.convention, request.computed_with)

    def prepare(self, call: Call) -> Prepared:
        if call.loss not in REQUESTS:
            raise Unsupported(f"PyTorch has no {call.loss}")
        tensors = tensors_of(call)
        build = REQUESTS[call.loss]
        request = build(call, tensors)
        function = self._function(request.function, call.mode)

        def forward() -> torch.Tensor:
            # Where making the request computes something, that is part of the work; elsewhere it is ours, not theirs.
            asked = build(call, tensors) if call.loss in COMPUTING_REQUESTS else request
            return asked.finish(function(*asked.arguments, **asked.keywords))

        name = _public_name(request.function, call.mode)
        return prepared(call, tensors, forward, name, request.convention, request.computed_with)

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
