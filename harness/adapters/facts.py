"""The machine facts of each framework, by the framework's own rules, and the environment variables that change numbers.

A framework that says itself what it chose is asked (PyTorch, NumPy); for the others the rule stands here beside its
source, applied to what CPUID reports and to the variables the framework reads. Pure but for `numpy_facts` and
`libc_facts`, which ask this process. The names are those of `harness.core.machine_facts`.
"""

from __future__ import annotations

import contextlib
import io
import os
import platform
import re
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from harness.adapters import processor

Facts = dict[str, str]

_ONEDNN = ("DNNL_", "ONEDNN_", "OMP_NUM_THREADS")
VARIABLES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "numpy": ("NPY_DISABLE_CPU_FEATURES", "NPY_ENABLE_CPU_FEATURES", "OPENBLAS_"),
        "torch": ("ATEN_CPU_CAPABILITY", "MKL_", *_ONEDNN),
        "tensorflow": (
            "TF_DETERMINISTIC_OPS",
            "TF_ENABLE_ONEDNN_OPTS",
            "TF_NUM_INTRAOP_THREADS",
            "TF_XLA_FLAGS",
            "XLA_FLAGS",
            *_ONEDNN,
        ),
        "jax": ("JAX_DEFAULT_MATMUL_PRECISION", "JAX_DISABLE_JIT", "XLA_FLAGS"),
        "onnxruntime": (),
    }
)
"""By framework, the environment variables that change its numbers; those that end in _ are the beginning of several."""


def variables(framework: str, environment: Mapping[str, str]) -> Facts:
    """The environment variables that change a framework's numbers, without any word that names a place on this machine.

    >>> variables("jax", {"XLA_FLAGS": "--xla_cpu_max_isa=AVX2 --xla_dump_to=/home/me", "HOME": "/home/me"})
    {'XLA_FLAGS': '--xla_cpu_max_isa=AVX2'}
    """
    names = ("GLIBC_TUNABLES", *VARIABLES[framework])
    chosen = {
        variable: " ".join(word for word in value.split() if os.sep not in word)
        for variable, value in sorted(environment.items())
        if any(variable.startswith(name) if name.endswith("_") else variable == name for name in names)
    }
    return {variable: value for variable, value in chosen.items() if value}


def libc_facts() -> Facts:
    """The C library of this process, and whether it chose its exp and log with FMA."""
    name, number = platform.libc_ver()
    facts = {"libc": name if name in ("glibc", "musl") else "other"}
    if re.fullmatch(r"\d+(\.\d+)*", number):
        facts["libc_version"] = number
    used = processor.used_by_libc()
    if used is not None:
        # sysdeps/x86_64/fpu/multiarch/ifunc-fma.h: FMA and AVX2 both.
        facts["libm_fma"] = _on({"fma", "avx2"} <= used)
    return facts


def numpy_facts() -> Facts:
    """What NumPy dispatches to, as `numpy.show_config` reports it after NPY_DISABLE_CPU_FEATURES."""
    return {**numpy_kernels(numpy_targets()), **libc_facts()}


def printed_extensions(text: str) -> Mapping[str, list[str]]:
    """The same of NumPy before 1.25, which prints it and returns nothing.

    >>> printed_extensions("    baseline = SSE,SSE2\\n    found = SSSE3,AVX2\\n    not found = KNL")
    {'baseline': ['SSE', 'SSE2'], 'found': ['SSSE3', 'AVX2']}
    """
    listed = re.findall(r"^\s+(baseline|found) = (.*)$", text, re.MULTILINE)
    return {name: [word.strip() for word in words.split(",") if word.strip()] for name, words in listed}


def numpy_targets(*, dispatched: bool = True) -> frozenset[str]:
    """The features NumPy always uses and, unless `dispatched` is false, those it found here besides."""
    extensions: Mapping[str, Any]
    try:
        extensions = np.show_config(mode="dicts").get("SIMD Extensions", {})
    except TypeError:  # NumPy before 1.25 has no modes
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            np.show_config()
        extensions = printed_extensions(printed.getvalue())
    return frozenset([*extensions.get("baseline", ()), *(extensions.get("found", ()) if dispatched else ())])


