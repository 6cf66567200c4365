"""kornia: its focal losses, over classes and over single logits."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from kornia.losses import binary_focal_loss_with_logits, focal_loss

from harness.adapters.functions import Functions, LossFunction
from harness.adapters.torch_like import library


def _binary(logits: Any, targets: Any, *, alpha: float | None = None, gamma: float = 2.0) -> Any:
    """It takes (B, C, …)."""
    return binary_focal_loss_with_logits(logits[:, None], targets[:, None], alpha, gamma)[:, 0]


def _categorical(logits: Any, targets: Any, *, gamma: float = 2.0) -> Any:
    """It returns a map over the classes, zero but for the target's; its alpha is one of a background class."""
    return focal_loss(logits, targets, None, gamma).sum(1)


kornia = Functions(
    library(),
    LossFunction(
        _binary,
        "binary_focal",
        {"alpha": "alpha", "gamma": "gamma"},
        elements=True,
        name="kornia.losses.binary_focal_loss_with_logits",
    ),
    LossFunction(
        _categorical,
        "categorical_focal",
        {"gamma": "gamma"},
        rows=True,
        targets="labels",
        name="kornia.losses.focal_loss",
    ),
    version=version("kornia"),
)
