"""The modes in which PyTorch's linear cross-entropy goes through the rows in chunks. Imports nothing."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

CHUNKED: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "chunked": {},
        "chunked-1-compact": {"batch_chunk_size": 1, "acc_policy": "compact"},
        "chunked-2-balanced": {"batch_chunk_size": 2, "acc_policy": "balanced"},
        "chunked-3-accurate": {"batch_chunk_size": 3, "acc_policy": "accurate", "allow_retain_graph": True},
    }
)
"""By mode, the arguments of `torch.nn.LinearCrossEntropyOptions`: how many rows a chunk has, and where sums are kept.
PyTorch chooses both in the first."""
