"""Scripts of divergences of every kind that docs/findings.md has none of, in a process that cannot see the project."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest

from harness import reproduction
from harness.adapters.registry import resolve
from harness.core.cell import Cell
from harness.judgement.ledger import Ledger
from harness.runs.plan import Scope
from harness.runs.session import Order, execute
from harness.tests.own_process import endings_of_scripts
from harness.tests.shipped import shipped_cases

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Shown:
    """Divergent cells of one implementation: case, mode, dtype, aspect, and a text that the script prints."""

    implementation: str
    cells: tuple[tuple[str, str, str, str, str], ...]
    modes: tuple[str, ...] = ("eager",)


SHOWN = (
    Shown("scratch-d3", (("documents/d0-label-minus-one", "eager", "float64", "value", "an error"),)),
    Shown(
        "scratch-d4",
        (
            ("documents/d0-perfect-entries", "eager", "float64", "value", "nan"),
            ("documents/d2-softmax-extreme-710", "eager", "float16", "value", "nan"),
        ),
    ),
    Shown("scratch-d2", (("documents/d2-extreme-710", "eager", "float64", "gradient", "nan"),)),
    Shown("sklearn", (("documents/d1-multi-class-soft-targets", "eager", "float64", "value", "Error"),)),
    Shown("onnx-reference", (("documents/d2-extreme-minus-1e4", "eager", "float64", "value", "observed"),)),
    Shown("jax-x32", (("documents/d2-fashion-mnist-row-sums-to-0.9999", "eager", "float64", "value", "in float32"),)),
    Shown(
        "keras-torch",
        (("documents/d0-worked-example", "class", "float64", "mode_agreement", "differ in type"),),
        ("eager", "class"),
    ),
)


CASES = {case.id: case for case in shipped_cases()}


def asked(shown: Shown) -> dict[tuple[str, str, str, str], Cell]:
    """The cells that are shown, by place."""
    scope = Scope(tuple(sorted({dtype for _, _, dtype, _, _ in shown.cells})), shown.modes)
    cases = tuple(CASES[name] for name in sorted({name for name, *_ in shown.cells}))
    order = Order(cases, "", Ledger(), (resolve(shown.implementation),), scope, parallel=1)
    found = {(c.case, c.mode, c.dtype, c.aspect): c for c in execute(order) if isinstance(c, Cell)}
    return {cell[:4]: found[cell[:4]] for cell in shown.cells}


@pytest.mark.parametrize("shown", SHOWN, ids=lambda shown: shown.implementation)
def test_a_script_shows_the_divergence_where_the_project_is_not(shown: Shown, tmp_path: Path) -> None:
    absent = [name for name in resolve(shown.implementation).requires if find_spec(name) is None]
    if absent:
        pytest.skip(f"needs {', '.join(absent)}")
    found = asked(shown)
    assert {cell.verdict for cell in found.values()} <= {"disagrees", "agrees", "by_convention"}
    wanted = {cell[:4]: cell[4] for cell in shown.cells if found[cell[:4]].verdict == "disagrees"}
    if not wanted:
        pytest.skip(f"this version of {shown.implementation} has none of these divergences")
    paths = []
    for number, place in enumerate(wanted):
        paths.append(tmp_path / f"{number}.py")
        program = reproduction.script_of(CASES[place[0]], found[place], flush_to_zero=True, first_mode="eager")
        paths[-1].write_text(program, encoding="utf-8")
    found_out, said = endings_of_scripts(paths, tmp_path)
    assert found_out == dict.fromkeys(map(str, paths), "1"), said
    for text in wanted.values():
        assert text in said
