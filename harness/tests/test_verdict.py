"""From outcome to verdict: conventions, diagnoses, severities, modes, on answers with one known property each."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from harness.core.arrays import Array
from harness.core.call import Call
from harness.core.case import ArraySpec, Choice, Expectation, ExpectImplementationDefined, ExpectRaises, ExpectTruth
from harness.core.cell import EVERY, Cell
from harness.core.ledger import Entry, Pin
from harness.core.outcomes import Crashed, Missing, Outcome, Raised, Refused, Returned, TimedOut
from harness.judgement.ledger import Ledger
from harness.judgement.modes import judge_modes
from harness.judgement.truth import TruthTable
from harness.judgement.verdict import Subject, judge
from harness.mistakes.diagnosis import diagnose
from reference.conventions import NAMES


def subject(
    loss: str,
    inputs: dict[str, Any],
    options: dict[str, Any] | None = None,
    *,
    dtype: str = "float32",
    expect: Expectation | None = None,
    differentiate: tuple[str, ...] = (),
) -> Subject:
    arrays = {
        name: Array.of(values, dtype) if np.asarray(values).dtype.kind == "f" else Array.of(values, "int64")
        for name, values in inputs.items()
    }
    given = {"reduction": "mean"} | (options or {})
    table = TruthTable(Call(loss, arrays, given, dtype, differentiate=differentiate))
    return Subject(
        "a/case", "it", "1.0", "eager", dtype, expect or ExpectTruth(), differentiate, False, table, diagnose
    )


def value_cell(subject: Subject, got: Any, dtype: str | None = None, **more: Any) -> Cell:
    return judge(subject, Returned(Array.of(got, dtype or subject.dtype), "f", **more), Ledger())[0]


IMPOSSIBLE = subject("categorical_cross_entropy", {"probabilities": [[0.0, 1.0]], "targets": [0]})
TRUNCATED = Choice("the loss of label 0", inputs={"targets": ArraySpec((0, 0))})
NAN, RAISES = Choice("nan", "nan"), Choice("raises", "raises")
THREE = {"logits": [[1.0, 2.0, 3.0], [0.5, 0.0, -1.0]], "targets": [0, 2]}


def truth(subject: Subject, aspect: str = "value") -> Any:
    return subject.table.under().targets[aspect].hi


def test_a_clamp_is_right_by_convention_where_it_is_declared_and_wrong_where_it_is_not() -> None:
    declared = value_cell(IMPOSSIBLE, 16.118095, convention={"clip": 1e-7})
    assert (declared.verdict, declared.convention) == ("by_convention", "clip(1e-07)")
    undeclared = value_cell(IMPOSSIBLE, 16.118095)
    assert (undeclared.verdict, undeclared.severity) == ("disagrees", "silently_wrong")
    assert undeclared.explanation is not None
    assert "clip(1e-07)" in undeclared.explanation


def test_a_declared_convention_excuses_nothing_else() -> None:
    assert value_cell(IMPOSSIBLE, 16.2, convention={"clip": 1e-7}).verdict == "disagrees"


parameters = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=1),
    max_leaves=3,
)


@example({"clip": [None, 1]})
@example({"clip": "C"})
@example({"clip": None, "smoothing": 1e300})
@example({"log_clamp": None})
@example({"gradient_clamp": [1]})
@example({"clip": 10**400})
@given(st.dictionaries(st.sampled_from([*NAMES, "result_dtype", "label_smoothing"]), parameters, max_size=3))
def test_whatever_a_worker_declares_its_answer_is_judged(convention: dict[str, Any]) -> None:
    assert value_cell(IMPOSSIBLE, 16.118095, convention=convention).verdict in ("disagrees", "by_convention")


def test_torch_clamps_the_logarithm_and_the_gradient_separately() -> None:
    s = subject("binary_cross_entropy", {"probabilities": [0.0], "targets": [1.0]}, differentiate=("probabilities",))
    convention = {"log_clamp": -100.0, "gradient_clamp": 1e-12}
    gradients = {"probabilities": Array.of([-1e12], "float32")}
    cells = judge(s, Returned(Array.of(100.0, "float32"), "f", gradients, convention=convention), Ledger())
    assert [cell.verdict for cell in cells] == ["by_convention", "by_convention"]


@pytest.mark.parametrize(
    ("loss", "inputs", "options", "factor", "says"),
    [
        ("categorical_cross_entropy", {"probabilities": [[0.775, 0.225]], "targets": [0]}, {}, 1.442695, "base 2"),
        ("softmax_cross_entropy", THREE, {"reduction": "sum"}, 0.5, "mean"),
        ("softmax_cross_entropy", THREE, {"reduction": "mean"}, 2.0, "sum instead of the mean"),
        ("softmax_cross_entropy", THREE, {"reduction": "mean"}, 1 / 3, "N·C"),
        ("softmax_cross_entropy", THREE, {"reduction": "none"}, -1.0, "sign"),
    ],
)
def test_the_diagnosis_names_the_change(
    loss: str, inputs: dict[str, Any], options: dict[str, Any], factor: float, says: str
) -> None:
    s = subject(loss, inputs, options)
    cell = value_cell(s, factor * truth(s))
    assert cell.verdict == "disagrees"
    assert says in str(cell.explanation)


def test_the_diagnosis_is_honest_when_nothing_explains() -> None:
    s = subject("softmax_cross_entropy", THREE, {"reduction": "none"})
    assert "no single change" in str(value_cell(s, truth(s) + np.asarray([0.123, -0.456])).explanation)


def test_an_ignored_option_is_found() -> None:
    s = subject("softmax_cross_entropy", THREE, {"label_smoothing": 0.1})
    without = s.table.under(None, {"label_smoothing": None}).targets["value"].hi
    assert "label_smoothing is ignored" in str(value_cell(s, without).explanation)


def test_a_narrowed_answer_is_a_finding_even_where_the_number_is_right() -> None:
    s = subject("softmax_cross_entropy", {"logits": [[0.0, 0.0]], "targets": [0]}, dtype="float64")
    cell = value_cell(s, truth(s), "float32")
    assert cell.verdict == "disagrees"
    assert "answers in float32" in str(cell.explanation)


HALF = {"logits": [[1.0, 2.0, 3.0]], "targets": [2]}
WEIGHTS = {"class_weights": Array.of([1e5, 2e5, 5e4], "float32"), "reduction": "mean"}


def test_of_several_types_a_value_may_have_any_and_a_gradient_that_of_its_input() -> None:
    s = subject("softmax_cross_entropy", HALF, WEIGHTS, dtype="float16", differentiate=("logits",))
    slope = truth(s, "gradient")
    verdicts = {}
    for dtype in ("float16", "float32", "float64"):
        answer = Returned(Array.of(truth(s), dtype), "f", gradients={"logits": Array.of(slope, dtype)})
        verdicts[dtype] = [
            (cell.verdict, cell.observed.kind if cell.observed else None) for cell in judge(s, answer, Ledger())
        ]
    assert [verdicts[dtype][0][0] for dtype in verdicts] == ["agrees", "by_convention", "disagrees"]
    assert [verdicts[dtype][1][0] for dtype in verdicts] == ["agrees", "disagrees", "disagrees"]


def test_what_is_documented_to_be_computed_in_a_coarser_format_is_right_there_and_nowhere_else() -> None:
    logits = {"logits": [[0.1, 100.3, 1.7]], "targets": [0]}
    s = subject("softmax_cross_entropy", logits)
    coarse = subject("softmax_cross_entropy", logits, dtype="bfloat16")
    cell = value_cell(s, truth(coarse), convention={"computed_in": "bfloat16"})
    assert (cell.verdict, cell.convention) == ("by_convention", "computed_in(bfloat16)")
    assert value_cell(s, truth(coarse)).verdict == "disagrees"
    assert value_cell(s, truth(coarse) + 3.0, convention={"computed_in": "bfloat16"}).verdict == "disagrees"


def test_what_is_right_in_two_formats_was_computed_in_the_one_that_is_declared() -> None:
    """An answer of float16 is within bfloat16's tolerance too."""
    logits = {"logits": [[0.1, 1.3, 1.7]], "targets": [0]}
    got = truth(subject("softmax_cross_entropy", logits, dtype="float16"))
    for declared in ("float16", "bfloat16"):
        cell = value_cell(subject("softmax_cross_entropy", logits), got, convention={"computed_in": declared})
        assert (cell.verdict, cell.convention) == ("by_convention", f"computed_in({declared})")


