"""torchvision: `sigmoid_focal_loss`; imported without the package around it, whose operators want its own PyTorch."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from harness.adapters.functions import Functions, LossFunction
from harness.adapters.kernels.bare import open_bare
from harness.adapters.torch_like import library

open_bare("torchvision", "torchvision.ops")

from torchvision.ops.focal_loss import sigmoid_focal_loss  # noqa: E402


def _focal(logits: Any, targets: Any, *, alpha: float = -1, gamma: float = 2, reduction: str = "none") -> Any:
    """Its own default weighs with 0.25; −1 is no weight."""
    return sigmoid_focal_loss(logits, targets, alpha, gamma, reduction)


torchvision = Functions(
    library(),
    LossFunction(
        _focal,
        "binary_focal",
        {"alpha": "alpha", "gamma": "gamma", "reduction": "reduction"},
        name="torchvision.ops.sigmoid_focal_loss",
    ),
    version=version("torchvision"),
)
