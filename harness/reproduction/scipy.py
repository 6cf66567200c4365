"""SciPy and scikit-learn, as a script writes them. Values only."""

from __future__ import annotations

from harness.reproduction.example import Code, Example, Inexpressible, laid_out


def code(example: Example) -> Code:
    """One expression of NumPy arrays in the dtype of the cell."""
    typed, names = arrays(example)
    module, expression = _expression(example, names)
    root = module.partition(".")[0]
    imports = (f"import {root}", f"import {module}")
    body = (*typed, f"answer = np.asarray({expression})", "dtype = answer.dtype.name")
    return Code(imports, body, f'"{root}", {root}.__version__, "numpy", np.__version__')


def arrays(example: Example) -> tuple[list[str], dict[str, str]]:
    """Statements that make an array NAME_ in the dtype of the cell of every floating array, and what to call each."""
    if example.dtype == "bfloat16":
        raise Inexpressible("NumPy has no bfloat16")
    lines, names = [], {}
    for name, array in example.arrays.items():
        typed = f"{name}.astype(np.{array.dtype})" if array.is_float else name
        expression = laid_out(typed, array)
        names[name] = name if expression == name else f"{name}_"
        lines += [] if expression == name else [f"{name}_ = {expression}"]
    return lines, names


def _expression(example: Example, n: dict[str, str]) -> tuple[str, str]:
    if example.implementation == "sklearn":
        return "sklearn.metrics", _log_loss(example, n)
    axis = f"axis={example.axis}"
    match example.loss:
        case "softmax" | "log_softmax" | "logsumexp":
            masked = example.mode == "masked-array"
            example.understands("axis", *(("class_mask",) if masked else ()))
            logits = n["logits"]
            if masked:
                kept = f"np.broadcast_to({n['class_mask']}.astype(bool), {logits}.shape)"
                logits = f"np.ma.masked_array({logits}, ~{kept})"
            return "scipy.special", f"scipy.special.{example.loss}({logits}, {axis})"
        case "kl_divergence":
            example.understands("axis", "log_target")
            targets = f"np.exp({n['targets']})" if example.options.get("log_target") else n["targets"]
            given = f"{targets}, np.exp({n['log_probabilities']})"
            if example.mode == "stats":
                return "scipy.stats", reduced(example, f"scipy.stats.entropy({given}, {axis})")
            terms = f"scipy.special.{'kl_div' if example.mode == 'kl_div' else 'rel_entr'}({given})"
            return "scipy.special", reduced(example, f"np.sum({terms}, {axis})")
        case "entropy":
            example.understands("axis", "base")
            keywords = ", ".join([axis, *example.keyword("base")])
            return "scipy.stats", reduced(example, f"scipy.stats.entropy({n['probabilities']}, {keywords})")
        case "cross_entropy":
            example.understands("axis")
            terms = f"scipy.special.xlogy({n['targets']}, {n['probabilities']})"
            return "scipy.special", reduced(example, f"-np.sum({terms}, {axis})")
    raise Inexpressible(f"no template writes {example.loss} for SciPy")


def _log_loss(example: Example, n: dict[str, str]) -> str:
    if not {"probabilities", "targets"} <= example.inputs.keys():
        raise Inexpressible(f"no template writes {example.loss} for scikit-learn")
    masked = ("ignore_index",) if example.mode == "masked-array" else ()
    example.understands("axis", "sample_weights", *masked)
    keywords, probabilities = [f"normalize={example.reduction == 'mean'}"], n["probabilities"]
    if "sample_weights" in example.options:
        keywords.append(f"sample_weight={n['sample_weights']}")
    if example.loss == "binary_cross_entropy":
        keywords.append("labels=[0, 1]")
    elif len(example.inputs["targets"].shape) != 2:  # indicator rows tell the classes themselves
        backwards = "[::-1]" if example.mode == "labels-backwards" else ""
        keywords.append(f"labels=list(range({example.inputs['probabilities'].shape[1]})){backwards}")
        probabilities += "[:, ::-1]" if backwards else ""
    targets = n["targets"]
    if masked:
        left_out = f"{targets} == {example.options['ignore_index']}"
        width = example.inputs["probabilities"].shape[1]
        probabilities = f"np.ma.masked_array({probabilities}, np.repeat(({left_out})[:, None], {width}, 1))"
        targets = f"np.ma.masked_array(np.where({left_out}, 0, {targets}), {left_out})"
    return f"sklearn.metrics.log_loss({targets}, {probabilities}, {', '.join(keywords)})"


def reduced(example: Example, rows: str) -> str:
    """What the user of an unreduced function writes around it."""
    return rows if example.reduction == "none" else f"np.{example.reduction}({rows})"
