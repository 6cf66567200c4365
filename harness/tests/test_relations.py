"""Relations between answers: kept by what is right, broken by what is not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.adapters.base import Description
from harness.adapters.numpy import NumPy
from harness.core.call import Question
from harness.core.case import ArraySpec, Case, ExpectTruth, Location
from harness.fuzzing.drawing import drawn
from harness.judgement.relations import RELATIONS, Inexpressible
from harness.mistakes import adapter
from harness.runs.plan import RelatedCalls, Scope, parts_of, posed, questions
from harness.suite.loading import find_cases_directory, load
from harness.suite.selection import load_selection
from harness.tests.asking_here import cells

PROPERTIES = load([find_cases_directory() / "properties"]).cases
LABELS = next(case for case in PROPERTIES if case.id == "properties/softmax-cross-entropy-labels")


def related(name: str, relation: str, case: Case = LABELS, dtype: str = "float32") -> str:
    """The verdict a known-bad implementation gets for one relation of one case."""
    judged = cells(adapter(name), [replace(case, relations=(relation,))], (dtype,))
    (verdict,) = [cell.verdict for cell in judged if cell.aspect == f"relation/{relation}"]
    return verdict


def test_every_relation_has_a_case() -> None:
    assert {name for case in PROPERTIES for name in case.relations} == set(RELATIONS)


@pytest.mark.parametrize("case", PROPERTIES, ids=lambda case: case.id)
def test_every_relation_of_a_case_can_be_expressed_in_float32(case: Case) -> None:
    for relation in case.relations:
        parts_of(case, "float32", relation)


def test_losses_of_distributions_are_above_the_entropy_where_every_row_counts_once() -> None:
    rows = ArraySpec(((1.0, -2.0), (0.5, 0.0)))
    soft = {"logits": rows, "targets": ArraySpec(((0.25, 0.75), (1.0, 0.0)))}
    plain = Case("tests/soft", "t", "w", "softmax_cross_entropy", soft, Location("f", 1), options={"reduction": "none"})
    assert parts_of(plain, "float64", "gibbs").cases == {}
    weighted = {"reduction": "none", "sample_weights": ArraySpec((2.0, 0.0))}
    with pytest.raises(Inexpressible):
        parts_of(replace(plain, options=weighted), "float64", "gibbs")


def test_the_plain_formulas_keep_the_relations_of_cases_that_are_drawn() -> None:
    wrong: list[str] = []
    for case in drawn(77, ("linear_cross_entropy", "softmax_cross_entropy"), 3):
        if isinstance(case.expect, ExpectTruth) and case.dtypes[0] != "bfloat16":
            named = tuple(name for name in RELATIONS if says_something(name, case))
            judged = cells(NumPy(), [replace(case, relations=named)], case.dtypes[:1])
            wrong += [f"{cell.name} {cell.explanation}" for cell in judged if cell.verdict == "disagrees"]
    assert wrong == []


def says_something(relation: str, case: Case) -> bool:
    if any(spec.generator for spec in case.inputs.values()):
        return False  # long batches, which are about their sums
    try:
        parts_of(case, case.dtypes[0], relation)
    except (Inexpressible, ValueError, IndexError):
        return False
    return True


@pytest.mark.parametrize("relation", ["class-permutation", "batch-permutation", "concatenation"])
def test_classes_of_a_single_row_are_not_rows_and_the_weight_of_a_layer_is_not_turned(relation: str) -> None:
    place, numbers = Location("f", 1), ArraySpec((1.0, -2.0))
    alone = {"logits": numbers, "targets": ArraySpec(0, dtype="int64")}
    case = Case("tests/alone", "t", "w", "softmax_cross_entropy", alone, place, options={"reduction": "none"})
    with pytest.raises(Inexpressible):
        parts_of(case, "float64", relation)
    rows = ArraySpec(((1.0, -2.0), (0.5, 0.0)))
    layer = {"hidden": rows, "weight": rows, "targets": ArraySpec((0, 1), dtype="int64")}
    fused = replace(case, loss="linear_cross_entropy", inputs=layer)
    if relation == "class-permutation":
        with pytest.raises(Inexpressible):
            parts_of(fused, "float64", relation)
    else:
        for part in parts_of(fused, "float64", relation).cases.values():
            assert part.inputs["weight"].values == rows.values


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
def test_the_plain_formulas_keep_every_relation(dtype: str) -> None:
    wrong = [c.name for c in cells(NumPy(), PROPERTIES, (dtype,)) if c.verdict not in ("agrees", "unsupported")]
    assert wrong == []


def test_the_sound_implementation_keeps_every_relation() -> None:
    judged = cells(adapter("sound"), PROPERTIES, ("float32",))
    assert [cell.name for cell in judged if cell.verdict == "disagrees"] == []
    kept = {cell.aspect for cell in judged if cell.verdict == "agrees"}
    assert kept >= {f"relation/{name}" for name in RELATIONS}


@pytest.mark.parametrize(
    ("relation", "mutant", "case"),
    [
        ("shift", "logits-in-float16", "shifted-far"),
        ("class-permutation", "one-wrong-sign", "labels"),
        ("batch-permutation", "first-sample-only", "labels"),
        ("label-is-one-hot", "labels-from-one", "labels"),
        ("bounds", "log-base-2", "labels"),
        ("gradient-sums-to-zero", "wrong-axis", "labels"),
        ("monotone", "labels-from-one", "labels"),
        ("padding", "softmax-twice", "labels"),
        ("split-class", "class-left-out", "labels"),
        ("reductions-agree", "mean-over-classes", "labels"),
        ("concatenation", "first-sample-only", "labels"),
        ("more-axes", "reshapes-for-axis", "labels"),
        ("layouts", "flat-gradient", "labels"),
        ("linear-in-the-cotangent", "ignores-cotangent", "labels"),
        ("gibbs", "class-left-out", "distributions"),
        ("linear-in-the-target", "argmax-of-soft-labels", "distributions"),
        ("weights-times-four", "squares-class-weights", "class-weights"),
        ("weight-zero-deletes", "sum-is-mean", "rows-left-out"),
        ("ignoring-deletes", "sum-is-mean", "rows-left-out"),
        ("smoothing-mixes", "wrong-sign-at-target", "rows-left-out"),
    ],
)
def test_a_known_bad_implementation_breaks_it(relation: str, mutant: str, case: str) -> None:
    (written,) = load_selection([f"properties/softmax-cross-entropy-{case}"]).cases
    assert related(f"{mutant}.softmax_cross_entropy", relation, written) == "disagrees"


@pytest.mark.parametrize(
    ("relation", "mutant"), [("mirror", "positive-term-only"), ("binary-difference", "drops-the-tail")]
)
def test_a_known_bad_binary_loss_breaks_it(relation: str, mutant: str) -> None:
    (written,) = load_selection(["properties/binary-with-logits"]).cases
    assert related(f"{mutant}.binary_cross_entropy_with_logits", relation, written) == "disagrees"


@given(st.integers(-3, 3), st.integers(0, 3))
def test_a_shifted_pose_differs_by_a_constant_that_is_exact(row: int, column: int) -> None:
    case = LABELS
    base = posed(case, "float32")
    moved = RELATIONS["shift"].parts(base)["other"]
    assert moved.rows[row % 3, column] - base.rows[row % 3, column] == 8.0


def test_what_is_not_exact_in_the_format_is_not_expressed() -> None:
    (case,) = load_selection(["properties/softmax-cross-entropy-shifted-far"]).cases
    with pytest.raises(Inexpressible, match="bfloat16"):
        RELATIONS["shift"].parts(posed(case, "bfloat16"))


def test_ignoring_replaces_the_row_and_deleting_removes_it() -> None:
    (case,) = load_selection(["properties/softmax-cross-entropy-rows-left-out"]).cases
    parts = RELATIONS["ignoring-deletes-nan"].parts(posed(case, "float32"))
    assert np.isnan(parts["other"].rows[0]).all()
    assert parts["other"].inputs["targets"][0] == parts["other"].options["ignore_index"]
    assert len(parts["deleted"].rows) == 2


@pytest.mark.parametrize(
    ("relation", "loss", "options"),
    [
        ("two-classes-are-binary", "softmax_cross_entropy", {"ignore_index": 0}),
        ("bounds", "softmax_cross_entropy", {"sample_weights": ArraySpec((2.0, 1.0))}),
        ("ignoring-deletes", "softmax_cross_entropy", {"ignore_index": 1}),
        ("ignoring-deletes", "softmax_cross_entropy", {"sample_weights": ArraySpec((2.0, 1.0))}),
        ("weight-zero-deletes", "softmax_cross_entropy", {"sample_weights": ArraySpec((2.0, 1.0))}),
        ("reductions-agree", "softmax_cross_entropy", {"ignore_index": 1}),
        ("unit-weights", "binary_cross_entropy_with_logits", {"sample_weights": ArraySpec((2.0, 1.0))}),
        ("binary-difference", "binary_cross_entropy_with_logits", {"sample_weights": ArraySpec((2.0, 1.0))}),
        ("focal-halved", "binary_cross_entropy_with_logits", {"sample_weights": ArraySpec((2.0, 1.0))}),
    ],
)
def test_what_speaks_of_every_row_alike_says_nothing_where_one_is_weighed_or_left_out(
    relation: str, loss: str, options: dict[str, Any]
) -> None:
    is_binary = loss.startswith("binary")
    logits = ArraySpec((1.0, -2.0)) if is_binary else ArraySpec(((1.0, -2.0), (0.5, 0.0)))
    targets = ArraySpec((0.0, 1.0)) if is_binary else ArraySpec((0, 1), dtype="int64")
    inputs = {"logits": logits, "targets": targets}
    plain = Case("tests/case", "title", "why", loss, inputs, Location("f", 1), options={"reduction": "none"})
    assert parts_of(plain, "float64", relation) is not None
    with pytest.raises(Inexpressible):
        parts_of(replace(plain, options={"reduction": "none", **options}), "float64", relation)


def test_the_calls_of_a_relation_are_the_same_for_every_implementation() -> None:
    """The very same cases: what is worked out for one call of a run serves all who are asked it."""
    calls, description = RelatedCalls(), Description("1", (LABELS.loss,))
    one, two = (
        [q for q in questions([LABELS], name, description, Scope(), calls) if isinstance(q, Question)]
        for name in ("one", "two")
    )
    assert any(question.relation for question in one)
    assert [(id(q.case), q.dtype, q.relation, q.part) for q in one] == [
        (id(q.case), q.dtype, q.relation, q.part) for q in two
    ]
