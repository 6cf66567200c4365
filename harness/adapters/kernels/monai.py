"""MONAI: `FocalLoss`, over single logits and over classes."""

from __future__ import annotations

from typing import Any

import monai as library_of_medicine
from monai.losses import FocalLoss

from harness.adapters.functions import Functions, LossFunction
from harness.adapters.torch_like import library


def _binary(
    logits: Any, targets: Any, *, alpha: float | None = None, gamma: float = 2.0, reduction: str = "mean"
) -> Any:
    """It takes (B, N, …), and N = 1 is a single logit."""
    loss = FocalLoss(gamma=gamma, alpha=alpha, reduction=reduction)(logits[:, None], targets[:, None])
    return loss[:, 0] if reduction == "none" else loss


def _categorical(logits: Any, targets: Any, *, gamma: float = 2.0) -> Any:
    """It returns a map over the classes; its alpha is one of a background class."""
    return FocalLoss(gamma=gamma, use_softmax=True, reduction="none")(logits, targets).sum(1)


_NARROW = ("float32", "float16", "bfloat16")
"""Its losses compute in float32 whatever they are given, and return it."""

monai = Functions(
    library(),
    LossFunction(
        _binary,
        "binary_focal",
        {"alpha": "alpha", "gamma": "gamma", "reduction": "reduction"},
        elements=True,
        dtypes=_NARROW,
        convention={"result_dtype": "float32"},
        name="monai.losses.FocalLoss",
    ),
    LossFunction(
        _categorical,
        "categorical_focal",
        {"gamma": "gamma"},
        rows=True,
        targets="one_hot",
        dtypes=_NARROW,
        convention={"result_dtype": "float32"},
        name="monai.losses.FocalLoss(use_softmax=True)",
    ),
    version=library_of_medicine.__version__,
)
