"""Text that XML can hold."""

from __future__ import annotations

import re

__all__ = ["printable"]

_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot hold, not even escaped."""


def printable(value: object) -> str:
    """The text of a value, with what XML forbids replaced; escaping is left to the writer."""
    return _FORBIDDEN.sub("\ufffd", str(value))
