"""The project's own formulas in plain floating point: the one implementation whose script needs the project itself."""

from __future__ import annotations

from harness.core.arrays import Array
from harness.reproduction import scipy
from harness.reproduction.example import Code, Example, Inexpressible, literal


def code(example: Example) -> Code:
    """`reference.evaluate_plain` with the inputs and options of the cell."""
    if example.forward:
        raise Inexpressible("no template writes the derivative along a vector")
    lines, names = scipy.arrays(example)
    inputs = ", ".join(f"{name!r}: {names[name]}" for name in example.inputs)
    options = {n: names[n] if isinstance(v, Array) else literal(v) for n, v in example.options.items()}
    given = ", ".join(f"{name!r}: {value}" for name, value in options.items())
    by = example.differentiate
    body = [*lines, f"inputs, options = {{{inputs}}}, {{{given}}}"]
    keywords = [f"differentiate={(by,) if by else ()!r}", f"dtype=np.dtype({example.dtype!r})"]
    keywords += ["cotangent=cotangent"] if example.cotangent is not None else []
    keywords += ["vector=vector"] if example.vector is not None else []
    found = "value" if by is None else "hessian_vector" if example.vector is not None else f"gradients[{by!r}]"
    body += [
        f"evaluation = reference.evaluate_plain({example.loss!r}, inputs, options, {', '.join(keywords)})",
        f"answer = np.asarray(evaluation.{found}.hi)",
        "dtype = answer.dtype.name",
    ]
    return Code(("import reference",), tuple(body), '"numpy", np.__version__')
