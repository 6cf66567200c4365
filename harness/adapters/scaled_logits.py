"""`logit_scale`: the multiplication that a user writes in front of a loss of logits, in the same compiled program.

Imports the adapter contract only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from harness.adapters.base import Call

Compute = Callable[[Mapping[str, Any]], Any]


def scale_of(call: Call) -> float | None:
    """What the logits are multiplied with; None where nothing is, or where there are none yet."""
    scale = call.options.get("logit_scale")
    return None if scale is None or "logits" not in call.inputs else float(scale)


def without_scale(call: Call) -> Call:
    """The call whose logits are multiplied already."""
    if scale_of(call) is None:
        return call
    return replace(call, options={name: option for name, option in call.options.items() if name != "logit_scale"})


def scaling(call: Call, compute: Compute) -> Compute:
    """`compute` of the logits times the scale."""
    scale = scale_of(call)
    if scale is None:
        return compute
    return lambda named: compute({**named, "logits": named["logits"] * scale})


def attested(call: Call) -> dict[str, str]:
    scale = scale_of(call)
    return {} if scale is None else {"logit_scale": f"logits * {scale!r}, where the loss is called"}
