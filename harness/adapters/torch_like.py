"""A plain function of PyTorch tensors with the signature of one of PyTorch's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from harness.adapters.base import Answer, Call, Description
from harness.adapters.framework_signatures import signatures, spelled
from harness.adapters.torch_calls import answer, facts, flags, tensors_of, threads, to_torch


class TorchLike:
    """Eager: what compiles it is its user's."""

    def __init__(self, known: str, function: Callable[..., Any], name: str, version: str) -> None:
        self._known = known
        self._function = function
        self._name = name
        self._version = version

    def describe(self) -> Description:
        return Description(
            version=self._version,
            losses=tuple(signature.loss for signature in signatures(self._known)),
            versions={"torch": torch.__version__},
            threads=threads(),
            flags=flags(),
            facts=facts(),
        )

    def evaluate(self, call: Call) -> Answer:
        asked = spelled(self._known, call)
        tensors = tensors_of(call)
        arguments, keywords = asked.of(tensors, to_torch, torch.movedim)
        value = self._function(*arguments, **keywords)
        if asked.reduction in ("sum", "mean"):
            value = value.sum() if asked.reduction == "sum" else value.mean()
        return answer(call, tensors, value, self._name, asked.convention)
