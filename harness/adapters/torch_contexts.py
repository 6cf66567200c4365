"""Settings of PyTorch under which a loss is called: autocast, and deterministic algorithms only.

Imports NumPy, PyTorch and the adapter contract only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Any

import torch

from harness.adapters.base import Call, Unsupported
from harness.adapters.torch_losses import Request

AUTOCAST, DETERMINISTIC = "autocast", "deterministic"
MODES = (AUTOCAST, DETERMINISTIC)

PROMOTED = frozenset(
    {
        "binary_cross_entropy",
        "binary_cross_entropy_with_logits",
        "cross_entropy",
        "kl_div",
        "linear_cross_entropy",
        "nll_loss",
        "soft_margin_loss",
    }
)
"""Documented to be computed and answered in float32 (docs/source/amp.md, CPU operators that can autocast to float32);
linear_cross_entropy is a cross_entropy after its product."""

MULTIPLYING = frozenset({"linear_cross_entropy"})
"""Documented to multiply matrices in the type of autocast, what comes in float32 too."""


def request(call: Call, asked: Request) -> Request:
    """What is asked, with what is documented of the mode of the call."""
    if call.mode != AUTOCAST:
        return asked
    if call.dtype == "float64":
        raise Unsupported("autocast leaves float64 as it is")
    half = call.dtype != "float32"
    convention = dict(asked.convention or {})
    if half and asked.function in PROMOTED:
        convention |= {"result_dtype": "float32", "computed_in": "float32"}
    if not half and asked.function in MULTIPLYING:
        convention["computed_in"] = "bfloat16"
    return replace(asked, convention=convention or None)


def within(mode: str, asked: Request, function: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    """The function, called where the settings of the mode hold."""
    if mode not in MODES:
        return function

    def called(*arguments: Any, **keywords: Any) -> torch.Tensor:
        with _autocast(asked) if mode == AUTOCAST else _deterministic():
            return function(*arguments, **keywords)

    return called


def _autocast(asked: Request) -> AbstractContextManager[Any]:
    """To the type of what comes in halves; to bfloat16, which is the default on the CPU, for what comes in float32."""
    given = next(tensor.dtype for tensor in asked.arguments if isinstance(tensor, torch.Tensor))
    return torch.autocast("cpu", dtype=given if given in (torch.float16, torch.bfloat16) else torch.bfloat16)


@contextmanager
def _deterministic() -> Iterator[None]:
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)
