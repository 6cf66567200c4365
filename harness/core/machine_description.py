"""What machine a run was made on: what decides bits and speed, and nothing that identifies anybody."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np


def describe_machine() -> Mapping[str, Any]:
    """python, numpy, platform, cpu, instruction_set, cores, memory_gib."""
    return {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "platform": f"{platform.system()} {platform.machine()}",
        "cpu": _cpu_model(),
        "instruction_set": _instruction_set(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gib": _memory_gib(),
    }


def _cpu_model() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return platform.processor() or "unknown"
    names = (line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name"))
    return next(names, platform.processor() or "unknown")


def _instruction_set() -> str:
    """The vector extensions NumPy found: frameworks choose their kernels by the same flags."""
    features = np.show_config(mode="dicts").get("SIMD Extensions", {})
    found = [*features.get("baseline", []), *features.get("found", [])]
    return " ".join(found) if found else "unknown"


def _memory_gib() -> float | None:
    try:
        return round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1)
    except (AttributeError, ValueError, OSError):
        return None
