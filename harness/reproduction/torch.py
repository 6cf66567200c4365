"""PyTorch, as a script writes it."""

from __future__ import annotations

from dataclasses import replace

from harness.adapters.scaled_logits import without_scale
from harness.adapters.torch_chunks import CHUNKED
from harness.core.arrays import Array
from harness.reproduction.example import Code, Example, Inexpressible, layout_of, literal

_CLASSES = {
    "softmax": "Softmax",
    "log_softmax": "LogSoftmax",
    "cross_entropy": "CrossEntropyLoss",
    "nll_loss": "NLLLoss",
    "kl_div": "KLDivLoss",
    "binary_cross_entropy": "BCELoss",
    "binary_cross_entropy_with_logits": "BCEWithLogitsLoss",
    "soft_margin_loss": "SoftMarginLoss",
}


def code(example: Example) -> Code:
    """`loss` computes it, its function compiled where the mode says so; autograd differentiates."""
    body = [*tensors(example), *defined(example), *answered(example)]
    return Code(("import torch",), tuple(body), '"torch", torch.__version__, "numpy", np.__version__')


def defined(example: Example) -> list[str]:
    """Statements that define `loss`, a function of the tensors."""
    function, expression = _expression(replace(example, call=without_scale(example.call)))
    body = _function(example, function) if example.mode != "module" else []
    body += [f"def loss({', '.join(example.arrays)}):", f"    return {expression}"]
    if example.mode == "vmap":
        rows = example.rows()
        axes = ", ".join("0" if name in rows else "None" for name in example.arrays)
        body.append(f"loss = torch.func.vmap(loss, in_dims=({axes},))")
    return body


def _function(example: Example, function: str) -> list[str]:
    """`function`, under what the mode is about."""
    given = "*given" if example.scale is None else f"given[0] * {example.scale!r}, *given[1:]"
    plain = f"    return {function}({given}, **options)"
    match example.mode:
        case "compile" | "dynamic":
            compiled = f"function = torch.compile(plain, dynamic={example.mode == 'dynamic'})"
            return ["def plain(*given, **options):", plain, compiled]
        case "autocast":
            half = example.dtype if example.dtype in ("float16", "bfloat16") else "bfloat16"
            context = f'    with torch.autocast("cpu", dtype=torch.{half}):'
            return ["def function(*given, **options):", context, f"    {plain}"]
        case "deterministic":
            switched = ["    finally:", "        torch.use_deterministic_algorithms(False)"]
            on = ["    torch.use_deterministic_algorithms(True)", "    try:"]
            return ["def function(*given, **options):", *on, f"    {plain}", *switched]
    return [f"function = {function}"] if example.scale is None else ["def function(*given, **options):", plain]


def tensors(example: Example) -> list[str]:
    """Statements that make a tensor NAME_ of every array."""
    lines = [f"{name}_ = {tensor(name, array)}" for name, array in example.arrays.items()]
    return lines + ([f"{example.differentiate}_.requires_grad_()"] if example.differentiate else [])


def tensor(name: str, array: Array) -> str:
    """A tensor that lies in memory as the array does, from an expression of NumPy."""
    kept = f", dtype=torch.{array.dtype}" if array.is_float else ""
    axes = tuple(range(len(array.shape)))
    match layout_of(array):
        case "strided":
            return f"torch.tensor(np.repeat({name}, 2, -1){kept})[..., ::2]"
        case "transposed":
            return f"torch.tensor({name}.T.copy(){kept}).permute({axes[::-1]})"
        case "channels-last":
            return f"torch.tensor(np.moveaxis({name}, 1, -1).copy(){kept}).movedim(-1, 1)"
        case "sliced":
            return f"torch.tensor(np.concatenate([{name}, {name}], -1){kept})[..., :{array.shape[-1]}]"
        case "repeated":
            return f"torch.tensor({name}[:1]{kept}).expand({array.shape})"
    return f"torch.tensor({name}{kept})"


def answered(example: Example) -> list[str]:
    """From `loss` to `answer`."""
    called = f"loss({', '.join(f'{name}_' for name in example.arrays)})"
    functional = example.mode in ("func", "vmap") and example.differentiate is not None
    return [
        *(_transformed(example, called) if functional else _found(example, called)),
        'dtype = str(found.dtype).removeprefix("torch.")',
        "answer = found.double().numpy()",
    ]


def _found(example: Example, called: str) -> list[str]:
    if example.differentiate is None:
        return [f"result = {called}", "found = result.detach()"]
    if example.forward:
        by, forward = f"{example.differentiate}_", "torch.autograd.forward_ad"
        direction = f"torch.tensor(vector, dtype=torch.{example.dtype})"
        return [
            f"with {forward}.dual_level():",
            f"    {by} = {forward}.make_dual({by}.detach(), {direction})",
            f"    found = {forward}.unpack_dual({called}).tangent.detach()",
        ]
    upstream = "torch.ones_like(result)" if example.cotangent is None else "torch.tensor(cotangent, dtype=result.dtype)"
    by = f"[{example.differentiate}_]"
    if example.vector is None:
        return [f"result = {called}", f"(found,) = torch.autograd.grad(result, {by}, grad_outputs={upstream})"]
    return [
        f"result = {called}",
        f"(slope,) = torch.autograd.grad(result, {by}, grad_outputs={upstream}, create_graph=True)",
        f"direction = torch.tensor(vector, dtype=torch.{example.dtype})",
        f"(found,) = torch.autograd.grad(slope, {by}, grad_outputs=direction)",
    ]


