"""Triton's interpreter as the machine that kernels run on: what it lacks is put beside it here, and nowhere else.

Triton runs kernels as NumPy on a CPU where TRITON_INTERPRET=1. As of 3.9 it hands float arguments to a kernel as
Python's, has no libdevice (its functions answer None), misses builtins that a library imported under a name of its own,
and computes bfloat16 on the sixteen bits as if they were an integer. The first three are made good before any library
is imported; the last is not, and what is asked in bfloat16 is unsupported with that reason. No library of kernels is
touched: what is judged is theirs. The header of a run says all of it.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import os
from collections.abc import Callable
from typing import Any

import numpy as np

MADE_GOOD = (
    "float arguments are float32, libdevice is NumPy, builtins under other names, torch.cuda.device does nothing"
)
UNTOLD = "Triton's interpreter computes bfloat16 on its bits: nothing can be told from it"


def prepare() -> None:
    """Once, before a library of kernels is imported."""
    os.environ["TRITON_INTERPRET"] = "1"
    import torch
    import triton.language as tl
    from triton.runtime import interpreter

    converted = interpreter._implicit_cvt
    libdevice = {
        "tanh": np.tanh,
        "log1p": np.log1p,
        "expm1": np.expm1,
        "exp": np.exp,
        "log": np.log,
        "pow": np.power,
        "fast_expf": np.exp,
        "fast_logf": np.log,
    }

    def with_floats(argument: Any) -> Any:
        if isinstance(argument, float):
            return tl.tensor(interpreter.TensorHandle(np.array([argument], np.float32), tl.float32), tl.float32)
        return converted(argument)

    def with_semantic(builtin: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(builtin)
        def called(*arguments: Any, _semantic: Any = None, **keywords: Any) -> Any:
            return builtin(*arguments, _semantic=_semantic or interpreter.interpreter_semantic, **keywords)

        return called

    def of_numpy(function: Callable[..., Any]) -> Callable[..., Any]:
        def called(*arguments: Any, **_: Any) -> Any:
            first = next(a for a in arguments if isinstance(a, tl.tensor))
            data = [a.handle.data if isinstance(a, tl.tensor) else a for a in arguments]
            with np.errstate(all="ignore"):
                answer = np.asarray(function(*data), first.handle.data.dtype)
            return tl.tensor(interpreter.TensorHandle(answer, first.dtype.scalar), first.type)

        return called

    interpreter._implicit_cvt = with_floats
    tl.cast = with_semantic(tl.cast)
    for place in ("triton.language.extra.libdevice", "triton.language.extra.cuda.libdevice"):
        module = importlib.import_module(place)
        for name, function in libdevice.items():
            setattr(module, name, of_numpy(function))
    torch.cuda.device = lambda _: contextlib.nullcontext()
