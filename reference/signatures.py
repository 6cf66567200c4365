"""The losses by name: their inputs and options. Adapters, cases and outside users write against these names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

REDUCTIONS = ("none", "sum", "mean")


@dataclass(frozen=True)
class Signature:
    """Names of one loss.

    Attributes
    ----------
    inputs : mapping of str to str
        By name, what it holds: "floating", "labels" (class labels), or "targets" (labels or distributions).
    options : tuple of str
        Options besides `reduction` and `denominator`.
    differentiate : tuple of str
        The inputs that are not targets: differentiated with respect to where a case does not say.
    optional : tuple of str
        Inputs that may be absent.
    reductions : tuple of str
        Empty for a function that is not reduced.

    Examples
    --------
    >>> from reference import LOSSES
    >>> LOSSES["nll_loss"].options
    ('axis', 'class_weights', 'ignore_index')
    """

    inputs: Mapping[str, str]
    options: tuple[str, ...]
    differentiate: tuple[str, ...]
    optional: tuple[str, ...] = ()
    reductions: tuple[str, ...] = REDUCTIONS


_WEIGHTED = ("axis", "class_weights", "sample_weights", "label_smoothing", "ignore_index")

LOSSES: Mapping[str, Signature] = MappingProxyType(
    {
        "entropy": Signature({"probabilities": "floating"}, ("axis", "base"), ("probabilities",)),
        "softmax": Signature({"logits": "floating"}, ("axis",), ("logits",), reductions=()),
        "log_softmax": Signature({"logits": "floating"}, ("axis",), ("logits",), reductions=()),
        "cross_entropy": Signature(
            {"targets": "floating", "probabilities": "floating"}, ("axis", "base"), ("probabilities",)
        ),
        "kl_divergence": Signature(
            {"targets": "floating", "log_probabilities": "floating"},
            ("axis", "log_target"),
            ("log_probabilities",),
            reductions=(*REDUCTIONS, "batchmean"),
        ),
        "nll_loss": Signature(
            {"log_probabilities": "floating", "targets": "labels"},
            ("axis", "class_weights", "ignore_index"),
            ("log_probabilities",),
        ),
        "categorical_cross_entropy": Signature(
            {"probabilities": "floating", "targets": "targets"}, (*_WEIGHTED, "base"), ("probabilities",)
        ),
        "softmax_cross_entropy": Signature({"logits": "floating", "targets": "targets"}, _WEIGHTED, ("logits",)),
        "binary_cross_entropy": Signature(
            {"probabilities": "floating", "targets": "floating"},
            ("sample_weights", "label_smoothing", "base"),
            ("probabilities",),
        ),
        "binary_cross_entropy_with_logits": Signature(
            {"logits": "floating", "targets": "floating"},
            ("sample_weights", "label_smoothing", "pos_weight"),
            ("logits",),
        ),
        "binary_focal": Signature({"logits": "floating", "targets": "floating"}, ("alpha", "gamma"), ("logits",)),
        "categorical_focal": Signature({"logits": "floating", "targets": "targets"}, ("alpha", "gamma"), ("logits",)),
        "linear_cross_entropy": Signature(
            {"hidden": "floating", "weight": "floating", "bias": "floating", "targets": "targets"},
            _WEIGHTED,
            ("hidden", "weight", "bias"),
            optional=("bias",),
        ),
    }
)
