"""The functions of Paddle, as a script writes them."""

from __future__ import annotations

from harness.reproduction.example import Code, Example, Inexpressible
from harness.reproduction.sources import definitions

_ADAPTER = "adapters/kernels/paddle.py"
_FUNCTIONS = {
    "softmax_cross_entropy": "functional.cross_entropy",
    "binary_cross_entropy_with_logits": "functional.binary_cross_entropy_with_logits",
    "binary_cross_entropy": "functional.binary_cross_entropy",
    "binary_focal": "_focal",
}
_KEYWORDS = {
    "axis": "axis",
    "class_weights": "weight",
    "sample_weights": "weight",
    "ignore_index": "ignore_index",
    "label_smoothing": "label_smoothing",
    "pos_weight": "pos_weight",
    "alpha": "alpha",
    "gamma": "gamma",
}

IMPLEMENTATIONS = ("paddle",)


def code(example: Example) -> Code:
    """`loss` computes it; `paddle.grad` differentiates."""
    if example.mode != "eager" or example.forward or example.vector is not None:
        raise Inexpressible("no template writes this derivative or mode of Paddle")
    if example.loss not in _FUNCTIONS:
        raise Inexpressible(f"no template writes {example.loss} for Paddle")
    example.understands(*_KEYWORDS)
    function = _FUNCTIONS[example.loss]
    if example.loss == "softmax_cross_entropy" and example.has_distributions("logits"):
        function = "_distributions"
    scores, shape = next(iter(example.inputs.items()))
    flat = ".reshape([-1])" if function == "_focal" else ""
    options = [text for ours, theirs in _KEYWORDS.items() for text in example.keyword(ours, theirs)]
    given = ", ".join([f"{scores}{flat}", f"targets{flat}", *options, f"reduction={example.reduction!r}"])
    back = f".reshape({list(shape.shape)})" if flat and example.reduction == "none" else ""
    tensors = ", ".join(f"{name}_" for name in example.arrays)
    body = [
        *(_made(name, example) for name in example.arrays),
        f"def loss({', '.join(example.arrays)}):",
        f"    return {function}({given}){back}",
    ]
    if example.differentiate is None:
        body += [f"found = loss({tensors})"]
    else:
        upstream = "None" if example.cotangent is None else f"[paddle.to_tensor(cotangent.astype(np.{example.dtype}))]"
        body += [
            f"{example.differentiate}_.stop_gradient = False",
            f"(found,) = paddle.grad([loss({tensors})], [{example.differentiate}_], {upstream})",
        ]
    body += ['dtype = str(found.dtype).rpartition(".")[2]', 'answer = found.detach().astype("float64").numpy()']
    return Code(
        ("import paddle", "from paddle.nn import functional"),
        tuple(body),
        '"paddlepaddle", paddle.__version__',
        (),
        definitions(_ADAPTER, [function]) if function.startswith("_") else (),
    )


def _made(name: str, example: Example) -> str:
    array = example.arrays[name]
    return f"{name}_ = paddle.to_tensor({name}{f'.astype(np.{array.dtype})' if array.is_float else ''})"
