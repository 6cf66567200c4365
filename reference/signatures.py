"""The losses by name: their inputs and options. Adapters, cases and outside users write against these names."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

REDUCTIONS = ("none", "sum", "mean")
DENOMINATORS = ("count", "weights", "valid")
"""What a mean may be asked to divide by, besides a number; the others are conventions of single implementations."""


@dataclass(frozen=True)
class Option:
    """What an option holds, and which numbers it may be.

    Attributes
    ----------
    holds : str
        number, integer, flag, name, "name or number", numbers (an array), "number or numbers", or mask (an array of
        truth values).
    meaning : str
        What it is, for a reader.
    low, high : float
        The ends of its domain; an infinity bounds nothing, and is itself outside.
    open_at : tuple of float
        Numbers between the ends, or ends, that are outside.

    Examples
    --------
    >>> OPTIONS["label_smoothing"].problem(1.5)
    'expected a number within [0, 1]'
    """

    holds: str
    meaning: str
    low: float = -math.inf
    high: float = math.inf
    open_at: tuple[float, ...] = ()

    def problem(self, value: Any) -> str | None:
        """What is expected instead of a number that is outside; None where it is inside, or no number."""
        if self.holds not in ("number", "name or number") or isinstance(value, str):
            return None
        number = float(value)
        inside = self.low <= number <= self.high and math.isfinite(number) and number not in self.open_at
        return None if inside else f"expected {self.domain}"

    @property
    def domain(self) -> str:
        """The numbers that are inside, in words."""
        if math.isfinite(self.low) and math.isfinite(self.high):
            left, right = "(" if self.low in self.open_at else "[", ")" if self.high in self.open_at else "]"
            return f"a number within {left}{self.low:g}, {self.high:g}{right}"
        if not math.isfinite(self.low):
            return "a finite number"
        if self.low not in self.open_at:
            return f"a finite number of at least {self.low:g}"
        others = "".join(f" other than {n:g}" for n in self.open_at if n != self.low)
        return f"a finite number greater than {self.low:g}{others}"


OPTIONS: Mapping[str, Option] = MappingProxyType(
    {
        "reduction": Option("name", "none, sum or mean (default); batchmean for kl_divergence"),
        "denominator": Option(
            "name or number", "what mean divides by: count, weights, valid or a number", low=0.0, open_at=(0.0,)
        ),
        "axis": Option("integer", "axis of the classes, an integer; default -1"),
        "base": Option("number", "base of the logarithm, a number; default e", low=0.0, open_at=(0.0, 1.0)),
        "class_weights": Option("numbers", "one weight per class"),
        "sample_weights": Option("numbers", "one weight per sample"),
        "pos_weight": Option("number or numbers", "weight of the positive term"),
        "label_smoothing": Option("number", "a number from 0 to 1", low=0.0, high=1.0),
        "ignore_index": Option("integer", "the label that is ignored, an integer"),
        "log_target": Option("flag", "true where targets are logarithms"),
        "alpha": Option("number or numbers", "balance of the focal loss: a number, or one per class"),
        "gamma": Option("number", "exponent of the focal loss, a number", low=0.0),
        "logit_scale": Option("number", "what logits are multiplied with first: 1 over the temperature"),
        "softcap": Option("number", "c of c · tanh(z / c), which caps the scaled logits", low=0.0, open_at=(0.0,)),
        "class_mask": Option("mask", "which classes count: 1 or 0 for each class, or for each logit"),
        "beta": Option("number", "share of the targets in the mixture, a number between 0 and 1", 0.0, 1.0, (0.0, 1.0)),
        "z_loss": Option("number", "what the squared logsumexp of each row is added with", low=0.0),
    }
)
"""By name, in the order in which they are written."""


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
    forms : tuple of tuple of str
        Where a loss is of one set of inputs or of another: these sets; empty where it is of all its inputs.
    only_with : mapping of str to str
        Options that belong to a form: by name, an input of it.

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
    forms: tuple[tuple[str, ...], ...] = ()
    only_with: Mapping[str, str] = field(default_factory=dict)

    def form(self, given: Iterable[str]) -> tuple[str, ...]:
        """The inputs of the form that has most of what is given; all inputs where there is one form only."""
        names = set(given)
        return max(self.forms or (tuple(self.inputs),), key=lambda form: len(names & set(form)))

    def problem(self, given: Iterable[str], options: Iterable[str]) -> str | None:
        """What is wrong with the names of inputs and options together, beyond names that there are not."""
        names, form = set(given), self.form(given)
        for name in form:
            if name not in names and name not in self.optional:
                return f"input {name} is absent: it takes {', '.join(form)}"
        for name in self.inputs:
            if name in names and name not in form:
                return f"input {name} does not go with {', '.join(form)}"
        for name in options:
            needed = self.only_with.get(name, form[0])
            if needed not in form:
                return f"option {name} is for {needed}, not for {', '.join(form)}"
            if needed in self.optional and needed not in names:
                return f"option {name} is for {needed}, which are absent"
        return None


_WEIGHTED = ("axis", "class_weights", "sample_weights", "label_smoothing", "ignore_index")
OF_LOGITS = ("logit_scale", "softcap", "class_mask")
"""What is done to logits before anything else, in this order."""

LOSSES: Mapping[str, Signature] = MappingProxyType(
    {
        "entropy": Signature(
            {"probabilities": "floating", "logits": "floating"},
            ("axis", "base", "logit_scale"),
            ("probabilities", "logits"),
            forms=(("probabilities",), ("logits",)),
            only_with={"logit_scale": "logits"},
        ),
        "logsumexp": Signature({"logits": "floating"}, ("axis", *OF_LOGITS), ("logits",), reductions=()),
        "softmax": Signature({"logits": "floating"}, ("axis", *OF_LOGITS), ("logits",), reductions=()),
        "log_softmax": Signature({"logits": "floating"}, ("axis", *OF_LOGITS), ("logits",), reductions=()),
        "cross_entropy": Signature(
            {"targets": "floating", "probabilities": "floating"}, ("axis", "base"), ("probabilities",)
        ),
        "kl_divergence": Signature(
            {
                "targets": "floating",
                "log_probabilities": "floating",
                "target_logits": "floating",
                "logits": "floating",
            },
            ("axis", "log_target", "logit_scale"),
            ("log_probabilities", "logits"),
            reductions=(*REDUCTIONS, "batchmean"),
            forms=(("targets", "log_probabilities"), ("target_logits", "logits")),
            only_with={"log_target": "log_probabilities", "logit_scale": "logits"},
        ),
        "jensen_shannon": Signature(
            {"targets": "floating", "probabilities": "floating", "target_logits": "floating", "logits": "floating"},
            ("axis", "base", "beta", "logit_scale"),
            ("probabilities", "logits"),
            forms=(("targets", "probabilities"), ("target_logits", "logits")),
            only_with={"logit_scale": "logits"},
        ),
        "bernoulli_kl": Signature(
            {"targets": "floating", "probabilities": "floating"}, ("sample_weights",), ("probabilities",)
        ),
        "nll_loss": Signature(
            {"log_probabilities": "floating", "targets": "labels"},
            ("axis", "class_weights", "ignore_index"),
            ("log_probabilities",),
        ),
        "categorical_cross_entropy": Signature(
            {"probabilities": "floating", "targets": "targets"}, (*_WEIGHTED, "base"), ("probabilities",)
        ),
        "softmax_cross_entropy": Signature(
            {"logits": "floating", "targets": "targets"}, (*_WEIGHTED, *OF_LOGITS, "z_loss"), ("logits",)
        ),
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
        "soft_margin": Signature({"logits": "floating", "targets": "floating"}, ("sample_weights",), ("logits",)),
        "binary_focal": Signature(
            {"logits": "floating", "targets": "floating"}, ("alpha", "gamma", "label_smoothing"), ("logits",)
        ),
        "categorical_focal": Signature(
            {"logits": "floating", "targets": "targets"}, ("alpha", "gamma", "label_smoothing"), ("logits",)
        ),
        "linear_cross_entropy": Signature(
            {"hidden": "floating", "weight": "floating", "bias": "floating", "targets": "targets"},
            (*_WEIGHTED, *OF_LOGITS, "z_loss"),
            ("hidden", "weight", "bias"),
            optional=("bias",),
        ),
        "linear_jensen_shannon": Signature(
            {
                "hidden": "floating",
                "weight": "floating",
                "target_hidden": "floating",
                "target_weight": "floating",
                "targets": "labels",
            },
            ("beta", "logit_scale", "ignore_index"),
            ("hidden", "weight"),
            optional=("targets",),
            only_with={"ignore_index": "targets"},
        ),
    }
)
