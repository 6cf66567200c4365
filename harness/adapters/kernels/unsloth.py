"""unsloth: `fast_cross_entropy_loss`, one block of classes or chunks of them."""

from __future__ import annotations

import os
import shutil
import tempfile
from importlib.metadata import version
from typing import Any

from harness.adapters.functions import LossFunction
from harness.adapters.kernels import interpreter

interpreter.prepare()
# It writes what it compiles into the current folder, which is its user's.
compiled = tempfile.mkdtemp(prefix="xent-unsloth-")
os.environ.update(UNSLOTH_COMPILE_LOCATION=compiled)

import triton  # noqa: E402
from unsloth.kernels.cross_entropy_loss import fast_cross_entropy_loss  # noqa: E402

from harness.adapters.kernels.triton import InTriton  # noqa: E402
from harness.adapters.micro_batches import MicroBatches  # noqa: E402

shutil.rmtree(compiled, ignore_errors=True)


def _mean(logits: Any, targets: Any, *, softcap: float = 0, logit_scale: float = 0, n_items: Any = None) -> Any:
    """It takes (batch, sequence, classes), and 0 for options that are not wanted."""
    return fast_cross_entropy_loss(logits[None], targets[None], softcap, logit_scale, n_items)


def _connected(options: dict[str, str], **how: Any) -> LossFunction:
    return LossFunction(
        _mean,
        "softmax_cross_entropy",
        {"softcap": "softcap", "logit_scale": "logit_scale", **options},
        targets="labels",
        rows=True,
        says={"reduction": "mean", "ignore_index": -100},
        overwrites=("logits",),
        dtypes=("float32", "float16"),
        # Its losses are made in float32 whatever the logits are.
        convention={"result_dtype": "float32"},
        name="unsloth.kernels.fast_cross_entropy_loss",
        **how,
    )


unsloth = MicroBatches(
    InTriton(
        version("unsloth"),
        _connected({}, divides="valid"),
        _connected({"denominator": "n_items"}),
        versions={"triton": triton.__version__, "unsloth_zoo": version("unsloth_zoo")},
    )
)
