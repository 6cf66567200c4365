"""`xent.truth`: what mathematics says for exactly the bits a test holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import reference
from harness.judgement.truth import TruthTable, in_dtype
from xent.keyword_calls import call_of


def truth(
    loss: str,
    /,
    *,
    dtype: str | None = None,
    convention: Mapping[str, Any] | str | None = None,
    cotangent: Any = None,
    differentiate: Iterable[str] | None = None,
    vector: Any = None,
    **inputs_and_options: Any,
) -> reference.Evaluation:
    """The exact value and gradients of a loss, for exactly the bits of its inputs.

    Parameters
    ----------
    loss : str
        A name of `reference.LOSSES`; shapes and options of each are in the docstring of its function in
        `reference.losses`.
    dtype : str, optional
        What Python numbers, and the constants of a convention, are rounded to: "float64", "float32", "float16" or
        "bfloat16". By default the format of the inputs; float64 where they are Python numbers. Arrays keep their bits.
    convention : mapping or str, optional
        A documented choice that changes the number, ``{"clip": 1e-7}`` or ``"clip(1e-7)"``; see
        `reference.conventions`.
    cotangent : array_like, optional
        What the value is multiplied with, and summed, before it is differentiated; by default ones.
    differentiate : iterable of str, optional
        Names of inputs; by default all that can be differentiated.
    vector : array_like, optional
        Asks for the product of the Hessian with it.
    **inputs_and_options
        By name: arrays of NumPy, PyTorch, JAX, TensorFlow (bfloat16 too), anything with ``__array__`` or DLPack, or
        Python numbers.

    Returns
    -------
    reference.Evaluation
        Its `value`, its `gradients` by the name of the input, and its `hessian_vector` where a vector was given. Every
        number within 0.51 ulp of float64, and to 20 digits as text; in nats, or in units of the base.

    Raises
    ------
    ValueError
        A name, shape, label, probability or option that is not allowed; the message names the argument and what is.
    TypeError
        An input that is no array, or of a type that is no number.

    Examples
    --------
    >>> import numpy as np, xent
    >>> logits = np.array([[40.0, 0.0]], np.float32)
    >>> exact = xent.truth("softmax_cross_entropy", logits=logits, targets=[0])
    >>> exact.value.digits
    '4.2483542552915889863e-18'
    >>> float(exact.value), np.asarray(exact.gradients["logits"])
    (4.248354255291589e-18, array([[-4.24835426e-18,  4.24835426e-18]]))
    """
    call = call_of(loss, inputs_and_options, dtype=dtype, cotangent=cotangent, vector=vector)
    table = TruthTable(call)
    return reference.evaluate(
        loss,
        table.inputs,
        table.options,
        in_dtype(reference.parse(convention), call.dtype),
        cotangent=table.cotangent,
        differentiate=call.differentiate if differentiate is None else tuple(differentiate),
        vector=table.vector,
    )
