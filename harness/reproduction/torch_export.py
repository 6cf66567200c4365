"""A loss of PyTorch exported, as a script writes it: run by ONNX Runtime, or by `torch.export` as it is."""

from __future__ import annotations

from harness.reproduction import torch
from harness.reproduction.example import Code, Example

VERSIONS = '"torch", torch.__version__, "onnxruntime", onnxruntime.__version__, "numpy", np.__version__'


def code(example: Example) -> Code:
    """The loss as a module, which is exported for the tensors it is called with."""
    detached = ", ".join(f"{name}_.detach()" for name in example.arrays)
    body = [
        *torch.tensors(example),
        *torch.defined(example),
        "class Exported(torch.nn.Module):",
        f"    def forward(self, {', '.join(example.arrays)}):",
        f"        return loss({', '.join(example.arrays)})",
        "module = Exported().train(False)",
        f"given = ({detached},)",
    ]
    sizes = ""
    if example.mode.endswith("-dynamic"):
        body.append("sizes = tuple(dict.fromkeys(range(tensor.ndim), torch.export.Dim.AUTO) for tensor in given)")
        sizes = ", dynamic_shapes=sizes"
    if example.mode.startswith("export"):
        body += [f"loss = torch.export.export(module, given{sizes}).module()", *torch.answered(example)]
        return Code(("import torch",), tuple(body), '"torch", torch.__version__, "numpy", np.__version__')
    body += [
        f"program = torch.onnx.export(module, given, dynamo=True, verbose=False{sizes})",
        "model = program.model_proto.SerializeToString()",
        'session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])',
        "names = [told.name for told in session.get_inputs()]",
        "answer = session.run(None, {name: tensor.numpy() for name, tensor in zip(names, given)})[0]",
        "dtype = answer.dtype.name",
    ]
    return Code(("import torch", "import onnxruntime"), tuple(body), VERSIONS)
