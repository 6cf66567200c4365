"""Liger Kernel: cross-entropy and Jensen–Shannon divergence, alone and fused with the last linear layer, and KL."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from harness.adapters.functions import LossFunction
from harness.adapters.kernels import interpreter

interpreter.prepare()

from importlib.metadata import version  # noqa: E402

import triton  # noqa: E402
from liger_kernel.transformers import functional  # noqa: E402

from harness.adapters.kernels.triton import InTriton  # noqa: E402
from harness.adapters.micro_batches import MicroBatches  # noqa: E402

_DTYPES = ("float32", "float16")
"""Its kernels compute in float32 whatever they are given, so that float64 is no use of theirs."""

_OPTIONS = {
    "ignore_index": "ignore_index",
    "label_smoothing": "label_smoothing",
    "reduction": "reduction",
    "softcap": "softcap",
    "z_loss": "lse_square_scale",
}


def _linear(hidden: Any, weight: Any, targets: Any, *, bias: Any = None, **options: Any) -> Any:
    """Ours is hidden · weight, (…, d) times (d, C); a layer keeps its weight as (C, d)."""
    return functional.liger_fused_linear_cross_entropy(hidden, weight.T.contiguous(), targets, bias, **options)


def _jensen_shannon(target_logits: Any, logits: Any, *, beta: float = 0.5) -> Any:
    """It takes the logarithms of both, as log_softmax has them, the prediction first."""
    return functional.liger_jsd(logits.log_softmax(-1), target_logits.log_softmax(-1), beta=beta)


def _linear_jensen_shannon(
    hidden: Any,
    weight: Any,
    target_hidden: Any,
    target_weight: Any,
    targets: Any = None,
    *,
    logit_scale: float = 1.0,
    **options: Any,
) -> Any:
    """Layers keep their weights as (C, d); it takes the temperature, which logits are divided by."""
    student, teacher = weight.T.contiguous(), target_weight.T.contiguous()
    return functional.liger_fused_linear_jsd(
        hidden, student, target_hidden, teacher, targets, temperature=1 / logit_scale, **options
    )


def _and_z_loss(function: Any) -> Any:
    """The same, asked for its z-loss too."""

    def returning(*arrays: Any, **options: Any) -> Any:
        found = function(*arrays, return_z_loss=True, **options)
        return found.loss, found.z_loss

    return returning


_ROWS = LossFunction(
    functional.liger_cross_entropy,
    "softmax_cross_entropy",
    {**_OPTIONS, "class_weights": "weight"},
    targets="labels",
    rows=True,
    divides="default",
    overwrites=("logits",),
    dtypes=_DTYPES,
    name="liger_kernel.transformers.functional.liger_cross_entropy",
)
_LINEAR = LossFunction(
    _linear,
    "linear_cross_entropy",
    {**_OPTIONS, "class_weights": "ce_weight"},
    targets="labels",
    rows=True,
    divides="default",
    overwrites=("hidden",),
    dtypes=_DTYPES,
    # The losses of its chunks are made in float32, so that their sum is one.
    convention={"result_dtype": "float32"},
    name="liger_kernel.transformers.functional.liger_fused_linear_cross_entropy",
)

liger = MicroBatches(
    InTriton(
        version("liger-kernel"),
        _ROWS,
        _LINEAR,
        *(replace(plain, function=_and_z_loss(plain.function), outputs=("z_loss",)) for plain in (_ROWS, _LINEAR)),
        LossFunction(
            _jensen_shannon,
            "jensen_shannon",
            {"beta": "beta"},
            inputs=("target_logits", "logits"),
            says={"reduction": "mean"},
            rows=True,
            divides="count",
            dtypes=("float32",),
            name="liger_kernel.transformers.functional.liger_jsd",
        ),
        LossFunction(
            _linear_jensen_shannon,
            "linear_jensen_shannon",
            {"beta": "jsd_beta", "ignore_index": "ignore_index", "logit_scale": "logit_scale"},
            says={"reduction": "mean"},
            rows=True,
            divides="default",
            dtypes=_DTYPES,
            convention={"result_dtype": "float32"},
            name="liger_kernel.transformers.functional.liger_fused_linear_jsd",
        ),
        LossFunction(functional.liger_kl_div, like="torch.nn.functional.kl_div", rows=True, dtypes=("float32",)),
        versions={"triton": triton.__version__},
    )
)
