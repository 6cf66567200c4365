"""Megatron-LM's `vocab_parallel_cross_entropy`: the classes split over two ranks in slices of one length."""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import version
from typing import Any

import torch
from megatron.core import parallel_state
from megatron.core.tensor_parallel.cross_entropy import vocab_parallel_cross_entropy

from harness.adapters.base import Answer, Call, Description, Unsupported
from harness.adapters.functions import LossFunction
from harness.adapters.kernels.ranks import Ranks, Slice
from harness.adapters.torch_calls import facts, flags

RANKS = 2
_FUNCTION = LossFunction(
    vocab_parallel_cross_entropy,
    "softmax_cross_entropy",
    {"label_smoothing": "label_smoothing"},
    targets="labels",
    name="megatron.core.tensor_parallel.vocab_parallel_cross_entropy",
)


def of_a_rank(mine: Slice) -> tuple[Any, Any]:
    """What one rank does with its slice; it is documented to subtract the maximum in place."""
    if not parallel_state.model_parallel_is_initialized():
        parallel_state.initialize_model_parallel(tensor_model_parallel_size=RANKS)
    x = torch.from_numpy(mine.logits).requires_grad_()
    value = vocab_parallel_cross_entropy(x, torch.from_numpy(mine.targets), **mine.options)
    given = mine.cotangent
    upstream = torch.ones_like(value) if given is None else torch.from_numpy(given).to(value.dtype)
    (slope,) = torch.autograd.grad(value, x, upstream)
    return value.detach().numpy(), slope.numpy()


class Megatron:
    def __init__(self) -> None:
        self._ranks = Ranks(RANKS, f"{__name__}:of_a_rank")

    def describe(self) -> Description:
        self._ranks.start()
        return Description(
            version("megatron-core"),
            (_FUNCTION.loss,),
            modes=("ranks",),
            # It computes in float32 whatever it is given.
            dtypes=("float32", "float16"),
            versions={"torch": torch.__version__},
            flags=flags(),
            facts=facts(),
        )

    def evaluate(self, call: Call) -> Answer:
        asked = _FUNCTION.spelled(call)
        if asked.moved is not None or asked.reduction != "none":
            raise Unsupported("the loss of every row, the classes last")
        answer = self._ranks.evaluate(call, dict(asked.keywords), _FUNCTION.public_name, even=True)
        return replace(answer, convention={"result_dtype": "float32"})
