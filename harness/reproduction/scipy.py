"""SciPy and scikit-learn, as a script writes them. Values only."""

from __future__ import annotations

from harness.reproduction.problem import Code, Inexpressible, Problem, laid_out


def code(problem: Problem) -> Code:
    """One expression of NumPy arrays in the dtype of the cell."""
    typed, names = arrays(problem)
    module, expression = _expression(problem, names)
    root = module.partition(".")[0]
    imports = (f"import {root}", f"import {module}")
    body = (*typed, f"answer = np.asarray({expression})", "dtype = answer.dtype.name")
    return Code(imports, body, f'"{root}", {root}.__version__, "numpy", np.__version__')


def arrays(problem: Problem) -> tuple[list[str], dict[str, str]]:
    """Statements that make an array NAME_ in the dtype of the cell of every floating array, and what to call each."""
    if problem.dtype == "bfloat16":
        raise Inexpressible("NumPy has no bfloat16")
    lines, names = [], {}
    for name, array in problem.arrays.items():
        typed = f"{name}.astype(np.{array.dtype})" if array.is_float else name
        expression = laid_out(typed, array)
        names[name] = name if expression == name else f"{name}_"
        lines += [] if expression == name else [f"{name}_ = {expression}"]
    return lines, names


def _expression(problem: Problem, n: dict[str, str]) -> tuple[str, str]:
    if problem.implementation == "sklearn":
        return "sklearn.metrics", _log_loss(problem, n)
    axis = f"axis={problem.axis}"
    match problem.loss:
        case "softmax" | "log_softmax":
            problem.understands("axis")
            return "scipy.special", f"scipy.special.{problem.loss}({n['logits']}, {axis})"
        case "entropy":
            problem.understands("axis", "base")
            keywords = ", ".join([axis, *problem.keyword("base")])
            return "scipy.stats", reduced(problem, f"scipy.stats.entropy({n['probabilities']}, {keywords})")
        case "cross_entropy":
            problem.understands("axis")
            terms = f"scipy.special.xlogy({n['targets']}, {n['probabilities']})"
            return "scipy.special", reduced(problem, f"-np.sum({terms}, {axis})")
    raise Inexpressible(f"no template writes {problem.loss} for SciPy")


def _log_loss(problem: Problem, n: dict[str, str]) -> str:
    problem.understands("axis", "sample_weights")
    keywords = [f"normalize={problem.reduction == 'mean'}"]
    if "sample_weights" in problem.options:
        keywords.append(f"sample_weight={n['sample_weights']}")
    if problem.loss == "binary_cross_entropy":
        keywords.append("labels=[0, 1]")
    elif len(problem.inputs["targets"].shape) != 2:  # indicator rows tell the classes themselves
        keywords.append(f"labels=list(range({problem.inputs['probabilities'].shape[1]}))")
    return f"sklearn.metrics.log_loss({n['targets']}, {n['probabilities']}, {', '.join(keywords)})"


def reduced(problem: Problem, rows: str) -> str:
    """What the user of an unreduced function writes around it."""
    return rows if problem.reduction == "none" else f"np.{problem.reduction}({rows})"
