"""Each loss as a textbook writes it, every step rounded to a dtype: what a case tagged `extreme` must break.

Like the losses with `reduction: none`; of the options only axis, base and gamma are known here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.core.formats import FORMATS, rounded

Numbers = NDArray[Any]
Arrays = Mapping[str, Numbers]
Options = Mapping[str, Any]
Formula = Callable[[Arrays, Options, str], Numbers]


def differs(naive: Numbers, truth: Numbers, dtype: str) -> bool:
    """Whether the naive result is no longer a result: another nan or infinity, or half of its digits gone."""
    naive, truth = np.broadcast_arrays(naive, truth)
    right = (naive == truth) | (np.isnan(naive) & np.isnan(truth))
    with np.errstate(invalid="ignore"):
        right |= np.isfinite(truth) & (np.abs(naive - truth) <= np.sqrt(FORMATS[dtype].eps) * np.abs(truth))
    return not np.all(right)


def _in(values: Any, dtype: str) -> NDArray[np.float64]:
    """The values rounded to the dtype, as every step of code in that dtype ends."""
    return rounded(np.asarray(values, dtype=np.float64), FORMATS[dtype])


def _axis(options: Options) -> int:
    return int(options.get("axis", -1))


def _targets(arrays: Arrays, shape: tuple[int, ...], axis: int) -> Numbers:
    """The targets as distributions of the given shape."""
    targets = arrays["targets"]
    if targets.dtype.kind not in "iu":
        return targets
    columns = np.arange(shape[axis]).reshape([-1 if n == axis % len(shape) else 1 for n in range(len(shape))])
    return np.asarray(np.expand_dims(targets, axis) == columns, dtype=np.float64)


def _expected(terms: Numbers, arrays: Arrays, axis: int, dtype: str) -> Numbers:
    """−Σ t·terms for distributions, −terms at the label for labels: labels are looked up, so no 0·∞ arises."""
    targets = _targets(arrays, terms.shape, axis)
    if arrays["targets"].dtype.kind in "iu":
        return np.asarray(-np.sum(np.where(targets == 1, terms, 0.0), axis=axis))
    return -np.asarray(_in(np.sum(_in(targets * terms, dtype), axis=axis), dtype))


def _softmax(arrays: Arrays, options: Options, dtype: str) -> Numbers:
    """e^x / Σ e^x, without subtracting the maximum."""
    powers = _in(np.exp(arrays["logits"]), dtype)
    return _in(powers / _in(powers.sum(axis=_axis(options), keepdims=True), dtype), dtype)


def _log_softmax(arrays: Arrays, options: Options, dtype: str) -> Numbers:
    return _in(np.log(_softmax(arrays, options, dtype)), dtype)


def _softmax_cross_entropy(arrays: Arrays, options: Options, dtype: str) -> Numbers:
    return _expected(_log_softmax(arrays, options, dtype), arrays, _axis(options), dtype)


def _linear_cross_entropy(arrays: Arrays, options: Options, dtype: str) -> Numbers:
    logits = _in(arrays["hidden"] @ arrays["weight"], dtype)
    if "bias" in arrays:
        logits = _in(logits + arrays["bias"], dtype)
    return _softmax_cross_entropy({**arrays, "logits": logits}, options, dtype)


def _categorical_focal(arrays: Arrays, options: Options, dtype: str) -> Numbers:
    p = _softmax(arrays, options, dtype)
    factor = _in((1.0 - p) ** float(options.get("gamma", 2.0)), dtype)
    return _expected(_in(factor * _in(np.log(p), dtype), dtype), arrays, _axis(options), dtype)


def _from_probability(p: Numbers, t: Numbers, dtype: str, base: float = np.e) -> Numbers:
    """−[t ln p + (1 − t) ln(1 − p)]."""
    terms = t * _in(np.log(p), dtype) + (1.0 - t) * _in(np.log(_in(1.0 - p, dtype)), dtype)
    return -_in(terms / np.log(base), dtype)


def _sigmoid(x: Numbers, dtype: str) -> Numbers:
    return _in(1.0 / _in(1.0 + _in(np.exp(-x), dtype), dtype), dtype)


def _binary_with_logits(arrays: Arrays, _: Options, dtype: str) -> Numbers:
    return _from_probability(_sigmoid(arrays["logits"], dtype), arrays["targets"], dtype)


def _binary_focal(arrays: Arrays, options: Options, dtype: str) -> Numbers:
    p, t, gamma = _sigmoid(arrays["logits"], dtype), arrays["targets"], float(options.get("gamma", 2.0))
    rest = _in(1.0 - p, dtype)
    terms = t * rest**gamma * _in(np.log(p), dtype) + (1.0 - t) * p**gamma * _in(np.log(rest), dtype)
    return -_in(terms, dtype)


def _binary(arrays: Arrays, options: Options, dtype: str) -> Numbers:
    return _from_probability(arrays["probabilities"], arrays["targets"], dtype, float(options.get("base", np.e)))


def _categorical(arrays: Arrays, options: Options, dtype: str) -> Numbers:
    terms = _in(np.log(arrays["probabilities"]) / np.log(float(options.get("base", np.e))), dtype)
    return _expected(terms, arrays, _axis(options), dtype)


def _entropy(arrays: Arrays, options: Options, dtype: str) -> Numbers:
    return _categorical({**arrays, "targets": arrays["probabilities"]}, options, dtype)


NAIVE: Mapping[str, Formula] = MappingProxyType(
    {
        "entropy": _entropy,
        "softmax": _softmax,
        "log_softmax": _log_softmax,
        "cross_entropy": _categorical,
        "categorical_cross_entropy": _categorical,
        "softmax_cross_entropy": _softmax_cross_entropy,
        "linear_cross_entropy": _linear_cross_entropy,
        "binary_cross_entropy": _binary,
        "binary_cross_entropy_with_logits": _binary_with_logits,
        "binary_focal": _binary_focal,
        "categorical_focal": _categorical_focal,
    }
)