def _transformed(example: Example, called: str) -> list[str]:
    """The same by functional transforms."""
    by = f"{example.differentiate}_"
    given = f"{by}.detach()"
    direction = f"torch.tensor(vector, dtype=torch.{example.dtype})"
    if example.forward:
        return [f"found = torch.func.jvp(lambda {by}: {called}, ({given},), ({direction},))[1]"]
    upstream = "torch.ones_like(result)" if example.cotangent is None else "torch.tensor(cotangent, dtype=result.dtype)"
    lines = [
        f"def gradient({by}):",
        f"    result, pull = torch.func.vjp(lambda {by}: {called}, {by})",
        f"    return pull({upstream})[0]",
    ]
    if example.vector is None:
        return [*lines, f"found = gradient({given})"]
    return [*lines, f"found = torch.func.jvp(gradient, ({given},), ({direction},))[1]"]


def _expression(example: Example) -> tuple[str, str]:
    """The public function, and the whole expression that calls it (as `function`, or its class)."""
    match example.loss:
        case "softmax" | "log_softmax":
            example.understands("axis")
            return _called(example, example.loss, ["logits"], [f"dim={example.axis}"])
        case "softmax_cross_entropy" | "nll_loss":
            return _classifying(example)
        case "linear_cross_entropy":
            return _linear(example)
        case "binary_cross_entropy" | "binary_cross_entropy_with_logits":
            scores = "probabilities" if example.loss == "binary_cross_entropy" else "logits"
            example.understands("sample_weights", "pos_weight")
            weights = example.keyword("sample_weights", "weight")
            return _called(example, example.loss, [scores, "targets"], [*weights, *_pos_weight(example)])
        case "logsumexp":
            example.understands("axis")
            if example.mode == "module":
                raise Inexpressible("torch.nn has no class for logsumexp")
            return "torch.special.logsumexp", f"function(logits, {example.axis})"
        case "soft_margin":
            example.understands("axis")
            return _called(example, "soft_margin_loss", ["logits", "targets"], [])
        case "kl_divergence":
            example.understands("axis", "log_target")
            keywords = example.keyword("log_target")
            function, call = _called(example, "kl_div", ["log_probabilities", "targets"], keywords)
            return function, f"{call}.sum({example.axis})" if example.reduction == "none" else call
        case "entropy" | "cross_entropy":
            return _rows(example)
        case "categorical_cross_entropy" if example.has_distributions("probabilities"):
            return _rows(example)
        case "categorical_cross_entropy":
            return _classifying(example)
    raise Inexpressible(f"no template writes {example.loss} for PyTorch")


def _pos_weight(example: Example) -> list[str]:
    """PyTorch takes a tensor only."""
    given = example.options.get("pos_weight")
    if given is None or isinstance(given, Array):
        return example.keyword("pos_weight")
    return [f"pos_weight=torch.tensor({literal(given)}, dtype=logits.dtype)"]


def _rows(example: Example) -> tuple[str, str]:
    example.understands("axis")
    given, sign = ("probabilities", "") if example.loss == "entropy" else ("targets, probabilities", "-")
    rows = f"{sign}function({given}).sum({example.axis})"
    name = "entr" if example.loss == "entropy" else "xlogy"
    if example.mode == "module":
        raise Inexpressible(f"torch.nn has no class for {name}")
    return f"torch.special.{name}", rows if example.reduction == "none" else f"({rows}).{example.reduction}()"


def _classifying(example: Example) -> tuple[str, str]:
    example.understands("axis", "class_weights", "label_smoothing", "ignore_index")
    scores = next(iter(example.inputs))
    name = "cross_entropy" if example.loss == "softmax_cross_entropy" else "nll_loss"
    rows = _classes_second(example, f"{scores}.log()" if example.loss == "categorical_cross_entropy" else scores)
    soft = example.has_distributions(scores)
    return _called(
        example, name, [rows, _classes_second(example, "targets") if soft else "targets"], _weighing(example)
    )


def _classes_second(example: Example, tensor: str) -> str:
    moved = example.rank >= 2 and example.axis % example.rank != 1
    return f"{tensor}.movedim({example.axis}, 1)" if moved else tensor


def _weighing(example: Example) -> list[str]:
    return [
        *example.keyword("class_weights", "weight"),
        *example.keyword("ignore_index"),
        *example.keyword("label_smoothing"),
    ]


def _linear(example: Example) -> tuple[str, str]:
    example.understands("axis", "class_weights", "label_smoothing", "ignore_index")
    if example.mode == "module":
        raise Inexpressible("torch.nn has no class for linear_cross_entropy")
    bias = ["linear_bias=bias"] if "bias" in example.inputs else []
    keywords = [*bias, *_weighing(example)]
    if example.mode in CHUNKED:
        given = ", ".join(f"{name}={value!r}" for name, value in CHUNKED[example.mode].items())
        keywords.append(f"options=torch.nn.LinearCrossEntropyOptions({given})")
    # Ours is hidden · weight, (…, d) times (d, C); torch keeps its weights as (C, d).
    return _called(example, "linear_cross_entropy", ["hidden", "weight.T", "targets"], keywords)


def _called(example: Example, name: str, arguments: list[str], keywords: list[str]) -> tuple[str, str]:
    if example.loss not in ("softmax", "log_softmax"):
        keywords = [*keywords, f"reduction={example.reduction!r}"]
    function = f"torch.nn.functional.{name}"
    if example.mode == "module":
        return function, f"torch.nn.{_CLASSES[name]}({', '.join(keywords)})({', '.join(arguments)})"
    return function, f"function({', '.join([*arguments, *keywords])})"
