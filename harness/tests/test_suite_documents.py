"""The five documents: every number of theirs is in a case, and every claim gets the verdict we worked out by hand."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import pytest

import reference
from harness.core.case import Case, ExpectRaises
from harness.core.cell import ClaimRecord
from harness.judgement.claims import judge_claim
from harness.runs.run_file import from_json, to_json
from harness.suite.generators import realize
from harness.suite.loading import find_cases_directory, load

DOCUMENTS = {
    "d0": "000_78411d722bf5d7ff.txt",
    "d1": "001_7bf802f4aa1d12ce.txt",
    "d2": "002_09cf5b6480264683.txt",
    "d3": "003_c9fa7be9dd8473f7.txt",
    "d4": "004_a0753feac59ab598.txt",
}


@cache
def documents() -> Mapping[str, Case]:
    return {case.id: case for case in load([find_cases_directory() / "documents"]).cases}


def inputs_of(case: Case) -> dict[str, Any]:
    arrays = {name: realize(spec, "float64") for name, spec in case.inputs.items()}
    return {name: array.to_float64() if array.is_float else array.storage for name, array in arrays.items()}


def value(id_: str, convention: Mapping[str, Any] | None = None) -> Any:
    case = documents()[f"documents/{id_}"]
    evaluation = reference.evaluate(case.loss, inputs_of(case), dict(case.options), convention=convention)
    return np.asarray(evaluation.value, dtype=np.float64)


@cache
def judged() -> Mapping[str, tuple[ClaimRecord, ...]]:
    return {
        case.id: tuple(judge_claim(case, claim, reference.evaluate, inputs_of(case)) for claim in case.claims)
        for case in documents().values()
    }


def claim(id_: str, words: str) -> ClaimRecord:
    (found,) = [record for record in judged()[f"documents/{id_}"] if words in record.says]
    return found


def test_every_case_names_its_document() -> None:
    for case in documents().values():
        assert case.source is not None
        assert case.source.document == DOCUMENTS[case.id.removeprefix("documents/")[:2]]


def test_every_claim_has_the_verdict_its_case_expects() -> None:
    unexpected = [
        f"{record.case}: {record.says} {record.verdict}: {record.explanation}"
        for records in judged().values()
        for record in records
        if not record.expected
    ]
    assert not unexpected


def test_every_claim_can_be_written_to_a_run_file() -> None:
    for records in judged().values():
        for record in records:
            assert from_json(to_json(record)) == record


@pytest.mark.parametrize(
    ("id_", "convention", "expected"),
    [
        ("d0-worked-example", None, 1.2070784343255752),
        ("d1-binary", None, 0.23617255159896325),
        ("d1-multi-class", None, 0.3635480396729776),
        ("d1-multi-class-zero-probability", None, np.inf),
        ("d1-multi-class-zero-probability", {"add_inside_log": 1e-9}, 20.72326583694641),
        ("d2-fashion-mnist", None, 2.436116485618568),
        ("d2-softmax", None, [
            [0.039112573270687456, 0.1752903921400367, 0.7855970345892759],
            [0.016644518609272352, 0.07459555713221443, 0.9087599242585132],
        ]),
        ("d2-two-samples-none", None, [1.7413112966571571, 0.09567432941438238]),
        ("d2-two-samples", None, 0.9184928130357698),
        ("d3-zero-probability-labels", None, np.inf),
        ("d3-zero-probability-labels", {"add_inside_log": 1e-10}, 23.025850929940457),
        ("d3-one-sample-label", None, 1.6094379124341003),
        ("d3-one-sample-one-hot", None, 1.6094379124341003),
        ("d3-two-samples-labels", None, 0.2899092476264711),
        ("d3-two-samples-one-hot", None, 0.2899092476264711),
        ("d4-containers-in-bits", None, [0.5665095065529052, 0.9967916319816366, 0.21084230031853213]),
        ("d4-dog-in-bits", None, 0.25489224962879004),
        ("d4-dog-in-bits", {"base": 2}, 0.3677317845004871),
        ("d4-dog-with-base-2", None, 0.3677317845004871),
        ("d4-dog-softmax", None, [
            [0.7751495482986049, 0.1159380476300716, 0.03859242355646149, 0.07031998051486205],
        ]),
        ("d4-perfect-labels", None, 0.0),
    ],
)  # fmt: skip
def test_the_numbers_of_the_documents(id_: str, convention: Mapping[str, Any] | None, expected: Any) -> None:
    # The numbers were computed in float64: a logarithm near 1 loses the digits its argument's rounding took.
    np.testing.assert_allclose(value(id_, convention), expected, rtol=4e-15, atol=0)


@pytest.mark.parametrize(
    ("id_", "epsilon"),
    [("d1-multi-class-perfect", 1e-9), ("d3-perfect-labels", 1e-10), ("d3-perfect-one-hot", 1e-10)],
)
def test_an_epsilon_makes_a_perfect_prediction_negative(id_: str, epsilon: float) -> None:
    assert value(id_) == 0
    np.testing.assert_allclose(value(id_, {"add_inside_log": epsilon}), -epsilon, rtol=1e-6)


def test_a_row_that_sums_to_0_9999_loses_a_ten_thousandth_when_renormalised() -> None:
    row = inputs_of(documents()["documents/d2-fashion-mnist-row-sums-to-0.9999"])["probabilities"][0]
    assert round(float(row.sum()), 12) == 0.9999
    assert round(float(value("d2-fashion-mnist") + np.log(row.sum())), 6) == 2.436016


def test_labels_that_are_no_classes_expect_an_error() -> None:
    for name in (
        *("d0-label-minus-one", "d0-label-too-large", "d3-label-minus-one", "d3-label-minus-three"),
        *("d3-label-too-large", "d4-labels-from-one-probabilities", "d4-labels-from-one-logits"),
    ):
        assert documents()[f"documents/{name}"].expect == ExpectRaises("out_of_range_label")


def test_d0_prints_a_number_that_nothing_explains() -> None:
    record = claim("d0-worked-example", "0.21616187468024224")
    assert record.verdict == "wrong"
    assert record.claimed == 0.21616187468024224
    assert record.truth == 1.2070784343255752
    assert "none of the" in record.explanation
    assert "0.21616187468024224" in record.explanation
    assert record.document == DOCUMENTS["d0"]


def test_d0_does_not_predict_its_labels() -> None:
    record = claim("d0-worked-example", "fits this simple problem")
    assert record.verdict == "wrong"
    assert "1, 0 or 1, 0, 0; the labels are 0, 0, 1, 1" in record.explanation


def test_d0_is_the_cross_entropy_for_two_classes_only() -> None:
    assert claim("d0-worked-example-entries", "computes the cross-entropy").verdict == "holds"
    assert claim("d0-three-classes-entries", "computes the cross-entropy").verdict == "wrong"


def test_d1_feeds_probabilities_to_a_loss_of_logits() -> None:
    record = claim("d1-multi-class-fed-as-logits", "torch.nn.CrossEntropyLoss")
    assert record.verdict == "holds_under_convention"
    assert record.convention == "logits ln p"
    assert "0.76936687" in record.explanation
    assert "0.36354803" in record.explanation


def test_d2_rounds_before_it_takes_the_logarithm() -> None:
    first, second = claim("d2-two-samples", "first sample"), claim("d2-two-samples", "second sample")
    assert first.verdict == "holds_to_printed_digits"
    assert second.verdict == "wrong"
    assert "prints as 0.0957" in second.explanation
    assert "rounded probability: −ln 0.9088 = 0.0956" in second.explanation
    assert claim("d2-two-samples", "mean of the two").verdict == "holds_to_printed_digits"
    assert claim("d2-two-samples", "rows of the softmax").verdict == "holds_to_printed_digits"


def test_d2_composition_holds_in_mathematics_and_not_in_floating_point() -> None:
    assert claim("d2-two-samples", "followed by the logarithm").verdict == "holds"
    for size in ("710", "1e4", "minus-1e4"):
        assert claim(f"d2-extreme-{size}", "followed by the logarithm").verdict == "wrong"


def test_d3_epsilon_moves_every_result() -> None:
    record = claim("d3-two-samples-labels", "Adding 1e-10")
    assert record.verdict == "holds"
    assert record.truth == pytest.approx(-1e-10 * (1 / 0.8 + 1 / 0.7) / 2, rel=1e-3)


def test_d4_prints_bits() -> None:
    record = claim("d4-dog-in-bits", "The loss is 0.3677")
    assert (record.verdict, record.convention) == ("holds_under_convention", "base 2")
    assert record.truth == pytest.approx(0.25489224962879004, rel=1e-15)
    assert "log2" in record.explanation
    assert claim("d4-dog-in-bits", "same as ln()").verdict == "wrong"
    missing = claim("d4-dog-in-bits", "0.095")
    assert missing.verdict == "cannot_be_checked"
    assert "0.936" in missing.explanation


def test_d4_other_claims() -> None:
    assert claim("d4-containers-in-bits", "less entropy").verdict == "holds"
    assert claim("d4-perfect-labels", "perfect model").verdict == "holds"
    assert claim("d4-labels-from-one-logits", "[1], [2] and [3]").verdict == "wrong"
    assert claim("d4-gradient-mean", "differentiable").verdict == "holds"
    assert claim("d4-sparse-and-categorical-sparse", "same formula").verdict == "holds"
