"""Apple's cut-cross-entropy: the last linear layer and the loss, logits never made."""

from __future__ import annotations

from typing import Any

from harness.adapters.functions import LossFunction
from harness.adapters.kernels import interpreter

interpreter.prepare()

import triton  # noqa: E402
from cut_cross_entropy import __version__, linear_cross_entropy  # noqa: E402

from harness.adapters.kernels.triton import InTriton  # noqa: E402


def _linear(hidden: Any, weight: Any, targets: Any, **options: Any) -> Any:
    """Ours is hidden · weight, (…, d) times (d, C); a layer keeps its weight as (C, d)."""
    return linear_cross_entropy(hidden, weight.T.contiguous(), targets, **options)


cut_cross_entropy = InTriton(
    __version__,
    LossFunction(
        _linear,
        "linear_cross_entropy",
        {"ignore_index": "ignore_index", "softcap": "softcap", "reduction": "reduction"},
        inputs=("hidden", "weight", "targets"),
        targets="labels",
        rows=True,
        divides="default",
        dtypes=("float32", "float16"),
        # Its backward pass asserts 16 bits: "Backwards requires embeddings to be bf16 or fp16".
        gradients=("float16",),
        name="cut_cross_entropy.linear_cross_entropy",
    ),
    versions={"triton": triton.__version__},
)
