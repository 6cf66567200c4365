"""`xent.truth`: what mathematics says for exactly the bits a test holds."""

from __future__ import annotations

import decimal
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import reference
from harness.judgement.truth import TruthTable, in_dtype
from xent.calls import call_of

DIGITS = 20
"""Significant digits written out: hi + lo hold some thirty, and float64 sixteen."""


@dataclass(frozen=True, eq=False)
class Numbers:
    """Exact numbers hi + lo; `float(x)` and `numpy.asarray(x)` are the nearest float64.

    Attributes
    ----------
    hi : ndarray of float64
        The nearest float64 of each number.
    lo : ndarray of float64, of the same shape
        What is left.
    shape : tuple of int
        The shape of both.
    digits : str or nested list of str
        Each number to 20 significant digits.

    Examples
    --------
    >>> import xent
    >>> xent.truth("entropy", probabilities=[0.5, 0.5]).value.digits
    '0.69314718055994530942'
    """

    hi: NDArray[np.float64]
    lo: NDArray[np.float64]

    @property
    def shape(self) -> tuple[int, ...]:
        return self.hi.shape

    @property
    def digits(self) -> Any:
        written = [_written(float(hi), float(lo)) for hi, lo in zip(self.hi.ravel(), self.lo.ravel(), strict=True)]
        return np.asarray(written, dtype=object).reshape(self.shape).tolist()

    def __float__(self) -> float:
        return float(self.hi)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        array = self.hi if dtype is None else self.hi.astype(dtype)
        return array.copy() if copy else array


@dataclass(frozen=True, eq=False)
class Truth:
    """The exact value and gradients of one call.

    Attributes
    ----------
    value : Numbers
        Of shape () where the loss is reduced; else one number per row or element.
    gradients : dict of str to Numbers
        By the name of the input, in its shape.
    hessian_vector : Numbers or None
        The product of the Hessian with the vector, where one was given.
    """

    value: Numbers
    gradients: dict[str, Numbers]
    hessian_vector: Numbers | None = None


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
) -> Truth:
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
    Truth
        Every number within 0.51 ulp of float64, and to 20 digits as text; in nats, or in units of the base.

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
    '4.2483542552915889863E-18'
    >>> float(exact.value), np.asarray(exact.gradients["logits"])
    (4.248354255291589e-18, array([[-4.24835426e-18,  4.24835426e-18]]))
    """
    call = call_of(loss, inputs_and_options, dtype=dtype, cotangent=cotangent, vector=vector)
    table = TruthTable(call)
    found = reference.evaluate(
        loss,
        table.inputs,
        table.options,
        in_dtype(reference.parse(convention), call.dtype),
        cotangent=table.cotangent,
        differentiate=call.differentiate if differentiate is None else tuple(differentiate),
        vector=table.vector,
    )
    return Truth(
        _numbers(found.value),
        {name: _numbers(gradient) for name, gradient in found.gradients.items()},
        None if found.hessian_vector is None else _numbers(found.hessian_vector),
    )


def _numbers(exact: reference.Exact) -> Numbers:
    return Numbers(exact.hi, exact.lo)


def _written(hi: float, lo: float) -> str:
    """hi + lo, summed without rounding first: two float64 may stand 2100 binary digits apart."""
    if not np.isfinite(hi):
        return repr(hi)
    exact = decimal.Context(prec=2200).add(decimal.Decimal(hi), decimal.Decimal(lo))
    return str(decimal.Context(prec=DIGITS).plus(exact))