def numpy_kernels(targets: Collection[str]) -> Facts:
    """NumPy's names of what it may dispatch to: levels of x86-64 since 2.4, single extensions before."""
    if not targets:
        return {"isa": "other"}
    if {"ASIMD", "NEON"} & set(targets):
        return {"isa": "neon", "lanes": "4", "fma": "on"}
    isa = next(
        (
            isa
            for isa, signs in (
                ("avx512", {"X86_V4", "AVX512_SKX"}),
                ("avx2", {"X86_V3", "AVX2"}),
                ("avx", {"AVX"}),
            )
            if signs & set(targets)
        ),
        "sse",
    )
    return {
        "isa": isa,
        "lanes": _LANES[isa],
        "fma": _on(isa == "avx512" or bool({"X86_V3", "FMA3"} & set(targets))),
        "native_float16": _on("AVX512_SPR" in targets),
    }


_LANES = {"sse": "4", "avx": "8", "avx2": "8", "avx512": "16", "neon": "4"}


def processor_kernels(features: Collection[str], machine: str) -> Facts:
    """What the processor offers to code that is generated or chosen for it, as XLA's and ONNX Runtime's are."""
    if machine in ("aarch64", "arm64"):
        return {"isa": "neon", "fma": "on"}
    if machine not in ("x86_64", "AMD64"):
        return {"isa": "other"}
    isa = next(
        (isa for isa, sign in (("avx512", "avx512f"), ("avx2", "avx2"), ("avx", "avx")) if sign in features), "sse"
    )
    return {"isa": isa, "fma": _on("fma" in features)}


def torch_facts(capability: str, onednn: bool, features: Collection[str], environment: Mapping[str, str]) -> Facts:
    """`capability` as `torch.backends.cpu.get_cpu_capability` says it, which follows ATEN_CPU_CAPABILITY.

    Without AVX2 its vectors are emulated at 32 bytes (aten/src/ATen/cpu/vec/vec_base.h): eight numbers all the same.
    """
    isa, lanes = {
        "AVX512": ("avx512", "16"),
        "AVX2": ("avx2", "8"),
        "DEFAULT": ("neon", "4") if platform.machine() in ("aarch64", "arm64") else ("sse", "8"),
        "SVE256": ("sve", "8"),
    }.get(capability, ("other", ""))
    return {
        "isa": isa,
        **({"lanes": lanes} if lanes else {}),
        "fma": _on(isa not in ("sse", "other")),
        "onednn": _on(onednn),
        **(onednn_kernels(features, environment) if onednn else {}),
        **libc_facts(),
    }


def tensorflow_facts(features: Collection[str], environment: Mapping[str, str]) -> Facts:
    """oneDNN on or off by TensorFlow's rule, what it takes then, and what XLA generates code for.

    tensorflow/core/util/util.cc: on by default on Linux where the processor has VNNI, BF16 or AMX instructions;
    TF_ENABLE_ONEDNN_OPTS decides otherwise where it is 0, false, 1 or true. Which dtypes it takes then is
    tensorflow/core/graph/mkl_graph_util.h. Where TF_DETERMINISTIC_OPS is 1 or true, its losses of logits are computed
    by other formulas (tensorflow/python/ops/nn_ops.py).
    """
    signs = {"avx512_vnni", "avx512_bf16", "avx_vnni", "amx_tile", "amx_int8", "amx_bf16"}
    asked = environment.get("TF_ENABLE_ONEDNN_OPTS", "").lower()
    by_itself = bool(signs & set(features)) and platform.system() == "Linux"
    on = {"1": True, "true": True, "0": False, "false": False}.get(asked, by_itself)
    deterministic = environment.get("TF_DETERMINISTIC_OPS", "").lower() in ("1", "true")
    return {
        **xla_facts(features, environment),
        **({"deterministic": "on"} if deterministic else {}),
        "onednn": _on(on),
        **(onednn_kernels(features, environment) if on else {}),
    }


