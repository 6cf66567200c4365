"""A case whose tolerance is as wide as its truth is named, and one dtype that tells the difference is enough."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.case import ArraySpec, Case, ExpectImplementationDefined, ExpectTruth, Location
from harness.judgement.widths import lint_widths, passed_by_zero

SMALLEST = -3.4028234663852886e38
PLACE = Location("some.yaml", 3)


def case(row: list[float], dtypes: tuple[str, ...] = ("float32",), **changed: Any) -> Case:
    inputs = {"logits": ArraySpec(values=(tuple(row), (1.0, 2.0, 3.0))), "targets": ArraySpec(values=(1, 0))}
    why, loss, options = "It shows what is left.", "softmax_cross_entropy", {"logit_scale": 0.7, "reduction": "none"}
    made = Case("edges/a", "A row", why, loss, inputs, PLACE, options, dtypes, differentiate=("logits",))
    return replace(made, **changed)


MASKED = case([SMALLEST] * 3)


def test_a_masked_row_that_may_answer_zero_is_named() -> None:
    assert passed_by_zero(MASKED) == ["gradient", "value"]
    (problem,) = lint_widths([MASKED])
    assert (problem.file, problem.line) == ("some.yaml", 3)
    assert "0 would agree" in problem.message
    assert "gradient, value" in problem.message


@pytest.mark.parametrize(
    "right",
    [
        case([1.0, 1.0, 1.0]),
        case([SMALLEST] * 3, expect=ExpectTruth({"value": "A", "gradient": "A"})),
        case([SMALLEST] * 3, expect=ExpectImplementationDefined(())),
        case([SMALLEST] * 3, tags=("wide",)),
        case([60000.0] * 3, ("float16", "float64")),  # float64 tells it from 0, float16 alone does not
        case([40.0, 0.0, 0.0]),  # tiny numbers are within every tolerance by design
    ],
)
def test_others_are_not(right: Case) -> None:
    assert lint_widths([right]) == []


def test_float16_alone_is_named() -> None:
    assert passed_by_zero(case([60000.0] * 3, ("float16",)))


def test_a_tag_without_need_is_named() -> None:
    (problem,) = lint_widths([case([1.0, 1.0, 1.0], tags=("wide",))])
    assert problem.hint == "Remove it"


def test_a_tag_is_needed_where_one_of_its_family_is() -> None:
    tagged = (case([1.0, 1.0, 1.0], tags=("wide",)), case([SMALLEST] * 3, tags=("wide",), id="edges/b"))
    assert lint_widths(tagged) == []


@given(st.integers(0, 127))
def test_the_size_of_a_shift_alone_decides(exponent: int) -> None:
    """Three logits of −2^e are off by 0.7 · 2^e eps each: from e = 20 or so nothing is left of ln 3 in float32."""
    lost = "value" in passed_by_zero(case([-(2.0**exponent)] * 3))
    # 4 eps (1 + 2 ln 3 + 2 · 0.7 · 2^e) against ln 3
    allowed = 4 * 2.0**-23 * (1 + 2 * 1.0986 + 2 * 0.7 * 2.0**exponent)
    assert lost == (allowed >= 1.0986)
