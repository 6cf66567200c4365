"""What WebNN and TOSA would allow of a value. Neither has the loss: the bounds of the operators that compute it add up.

Of first order: each operator is allowed its own error on exact inputs, and the errors of what goes into it are carried
through its derivative. Sources: webnn/resources/utils.js and webnn/conformance_tests of web-platform-tests (units in
the last place of softmax, reduceLogSumExp, sub, reduceSum and reduceMean); the TOSA specification 1.1, the precision
requirements of SUB, MUL, EXP, LOG, RECIPROCAL and REDUCE_SUM, and those of dot product accuracy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.core.call import Call
from harness.core.formats import FORMATS, FloatFormat, quantum

Floats = NDArray[np.float64]
_Last = Callable[[int, Floats], Floats]
"""What the reduction itself adds, from the number of losses and what comes out."""

_OPTIONS = {"reduction", "denominator", "axis"}


def chains(call: Call) -> dict[str, Floats]:
    """The absolute error that each would allow of each element of the value; nothing where no chain is known.

    Known are `softmax`, `log_softmax`, and `softmax_cross_entropy` of class labels without further options.
    """
    rows = _rows(call)
    if rows is None:
        return {}
    fmt = FORMATS[call.dtype]
    with np.errstate(all="ignore"):  # what is not finite has no tolerance
        found = {"TOSA": _tosa(rows, fmt)} if fmt.name != "float64" else {}
        if fmt.name in ("float32", "float16"):
            found["WebNN"] = _webnn(rows, fmt)
    return found


@dataclass(frozen=True, eq=False)
class _Rows:
    """Logits with the classes last, less the largest of each row, and what is asked of them."""

    loss: str
    shifted: Floats
    largest: Floats
    labels: NDArray[np.int64] | None
    reduction: str
    axis: int

    @property
    def summed(self) -> Floats:
        """Σ e^(x − M)."""
        return np.asarray(np.exp(self.shifted).sum(-1, keepdims=True))

    def of_label(self, values: Floats) -> Floats:
        """Of each row the value of its label."""
        assert self.labels is not None
        return np.take_along_axis(values, self.labels[..., None], -1)[..., 0]

    def placed(self, values: Floats) -> Floats:
        """With the classes where the call has them."""
        return np.moveaxis(values, -1, self.axis)


def _rows(call: Call) -> _Rows | None:
    labels = call.inputs.get("targets")
    known = {"softmax": labels is None, "log_softmax": labels is None}
    known["softmax_cross_entropy"] = labels is not None and not labels.is_float
    counted = call.options.get("denominator", "count") == "count"
    if not known.get(call.loss) or not set(call.options) <= _OPTIONS or not counted:
        return None
    axis = int(call.options.get("axis", -1))
    logits = np.moveaxis(call.inputs["logits"].to_float64(), axis, -1)
    if logits.size == 0 or (labels is not None and labels.shape != logits.shape[:-1]):
        return None
    largest = logits.max(-1, keepdims=True)
    reduction = call.options.get("reduction", "none")
    held = None if labels is None else labels.storage.astype(np.int64)
    with np.errstate(invalid="ignore"):
        return _Rows(call.loss, logits - largest, largest, held, reduction, axis)


def _webnn(rows: _Rows, fmt: FloatFormat) -> Floats:
    classes, sums = rows.shifted.shape[-1], rows.summed
    if rows.loss == "softmax":
        return rows.placed((3 * classes + 3) * quantum(np.exp(rows.shifted) / sums, fmt))
    from_sum = (2 * classes + 18) * quantum(np.log(sums) + rows.largest, fmt)
    losses = np.log(sums) - rows.shifted
    each = from_sum + quantum(losses, fmt)
    if rows.loss == "log_softmax":
        return rows.placed(each)
    terms = {"none": 0, "sum": 0, "mean": 2}[rows.reduction]
    return _reduced(rows, each, losses, lambda n, total: (n + terms) * quantum(total, fmt))


def _tosa(rows: _Rows, fmt: FloatFormat) -> Floats:
    unit, wide, nearly = fmt.eps, _TOSA_EXP[fmt.name], _TOSA_SUB[fmt.name]
    powers, distance = np.exp(rows.shifted), np.abs(rows.shifted)
    of_power = np.where(powers > 0, unit * ((wide + 2 * distance) + nearly * distance), 0.0)  # EXP of SUB, relative
    sums = rows.summed
    of_sum = (powers * of_power).sum(-1, keepdims=True) / sums + _tosa_sum(powers.shape[-1], fmt)
    if rows.loss == "softmax":  # MUL by RECIPROCAL
        return rows.placed(powers / sums * (of_power + of_sum + unit * (1 + nearly)))
    of_log = of_sum + 5 * unit * np.maximum(np.abs(np.log(sums)), 0.1)
    losses = np.log(sums) - rows.shifted
    each = of_log + unit * nearly * (distance + np.abs(losses))
    if rows.loss == "log_softmax":
        return rows.placed(each)
    last = {"none": 0.0, "sum": 0.0, "mean": unit * nearly}[rows.reduction]  # MUL by 1/N
    return _reduced(rows, each, losses, lambda n, total: (_tosa_sum(n, fmt) + last) * np.abs(total))


_TOSA_EXP: Mapping[str, float] = {"float32": 3.0, "float16": 1.0, "bfloat16": 1.0}
_TOSA_SUB: Mapping[str, float] = {"float32": 0.5, "float16": 0.5, "bfloat16": 1.0}


def _tosa_sum(count: int, fmt: FloatFormat) -> float:
    """REDUCE_SUM as a dot product with ones, relative to the sum of what is positive: bfloat16 is summed in float32,
    where 2^8 terms count as one; float32 may be summed in three parts."""
    steps = -(-count // 256) if fmt.name == "bfloat16" else count
    return (3 if fmt.name == "float32" else 1) * steps * fmt.eps


def _reduced(rows: _Rows, each: Floats, losses: Floats, last: _Last) -> Floats:
    mine, values = rows.of_label(each), rows.of_label(losses)
    if rows.reduction == "none":
        return mine
    divisor = values.size if rows.reduction == "mean" else 1
    return np.asarray(mine.sum() / divisor + last(values.size, values.sum() / divisor))
