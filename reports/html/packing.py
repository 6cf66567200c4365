"""What the page unpacks when somebody asks for it: JSON, compressed, as text."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

__all__ = ["LARGE", "packed"]

LARGE = 20_000
"""Cells from which on a report keeps below 8 MB by what is rarely read: those that simply agree come without their
script (theirs are three quarters of all), and the pages of cases are packed, which nobody reads without JavaScript
then."""


def packed(content: Any) -> str:
    """Base64 of the gzip of the JSON. No time stamp: the same content gives the same text."""
    raw = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    return base64.b64encode(gzip.compress(raw, compresslevel=9, mtime=0)).decode("ascii")
