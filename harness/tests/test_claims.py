"""Judging claims: the verdict is computed, never read from the case file; each check can also fail."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import reference
from harness.core.case import Case, Claim, Location, Source
from harness.core.cell import ClaimRecord
from harness.judgement.claim_computations import COMPUTATIONS
from harness.judgement.claim_subject import agree, described, printed_alike
from harness.judgement.claims import judge_claim
from harness.suite.claim_checks import CHECKS

PROBABILITIES = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.2, 0.2, 0.6]])
LABELS = np.array([0, 1, 2])
Evaluate = Callable[..., Any]


def judge(
    claim: Claim,
    loss: str = "categorical_cross_entropy",
    inputs: Mapping[str, Any] | None = None,
    options: Mapping[str, Any] | None = None,
    evaluate: Evaluate | None = None,
) -> ClaimRecord:
    given_inputs = {"probabilities": PROBABILITIES, "targets": LABELS} if inputs is None else inputs
    case = Case(
        id="documents/x",
        title="t",
        why="w",
        loss=loss,
        inputs={},
        location=Location("f", 1),
        options=options or ({} if loss == "softmax" else {"reduction": "mean"}),
        source=Source("document.txt"),
    )
    return judge_claim(case, claim, evaluate or reference.evaluate, given_inputs)


def number(value: Any, holds: str = "no", **fields: Any) -> Claim:
    return Claim(says="s", holds=holds, value=value, **fields)


def check(name: str, holds: str = "yes", **parameters: Any) -> Claim:
    return Claim(says="s", holds=holds, check=name, parameters=parameters)


MEAN = -(np.log(0.7) + np.log(0.8) + np.log(0.6)) / 3


@pytest.mark.parametrize(
    ("claim", "verdict"),
    [
        (number(float(MEAN)), "holds"),
        (number(0.3635, printed_digits=4), "holds_to_printed_digits"),
        (number(0.3636, printed_digits=4), "wrong"),
        (number(0.3635), "wrong"),
        (number(0.5245, printed_digits=4), "holds_under_convention"),
        (number(0.1579, printed_digits=4), "holds_under_convention"),
        (number((0.36, 0.36), printed_digits=2), "wrong"),
        (number((0.36, 0.22, 0.51), printed_digits=2, options={"reduction": "none"}), "holds_to_printed_digits"),
        (number(0.22, printed_digits=2, options={"reduction": "none"}, element=1), "holds_to_printed_digits"),
        (number(0.36, printed_digits=2, options={"reduction": "none"}, element=1), "wrong"),
        (Claim(says="s", holds="no", missing="a picture"), "cannot_be_checked"),
    ],
)
@pytest.mark.parametrize("holds", ["yes", "no", "to the digits printed", "only under base 2", "cannot be checked"])
def test_the_verdict_is_computed_whatever_the_case_expects(claim: Claim, verdict: str, holds: str) -> None:
    expecting = Claim(**{**claim.__dict__, "holds": holds})
    record = judge(expecting)
    assert record.verdict == verdict
    named = record.convention is None or holds == f"only under {record.convention}"
    assert record.expected == (expecting.expected_verdict == verdict and named)
    assert record.explanation
    assert record.document == "document.txt"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (float(-np.log([0.7, 0.8, 0.6]).sum()), "is the sum."),
        (float(-np.log([0.7, 0.8, 0.6]).sum() / 9), "is the sum over N·C."),
        (float(-np.log(0.7)), "is the first sample alone."),
        (float(-np.log2([0.7, 0.8, 0.6]).sum()), "is the sum in base 2."),
        (float(np.mean((PROBABILITIES - np.eye(3)) ** 2)), "is the mean squared error."),
        (1234.5, "none of the"),
    ],
)
def test_a_wrong_number_is_explained_only_by_what_gives_it(value: float, words: str) -> None:
    record = judge(number(value))
    assert record.verdict == "wrong"
    assert words in record.explanation


def test_the_binary_formula_over_all_entries_is_recognised() -> None:
    binary = -(np.eye(3) * np.log(PROBABILITIES) + (1 - np.eye(3)) * np.log(1 - PROBABILITIES)).mean()
    assert "is the mean of binary_cross_entropy" in judge(number(float(binary))).explanation


def test_another_convention_than_the_expected_one_is_not_as_expected() -> None:
    in_base_10 = number(0.1579, "only under base 2", printed_digits=4)
    record = judge(in_base_10)
    assert (record.verdict, record.convention, record.expected) == ("holds_under_convention", "base 10", False)


def test_the_convention_of_the_case_file_is_tried_and_named() -> None:
    shifted = float(-np.log(PROBABILITIES[[0, 1, 2], [0, 1, 2]] + 1e-3).mean())
    record = judge(number(shifted, "only under add_inside_log 0.001", convention={"add_inside_log": 1e-3}))
    assert (record.verdict, record.convention, record.expected) == (
        "holds_under_convention",
        "add_inside_log 0.001",
        True,
    )


@pytest.mark.parametrize(
    ("rounded", "claimed", "explained"), [(0.7, 0.35667, True), (0.71, 0.34249, False), (0.8, 0.35667, False)]
)
def test_a_rounded_probability_explains_only_what_it_gives(rounded: float, claimed: float, explained: bool) -> None:
    exact = np.array([[0.70004, 0.2, 0.1]])
    record = judge(
        number(claimed, printed_digits=5, from_rounded=rounded),
        inputs={"probabilities": exact, "targets": np.array([0])},
    )
    assert record.verdict == "wrong"
    assert ("was computed from the rounded probability" in record.explanation) == explained


def test_another_output_of_the_same_inputs() -> None:
    logits = {"logits": np.log(PROBABILITIES), "targets": LABELS}
    rows = tuple(tuple(row) for row in PROBABILITIES.tolist())
    good = judge(number(rows, output="softmax", printed_digits=3), "softmax_cross_entropy", logits)
    assert good.verdict in ("holds", "holds_to_printed_digits")
    swapped = judge(number(rows[::-1], output="softmax", printed_digits=3), "softmax_cross_entropy", logits)
    assert swapped.verdict == "wrong"


def test_a_claim_that_cannot_be_computed_is_never_as_expected() -> None:
    inputs = {"probabilities": PROBABILITIES, "targets": np.array([0, 1, 7])}
    record = judge(number(0.1, "cannot be checked"), inputs=inputs)
    assert (record.verdict, record.expected) == ("cannot_be_checked", False)
    assert "cannot be computed on this case" in record.explanation


@pytest.mark.parametrize("element", [3, 2**63])
def test_an_element_that_is_not_there_cannot_be_checked(element: int) -> None:
    record = judge(number(0.22, holds="yes", options={"reduction": "none"}, element=element))
    assert (record.verdict, record.expected) == ("cannot_be_checked", False)


def test_the_reason_of_the_case_file_is_added() -> None:
    claim = Claim(says="s", holds="no", value=3.0, because="It is pi.")
    assert judge(claim).explanation.endswith("It is pi.")


def test_every_check_is_computed_and_documented() -> None:
    assert set(COMPUTATIONS) == set(CHECKS)


TWO = {"probabilities": np.array([[0.25, 0.75], [0.5, 0.5]]), "targets": np.array([[0.0, 1.0], [1.0, 0.0]])}
LOGITS = {"logits": np.array([[-1.0, 0.5, 2.0], [-1.0, 0.5, 3.0]]), "targets": np.array([1, 2])}
EXTREME = {"logits": np.array([[0.0, 2000.0]]), "targets": np.array([0])}
ZERO = {"probabilities": np.array([[0.0, 1.0]]), "targets": np.array([0])}
NONE = {"reduction": "none"}

CHECKED = [
    (check("argmax_matches_labels"), None, None, None, "holds"),
    (check("argmax_matches_labels"), None, {"probabilities": PROBABILITIES, "targets": LABELS[::-1]}, None, "wrong"),
    (check("argmax_matches_labels"), None, TWO, None, "wrong"),
    (check("loss_decreases_towards_target"), None, None, None, "holds"),
    (check("loss_decreases_towards_target"), None, ZERO, None, "holds"),
    (check("loss_decreases_towards_target"), "softmax_cross_entropy", LOGITS, None, "holds"),
    (check("loss_decreases_towards_target"), "binary_cross_entropy", TWO, None, "holds"),
    (check("equals_formula", formula="one_hot"), None, None, None, "holds"),
    (check("equals_formula", formula="picked"), None, None, None, "holds"),
    (check("equals_formula", formula="picked"), None, None, {"reduction": "sum"}, "wrong"),
    (check("equals_formula", formula="binary"), None, None, None, "wrong"),
    (check("equals_formula", formula="binary"), "binary_cross_entropy", TWO, None, "holds"),
    (check("equals_formula", formula="binary_over_samples"), "binary_cross_entropy", TWO, None, "wrong"),
    (check("equals_formula", formula="softmax_then_picked", digits=4), "softmax_cross_entropy", LOGITS, None, "holds"),
    (check("equals_formula", formula="softmax_then_picked", digits=4), "softmax_cross_entropy", EXTREME, None, "wrong"),
    (check("equals_loss", loss="categorical_cross_entropy", reading={}), "binary_cross_entropy", TWO, None, "holds"),
    (check("equals_composition"), "softmax_cross_entropy", LOGITS, None, "holds"),
    (check("naive_composition_is_accurate"), "softmax_cross_entropy", LOGITS, None, "holds"),
    (check("naive_composition_is_accurate"), "softmax_cross_entropy", EXTREME, None, "wrong"),
    (check("same_for_one_hot"), None, None, None, "holds"),
    (check("same_for_one_hot"), "softmax_cross_entropy", LOGITS, None, "holds"),
    (check("same_under_convention", convention={"base": 2}), None, None, None, "wrong"),
    (check("labels_in_range"), None, None, None, "holds"),
    (check("labels_in_range"), None, {"probabilities": PROBABILITIES, "targets": np.array([1, 2, 3])}, None, "wrong"),
    (check("labels_in_range"), None, {"probabilities": PROBABILITIES, "targets": np.array([-1, 0, 1])}, None, "wrong"),
    (check("elements_less", less=(1,), than=0), None, None, NONE, "holds"),
    (check("elements_less", less=(1, 2), than=0), None, None, NONE, "wrong"),
    (check("loss_is_infinite"), None, ZERO, None, "holds"),
    (check("loss_is_infinite"), None, None, None, "wrong"),
    (check("epsilon_shifts_by", epsilon=1e-9), None, None, None, "holds"),
    (check("epsilon_shifts_by", epsilon=1e-1), None, None, None, "wrong"),
    (check("penalty_is_logarithmic"), None, None, None, "holds"),
    (check("gradient_is_softmax_minus_target"), "softmax_cross_entropy", LOGITS, None, "holds"),
    (check("gradient_is_softmax_minus_target"), "softmax_cross_entropy", LOGITS, {"reduction": "sum"}, "holds"),
]


@pytest.mark.parametrize(("claim", "loss", "inputs", "options", "verdict"), CHECKED)
def test_checks(claim: Claim, loss: str | None, inputs: Any, options: Any, verdict: str) -> None:
    record = judge(claim, loss or "categorical_cross_entropy", inputs, options)
    assert record.verdict == verdict, record.explanation
    assert record.expected == (verdict == "holds")


def test_probabilities_fed_as_logits() -> None:
    claim = check(
        "equals_loss", "only under logits ln p", loss="categorical_cross_entropy", reading={"probabilities": "logits"}
    )
    record = judge(claim, "softmax_cross_entropy", {"logits": PROBABILITIES, "targets": LABELS})
    assert (record.verdict, record.convention, record.expected) == ("holds_under_convention", "logits ln p", True)
    unnormalised = judge(claim, "softmax_cross_entropy", {"logits": PROBABILITIES / 2, "targets": LABELS})
    assert unnormalised.verdict == "wrong"


@dataclass(frozen=True)
class Result:
    """What an evaluation returns, with a mistake in it."""

    value: Any
    gradients: Mapping[str, Any]


def doubled_gradient(_loss: str, _inputs: Any, right: Any) -> Result:
    return Result(right.value, {name: 2 * np.asarray(g) for name, g in right.gradients.items()})


def linear_in_the_probability(_loss: str, inputs: Any, _right: Any) -> Result:
    return Result(1 - np.asarray(inputs["probabilities"])[0, 0], {})


def off_by_one_for_distributions(_loss: str, inputs: Any, right: Any) -> Result:
    return Result(np.asarray(right.value) + (inputs["targets"].dtype.kind == "f"), {})


def wrong_sign(_loss: str, _inputs: Any, right: Any) -> Result:
    return Result(-np.asarray(right.value), {})


def off_by_one_in_nll(loss: str, _inputs: Any, right: Any) -> Result:
    return Result(np.asarray(right.value) + (loss == "nll_loss"), {})


@pytest.mark.parametrize(
    ("name", "loss", "inputs", "mistake"),
    [
        ("gradient_is_softmax_minus_target", "softmax_cross_entropy", LOGITS, doubled_gradient),
        ("penalty_is_logarithmic", "categorical_cross_entropy", None, linear_in_the_probability),
        ("same_for_one_hot", "categorical_cross_entropy", None, off_by_one_for_distributions),
        ("loss_decreases_towards_target", "categorical_cross_entropy", None, wrong_sign),
        ("equals_composition", "softmax_cross_entropy", LOGITS, off_by_one_in_nll),
    ],
)
def test_a_wrong_computation_is_caught_by_its_check(name: str, loss: str, inputs: Any, mistake: Any) -> None:
    def known_bad(of: str, given_inputs: Any, options: Any = None, **rest: Any) -> Result:
        result: Result = mistake(of, given_inputs, reference.evaluate(of, given_inputs, options, **rest))
        return result

    assert judge(check(name), loss, inputs).verdict == "holds"
    assert judge(check(name), loss, inputs, evaluate=known_bad).verdict == "wrong"


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e6, max_value=1e6), st.integers(0, 10))
def test_a_number_printed_with_any_digits_prints_alike(value: float, digits: int) -> None:
    printed = np.asarray(float(f"{value:.{digits}f}"))
    assert printed_alike(printed, np.asarray(value), digits)
    assert not printed_alike(printed + 10.0**-digits, np.asarray(value), digits)


@given(st.floats(min_value=1e-300, max_value=1e300))
def test_agreement_is_a_few_roundings_wide(value: float) -> None:
    assert agree(np.asarray(np.nextafter(value, np.inf)), np.asarray(value))
    assert not agree(np.asarray(value * (1 + 1e-14)), np.asarray(value))


def test_special_values_agree_with_themselves_only() -> None:
    special = np.array([np.nan, np.inf, -np.inf, 0.0])
    assert agree(special, special)
    assert agree(np.array([-0.0]), np.array([0.0]))
    for left, right in ((np.nan, 0.0), (np.inf, -np.inf), (1.0, np.inf), (np.inf, 1.0)):
        assert not agree(np.array([left]), np.array([right]))
    assert not agree(np.zeros(2), np.zeros(3))


def test_conventions_in_words() -> None:
    assert described({"base": 2}) == "base 2"
    assert described({"clip": 1e-7, "denominator": "count"}) == "clip 1e-07, denominator count"
