"""Who is timed, and with which settings."""

from __future__ import annotations

from harness.adapters.registry import registered, resolve
from harness.speed.entrants import YARDSTICK, as_used, has_speed, timed_by_default, with_yardstick


def test_explanations_in_code_and_the_evaluator_for_specifications_have_no_speed() -> None:
    without = {name for name in registered() if not has_speed(name)}
    assert without == {"jax-x32", "onnx-reference", *(f"scratch-d{number}" for number in range(5))}


def test_a_complete_bench_has_all_with_a_speed_and_the_default_one_fewer() -> None:
    complete, default = (set(timed_by_default(complete=complete)) for complete in (True, False))
    assert complete == {name for name in registered() if has_speed(name)}
    assert {YARDSTICK, "numpy"} < default < complete
    assert not any(name.startswith("keras") for name in default)


def test_what_everybody_is_compared_with_is_there_once() -> None:
    torch, by_hand = resolve("torch"), resolve(YARDSTICK)
    assert with_yardstick([torch]) == (by_hand, torch)
    assert with_yardstick([torch, by_hand]) == (torch, by_hand)


def test_jax_runs_as_its_users_run_it_unless_float64_is_measured() -> None:
    for name in ("jax", "optax", "keras-jax"):
        asked = registered()[name]
        assert as_used(asked, {"float32"}).environment == {**asked.environment, "JAX_ENABLE_X64": "0"}
        assert as_used(asked, {"float32", "float64"}) == asked


def test_nothing_else_has_other_settings_when_it_is_timed() -> None:
    for name in ("torch", "keras-tensorflow", "numpy", "my_losses:Mine"):
        assert as_used(resolve(name), {"float32"}) == resolve(name)
