"""A loss of PyTorch exported: as an ONNX model run by ONNX Runtime, or by `torch.export` and run as it is.

In the modes that end in `dynamic` the exporter keeps those sizes unknown that may be (`Dim.AUTO`).
An export takes seconds, so that this is an implementation that is asked for by name.
"""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import onnxruntime
import onnxscript
import torch
from torch.nn import functional

from harness.adapters.base import Answer, Array, Call, Description, Unsupported
from harness.adapters.torch_calls import Compute, Tensors, facts, flags, tensors_of, threads
from harness.adapters.torch_calls import answer as differentiated
from harness.adapters.torch_losses import REQUESTS

_DYNAMIC = "dynamic"


class TorchExport:
    """`onnx` exports with `torch.onnx.export(dynamo=True)`, `export` with `torch.export.export`, each call anew."""

    def describe(self) -> Description:
        # The exporter says at every call which packages it would know more operators with.
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        return Description(
            version=torch.__version__,
            losses=tuple(REQUESTS),
            modes=("onnx", "export", *(f"{mode}-{_DYNAMIC}" for mode in ("onnx", "export"))),
            dtypes=("float32",),  # what models are exported in
            versions={
                "torch": torch.__version__,
                "onnxscript": onnxscript.__version__,
                "onnxruntime": onnxruntime.__version__,
                "numpy": np.__version__,
            },
            threads=threads(),
            flags=flags(),
            facts=facts(),
        )

    def evaluate(self, call: Call) -> Answer:
        if call.loss not in REQUESTS:
            raise Unsupported(f"PyTorch has no {call.loss}")
        tensors = tensors_of(call)
        request = REQUESTS[call.loss](call, tensors)
        function = f"torch.nn.functional.{request.function}"

        def compute(given: Tensors) -> torch.Tensor:
            asked = REQUESTS[call.loss](call, given)
            public = functional if hasattr(functional, asked.function) else torch.special
            value: torch.Tensor = asked.finish(getattr(public, asked.function)(*asked.arguments, **asked.keywords))
            return value

        names = tuple(tensors)
        module = _Loss(names, compute).train(False)
        example = tuple(tensors[name].detach() for name in names)
        sizes = _of_any_size(example) if call.mode.endswith(_DYNAMIC) else None
        if call.mode.startswith("export"):
            exported = torch.export.export(module, example, dynamic_shapes=sizes).module()
            value = exported(*(tensors[name] for name in names))
            name = f"torch.export.export({function})"
            return differentiated(call, tensors, value, name, request.convention, request.computed_with)
        return Answer(
            _run(module, example, sizes),
            f"torch.onnx.export({function})",
            convention=request.convention,
            computed_with=request.computed_with,
        )


def _of_any_size(example: tuple[torch.Tensor, ...]) -> Any:
    """Of the tensors that the module takes as one sequence, every size."""
    return (tuple(dict.fromkeys(range(tensor.ndim), torch.export.Dim.AUTO) for tensor in example),)


def _run(module: torch.nn.Module, example: tuple[torch.Tensor, ...], sizes: Any) -> Array:
    model = torch.onnx.export(module, example, dynamo=True, verbose=False, dynamic_shapes=sizes)
    assert model is not None  # only an export to a file returns nothing
    session = onnxruntime.InferenceSession(model.model_proto.SerializeToString(), providers=["CPUExecutionProvider"])
    given = {told.name: tensor.numpy() for told, tensor in zip(session.get_inputs(), example, strict=True)}
    raw = session.run(None, given)[0]
    return Array(raw.dtype.name, raw)


class _Loss(torch.nn.Module):
    """The loss as the module that exporters take."""

    def __init__(self, names: tuple[str, ...], compute: Compute) -> None:
        super().__init__()
        self._names, self._compute = names, compute

    def forward(self, *given: torch.Tensor) -> torch.Tensor:
        return self._compute(dict(zip(self._names, given, strict=True)))
