"""One MLIR context for all programs that a process lowers, where JAX makes a new one for each.

Eager JAX lowers a program of one operation for every new shape and dtype. With a warm compilation cache that takes
5 ms, and half of it is the making of a context: loading the same dialects again. What is lowered, and so what is
compiled and run, is the same text.

Imports JAX only.
"""

from __future__ import annotations

import functools

import jax

VERIFIED = frozenset({(0, 10)})
"""Releases for which the whole suite gave the same bits with one context as with many. `make_ir_context` is no public
name: any other release is left as it is."""


def share_one_context(version: tuple[int, ...] = jax.__version_info__) -> bool:
    """Let this process lower everything in one context; whether it does."""
    if version[:2] not in VERIFIED:
        return False
    from jax._src.interpreters import mlir

    if not hasattr(mlir.make_ir_context, "cache_info"):
        mlir.make_ir_context = functools.cache(mlir.make_ir_context)
    return True
