"""Hugging Face Transformers: `ForCausalLMLoss`, the loss of its causal language models."""

from __future__ import annotations

from typing import Any

import transformers as library_of_models
from transformers.loss.loss_utils import ForCausalLMLoss

from harness.adapters.functions import Functions, LossFunction
from harness.adapters.micro_batches import MicroBatches
from harness.adapters.torch_like import library


def _mean(logits: Any, targets: Any, *, ignore_index: int = -100, num_items_in_batch: Any = None) -> Any:
    """Labels that are shifted already, as its models hand them over in sequence parallelism."""
    return ForCausalLMLoss(
        logits, None, logits.shape[-1], num_items_in_batch, ignore_index=ignore_index, shift_labels=targets
    )


def _connected(options: dict[str, str], **how: Any) -> LossFunction:
    return LossFunction(
        _mean,
        "softmax_cross_entropy",
        {"ignore_index": "ignore_index", **options},
        targets="labels",
        rows=True,
        says={"reduction": "mean"},
        # "Upcast to float if we need to compute the loss": float64 would be narrowed.
        dtypes=("float32", "float16", "bfloat16"),
        convention={"result_dtype": "float32"},
        name="transformers.loss.loss_utils.ForCausalLMLoss",
        **how,
    )


transformers = MicroBatches(
    Functions(
        library(),
        _connected({}, divides="valid"),
        _connected({"denominator": "num_items_in_batch"}),
        version=library_of_models.__version__,
    )
)
