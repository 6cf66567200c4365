"""fvcore: `sigmoid_focal_loss`, that of Detectron2; imported without the package around it."""

from __future__ import annotations

from importlib.metadata import version

from harness.adapters.functions import Functions, LossFunction
from harness.adapters.kernels.bare import open_bare
from harness.adapters.torch_like import library

open_bare("fvcore", "fvcore.nn")

from fvcore.nn.focal_loss import sigmoid_focal_loss  # noqa: E402

fvcore = Functions(
    library(),
    LossFunction(
        sigmoid_focal_loss,
        "binary_focal",
        {"alpha": "alpha", "gamma": "gamma", "reduction": "reduction"},
        # It computes in float32 whatever it is given, and returns it.
        dtypes=("float32", "float16", "bfloat16"),
        convention={"result_dtype": "float32"},
        name="fvcore.nn.sigmoid_focal_loss",
    ),
    version=version("fvcore"),
)
