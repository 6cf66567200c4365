"""Lint: each rule finds what it is for, and the committed cases keep to all of them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.core.case import Case, Location
from harness.suite.linting import RULES, lint
from harness.suite.loading import load_text
from harness.tests.shipped import shipped_cases


def case(
    loss: str = "softmax_cross_entropy",
    inputs: str = "{logits: [[1, 2]], targets: [0]}",
    why: str = "A sentence about what it would catch.",
    more: str = "",
) -> Case:
    text = f"- {{id: edges/a, title: A title, why: '{why}', loss: {loss}, inputs: {inputs}{more}}}"
    cases, problems = load_text(text, "f.yaml", "edges")
    assert not problems, problems
    return cases[0]


def found(one: Case) -> list[str]:
    return [problem.message for problem in lint([one])]


def test_the_committed_cases_keep_to_every_rule() -> None:
    assert [str(problem) for problem in lint(shipped_cases())] == []


def test_a_good_case_has_no_problems() -> None:
    assert not found(case())


@pytest.mark.parametrize("title", ["What should happen", "Should be zero"])
def test_titles_state_facts(title: str) -> None:
    assert found(replace(case(), title=title)) == ['a title with "should"']
    assert not found(replace(case(), title="A shoulder"))


@pytest.mark.parametrize("why", ["Because.", "it catches a nan from zero times infinity"])
def test_why_is_a_sentence(why: str) -> None:
    assert "is no sentence" in found(case(why=why))[0]


def test_sources() -> None:
    claim = ", claims: [{check: labels_in_range, holds: yes}]"
    assert found(case(more=claim)) == ["a claim without a document"]
    assert not found(case(more=claim + ", source: {document: d}"))
    assert "without its source" in found(replace(case(), id="documents/a"))[0]


@pytest.mark.parametrize(
    ("targets", "options", "message"),
    [
        ("[0, 1]", ", options: {ignore_index: -100}", "no label is -100"),
        ("[0, -100]", "", "without the option"),
        ("[[0, 1], [1, 0]]", ", options: {ignore_index: 1}", "without class labels"),
        ("[0, -100]", ", options: {ignore_index: -100}", None),
        (
            "{generator: labels, shape: [2], classes: 2, seed: 1, ignored_every: 2}",
            ", options: {ignore_index: -100}",
            None,
        ),
    ],
)
def test_a_case_tagged_ignore_index_ignores_something(targets: str, options: str, message: str | None) -> None:
    one = case(inputs=f"{{logits: [[1, 2], [3, 4]], targets: {targets}}}", more=f"{options}, tags: [ignore_index]")
    assert any(message in text for text in found(one)) if message else not found(one)


EXTREME = [
    ("softmax_cross_entropy", "{logits: [[1, 2]], targets: [0]}", "", False),
    ("softmax_cross_entropy", "{logits: [[710, 0]], targets: [0]}", "", True),
    ("softmax_cross_entropy", "{logits: [[89, 0]], targets: [0]}", "", True),
    ("softmax_cross_entropy", "{logits: [[89, 0]], targets: [1]}", "", False),
    ("softmax_cross_entropy", "{logits: [[89, 0]], targets: [1]}", ", dtypes: [float32, float16]", True),
    ("softmax_cross_entropy", "{logits: [[88, 0]], targets: [1]}", ", dtypes: [float32]", False),
    ("softmax_cross_entropy", "{logits: [[-1000, -1000]], targets: [0]}", "", True),
    ("softmax_cross_entropy", "{logits: [[40, 0]], targets: [0]}", "", True),
    ("softmax_cross_entropy", "{logits: [[0, -inf, 1]], targets: [[1, 0, 0]]}", "", True),
    ("softmax_cross_entropy", "{logits: [[0, -inf, 1]], targets: [0]}", "", False),
    ("softmax_cross_entropy", "{logits: [[710], [0]], targets: [1]}", ", options: {axis: 0}", True),
    ("linear_cross_entropy", "{hidden: [[1, 2]], weight: [[355, 0], [178, 0]], targets: [1]}", "", True),
    ("linear_cross_entropy", "{hidden: [[1, 2]], weight: [[3, 0], [1, 0]], targets: [1]}", "", False),
    ("linear_cross_entropy", "{hidden: [[1]], weight: [[1, 2]], bias: [800, 0], targets: [1]}", "", True),
    ("categorical_focal", "{logits: [[800, 0]], targets: [1]}", ", options: {gamma: 2}", True),
    ("categorical_focal", "{logits: [[1, 0]], targets: [1]}", ", options: {gamma: 2}", False),
    ("binary_focal", "{logits: [-800], targets: [1]}", ", options: {gamma: 2}", True),
    ("binary_focal", "{logits: [1], targets: [1]}", ", options: {gamma: 2}", False),
    ("softmax", "{logits: [710, 0]}", "", True),
    ("softmax", "{logits: [1, 0]}", "", False),
    ("log_softmax", "{logits: [0, -800]}", "", True),
    ("binary_cross_entropy_with_logits", "{logits: [40], targets: [1]}", "", True),
    ("binary_cross_entropy_with_logits", "{logits: [800], targets: [0]}", "", True),
    ("binary_cross_entropy_with_logits", "{logits: [2], targets: [1]}", "", False),
]


@pytest.mark.parametrize(("loss", "inputs", "more", "breaks"), EXTREME)
def test_a_case_tagged_extreme_breaks_the_naive_formula(loss: str, inputs: str, more: str, breaks: bool) -> None:
    messages = found(case(loss, inputs, more=f"{more}, tags: [extreme]"))
    assert bool(messages) != breaks
    if messages:
        assert "naive formula is right in" in messages[0]


def test_a_loss_that_takes_no_logits_is_not_tagged_extreme() -> None:
    inputs = "{log_probabilities: [[0, -1]], targets: [0]}"
    assert "not computed from logits" in found(case("nll_loss", inputs, more=", tags: [extreme]"))[0]


def test_a_large_generated_array_is_not_made_for_the_lint() -> None:
    inputs = "{logits: {generator: normal, shape: [10000, 1000], seed: 1}, targets: [0]}"
    assert not found(case(inputs=inputs, more=", tags: [extreme]"))


def test_an_error_has_no_value() -> None:
    one = case(more=", expect: {raises: bad_dtype}, claims: [{value: 1, holds: no}], source: {document: d}")
    assert found(one) == ["a claimed value where an error is right"]


def test_ids_are_unique() -> None:
    first = case()
    again = replace(first, location=Location("g.yaml", 7))
    problems = lint([first, again])
    assert [p.file for p in problems] == ["g.yaml"]
    assert "taken by f.yaml:1" in problems[0].message


def test_every_rule_is_named() -> None:
    assert all(name and callable(rule) for name, rule in RULES.items())


@pytest.mark.parametrize(
    ("inputs", "more", "about"),
    [
        ("{logits: [[1, 2]], targets: [7]}", "", "7"),
        ("{logits: [[1, 2]], targets: [0]}", ", options: {reduction: none}, cotangent: [1, 2]", "cotangent"),
        ("{logits: [[1, 2]], targets: [0, 1]}", "", "shape"),
        (
            "{logits: {generator: zeros, shape: [70000, 2]}, targets: {generator: full, shape: [70000], value: 7}}",
            "",
            "2",
        ),
        (
            "{logits: [[1, 2]], targets: [7]}",
            ", expect: {implementation_defined: [raises, {choice: the last class, inputs: {targets: [5]}}]}",
            "5",
        ),
    ],
)
def test_what_the_reference_cannot_evaluate_is_found_before_a_run(inputs: str, more: str, about: str) -> None:
    (message,) = found(case(inputs=inputs, more=more))
    assert "nothing is right here" in message
    assert about in message


def test_a_label_out_of_range_is_fine_where_an_error_or_a_choice_is_expected() -> None:
    for expect in ("{raises: out_of_range_label}", "{implementation_defined: [raises, any]}"):
        assert not found(case(inputs="{logits: [[1, 2]], targets: [7]}", more=f", expect: {expect}"))