def test_modes_may_answer_in_another_type_where_it_is_documented() -> None:
    s = subject("softmax_cross_entropy", HALF, dtype="float16")
    half, single = (Returned(Array.of(truth(s), dtype), "f") for dtype in ("float16", "float32"))
    documented = replace(single, convention={"result_dtype": "float32"})
    cells = [judge_modes(s, "eager", half, other, Ledger()) for other in (single, documented)]
    assert [cell.verdict for cell in cells if cell is not None] == ["disagrees", "agrees"]
    elsewhere = replace(documented, convention={"result_dtype": "float32", "computed_in": "float32"})
    assert judge_modes(s, "eager", half, elsewhere, Ledger()) is None


def test_another_shape_is_a_finding() -> None:
    s = subject("softmax_cross_entropy", THREE, {"reduction": "mean"})
    assert "shape" in str(value_cell(s, [float(truth(s))]).explanation)


@pytest.mark.parametrize(
    ("got", "severity"), [(np.nan, "silent_nonfinite"), (np.inf, "silent_nonfinite"), (3.0, "silently_wrong")]
)
def test_severities_of_values(got: float, severity: str) -> None:
    assert value_cell(subject("softmax_cross_entropy", THREE), got).severity == severity


@pytest.mark.parametrize(
    ("outcome", "verdict"),
    [
        (TimedOut(1.0), "timed_out"),
        (Crashed("SIGSEGV"), "crashed"),
        (Missing("no such module"), "missing"),
    ],
)
def test_infrastructure_is_no_judgement(outcome: Outcome, verdict: str) -> None:
    cells = judge(subject("softmax_cross_entropy", THREE, differentiate=("logits",)), outcome, Ledger())
    assert [(cell.aspect, cell.verdict) for cell in cells] == [("value", verdict), ("gradient", verdict)]


