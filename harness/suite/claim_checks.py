"""The closed list of checks a claim may name: what each computes, and its parameters.

The table is data for the loader, the schema and the report. The computation of each is in
`harness.judgement.claim_computations`, which refuses to start if the two lists differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Check:
    """A statement about a case whose truth can be computed."""

    says: str
    """The statement in a sentence; used where a claim does not say it in its own words."""
    parameters: Mapping[str, str]
    """What each parameter means."""
    optional: tuple[str, ...] = ()


_FORMULAS = (
    "binary: mean over all entries of −[t ln p + (1 − t) ln(1 − p)]; binary_over_samples: the same sum divided by N; "
    "one_hot: mean over samples of −Σ_c t_c ln p_c; picked: mean over samples of −ln p_label; "
    "softmax_then_picked: the same on softmax(logits); entropy: −Σ p log_base p"
)

CHECKS: Mapping[str, Check] = MappingProxyType(
    {
        "argmax_matches_labels": Check("The most probable class of every sample is its label.", {}),
        "loss_decreases_towards_target": Check(
            "The closer the prediction is to the target, the smaller the loss: it falls strictly on the straight way "
            "from the prediction of the case (mixed with the uniform one where that is infinite) to the target.",
            {},
        ),
        "equals_formula": Check(
            "The loss is what the document's formula gives, computed as written.",
            {"formula": _FORMULAS, "digits": "decimals to which the two agree; default: to rounding"},
            optional=("digits",),
        ),
        "equals_loss": Check(
            "Another loss, fed the same numbers, gives the same value.",
            {
                "loss": "name of the other loss",
                "reading": "map from its input to the input of the case that is fed to it",
            },
        ),
        "equals_composition": Check(
            "The loss is softmax, then the logarithm, then nll_loss, each computed exactly.", {}
        ),
        "naive_composition_is_accurate": Check(
            "Softmax without shift, then the logarithm, then the negative log-likelihood, in float64, gives the loss "
            "to nine digits.",
            {},
        ),
        "same_for_one_hot": Check("Class labels and the same labels as one-hot rows give the same loss.", {}),
        "same_under_convention": Check(
            "The value is the same under another convention.", {"convention": "the other convention, e.g. {base: 2}"}
        ),
        "labels_in_range": Check("Every label is a class: at least 0 and less than the number of classes.", {}),
        "elements_less": Check(
            "Some elements of the loss are less than another.",
            {"less": "indices of the lesser elements", "than": "index of the greater one"},
        ),
        "loss_is_infinite": Check("The loss is infinite.", {}),
        "epsilon_shifts_by": Check(
            "An epsilon added inside the logarithm changes the loss by −epsilon times the mean of 1/p, to one part in "
            "a thousand.",
            {"epsilon": "the number added"},
        ),
        "penalty_is_logarithmic": Check(
            "The loss of a sample is −ln p of its class: squaring p doubles it, it grows without bound as p falls to 0 "
            "and vanishes as p reaches 1.",
            {},
        ),
        "gradient_is_softmax_minus_target": Check(
            "The gradient is (softmax − target), divided by the number of samples for the mean, and the difference "
            "quotient of the loss agrees with it.",
            {},
        ),
    }
)
