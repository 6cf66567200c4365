"""`Array`: a NumPy array together with the name of the type it stands for, and its form on the wire.

Standard library and NumPy only: this module also runs inside workers.
"""

from __future__ import annotations

import base64
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.core.formats import FORMATS, decode, encode


def _types(name: str) -> tuple[np.dtype[Any], np.dtype[Any]]:
    """How NumPy calls what is stored for the type `name`: on the wire, and here. TypeError where it knows none."""
    stored = np.dtype(FORMATS[name].storage if name in FORMATS else name)
    return stored.newbyteorder("<"), stored.newbyteorder("=")


@dataclass(frozen=True, eq=False)
class Array:
    """Numbers of the type named `dtype`.

    Attributes
    ----------
    dtype : str
        float64, float32, float16, bfloat16, or NumPy's name of a type of integers.
    storage : ndarray
        The array of NumPy that holds them. Only bfloat16 differs from what NumPy calls its type: its sixteen bits are
        stored as uint16 (reinterpret them with `view`, never convert them).

    Examples
    --------
    >>> Array.of([1.0, 0.1], "bfloat16").storage
    array([16256, 15821], dtype=uint16)
    """

    dtype: str
    storage: NDArray[Any]

    def __post_init__(self) -> None:
        wanted = FORMATS[self.dtype].storage if self.dtype in FORMATS else self.dtype
        if (stored := self.storage.dtype.name) != wanted:
            raise TypeError(f"an Array of {self.dtype} is stored as {wanted}, got {stored}")

    @classmethod
    def of(cls, values: Any, dtype: str | None = None) -> Array:
        """Numbers as an array of a type.

        Parameters
        ----------
        values : array_like
            Numbers of any type.
        dtype : str, optional
            What they are rounded to, once; by default the type NumPy gives them.

        Returns
        -------
        Array
            In the shape of `values`.

        Raises
        ------
        TypeError
            A `dtype` that neither `FORMATS` nor NumPy knows.

        Examples
        --------
        >>> Array.of([0.1], "float16").to_float64()
        array([0.09997559])
        """
        raw = np.asarray(values)
        name = raw.dtype.name if dtype is None else dtype
        if name in FORMATS:
            return cls(name, encode(raw, FORMATS[name]))
        return cls(name, raw.astype(name))

    @property
    def shape(self) -> tuple[int, ...]:
        return self.storage.shape

    @property
    def is_float(self) -> bool:
        return self.dtype in FORMATS

    def to_float64(self) -> NDArray[np.float64]:
        """The exact values as float64 (integers beyond 2^53 are rounded)."""
        if self.dtype in FORMATS:
            return decode(self.storage, FORMATS[self.dtype])
        return self.storage.astype(np.float64)

    def same_bits(self, other: Array) -> bool:
        return (
            self.dtype == other.dtype
            and self.shape == other.shape
            and np.ascontiguousarray(self.storage).tobytes() == np.ascontiguousarray(other.storage).tobytes()
        )

    def to_wire(self) -> dict[str, Any]:
        """`{"dtype", "shape", "data"}`, the data little-endian, in row-major order, base64."""
        flat = np.ascontiguousarray(self.storage)
        if sys.byteorder == "big":  # pragma: no cover - no such machine among those we test on
            flat = flat.byteswap()
        return {
            "dtype": self.dtype,
            "shape": list(self.shape),
            "data": base64.b64encode(flat.tobytes()).decode("ascii"),
        }

    @classmethod
    def from_wire(cls, message: dict[str, Any]) -> Array:
        """The inverse of `to_wire`; a message whose parts contradict each other raises ValueError."""
        try:
            name, shape, data = str(message["dtype"]), tuple(int(n) for n in message["shape"]), message["data"]
            sent, stored = _types(name)
            raw = base64.b64decode(data, validate=True)
            storage = np.frombuffer(raw, dtype=sent).astype(stored).reshape(shape)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"not an array on the wire: {error}") from error
        return cls(name, storage)


def plain(value: Any) -> Any:
    """An array as the reference takes it; anything else as it is."""
    if isinstance(value, Array):
        return value.to_float64() if value.is_float else value.storage
    return value
