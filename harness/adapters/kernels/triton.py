"""Kernels in Triton's interpreter, as adapters."""

from __future__ import annotations

from dataclasses import replace

from harness.adapters.base import Answer, Call, Description, Unsupported
from harness.adapters.functions import Functions, LossFunction
from harness.adapters.kernels import interpreter
from harness.adapters.torch_like import library


class InTriton:
    """Functions whose kernels are Triton's, run by its interpreter in the types in which that can be trusted."""

    def __init__(self, version: str, *functions: LossFunction, versions: dict[str, str]) -> None:
        self._functions = Functions(library(), *functions, version=version)
        self._versions = versions

    def describe(self) -> Description:
        has = self._functions.describe()
        return replace(
            has,
            dtypes=(*has.dtypes, "bfloat16"),
            versions={**has.versions, **self._versions},
            flags={**has.flags, "Triton's interpreter": interpreter.MADE_GOOD},
            facts={**has.facts, "triton": "interpreter"},
        )

    def evaluate(self, call: Call) -> Answer:
        if call.dtype == "bfloat16":
            raise Unsupported(interpreter.UNTOLD)
        return self._functions.evaluate(call)
