"""flash-attention: `cross_entropy_loss`, its Triton kernel on one rank.

Its package loads a CUDA library, so that its one file is imported without the packages around it.
"""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import version
from typing import Any

from harness.adapters.functions import LossFunction
from harness.adapters.kernels import interpreter
from harness.adapters.kernels.bare import open_bare

interpreter.prepare()
open_bare("flash_attn", "flash_attn.ops", "flash_attn.ops.triton")

import triton  # noqa: E402
from flash_attn.ops.triton.cross_entropy import cross_entropy_loss  # noqa: E402

from harness.adapters.kernels.triton import InTriton  # noqa: E402


def _losses(logits: Any, targets: Any, **options: Any) -> Any:
    """The loss of every row, the z-loss in it."""
    return cross_entropy_loss(logits, targets, **options)[0]


_ROWS = LossFunction(
    _losses,
    "softmax_cross_entropy",
    {
        "label_smoothing": "label_smoothing",
        "ignore_index": "ignore_index",
        "logit_scale": "logit_scale",
        "z_loss": "lse_square_scale",
    },
    targets="labels",
    rows=True,
    dtypes=("float32", "float16"),
    # Its losses are made with dtype=torch.float whatever the logits are.
    convention={"result_dtype": "float32"},
    name="flash_attn.ops.triton.cross_entropy.cross_entropy_loss",
)

flash_attention = InTriton(
    version("flash_attn"),
    _ROWS,
    # It returns both: the loss of every row, and the z-loss in it by itself.
    replace(_ROWS, function=cross_entropy_loss, outputs=("z_loss",)),
    versions={"triton": triton.__version__},
)
