"""XGBoost and LightGBM, as a script writes them: how a gradient is had of them is quoted from their adapters."""

from __future__ import annotations

from harness.reproduction.example import Code, Example, Inexpressible
from harness.reproduction.sources import definitions

_FUNCTIONS = {"binary_cross_entropy_with_logits": "_binary", "softmax_cross_entropy": "_classes"}

IMPLEMENTATIONS = ("xgboost", "lightgbm")


def code(example: Example) -> Code:
    """The loss of every row, or its gradient."""
    library = example.implementation
    if example.mode != "eager" or example.forward or example.vector is not None or example.cotangent is not None:
        raise Inexpressible(f"no template writes this derivative or mode of {library}")
    if example.loss not in _FUNCTIONS or example.reduction != "none" or example.axis % example.rank != example.rank - 1:
        raise Inexpressible(f"no template writes such a call for {library}")
    example.understands("axis")
    shape = example.inputs["logits"].shape
    classes = example.loss == "softmax_cross_entropy"
    rows = f"(-1, {shape[-1]})" if classes else "-1"
    answered = "loss" if example.differentiate is None else "gradient"
    back = shape[:-1] if classes and answered == "loss" else shape
    body = (
        f"rows = logits.reshape({rows}).astype(np.float32)",
        f"loss, gradient, *_ = {_FUNCTIONS[example.loss]}(rows, targets.reshape(-1))",
        f"dtype = str({answered}.dtype)",
        f"answer = {answered}.astype(np.float64).reshape({back})",
    )
    quoted = definitions(f"adapters/kernels/{library}.py", [_FUNCTIONS[example.loss]])
    return Code((f"import {library}",), body, f'"{library}", {library}.__version__', (), quoted)
