"""Standalone scripts: what is written runs, and says by its exit code whether the defect shows."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example as for_instance
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from harness import reproduction
from harness.core.arrays import Array
from harness.core.call import Call
from harness.core.case import ArraySpec, Choice
from harness.core.formats import FORMATS
from harness.judgement.agreement import Target
from harness.judgement.truth import TruthTable
from harness.reproduction.example import dense_source, laid_out, layout_of, literal
from harness.reproduction.frameworks import TEMPLATES, code_of
from harness.reproduction.sources import definitions
from harness.reproduction.torch import tensor as torch_tensor
from harness.suite.generators import GENERATORS, LAYOUTS, realize
from reference import LOSSES as SIGNATURES

MEANS = ("timm", "transformers", "torchtune")
"""Their losses are means."""


def problem(implementation: str, loss: str = "softmax_cross_entropy", mode: str = "eager") -> reproduction.Example:
    inputs = {"logits": Array.of(np.array([[1.0, 2.0, 3.0]]), "float32"), "targets": Array.of(np.array([0]))}
    options: dict[str, Any] = {
        "reduction": "mean" if loss.startswith("categorical") or implementation in MEANS else "none"
    }
    if implementation == "unsloth":
        options |= {"reduction": "mean", "ignore_index": -100}
    if loss == "softmax":
        del inputs["targets"], options["reduction"]
    elif loss == "binary_focal":
        inputs = {"logits": inputs["logits"], "targets": Array.of(np.array([[0.0, 1.0, 1.0]]), "float32")}
    elif loss.startswith("categorical"):
        inputs = {"probabilities": Array.of(np.array([[0.25, 0.25, 0.5]]), "float32"), "targets": inputs["targets"]}
    return reproduction.Example(implementation, Call(loss, inputs, options, "float32", mode))


def with_call(of: reproduction.Example, **changed: Any) -> reproduction.Example:
    return replace(of, call=replace(of.call, **changed))


def of_spec(of: reproduction.Example, spec: ArraySpec, dtype: str) -> reproduction.Example:
    return replace(with_call(of, inputs={"logits": realize(spec, dtype)}), specs={"logits": spec})


def right(of: reproduction.Example) -> reproduction.Expected:
    target = TruthTable(of.call).under().targets["value"]
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


@pytest.mark.parametrize(
    ("mode", "written"),
    [
        ("class", "SparseCategoricalCrossentropy(reduction='none', from_logits"),
        ("class-typed", "SparseCategoricalCrossentropy(reduction='none', dtype='float32'"),
        ("masked", "mask=keras.ops.not_equal(targets, 0), dtype='float32')(logits)"),
        ("mixed-float16", "keras.layers.Activation(\"linear\", dtype='mixed_float16')(logits)"),
        ("mixed-bfloat16", "keras.layers.Activation(\"linear\", dtype='mixed_bfloat16')(logits)"),
    ],
)
def test_a_script_of_keras_calls_it_as_its_mode_does(mode: str, written: str) -> None:
    of = problem("keras-torch", mode=mode)
    of = with_call(of, options={**of.call.options, "ignore_index": 0})
    (line,) = (line for line in code_of(of).body if "keras.losses." in line)
    assert written in line
    assert ("ignore_class" in line) == (mode != "masked")


@pytest.mark.parametrize(
    ("mode", "written"),
    [
        ("activated", "keras.ops.softmax(keras.ops.log(probabilities), axis=-1)"),
        ("activated-elsewhere", "keras.ops.log(probabilities) + keras.ops.arange(3, dtype='float32'), axis=0)"),
        ("activated-graph", "tf.nn.softmax(keras.ops.log(probabilities), axis=-1)"),
    ],
)
def test_a_script_has_keras_make_the_probabilities_where_the_mode_does(mode: str, written: str) -> None:
    of = problem("keras-tensorflow", "categorical_cross_entropy", mode)
    assert any(written in line for line in code_of(of).body)


LOSSES = {
    "scipy": "softmax",
    "jax": "softmax",
    "jax-x32": "softmax",
    "sklearn": "categorical_cross_entropy",
    **dict.fromkeys(("scratch-d0", "scratch-d1", "scratch-d3"), "categorical_cross_entropy"),
    "scratch-d4": "softmax",
    **dict.fromkeys(("kornia", "monai", "torchvision", "fvcore"), "binary_focal"),
}

MORE: tuple[dict[str, Any], ...] = (
    {},
    {"denominator": 3},
    {"label_smoothing": 0.1},
    {"ignore_index": 0},
    {"ignore_index": -100},
    {"alpha": 0.5},
)

FIRST_MODES = {"loss-parallel": "ranks"}
"""Eager for all others."""


@pytest.mark.skipif(find_spec("scipy") is None, reason="needs SciPy, which starts in a moment")
@pytest.mark.parametrize(("mode", "ending"), [("kl_div", 0), ("stats", 0), ("masked-array", 1)])
def test_each_mode_of_scipy_is_called_as_it_is(mode: str, ending: int, tmp_path: Path) -> None:
    p, q = Array.of(np.array([[0.25, 0.75]])), Array.of(np.log([[0.5, 0.5]]))
    of = Call("kl_divergence", {"targets": p, "log_probabilities": q}, {"reduction": "none"}, "float64", mode)
    if mode == "masked-array":  # of which SciPy counts what is masked
        mask = Array.of(np.array([True, False, True]))
        of = Call("softmax", {"logits": Array.of(np.array([[1.0, 2.0, 3.0]]))}, {"class_mask": mask}, "float64", mode)
    example = reproduction.Example("scipy", of)
    assert exit_code(reproduction.script(example, right(example), "t", "w"), tmp_path) == ending


@pytest.mark.skipif(find_spec("scipy") is None, reason="needs SciPy, which starts in a moment")
def test_a_type_a_choice_another_error_and_a_missing_framework_show_too(tmp_path: Path) -> None:
    of = problem("scipy", "softmax")
    in_another_type = replace(right(of), dtype="float64")  # the numbers are right, in float32
    assert exit_code(reproduction.script(of, in_another_type, "t", "w"), tmp_path) == 1
    of_a_choice = reproduction.Expected(choices=(Choice("raises", "raises"), Choice("nan", "nan")))
    assert exit_code(reproduction.script(of, of_a_choice, "t", "w"), tmp_path) == 1
    numbers, allowed = right(of).numbers, right(of).allowed
    assert numbers is not None
    assert allowed is not None
    made = replace(of_a_choice, answers=((numbers + 1, allowed), (numbers, allowed)))
    assert exit_code(reproduction.script(of, made, "t", "w"), tmp_path) == 0
    assert exit_code(reproduction.script(of, replace(made, answers=made.answers[:1]), "t", "w"), tmp_path) == 1
    refusing = with_call(of, options={"axis": 7})
    another = reproduction.Expected(raises="shape_mismatch", instead="numpy.exceptions.AxisError")
    assert exit_code(reproduction.script(refusing, another, "t", "w"), tmp_path) == 1
    assert exit_code(reproduction.script(refusing, replace(another, instead="ValueError"), "t", "w"), tmp_path) == 0
    absent = reproduction.script(of, right(of), "t", "w").replace("import scipy\n", "import no_such_scipy\n")
    assert exit_code(absent, tmp_path) == 2


@pytest.mark.skipif(find_spec("scipy") is None, reason="needs SciPy, which starts in a moment")
def test_of_an_answer_too_large_to_write_one_element_is_compared(tmp_path: Path) -> None:
    spec = ArraySpec(generator="uniform", parameters={"shape": (3000, 2), "seed": 7})
    of = of_spec(problem("scipy", "softmax"), spec, "float32")
    target = TruthTable(of.call).under().targets["value"]
    expected = reproduction.Expected.truth(target, of.dtype, flush_to_zero=False, element=4321)
    assert exit_code(reproduction.script(of, expected, "t", "w"), tmp_path) == 0
    assert expected.numbers is not None
    changed = expected.numbers.copy()
    changed.flat[4321] += 0.1
    assert exit_code(reproduction.script(of, replace(expected, numbers=changed), "t", "w"), tmp_path) == 1


@pytest.mark.parametrize("implementation", sorted(TEMPLATES))
def test_every_template_writes_python(implementation: str) -> None:
    mode = FIRST_MODES.get(implementation, "eager")
    of = problem(implementation, LOSSES.get(implementation, "softmax_cross_entropy"), mode)
    program = reproduction.script(of, right(of), 'A title with """ quotes', "Why \\ this.")
    compile(program, "script.py", "exec")
    assert "harness" not in program


