"""The project's own formulas in plain floating point: the one implementation whose script needs the project itself."""

from __future__ import annotations

from harness.core.arrays import Array
from harness.reproduction import scipy
from harness.reproduction.example import Code, Example, literal


def code(example: Example) -> Code:
    """The blocked formulas where they cover the call, else those that read like mathematics."""
    lines, names = scipy.arrays(example)
    inputs = ", ".join(f"{name!r}: {names[name]}" for name in example.inputs)
    options = {n: names[n] if isinstance(v, Array) else literal(v) for n, v in example.options.items()}
    given = ", ".join(f"{name!r}: {value}" for name, value in options.items())
    by = example.differentiate
    body = [*lines, f"inputs, options = {{{inputs}}}, {{{given}}}"]
    cotangent = "None" if example.cotangent is None else f"cotangent.astype(np.{example.dtype})"
    if by in (None, "logits") and example.vector is None:
        keywords = [f"gradient={by is not None}", f"cotangent={cotangent}", "empty=np.empty"]
        body += [
            f"fast = evaluate_blocked({example.loss!r}, inputs, options, {', '.join(keywords)})",
            "if fast is not None:",
            f"    return fast.{'value' if by is None else 'gradient'}, {example.dtype!r}",
        ]
    keywords = [f"differentiate={(by,) if by else ()!r}", f"dtype=np.dtype({example.dtype!r})"]
    keywords += ["cotangent=cotangent"] if example.cotangent is not None else []
    keywords += ["vector=vector"] if example.vector is not None else []
    found = "value" if by is None else "hessian_vector" if example.vector is not None else f"gradients[{by!r}]"
    body += [
        f"evaluation = reference.evaluate_plain({example.loss!r}, inputs, options, {', '.join(keywords)})",
        f"answer = np.asarray(evaluation.{found}.hi)",
        "dtype = answer.dtype.name",
    ]
    imports = ("import reference", "from reference.blocked import evaluate_blocked")
    return Code(imports, tuple(body), '"numpy", np.__version__')
