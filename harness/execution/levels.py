"""Levels: other kernels than this machine's own choice, asked for by the environment variables the frameworks read.

What a level reaches is in the machine facts that each worker attests. ONNX Runtime reads no variable: its AVX2 kernels
run under an emulator, as `--python` of a wrapper around qemu-x86_64.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

XLA_FLAGS = "XLA_FLAGS"

NUMPY_OFF = "NPY_DISABLE_CPU_FEATURES"


@dataclass(frozen=True)
class Level:
    """One way to run the workers."""

    meaning: str
    variables: Mapping[str, str] = field(default_factory=dict)
    """What is set, over the user's own; XLA_FLAGS are appended to the user's."""
    numpy_keeps: tuple[str, ...] | None = None
    """Of the dispatched features that NumPy found, those that stay on; None: all of them."""
    needs: frozenset[str] = frozenset()
    """Features of the processor without which the level cannot be had."""


NATIVE = "native"

LEVELS: Mapping[str, Level] = MappingProxyType(
    {
        NATIVE: Level("what this machine does by itself"),
        "onednn": Level("TensorFlow with oneDNN", {"TF_ENABLE_ONEDNN_OPTS": "1"}, needs=frozenset({"sse4_1"})),
        "eigen": Level("TensorFlow without oneDNN", {"TF_ENABLE_ONEDNN_OPTS": "0"}),
        "avx2": Level(
            "every framework that can be told with AVX2 and without AVX-512",
            {
                "ATEN_CPU_CAPABILITY": "avx2",
                "MKL_ENABLE_INSTRUCTIONS": "AVX2",
                "ONEDNN_MAX_CPU_ISA": "AVX2",
                "OPENBLAS_CORETYPE": "Haswell",
                # As on such a processor: TensorFlow looks at the processor and not at what oneDNN may use, and would
                # ask oneDNN for bfloat16, which it has with AVX-512 only ("could not create a primitive descriptor").
                "TF_ENABLE_ONEDNN_OPTS": "0",
                XLA_FLAGS: "--xla_cpu_max_isa=AVX2",
            },
            numpy_keeps=("X86_V3", "AVX", "F16C", "FMA3", "AVX2"),
            needs=frozenset({"avx2", "fma"}),
        ),
        "plain": Level(
            "every framework that can be told without AVX2, the C library without FMA",
            {
                "ATEN_CPU_CAPABILITY": "default",
                "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-FMA",
                "MKL_ENABLE_INSTRUCTIONS": "SSE4_2",
                "ONEDNN_MAX_CPU_ISA": "SSE41",
                "OPENBLAS_CORETYPE": "Nehalem",
                "TF_ENABLE_ONEDNN_OPTS": "0",
                # Below AVX, XLA leaves out F16C, and then no program that computes in float16 can be linked.
                XLA_FLAGS: "--xla_cpu_max_isa=AVX",
            },
            numpy_keeps=(),
            needs=frozenset({"sse4_1"}),
        ),
    }
)
"""Every level by its name."""


def environment_at(level: str, user: Mapping[str, str], numpy_found: Collection[str]) -> dict[str, str]:
    """The user's environment with what a level sets; `numpy_found` are the features that NumPy dispatches on here.

    >>> environment_at("eigen", {"HOME": "/home/me"}, [])
    {'HOME': '/home/me', 'TF_ENABLE_ONEDNN_OPTS': '0'}
    >>> environment_at("plain", {"NPY_DISABLE_CPU_FEATURES": "X86_V4"}, ["X86_V3"])["NPY_DISABLE_CPU_FEATURES"]
    'X86_V4 X86_V3'
    """
    chosen = LEVELS[level]
    told = {**user, **chosen.variables}
    if XLA_FLAGS in chosen.variables:
        told[XLA_FLAGS] = " ".join(filter(None, (user.get(XLA_FLAGS, ""), chosen.variables[XLA_FLAGS])))
    if chosen.numpy_keeps is not None and (off := [name for name in numpy_found if name not in chosen.numpy_keeps]):
        # NumPy did not find what the user turned off already: it stays off.
        told[NUMPY_OFF] = " ".join(dict.fromkeys([*user.get(NUMPY_OFF, "").replace(",", " ").split(), *off]))
    return told


def numpy_dispatches() -> tuple[str, ...]:
    """The features that NumPy found here and has kernels for, besides those it always uses."""
    return tuple(np.show_config(mode="dicts").get("SIMD Extensions", {}).get("found", ()))


def available(features: Collection[str]) -> tuple[str, ...]:
    """The levels that a processor with these features has."""
    return tuple(name for name, level in LEVELS.items() if level.needs <= set(features))
