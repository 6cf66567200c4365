"""torchtune: `CEWithChunkedOutputLoss`, over chunks of the rows; imported without the package around it."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from harness.adapters.functions import Functions, LossFunction
from harness.adapters.kernels.bare import open_bare
from harness.adapters.torch_like import library

open_bare("torchtune", "torchtune.modules", "torchtune.modules.loss")

from torchtune.modules.loss.ce_chunked_output_loss import CEWithChunkedOutputLoss  # noqa: E402


def _mean(logits: Any, targets: Any, *, ignore_index: int = -100) -> Any:
    """It takes chunks of (batch, sequence, classes), which its user cuts."""
    chunks = 3
    loss = CEWithChunkedOutputLoss(chunks, ignore_index)
    return loss(list(logits[None].chunk(chunks, dim=1)), targets[None])


torchtune = Functions(
    library(),
    LossFunction(
        _mean,
        "softmax_cross_entropy",
        {"ignore_index": "ignore_index"},
        targets="labels",
        rows=True,
        says={"reduction": "mean"},
        divides="valid",
        # "Upcast logits to fp32": float64 would be narrowed.
        dtypes=("float32", "float16", "bfloat16"),
        convention={"result_dtype": "float32"},
        name="torchtune.modules.loss.CEWithChunkedOutputLoss",
    ),
    version=version("torchtune"),
)
