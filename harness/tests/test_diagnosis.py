"""The diagnosis names the mistake of known-bad implementations, and says so where it cannot."""

from __future__ import annotations

import pytest

from harness.judgement.diagnosis import UNEXPLAINED
from harness.tests.diagnosed import is_named, small_cases, spoken

CASES = small_cases()


@pytest.mark.parametrize(
    "name",
    [
        "mean-over-classes.softmax_cross_entropy",
        "mean-is-sum.softmax_cross_entropy",
        "ignores-cotangent.softmax_cross_entropy",
        "log-base-2.categorical_cross_entropy",
        "softmax-twice.softmax_cross_entropy",
        "smoothing-over-others.softmax_cross_entropy",
        "opposite-gradient.softmax_cross_entropy",
        "reversed-gradient.softmax_cross_entropy",
        "squares-class-weights.softmax_cross_entropy",
        "ignores-gamma.binary_focal",
        "gamma-plus-one.binary_focal",
        "no-focal-weight.binary_focal",
        "alpha-swapped.binary_focal",
    ],
)
def test_a_mistake_is_named(name: str) -> None:
    said = spoken(name, CASES)
    assert is_named(name, said), said


def test_a_mistake_that_is_no_single_change_is_not_explained_away() -> None:
    said = spoken("detached-focal-weight.binary_focal", CASES)
    assert said.most_common(1)[0][0] == UNEXPLAINED
