"""XGBoost: what its objectives and metrics are of given margins, asked as anybody can.

The loss of a row is the metric of a data set of that row alone. The one leaf of a tree of that row is −g / h, and the
model tells h, the second derivative, beside it.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import xgboost

from harness.adapters.functions import Functions, LossFunction
from harness.adapters.numpy_like import library


def _row(margins: Any, target: Any, objective: str, **parameters: Any) -> tuple[Any, Any, Any]:
    data = xgboost.DMatrix(np.zeros((1, 1), np.float32), label=[target])
    data.set_base_margin(margins)
    settings = {"objective": objective, "lambda": 0, "eta": 1, "min_child_weight": 0, "nthread": 1}
    model = xgboost.Booster({**settings, **parameters}, [data])
    loss = np.float32(model.eval_set([(data, "row")]).rpartition(":")[2])
    model.update(data, 0)
    trees = json.loads(model.save_raw("json"))["learner"]["gradient_booster"]["model"]["trees"]
    leaf, second = (np.array([tree[name][0] for tree in trees]) for name in ("base_weights", "sum_hessian"))
    return loss, np.float32(-leaf * second), np.float32(second)


def _binary(logits: Any, targets: Any, **options: Any) -> tuple[Any, Any, Any]:
    rows = [_row([z], y, "binary:logistic", **options) for z, y in zip(logits, targets, strict=True)]
    loss, gradient, curvature = (np.array(each, np.float32) for each in zip(*rows, strict=True))
    return loss, gradient[:, 0], curvature[:, 0]


def _classes(logits: Any, targets: Any) -> tuple[Any, Any]:
    """Its second derivatives are twice p (1 − p), a bound: no diagonal of the Hessian."""
    classes = logits.shape[-1]
    rows = [_row(z[None], y, "multi:softprob", num_class=classes) for z, y in zip(logits, targets, strict=True)]
    loss, gradient, _ = (np.array(each, np.float32) for each in zip(*rows, strict=True))
    return loss, gradient


xgboost_objectives = Functions(
    library(gradients=True),
    LossFunction(
        _binary,
        "binary_cross_entropy_with_logits",
        elements=True,
        with_gradient=True,
        dtypes=("float32",),
        name="xgboost binary:logistic",
    ),
    LossFunction(
        _classes,
        "softmax_cross_entropy",
        rows=True,
        targets="labels",
        with_gradient=True,
        dtypes=("float32",),
        name="xgboost multi:softprob",
    ),
    version=xgboost.__version__,
)
