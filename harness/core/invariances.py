"""Invariances of bits by name, and the words of their cells."""

from __future__ import annotations

INVARIANCES = ("second-call", "batch", "position", "layout", "threads")
"""Ways to ask the same once more, whose answers may be the same to the bit: in a second call, a row alone and in its
batch, the rows in another order, the inputs in other memory, with one thread and with two."""

THREADS = 2
"""How many there are where more than one is asked for: two show what several do, and can be had on any machine."""

ASPECT = "invariance/"
"""What the aspects of their cells begin with; a name follows."""

SAME, DIFFER, RAISES = "bits(same)", "bits(differ)", "bits(raises)"
"""What such a cell says in place of a convention."""


def is_invariance(aspect: str) -> bool:
    """Whether the aspect is one that nothing is right or wrong in."""
    return aspect.startswith(ASPECT)
