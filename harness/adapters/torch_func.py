"""A loss of PyTorch through `torch.func`: vjp, jvp and, where rows are mapped, vmap.

Imports NumPy, PyTorch and the adapter contract only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import torch

from harness.adapters.base import Answer, Array, Call
from harness.adapters.rows import mapped
from harness.adapters.torch_calls import Compute, Tensors, from_torch, to_torch

MAPPED = (
    "softmax",
    "log_softmax",
    "nll_loss",
    "softmax_cross_entropy",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
)
"""The losses that the mode `vmap` is about."""

MODES = ("func", "vmap")
"""`func` differentiates by functional transforms; `vmap` computes each row by itself besides, mapped over the batch."""

Derived = tuple[Array | None, BaseException | None]


def answer(
    call: Call,
    tensors: Tensors,
    compute: Compute,
    function: str,
    convention: Mapping[str, Any] | None,
    computed_with: Mapping[str, str],
) -> Answer:
    """The answer of `compute` and its transforms; what a transform raises is the outcome of its own derivative."""
    plain = {name: tensor.detach() for name, tensor in tensors.items()}
    wanted = [name for name in call.differentiate if plain[name].is_floating_point()]
    error: BaseException | None = None
    found: Tensors = {}
    try:
        value, found = _pulled(call, plain, compute, wanted) if wanted else (compute(plain), {})
    except Exception as raised:  # the value's own error comes again here; otherwise it was the gradient's
        value, error = compute(plain), raised
    gradients = {name: from_torch(gradient) for name, gradient in found.items()}
    told = Answer(from_torch(value), function, gradients, error, convention=convention, computed_with=computed_with)
    if call.vector is None or not wanted:
        return told
    first, vector = call.differentiate[0], to_torch(call.vector)

    def gradient(x: torch.Tensor) -> torch.Tensor:
        return _pulled(call, {**plain, first: x}, compute, [first])[1][first]

    along, forward = _pushed(lambda x: compute({**plain, first: x}), plain[first], vector)
    product, second = _pushed(gradient, plain[first], vector)
    return replace(told, directional=along, directional_error=forward, hessian_vector=product, hessian_error=second)


def _pulled(call: Call, plain: Tensors, compute: Compute, wanted: list[str]) -> tuple[torch.Tensor, Tensors]:
    def of(*moving: torch.Tensor) -> torch.Tensor:
        return compute({**plain, **dict(zip(wanted, moving, strict=True))})

    value, pull = torch.func.vjp(of, *(plain[name] for name in wanted))
    upstream = torch.ones_like(value) if call.cotangent is None else to_torch(call.cotangent).to(value.dtype)
    return value, dict(zip(wanted, pull(upstream), strict=True))


def _pushed(function: Callable[[torch.Tensor], torch.Tensor], x: torch.Tensor, vector: torch.Tensor) -> Derived:
    try:
        return from_torch(torch.func.jvp(function, (x,), (vector,))[1]), None
    except Exception as error:
        return None, error


def by_rows(call: Call, compute: Compute) -> Compute:
    """The same loss of each row of the batch by itself, mapped over the first axis."""
    names = mapped(call)

    def of(tensors: Tensors) -> torch.Tensor:
        fixed = {name: tensor for name, tensor in tensors.items() if name not in names}

        def row(*given: torch.Tensor) -> torch.Tensor:
            return compute({**fixed, **dict(zip(names, given, strict=True))})

        return torch.func.vmap(row)(*(tensors[name] for name in names))

    return of
