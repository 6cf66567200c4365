"""Scripts of two modes of one function, whose answers have to agree with each other."""

from __future__ import annotations

from dataclasses import dataclass

from harness.core.formats import FORMATS
from harness.judgement.agreement import BUDGET
from harness.reproduction.script_writing import NamedExample, program

TWICE = 2.0
"""Each mode may be as far from the truth as the budget allows, so they may be twice that far from each other."""


@dataclass(frozen=True)
class Modes:
    """The calls of two modes and what may be between their answers."""

    first: NamedExample
    other: NamedExample
    dtype: str
    error_scale: str
    """What rounding may do to either answer, in units of the format, as an expression."""
    flush_to_zero: bool


def compared(modes: Modes, statement: str, title: str, why: str, note: str = "") -> str:
    """A whole program that makes both calls, shows the answers and what may be between them, and exits 1 where they
    differ by more, in type or in shape, or where only one is refused."""
    functions = [NamedExample(f"observe_{one.name}", one.example) for one in (modes.first, modes.other)]
    return program(functions, _verdict(modes, statement), title, why, note)


def _verdict(modes: Modes, statement: str) -> list[str]:
    first, other = modes.first.name, modes.other.name
    fmt = FORMATS[modes.dtype]
    floor = fmt.smallest_normal if modes.flush_to_zero else fmt.smallest_subnormal
    units = {name: BUDGET[name] * FORMATS[name].eps for name in FORMATS}
    return [
        f"print({'expected: ' + statement!r})",
        "answers, dtypes, refused = {}, {}, []",
        f'for name, call in (("{first}", observe_{first}), ("{other}", observe_{other})):',
        "    try:",
        "        answers[name], dtypes[name] = call()",
        '        print(name, "=", answers[name], "in", dtypes[name])',
        "    except Exception as error:",
        "        refused.append(name)",
        '        print(name, "raises", type(error).__name__, error)',
        "if refused:",
        "    sys.exit(1 if answers else 0)",
        f'{first} = answers["{first}"]',
        f'{other} = answers["{other}"]',
        "kinds = {(dtypes[name], answers[name].shape) for name in answers}",
        "if len(kinds) > 1:",
        '    print("the answers differ in type or shape")',
        "    sys.exit(1)",
        "# What one answer may be off by, relative to its size; of the coarsest format among those computed in.",
        f"units = {units!r}",
        f'unit = max(units.get(dtype, 0.0) for dtype in ("{modes.dtype}", *dtypes.values()))',
        f"size = np.where(np.isfinite({first}), np.abs({first}), 0.0)",
        f"allowed = {TWICE!r} * unit * np.maximum({modes.error_scale}, size) + {floor!r}",
        'print("at most apart:", allowed)',
        'with np.errstate(invalid="ignore"):',
        f"    near = (np.abs({other} - {first}) <= allowed) | ({other} == {first})",
        f"near |= np.isnan({other}) & np.isnan({first})",
        "sys.exit(0 if near.all() else 1)",
    ]
