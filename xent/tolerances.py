"""`xent.tolerance`: how far a right answer may be from the truth, element by element, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

import reference
from harness.core.formats import FORMATS
from harness.judgement.agreement import BUDGET, Target, allowed, floor_of
from harness.judgement.truth import DIRECTIONAL, HESSIAN_VECTOR, TruthTable
from xent.chains import chains
from xent.elsewhere import elsewhere
from xent.keyword_calls import call_of

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Tolerance:
    """The absolute error allowed of each element: k · eps · A + floor.

    `numpy.asarray` and the `atol` of `numpy.testing.assert_allclose` take it as the array `allowed`.

    Attributes
    ----------
    allowed : ndarray of float64
        In the shape of the result; 0 where the truth is nan or infinite, which is right or wrong without a distance.
    k : float
        Roundings that are allowed: 4 in float64 and float32, 2 in the half formats.
    eps : float
        Distance from 1 to the next number of the format.
    floor : float
        The smallest number of the format: below it the format cannot tell numbers apart.
    terms : mapping of str to ndarray of float64
        What the error scale A is the sum of; the letters are those of `harness.judgement.tolerance`.
    elsewhere : mapping of str to ndarray of float64
        What other people's rules would allow of the same elements, by their name: "torch.testing", "ONNX node tests",
        "KernelBench", "BackendBench"; and where their operators compute the value, what these may add up to: "WebNN"
        (float32 and float16), "TOSA" (not float64); see `xent.chains`. To compare with, not to use.

    Examples
    --------
    >>> import xent
    >>> logits = [[2.0, -1.0]]
    >>> print(xent.tolerance("softmax_cross_entropy", dtype="float32", logits=logits, targets=[0]))
    8.31e-07 = 4 · 1.19e-07 · (1 [1] + 0.0486 [L] + 0.693 [ln C]) + 1.4e-45
    """

    allowed: Floats
    k: float
    eps: float
    floor: float
    terms: Mapping[str, Floats]
    elsewhere: Mapping[str, Floats] = field(default_factory=dict)

    def words(self, index: tuple[int, ...] = ()) -> str:
        """The tolerance of one element as the sum it is.

        Parameters
        ----------
        index : tuple of int
            Of the element; () for a scalar.

        Returns
        -------
        str
            The numbers to three digits, each term with its name behind it.

        Examples
        --------
        >>> import xent
        >>> xent.tolerance("softmax", dtype="float16", logits=[0.0, 0.0]).words((1,))
        '0.00233 = 2 · 0.000977 · (1.19 [p (1 + L + ln C)]) + 5.96e-08'
        """
        terms = {name: float(size[index]) for name, size in self.terms.items()}
        scale = " + ".join(f"{size:.3g} [{name}]" for name, size in terms.items() if size) or "0"
        return f"{self.allowed[index]:.3g} = {self.k:g} · {self.eps:.3g} · ({scale}) + {self.floor:.3g}"

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        array = self.allowed if dtype is None else self.allowed.astype(dtype)
        return array.copy() if copy else array

    def __format__(self, spec: str) -> str:
        """From the smallest to the largest: what `assert_allclose` writes into its message."""
        if not spec:
            return str(self)
        if self.allowed.size == 0:
            return "of nothing"
        low, high = self.allowed.min(), self.allowed.max()
        return format(low, spec) if low == high else f"{low:{spec}} to {high:{spec}}"

    def __str__(self) -> str:
        """The largest one in words."""
        if self.allowed.size == 0:
            return "of nothing"
        largest = np.unravel_index(int(self.allowed.argmax()), self.allowed.shape)
        return self.words(tuple(int(i) for i in largest))


def tolerance(
    loss: str,
    /,
    *,
    of: str = "value",
    dtype: str | None = None,
    convention: Mapping[str, Any] | str | None = None,
    cotangent: Any = None,
    vector: Any = None,
    flush_to_zero: bool = False,
    **inputs_and_options: Any,
) -> Tolerance:
    """The absolute error that is allowed of each element of a result.

    Parameters
    ----------
    loss : str
        A name of `reference.LOSSES`.
    of : str, default "value"
        Which result: "value", the name of the input whose gradient it is, "directional" or "hessian_vector".
    dtype : str, optional
        The format it was computed in: "float64", "float32", "float16" or "bfloat16". By default that of the inputs.
    convention, cotangent, vector, **inputs_and_options
        As for `xent.truth`.
    flush_to_zero : bool, default False
        Whether the implementation is known to replace subnormal numbers by zero: the floor is then the smallest normal
        number.

    Returns
    -------
    Tolerance
        In the shape of the result.

    Raises
    ------
    ValueError
        As from `xent.truth`, and an `of` that the loss has no such result for.
    TypeError
        As from `xent.truth`.

    Notes
    -----
    The tolerance is k · eps · A + floor, where A is the size of error that rounding the inputs makes unavoidable, per
    loss; `harness.judgement.tolerance` derives each. A truth beyond the largest number of the format is right as
    infinity too, which `xent.assert_close` knows and `assert_allclose` does not.

    Examples
    --------
    >>> import numpy as np, xent
    >>> call = {"logits": np.array([[2.0, -1.0]], np.float32), "targets": [0]}
    >>> got = np.float32(0.04858735)
    >>> exact = xent.truth("softmax_cross_entropy", **call).value
    >>> np.testing.assert_allclose(got, exact, rtol=0, atol=xent.tolerance("softmax_cross_entropy", **call))
    """
    wanted = None if of in ("value", DIRECTIONAL, HESSIAN_VECTOR) else (of,)
    call = call_of(
        loss, inputs_and_options, dtype=dtype, differentiate=wanted or (), cotangent=cotangent, vector=vector
    )
    truths = TruthTable(call).under(reference.parse(convention))
    if truths.refusal is not None:
        raise ValueError(truths.refusal)
    aspect = "gradient" if wanted else of
    if aspect not in truths.targets:
        raise ValueError(f"of {of!r}: there is no such result of {loss}; those along a vector need one")
    others = chains(call) if of == "value" and not convention else {}
    return _tolerance(truths.targets[aspect], call.dtype, others, flush_to_zero=flush_to_zero)


def _tolerance(target: Target, dtype: str, others: Mapping[str, Floats], *, flush_to_zero: bool) -> Tolerance:
    fmt, finite = FORMATS[dtype], np.isfinite(target.hi)
    terms = target.terms or {"A": target.error_scale}
    return Tolerance(
        allowed(target, fmt, flush_to_zero=flush_to_zero),
        BUDGET[dtype],
        fmt.eps,
        floor_of(fmt, flush_to_zero=flush_to_zero),
        {name: np.where(finite, size, 0.0) for name, size in terms.items()},
        {**elsewhere(target.hi, dtype), **{name: np.where(finite, size, 0.0) for name, size in others.items()}},
    )
