"""Arguments are looked at before anything is computed: a wrong one raises a ValueError that says what is allowed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reference.signatures import DENOMINATORS, LOSSES, OPTIONS, Signature

Floats = NDArray[np.float64]


class ArgumentError(ValueError):
    """An argument that is not allowed: which, its value or shape, and what is."""


def signature_of(loss: str) -> Signature:
    if loss not in LOSSES:
        raise ArgumentError(f"loss {loss!r} is not known: there are {', '.join(LOSSES)}")
    return LOSSES[loss]


def check_names(loss: str, inputs: Mapping[str, Any], options: Mapping[str, Any]) -> None:
    """All inputs there, none unknown; no unknown option."""
    signature = signature_of(loss)
    for name in inputs:
        if name not in signature.inputs:
            raise ArgumentError(f"{loss}: input {name!r} is not known: it takes {', '.join(signature.inputs)}")
    known = (*signature.options, *(("reduction", "denominator") if signature.reductions else ()))
    for name in options:
        if name not in known:
            raise ArgumentError(f"{loss}: option {name!r} is not known: it takes {', '.join(known) or 'none'}")
    together = signature.problem(inputs, options)
    if together is not None:
        raise ArgumentError(f"{loss}: {together}")
    reduction = options.get("reduction", "mean")
    if signature.reductions and reduction not in signature.reductions:
        raise ArgumentError(f"{loss}: reduction {reduction!r}: expected one of {', '.join(signature.reductions)}")
    denominator = options.get("denominator")
    if isinstance(denominator, str) and denominator not in DENOMINATORS:
        raise ArgumentError(
            f"{loss}: denominator {denominator!r}: expected one of {', '.join(DENOMINATORS)}, or a number"
        )
    for name, value in options.items():
        problem = OPTIONS[name].problem(value)
        if problem is not None:
            raise ArgumentError(f"{name} = {value!r}: {problem}")


def floats(name: str, value: Any) -> Floats:
    """A floating input as float64; integers count as numbers, anything else is refused."""
    array = np.asarray(value)
    if array.dtype.kind not in "fiu":
        raise ArgumentError(f"{name}: expected numbers, got {array.dtype}")
    return array.astype(np.float64, copy=False)


def axis_of(name: str, array: NDArray[Any], axis: Any) -> int:
    """The class axis, counted from the end."""
    if isinstance(axis, bool) or not isinstance(axis, int | np.integer):
        raise ArgumentError(f"axis: expected an integer, got {axis!r}")
    if array.ndim == 0:
        raise ArgumentError(f"{name}: expected at least one axis, got a scalar")
    if not -array.ndim <= int(axis) < array.ndim:
        raise ArgumentError(f"axis {axis}: {name} has {array.ndim} axes, expected {-array.ndim} to {array.ndim - 1}")
    return int(axis) % array.ndim - array.ndim


def probabilities(name: str, array: Floats) -> Floats:
    """Values within [0, 1]; nan passes, since its result is nan."""
    outside = (array < 0) | (array > 1)
    if outside.any():
        index = tuple(int(i) for i in np.argwhere(outside)[0])
        raise ArgumentError(f"{name}{list(index)} = {array[index]!r}: expected values within [0, 1]")
    return array + 0.0  # −0 is the probability 0, and its reciprocal +inf


def shaped(name: str, array: NDArray[Any], shape: tuple[int, ...], why: str) -> NDArray[Any]:
    if array.shape != shape:
        raise ArgumentError(f"{name} has shape {array.shape}: expected {shape}, {why}; nothing is broadcast")
    return array


def weights(name: str, value: Any, shape: tuple[int, ...], why: str) -> Floats:
    """Weights of exactly this shape, finite."""
    array = floats(name, value)
    shaped(name, array, shape, why)
    if not np.isfinite(array).all():
        raise ArgumentError(f"{name}: expected finite weights")
    return array


def broadcast_weights(name: str, value: Any, shape: tuple[int, ...]) -> Floats:
    """Finite weights, repeated to this shape as NumPy broadcasts; never more of them than the shape has elements."""
    array = floats(name, value)
    try:
        repeated = np.broadcast_to(array, shape)
    except ValueError:
        raise ArgumentError(f"{name} has shape {array.shape}: expected one that broadcasts to {shape}") from None
    if not np.isfinite(array).all():
        raise ArgumentError(f"{name}: expected finite weights")
    return repeated


def unit_interval(name: str, value: Any) -> float:
    number = float(value)
    if not 0.0 <= number <= 1.0:
        raise ArgumentError(f"{name} = {value!r}: expected a number within [0, 1]")
    return number


def class_mask(value: Any, rows: tuple[int, ...], classes: int, axis: int) -> NDArray[np.bool_]:
    """Which classes count: one row for all rows, or one row per row, the classes last."""
    array = np.asarray(value)
    if array.dtype.kind not in "biu" or not np.isin(array, (0, 1)).all():
        raise ArgumentError(f"class_mask: expected truth values, got {array.dtype}")
    if array.shape == (classes,):
        return array.astype(bool)[None, :]
    moved = np.moveaxis(array, axis, -1) if array.ndim == len(rows) + 1 else array
    shaped("class_mask", moved, (*rows, classes), f"one per logit, or {(classes,)}, one per class")
    return moved.astype(bool).reshape(-1, classes)


def labels(
    array: NDArray[Any], shape: tuple[int, ...], classes: int, ignored: int | None
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Class labels and which rows count. A label that is no class and is not ignored is refused."""
    if array.dtype.kind not in "iu":
        raise ArgumentError(f"targets: expected integers as class labels, got {array.dtype}")
    shaped("targets", array, shape, "one label per row")
    if array.dtype.kind == "u" and array.size and int(array.max()) > np.iinfo(np.int64).max:
        raise ArgumentError("targets: a label beyond every class")
    whole = array.astype(np.int64)
    valid = np.ones(shape, dtype=bool) if ignored is None else whole != ignored
    wrong = valid & ((whole < 0) | (whole >= classes))
    if wrong.any():
        index = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise ArgumentError(
            f"targets{list(index)} = {int(array[index])}: expected a label from 0 to {classes - 1}"
            + ("" if ignored is None else f", or {ignored} for a row that is ignored")
        )
    return np.where(valid, whole, 0), valid
