"""From a written case to the call it stands for in a dtype: the one place where its arrays are made together."""

from __future__ import annotations

from harness.core.call import Call
from harness.core.case import ArraySpec, Case
from harness.suite.generators import Realize, realize


def call_of(case: Case, dtype: str, mode: str = "eager", realize: Realize = realize) -> Call:
    """What a case asks in one dtype; `realize` makes the arrays, or remembers them."""
    return Call(
        loss=case.loss,
        inputs={name: realize(spec, dtype) for name, spec in case.inputs.items()},
        options={n: realize(v, dtype) if isinstance(v, ArraySpec) else v for n, v in case.options.items()},
        dtype=dtype,
        mode=mode,
        differentiate=case.differentiate,
        cotangent=None if case.cotangent is None else realize(case.cotangent, dtype),
        vector=None if case.vector is None else realize(case.vector, dtype),
        outputs=case.outputs,
    )