def test_a_script_of_two_ranks_takes_a_log_softmax_of_no_labels() -> None:
    body = "\n".join(code_of(problem("loss-parallel", "log_softmax", "ranks")).body)
    assert "log_softmax(whole, -1)" in body
    assert "labels" not in body


@pytest.mark.parametrize("implementation", ["torch", "tensorflow", "keras-jax", "jax", "optax"])
def test_logits_are_multiplied_where_the_loss_is_called(implementation: str) -> None:
    of = problem(implementation, "softmax" if implementation == "jax" else "softmax_cross_entropy")
    program = "\n".join(code_of(with_call(of, options={**of.call.options, "logit_scale": 0.7})).body)
    assert re.search(r"(logits|given\[0\]) \* 0\.7", program)


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
    once = with_call(problem(implementation), differentiate=("logits",))
    of = with_call(once, vector=Array.of(np.array([[1.0, -2.0, 0.5]]), "float32"))
    program = reproduction.script(of, right(of), "Twice", "Why.")
    compile(program, "script.py", "exec")
    assert "vector = np.array([[1.0, -2.0, 0.5]], dtype=np.float64)" in program
    assert twice in program
    assert twice not in reproduction.script(once, right(once), "Once", "Why.")


def test_what_no_template_writes_is_refused_with_the_reason() -> None:
    expected = right(problem("numpy"))
    with pytest.raises(reproduction.Inexpressible, match="no template"):
        reproduction.script(problem("mutant:sound"), expected, "t", "w")
    with pytest.raises(reproduction.Inexpressible, match="differentiates nothing"):
        reproduction.script(with_call(problem("scipy", "softmax"), differentiate=("logits",)), expected, "t", "w")
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


