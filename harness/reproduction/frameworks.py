"""Which module writes the calls of which implementation."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from harness.reproduction import (
    boosting,
    jax,
    keras,
    kernels,
    numpy,
    onnx,
    paddle,
    scipy,
    scratch,
    tensorflow,
    torch,
    torch_export,
)
from harness.reproduction.example import Code, Example, Inexpressible

TEMPLATES: Mapping[str, Callable[[Example], Code]] = {
    "torch": torch.code,
    "torch-export": torch_export.code,
    "tensorflow": tensorflow.code,
    "tensorflow-deterministic": tensorflow.code,
    "keras-tensorflow": keras.code,
    "keras-torch": keras.code,
    "keras-jax": keras.code,
    "jax": jax.code,
    "jax-x32": jax.code,
    "optax": jax.code,
    "scipy": scipy.code,
    "sklearn": scipy.code,
    "onnx-reference": onnx.code,
    "onnxruntime": onnx.code,
    "numpy": numpy.code,
    "scratch-d0": scratch.code,
    "scratch-d1": scratch.code,
    "scratch-d2": scratch.code,
    "scratch-d3": scratch.code,
    "scratch-d4": scratch.code,
    **dict.fromkeys(kernels.IMPLEMENTATIONS, kernels.code),
    **dict.fromkeys(boosting.IMPLEMENTATIONS, boosting.code),
    **dict.fromkeys(paddle.IMPLEMENTATIONS, paddle.code),
}

VALUES_ONLY = frozenset(
    {"scipy", "sklearn", "onnx-reference", "onnxruntime", "scratch-d0", "scratch-d1", "scratch-d3", "scratch-d4"}
)
"""Those that differentiate nothing."""

VALUES_ONLY_MODES = frozenset({"lite", "onnx", "onnx-dynamic"})
"""The modes in which others do not: those of converted models."""

_NEEDS = {
    "keras-tensorflow": "NumPy and Keras with TensorFlow",
    "keras-torch": "NumPy and Keras with PyTorch",
    "keras-jax": "NumPy and Keras with JAX",
    "torch": "NumPy and PyTorch",
    "torch-export": "NumPy, PyTorch, onnxscript and ONNX Runtime",
    "tensorflow": "NumPy and TensorFlow",
    "tensorflow-deterministic": "NumPy and TensorFlow",
    "jax": "NumPy and JAX",
    "jax-x32": "NumPy and JAX",
    "sklearn": "NumPy and scikit-learn",
    "scipy": "NumPy and SciPy",
    "onnx-reference": "NumPy and onnx",
    "onnxruntime": "NumPy, onnx and ONNX Runtime",
    "numpy": "NumPy and this project, whose own formulas these are",
    "scratch-d2": "NumPy and PyTorch",
    "loss-parallel": "NumPy and PyTorch",
    "liger": "PyTorch, Triton and liger-kernel",
    "flash-attention": "PyTorch, Triton and flash-attn",
    "lightgbm": "NumPy, lightgbm and SciPy",
    "paddle": "NumPy and paddlepaddle",
    "transformer-engine": "PyTorch, Triton and transformer_engine",
}


def values_only(implementation: str, mode: str) -> bool:
    """Whether nothing is differentiated there."""
    return implementation in VALUES_ONLY or mode in VALUES_ONLY_MODES


def code_of(example: Example) -> Code:
    """What the framework's module writes; Inexpressible where there is none."""
    if example.implementation not in TEMPLATES:
        raise Inexpressible(f"no template writes scripts for {example.implementation}")
    if example.differentiate is not None and values_only(example.implementation, example.mode):
        raise Inexpressible(f"{example.implementation} differentiates nothing in the mode {example.mode}")
    return TEMPLATES[example.implementation](example)


def needs(implementation: str) -> str:
    """What has to be installed."""
    by_itself = "NumPy" if implementation.startswith("scratch-") else f"NumPy and {implementation}"
    return _NEEDS.get(implementation, by_itself)
