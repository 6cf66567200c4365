"""The committed certificate, and which sources it belongs to; read without mpmath, which only certifying needs."""

from __future__ import annotations

import ast
import hashlib
import json
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import reference

COMMITTED = Path(__file__).resolve().parent / "certificate.json"
"""The certificate of the reference as it is here: made by `xent certify -o harness/certification/certificate.json`."""

_PARSING = threading.Lock()
"""Two threads that parse at the same time are a SystemError in Python 3.11."""


def committed_certificate() -> Mapping[str, Any] | None:
    """The committed certificate without its worst cases; None where it is one of another reference than this."""
    if not COMMITTED.is_file():
        return None
    entry: dict[str, Any] = json.loads(COMMITTED.read_text(encoding="utf-8"))
    if entry.get("digest") != source_digest():
        return None
    return {name: value for name, value in entry.items() if name not in ("worst", "by_loss")}


def source_digest() -> str:
    """sha256 over the source that `reference.evaluate` is made of: a certificate is one of exactly these files."""
    h = hashlib.sha256()
    for path in exact_sources(Path(reference.__file__).resolve().parent):
        h.update(path.name.encode())
        h.update(path.read_bytes())
    return h.hexdigest()


def exact_sources(folder: Path) -> Sequence[Path]:
    """The module of `evaluate` and all that it imports of the reference; what stands beside them computes no truth."""
    found: set[Path] = set()
    waiting = ["evaluation"]
    while waiting:
        path = folder / f"{waiting.pop()}.py"
        if path in found or not path.is_file():
            continue
        found.add(path)
        with _PARSING:
            parsed = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(parsed):
            if isinstance(node, ast.ImportFrom) and node.module == "reference":
                waiting += [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("reference."):
                waiting.append(str(node.module).partition(".")[2])
    return sorted(found)
