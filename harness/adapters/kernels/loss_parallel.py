"""PyTorch's `loss_parallel`: `cross_entropy` of logits whose classes are split over ranks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import DTensor, Replicate, Shard
from torch.distributed.tensor.parallel import loss_parallel

from harness.adapters.base import Answer, Call, Description, Unsupported
from harness.adapters.functions import LossFunction
from harness.adapters.kernels.ranks import Ranks
from harness.adapters.torch_calls import facts, flags

RANKS = 2
_FUNCTION = LossFunction(
    torch.nn.functional.cross_entropy,
    "softmax_cross_entropy",
    {"class_weights": "weight", "ignore_index": "ignore_index", "reduction": "reduction"},
    targets="labels",
    divides="default",
    name="torch.distributed.tensor.parallel.loss_parallel",
)


def of_a_rank(logits: Any, classes: int, targets: Any, cotangent: Any, options: Mapping[str, Any]) -> tuple[Any, Any]:
    """What one rank does with its slice."""
    mesh = init_device_mesh("cpu", (RANKS,))
    x = torch.from_numpy(logits).requires_grad_()
    shape = (len(logits), classes)
    whole = DTensor.from_local(x, mesh, [Shard(1)], shape=torch.Size(shape), stride=(classes, 1))
    arrays = {name: torch.from_numpy(o) if hasattr(o, "shape") else o for name, o in options.items()}
    with loss_parallel():
        value = torch.nn.functional.cross_entropy(whole, torch.from_numpy(targets), **arrays)
        upstream = None
        if cotangent is not None:
            weights = torch.from_numpy(cotangent).to(value.dtype)
            upstream = DTensor.from_local(weights, mesh, [Replicate()])
        try:
            value.backward(torch.ones_like(value) if upstream is None else upstream)
            slope = x.grad.numpy()
        except Exception as error:  # the outcome of the gradient, not of the value
            slope = error
    return value.full_tensor().detach().numpy(), slope


class LossParallel:
    def __init__(self) -> None:
        self._ranks = Ranks(RANKS, f"{__name__}:of_a_rank")

    def describe(self) -> Description:
        self._ranks.start()
        return Description(
            torch.__version__,
            (_FUNCTION.loss,),
            modes=("ranks",),
            dtypes=("float64", "float32", "float16"),
            flags=flags(),
            facts=facts(),
        )

    def evaluate(self, call: Call) -> Answer:
        asked = _FUNCTION.spelled(call)
        if len(call.inputs["logits"].shape) != 2 or asked.moved is not None:
            raise Unsupported("rows of classes, the classes last")
        options = {n: getattr(v, "storage", v) for n, v in asked.keywords.items()}
        answer = self._ranks.evaluate(call, options, _FUNCTION.public_name, even=False)
        return answer if asked.convention is None else replace(answer, convention=asked.convention)
