"""What other people's rules would allow of the same numbers: an absolute part and a part of the truth, by format."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

_SIXTEEN = ("float16", "bfloat16")

RULES: Mapping[str, Mapping[str, tuple[float, float]]] = {
    # The defaults of torch.testing.assert_close, which the tests of PyTorch's OpInfo use where nothing else is said.
    "torch.testing": {
        "float64": (1e-7, 1e-7),
        "float32": (1.3e-6, 1e-5),
        "float16": (1e-3, 1e-5),
        "bfloat16": (1.6e-2, 1e-5),
    },
    # Those of the runner of ONNX's node tests, whatever the type.
    "ONNX node tests": dict.fromkeys(("float64", "float32", *_SIXTEEN), (1e-3, 1e-7)),
    # get_tolerance_for_precision in KernelBench's evaluation; it knows no float64.
    "KernelBench": {"float32": (1e-4, 1e-4), **dict.fromkeys(_SIXTEEN, (1e-2, 1e-2))},
    # The defaults of allclose in BackendBench's evaluation.
    "BackendBench": dict.fromkeys(("float64", "float32", *_SIXTEEN), (1e-2, 1e-2)),
}
"""By whose rule and format: the part of the truth, and the absolute part."""


def elsewhere(truth: NDArray[np.float64], dtype: str) -> dict[str, NDArray[np.float64]]:
    """The absolute error that each rule allows of each element; 0 where the truth is nan or infinite.

    >>> elsewhere(np.float64(2.0), "float64")["BackendBench"]
    array(0.03)
    """
    size = np.where(np.isfinite(truth), np.abs(truth), 0.0)
    finite = np.isfinite(truth)
    rules = {name: by_format[dtype] for name, by_format in RULES.items() if dtype in by_format}
    return {name: np.where(finite, atol + rtol * size, 0.0) for name, (rtol, atol) in rules.items()}
