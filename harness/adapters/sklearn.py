"""scikit-learn: sklearn.metrics.log_loss, a metric of probabilities, hence values only.

In the mode `labels-backwards` the columns of the probabilities stand in the opposite order, and `labels` says so; in
the mode `masked-array` labels and probabilities are arrays of numpy.ma, in which the ignored rows are masked.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import sklearn
import sklearn.metrics

from harness.adapters.base import Answer, Array, Call, Description, Unsupported
from harness.adapters.facts import numpy_facts, variables

_BACKWARDS = "labels-backwards"
_MASKED = "masked-array"

_RENORMALIZED_BEFORE = (1, 5)
"""Clipped rows were divided by their sums until 1.4; from 1.5 on a row that does not sum to 1 is only warned about."""


class ScikitLearn:
    """`log_loss` on integer labels, on rows of labels in indicator form, and on binary labels."""

    def describe(self) -> Description:
        return Description(
            version=sklearn.__version__,
            losses=("categorical_cross_entropy", "binary_cross_entropy"),
            dtypes=("float64", "float32", "float16"),
            gradients=False,
            modes=("eager", _BACKWARDS, _MASKED),
            mode_losses=dict.fromkeys((_BACKWARDS, _MASKED), ("categorical_cross_entropy",)),
            mode_tags={_BACKWARDS: "label-order", _MASKED: "masked-rows"},
            versions={"scikit-learn": sklearn.__version__, "numpy": np.__version__},
            flags=variables("numpy", os.environ),
            facts=numpy_facts(),
        )

    def evaluate(self, call: Call) -> Answer:
        ignoring = ("ignore_index",) if call.mode == _MASKED else ()
        understood = ("reduction", "denominator", "axis", "sample_weights", *ignoring)
        call.refuse_options_except(*understood, of="sklearn.metrics.log_loss")
        reduction = call.options["reduction"]
        if reduction not in ("mean", "sum"):
            raise Unsupported(f"sklearn.metrics.log_loss has no reduction {reduction}: it returns one number")
        probabilities, targets = call.inputs["probabilities"].storage, call.inputs["targets"].storage
        weights, labels = call.options.get("sample_weights"), _labels(call)
        if call.mode == _BACKWARDS:
            if labels is None:
                raise Unsupported("log_loss takes no labels beside rows of labels in indicator form")
            probabilities, labels = probabilities[:, ::-1], labels[::-1]
        if call.mode == _MASKED:
            if "ignore_index" not in call.options:
                raise Unsupported("no row is masked")
            left_out = targets == call.options["ignore_index"]
            targets = np.ma.masked_array(np.where(left_out, 0, targets), left_out)
            probabilities = np.ma.masked_array(probabilities, np.repeat(left_out[:, None], probabilities.shape[1], 1))
        loss = sklearn.metrics.log_loss(
            targets,
            probabilities,
            normalize=reduction == "mean",
            sample_weight=None if weights is None else weights.storage,
            labels=labels,
        )
        return Answer(
            value=Array.of(np.float64(loss)),
            function="sklearn.metrics.log_loss",
            convention=_convention(call, weighted=weights is not None),
        )


def _labels(call: Call) -> list[int] | None:
    """The classes, which a user names so that one missing from a batch does not change the result."""
    probabilities, targets = call.inputs["probabilities"], call.inputs["targets"]
    rank = len(probabilities.shape)
    if call.loss == "binary_cross_entropy":
        if rank != 1:
            raise Unsupported("log_loss takes binary probabilities of shape (N,) only")
        return [0, 1]
    if rank != 2 or call.options.get("axis", -1) not in (-1, 1):
        raise Unsupported("log_loss takes probabilities of shape (N, C) only")
    # Indicator rows tell the classes themselves; log_loss refuses `labels` beside them.
    return None if len(targets.shape) == 2 else list(range(probabilities.shape[1]))


def _convention(call: Call, *, weighted: bool) -> dict[str, Any]:
    """Clipped to [eps, 1 − eps] of the probabilities' dtype; answered as a Python float, whatever the dtype."""
    version = tuple(int(part) for part in sklearn.__version__.split(".")[:2])
    # 1.1 documents eps=1e-15, later versions eps="auto", that of the dtype.
    clip = 1e-15 if version < (1, 2) else float(np.finfo(call.inputs["probabilities"].dtype).eps)
    convention: dict[str, Any] = {"clip": clip}
    if version < _RENORMALIZED_BEFORE:
        convention["renormalize"] = True
    if weighted and call.options["reduction"] == "mean" and call.options.get("denominator") != "weights":
        convention["denominator"] = "weights"
    if call.dtype != "float64":
        convention["result_dtype"] = "float64"
    return convention
