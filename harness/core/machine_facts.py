"""Machine facts: what of a machine changes the numbers an implementation answers, in a closed vocabulary.

Each worker attests the facts of its implementation; the header of a run keeps them, and a ledger entry may be
conditional on them. They say which kernels run (their instruction set, a library switched on or off), never the name
of a processor: two models with the same kernels give the same numbers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

ON_OFF = ("on", "off")
INSTRUCTION_SETS = ("sse", "avx", "avx2", "avx512", "neon", "sve", "other")
ONEDNN_INSTRUCTION_SETS = (
    "sse41",
    "avx",
    "avx2",
    "avx2_vnni",
    "avx512_core",
    "avx512_core_vnni",
    "avx512_core_bf16",
    "avx512_core_fp16",
    "avx512_core_amx",
    "other",
)


@dataclass(frozen=True)
class Fact:
    """One name of the vocabulary."""

    meaning: str
    values: tuple[str, ...] = ()
    """All it may be; empty where `pattern` says it."""
    pattern: str = ""
    """A regular expression that the whole value matches."""

    def allows(self, value: str) -> bool:
        """Whether `value` belongs to the vocabulary."""
        return value in self.values if self.values else re.fullmatch(self.pattern, value) is not None

    def expected(self) -> str:
        """What may be written, in words."""
        return f"one of {', '.join(self.values)}" if self.values else f"a text such as {self.pattern!r}"


VOCABULARY: Mapping[str, Fact] = MappingProxyType(
    {
        "isa": Fact("instruction set of the kernels that run", INSTRUCTION_SETS),
        "lanes": Fact("float32 numbers in one vector: a sum runs in so many parts", ("4", "8", "16")),
        "fma": Fact("whether a product and a sum may round once", ON_OFF),
        "native_bfloat16": Fact("whether bfloat16 is converted by the processor", ON_OFF),
        "native_float16": Fact("whether float16 is computed by the processor", ON_OFF),
        "onednn": Fact("whether oneDNN's kernels take the place of the framework's own", ON_OFF),
        "onednn_isa": Fact("the instruction set oneDNN chooses", ONEDNN_INSTRUCTION_SETS),
        "onednn_bfloat16": Fact("whether oneDNN takes bfloat16 on this processor", ON_OFF),
        "onednn_float16": Fact("whether oneDNN takes float16 on this processor", ON_OFF),
        "onednn_limited": Fact("there where a variable keeps oneDNN from what the processor has", ("on",)),
        "deterministic": Fact("there where deterministic operations are asked for from outside", ("on",)),
        "libc": Fact("the C library, whose exp and log some frameworks call", ("glibc", "musl", "other")),
        "libc_version": Fact("its version", pattern=r"\d+(\.\d+)*"),
        "libm_fma": Fact("whether the C library chose its functions with FMA", ON_OFF),
        "triton": Fact("what runs Triton's kernels", ("interpreter", "compiler")),
    }
)
"""Every fact by its name."""


def contradiction(name: str, value: str) -> str | None:
    """Why a fact is none of the vocabulary, or None.

    >>> contradiction("onednn", "on")
    >>> contradiction("onednn", "yes")
    'the machine fact onednn is one of on, off, got yes'
    """
    fact = VOCABULARY.get(name)
    if fact is None:
        return f"there is no machine fact {name}; known: {', '.join(VOCABULARY)}"
    return None if fact.allows(value) else f"the machine fact {name} is {fact.expected()}, got {value}"
