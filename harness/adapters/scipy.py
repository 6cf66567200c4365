"""SciPy: scipy.special and scipy.stats, values only; NumPy does the sums a user writes behind them.

A divergence is the sum of `rel_entr`, in the mode `kl_div` that of `kl_div`, in the mode `stats` what
`scipy.stats.entropy(pk, qk)` answers. In the mode `masked-array` logits are arrays of numpy.ma, in which the classes
that do not count are masked.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import scipy
import scipy.spatial.distance
import scipy.special
import scipy.stats

from harness.adapters.base import Answer, Array, Call, Description, Unsupported
from harness.adapters.facts import numpy_facts, variables

_MASKED = "masked-array"


class SciPy:
    """The functions of the family that SciPy has."""

    def describe(self) -> Description:
        return Description(
            version=scipy.__version__,
            losses=(
                "softmax",
                "log_softmax",
                "logsumexp",
                "entropy",
                "cross_entropy",
                "kl_divergence",
                "jensen_shannon",
            ),
            dtypes=("float64", "float32", "float16"),
            gradients=False,
            modes=("eager", "kl_div", "stats", _MASKED),
            mode_losses={
                **dict.fromkeys(("kl_div", "stats"), ("kl_divergence",)),
                _MASKED: ("softmax", "log_softmax", "logsumexp"),
            },
            # Of what does not sum to one these are other functions, by their documentation.
            mode_tags={**dict.fromkeys(("kl_div", "stats"), "kl-functions"), _MASKED: "masked-classes"},
            versions={"scipy": scipy.__version__, "numpy": np.__version__},
            flags=variables("numpy", os.environ),
            facts=numpy_facts(),
        )

    def evaluate(self, call: Call) -> Answer:
        match call.loss:
            case "softmax" | "log_softmax" | "logsumexp":
                return _shifted(call)
            case "entropy":
                return _entropy(call)
            case "cross_entropy":
                return _cross_entropy(call)
            case "kl_divergence":
                return _kl_divergence(call)
            case "jensen_shannon":
                return _jensen_shannon(call)
            case other:
                raise Unsupported(f"SciPy has no function for {other}")


def _shifted(call: Call) -> Answer:
    masks = ("class_mask",) if call.mode == _MASKED else ()
    call.refuse_options_except("axis", *masks, of=f"scipy.special.{call.loss}")
    function, logits = getattr(scipy.special, call.loss), call.inputs["logits"].storage
    if masks:
        if "class_mask" not in call.options:
            raise Unsupported("no class is masked")
        counting = np.broadcast_to(call.options["class_mask"].storage.astype(bool), logits.shape)
        logits = np.ma.masked_array(logits, ~counting)
    value = function(logits, axis=call.options.get("axis", -1))
    return Answer(_array(value), f"scipy.special.{call.loss}")


def _entropy(call: Call) -> Answer:
    """`scipy.stats.entropy` divides the probabilities by their sum first, as its documentation says."""
    call.refuse_inputs_except("probabilities")
    call.refuse_options_except("reduction", "denominator", "axis", "base", of="scipy.stats.entropy")
    options = {"base": call.options["base"]} if call.options.get("base") is not None else {}
    rows = scipy.stats.entropy(call.inputs["probabilities"].storage, axis=call.options.get("axis", -1), **options)
    declared = {"renormalize": True, **_promoted(call, scipy.special.entr)}
    return Answer(_reduced(call, rows), "scipy.stats.entropy", convention=declared)


def _cross_entropy(call: Call) -> Answer:
    call.refuse_options_except("reduction", "denominator", "axis", of="scipy.special.xlogy")
    products = scipy.special.xlogy(call.inputs["targets"].storage, call.inputs["probabilities"].storage)
    rows = -np.sum(products, axis=call.options.get("axis", -1))
    return Answer(
        _reduced(call, rows),
        "scipy.special.xlogy",
        convention=_promoted(call, scipy.special.xlogy) or None,
        computed_with={"sum over classes": "numpy.sum"},
    )


def _kl_divergence(call: Call) -> Answer:
    """`rel_entr` takes the probabilities as they are, and so does `kl_div`, which adds q − p to each term;
    `scipy.stats.entropy` divides both distributions by their sums first."""
    terms = "kl_div" if call.mode == "kl_div" else "rel_entr"
    name = "scipy.stats.entropy" if call.mode == "stats" else f"scipy.special.{terms}"
    call.refuse_inputs_except("targets", "log_probabilities")
    call.refuse_options_except("reduction", "denominator", "axis", "log_target", of=name)
    targets, axis = call.inputs["targets"].storage, call.options.get("axis", -1)
    targets = np.exp(targets) if call.options.get("log_target") else targets
    probabilities = np.exp(call.inputs["log_probabilities"].storage)
    attested = {"probabilities": "numpy.exp(log_probabilities)"}
    if call.mode == "stats":
        rows = scipy.stats.entropy(targets, probabilities, axis=axis)
    else:
        rows = np.sum(getattr(scipy.special, terms)(targets, probabilities), axis=axis)
        attested["sum over classes"] = "numpy.sum"
    declared = _promoted(call, scipy.special.rel_entr) or None
    return Answer(_reduced(call, rows), name, convention=declared, computed_with=attested)


def _jensen_shannon(call: Call) -> Answer:
    """`jensenshannon` is the distance, the square root of the divergence: squared by the user."""
    call.refuse_inputs_except("targets", "probabilities")
    call.refuse_options_except("reduction", "denominator", "axis", "base", of="scipy.spatial.distance.jensenshannon")
    distance = scipy.spatial.distance.jensenshannon(
        call.inputs["targets"].storage,
        call.inputs["probabilities"].storage,
        base=call.options.get("base"),
        axis=call.options.get("axis", -1),
    )
    return Answer(
        _reduced(call, np.square(distance)),
        "scipy.spatial.distance.jensenshannon",
        convention=_promoted(call, scipy.special.rel_entr) or None,
        computed_with={"divergence": "numpy.square(distance)"},
    )


def _reduced(call: Call, rows: Any) -> Array:
    match call.options["reduction"]:
        case "none":
            return _array(rows)
        case "sum":
            return _array(np.sum(rows))
        case "mean":
            return _array(np.mean(rows))
        case other:
            raise Unsupported(f"no reduction {other} behind a function without reductions")


def _promoted(call: Call, function: np.ufunc) -> dict[str, Any]:
    """What NumPy promotes the inputs to, where the function has no loop for their type: no ufunc here has float16."""
    result = function(*(np.ones(1, call.dtype),) * function.nin).dtype.name
    return {} if result == call.dtype else {"result_dtype": result}


def _array(result: Any) -> Array:
    raw = np.asarray(result)
    return Array(raw.dtype.name, raw)
