"""What an implementation is told of the options: a mean says what it divides by, be it the default."""

from __future__ import annotations

from typing import Any

import pytest

from harness.core.call import Question
from harness.core.case import ArraySpec, Case, Location
from harness.execution.pool import request


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"reduction": "mean"}, "count"),
        ({"reduction": "mean", "class_weights": ArraySpec((1.0, 2.0))}, "weights"),
        ({"reduction": "mean", "ignore_index": -100}, "valid"),
        ({"reduction": "mean", "ignore_index": -100, "denominator": "count"}, "count"),
        ({"reduction": "sum"}, None),
        ({}, None),
    ],
)
def test_a_mean_says_what_it_divides_by(options: dict[str, Any], told: str | None) -> None:
    inputs = {"logits": ArraySpec(((1.0, 2.0),)), "targets": ArraySpec((0,))}
    case = Case("edges/a", "t", "w", "softmax_cross_entropy", inputs, Location("f", 1), options)
    asked = request(Question("it", case, "float32", "eager"), realized=True)
    assert asked.options.get("denominator") == told
