"""LightGBM: what its objectives and metrics are of given scores, asked as anybody can.

The loss of a row is the metric of a data set of that row alone. `refit` gives the leaves of a tree other scores: a leaf
of one row then is −g / (h + λ), and two λ tell its gradient g and its second derivative h. One more row of each class
goes with the batch, since of a class that does not occur LightGBM takes no gradients.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import lightgbm
import numpy as np

from harness.adapters.base import Unsupported
from harness.adapters.functions import Functions, LossFunction
from harness.adapters.numpy_like import library

_SETTINGS = {
    "verbosity": -1,
    "num_threads": 1,
    "boost_from_average": False,
    "learning_rate": 1.0,
    "min_data_in_leaf": 1,
    "min_data_in_bin": 1,
    "min_sum_hessian_in_leaf": 0,
    "deterministic": True,
    "force_row_wise": True,
}


def _losses(scores: Any, targets: Any, settings: Any) -> Any:
    """The metric of each row."""
    found = []
    for row, target in zip(scores, targets, strict=True):
        data = lightgbm.Dataset(np.zeros((1, 1)), label=[target], init_score=row[None], params=settings)
        found.append(lightgbm.Booster(settings, data).eval_train()[0][2])
    return np.array(found)


def _derivatives(scores: Any, targets: Any, settings: Any) -> tuple[Any, Any]:
    """The gradient and the second derivative of every score."""
    count, columns = scores.shape
    beside = max(2, columns)
    rows = np.arange(count + beside, dtype=float)[:, None]
    # Any batch in which each row has gradients of its own, so that a tree has a leaf for it.
    spread = rows / len(rows) * np.arange(1, columns + 1) / columns
    labels = np.arange(len(rows)) % beside
    data = lightgbm.Dataset(rows, label=labels, init_score=_column(spread), params=settings)
    model = lightgbm.Booster({**settings, "num_leaves": len(rows)}, data)
    model.update()
    leaves = model.predict(rows, pred_leaf=True).reshape(len(rows), columns)
    if any(len(set(column)) < len(rows) for column in leaves.T):
        raise Unsupported("no tree has a leaf for each of these rows")
    asked = _column(np.concatenate([scores, np.zeros((beside, columns))]))
    given = np.concatenate([targets, np.arange(beside)])

    leaf = []
    for penalty in (0.0, 1.0):
        model.reset_parameter({"lambda_l2": penalty})
        refitted = model.refit(rows, given, decay_rate=0.0, init_score=asked)
        leaf.append(refitted.predict(rows, raw_score=True).reshape(len(rows), columns)[:count])
    free, held = leaf
    with np.errstate(divide="ignore", invalid="ignore"):
        gradient = np.where(held == 0, 0.0, free * held / (held - free))
        return np.float32(gradient), np.float32(-gradient / free)


def _column(values: Any) -> Any:
    return values[:, 0] if values.shape[1] == 1 else values


def _binary(logits: Any, targets: Any) -> tuple[Any, Any, Any]:
    soft = bool(np.any((targets != 0) & (targets != 1)))
    settings = {**_SETTINGS, "objective": "cross_entropy" if soft else "binary"}
    gradient, second = _derivatives(logits[:, None], targets, settings)
    return _losses(logits[:, None], targets, settings), gradient[:, 0], second[:, 0]


def _classes(logits: Any, targets: Any) -> tuple[Any, Any]:
    """Its second derivatives are a bound, p (1 − p) · C/(C − 1): no diagonal of the Hessian."""
    settings = {**_SETTINGS, "objective": "multiclass", "num_class": logits.shape[-1]}
    return _losses(logits, targets, settings), _derivatives(logits, targets, settings)[0]


_NUMPY = library(gradients=True)

lightgbm_objectives = Functions(
    # A leaf below 1e-35 is 0.
    replace(_NUMPY, description=replace(_NUMPY.description, flush_to_zero=True)),
    LossFunction(
        _binary,
        "binary_cross_entropy_with_logits",
        elements=True,
        with_gradient=True,
        dtypes=("float32",),
        # Scores and metrics are double, gradients single.
        convention={"result_dtype": "float64"},
        name="lightgbm binary, cross_entropy",
    ),
    LossFunction(
        _classes,
        "softmax_cross_entropy",
        rows=True,
        targets="labels",
        with_gradient=True,
        dtypes=("float32",),
        convention={"result_dtype": "float64"},
        name="lightgbm multiclass",
    ),
    version=lightgbm.__version__,
)
