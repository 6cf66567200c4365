"""PyTorch: `torch.nn.functional`, the same functions under `torch.compile`, and the classes of `torch.nn`."""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from harness.adapters.base import Answer, Call, Description, Prepared, Unsupported
from harness.adapters.torch_calls import answer, flags, prepared, tensors_of, threads
from harness.adapters.torch_losses import COMPUTING_REQUESTS, REQUESTS, Request

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
        self._functions: dict[tuple[Any, ...], Function] = {}

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
        run = self._function(request, call.mode)
        value = request.finish(run(*request.arguments, **request.keywords))
        name = _public_name(request.function, call.mode)
        return answer(call, tensors, value, name, request.convention, request.computed_with)

    def prepare(self, call: Call) -> Prepared:
        if call.loss not in REQUESTS:
            raise Unsupported(f"PyTorch has no {call.loss}")
        tensors = tensors_of(call)
        build = REQUESTS[call.loss]
        request = build(call, tensors)
        function = self._function(request, call.mode)

        def forward() -> torch.Tensor:
            # Where making the request computes something, that is part of the work; elsewhere it is ours, not theirs.
            asked = build(call, tensors) if call.loss in COMPUTING_REQUESTS else request
            return asked.finish(function(*asked.arguments, **asked.keywords))

        name = _public_name(request.function, call.mode)
        return prepared(call, tensors, forward, name, request.convention, request.computed_with)

    def _function(self, request: Request, mode: str) -> Function:
        key = (request.function, mode, *(_signature(request) if mode == "compile" else ()))
        if key not in self._functions:
            self._functions[key] = _resolve(request.function, mode)
        return self._functions[key]


def _signature(request: Request) -> tuple[Any, ...]:
    """What a compiled program depends on, near enough: torch.compile itself looks at the rest at each call."""
    return tuple(
        (name, given.dtype, given.shape, given.stride(), given.requires_grad)
        if isinstance(given, torch.Tensor)
        else (name, repr(given))
        for name, given in [*enumerate(request.arguments), *sorted(request.keywords.items())]
    )


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
    if hasattr(_dynamo.guards, "profile_guard_manager"):
        # For a line in a log it empties the processor's caches and times the guards: a third of a compilation's time.
        _dynamo.guards.profile_guard_manager = _unmeasured

    def called(*arguments: Any, **keywords: Any) -> torch.Tensor:  # built-in functions cannot be compiled by themselves
        return function(*arguments, **keywords)

    # torch.compile keeps its programs with the code, and goes through all that are there for each new one: with nine
    # hundred signatures on one code that took longer than the compilers. So each signature has a code of its own.
    alone = FunctionType(
        called.__code__.replace(), called.__globals__, called.__name__, called.__defaults__, called.__closure__
    )
    # dynamic=False: the answer for a shape must not depend on the shapes that came before it.
    return torch.compile(alone, dynamic=False)


def _unmeasured(manager: object, scope: object, times: int) -> float:
    return 0.0


def _public_name(name: str, mode: str) -> str:
    if mode == "module":
        return f"torch.nn.{_MODULES[name]}"
    return f"torch.nn.functional.{name}" if hasattr(functional, name) else f"torch.special.{name}"