_ONEDNN_LADDER = (
    ("sse41", {"sse4_1"}),
    ("avx", {"avx"}),
    ("avx2", {"avx2"}),
    ("avx2_vnni", {"avx2", "avx_vnni"}),
    ("avx512_core", {"avx512f", "avx512bw", "avx512vl", "avx512dq"}),
    ("avx512_core_vnni", {"avx512_vnni"}),
    ("avx512_core_bf16", {"avx512_bf16"}),
    ("avx512_core_fp16", {"avx512_fp16"}),
    ("avx512_core_amx", {"amx_tile", "amx_int8", "amx_bf16"}),
)
"""Lowest first, each with what it needs besides those below it."""


def onednn_kernels(features: Collection[str], environment: Mapping[str, str]) -> Facts:
    """The instruction set oneDNN chooses, below ONEDNN_MAX_CPU_ISA, and the narrow formats it computes in.

    Processors without AVX-512 skip its steps; AVX2_VNNI is a step beside the ladder that AVX-512 goes past.
    """
    limit = environment.get("ONEDNN_MAX_CPU_ISA", environment.get("DNNL_MAX_CPU_ISA", "")).lower()
    names = [name for name, _ in _ONEDNN_LADDER]
    free = _onednn_reaches(features, names)
    reached = _onednn_reaches(features, names[: names.index(limit) + 1]) if limit in names else free
    wide = names[names.index("avx512_core") :]
    return {
        "onednn_isa": reached,
        "onednn_bfloat16": _on(reached in wide),
        "onednn_float16": _on(reached in names[names.index("avx512_core_fp16") :]),
        **({} if reached == free else {"onednn_limited": "on"}),
    }


def _onednn_reaches(features: Collection[str], allowed: Collection[str]) -> str:
    reached = "other"
    for name, needed in _ONEDNN_LADDER:
        if name in allowed and needed <= set(features):
            reached = name
        elif name.startswith("avx512"):
            break
    return reached


_XLA_LIMITS = {
    "SSE4_2": {"sse4_1"},
    "AVX": {"sse4_1", "avx"},
    "AVX2": {"sse4_1", "avx", "avx2", "fma", "avx_vnni"},
}
"""What `--xla_cpu_max_isa` leaves of the features known here, up to AVX2."""
_XLA_WIDE_LIMITS = {
    "AVX512": {"avx512_vnni", "avx512_bf16", "avx512_fp16"},
    "AVX512_VNNI": {"avx512_bf16", "avx512_fp16"},
    "AVX512_BF16": {"avx512_fp16"},
}
"""What it takes away above AVX2."""


def xla_facts(features: Collection[str], environment: Mapping[str, str]) -> Facts:
    """What XLA generates code for: the processor, below `--xla_cpu_max_isa`; products are contracted where FMA is."""
    limit = _xla_flag("xla_cpu_max_isa", environment).upper()
    left = set(features) & _XLA_LIMITS.get(limit, set(features)) - _XLA_WIDE_LIMITS.get(limit, set())
    return {
        **processor_kernels(left, platform.machine()),
        "native_bfloat16": _on("avx512_bf16" in left),
        "native_float16": _on("avx512_fp16" in left),
        **libc_facts(),
    }


def _xla_flag(name: str, environment: Mapping[str, str]) -> str:
    words = [word.partition("=") for word in environment.get("XLA_FLAGS", "").split()]
    return next((value for flag, _, value in reversed(words) if flag == f"--{name}"), "")


def onnxruntime_facts(features: Collection[str]) -> Facts:
    """onnxruntime/core/mlas/lib/platform.cpp: AVX2 kernels where FMA is too, AVX-512 ones above them."""
    seen = set(features) if {"avx2", "fma"} <= set(features) else set(features) & {"sse4_1", "avx"}
    return {**processor_kernels(seen, platform.machine()), **libc_facts()}


def _on(holds: bool) -> str:
    return "on" if holds else "off"
