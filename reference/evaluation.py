"""`evaluate`: from names, arrays and options to the value and every gradient.

Arguments are checked first, then the formulas run on `DoubleDouble` (the truth) or on `Plain` (the same formulas in an
ordinary type). Long inputs are worked on in blocks of rows, so that memory stays a small multiple of the input.
"""

from __future__ import annotations

import decimal
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reference import arguments, conventions, divergences, from_logits, from_pairs, from_probabilities, linear
from reference.arguments import ArgumentError
from reference.decimals import Decimals, context, in_digits
from reference.doubledouble import DoubleDouble, Watch, watching
from reference.plain import Plain
from reference.problem import BLOCK, HESSIAN_VECTOR, Make, Problem, Result, blocks
from reference.signatures import LOSSES

LARGEST_DECIMAL = 2**12
"""Input elements up to which a result that cancels is evaluated again in decimal arithmetic, at some 0.1 ms each. In
larger inputs a cancelling gradient element keeps an absolute error of 2^-100 of its terms."""


@dataclass(frozen=True, eq=False)
class Exact:
    """Numbers hi + lo, unevaluated; `float(x)` and `np.asarray(x)` give the nearest float64.

    Attributes
    ----------
    hi : ndarray of float64
        The nearest float64 of each number (of another type where `evaluate_plain` was asked for one).
    lo : ndarray of float64, of the same shape
        What is left, at most half a unit in the last place of `hi`; 0 beside nan and infinities.
    shape : tuple of int
        The shape of both.
    digits : str or nested list of str
        Each number rounded to 20 significant digits, fewer where fewer are all there are.

    Examples
    --------
    >>> from reference import evaluate
    >>> value = evaluate("entropy", {"probabilities": [0.5, 0.5]}).value
    >>> float(value), float(value.lo)
    (0.6931471805599453, 2.3190468138462996e-17)
    >>> value.digits
    '0.69314718055994530942'
    """

    hi: NDArray[Any]
    lo: NDArray[Any]

    @property
    def shape(self) -> tuple[int, ...]:
        return self.hi.shape

    @property
    def digits(self) -> Any:
        written = [in_digits(float(hi), float(lo)) for hi, lo in zip(self.hi.ravel(), self.lo.ravel(), strict=True)]
        return np.asarray(written, dtype=object).reshape(self.shape).tolist()

    def __float__(self) -> float:
        return float(self.hi)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        array = self.hi if dtype is None else self.hi.astype(dtype)
        return array.copy() if copy else array


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The value of a loss and its gradients.

    Attributes
    ----------
    value : Exact
        Of shape () where the loss is reduced; else one number per row or element.
    gradients : dict of str to Exact
        By the name of the input, in its shape: the derivative of Σ value · cotangent.
    hessian_vector : Exact or None
        The Hessian of Σ value · cotangent with respect to the first input that is no target, times the vector asked
        for; None where none was.
    """

    value: Exact
    gradients: dict[str, Exact]
    hessian_vector: Exact | None = None


def evaluate(
    loss: str,
    inputs: Mapping[str, Any],
    options: Mapping[str, Any] | None = None,
    convention: Mapping[str, Any] | str | None = None,
    *,
    cotangent: ArrayLike | None = None,
    differentiate: Sequence[str] | None = None,
    vector: ArrayLike | None = None,
) -> Evaluation:
    """The exact value and gradients of a loss, under a convention.

    Parameters
    ----------
    loss : str
        A name of `reference.LOSSES`.
    inputs : mapping of str to array_like
        By name, as `LOSSES[loss].inputs` has them; the shapes are in the docstring of the loss's own function in
        `reference.losses`. Floats of any type are taken as the exact numbers they are; targets that are integers are
        class labels.
    options : mapping of str to object, optional
        By name: those of `LOSSES[loss].options`, and `reduction` ("mean" by default) and `denominator` where the loss
        is reduced. An option that is None is absent.
    convention : mapping or str, optional
        A documented choice that changes the number, ``{"clip": 1e-7}`` or ``"clip(1e-7)"``; see
        `reference.conventions`.
    cotangent : array_like of float, optional
        What the value is multiplied with, and summed, before it is differentiated; of the shape of the value, by
        default ones.
    differentiate : sequence of str, optional
        Names of inputs; by default all that can be differentiated.
    vector : array_like of float, optional
        Asks for the product with it of the Hessian of Σ value · cotangent with respect to the first input that is no
        target, in its shape; offered for `TWICE_DIFFERENTIABLE`.

    Returns
    -------
    Evaluation
        The value in nats (or in units of the base), the gradient of each input in its shape, and the product of the
        Hessian where it is asked for.

    Raises
    ------
    ValueError
        A name, shape, label, probability or option that is not allowed; the message names the argument and what is.
        Nothing is broadcast but the weights of binary losses.

    Notes
    -----
    Every element is within 0.51 ulp of the exact result, 1 ulp where that is subnormal: double-double arithmetic of 106
    bits on formulas that do not cancel (`reference.doubledouble`), decimal arithmetic of 400 digits where a gradient
    does. In inputs of more than `LARGEST_DECIMAL` elements such a gradient keeps an absolute error of 2^-100 of its
    terms. The bits depend neither on the processor nor on the libraries.

    Examples
    --------
    >>> from reference import evaluate
    >>> truth = evaluate("softmax_cross_entropy", {"logits": [[40.0, 0.0]], "targets": [0]})
    >>> float(truth.value)
    4.248354255291589e-18
    >>> truth.gradients["logits"].hi
    array([[-4.24835426e-18,  4.24835426e-18]])

    >>> inputs = {"probabilities": [[1.0, 0.0]], "targets": [1]}
    >>> float(evaluate("categorical_cross_entropy", inputs).value)
    inf
    >>> float(evaluate("categorical_cross_entropy", inputs, convention={"clip": 1e-7}).value)
    16.11809565095832
    """
    arguments_given = (loss, inputs, options, convention, cotangent, differentiate, vector)
    with watching(_CLOSE if _cancels(loss, inputs) else Watch.bound) as watch:
        found = _evaluate(DoubleDouble.of, *arguments_given)
    size = sum(np.size(value) for value in inputs.values())
    if watch.cancelled and size <= LARGEST_DECIMAL:
        with decimal.localcontext(context()):
            return _evaluate(Decimals.of, *arguments_given)
    return found


_CLOSE = 2.0**-4
"""Where a divergence is small its terms cancel twice, in the logarithms of ratios and in their sum, and a logarithm
near 0 has 70 bits: each may lose four."""


def _cancels(loss: str, inputs: Mapping[str, Any]) -> bool:
    """Whether a loss is small by cancellation wherever two distributions are nearly equal, or a softmax nearly even."""
    return loss in ("jensen_shannon", "linear_jensen_shannon", "bernoulli_kl") or (
        loss in ("entropy", "kl_divergence") and inputs.get("logits") is not None
    )


def evaluate_plain(
    loss: str,
    inputs: Mapping[str, Any],
    options: Mapping[str, Any] | None = None,
    convention: Mapping[str, Any] | str | None = None,
    *,
    cotangent: ArrayLike | None = None,
    differentiate: Sequence[str] | None = None,
    vector: ArrayLike | None = None,
    dtype: Any = np.float64,
) -> Evaluation:
    """The same formulas evaluated in an ordinary floating type, every operation rounding once.

    Parameters
    ----------
    loss, inputs, options, convention, cotangent, differentiate, vector
        As for `evaluate`.
    dtype : dtype, default float64
        The NumPy type that everything is computed in.

    Returns
    -------
    Evaluation
        As from `evaluate`, with `hi` of that type and `lo` zero.

    Raises
    ------
    ValueError
        As from `evaluate`.

    Notes
    -----
    What a careful author would write in NumPy, and judged as the implementation `numpy`: not a truth.

    Examples
    --------
    >>> import numpy as np
    >>> from reference import evaluate_plain
    >>> inputs = {"logits": [[2.0, -1.0]], "targets": [0]}
    >>> evaluate_plain("softmax_cross_entropy", inputs, dtype=np.float32).value.hi.dtype
    dtype('float32')
    """

    def make(values: ArrayLike) -> Plain:
        return Plain.of(values, dtype)

    with np.errstate(all="ignore"):
        return _evaluate(make, loss, inputs, options, convention, cotangent, differentiate, vector)


def _evaluate(
    make: Make,
    loss: str,
    inputs: Mapping[str, Any],
    options: Mapping[str, Any] | None,
    convention: Mapping[str, Any] | str | None,
    cotangent: ArrayLike | None,
    differentiate: Sequence[str] | None,
    vector: ArrayLike | None,
) -> Evaluation:
    chosen = {name: value for name, value in (options or {}).items() if value is not None}
    given = {name: np.asarray(value) for name, value in inputs.items() if value is not None}
    arguments.check_names(loss, given, chosen)
    named = conventions.parse(convention)
    possible = _differentiable(loss, given)
    if differentiate is None:
        wanted = possible
    else:
        wanted = tuple(differentiate)
        for name in wanted:
            if name not in possible:
                raise ArgumentError(f"differentiate: {loss} has no gradient with respect to {name!r}: {possible}")
    if vector is not None:
        _check_second_order(loss, given, named)
    problem = Problem(make, loss, given, chosen, named, cotangent, wanted, vector)
    value, gradients = _FAMILIES[loss](problem)
    product = None if vector is None else _exact(gradients[HESSIAN_VECTOR])
    return Evaluation(_exact(value), {name: _exact(gradients[name]) for name in wanted}, product)


TWICE_DIFFERENTIABLE = (
    "softmax_cross_entropy",
    "binary_cross_entropy_with_logits",
    "binary_cross_entropy",
    "binary_focal",
    "categorical_focal",
    "kl_divergence",
    "linear_cross_entropy",
)
"""Losses whose Hessian-vector products are offered: those whose second derivatives people train with."""


def twice_differentiable(loss: str, inputs: Container[str]) -> bool:
    """Whether Hessian-vector products are offered of a loss of these inputs: in log-probabilities a divergence is
    linear, which frameworks answer with an error, with nothing, or with what rounding leaves."""
    return loss in TWICE_DIFFERENTIABLE and "log_probabilities" not in inputs


def _check_second_order(loss: str, inputs: Container[str], convention: Mapping[str, Any]) -> None:
    if not twice_differentiable(loss, inputs):
        offered = ", ".join(TWICE_DIFFERENTIABLE)
        raise ArgumentError(f"vector: {loss} has no second derivatives here, expected one of {offered}, of logits")
    changing = [name for name in convention if name != "denominator"]
    if changing:
        raise ArgumentError(f"vector: second derivatives are those of the plain mathematics, not under {changing[0]}")


def _exact(number: Any) -> Exact:
    """hi and lo of a number, a block at a time where there are many: the way there takes some copies."""
    shape = number.shape
    if len(shape) == 0 or np.prod(shape) <= BLOCK:
        hi, lo = number.parts()
        return Exact(np.asarray(hi), np.asarray(lo))
    # The classes may stand on any axis: rows are taken along the longest, so that a block is never the whole.
    longest = int(np.argmax(shape))
    whole = number.moveaxis(longest, 0)
    kind = whole[:1].parts()[0].dtype
    hi, lo = np.empty(shape, kind), np.empty(shape, kind)
    for block in blocks(shape[longest], int(np.prod(shape)) // shape[longest]):
        np.moveaxis(hi, longest, 0)[block], np.moveaxis(lo, longest, 0)[block] = whole[block].parts()
    return Exact(hi, lo)


def _differentiable(loss: str, given: Mapping[str, NDArray[Any]]) -> tuple[str, ...]:
    kinds = LOSSES[loss].inputs
    return tuple(name for name, kind in kinds.items() if name in given and not _are_labels(kind, given[name]))


def _are_labels(kind: str, array: NDArray[Any]) -> bool:
    if kind == "labels":
        return True
    return kind == "targets" and array.dtype.kind in ("i", "u")


_FAMILIES: Mapping[str, Callable[[Problem], Result]] = MappingProxyType(
    {
        "entropy": from_probabilities.entropy,
        "softmax": from_logits.softmax_of,
        "log_softmax": from_logits.log_softmax_of,
        "logsumexp": divergences.log_sum_exp,
        "cross_entropy": from_probabilities.of_probabilities,
        "kl_divergence": from_probabilities.kl_divergence,
        "jensen_shannon": divergences.jensen_shannon,
        "bernoulli_kl": from_pairs.bernoulli_kl,
        "nll_loss": from_probabilities.nll_loss,
        "categorical_cross_entropy": from_probabilities.of_probabilities,
        "softmax_cross_entropy": from_logits.softmax_cross_entropy,
        "binary_cross_entropy": from_pairs.of_probabilities,
        "binary_cross_entropy_with_logits": from_pairs.with_logits,
        "soft_margin": from_pairs.soft_margin,
        "binary_focal": from_pairs.focal,
        "categorical_focal": from_logits.categorical_focal,
        "linear_cross_entropy": linear.linear_cross_entropy,
        "linear_jensen_shannon": linear.linear_jensen_shannon,
    }
)
