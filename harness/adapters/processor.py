"""What the processor of this process can do: the features that CPUID reports, by their names in Linux.

glibc answers first (`sys/platform/x86.h`, public since 2.33): it asked the processor this very process runs on, which
under an emulator is another one than the kernel's. Elsewhere /proc/cpuinfo says it. Standard library only.
"""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

_EAX, _EBX, _ECX, _EDX = range(4)
_LEAF_1, _LEAF_7, _LEAF_7_1 = 0, 1, 6
"""What glibc calls CPUID_INDEX_1, CPUID_INDEX_7 and CPUID_INDEX_7_ECX_1."""

_BITS: Mapping[str, tuple[int, int, int]] = MappingProxyType(
    {
        "fma": (_LEAF_1, _ECX, 12),
        "sse4_1": (_LEAF_1, _ECX, 19),
        "avx": (_LEAF_1, _ECX, 28),
        "avx2": (_LEAF_7, _EBX, 5),
        "avx512f": (_LEAF_7, _EBX, 16),
        "avx512dq": (_LEAF_7, _EBX, 17),
        "avx512cd": (_LEAF_7, _EBX, 28),
        "avx512bw": (_LEAF_7, _EBX, 30),
        "avx512vl": (_LEAF_7, _EBX, 31),
        "avx512_vnni": (_LEAF_7, _ECX, 11),
        "amx_bf16": (_LEAF_7, _EDX, 22),
        "avx512_fp16": (_LEAF_7, _EDX, 23),
        "amx_tile": (_LEAF_7, _EDX, 24),
        "amx_int8": (_LEAF_7, _EDX, 25),
        "avx_vnni": (_LEAF_7_1, _EAX, 4),
        "avx512_bf16": (_LEAF_7_1, _EAX, 5),
    }
)
"""Where CPUID has each feature that a framework chooses kernels by: leaf, register, bit."""


class _Leaf(ctypes.Structure):
    """struct cpuid_feature: what the processor has, and what of it glibc itself uses (GLIBC_TUNABLES may hide some)."""

    _fields_ = (("cpuid", ctypes.c_uint32 * 4), ("active", ctypes.c_uint32 * 4))


@cache
def features() -> frozenset[str]:
    """The features among those known here that the processor has; empty on other processors than x86-64."""
    found = _from_glibc("cpuid")
    return found if found is not None else _from_kernel()


@cache
def used_by_libc() -> frozenset[str] | None:
    """The features by which glibc chooses its own functions; None where it does not say."""
    return _from_glibc("active")


def _from_glibc(field: str) -> frozenset[str] | None:
    if platform.machine() not in ("x86_64", "AMD64"):
        return None
    try:
        leaf = ctypes.CDLL(None).__x86_get_cpuid_feature_leaf
    except (OSError, AttributeError, TypeError):  # another C library, an older one, or another system
        return None
    leaf.restype, leaf.argtypes = ctypes.POINTER(_Leaf), (ctypes.c_uint,)
    registers = {index: getattr(leaf(index).contents, field) for index in (_LEAF_1, _LEAF_7, _LEAF_7_1)}
    return frozenset(name for name, (index, register, bit) in _BITS.items() if registers[index][register] >> bit & 1)


def _from_kernel(path: Path = Path("/proc/cpuinfo")) -> frozenset[str]:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return frozenset()
    lines = (line.partition(":")[2] for line in text.splitlines() if line.startswith("flags"))
    return frozenset(_BITS) & frozenset(next(lines, "").split())
