"""The code of the articles: the functions themselves stand in the script, taken from the module that is run."""

from __future__ import annotations

from harness.reproduction import scipy, torch
from harness.reproduction.example import Code, Example, Inexpressible
from harness.reproduction.sources import definitions


def code(example: Example) -> Code:
    """The article's functions as they are, and one call."""
    name = example.implementation.removeprefix("scratch-")
    example.understands("axis", "base")
    return _in_torch(example) if name == "d2" else _in_numpy(example, name)


def _in_numpy(example: Example, name: str) -> Code:
    lines, names = scipy.arrays(example)
    functions, expression = _expression(example, name, names)
    body = (*lines, f"answer = np.asarray({expression})", "dtype = answer.dtype.name")
    return Code((), body, '"numpy", np.__version__', definitions=definitions(f"adapters/scratch/{name}.py", functions))


def _expression(example: Example, name: str, n: dict[str, str]) -> tuple[list[str], str]:
    """The functions that are called, and the call."""
    targets, scores = n.get("targets", ""), n.get("probabilities", n.get("logits", ""))
    match name, example.loss:
        case "d0", "binary_cross_entropy":  # one-hot rows, whose labels the article's function takes
            return ["cross_entropy"], f"cross_entropy({scores}, {targets}.argmax(axis=1))"
        case "d0", _:
            return ["cross_entropy"], f"cross_entropy({scores}, {targets})"
        case "d1", "binary_cross_entropy" | "categorical_cross_entropy" as loss:
            return [loss], f"{loss}({targets}, {scores})"
        case "d3", _:
            return ["cross_entropy_error"], f"cross_entropy_error({scores}, {targets})"
        case "d4", "softmax":
            return ["softmax"], f"softmax({scores})"
        case "d4", "entropy":
            return ["entropy"], scipy.reduced(example, f"entropy({scores})")
        case "d4", loss:
            function = "binary_cross_entropy" if loss == "binary_cross_entropy" else "cross_entropy"
            return [function], scipy.reduced(example, f"{function}({targets}, {scores})")
    raise Inexpressible(f"no template writes the code of {example.implementation}")


def _in_torch(example: Example) -> Code:
    match example.loss:
        case "softmax":
            functions, expression = ["softmax"], "softmax(logits)"
        case "softmax_cross_entropy":
            functions, expression = ["softmax", "cross_entropy"], "cross_entropy(softmax(logits), targets)"
        case _:
            functions, expression = ["cross_entropy"], "cross_entropy(probabilities, targets)"
    computed = (f"def loss({', '.join(example.arrays)}):", f"    return {expression}")
    body = (*torch.tensors(example), *computed, *torch.answered(example))
    versions = '"torch", torch.__version__, "numpy", np.__version__'
    return Code(("import torch",), body, versions, definitions=definitions("adapters/scratch/d2.py", functions))
