"""PyTorch: `torch.nn.functional`, the same functions under `torch.compile`, and the classes of `torch.nn`.

`dynamic` is `torch.compile(dynamic=True)`: one program for tensors of any size.
`autocast` calls the function where autocast is on, `deterministic` where only deterministic algorithms are allowed. Its
linear cross-entropy has kernels of its own, which go through the rows in chunks: the modes `chunked` and those
that begin so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from harness.adapters import torch_contexts, torch_func
from harness.adapters.base import Answer, Call, Description, Prepared, Unsupported
from harness.adapters.torch_calls import Tensors, answer, facts, flags, prepared, tensors_of, threads
from harness.adapters.torch_losses import (
    CHUNKED_MODES,
    COMPILED,
    COMPUTING_REQUESTS,
    DYNAMIC,
    REQUESTS,
    Request,
    request_of,
)

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
    """PyTorch on the CPU; what is compiled is the very function that `eager` calls, anew for each signature."""

    def __init__(self) -> None:
        self._compiled_for: tuple[Any, ...] = ()
        self._compiled: Function | None = None

    def describe(self) -> Description:
        return Description(
            version=torch.__version__,
            losses=tuple(REQUESTS),
            modes=("eager", *COMPILED, "module", *torch_contexts.MODES, *torch_func.MODES, *CHUNKED_MODES),
            mode_losses={
                "vmap": torch_func.MAPPED,
                **dict.fromkeys(CHUNKED_MODES, ("linear_cross_entropy",)),
            },
            versions={"torch": torch.__version__, "numpy": np.__version__},
            threads=threads(),
            flags=flags(),
            facts=facts(),
        )

    def evaluate(self, call: Call) -> Answer:
        if call.loss not in REQUESTS:
            raise Unsupported(f"PyTorch has no {call.loss}")
        tensors = tensors_of(call)
        request = torch_contexts.request(call, request_of(call, tensors))
        run = self._function(request, call.mode)
        name = _public_name(request.function, call.mode)

        def again(given: Tensors) -> torch.Tensor:
            asked = request_of(call, given)
            return asked.finish(run(*asked.arguments, **asked.keywords))

        if call.mode in torch_func.MODES:
            asked = again if call.mode == "func" else torch_func.by_rows(call, again)
            return torch_func.answer(call, tensors, asked, name, request.convention, request.computed_with)
        value = request.finish(run(*request.arguments, **request.keywords))
        # What torch.compile makes of a function knows no dual numbers.
        compute = None if call.mode in COMPILED else again
        return answer(call, tensors, value, name, request.convention, request.computed_with, compute)

    def prepare(self, call: Call) -> Prepared:
        if call.loss not in REQUESTS:
            raise Unsupported(f"PyTorch has no {call.loss}")
        tensors = tensors_of(call)
        request = request_of(call, tensors)
        function = self._function(request, call.mode)

        def forward() -> torch.Tensor:
            # Where making the request computes something, that is part of the work; elsewhere it is ours, not theirs.
            asked = request_of(call, tensors) if call.loss in COMPUTING_REQUESTS else request
            return asked.finish(function(*asked.arguments, **asked.keywords))

        name = _public_name(request.function, call.mode)
        return prepared(call, tensors, forward, name, request.convention, request.computed_with)

    def _function(self, request: Request, mode: str) -> Function:
        function = torch_contexts.within(mode, request, _scaled(_resolve(request.function, mode), request.scale))
        if mode not in COMPILED:
            return function
        signature = (mode, request.function, request.scale, *_signature(request))
        if self._compiled is None or signature != self._compiled_for:
            # torch.compile goes back to eager, with no more than a line in a log, after eight signatures of a function
            # or once it gave up on one. What a user's program gets for this signature alone is what is asked about.
            torch.compiler.reset()
            self._compiled_for, self._compiled = (
                signature,
                torch.compile(_calling(function), dynamic=True if mode == DYNAMIC else None),
            )
        return self._compiled


def _scaled(function: Function, scale: float | None) -> Function:
    """The function of logits that are multiplied first, in the same program where it is compiled."""
    if scale is None:
        return function
    return lambda logits, *arguments, **keywords: function(logits * scale, *arguments, **keywords)


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
    return function


def _calling(function: Function) -> Function:
    """The function in one of Python: those that are built in cannot be compiled by themselves."""

    def called(*arguments: Any, **keywords: Any) -> torch.Tensor:
        return function(*arguments, **keywords)

    return called


def _public_name(name: str, mode: str) -> str:
    if mode == "module":
        return f"torch.nn.{_MODULES[name]}"
    return f"torch.nn.functional.{name}" if hasattr(functional, name) else f"torch.special.{name}"
