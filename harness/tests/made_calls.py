"""Calls as the engine makes them, for tests that hand one to an adapter directly."""

from __future__ import annotations

from typing import Any

import numpy as np

from harness.adapters.base import Array, Call
from reference.signatures import LOSSES


def make_call(
    loss: str,
    inputs: dict[str, Any],
    options: dict[str, Any] | None = None,
    *,
    dtype: str = "float64",
    mode: str = "eager",
    differentiate: tuple[str, ...] = (),
    cotangent: Any = None,
    vector: Any = None,
) -> Call:
    """Floats rounded to the dtype, integers as they are, lists among the options as arrays, reductions filled in."""
    arrays = {}
    for name, values in inputs.items():
        raw = np.asarray(values)
        arrays[name] = Array.of(raw, dtype if raw.dtype.kind == "f" else None)
    chosen = {n: Array.of(v, dtype) if isinstance(v, list) else v for n, v in (options or {}).items()}
    if loss in LOSSES and LOSSES[loss].reductions:
        chosen.setdefault("reduction", "mean")
    if chosen.get("reduction") == "mean":
        default = "weights" if "class_weights" in chosen else "valid" if "ignore_index" in chosen else "count"
        chosen.setdefault("denominator", default)
    upstream = None if cotangent is None else Array.of(cotangent, dtype)
    direction = None if vector is None else Array.of(vector, dtype)
    return Call(loss, arrays, chosen, dtype, mode, differentiate, upstream, direction)
