"""PyTorch, as a script writes it."""

from __future__ import annotations

from harness.reproduction.problem import Code, Inexpressible, Problem

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
    """`loss` computes it, compiled where the mode says so; autograd differentiates."""
    tensors = [f"{name}_ = {tensor(problem, name)}" for name in problem.arrays]
    names = ", ".join(f"{name}_" for name in problem.arrays)
    body = [*tensors]
    body += [f"{problem.differentiate}_.requires_grad_()"] if problem.differentiate else []
    body += [f"def loss({', '.join(problem.arrays)}):", f"    return {_expression(problem)}"]
    if problem.mode == "compile":
        body.append("loss = torch.compile(loss, dynamic=False)")
    body += [f"result = loss({names})", *answered(problem)]
    return Code(("import torch",), tuple(body), '"torch", torch.__version__, "numpy", np.__version__')


def tensor(problem: Problem, name: str) -> str:
    kept = f", dtype=torch.{problem.dtype}" if problem.arrays[name].is_float else ""
    return f"torch.tensor({name}{kept})"


def answered(problem: Problem) -> list[str]:
    """From `result` to `answer`."""
    if problem.differentiate is None:
        return ["answer = result.detach().double().numpy()"]
    upstream = "torch.ones_like(result)" if problem.cotangent is None else "torch.tensor(cotangent, dtype=result.dtype)"
    by = f"[{problem.differentiate}_]"
    if problem.vector is None:
        return [
            f"(found,) = torch.autograd.grad(result, {by}, grad_outputs={upstream})",
            "answer = found.double().numpy()",
        ]
    return [
        f"(slope,) = torch.autograd.grad(result, {by}, grad_outputs={upstream}, create_graph=True)",
        "direction = torch.tensor(vector, dtype=slope.dtype)",
        f"(found,) = torch.autograd.grad(slope, {by}, grad_outputs=direction)",
        "answer = found.double().numpy()",
    ]


def _expression(problem: Problem) -> str:
    match problem.loss:
        case "softmax" | "log_softmax":
            return _called(problem, problem.loss, ["logits"], [f"dim={problem.axis}"])
        case "softmax_cross_entropy" | "nll_loss":
            return _classifying(problem)
        case "binary_cross_entropy" | "binary_cross_entropy_with_logits":
            scores = "probabilities" if problem.loss == "binary_cross_entropy" else "logits"
            problem.understands("sample_weights", "pos_weight")
            keywords = [*problem.keyword("sample_weights", "weight"), *problem.keyword("pos_weight")]
            return _called(problem, problem.loss, [scores, "targets"], [*keywords, _reduction(problem)])
        case "kl_divergence":
            problem.understands("axis", "log_target")
            keywords = [*problem.keyword("log_target"), _reduction(problem)]
            call = _called(problem, "kl_div", ["log_probabilities", "targets"], keywords)
            return f"{call}.sum({problem.axis})" if problem.reduction == "none" else call
        case "entropy" | "cross_entropy":
            return _rows(problem)
        case "categorical_cross_entropy" if problem.targets_are_distributions("probabilities"):
            return _rows(problem)
        case "categorical_cross_entropy":
            return _classifying(problem)
    raise Inexpressible(f"no template writes {problem.loss} for PyTorch")


def _rows(problem: Problem) -> str:
    problem.understands("axis")
    term = (
        "-torch.special.entr(probabilities)"
        if problem.loss == "entropy"
        else ("torch.special.xlogy(targets, probabilities)")
    )
    reduce = "" if problem.reduction == "none" else f".{problem.reduction}()"
    return f"(-({term}).sum({problem.axis})){reduce}"


def _classifying(problem: Problem) -> str:
    problem.understands("axis", "class_weights", "label_smoothing", "ignore_index")
    scores = next(iter(problem.inputs))
    name = "cross_entropy" if problem.loss == "softmax_cross_entropy" else "nll_loss"
    moved = problem.rank >= 2 and problem.axis % problem.rank != 1
    rows = f"{scores}.log()" if problem.loss == "categorical_cross_entropy" else scores
    targets = "targets"
    if moved:
        rows = f"{rows}.movedim({problem.axis}, 1)"
        targets = f"targets.movedim({problem.axis}, 1)" if problem.targets_are_distributions(scores) else targets
    keywords = [
        *problem.keyword("class_weights", "weight"),
        *problem.keyword("ignore_index"),
        *problem.keyword("label_smoothing"),
        _reduction(problem),
    ]
    return _called(problem, name, [rows, targets], keywords)


def _reduction(problem: Problem) -> str:
    return f"reduction={problem.reduction!r}"


def _called(problem: Problem, name: str, arguments: list[str], keywords: list[str]) -> str:
    if problem.mode == "module":
        return f"torch.nn.{_CLASSES[name]}({', '.join(keywords)})({', '.join(arguments)})"
    return f"torch.nn.functional.{name}({', '.join([*arguments, *keywords])})"
