"""PyTorch: `torch.nn.functional`, the same functions under `torch.compile`, and the classes of `torch.nn`."""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from harness.adapters.base import Answer, Call, Description, Prepared, Unsupported
from harness.adapters.torch_calls import answer, facts, flags, prepared, tensors_of, threads
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
            facts=facts(),
        )

    def evaluate(self, call: Call) -> Answer:
        if call.loss not in REQUESTS:
            raise Unsupported(f"PyTorch has no {call.loss}")
        tensors = tensors_of(call)
        request = REQUESTS[call.loss](call, tensors)
        if call.mode == "compile":
            _leave_guards_unmeasured()
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
    def called(*arguments: Any, **keywords: Any) -> torch.Tensor:  # built-in functions cannot be compiled by themselves
        return function(*arguments, **keywords)

    # torch.compile keeps its programs with the code object. All signatures on one would make it go through all that
    # came before for each new one, go back to eager after eight of them with no more than a log line, and go back to
    # eager for good where it gives up on one. So each has a code object of its own.
    alone = FunctionType(
        called.__code__.replace(), called.__globals__, called.__name__, called.__defaults__, called.__closure__
    )
    # dynamic=False: the answer for a shape must not depend on the shapes that came before it.
    return torch.compile(alone, dynamic=False)


def _leave_guards_unmeasured() -> None:
    """Keep torch.compile from timing its guards for a line in a log.

    For that it empties the processor's caches after each compilation, a third of the time where programs are kept. Not
    in `prepare`, whose compilations are timed and have to take what they take.
    """
    from torch import _dynamo  # takes seconds to import, and only this mode needs it

    if hasattr(_dynamo.guards, "profile_guard_manager"):  # newer versions only
        _dynamo.guards.profile_guard_manager = _no_seconds


def _no_seconds(*_: object) -> float:
    return 0.0


def _public_name(name: str, mode: str) -> str:
    if mode == "module":
        return f"torch.nn.{_MODULES[name]}"
    return f"torch.nn.functional.{name}" if hasattr(functional, name) else f"torch.special.{name}"
