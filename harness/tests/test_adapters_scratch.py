"""The scratch implementations do what their documents do, quirks included, down to the numbers measured by hand."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from harness.adapters.base import Adapter, Answer, Array, Call, Unsupported
from harness.adapters.scratch.d0 import D0
from harness.adapters.scratch.d1 import D1
from harness.adapters.scratch.d3 import D3
from harness.adapters.scratch.d4 import D4

MEAN = {"reduction": "mean", "denominator": "count"}
DOG = [[0.775, 0.116, 0.039, 0.070]]


def ask(adapter: Adapter, loss: str, dtype: str = "float64", options: Any = MEAN, **inputs: Any) -> Answer:
    arrays = {n: Array.of(v, dtype if np.asarray(v).dtype.kind == "f" else None) for n, v in inputs.items()}
    with np.errstate(all="ignore"):  # NumPy's warnings about the very quirks under test
        return adapter.evaluate(Call(loss, arrays, options, dtype))


def number(answer: Answer) -> float:
    return float(answer.value.to_float64())


def categorical(adapter: Adapter, probabilities: Any, targets: Any, dtype: str = "float64") -> Answer:
    return ask(adapter, "categorical_cross_entropy", dtype, probabilities=probabilities, targets=targets)


def test_d0_gives_its_own_number_and_not_the_one_printed() -> None:
    answer = categorical(D0(), [[0.2, 0.8], [0.5, 0.5], [0.6, 0.4], [0.8, 0.2]], [0, 0, 1, 1])
    assert number(answer) == pytest.approx(1.2070784343255752, rel=1e-15)


def test_d0_divides_by_all_entries_so_three_classes_are_not_the_cross_entropy() -> None:
    three = [[0.2, 0.3, 0.5]]
    expected = -(math.log(0.5) + math.log(0.8) + math.log(0.7)) / 3
    assert number(categorical(D0(), three, [2])) == pytest.approx(expected)


def test_d0_is_nan_even_for_a_perfect_prediction() -> None:
    assert math.isnan(number(categorical(D0(), [[1.0, 0.0]], [0])))


def test_d0_takes_a_negative_label_for_the_last_class_and_raises_beyond_it() -> None:
    rows = [[0.2, 0.3, 0.5]]
    assert number(categorical(D0(), rows, [-1])) == number(categorical(D0(), rows, [2]))
    with pytest.raises(IndexError):
        categorical(D0(), rows, [3])


def test_d0_answers_in_float64_because_its_identity_matrix_does() -> None:
    assert categorical(D0(), [[0.25, 0.75]], [0], "float32").value.dtype == "float64"


def test_d0_takes_one_hot_rows_for_the_binary_loss_only() -> None:
    rows: dict[str, Any] = {"probabilities": [[0.2, 0.8]], "targets": [[1.0, 0.0]]}
    assert number(ask(D0(), "binary_cross_entropy", **rows)) == pytest.approx(-math.log(0.2))
    with pytest.raises(Unsupported, match="labels"):
        ask(D0(), "categorical_cross_entropy", **rows)
    with pytest.raises(Unsupported, match="labels"):
        ask(D0(), "binary_cross_entropy", probabilities=[[0.2, 0.8]], targets=[[0.5, 0.5]])


def test_d1_binary_example_and_its_missing_epsilon() -> None:
    example = ask(
        D1(),
        "binary_cross_entropy",
        probabilities=[[0.1], [0.9], [0.8], [0.4]],
        targets=[[0.0], [1.0], [1.0], [0.0]],
    )
    assert number(example) == pytest.approx(0.23617255159896325, rel=1e-15)
    assert example.convention is None
    assert math.isnan(number(ask(D1(), "binary_cross_entropy", probabilities=[1.0], targets=[1.0])))


def test_d1_adds_its_epsilon_inside_the_logarithm_and_says_so() -> None:
    example = categorical(D1(), [[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.2, 0.2, 0.6]], np.eye(3))
    shifted = -sum(math.log(p + 1e-9) for p in (0.7, 0.8, 0.6)) / 3
    assert number(example) == pytest.approx(shifted, rel=1e-15)
    assert number(example) != pytest.approx(0.3635480396729776, rel=1e-10)
    assert example.convention == {"add_inside_log": 1e-9}


@pytest.mark.parametrize(
    ("adapter", "epsilon", "zero"), [(D1, 1e-9, 20.72326583694641), (D3, 1e-10, 23.025850929940457)]
)
def test_an_added_epsilon_makes_perfection_cost_less_than_nothing(
    adapter: Callable[[], Adapter], epsilon: float, zero: float
) -> None:
    perfect = [[1.0, 0.0]]
    assert number(categorical(adapter(), perfect, [[1.0, 0.0]])) == pytest.approx(-epsilon, rel=1e-6)
    assert number(categorical(adapter(), perfect, [[1.0, 0.0]], "float32")) == 0.0
    assert number(categorical(adapter(), perfect, [[0.0, 1.0]])) == pytest.approx(zero, rel=1e-15)


def test_d3_examples_agree_between_one_hot_and_label() -> None:
    y = [0.1, 0.2, 0.7]
    assert number(categorical(D3(), y, [0, 1, 0])) == pytest.approx(-math.log(0.2))
    assert number(categorical(D3(), y, np.int64(1))) == number(categorical(D3(), y, [0.0, 1.0, 0.0]))
    rows = [[0.1, 0.8, 0.1], [0.7, 0.2, 0.1]]
    assert number(categorical(D3(), rows, [1, 0])) == pytest.approx(0.2899092476264711, rel=1e-9)


def test_d3_replaces_soft_targets_by_their_argmax() -> None:
    rows = [[0.2, 0.8]]
    assert number(categorical(D3(), rows, [[0.4, 0.6]])) == number(categorical(D3(), rows, [1]))


def test_d3_mistakes_the_labels_of_one_class_for_one_hot_rows() -> None:
    with pytest.raises(ValueError, match="axis 1"):
        categorical(D3(), [[0.5], [0.5]], [0, 0])


def test_d4_counts_in_bits_and_says_so() -> None:
    answer = categorical(D4(), DOG, [[1.0, 0.0, 0.0, 0.0]])
    assert number(answer) == pytest.approx(0.3677317845004871, rel=1e-15)
    assert answer.convention == {"base": 2}


def test_d4_entropies_of_the_three_containers() -> None:
    triangles = np.array([26 / 30, 14 / 30, 29 / 30])
    rows = np.stack([triangles, 1 - triangles], axis=1)
    entropies = ask(D4(), "entropy", options={"reduction": "none"}, probabilities=rows).value.to_float64()
    assert entropies == pytest.approx([0.5665095065529052, 0.9967916319816366, 0.21084230031853213], rel=1e-13)


def test_d4_softmax_of_the_dog_and_its_overflow() -> None:
    dog = ask(D4(), "softmax", options={}, logits=[[3.2, 1.3, 0.2, 0.8]]).value.to_float64()
    expected = [[0.7751495482986049, 0.1159380476300716, 0.03859242355646149, 0.07031998051486205]]
    assert dog == pytest.approx(np.array(expected), rel=1e-14)
    assert np.isnan(ask(D4(), "softmax", options={}, logits=[[710.0, 0.0]]).value.to_float64()).any()


def test_d4_has_no_natural_logarithm() -> None:
    with pytest.raises(Unsupported, match="base 2"):
        ask(D4(), "entropy", options={**MEAN, "base": 10}, probabilities=DOG)


@pytest.mark.parametrize("adapter", [D0, D1, D3])
def test_a_reduction_the_document_does_not_have_is_unsupported(adapter: Callable[[], Adapter]) -> None:
    with pytest.raises(Unsupported, match="mean"):
        ask(
            adapter(),
            "categorical_cross_entropy",
            options={"reduction": "none"},
            probabilities=[[0.5, 0.5]],
            targets=[0],
        )


class TestD2:
    """In PyTorch, so only where PyTorch is."""

    @pytest.fixture
    def d2(self) -> Adapter:
        pytest.importorskip("torch", reason="document D2 is written in PyTorch")
        from harness.adapters.scratch.d2 import D2

        return D2()

    def test_examples(self, d2: Adapter) -> None:
        fashion = [[0.1058, 0.1043, 0.0988, 0.1066, 0.0875, 0.0881, 0.1027, 0.1046, 0.1057, 0.0958]]
        assert number(categorical(d2, fashion, [4])) == pytest.approx(2.436116485618568, rel=1e-15)
        logits = [[-1, 0.5, 2], [-1, 0.5, 3]]
        rows = ask(d2, "softmax", options={}, logits=logits).value.to_float64()
        assert rows[0] == pytest.approx([0.039112573270687456, 0.1752903921400367, 0.7855970345892759], rel=1e-14)
        mean = ask(d2, "softmax_cross_entropy", logits=logits, targets=[1, 2])
        assert number(mean) == pytest.approx(0.9184928130357698, rel=1e-14)

    def test_overflow_from_a_logit_of_ninety(self, d2: Adapter) -> None:
        answer = ask(d2, "softmax_cross_entropy", "float32", logits=[[90.0, 0.0]], targets=[0])
        assert math.isnan(number(answer))

    def test_gradient_by_autograd(self, d2: Adapter) -> None:
        inputs = {"logits": Array.of([[1.0, 2.0, 3.0]]), "targets": Array.of([0])}
        call = Call("softmax_cross_entropy", inputs, MEAN, "float64", differentiate=("logits",))
        gradient = d2.evaluate(call).gradients["logits"].to_float64()
        assert gradient == pytest.approx(np.array([[-0.90996943, 0.24472847, 0.66524096]]), abs=1e-8)