def test_a_function_is_quoted_with_what_it_uses_and_without_annotations() -> None:
    (constant, function) = definitions("adapters/scratch/d3.py", ["cross_entropy_error"])
    assert constant == "EPSILON = 1e-10"
    assert function.startswith("def cross_entropy_error(y, t):")
    assert definitions("suite/generators.py", ["_uniform"])[0] == "import math"
    with pytest.raises(ValueError, match=r"d3\.py defines no cross_entropy"):
        definitions("adapters/scratch/d3.py", ["cross_entropy"])


@pytest.mark.parametrize("generator", ["uniform", "labels", "normal", "probabilities", "bits", "cycle"])
def test_an_array_too_large_to_write_is_made_as_the_suite_makes_it(generator: str) -> None:
    parameters = {"shape": (3000, 2), "seed": 7, "classes": 3, "values": (1.0, 2.5)}
    known = GENERATORS[generator].parameters
    spec = ArraySpec(generator=generator, parameters={n: v for n, v in parameters.items() if n in known})
    of = of_spec(problem("torch", "softmax"), spec, "float64")
    scope: dict[str, Any] = {"np": np}
    exec("\n".join([*of.definitions, f"made = {of.constants['logits']}"]), scope)
    assert np.array_equal(scope["made"], of.inputs["logits"].storage)


# --- texts of others --------------------------------------------------------------------------------------------------

HOSTILE = st.lists(
    st.one_of(
        st.characters(exclude_categories=()),
        st.sampled_from(
            ['"""', "'''", '"', "\\", "\n", "\r", "\0", "\x1b", "\u2028", "\ud800", "\\N{", "OWNED()", "```", ":"]
        ),
    ),
    max_size=20,
).map("".join)


