"""An implementation of ours as a function of PyTorch tensors that autograd differentiates.

Imports NumPy, PyTorch and the adapter contract only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.autograd.function import once_differentiable

from harness.adapters.base import Array
from harness.adapters.standing_in import Problem
from harness.adapters.torch_calls import from_torch, to_torch


def read(values: Any) -> Any:
    """A tensor as an array of ours, whose numbers are those of the tensor; anything else as it is."""
    return _in_its_memory(values.detach().cpu()) if isinstance(values, torch.Tensor) else values


def _in_its_memory(tensor: torch.Tensor) -> Array:
    """A view of all that the tensor is a view of: what lies beside its numbers is there for whoever reads too much."""
    size = tensor.untyped_storage().nbytes() // tensor.element_size()
    memory = from_torch(torch.as_strided(tensor, (size,), (1,), 0))
    storage, item = memory.storage, memory.storage.itemsize
    strides = [step * item for step in tensor.stride()]
    offset = tensor.storage_offset() * item
    if not tensor.numel():
        return Array(memory.dtype, np.empty(tuple(tensor.shape), storage.dtype))
    return Array(memory.dtype, np.ndarray(tuple(tensor.shape), storage.dtype, storage, offset, strides))


def solved(problem: Problem) -> Any:
    """The value as a tensor with a gradient function, on the device of the tensors it was computed from."""
    tensors = {n: t for n, t in problem.given.items() if isinstance(t, torch.Tensor)}
    sources = {n: t for n, t in tensors.items() if n in problem.inputs and t.is_floating_point()}
    return _Loss.apply(_Asked(problem, tuple(sources)), *sources.values())


@dataclass(frozen=True)
class _Asked:
    problem: Problem
    names: tuple[str, ...]


class _Loss(torch.autograd.Function):
    """Both directions ask the implementation anew: what it computes for one is nothing the other relies on."""

    @staticmethod
    def forward(ctx: Any, asked: _Asked, *sources: torch.Tensor) -> torch.Tensor:
        ctx.asked = asked
        ctx.save_for_backward(*sources)
        return _written(asked.problem.value(), sources[0])

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, upstream: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        sources = ctx.saved_tensors
        needed = [n for n, needs in zip(ctx.asked.names, ctx.needs_input_grad[1:], strict=True) if needs]
        found: Mapping[str, Array] = ctx.asked.problem.gradients(read(upstream), needed)
        slopes = (_written(found[n], s) if n in found else None for n, s in zip(ctx.asked.names, sources, strict=True))
        return None, *slopes


def _written(array: Array, like: torch.Tensor) -> torch.Tensor:
    # A number that was summed up may be one of NumPy's scalars.
    return to_torch(Array(array.dtype, np.asarray(array.storage))).to(like.device)
