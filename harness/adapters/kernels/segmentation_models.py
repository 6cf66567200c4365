"""segmentation-models-pytorch: focal and smoothed losses; imported without the package around them, which wants
torchvision."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from harness.adapters.functions import Functions, LossFunction
from harness.adapters.kernels.bare import open_bare
from harness.adapters.torch_like import library

open_bare("segmentation_models_pytorch")

from segmentation_models_pytorch.losses import FocalLoss, SoftBCEWithLogitsLoss, SoftCrossEntropyLoss  # noqa: E402


def _focal(
    logits: Any, targets: Any, *, alpha: float | None = None, gamma: float = 2.0, reduction: str = "mean"
) -> Any:
    return FocalLoss("binary", alpha=alpha, gamma=gamma, reduction=reduction)(logits, targets)


def _binary(logits: Any, targets: Any, *, reduction: str = "mean", pos_weight: Any = None) -> Any:
    # Without ignore_index=None it would ignore targets of -100, which no probability is.
    return SoftBCEWithLogitsLoss(reduction=reduction, ignore_index=None, pos_weight=pos_weight)(logits, targets)


def _classes(logits: Any, targets: Any, *, smoothing: float = 0.0, ignored: int = -100, reduction: str = "mean") -> Any:
    """Unreduced it keeps the axis of the classes."""
    loss = SoftCrossEntropyLoss(reduction, smooth_factor=smoothing, ignore_index=ignored, dim=1)(logits, targets)
    return loss[:, 0] if reduction == "none" and loss.ndim == logits.ndim else loss


segmentation_models = Functions(
    library(),
    LossFunction(
        _focal,
        "binary_focal",
        {"alpha": "alpha", "gamma": "gamma", "reduction": "reduction"},
        elements=True,
        name="segmentation_models_pytorch.losses.FocalLoss",
    ),
    LossFunction(
        _binary,
        "binary_cross_entropy_with_logits",
        {"reduction": "reduction", "pos_weight": "pos_weight"},
        divides="count",
        name="segmentation_models_pytorch.losses.SoftBCEWithLogitsLoss",
    ),
    LossFunction(
        _classes,
        "softmax_cross_entropy",
        {"label_smoothing": "smoothing", "ignore_index": "ignored", "reduction": "reduction"},
        targets="labels",
        classes=1,
        name="segmentation_models_pytorch.losses.SoftCrossEntropyLoss",
    ),
    version=version("segmentation_models_pytorch"),
)