@pytest.mark.parametrize(
    ("outcome", "observed", "error", "severity"),
    [
        (Crashed("SIGSEGV", "free(): invalid pointer", each_time=True), "crashes", "SIGSEGV", "ends_its_process"),
        (TimedOut(60.0, each_time=True), "hangs", None, "hangs"),
    ],
)
@pytest.mark.parametrize("expect", [None, ExpectRaises("out_of_range_label"), ExpectImplementationDefined((RAISES,))])
def test_a_call_that_ends_its_process_or_hangs_each_time_is_a_finding_that_the_ledger_may_explain(
    outcome: Outcome, observed: str, error: str | None, severity: str, expect: Expectation | None
) -> None:
    s = subject("softmax_cross_entropy", THREE, expect=expect, differentiate=("logits",))
    for cell in judge(s, outcome, Ledger()):
        assert (cell.verdict, cell.severity) == ("disagrees", severity)
        assert cell.observed is not None
        assert (cell.observed.kind, cell.observed.error) == (observed, error)
    known = Ledger((Entry("dies", ("*",), ("*",), Pin(observed, error=error), "it dies", "none found"),))
    assert {cell.verdict for cell in judge(s, outcome, known)} == {"known"}
    other = Ledger((Entry("dies", ("*",), ("*",), Pin("raises"), "it raises", "none found"),))
    assert {cell.verdict for cell in judge(s, outcome, other)} == {"disagrees"}


def test_an_error_that_says_its_kind_is_not_read_as_english() -> None:
    s = subject("softmax_cross_entropy", THREE, expect=ExpectRaises("out_of_range_label"))
    speechless = Raised("mine.BadLabel", "étiquette incorrecte", "out_of_range_label")
    assert judge(s, speechless, Ledger())[0].verdict == "agrees"
    other = Raised("mine.BadLabel", "index 7 is out of bounds", "shape_mismatch")
    assert judge(s, other, Ledger())[0].severity == "wrong_error"


def test_a_call_that_is_refused_is_one_cell() -> None:
    refused = Refused("no such loss")
    (cell,) = judge(subject("softmax_cross_entropy", THREE, differentiate=("logits",)), refused, Ledger())
    assert (cell.aspect, cell.verdict, cell.explanation) == (EVERY, "unsupported", "no such loss")


