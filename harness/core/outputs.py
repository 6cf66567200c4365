"""What one call may return beside its value: each is the value of another call of the same arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from harness.core.arrays import Array
from harness.core.call import Call

OUTPUTS: Mapping[str, str] = {
    "log_sum_exp": "the logsumexp of every row, of the logits as the loss sees them: scaled, capped, masked",
    "entropy": "the entropy of every row",
    "rows": "the loss of every row, where the value is their sum or mean",
    "z_loss": "the share that the z-loss has in the value, reduced like it",
}
"""By name. Of a row that is ignored the loss and the z-loss are 0; the others do not know labels."""


_OF_LOGITS = ("axis", "class_mask", "logit_scale", "softcap")
"""Options that say which logits the loss sees."""


def call_of(call: Call, output: str) -> Call:
    """The call whose value the output is; ValueError where the call has no such output."""
    bare = replace(call, differentiate=(), cotangent=None, vector=None, outputs=())
    options = call.options
    if output == "rows" and "reduction" in options:
        kept = {name: value for name, value in options.items() if name != "denominator"}
        return replace(bare, options={**kept, "reduction": "none"})
    if output == "z_loss" and "z_loss" in options and not {"class_weights", "sample_weights"} & set(options):
        return _of_nothing_else(bare)
    if output == "log_sum_exp" and "logits" in call.inputs:
        kept = {name: value for name, value in options.items() if name in _OF_LOGITS}
        return replace(bare, loss="logsumexp", inputs={"logits": call.inputs["logits"]}, options=kept)
    if output == "entropy" and "logits" in call.inputs and not {"softcap", "class_mask"} & set(options):
        kept = {name: value for name, value in options.items() if name in ("axis", "logit_scale")}
        return replace(
            bare, loss="entropy", inputs={"logits": call.inputs["logits"]}, options={**kept, "reduction": "none"}
        )
    raise ValueError(f"{call.loss} with options {', '.join(options)} has no output {output}")


def _of_nothing_else(call: Call) -> Call:
    """The same loss of targets without mass, which leaves the z-loss; rows that are ignored have the weight 0."""
    targets, options = call.inputs["targets"], dict(call.options)
    ignored = options.pop("ignore_index", None)
    options.pop("label_smoothing", None)
    if ignored is not None and not targets.is_float:
        kept = targets.storage != ignored
        if options["reduction"] == "mean" and options.get("denominator", "valid") == "valid":
            options["denominator"] = "weights"
        options["sample_weights"] = Array.of(kept.astype(np.float64), call.dtype)
    return replace(call, inputs={**call.inputs, "targets": _nothing(call)}, options=options)


def _nothing(call: Call) -> Array:
    if call.inputs["targets"].is_float:
        shape: tuple[Any, ...] = call.inputs["targets"].shape
    elif "logits" in call.inputs:
        shape = call.inputs["logits"].shape
    else:
        shape = (*call.inputs["hidden"].shape[:-1], call.inputs["weight"].shape[-1])
    return Array.of(np.zeros(shape), call.dtype)
