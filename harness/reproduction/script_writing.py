"""The programs around what a framework's module writes, and the text of an issue."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from harness.core.case import Choice
from harness.core.formats import FORMATS, rounded
from harness.core.printing import printable
from harness.core.text import markdown
from harness.judgement.agreement import BUDGET, Floats, Target
from harness.reproduction.example import LARGEST_WRITTEN, Code, Example, Inexpressible, dense_source, literal
from harness.reproduction.frameworks import code_of, needs


@dataclass(frozen=True, eq=False)
class Expected:
    """What is right: numbers with what may be missed, an error, or one of several choices."""

    numbers: Floats | None = None
    allowed: Floats | None = None
    dtype: str | None = None
    """The type the answer is to come back in; None where that is not what is looked at."""
    element: int | None = None
    """The one element, counted through the flattened answer, that is looked at where all are too many to write."""
    raises: str | None = None
    """The kind of error that is right."""
    instead: str | None = None
    """The type of an error that is raised for another reason."""
    choices: tuple[Choice, ...] = ()
    """Where no answer is right: what may come."""
    answers: tuple[tuple[Floats, Floats], ...] = ()
    """Of choices: the numbers that may come, with what may be missed; one without axes stands for every element."""

    @classmethod
    def one_of(cls, choices: tuple[Choice, ...], targets: Iterable[Target], dtype: str, *, flush_to_zero: bool) -> Self:
        """One of several choices; `targets` are the numbers that they may be."""
        found = [cls.truth(target, dtype, flush_to_zero=flush_to_zero) for target in targets]
        if any(one.element is not None for one in found):
            raise Inexpressible("the numbers to choose from are too many to write")
        answers = ((one.numbers, one.allowed) for one in found if one.numbers is not None and one.allowed is not None)
        return cls(choices=choices, answers=tuple(answers))

    @classmethod
    def truth(
        cls,
        target: Target,
        dtype: str,
        *,
        flush_to_zero: bool,
        in_dtype: bool = False,
        element: int | None = None,
    ) -> Expected:
        """The truth as the format holds it, with the budget of the harness; `in_dtype` where the type counts too."""
        fmt = FORMATS[dtype]
        nearest = rounded(target.hi, fmt)
        floor = fmt.smallest_normal if flush_to_zero else fmt.smallest_subnormal
        with np.errstate(invalid="ignore", over="ignore"):
            gap = np.abs(nearest - target.hi)
            allowed = BUDGET[dtype] * fmt.eps * target.error_scale + floor + np.where(np.isfinite(gap), gap, 0.0)
        within = np.where(np.isfinite(allowed), allowed, 0.0)
        chosen = (element or 0) if nearest.size > LARGEST_WRITTEN else None
        return cls(nearest, within, dtype if in_dtype else None, chosen)


@dataclass(frozen=True, eq=False)
class NamedExample:
    """An example, by the name of the function that computes it."""

    name: str
    example: Example


def script(example: Example, expected: Expected, title: str, why: str, note: str = "") -> str:
    """A whole program: exits 1 while the defect shows, 0 when it is gone, 2 where a framework is missing."""
    return program([NamedExample("observe", example)], _verdict(example, expected), title, why, note)


def program(calls: Sequence[NamedExample], verdict: Sequence[str], title: str, why: str, note: str = "") -> str:
    """The calls as functions, arrays they share before them, and what is made of their answers."""
    codes = [code_of(call.example) for call in calls]
    implementation = calls[0].example.implementation
    ends = "Exits 1 while the defect shows, 0 when it is gone, 2 where one of them is missing."
    paragraphs = (title.rstrip(".") + ".", why, note, f"Needs {needs(implementation)}. {ends}")
    shared = _shared(calls)
    environment = dict.fromkeys(line for code in codes for line in code.environment)
    imports = dict.fromkeys(line for code in codes for line in code.imports)
    quoted = dict.fromkeys(
        text for call, code in zip(calls, codes, strict=True) for text in (*call.example.definitions, *code.definitions)
    )
    parts = [
        docstring(paragraphs),
        "import os\nimport sys" if environment else "import sys",
        "\n".join(environment),
        "\n".join(
            [
                "try:",
                *(f"    {line}" for line in ("import numpy as np", *imports)),
                "except ImportError as missing:",
                '    print("cannot run:", missing)',
                "    sys.exit(2)",
            ]
        ),
        *(f"\n{text}\n" if text.startswith("def") else text for text in quoted),
        "\n".join(f"{name} = {source}" for name, source in shared.items()),
        *(_function(call, code, shared) for call, code in zip(calls, codes, strict=True)),
        "\n" + "\n".join(["np.set_printoptions(precision=17)", f"print({codes[0].versions})", *verdict]),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def docstring(paragraphs: Sequence[str]) -> str:
    """Paragraphs as the literal that a script begins with: the one place where texts of others get into one."""
    wrapped = ["\n".join(textwrap.wrap(" ".join(text.split()), 100)) for text in paragraphs]
    words = printable("\n\n".join(text for text in wrapped if text))
    return '"""' + words.replace("\\", "\\\\").replace('"""', "'''") + '\n"""'