@pytest.mark.parametrize(
    ("outcome", "verdict", "severity"),
    [
        (Raised("builtins.IndexError", "Target 5 is out of bounds."), "agrees", None),
        (Raised("builtins.RuntimeError", "Class values must be smaller than num_classes."), "agrees", None),
        (Raised("builtins.ZeroDivisionError", ""), "agrees", None),
        (Raised("builtins.RuntimeError", "unexpected keyword argument 'label_smoothing'"), "disagrees", "wrong_error"),
        (Returned(Array.of(0.5), "f"), "disagrees", "silently_wrong"),
        (Returned(Array.of(np.nan), "f"), "disagrees", "silent_nonfinite"),
    ],
)
def test_where_an_error_is_right(outcome: Outcome, verdict: str, severity: str | None) -> None:
    s = subject("softmax_cross_entropy", THREE, expect=ExpectRaises("out_of_range_label"))
    cell = judge(s, outcome, Ledger())[0]
    assert (cell.verdict, cell.severity) == (verdict, severity)


def test_an_error_where_a_value_is_right_is_unexpected() -> None:
    cell = judge(subject("softmax_cross_entropy", THREE), Raised("builtins.TypeError", "no"), Ledger())[0]
    assert (cell.verdict, cell.severity) == ("disagrees", "unexpected_error")


@pytest.mark.parametrize(
    ("choices", "got", "made"),
    [
        ((RAISES, NAN), np.nan, "nan"),
        ((RAISES, NAN), 1.0, None),
        ((RAISES, NAN), np.inf, None),
        ((RAISES, Choice("0.4076", numbers={"value": 0.4076})), 0.40759605, "0.4076"),
        ((RAISES, Choice("0.4076", numbers={"value": 0.4076})), 0.4077, None),
        ((RAISES, Choice("0.4076", numbers={"value": 0.4076})), 0.0, None),
        ((RAISES, Choice("2.0", numbers={"value": 2.0})), 2.0004, None),  # whole numbers are meant exactly
        ((RAISES, Choice("0.4076", numbers={"gradient": 0.4076})), 0.4076, None),
        ((Choice("any finite one", "any"),), 17.0, "any finite one"),
        ((Choice("any finite one", "any"),), np.nan, None),
        ((Choice("as it stands"), TRUNCATED), 2.2558683, "as it stands"),
        ((Choice("as it stands"), TRUNCATED), 1.5058683, "the loss of label 0"),
        ((TRUNCATED,), 2.2558683, None),
        ((Choice("the sum", options={"reduction": "sum"}),), 4.5117366, "the sum"),
    ],
)
def test_without_a_right_answer_the_choice_is_recorded_and_one_of_those_listed(
    choices: tuple[Choice, ...], got: float, made: str | None
) -> None:
    cell = value_cell(subject("softmax_cross_entropy", THREE, expect=ExpectImplementationDefined(choices)), got)
    assert cell.verdict == ("disagrees" if made is None else "by_convention"), cell.explanation
    assert cell.observed is not None
    assert (cell.observed.choice, cell.convention) == (made, made and f"implementation_defined({made})")


def test_a_choice_in_another_shape_is_none() -> None:
    s = subject("softmax_cross_entropy", THREE, expect=ExpectImplementationDefined((Choice("as it stands"),)))
    assert value_cell(s, [2.2558683]).verdict == "disagrees"


def test_a_choice_computed_in_another_format_is_none_and_says_so() -> None:
    """In float64 the digits of float32 are not enough; an answer in float32 is compared as one."""
    given = {"logits": [[0.1, 0.2, 0.7]], "targets": [0]}
    s = subject(
        "softmax_cross_entropy", given, dtype="float64", expect=ExpectImplementationDefined((Choice("as it stands"),))
    )
    in_float32 = float(truth(subject("softmax_cross_entropy", given)))
    cell = value_cell(s, np.float32(in_float32))
    assert cell.observed is not None
    assert (cell.verdict, cell.observed.computed_in) == ("disagrees", "float32")
    assert value_cell(s, np.float32(in_float32), "float32").verdict == "by_convention"


def test_a_choice_may_be_made_under_a_declared_convention() -> None:
    expect = ExpectImplementationDefined((Choice("as it stands"),))
    s = subject("categorical_cross_entropy", {"probabilities": [[0.0, 1.0]], "targets": [0]}, expect=expect)
    assert value_cell(s, 16.118095, convention={"clip": 1e-7}).verdict == "by_convention"
    assert value_cell(s, 16.118095).verdict == "disagrees"


