"""timm: its cross-entropies, imported without the package around them, which wants torchvision."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from harness.adapters.functions import Functions, LossFunction
from harness.adapters.kernels.bare import open_bare
from harness.adapters.torch_like import library

open_bare("timm")

from timm.loss import BinaryCrossEntropy, LabelSmoothingCrossEntropy, SoftTargetCrossEntropy  # noqa: E402


def _labels(logits: Any, targets: Any, *, label_smoothing: float = 0.0) -> Any:
    return LabelSmoothingCrossEntropy(label_smoothing)(logits, targets)


def _distributions(logits: Any, targets: Any) -> Any:
    return SoftTargetCrossEntropy()(logits, targets)


def _binary(logits: Any, targets: Any, *, reduction: str = "mean") -> Any:
    return BinaryCrossEntropy(smoothing=0.0, reduction=reduction)(logits, targets)


timm = Functions(
    library(),
    LossFunction(
        _labels,
        "softmax_cross_entropy",
        {"label_smoothing": "label_smoothing"},
        rows=True,
        targets="labels",
        says={"reduction": "mean"},
        divides="count",
        name="timm.loss.LabelSmoothingCrossEntropy",
    ),
    LossFunction(
        _distributions,
        "softmax_cross_entropy",
        rows=True,
        targets="distributions",
        says={"reduction": "mean"},
        divides="count",
        name="timm.loss.SoftTargetCrossEntropy",
    ),
    LossFunction(
        _binary,
        "binary_cross_entropy_with_logits",
        {"reduction": "reduction"},
        divides="count",
        name="timm.loss.BinaryCrossEntropy",
    ),
    version=version("timm"),
)
