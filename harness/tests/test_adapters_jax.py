"""The JAX adapter calls jax.nn and jax.scipy.special, eagerly and compiled, and says what x64 does to the dtypes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest

from harness.adapters.base import Answer, Call
from harness.tests.made_calls import make_call
from harness.tests.own_process import Unanswered, evaluate_in_process

pytestmark = pytest.mark.skipif(find_spec("jax") is None, reason="JAX is not installed")

ROW = {"logits": [[1.0, 2.0, 3.0]]}
SHARED = {"probabilities": [[0.5, 0.5], [1.0, 0.0]]}
MASKED = {"logits": [[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]]}
PER_ROW = {"class_mask": [[True, True, False], [False, True, True]]}
CALLS: Mapping[str, Call] = {
    "softmax": make_call("softmax", ROW, differentiate=("logits",), cotangent=[[1.0, 2.0, 3.0]]),
    "softmax jit": make_call("softmax", ROW, mode="jit", differentiate=("logits",), cotangent=[[1.0, 2.0, 3.0]]),
    "softmax axis 0": make_call("softmax", {"logits": [[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]]}, {"axis": 0}, mode="jit"),
    "log_softmax": make_call("log_softmax", ROW, mode="jit"),
    "bfloat16": make_call("log_softmax", ROW, dtype="bfloat16", mode="jit"),
    "float16": make_call("log_softmax", ROW, dtype="float16", mode="jit"),
    "subnormal": make_call("softmax", {"logits": [[0.0, -100.0]]}, dtype="float32", mode="jit"),
    "entropy": make_call("entropy", SHARED, mode="jit", differentiate=("probabilities",)),
    "entropy none": make_call("entropy", SHARED, {"reduction": "none"}, mode="jit"),
    "entropy base": make_call("entropy", SHARED, {"base": 2}),
    "cross_entropy": make_call("cross_entropy", {**SHARED, "targets": [[0.5, 0.5], [1.0, 0.0]]}, mode="jit"),
    "mapped": make_call("softmax", MASKED, PER_ROW, mode="vmap", differentiate=("logits",)),
    "not mapped": make_call("softmax", MASKED, PER_ROW, mode="jit", differentiate=("logits",)),
    "bad axis": make_call("softmax", ROW, {"axis": 5}),
    "no such loss": make_call("nll_loss", {"log_probabilities": [[-1.0]], "targets": [0]}),
}


@pytest.fixture(scope="module")
def wide() -> Mapping[str, Answer | Unanswered]:
    return evaluate_in_process("harness.adapters.jax:Jax", CALLS, {"JAX_ENABLE_X64": "1"})


@pytest.fixture(scope="module")
def narrow() -> Mapping[str, Answer | Unanswered]:
    chosen = {name: CALLS[name] for name in ("softmax", "bfloat16")}
    return evaluate_in_process("harness.adapters.jax:Jax", chosen, {"JAX_ENABLE_X64": "0"})


def answered(answers: Mapping[str, Answer | Unanswered], name: str) -> Answer:
    answer = answers[name]
    assert isinstance(answer, Answer), answer
    return answer


def values(answer: Answer) -> Any:
    return answer.value.to_float64()


SOFTMAX = [[0.09003057317038046, 0.24472847105479767, 0.6652409557748219]]


@pytest.mark.parametrize("name", ["softmax", "softmax jit"])
def test_softmax_and_its_gradient_under_a_cotangent(wide: Mapping[str, Any], name: str) -> None:
    answer = answered(wide, name)
    p, u = np.array(SOFTMAX), np.array([[1.0, 2.0, 3.0]])
    assert answer.function == "jax.nn.softmax"
    assert answer.value.dtype == "float64"
    np.testing.assert_allclose(values(answer), p, rtol=1e-15)
    np.testing.assert_allclose(answer.gradients["logits"].to_float64(), p * (u - (p * u).sum()), rtol=1e-14)


def test_the_axis_reaches_jax(wide: Mapping[str, Any]) -> None:
    np.testing.assert_allclose(values(answered(wide, "softmax axis 0"))[:, 1], [0.5, 0.5])


@pytest.mark.parametrize("name", ["bfloat16", "float16"])
def test_half_precision_goes_in_and_comes_out_as_it_is(wide: Mapping[str, Any], name: str) -> None:
    answer = answered(wide, name)
    assert answer.value.dtype == name
    np.testing.assert_allclose(values(answer), np.log(SOFTMAX), rtol=5e-3)


def test_subnormal_results_are_flushed_to_zero_as_described(wide: Mapping[str, Any]) -> None:
    assert math.exp(-100) > 0
    assert values(answered(wide, "subnormal")).tolist() == [[1.0, 0.0]]


def test_entropy_sums_over_classes_and_reduces(wide: Mapping[str, Any]) -> None:
    answer = answered(wide, "entropy")
    assert values(answer) == pytest.approx(math.log(2) / 2, rel=1e-15)
    assert answer.function == "jax.scipy.special.entr"
    assert answer.computed_with == {"sum over classes": "jax.numpy.sum"}
    assert answer.gradients["probabilities"].to_float64()[0] == pytest.approx([(math.log(2) - 1) / 2] * 2)
    np.testing.assert_allclose(values(answered(wide, "entropy none")), [math.log(2), 0.0])


def test_cross_entropy_counts_zero_times_log_zero_as_zero(wide: Mapping[str, Any]) -> None:
    assert values(answered(wide, "cross_entropy")) == pytest.approx(math.log(2) / 2)


def test_float64_is_narrowed_without_x64_and_the_answer_says_so(narrow: Mapping[str, Any]) -> None:
    answer = answered(narrow, "softmax")
    assert (answer.value.dtype, answer.gradients["logits"].dtype) == ("float32", "float32")
    np.testing.assert_allclose(values(answer), SOFTMAX, rtol=1e-6)
    assert answered(narrow, "bfloat16").value.dtype == "bfloat16"


def test_what_jax_lacks_is_unsupported_and_its_own_errors_pass_through(wide: Mapping[str, Any]) -> None:
    assert wide["entropy base"] == Unanswered("Unsupported", "jax.scipy.special.entr has no base")
    assert wide["no such loss"] == Unanswered("Unsupported", "JAX has no function for nll_loss")
    assert isinstance(wide["bad axis"], Unanswered)
    assert wide["bad axis"].type == "ValueError"
    assert "axis" in wide["bad axis"].message


def test_a_mask_of_rows_is_mapped_with_them(wide: Mapping[str, Any]) -> None:
    mapped, whole = answered(wide, "mapped"), answered(wide, "not mapped")
    np.testing.assert_array_equal(values(mapped), values(whole))
    np.testing.assert_array_equal(mapped.gradients["logits"].to_float64(), whole.gradients["logits"].to_float64())


def test_jax_is_told_to_forget_once_as_many_programs_are_kept_as_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    """It keeps all it compiled, gigabytes of a suite; what was forgotten is compiled again."""
    import jax

    from harness.adapters import jax_calls
    from harness.adapters.jax import Jax

    forgotten: list[None] = []
    monkeypatch.setattr(jax, "clear_caches", lambda: forgotten.append(None))
    monkeypatch.setattr(jax_calls, "KEPT", 1)
    adapter = Jax()
    for rows in (1, 1, 2, 1):
        answer = adapter.evaluate(make_call("softmax", {"logits": [[0.0] * 4] * rows}, mode="jit", dtype="float32"))
        np.testing.assert_array_equal(answer.value.to_float64(), np.full((rows, 4), 0.25))
    assert len(forgotten) == 2