def test_modes_that_answer_float64_in_float32_are_compared_in_float32() -> None:
    """That both are narrower than they were asked for is a finding of each; between them nothing is different."""
    s = subject("softmax_cross_entropy", THREE, {"reduction": "none"}, dtype="float64")
    right = np.asarray(truth(s), dtype=np.float32)
    one = Returned(Array.of(right, "float32"), "f")
    near, far = (Returned(Array.of(right * (1 + n * 2.0**-23), "float32"), "f") for n in (1, 64))
    for other, verdict in ((near, "agrees"), (far, "disagrees")):
        cell = judge_modes(s, "graph", one, other, Ledger())
        assert cell is not None
        assert cell.verdict == verdict


def test_modes_that_differ_disagree_with_each_other() -> None:
    s = subject("softmax_cross_entropy", THREE)
    right = Returned(Array.of(truth(s), "float32"), "f")
    near = Returned(Array.of(truth(s) * (1 + 2e-7), "float32"), "f")
    wrong = Returned(Array.of(truth(s) * 1.01, "float32"), "f")
    raised = Raised("builtins.ValueError", "x")

    def verdict(one: Outcome, other: Outcome) -> str | None:
        cell = judge_modes(s, "graph", one, other, Ledger())
        return None if cell is None else cell.verdict

    assert verdict(right, right) == "agrees"
    assert verdict(right, near) == "agrees"
    assert verdict(right, wrong) == "disagrees"
    assert verdict(right, raised) == "disagrees"
    assert verdict(raised, raised) == "agrees"
    assert verdict(right, Missing("gone")) is None


def test_a_mode_that_raises_is_an_error_whichever_of_both_it_is() -> None:
    s = subject("softmax_cross_entropy", THREE)
    answers, raises = Returned(Array.of(truth(s), "float32"), "f"), Raised("builtins.TypeError", "x")
    for one, other in ((answers, raises), (raises, answers)):
        cell = judge_modes(s, "graph", one, other, Ledger())
        assert cell is not None
        assert cell.observed is not None
        assert (cell.observed.kind, cell.severity) == ("raises", "unexpected_error")


@pytest.mark.parametrize(("dtype", "comes_back_as"), [("float64", "float64"), ("float64", "float32")])
def test_a_cast_to_float32_is_told_from_a_wrong_number(dtype: str, comes_back_as: str) -> None:
    """An entry that pins the cast explains what the cast alone changes, and no other wrong number."""
    s = subject("softmax_cross_entropy", {"logits": [[0.1, 0.2, 0.7]], "targets": [0]}, dtype=dtype)
    pin = Pin("finite" if comes_back_as == dtype else "dtype", computed_in="float32")
    ledger = Ledger((Entry("casts", ("*",), ("*",), pin, "it casts", "none found"),))
    in_float32 = float(truth(subject("softmax_cross_entropy", {"logits": [[0.1, 0.2, 0.7]], "targets": [0]})))
    for got, verdict in ((in_float32, "known"), (in_float32 * (1 + 1e-5), "disagrees")):
        cell = judge(s, Returned(Array.of(np.float32(got), comes_back_as), "f"), ledger)[0]
        assert cell.verdict == verdict, cell.explanation


def test_a_half_format_widened_to_float32_is_right_under_the_constants_of_float32() -> None:
    """In float16 1 − 1e-7 is 1; who computes in float32 clips all the same."""
    s = subject(
        "binary_cross_entropy",
        {"probabilities": [1.0], "targets": [0.0]},
        {"reduction": "none"},
        dtype="float16",
    )
    cell = judge(s, Returned(Array.of([15.9423847], "float16"), "f", convention={"clip": 1e-7}), Ledger())[0]
    assert cell.explanation is not None
    assert "computed in float32" in cell.explanation


def test_a_measured_cell_tells_its_budget_and_its_worst_element() -> None:
    rows = subject("softmax_cross_entropy", THREE, {"reduction": "none"})
    got = truth(rows)
    cell = value_cell(rows, [got[0], got[1] * 1.001])
    assert cell.worst == 1
    assert cell.error_scale == {"1": 1.0, "L": float(f"{got[1]:.3g}"), "ln C": 1.1}


def test_a_result_that_is_not_finite_has_no_budget_to_tell() -> None:
    undefined = subject("softmax_cross_entropy", {"logits": [[float("nan"), 0.0]], "targets": [0]})
    assert value_cell(undefined, float("nan")).error_scale is None
    assert value_cell(IMPOSSIBLE, float("inf")).error_scale is None
