"""What a plain function of PyTorch tensors is called with and differentiated by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch

from harness.adapters.base import Answer, Description
from harness.adapters.functions import Library, Request
from harness.adapters.torch_calls import answer, facts, flags, from_torch, tensors_of, threads, to_torch


def library() -> Library:
    """Eager, and compiled where a function says so."""
    description = Description(
        "", (), versions={"torch": torch.__version__}, threads=threads(), flags=flags(), facts=facts()
    )
    return Library(
        description,
        to_torch,
        torch.movedim,
        torch.reshape,
        _one_hot,
        torch.Tensor.sum,
        torch.Tensor.mean,
        _run,
        _compiled,
    )


def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Anew for each call: after eight signatures of a function torch.compile goes back to eager."""
    torch.compiler.reset()
    compiled: Callable[..., Any] = torch.compile(function)
    return compiled


def _one_hot(labels: Any, classes: int, scores: Any) -> Any:
    return torch.nn.functional.one_hot(labels.long(), classes).to(scores.dtype)


def _run(request: Request) -> Answer:
    tensors = tensors_of(request.call)
    found = request.compute(tensors)
    value, *beside = found if request.outputs else (found,)
    told = answer(request.call, tensors, value, request.function, request.convention, request.computed_with)
    named = dict(zip(request.outputs, beside, strict=True))
    return replace(told, outputs={name: from_torch(named[name]) for name in request.call.outputs})
