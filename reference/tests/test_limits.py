"""The limit conventions as a table: what the losses are at the edges of their domain."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import reference

INF, NAN = np.inf, np.nan
NONE = {"reduction": "none"}
NOTHING = np.zeros((0, 3))
NO_LABELS = np.zeros(0, dtype=np.int64)

# loss, inputs, options, value, gradient with respect to the first input
TABLE: list[tuple[str, dict[str, Any], dict[str, Any], Any, Any]] = [
    # a class that is masked with −inf
    (
        "softmax_cross_entropy",
        {"logits": [[0, -INF, 1]], "targets": [0]},
        {},
        1.3132616875182228,
        [[-0.73105858, 0, 0.73105858]],
    ),
    (
        "softmax_cross_entropy",
        {"logits": [[0, -INF, 1]], "targets": [[1.0, 0, 0]]},
        {},
        1.3132616875182228,
        [[-0.73105858, 0, 0.73105858]],
    ),
    ("softmax_cross_entropy", {"logits": [[-INF, 0, 1]], "targets": [0]}, {}, INF, [[-1, 0.26894142, 0.73105858]]),
    ("softmax_cross_entropy", {"logits": [[0, -INF]], "targets": [0]}, {"label_smoothing": 0.1}, INF, [[0.05, -0.05]]),
    # rows that have no softmax
    ("softmax_cross_entropy", {"logits": [[INF, 0]], "targets": [0]}, {}, NAN, [[NAN, NAN]]),
    ("softmax_cross_entropy", {"logits": [[-INF, -INF]], "targets": [0]}, {}, NAN, [[NAN, NAN]]),
    ("softmax_cross_entropy", {"logits": [[NAN, 0]], "targets": [0]}, {}, NAN, [[NAN, NAN]]),
    # nothing to average
    ("softmax_cross_entropy", {"logits": NOTHING, "targets": NO_LABELS}, {}, NAN, NOTHING),
    ("softmax_cross_entropy", {"logits": NOTHING, "targets": NO_LABELS}, {"reduction": "sum"}, 0, NOTHING),
    ("softmax_cross_entropy", {"logits": NOTHING, "targets": NO_LABELS}, NONE, np.zeros(0), NOTHING),
    ("softmax_cross_entropy", {"logits": [[1, 2]], "targets": [-100]}, {"ignore_index": -100}, NAN, [[0, 0]]),
    # what an ignored row holds does not matter
    (
        "softmax_cross_entropy",
        {"logits": [[NAN, INF], [0, 0]], "targets": [7, 0]},
        {"ignore_index": 7},
        np.log(2),
        [[0, 0], [-0.5, 0.5]],
    ),
    # one class, and one class so sure that its loss is below every subnormal
    ("softmax_cross_entropy", {"logits": [[3.0]], "targets": [0]}, {}, 0, [[0]]),
    ("softmax_cross_entropy", {"logits": [[1e300, 0]], "targets": [0]}, {}, 0, [[0, 0]]),
    ("softmax_cross_entropy", {"logits": [[1e308, -1e308]], "targets": [1]}, {}, INF, [[1, -1]]),
    # a weight of zero counts nothing, not even an infinite loss
    (
        "softmax_cross_entropy",
        {"logits": [[-INF, 0]], "targets": [0]},
        {**NONE, "sample_weights": [0.0]},
        [0],
        [[0, 0]],
    ),
    # 0 · ln 0 = 0
    ("entropy", {"probabilities": [[0.0, 1.0]]}, {}, 0, [[INF, -1]]),
    ("categorical_cross_entropy", {"probabilities": [[0.0, 1.0]], "targets": [1]}, {}, 0, [[0, -1]]),
    ("categorical_cross_entropy", {"probabilities": [[0.0, 1.0]], "targets": [0]}, {}, INF, [[-INF, 0]]),
    (
        "binary_cross_entropy",
        {"probabilities": [0.0, 1.0, 1.0, 0.0], "targets": [0.0, 1.0, 0.0, 1.0]},
        NONE,
        [0, 0, INF, INF],
        [1, -1, INF, -INF],
    ),
    ("kl_divergence", {"log_probabilities": [[-INF, 0.0]], "targets": [[0.0, 1.0]]}, {}, 0, [[0, -1]]),
    # binary logits at infinity
    (
        "binary_cross_entropy_with_logits",
        {"logits": [INF] * 3, "targets": [0.0, 1.0, 0.5]},
        NONE,
        [INF, 0, INF],
        [1, 0, 0.5],
    ),
    (
        "binary_cross_entropy_with_logits",
        {"logits": [-INF] * 3, "targets": [0.0, 1.0, 0.5]},
        NONE,
        [0, INF, INF],
        [0, -1, -0.5],
    ),
]


@pytest.mark.parametrize(("loss", "inputs", "options", "value", "gradient"), TABLE)
def test_limits(loss: str, inputs: dict[str, Any], options: dict[str, Any], value: Any, gradient: Any) -> None:
    primary = reference.LOSSES[loss].differentiate[0]
    found = reference.evaluate(loss, inputs, options, differentiate=[primary])
    np.testing.assert_allclose(np.asarray(found.value), value, rtol=1e-8)
    np.testing.assert_allclose(np.asarray(found.gradients[primary]), gradient, rtol=1e-7, atol=0)


def test_double_rounding_of_confident_predictions_is_avoided() -> None:
    """Where every framework says 0."""
    found = reference.evaluate("softmax_cross_entropy", {"logits": [[17.0, 0.0]], "targets": [0]})
    assert float(found.value) == pytest.approx(4.139937633089748e-08, rel=1e-15)
    assert found.gradients["logits"].hi[0, 0] == -found.gradients["logits"].hi[0, 1]


@pytest.mark.parametrize(
    ("loss", "inputs", "options", "says"),
    [
        ("nonsense", {}, {}, "loss 'nonsense'"),
        ("softmax", {}, {}, "input logits is absent"),
        ("softmax", {"logits": [[1.0]], "labels": [0]}, {}, "'labels' is not known"),
        ("softmax", {"logits": [[1.0]]}, {"label_smoothing": 0.1}, "'label_smoothing' is not known"),
        (
            "softmax_cross_entropy",
            {"logits": [[1.0, 2.0]], "targets": [2]},
            {},
            "targets\\[0\\] = 2: expected a label from 0 to 1",
        ),
        ("softmax_cross_entropy", {"logits": [[1.0, 2.0]], "targets": [-1]}, {}, "= -1"),
        ("softmax_cross_entropy", {"logits": [[1.0, 2.0]], "targets": [[0]]}, {}, "shape \\(1, 1\\)"),
        ("softmax_cross_entropy", {"logits": [[1.0, 2.0]], "targets": [[1.0]]}, {}, "nothing is broadcast"),
        ("softmax_cross_entropy", {"logits": [[1.0, 2.0]], "targets": [0]}, {"class_weights": [1.0]}, "class_weights"),
        ("softmax_cross_entropy", {"logits": [[1.0, 2.0]], "targets": [0]}, {"label_smoothing": 1.5}, "1.5"),
        ("softmax_cross_entropy", {"logits": [[1.0, 2.0]], "targets": [0]}, {"axis": 2}, "axis 2"),
        ("softmax_cross_entropy", {"logits": [[1.0, 2.0]], "targets": [0]}, {"reduction": "average"}, "'average'"),
        ("softmax_cross_entropy", {"logits": [["a"]], "targets": [0]}, {}, "logits: expected numbers"),
        ("softmax_cross_entropy", {"logits": np.zeros((1, 0)), "targets": [0]}, {}, "at least one class"),
        ("categorical_cross_entropy", {"probabilities": [[1.5, 0.0]], "targets": [0]}, {}, "probabilities\\[0, 0\\]"),
        ("binary_focal", {"logits": [0.0], "targets": [1.0]}, {"gamma": -1.0}, "gamma"),
        (
            "linear_cross_entropy",
            {"hidden": [[1.0]], "weight": [[1.0], [2.0]], "targets": [0]},
            {},
            "expected \\(..., d\\)",
        ),
        (
            "binary_cross_entropy_with_logits",
            {"logits": [0.0, 1.0], "targets": [1.0, 0]},
            {"pos_weight": [1.0] * 3},
            "pos_weight",
        ),
    ],
)
def test_bad_arguments_are_named(loss: str, inputs: dict[str, Any], options: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        reference.evaluate(loss, inputs, options)


@pytest.mark.parametrize(
    ("convention", "says"),
    [
        ({"clamp": 1e-7}, "'clamp' is not known"),
        ({"clip": 2.0}, "clip"),
        ({"base": 1.0}, "base"),
        ({"denominator": "all"}, "denominator"),
        ("!", "expected name"),
    ],
)
def test_bad_conventions_are_named(convention: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        reference.evaluate("entropy", {"probabilities": [0.5, 0.5]}, {}, convention)


def test_a_convention_may_be_written_as_text() -> None:
    p = {"probabilities": [[0.0, 0.5]], "targets": [0]}
    as_text = reference.evaluate("categorical_cross_entropy", p, {}, "renormalize, clip(1e-7)")
    as_map = reference.evaluate("categorical_cross_entropy", p, {}, {"renormalize": True, "clip": 1e-7})
    assert float(as_text.value) == float(as_map.value) == pytest.approx(16.11809565095832)
