"""Arrays that are needed several times: a case is described, asked and judged with the same."""

from __future__ import annotations

from harness.core.arrays import Array
from harness.core.case import ArraySpec
from harness.suite.generators import realize

SMALL = 64
"""Elements of an array worth keeping for a whole run: ten thousand specs in four dtypes are some ten megabytes."""


class Realized:
    """`realize`, remembering small arrays. What it returns may not be written to."""

    def __init__(self, largest: int = SMALL) -> None:
        """`largest` is the number of elements up to which an array is kept."""
        self._largest = largest
        # By identity, which holds as long as the spec lives: it is kept along with its array.
        self._kept: dict[tuple[int, str], tuple[ArraySpec, Array]] = {}

    def __call__(self, spec: ArraySpec, dtype: str) -> Array:
        """The array a spec describes, in a run in `dtype`; ValueError where it describes none."""
        key = (id(spec), dtype)
        if key in self._kept:
            return self._kept[key][1]
        array = realize(spec, dtype)
        if array.storage.size <= self._largest:
            array.storage.flags.writeable = False
            self._kept[key] = (spec, array)
        return array
