"""Scripts of several calls whose answers have to agree with each other: the modes of one function, and relations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.core.formats import FORMATS
from harness.judgement.agreement import BUDGET
from harness.judgement.relations.judging import FACTOR
from harness.reproduction.writing import NamedExample, program


@dataclass(frozen=True)
class Comparison:
    """Two sides that have to be equal, or the left at most the right, as expressions of the calls' names."""

    what: str
    left: str
    right: str
    gauge: str | None
    """What rounding may do to either side, in units of the format; None: bit for bit."""
    at_most: bool = False


@dataclass(frozen=True)
class Agreeing:
    """What has to hold between the calls."""

    statement: str
    comparisons: Sequence[Comparison]
    dtype: str
    flush_to_zero: bool
    same_types: bool = False
    """Whether types and shapes are compared too: of two modes, not of two different calls."""
    may_refuse: bool = False
    """Whether a call but the first may raise while others answer."""


def compared(calls: Sequence[NamedExample], agreeing: Agreeing, title: str, why: str, note: str = "") -> str:
    """A whole program that makes every call, shows the answers, both sides of each comparison and what may be between
    them, and exits 1 where one does not hold or only some of the calls are refused."""
    functions = [NamedExample(f"observe_{call.name}", call.example) for call in calls]
    return program(functions, _verdict([call.name for call in calls], agreeing), title, why, note)


def _verdict(names: Sequence[str], agreeing: Agreeing) -> list[str]:
    asked = ", ".join(f'("{name}", observe_{name})' for name in names)
    refused = f'"{names[0]}" in refused and answers' if agreeing.may_refuse else "answers"
    fmt = FORMATS[agreeing.dtype]
    floor = fmt.smallest_normal if agreeing.flush_to_zero else fmt.smallest_subnormal
    units = {name: BUDGET[name] * FORMATS[name].eps for name in FORMATS}
    lines = [
        f"print({'expected: ' + agreeing.statement!r})",
        "answers, dtypes, refused = {}, {}, []",
        f"for name, call in ({asked}{',' if len(names) == 1 else ''}):",
        "    try:",
        "        answers[name], dtypes[name] = call()",
        '        print(name, "=", answers[name], "in", dtypes[name])',
        "    except Exception as error:",
        "        refused.append(name)",
        '        print(name, "raises", type(error).__name__, error)',
        "if refused:",
        f"    sys.exit(1 if {refused} else 0)",
        *(f'{name} = answers["{name}"]' for name in names),
    ]
    if agreeing.same_types:
        lines += [
            "kinds = {(dtypes[name], answers[name].shape) for name in answers}",
            "if len(kinds) > 1:",
            '    print("the answers differ in type or shape")',
            "    sys.exit(1)",
        ]
    return [
        *lines,
        "# What one side may be off by, relative to its size; of the coarsest format among those computed in.",
        f"units = {units!r}",
        f'unit = max(units.get(dtype, 0.0) for dtype in ("{agreeing.dtype}", *dtypes.values()))',
        "",
        "",
        "def holds(what, left, right, gauge, at_most=False):",
        "    left, right = np.broadcast_arrays(left, right)",
        "    size = np.where(np.isfinite(right), np.abs(right), 0.0)",
        "    if gauge is None:  # the same bits, but for what is subnormal on one side",
        f"        small = np.maximum(np.abs(left), size) < {FACTOR * fmt.smallest_normal!r}",
        "        allowed = np.where(small, np.abs(left) + size, 0.0)",
        "    else:",
        f"        allowed = 2 * unit * np.maximum(gauge, size) + {floor!r}",
        '    print(what, "left:", left, "right:", right, "at most apart:", allowed, sep="\\n    ")',
        '    with np.errstate(invalid="ignore"):',
        "        near = (np.abs(left - right) <= allowed) | (left == right) | (np.isnan(left) & np.isnan(right))",
        "        return bool((near | (left <= right) if at_most else near).all())",
        "",
        "",
        "try:",
        "    kept = [",
        *(f"        {_call(comparison)}," for comparison in agreeing.comparisons),
        "    ]",
        "except (ValueError, IndexError) as error:",
        '    print("the answers have shapes that cannot be related:", error)',
        "    sys.exit(1)",
        "sys.exit(0 if all(kept) else 1)",
    ]


def _call(comparison: Comparison) -> str:
    ordered = ", at_most=True" if comparison.at_most else ""
    return f"holds({comparison.what!r}, {comparison.left}, {comparison.right}, {comparison.gauge}{ordered})"
