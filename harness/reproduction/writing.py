"""The script and the issue around what a framework's module writes."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from harness.floats import FORMATS, rounded
from harness.judgement.agreement import BUDGET, Floats, Target
from harness.reproduction import jax, keras, onnx, scipy, tensorflow, torch
from harness.reproduction.problem import Code, Inexpressible, Problem, dense_source, numpy_source

TEMPLATES: Mapping[str, Callable[[Problem], Code]] = {
    "torch": torch.code,
    "tensorflow": tensorflow.code,
    "keras-tensorflow": keras.code,
    "keras-torch": keras.code,
    "keras-jax": keras.code,
    "jax": jax.code,
    "optax": jax.code,
    "scipy": scipy.code,
    "sklearn": scipy.code,
    "onnx-reference": onnx.code,
    "onnxruntime": onnx.code,
}


@dataclass(frozen=True, eq=False)
class Expected:
    """What is right: numbers with what may be missed, another mode's answer, or an error."""

    numbers: Floats | None = None
    allowed: Floats | None = None
    mode: str | None = None
    """The mode whose answer is expected, within `share` of its size."""
    share: float = 0.0
    raises: str | None = None

    @classmethod
    def truth(cls, target: Target, dtype: str, *, flush_to_zero: bool) -> Expected:
        """The truth as the format holds it, with the budget of the harness."""
        fmt = FORMATS[dtype]
        nearest = rounded(target.hi, fmt)
        floor = fmt.smallest_normal if flush_to_zero else fmt.smallest_subnormal
        with np.errstate(invalid="ignore", over="ignore"):
            gap = np.abs(nearest - target.hi)
            allowed = BUDGET[dtype] * fmt.eps * target.gauge + floor + np.where(np.isfinite(gap), gap, 0.0)
        return cls(nearest, np.where(np.isfinite(allowed), allowed, 0.0))


def code_of(problem: Problem) -> Code:
    """What the framework's module writes; Inexpressible where there is none."""
    if problem.implementation not in TEMPLATES:
        raise Inexpressible(f"no template writes scripts for {problem.implementation}")
    return TEMPLATES[problem.implementation](problem)


def script(problem: Problem, expected: Expected, title: str, why: str, note: str = "") -> str:
    """A whole program: exits 1 while the defect shows, 0 when it is gone, 2 where a framework is missing."""
    code = code_of(problem)
    other = None
    if expected.mode is not None:
        other = code_of(_in_mode(problem, expected.mode))
    imports = dict.fromkeys([*code.imports, *(other.imports if other else ())])
    heading = [title.rstrip(".") + ".", "", *textwrap.wrap(" ".join(why.split()), 100)]
    if note:
        heading += ["", *textwrap.wrap(" ".join(note.split()), 100)]
    heading += ["", f"Needs NumPy and {_needs(problem)}. Exits 1 while the defect shows, 0 when it is gone."]
    arrays = [f"{name} = {numpy_source(array)}" for name, array in problem.arrays.items()]
    if problem.cotangent is not None:
        arrays.append(f"cotangent = {numpy_source(problem.cotangent)}")
    if problem.vector is not None:
        arrays.append(f"vector = {numpy_source(problem.vector)}")
    parts = [
        '"""' + "\n".join(heading).replace("\\", "\\\\").replace('"""', "'''") + '\n"""',
        "\n".join(["import os", "import sys", *code.environment]) if code.environment else "import sys",
        "\n".join(["import numpy as np", *imports]),
        "\n".join(arrays),
        _function("observe", code),
    ]
    if other is not None:
        parts.append(_function("observe_the_other_mode", other))
    parts.append(_verdict(problem, code, expected))
    return "\n\n".join(parts) + "\n"


def _in_mode(problem: Problem, mode: str) -> Problem:
    return replace(problem, mode=mode)


def _needs(problem: Problem) -> str:
    return {
        "keras-tensorflow": "Keras with TensorFlow",
        "keras-torch": "Keras with PyTorch",
        "keras-jax": "Keras with JAX",
        "torch": "PyTorch",
        "tensorflow": "TensorFlow",
        "jax": "JAX",
        "sklearn": "scikit-learn",
        "scipy": "SciPy",
        "onnx-reference": "onnx",
        "onnxruntime": "onnx and ONNX Runtime",
    }.get(problem.implementation, problem.implementation)


def _function(name: str, code: Code) -> str:
    body = textwrap.indent("\n".join([*code.body, "return np.asarray(answer, dtype=np.float64)"]), "    ")
    return f"\ndef {name}():\n{body}\n"


def _verdict(problem: Problem, code: Code, expected: Expected) -> str:
    lines = [f"print({code.versions})"]
    if expected.raises is not None:
        return "\n".join(
            [
                *lines,
                f'print("expected: an error ({expected.raises.replace("_", " ")})")',
                "try:",
                '    print("observed:", observe())',
                "except Exception as error:",
                '    print("observed:", type(error).__name__, error)',
                "    sys.exit(0)",
                "sys.exit(1)",
            ]
        )
    if expected.mode is not None:
        lines += [
            "expected = observe_the_other_mode()",
            f"allowed = {expected.share!r} * np.maximum(np.abs(expected), np.finfo(np.float32).tiny)",
        ]
        said = f"as in {expected.mode}"
    else:
        assert expected.numbers is not None
        assert expected.allowed is not None
        lines += [
            f"expected = {dense_source(expected.numbers)}",
            f"# {BUDGET[problem.dtype]:g} units of {problem.dtype} times the error that rounding the input makes",
            f"allowed = {dense_source(expected.allowed)}",
        ]
        said = "exactly"
    lines += [
        "try:",
        "    observed = observe()",
        "except Exception as error:",
        f'    print("expected ({said}):", expected)',
        '    print("observed:", type(error).__name__, error)',
        "    sys.exit(1)",
        f'print("expected ({said}):", expected)',
        'print("observed:", observed)',
        "if observed.shape != expected.shape:",
        "    sys.exit(1)",
        'with np.errstate(invalid="ignore"):',
        "    near = np.abs(observed - expected) <= allowed",
        "right = near | (observed == expected) | (np.isnan(observed) & np.isnan(expected))",
        "sys.exit(0 if right.all() else 1)",
    ]
    return "\n".join(lines)


def issue(title: str, why: str, program: str, observed: str, versions: Mapping[str, str], machine: str) -> str:
    """The text of an issue in Markdown, ready to be pasted."""
    listed = "\n".join(f"- {name} {version}" for name, version in sorted(versions.items()))
    fence = "```"
    return "\n".join(
        [
            f"### {title}",
            "",
            why,
            "",
            "**What happens**",
            "",
            observed,
            "",
            "**To reproduce** (exits 1 while the defect shows)",
            "",
            f"{fence}python",
            program.rstrip(),
            fence,
            "",
            "**Versions**",
            "",
            listed,
            f"- {machine}",
            "",
        ]
    )
