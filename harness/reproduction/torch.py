"""PyTorch, as a script writes it."""

from __future__ import annotations

from harness.core.arrays import Array
from harness.reproduction.problem import Code, Inexpressible, Problem, layout_of, literal

_CLASSES = {
    "softmax": "Softmax",
    "log_softmax": "LogSoftmax",
    "cross_entropy": "CrossEntropyLoss",
    "nll_loss": "NLLLoss",
    "kl_div": "KLDivLoss",
    "binary_cross_entropy": "BCELoss",
    "binary_cross_entropy_with_logits": "BCEWithLogitsLoss",
}


def code(problem: Problem) -> Code:
    """`loss` computes it, its function compiled where the mode says so; autograd differentiates."""
    names = ", ".join(f"{name}_" for name in problem.arrays)
    function, expression = _expression(problem)
    body = tensors(problem)
    if problem.mode == "compile":
        body += [f"def plain(*given, **options):\n    return {function}(*given, **options)"]
        body.append("function = torch.compile(plain, dynamic=False)")
    elif problem.mode != "module":
        body.append(f"function = {function}")
    body += [f"def loss({', '.join(problem.arrays)}):", f"    return {expression}"]
    body += [f"result = loss({names})", *answered(problem)]
    return Code(("import torch",), tuple(body), '"torch", torch.__version__, "numpy", np.__version__')


def tensors(problem: Problem) -> list[str]:
    """Statements that make a tensor NAME_ of every array."""
    lines = [f"{name}_ = {_tensor(name, array)}" for name, array in problem.arrays.items()]
    return lines + ([f"{problem.differentiate}_.requires_grad_()"] if problem.differentiate else [])


def _tensor(name: str, array: Array) -> str:
    kept = f", dtype=torch.{array.dtype}" if array.is_float else ""
    axes = tuple(range(len(array.shape)))
    match layout_of(array):
        case "strided":
            return f"torch.tensor(np.repeat({name}, 2, -1){kept})[..., ::2]"
        case "transposed":
            return f"torch.tensor({name}.T.copy(){kept}).permute({axes[::-1]})"
    return f"torch.tensor({name}{kept})"


def answered(problem: Problem) -> list[str]:
    """From `result` to `answer`."""
    dtype = 'dtype = str(found.dtype).removeprefix("torch.")'
    if problem.differentiate is None:
        return ["found = result.detach()", dtype, "answer = found.double().numpy()"]
    upstream = "torch.ones_like(result)" if problem.cotangent is None else "torch.tensor(cotangent, dtype=result.dtype)"
    by = f"[{problem.differentiate}_]"
    if problem.vector is None:
        return [
            f"(found,) = torch.autograd.grad(result, {by}, grad_outputs={upstream})",
            dtype,
            "answer = found.double().numpy()",
        ]
    return [
        f"(slope,) = torch.autograd.grad(result, {by}, grad_outputs={upstream}, create_graph=True)",
        f"direction = torch.tensor(vector, dtype=torch.{problem.dtype})",
        f"(found,) = torch.autograd.grad(slope, {by}, grad_outputs=direction)",
        dtype,
        "answer = found.double().numpy()",
    ]


def _expression(problem: Problem) -> tuple[str, str]:
    """The public function, and the whole expression that calls it (as `function`, or its class)."""
    match problem.loss:
        case "softmax" | "log_softmax":
            problem.understands("axis")
            return _called(problem, problem.loss, ["logits"], [f"dim={problem.axis}"])
        case "softmax_cross_entropy" | "nll_loss":
            return _classifying(problem)
        case "linear_cross_entropy":
            return _linear(problem)
        case "binary_cross_entropy" | "binary_cross_entropy_with_logits":
            scores = "probabilities" if problem.loss == "binary_cross_entropy" else "logits"
            problem.understands("sample_weights", "pos_weight")
            weights = problem.keyword("sample_weights", "weight")
            return _called(problem, problem.loss, [scores, "targets"], [*weights, *_pos_weight(problem)])
        case "kl_divergence":
            problem.understands("axis", "log_target")
            keywords = problem.keyword("log_target")
            function, call = _called(problem, "kl_div", ["log_probabilities", "targets"], keywords)
            return function, f"{call}.sum({problem.axis})" if problem.reduction == "none" else call
        case "entropy" | "cross_entropy":
            return _rows(problem)
        case "categorical_cross_entropy" if problem.has_distributions("probabilities"):
            return _rows(problem)
        case "categorical_cross_entropy":
            return _classifying(problem)
    raise Inexpressible(f"no template writes {problem.loss} for PyTorch")


def _pos_weight(problem: Problem) -> list[str]:
    """PyTorch takes a tensor only."""
    given = problem.options.get("pos_weight")
    if given is None or isinstance(given, Array):
        return problem.keyword("pos_weight")
    return [f"pos_weight=torch.tensor({literal(given)}, dtype=logits.dtype)"]


def _rows(problem: Problem) -> tuple[str, str]:
    problem.understands("axis")
    given, sign = ("probabilities", "") if problem.loss == "entropy" else ("targets, probabilities", "-")
    rows = f"{sign}function({given}).sum({problem.axis})"
    name = "entr" if problem.loss == "entropy" else "xlogy"
    if problem.mode == "module":
        raise Inexpressible(f"torch.nn has no class for {name}")
    return f"torch.special.{name}", rows if problem.reduction == "none" else f"({rows}).{problem.reduction}()"


def _classifying(problem: Problem) -> tuple[str, str]:
    problem.understands("axis", "class_weights", "label_smoothing", "ignore_index")
    scores = next(iter(problem.inputs))
    name = "cross_entropy" if problem.loss == "softmax_cross_entropy" else "nll_loss"
    rows = _classes_second(problem, f"{scores}.log()" if problem.loss == "categorical_cross_entropy" else scores)
    soft = problem.has_distributions(scores)
    return _called(
        problem, name, [rows, _classes_second(problem, "targets") if soft else "targets"], _weighing(problem)
    )


def _classes_second(problem: Problem, tensor: str) -> str:
    moved = problem.rank >= 2 and problem.axis % problem.rank != 1
    return f"{tensor}.movedim({problem.axis}, 1)" if moved else tensor


def _weighing(problem: Problem) -> list[str]:
    return [
        *problem.keyword("class_weights", "weight"),
        *problem.keyword("ignore_index"),
        *problem.keyword("label_smoothing"),
    ]


def _linear(problem: Problem) -> tuple[str, str]:
    problem.understands("axis", "class_weights", "label_smoothing", "ignore_index")
    if problem.mode == "module":
        raise Inexpressible("torch.nn has no class for linear_cross_entropy")
    bias = ["linear_bias=bias"] if "bias" in problem.inputs else []
    # Ours is hidden · weight, (…, d) times (d, C); torch keeps its weights as (C, d).
    return _called(problem, "linear_cross_entropy", ["hidden", "weight.T", "targets"], [*bias, *_weighing(problem)])


def _called(problem: Problem, name: str, arguments: list[str], keywords: list[str]) -> tuple[str, str]:
    if problem.loss not in ("softmax", "log_softmax"):
        keywords = [*keywords, f"reduction={problem.reduction!r}"]
    function = f"torch.nn.functional.{name}"
    if problem.mode == "module":
        return function, f"torch.nn.{_CLASSES[name]}({', '.join(keywords)})({', '.join(arguments)})"
    return function, f"function({', '.join([*arguments, *keywords])})"
