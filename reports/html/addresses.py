"""Addresses inside the page. They are element ids as well, so that every link works without JavaScript."""

from __future__ import annotations

from urllib.parse import quote

from harness.core.printing import visible

__all__ = ["address", "outside"]


def address(kind: str, name: str) -> str:
    """`kind=name` with everything escaped that an address or an element id cannot hold, `name` as the page shows it.

    >>> address("cell", "edges/a[torch:eager:float32:value]")
    'cell=edges/a%5Btorch:eager:float32:value%5D'
    """
    return f"{kind}={quote(visible(name), safe='/:,.~-_', errors='replace')}"


def outside(link: object) -> str | None:
    """The link where it leads to the web; None for everything else, such as a script in disguise."""
    words = str(link or "").strip()
    return words if words.startswith(("https://", "http://")) and not set(words) & set(" \"'<>\\") else None
