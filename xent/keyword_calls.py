"""From the keywords of a test to a `Call`: which are inputs, which options, and in which format it is judged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from harness.core.arrays import Array
from harness.core.call import Call
from harness.core.formats import FORMATS
from reference.arguments import signature_of
from reference.signatures import OPTIONS, Signature
from xent.input_arrays import array_of, format_of


def call_of(
    loss: str,
    given: Mapping[str, Any],
    *,
    dtype: str | None = None,
    differentiate: Iterable[str] | None = None,
    cotangent: Any = None,
    vector: Any = None,
    like: Any = None,
) -> Call:
    """The call of a loss on inputs and options by name.

    Parameters
    ----------
    loss : str
        A name of `reference.LOSSES`.
    given : mapping of str to object
        Inputs and options; what is None is absent. What is no input is an option.
    dtype : str, optional
        The format of the call; by default that of the first input that is differentiated and has one.
    differentiate : iterable of str, optional
        Names of inputs; by default all that can be differentiated.
    cotangent, vector : array_like, optional
        As in `reference.evaluate`.
    like : array_like, optional
        Whose format it is where no input has one, all of them being Python numbers.

    Returns
    -------
    Call
        Arrays with the bits that were given; Python numbers rounded to the format.

    Raises
    ------
    ValueError
        A loss or a format that is not known.
    TypeError
        An input that is no array.

    Examples
    --------
    >>> from xent.keyword_calls import call_of
    >>> call = call_of("softmax_cross_entropy", {"logits": [[1.0, 2.0]], "targets": [0]}, dtype="float16")
    >>> call.inputs["logits"].dtype, call.inputs["targets"].dtype, call.options, call.differentiate
    ('float16', 'int64', {'reduction': 'mean'}, ('logits',))
    """
    signature = signature_of(loss)
    present = {name: value for name, value in given.items() if value is not None}
    chosen = dtype or _format(signature, present, like)
    if chosen not in FORMATS:
        raise ValueError(f"dtype {chosen!r}: expected one of {', '.join(FORMATS)}")

    def array(values: Any, kind: str = "floating") -> Array:
        return array_of(values, chosen, whole=kind != "floating")

    inputs = {name: array(present[name], kind) for name, kind in signature.inputs.items() if name in present}
    options = {name: _option(name, value, chosen) for name, value in present.items() if name not in inputs}
    if signature.reductions:
        options.setdefault("reduction", "mean")
    possible = (n for n, kind in signature.inputs.items() if n in inputs and (kind == "floating" or inputs[n].is_float))
    return Call(
        loss,
        inputs,
        options,
        chosen,
        differentiate=tuple(possible if differentiate is None else differentiate),
        cotangent=None if cotangent is None else array(cotangent),
        vector=None if vector is None else array(vector),
    )


def _format(signature: Signature, present: Mapping[str, Any], like: Any) -> str:
    """What is differentiated decides, before targets, which may be held in a wider format."""
    names = sorted(signature.inputs, key=lambda name: name not in signature.differentiate)
    formats = [format_of(present.get(name)) for name in names]
    return next((name for name in (*formats, format_of(like)) if name is not None), "float64")


def _option(name: str, value: Any, dtype: str) -> Any:
    """An array as one; a number as Python's, also where a tensor holds it."""
    if name in OPTIONS and OPTIONS[name].holds == "mask":
        return Array.of(array_of(value, "float64").to_float64(), "bool")
    if isinstance(value, str | bool | int | float) and not isinstance(value, np.generic):
        return value
    array = array_of(value, dtype)
    if array.shape:
        return array
    return array.to_float64().item() if array.is_float else array.storage.item()
