"""TransformerEngine: `parallel_cross_entropy`, its Triton kernel on one rank.

Its package loads CUDA libraries, so that its two files are imported without the packages around them.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from harness.adapters.functions import LossFunction
from harness.adapters.kernels import interpreter
from harness.adapters.kernels.bare import open_bare

interpreter.prepare()
open_bare("transformer_engine", "transformer_engine.pytorch", "transformer_engine.pytorch.triton")

import triton  # noqa: E402
from transformer_engine.pytorch.cross_entropy import parallel_cross_entropy  # noqa: E402

from harness.adapters.kernels.triton import InTriton  # noqa: E402


def _rows(logits: Any, targets: Any, mean: bool, label_smoothing: float, ignore_index: int | None) -> Any:
    """It takes (batch, sequence, classes); what is not asked for is not handed over."""
    arguments = (logits[None], targets[None], label_smoothing, mean)
    return parallel_cross_entropy(*arguments, *(() if ignore_index is None else (None, ignore_index)))


def _mean(logits: Any, targets: Any, *, label_smoothing: float = 0.0, ignore_index: int | None = None) -> Any:
    return _rows(logits, targets, True, label_smoothing, ignore_index)


def _each(logits: Any, targets: Any, *, label_smoothing: float = 0.0, ignore_index: int | None = None) -> Any:
    return _rows(logits, targets, False, label_smoothing, ignore_index)


def _connected(function: Any, **how: Any) -> LossFunction:
    return LossFunction(
        function,
        "softmax_cross_entropy",
        {"label_smoothing": "label_smoothing", "ignore_index": "ignore_index"},
        targets="labels",
        rows=True,
        overwrites=("logits",),
        dtypes=("float32", "float16"),
        # "The returned loss is always in FP32", says its docstring.
        convention={"result_dtype": "float32"},
        name="transformer_engine.pytorch.parallel_cross_entropy",
        **how,
    )


transformer_engine = InTriton(
    version("transformer_engine"),
    # "The averaged loss across the B*SQ dimension", ignored or not.
    _connected(_mean, says={"reduction": "mean"}, divides="count"),
    _connected(_each),
    versions={"triton": triton.__version__},
)
