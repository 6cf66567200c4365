"""From whatever a test holds to an `Array` of the harness, bit for bit; no framework is imported for it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.core.arrays import Array
from harness.core.formats import FORMATS


def array_of(values: Any, dtype: str, *, whole: bool = False) -> Array:
    """`values` as an `Array`.

    Parameters
    ----------
    values : array_like
        An array of NumPy, of a framework, or of any type with `__array__` or DLPack, whose bits are taken as they are;
        or Python numbers and lists of them.
    dtype : str
        What Python numbers are rounded to.
    whole : bool, default False
        Whether Python integers stay integers, as class labels do.

    Returns
    -------
    Array
        In the shape and type of `values`, on the host.

    Raises
    ------
    TypeError
        A type that is no array, or one of numbers that are neither integers nor in one of `FORMATS`.

    Examples
    --------
    >>> import numpy as np
    >>> from xent.input_arrays import array_of
    >>> array_of([[1, 2]], "bfloat16").dtype
    'bfloat16'
    >>> array_of(np.zeros(3, np.float32), "bfloat16").dtype
    'float32'
    """
    if isinstance(values, Array):
        return values
    if is_plain(values):
        return _of_numbers(values, dtype, whole=whole)
    if hasattr(values, "detach"):  # a tensor of PyTorch, which hands out none that is part of a graph
        values = values.detach().cpu()
        if str(values.dtype) == "torch.bfloat16":
            # It hands out none of these either; widened, their bits are the upper half.
            wide = np.ascontiguousarray(values.float())
            return Array("bfloat16", (wide.view(np.uint32) >> 16).astype(np.uint16).reshape(tuple(values.shape)))
    held = _held(values)
    name = held.dtype.name
    if name == "bfloat16":  # as ml_dtypes has it, and whoever builds on it
        return Array(name, np.ascontiguousarray(held).view(np.uint16).reshape(held.shape))
    if name not in FORMATS and held.dtype.kind not in "iub":
        known = ", ".join(FORMATS)
        raise TypeError(f"expected integers or one of {known}, got {type(values).__name__} of {name}")
    return Array(name, held)


def is_plain(values: Any) -> bool:
    """Whether these are Python's numbers, or lists of them: without a type of their own."""
    return isinstance(values, bool | int | float | list | tuple) and not isinstance(values, np.generic)


def format_of(values: Any) -> str | None:
    """The floating type of an array; None of integers, and of what has no type of its own."""
    if values is None or is_plain(values):
        return None
    dtype = array_of(values, "float64").dtype
    return dtype if dtype in FORMATS else None


def _of_numbers(values: Any, dtype: str, *, whole: bool) -> Array:
    numbers = np.asarray(values)
    # NumPy makes an empty list one of floats: of labels it says the same as one of integers.
    if whole and (numbers.dtype.kind in "iu" or numbers.size == 0):
        return Array.of(numbers, "int64")
    if numbers.dtype.kind not in "fiu":
        raise TypeError(f"expected numbers, got {values!r}")
    return Array.of(numbers, dtype)


def _held(values: Any) -> NDArray[Any]:
    """The numbers of anything, as NumPy holds them."""
    if hasattr(values, "__array__"):
        return np.asarray(values)
    if hasattr(values, "__dlpack__"):
        return np.from_dlpack(values)
    raise TypeError(f"expected an array, got {type(values).__name__}")