def _shared(calls: Sequence[NamedExample]) -> dict[str, str]:
    """Arrays that are the same in every call that has them."""
    sources: dict[str, set[str]] = {}
    for call in calls:
        for name, source in call.example.constants.items():
            sources.setdefault(name, set()).add(source)
    return {name: of.pop() for name, of in sources.items() if len(of) == 1}


def _function(call: NamedExample, code: Code, shared: Mapping[str, str]) -> str:
    own = [f"{name} = {source}" for name, source in call.example.constants.items() if name not in shared]
    lines = [*own, *code.body, "return np.asarray(answer, dtype=np.float64), dtype"]
    body = textwrap.indent("\n".join(lines), "    ")
    return f"\ndef {call.name}():\n{body}"


def _verdict(example: Example, expected: Expected) -> list[str]:
    if expected.raises is not None:
        return _of_an_error(expected)
    if expected.choices:
        return _of_a_choice(expected)
    if expected.numbers is None or expected.allowed is None:
        raise Inexpressible("nothing is expected")
    return _of_numbers(example, expected, expected.numbers, expected.allowed)


def _of_an_error(expected: Expected) -> list[str]:
    kind = str(expected.raises).replace("_", " ")
    gone = "sys.exit(0)"
    if expected.instead is not None:
        gone = f"sys.exit(1 if type(error).__name__ == {literal(expected.instead.rpartition('.')[2])} else 0)"
    return [
        f"print({literal(f'expected: an error ({kind})')})",
        "try:",
        '    print("observed:", *observe())',
        "except Exception as error:",
        '    print("observed:", type(error).__name__, error)',
        f"    {gone}",
        "sys.exit(1)",
    ]


def _of_a_choice(expected: Expected) -> list[str]:
    kinds = [choice.kind for choice in expected.choices if choice.kind is not None]
    allowed = ["finite" if kind == "any" else kind for kind in kinds]
    lines = [
        f'print("expected: one of", {", ".join(literal(choice.name) for choice in expected.choices)})',
        "try:",
        "    observed, dtype = observe()",
        "except Exception as error:",
        '    print("observed:", type(error).__name__, error)',
        f"    sys.exit({0 if 'raises' in allowed else 1})",
        'print("observed:", observed, dtype)',
        'kind = "nan" if np.isnan(observed).any() else "inf" if np.isinf(observed).any() else "finite"',
        f"if kind in {allowed!r}:",
        "    sys.exit(0)",
    ]
    for numbers, missed in expected.answers:
        lines += [
            f"expected, allowed = {dense_source(numbers)}, {dense_source(missed)}",
            'with np.errstate(invalid="ignore"):',
            "    near = np.abs(observed - expected) <= allowed",
            "right = near | (observed == expected) | (np.isnan(observed) & np.isnan(expected))",
            "if expected.shape in ((), observed.shape) and right.all():",
            "    sys.exit(0)",
        ]
    return [*lines, "sys.exit(1)"]


def _of_numbers(example: Example, expected: Expected, numbers: Floats, allowed: Floats) -> list[str]:
    shape = numbers.shape
    what = "expected:"
    if expected.element is not None:
        numbers, allowed = numbers.ravel()[[expected.element]], allowed.ravel()[[expected.element]]
        what = f"expected, element {expected.element}:"
    said = f', "in {expected.dtype}"' if expected.dtype is not None else ""
    lines = [
        f"expected = {dense_source(numbers)}",
        f"# {BUDGET[example.dtype]:g} units of {example.dtype} times the error that rounding the input makes",
        f"allowed = {dense_source(allowed)}",
        f'print("{what}", expected{said})',
        "try:",
        "    observed, dtype = observe()",
        "except Exception as error:",
        '    print("observed:", type(error).__name__, error)',
        "    sys.exit(1)",
    ]
    if expected.element is not None:
        lines += [
            f"if observed.shape != {shape}:",
            '    print("observed: shape", observed.shape)',
            "    sys.exit(1)",
            f"observed = observed.ravel()[[{expected.element}]]",
        ]
    lines += ['print("observed:", observed, "in", dtype)', "if observed.shape != expected.shape:", "    sys.exit(1)"]
    if expected.dtype is not None:
        lines += [f"if dtype != {expected.dtype!r}:", "    sys.exit(1)"]
    return [
        *lines,
        'with np.errstate(invalid="ignore"):',
        "    near = np.abs(observed - expected) <= allowed",
        "right = near | (observed == expected) | (np.isnan(observed) & np.isnan(expected))",
        "sys.exit(0 if right.all() else 1)",
    ]


def issue(title: str, why: str, program: str, observed: str, versions: Mapping[str, str], machine: str) -> str:
    """The text of an issue in Markdown, ready to be pasted."""
    # No run of backticks in the script ends the block it stands in.
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", program)), default=0))
    return "\n".join(
        [
            markdown("### {}", title),
            "",
            markdown("{}", why),
            "",
            "**What happens**",
            "",
            markdown("{}", observed),
            "",
            "**To reproduce** (exits 1 while the defect shows)",
            "",
            fence + "python",
            program.rstrip(),
            fence,
            "",
            "**Versions**",
            "",
            *(markdown("- {} {}", name, version) for name, version in sorted(versions.items())),
            markdown("- {}", machine),
            "",
        ]
    )
