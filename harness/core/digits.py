"""Two numbers with as many digits as tell them apart."""

from __future__ import annotations

FEWEST = 4
"""Digits that are shown in any case."""


def told_apart(one: float, other: float) -> tuple[str, str]:
    """Both with the digits in which they differ, and one more; in full where they are the same number.

    >>> told_apart(0.16666666666666666, 0.1666666666666667)
    ('0.16666666666666666', '0.16666666666666671')
    >>> told_apart(1.5, 2.25)
    ('1.5', '2.25')
    """
    for digits in range(FEWEST, 17):
        if f"{one:.{digits}g}" != f"{other:.{digits}g}":
            return f"{one:.{digits + 1}g}", f"{other:.{digits + 1}g}"
    return f"{one:.17g}", f"{other:.17g}"
