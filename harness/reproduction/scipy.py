"""SciPy and scikit-learn, as a script writes them. Values only."""

from __future__ import annotations

from harness.reproduction.problem import Code, Inexpressible, Problem


def code(problem: Problem) -> Code:
    """One expression of NumPy arrays in the dtype of the cell."""
    if problem.dtype == "bfloat16":
        raise Inexpressible("NumPy has no bfloat16")
    names = [n for n, a in problem.arrays.items() if a.is_float]
    typed = [f"{name}_ = {name}.astype(np.{problem.dtype})" for name in names]
    renamed = {name: f"{name}_" if name in names else name for name in problem.arrays}
    module, expression = _expression(problem, renamed)
    root = module.partition(".")[0]
    imports = (f"import {root}", f"import {module}") if module != root else (f"import {root}",)
    body = (*typed, f"answer = {expression}")
    return Code(imports, body, f'"{root}", {root}.__version__, "numpy", np.__version__')


def _expression(problem: Problem, n: dict[str, str]) -> tuple[str, str]:
    if problem.implementation == "sklearn":
        problem.understands("sample_weights")
        if "sample_weights" in problem.options or problem.loss not in ("categorical_cross_entropy", "cross_entropy"):
            raise Inexpressible(f"no template writes {problem.loss} for scikit-learn with these options")
        classes = problem.inputs["probabilities"].shape[-1]
        labels = n["targets"]
        keywords = f"normalize={problem.reduction == 'mean'}, labels=list(range({classes}))"
        return "sklearn.metrics", f"sklearn.metrics.log_loss({labels}, {n['probabilities']}, {keywords})"
    problem.understands("axis", "base")
    axis = f"axis={problem.axis}"
    match problem.loss:
        case "softmax" | "log_softmax":
            return "scipy.special", f"scipy.special.{problem.loss}({n['logits']}, {axis})"
        case "entropy":
            keywords = ", ".join([axis, *problem.keyword("base")])
            return "scipy.stats", _reduced(problem, f"scipy.stats.entropy({n['probabilities']}, {keywords})")
        case "cross_entropy":
            terms = f"scipy.special.xlogy({n['targets']}, {n['probabilities']})"
            return "scipy.special", _reduced(problem, f"-np.sum({terms}, {axis})")
    raise Inexpressible(f"no template writes {problem.loss} for SciPy")


def _reduced(problem: Problem, rows: str) -> str:
    return rows if problem.reduction == "none" else f"np.{problem.reduction}({rows})"
