"""`xent.assert_close`: one call of any implementation, judged in anybody's test."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import reference
from harness.core.call import Call
from harness.core.case import ExpectTruth
from harness.core.cell import RIGHT, Cell
from harness.core.outcomes import Returned
from harness.judgement.ledger import Ledger
from harness.judgement.truth import DIRECTIONAL, HESSIAN_VECTOR, TruthTable, aspects
from harness.judgement.verdict import Subject, judge
from harness.mistakes.diagnosis import diagnose
from xent.input_arrays import array_of
from xent.keyword_calls import call_of


def assert_close(
    value: Any,
    gradients: Mapping[str, Any] | None = None,
    *,
    loss: str,
    hessian_vector: Any = None,
    directional: Any = None,
    dtype: str | None = None,
    convention: Mapping[str, Any] | str | None = None,
    cotangent: Any = None,
    vector: Any = None,
    flush_to_zero: bool = False,
    **inputs_and_options: Any,
) -> None:
    """Judge what an implementation computed by the exact truth, and say what is wrong where something is.

    Parameters
    ----------
    value : array_like
        What the implementation returned: in the format of the inputs, in the shape that `loss` has.
    gradients : mapping of str to array_like, optional
        By the name of the input, in its shape; only those that are named are judged, and None is no gradient.
    loss : str
        A name of `reference.LOSSES`.
    hessian_vector : array_like, optional
        The product of the Hessian with the `vector`, of losses that are differentiated twice here.
    directional : array_like, optional
        The derivative of the value along the `vector`, in the shape of the value.
    dtype : str, optional
        The format the result is to have: "float64", "float32", "float16" or "bfloat16". By default that of the inputs,
        or of `value` where they are Python numbers.
    convention : mapping or str, optional
        Documented choices of this implementation, under which it may be right as well: ``"clip(1e-7)"``; see
        `reference.conventions`. ``{"result_dtype": "float32"}`` says that it answers in that format on purpose.
    cotangent, vector : array_like, optional
        As for `xent.truth`.
    flush_to_zero : bool, default False
        Whether the implementation is known to replace subnormal numbers by zero.
    **inputs_and_options
        As for `xent.truth`.

    Raises
    ------
    AssertionError
        Something is not right: which result, where it is worst, got and truth, how many units in the last place apart
        and how much of the tolerance that is, and which convention or mistake explains it, if one does.
    ValueError
        As from `xent.truth`: the inputs themselves are not those of the loss.
    TypeError
        As from `xent.truth`.

    Notes
    -----
    Right is what is within k · eps · A of the truth (`xent.tolerance`) and has its nans and infinities where the truth
    has them. The judge is the one of `xent.check` and of the command line.

    Examples
    --------
    >>> import numpy as np, xent
    >>> logits, targets = np.array([[2.0, -1.0], [0.0, 1.0]]), np.array([0, 1])
    >>> losses = np.log1p(np.exp(-np.array([3.0, 1.0])))
    >>> xent.assert_close(losses.mean(), loss="softmax_cross_entropy", logits=logits, targets=targets)
    >>> xent.assert_close(losses.sum(), loss="softmax_cross_entropy", logits=logits, targets=targets)
    Traceback (most recent call last):
    AssertionError: ...
    """
    given = {} if gradients is None else dict(gradients)
    call = call_of(
        loss,
        inputs_and_options,
        dtype=dtype,
        differentiate=given,
        cotangent=cotangent,
        vector=vector,
        like=value,
    )
    declared = _convention(convention)
    table = TruthTable(call)
    refusal = table.under().refusal or table.under(declared).refusal
    if refusal is not None:
        raise ValueError(refusal)
    returned = Returned(
        value=array_of(value, call.dtype),
        function=loss,
        gradients={name: array_of(g, call.dtype) for name, g in given.items() if g is not None},
        hessian_vector=None if hessian_vector is None else array_of(hessian_vector, call.dtype),
        directional=None if directional is None else array_of(directional, call.dtype),
        convention=declared,
    )
    cells = judge(_subject(call, table, flush_to_zero=flush_to_zero), returned, Ledger())
    given_along = {DIRECTIONAL: directional, HESSIAN_VECTOR: hessian_vector}
    asked = [aspect for aspect, array in given_along.items() if array is not None] or [HESSIAN_VECTOR]
    judged = [cell for cell in cells if cell.aspect not in given_along or cell.aspect in asked]
    wrong = [cell for cell in judged if cell.verdict not in RIGHT]
    if wrong:
        raise AssertionError("\n".join(_complaint(call, wrong)))


def _convention(convention: Mapping[str, Any] | str | None) -> dict[str, Any]:
    """Checked, but for what is said of the answer's form, which the reference has no word for."""
    if convention is None or isinstance(convention, str):
        return reference.parse(convention)
    form = {name: value for name, value in convention.items() if name == "result_dtype"}
    return {**reference.parse({name: value for name, value in convention.items() if name not in form}), **form}


def _subject(call: Call, table: TruthTable, *, flush_to_zero: bool) -> Subject:
    return Subject(
        case=call.loss,
        implementation="",
        version="0",
        mode=call.mode,
        dtype=call.dtype,
        expect=ExpectTruth(),
        differentiate=call.differentiate,
        flush_to_zero=flush_to_zero,
        table=table,
        diagnose=diagnose,
    )


def _complaint(call: Call, wrong: list[Cell]) -> list[str]:
    names = aspects(call)
    lines = [f"{call.loss} in {call.dtype} disagrees with the truth:"]
    for cell in wrong:
        name = names[cell.aspect]
        lines.append(f"  {cell.aspect if name is None else f'gradient of {name}'}: {cell.explanation}")
        if isinstance(cell.ulps, float):
            lines.append(f"    {cell.ulps:.3g} ulps away{_allowed(cell)}")
    return lines


def _allowed(cell: Cell) -> str:
    """The error scale A of the worst element, and how much of the tolerance was used."""
    if not cell.error_scale or not cell.budget or not isinstance(cell.ratio, float):
        return ""
    terms = " + ".join(f"{size:.3g} [{name}]" for name, size in cell.error_scale.items())
    return f", {cell.ratio / cell.budget:.3g} times the tolerance, which is {cell.budget:g} eps ({terms})"