@given(HOSTILE, HOSTILE, HOSTILE)
@for_instance('a"', "\\", '"""\nimport os; os.system("owned")\n"""')
@for_instance("a\n# coding: utf-7", "+AG8-", "")
def test_texts_of_others_stand_in_one_docstring(title: str, why: str, note: str) -> None:
    of = problem("numpy", "softmax")
    written = reproduction.script(of, right(of), title, why, note)
    plain = reproduction.script(of, right(of), "", "")
    assert written.isascii() or written.encode("utf-8")
    assert all(c.isprintable() or c == "\n" for c in written)
    (document, *code), (_, *same) = (ast.parse(program).body for program in (written, plain))
    assert isinstance(document, ast.Expr)
    assert isinstance(document.value, ast.Constant)
    assert [ast.dump(node) for node in code] == [ast.dump(node) for node in same]


@pytest.mark.parametrize(
    "changed",
    [
        {"mode": "eager():\n    pass\nOWNED()\ndef in_"},
        {"mode": "no_such_mode"},
        {"dtype": "float32; OWNED()"},
        {"loss": "softmax\nOWNED()"},
        {"options": {"reduction": "none(); OWNED()"}},
        {"options": {"axis=1); OWNED(": 1}},
        {"options": {"import": 1}},
        {"inputs": {"logits; OWNED()": Array.of(np.ones((1, 2)), "float32")}},
        {"differentiate": ("logits; OWNED()",)},
    ],
    ids=str,
)
@pytest.mark.parametrize("implementation", TEMPLATES)
def test_what_a_run_file_says_becomes_no_name_of_a_script(implementation: str, changed: dict[str, Any]) -> None:
    with pytest.raises(reproduction.Inexpressible, match="no template writes the"):
        with_call(problem(implementation), **changed)


@pytest.mark.parametrize("implementation", TEMPLATES)
def test_of_any_loss_and_reduction_there_is_a_script_or_the_reason_why_not(implementation: str) -> None:
    """A run file may say that an implementation has a loss it never had."""
    label, rows = Array.of(np.array([0])), Array.of(np.array([[0.25, 0.75]]), "float32")
    mode, written, refused = FIRST_MODES.get(implementation, "eager"), 0, 0
    for loss, signature in SIGNATURES.items():
        inputs = {name: rows if what == "floating" else label for name, what in signature.inputs.items()}
        for reduction in signature.reductions or ("none",):
            for more in (
                {},
                {"denominator": 3},
                {"label_smoothing": 0.1},
                {"ignore_index": 0},
                {"ignore_index": -100},
                {"alpha": 0.5},
            ):
                options: dict[str, Any] = {"reduction": reduction, **more}
                try:
                    code_of(reproduction.Example(implementation, Call(loss, inputs, options, "float32", mode)))
                    written += 1
                except reproduction.Inexpressible:
                    refused += 1
    assert written
    assert refused or implementation == "numpy"


def test_texts_become_no_markup_of_an_issue() -> None:
    bad = "[a](https://a.b) <b>\n\n# c\n```\n| d"
    text = reproduction.issue(bad, bad, f"print({bad!r})\n````\n", bad, {bad: bad}, bad)
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    inner = [token for outer in tokens for token in (outer, *(outer.children or ()))]
    kinds = {token.type for token in inner}
    assert not {kind for kind in kinds if re.match("link|html|image|table|code_inline", kind)}
    (block,) = (token for token in tokens if token.type == "fence")
    assert block.content == f"print({bad!r})\n````\n"
    assert sum(token.type == "heading_open" for token in tokens) == 1


@pytest.mark.parametrize("layout", LAYOUTS)
def test_an_array_is_written_with_the_strides_it_has(layout: str) -> None:
    values = tuple((((1.0, 2.0, 3.0),) * 2,) * 4)
    array = realize(ArraySpec(values=values, layout=layout), "float32")
    names = {"np": np, "x": np.ascontiguousarray(array.storage)}
    written = eval(laid_out("x", array), names)  # our own expression
    assert layout_of(Array("float32", written)) == layout_of(array) == layout
    np.testing.assert_array_equal(written, array.storage)
    if layout != "reversed":
        torch = pytest.importorskip("torch")
        tensor = eval(torch_tensor("x", array), {**names, "torch": torch})
        assert layout_of(Array("float32", tensor.numpy())) == layout
