"""Connects `my_loss` to the conformance suite: what it offers, and how a call reaches it."""

from __future__ import annotations

import numpy as np
from my_loss import cross_entropy

from harness.adapters.base import Answer, Array, Call, Description, Unsupported


class MyLosses:
    def describe(self) -> Description:
        return Description(version="0.1", losses=("softmax_cross_entropy",), dtypes=("float64", "float32"))

    def evaluate(self, call: Call) -> Answer:
        call.refuse_options_except("reduction", "denominator")
        if call.options.get("denominator", "count") != "count":
            raise Unsupported("a mean divides by the number of rows")
        logits, labels = call.inputs["logits"].storage, call.inputs["targets"].storage
        if call.inputs["targets"].is_float or logits.ndim != 2:
            raise Unsupported("integer labels of rows only")
        if call.options["reduction"] not in ("none", "sum", "mean"):
            raise ValueError(f"reduction {call.options['reduction']!r}: expected none, sum or mean")
        if labels.shape != logits.shape[:1]:
            raise ValueError(f"labels of shape {labels.shape} for logits of shape {logits.shape}")
        if ((labels < 0) | (labels >= logits.shape[1])).any():
            raise IndexError(f"a label is out of range for {logits.shape[1]} classes")
        with np.errstate(all="ignore"):
            losses, gradient = cross_entropy(logits, labels)
            scale = np.ones_like(losses) if call.cotangent is None else call.cotangent.storage
            value = losses
            if call.options["reduction"] != "none":
                value = losses.sum()
            if call.options["reduction"] == "mean":
                value, scale = value / len(losses), scale / len(losses)
            gradient = gradient * np.broadcast_to(scale, losses.shape)[:, None]
        return Answer(
            value=Array.of(value, call.dtype),
            function="my_loss.cross_entropy",
            gradients={"logits": Array.of(gradient, call.dtype)},
        )
