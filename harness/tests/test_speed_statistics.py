"""Ratios, intervals and verdicts about speed: what arithmetic alone can promise."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.speed import block_order, memory_bound
from harness.speed.statistics import (
    FASTER,
    NOT_COMPARABLE,
    SAME,
    SLOWER,
    UNSTABLE,
    VERDICTS,
    calm_rounds,
    change,
    interval,
    is_calm,
    judge,
    pair_ratio,
    round_ratios,
    stretch,
)

RATIOS = st.lists(st.floats(0.01, 100), min_size=5, max_size=20)


def noisy(centre: float, spread: float, count: int = 5, seed: int = 1) -> list[float]:
    return [float(r) for r in centre * np.exp(np.random.default_rng(seed).normal(0, spread, count))]


@given(RATIOS)
def test_an_interval_holds_its_ratio_and_lies_inside_what_was_seen_but_for_the_stretch(pairs: list[float]) -> None:
    found = interval(pairs)
    assert found.low <= found.ratio <= found.high
    width = math.log(max(pairs)) - math.log(min(pairs))
    assert math.log(found.high) - math.log(found.low) <= 2 * width * stretch(5) + 1e-9


@given(RATIOS)
def test_exchanging_numerator_and_denominator_turns_faster_into_slower(pairs: list[float]) -> None:
    opposite = {FASTER: SLOWER, SLOWER: FASTER}
    verdict, found = judge(pairs)
    turned, reciprocal = judge([1 / r for r in pairs])
    assert found is not None
    assert reciprocal is not None
    assert reciprocal.ratio == pytest.approx(1 / found.ratio)
    # The ends of the resampled distribution are interpolated, so a verdict on the very edge may turn.
    if abs(math.log(found.low)) > 0.01 and abs(math.log(found.high)) > 0.01:
        assert {verdict, opposite.get(turned, turned)} in ({verdict}, {SAME, UNSTABLE})


@given(st.lists(st.floats(0.97, 1.03), min_size=5, max_size=20))
def test_what_is_within_the_threshold_is_never_called_different(pairs: list[float]) -> None:
    assert judge(pairs)[0] == SAME


@given(st.lists(st.floats(0.01, 100), max_size=4))
def test_fewer_than_five_process_pairs_compare_nothing(pairs: list[float]) -> None:
    assert judge(pairs)[0] == NOT_COMPARABLE


@given(RATIOS)
def test_a_pair_says_the_median_of_its_rounds(ratios: list[float]) -> None:
    assert min(ratios) <= pair_ratio(ratios) * (1 + 1e-12)
    assert pair_ratio(ratios) <= max(ratios) * (1 + 1e-12)


def test_one_disturbed_round_does_not_move_a_pair() -> None:
    assert pair_ratio([1.0, 1.01, 0.99, 1.0, 50.0]) == pytest.approx(1.0)


def test_rounds_that_do_not_belong_together_are_refused() -> None:
    with pytest.raises(ValueError, match="2 and 1 rounds"):
        round_ratios([1.0, 2.0], [1.0])


@pytest.mark.parametrize("seed", range(20))
def test_a_slowdown_of_a_tenth_is_found_and_identical_code_is_the_same(seed: int) -> None:
    # 1.5 %: what two pinned processes with identical code differ by.
    assert judge(noisy(1.1, 0.015, seed=seed))[0] == SLOWER
    assert judge(noisy(1 / 1.1, 0.015, seed=seed))[0] == FASTER
    assert judge(noisy(1.0, 0.015, seed=seed))[0] == SAME


def test_a_ratio_that_wanders_is_unstable() -> None:
    assert judge([0.5, 2.0, 0.7, 1.5, 1.0])[0] == UNSTABLE


def test_a_change_must_clear_its_interval_and_the_threshold() -> None:
    old = noisy(2.0, 0.01, seed=1)
    assert change(old, noisy(2.3, 0.01, seed=2))[0] == SLOWER
    assert change(old, noisy(1.7, 0.01, seed=3))[0] == FASTER
    assert change(old, noisy(2.04, 0.01, seed=4))[0] == SAME
    assert change(old, noisy(2.3, 0.5, seed=5))[0] == UNSTABLE
    assert change(old, old[:4])[0] == NOT_COMPARABLE


@given(RATIOS, RATIOS)
def test_a_change_has_a_verdict_and_an_interval_around_it(old: list[float], new: list[float]) -> None:
    verdict, found = change(old, new)
    assert verdict in VERDICTS
    assert found is not None
    assert found.low <= found.ratio <= found.high


@given(st.lists(st.text(min_size=1), min_size=1, max_size=8, unique=True), st.integers(1, 20), st.integers(0, 99))
def test_every_round_holds_everybody_once_and_every_second_runs_backwards(
    names: list[str], count: int, seed: int
) -> None:
    planned = block_order.rounds(names, count, seed)
    assert len(planned) == count
    assert all(sorted(one) == sorted(names) for one in planned)
    assert all(planned[i + 1] == planned[i][::-1] for i in range(0, count - 1, 2))


@given(st.floats(1e-8, 100), st.floats(0.001, 1))
def test_a_block_is_as_long_as_asked_or_one_call(call: float, block: float) -> None:
    calls = block_order.calls_per_block(call, block)
    assert calls == 1 or calls * call == pytest.approx(block, rel=0.5)
    assert 1 <= block_order.round_count(call, block, 8, 0.6) <= 8


@given(st.lists(st.integers(), max_size=30), st.integers(1, 10))
def test_groups_hold_everybody_once_and_differ_by_one_at_most(names: list[int], size: int) -> None:
    found = block_order.groups(names, size)
    assert sorted(n for group in found for n in group) == sorted(names)
    assert max(map(len, found)) <= size
    assert max(map(len, found)) - min(map(len, found)) <= 1


def test_bytes_are_those_of_the_definition() -> None:
    shapes = {"logits": (4096, 32000), "targets": (4096,)}
    dtypes = {"logits": "float32", "targets": "int64"}
    forward = memory_bound.traffic("softmax_cross_entropy", shapes, dtypes, "mean", ())
    assert forward == memory_bound.Traffic(131072000, 4 * 131072000 + 8 * 4096, 0)
    both = memory_bound.traffic("softmax_cross_entropy", shapes, dtypes, "mean", ("logits",))
    assert both.written == 4 * 131072000
    unreduced = memory_bound.traffic("log_softmax", {"logits": (10, 10)}, {"logits": "bfloat16"}, None, ())
    assert (unreduced.read, unreduced.written) == (200, 200)
    linear = {"hidden": (8, 4), "weight": (4, 100), "targets": (8,)}
    types = {"hidden": "float32", "weight": "float32", "targets": "int32"}
    assert memory_bound.traffic("linear_cross_entropy", linear, types, "mean", ()).elements == 800


def test_the_limit_reads_all_and_writes_all() -> None:
    machine = memory_bound.Bandwidth(read=10.0, copy=4.0)  # per second; writing takes 0.15 s
    assert machine.least_seconds(memory_bound.Traffic(1, 100, 0)) == pytest.approx(10.0)
    assert machine.least_seconds(memory_bound.Traffic(1, 100, 100)) == pytest.approx(25.0)
    assert memory_bound.Bandwidth(10.0, 20.0).least_seconds(memory_bound.Traffic(1, 0, 100)) == 0.0


def test_an_interval_of_five_pairs_covers_as_often_as_it_says() -> None:
    covered = sum(i.low <= 1 <= i.high for i in (interval(noisy(1.0, 0.02, seed=s)) for s in range(400)))
    # 95 % of 400 with a standard deviation of 4.4; without the stretch it is some 340.
    assert covered >= 0.93 * 400


def test_disturbed_rounds_are_left_out_and_a_disturbed_measurement_must_be_far_off() -> None:
    assert is_calm(0.98, 1.0)
    assert is_calm(1.9, 1.0)  # two threads
    assert not is_calm(0.5, 1.0)
    assert calm_rounds([True, True, False], [True, False, True]) == (0,)
    slight = noisy(1.12, 0.005)
    assert judge(slight)[0] == SLOWER
    assert judge(slight, disturbed=True)[0] == UNSTABLE
    assert judge(noisy(1.5, 0.02), disturbed=True)[0] == SLOWER
    assert judge(noisy(1.0, 0.005), disturbed=True)[0] == SAME


@given(st.integers(2, 200))
def test_the_stretch_falls_towards_one(count: int) -> None:
    assert 1 < stretch(count + 1) < stretch(count)
