"""The agreement of a result with the truth: budget, floor, pattern, grade."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.formats import FORMATS
from harness.judgement.agreement import BUDGET, Agreement, Target, compare

formats = st.sampled_from(list(FORMATS))


def agreement(got: float, truth: float, error_scale: float = 1.0, fmt: str = "float32", **more: bool) -> Agreement:
    target = Target(np.asarray([truth]), np.asarray([0.0]), np.asarray([error_scale]))
    return compare(np.asarray([got]), target, FORMATS[fmt], **more)


@given(st.floats(min_value=-1e4, max_value=1e4), st.floats(min_value=1.0, max_value=1e3), formats)
def test_the_budget_is_the_edge(truth: float, error_scale: float, fmt: str) -> None:
    """Just inside k eps A agrees, just outside does not (1 % to either side: the sum itself rounds in float64)."""
    step = BUDGET[fmt] * FORMATS[fmt].eps * error_scale
    if step < 1e-9 * abs(truth):
        return
    assert agreement(truth + 0.99 * step, truth, error_scale, fmt).agrees
    outside = agreement(truth + 1.01 * step + 1.01 * FORMATS[fmt].smallest_subnormal, truth, error_scale, fmt)
    assert not outside.agrees
    assert outside.ratio > BUDGET[fmt]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 0.0, -0.0, 1.5])
def test_equal_results_agree_with_grade_a(value: float) -> None:
    result = agreement(value, value)
    assert result.agrees
    assert result.grade == "A"
    assert result.ratio == 0.0


def test_minus_zero_equals_zero() -> None:
    assert agreement(-0.0, 0.0).agrees


@pytest.mark.parametrize(
    ("got", "truth"), [(np.nan, 1.0), (1.0, np.nan), (np.inf, 1.0), (np.inf, -np.inf), (1.0, np.inf), (np.nan, np.inf)]
)
def test_another_pattern_of_nan_and_infinity_disagrees_whatever_the_error_scale(got: float, truth: float) -> None:
    result = agreement(got, truth, error_scale=1e308)
    assert not result.agrees
    assert result.grade == "F"
    assert result.pattern is not None


def test_a_truth_beyond_the_format_is_right_as_infinity() -> None:
    assert agreement(np.inf, 1e39).agrees
    assert not agreement(-np.inf, 1e39).agrees
    assert not agreement(np.inf, 1e38).agrees


def test_the_floor_forgives_the_smallest_subnormal_and_no_more() -> None:
    tiny = FORMATS["float32"].smallest_subnormal
    assert agreement(0.0, tiny, error_scale=0.0).agrees
    assert not agreement(0.0, 4 * tiny, error_scale=0.0).agrees
    assert agreement(0.0, FORMATS["float32"].smallest_normal, error_scale=0.0, flush_to_zero=True).agrees


def test_what_is_flushed_on_the_way_is_multiplied_by_what_multiplies_it() -> None:
    """A gradient 3 · p with a subnormal p is normal, and 0 where p was flushed."""
    for name, forgiven in (("float32", True), ("float16", False)):
        fmt = FORMATS[name]
        truth = np.asarray([2.5 * fmt.smallest_normal])
        target = Target(truth, np.zeros(1), np.zeros(1), amplification=3.0)
        assert compare(np.zeros(1), target, fmt, flush_to_zero=True).agrees is forgiven
        assert not compare(np.zeros(1), target, fmt).agrees


def test_the_low_part_of_the_truth_counts() -> None:
    """An implementation that returns exactly hi is off by lo."""
    target = Target(np.asarray([1.0]), np.asarray([1e-17]), np.asarray([1.0]))
    result = compare(np.asarray([1.0]), target, FORMATS["float64"])
    assert result.ulps == 0.0 or result.agrees
    off = compare(np.asarray([1.0 + 2.0**-52]), target, FORMATS["float64"])
    assert off.ulps == pytest.approx(1.0 - 1e-17 / 2.0**-52)


def test_grades_tell_relative_from_error_scale_from_normwise() -> None:
    eps = FORMATS["float64"].eps
    assert agreement(1e-10 * (1 + eps), 1e-10, fmt="float64").grade == "A"
    assert agreement(1e-10 + eps, 1e-10, fmt="float64").grade == "B"
    target = Target(np.asarray([1e-10]), np.asarray([0.0]), np.asarray([1.0]), magnitude=1e6)
    assert compare(np.asarray([1e-10 + 1e5 * eps]), target, FORMATS["float64"]).grade == "C"
    assert agreement(1.0, 1e-10, fmt="float64").grade == "F"


def test_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match="shape"):
        compare(np.zeros(2), Target(np.zeros(3), np.zeros(3), np.ones(3)), FORMATS["float32"])


def test_nothing_agrees_with_nothing() -> None:
    empty = np.zeros((0, 3))
    assert compare(empty, Target(empty, empty, empty), FORMATS["float32"]).agrees


def test_a_target_made_from_another_is_compared_as_its_own() -> None:
    """What was worked out for the one truth says nothing about the other."""
    one = Target(np.asarray([1.0]), np.asarray([0.0]), np.asarray([1.0]))
    for fmt in FORMATS.values():
        assert compare(np.asarray([1.0]), one, fmt).agrees
        other = replace(one, hi=np.asarray([1024.0]))
        right, wrong = (compare(np.asarray([got]), other, fmt) for got in (1024.0, 1.0))
        assert (right.agrees, right.ulps, wrong.agrees) == (True, 0.0, False)
        assert wrong.ulps == 1023.0 / (1024.0 * fmt.eps)
