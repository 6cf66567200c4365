"""PyTorch's `cross_entropy` of logits that lie on two ranks: the classes split under `loss_parallel`, or the rows; and
`log_softmax` under the former."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import torch
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import DTensor, Replicate, Shard
from torch.distributed.tensor.parallel import loss_parallel

from harness.adapters.base import Answer, Call, Description, Unsupported
from harness.adapters.functions import LossFunction
from harness.adapters.kernels.ranks import Ranks, Slice
from harness.adapters.torch_calls import facts, flags

RANKS = 2
AXES = {"ranks": -1, "ranks-of-rows": 0}
"""By mode, the axis that is split."""
_FUNCTION = LossFunction(
    torch.nn.functional.cross_entropy,
    "softmax_cross_entropy",
    {"class_weights": "weight", "ignore_index": "ignore_index", "reduction": "reduction"},
    targets="labels",
    divides="default",
    name="torch.distributed.tensor.parallel.loss_parallel",
)
_LOG_SOFTMAX = LossFunction(
    torch.nn.functional.log_softmax, "log_softmax", name="torch.nn.functional.log_softmax under loss_parallel"
)


def of_a_rank(mine: Slice) -> tuple[Any, Any]:
    """What one rank does with its slice."""
    mesh = init_device_mesh("cpu", (RANKS,))
    x = torch.from_numpy(mine.logits).requires_grad_()
    rows, classes = mine.shape

    def of_all(values: Any, placement: Any, *shape: int) -> Any:
        stride = (classes, 1) if len(shape) == 2 else (1,)
        return DTensor.from_local(values, mesh, [placement], shape=torch.Size(shape), stride=stride)

    by_rows = mine.axis == 0
    whole = of_all(x, Shard(0) if by_rows else Shard(1), rows, classes)
    targets = None if mine.targets is None else torch.from_numpy(mine.targets)
    targets = of_all(targets, Shard(0), rows) if by_rows else targets
    arrays = {name: torch.from_numpy(o) if hasattr(o, "shape") else o for name, o in mine.options.items()}
    if by_rows and "weight" in arrays:
        arrays["weight"] = of_all(arrays["weight"], Replicate(), classes)
    with nullcontext() if by_rows else loss_parallel():
        if targets is None:
            value = torch.nn.functional.log_softmax(whole, -1)
        else:
            value = torch.nn.functional.cross_entropy(whole, targets, **arrays)
        upstream = torch.ones_like(value)
        if mine.cotangent is not None:
            weights = torch.from_numpy(mine.cotangent).to(value.dtype)
            upstream = DTensor.from_local(weights, mesh, [Replicate()])
        if targets is None:
            upstream = upstream.redistribute(mesh, [Shard(1)])
        try:
            value.backward(upstream)
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
            (_FUNCTION.loss, _LOG_SOFTMAX.loss),
            modes=tuple(AXES),
            mode_losses={"ranks-of-rows": (_FUNCTION.loss,)},
            mode_tags={"ranks-of-rows": "slices"},
            dtypes=("float64", "float32", "float16"),
            flags=flags(),
            facts=facts(),
        )

    def evaluate(self, call: Call) -> Answer:
        function = _LOG_SOFTMAX if call.loss == _LOG_SOFTMAX.loss else _FUNCTION
        asked = function.spelled(call)
        if len(call.inputs["logits"].shape) != 2 or asked.moved is not None:
            raise Unsupported("rows of classes, the classes last")
        options = {n: getattr(v, "storage", v) for n, v in asked.keywords.items()}
        by_rows = AXES[call.mode] == 0
        name = "torch.nn.functional.cross_entropy of a DTensor" if by_rows else function.public_name
        answer = self._ranks.evaluate(call, options, name, axis=AXES[call.mode])
        return answer if asked.convention is None else replace(answer, convention=asked.convention)
