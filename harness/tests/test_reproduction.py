"""Standalone scripts: what is written runs, and says by its exit code whether the defect shows."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from harness import reproduction
from harness.arrays import Array
from harness.floats import FORMATS
from harness.judgement.agreement import Target
from harness.judgement.truth import TruthTable
from harness.reproduction.problem import dense_source, literal
from harness.reproduction.writing import TEMPLATES


def problem(implementation: str, loss: str = "softmax_cross_entropy", mode: str = "eager") -> reproduction.Problem:
    inputs = {"logits": Array.of(np.array([[1.0, 2.0, 3.0]]), "float32"), "targets": Array.of(np.array([0]))}
    options = {"reduction": "none"} if loss == "softmax_cross_entropy" else {}
    if not options:
        del inputs["targets"]
    return reproduction.Problem(implementation, loss, inputs, options, "float32", mode)


def right(of: reproduction.Problem) -> reproduction.Expected:
    target = TruthTable(of.loss, of.inputs, of.options, of.dtype, (), None).under().targets["value"]
    return reproduction.Expected.truth(target, of.dtype, flush_to_zero=False)


def exit_code(program: str, place: Path) -> int:
    path = place / "script.py"
    path.write_text(program, encoding="utf-8")
    return subprocess.run([sys.executable, str(path)], capture_output=True, timeout=120, check=False).returncode


@pytest.mark.skipif(find_spec("scipy") is None, reason="needs SciPy, which starts in a moment")
def test_the_exit_code_says_whether_the_defect_shows(tmp_path: Path) -> None:
    of = problem("scipy", "softmax")
    expected = right(of)
    assert exit_code(reproduction.script(of, expected, "Softmax", "Why."), tmp_path) == 0
    assert expected.numbers is not None
    wrong = reproduction.Expected(expected.numbers + 0.1, expected.allowed)
    assert exit_code(reproduction.script(of, wrong, "Softmax", "Why."), tmp_path) == 1
    refusal = reproduction.Expected(raises="shape_mismatch")
    assert exit_code(reproduction.script(of, refusal, "Softmax", "Why."), tmp_path) == 1


@pytest.mark.parametrize("implementation", sorted(set(TEMPLATES) - {"scipy", "sklearn", "jax"}))
def test_every_template_writes_python(implementation: str) -> None:
    of = problem(implementation)
    program = reproduction.script(of, right(of), 'A title with """ quotes', "Why \\ this.")
    compile(program, "script.py", "exec")
    assert "harness" not in program


@pytest.mark.parametrize(
    ("implementation", "twice"),
    [
        ("torch", "torch.autograd.grad(slope, [logits_], grad_outputs=direction)"),
        ("keras-torch", "torch.autograd.grad(slope, [logits_], grad_outputs=direction)"),
        ("tensorflow", "tape.gradient(slope, logits_, output_gradients=tf.cast(vector, slope.dtype))"),
        ("keras-tensorflow", "tape.gradient(slope, logits_, output_gradients=tf.cast(vector, slope.dtype))"),
        ("optax", "jax.jvp(lambda logits_: gradient(logits_, targets_)"),
        ("keras-jax", "jax.jvp(lambda logits_: gradient(logits_, targets_)"),
    ],
)
def test_the_script_of_a_second_derivative_differentiates_twice(implementation: str, twice: str) -> None:
    once = replace(problem(implementation), differentiate="logits")
    of = replace(once, vector=Array.of(np.array([[1.0, -2.0, 0.5]]), "float32"))
    program = reproduction.script(of, right(of), "Twice", "Why.")
    compile(program, "script.py", "exec")
    assert "vector = np.array([[1.0, -2.0, 0.5]], dtype=np.float64)" in program
    assert twice in program
    assert twice not in reproduction.script(once, right(once), "Once", "Why.")


def test_what_no_template_writes_is_refused_with_the_reason() -> None:
    of = problem("numpy")
    expected = right(of)
    with pytest.raises(reproduction.Inexpressible, match="no template"):
        reproduction.script(of, expected, "t", "w")
    many = np.arange(5000.0)
    with pytest.raises(reproduction.Inexpressible, match="5000"):
        dense_source(many)


def test_equal_rows_are_written_once() -> None:
    written = dense_source(np.tile([[1.0, 2.0]], (70000, 1)))
    assert written == "np.tile(np.array([[1.0, 2.0]], dtype=np.float64), (70000, 1))"


def test_numbers_that_are_none_are_written_as_numpy_knows_them() -> None:
    assert literal([float("nan"), float("inf"), float("-inf"), -0.0]) == "[np.nan, np.inf, -np.inf, -0.0]"


def test_the_truth_beyond_the_format_is_infinite() -> None:
    target = Target(np.array([1e30]), np.zeros(1), np.ones(1))
    expected = reproduction.Expected.truth(target, "float16", flush_to_zero=False)
    assert expected.numbers is not None
    assert np.isinf(expected.numbers).all()
    assert FORMATS["float16"].largest < 1e30


def test_an_issue_names_versions_and_holds_the_script() -> None:
    text = reproduction.issue("Title", "Why.", "print(1)\n", "1 where 2 is right", {"torch": "2.13"}, "linux")
    assert "```python\nprint(1)\n```" in text
    assert "- torch 2.13" in text
    assert "1 where 2 is right" in text
