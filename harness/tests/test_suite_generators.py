"""Generators: the bits are pinned, the arithmetic is checked with integers and fractions, layouts keep the values."""

from __future__ import annotations

import hashlib
import json
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.arrays import Array
from harness.core.case import ArraySpec
from harness.core.formats import FORMATS
from harness.suite.generators import (
    GENERATORS,
    LAYOUTS,
    holds_integers,
    parameter_problems,
    realize,
    shape_of,
    spec_from_wire,
    spec_to_wire,
)

SPECS: dict[str, dict[str, Any]] = {
    "zeros": {"shape": (2, 3)},
    "full": {"shape": (2, 3), "value": -0.1},
    "uniform": {"shape": (2, 3), "low": -3.0, "high": 7.0, "seed": 11},
    "normal": {"shape": (2, 3), "scale": 4.0, "shift": 1.0, "seed": 12},
    "labels": {"shape": (7,), "classes": 5, "seed": 13, "ignored_every": 3},
    "bits": {"shape": (2, 3), "seed": 14},
    "one_hot": {"shape": (4, 3), "seed": 15},
    "probabilities": {"shape": (2, 3), "seed": 16},
    "linspace": {"shape": (2, 3), "start": -1.0, "stop": 0.3},
    "ramp": {"shape": (2, 3), "start": 0.5, "step": 0.1},
    "arange": {"shape": (2, 3), "start": -2, "step": 3},
    "eye": {"shape": (3,)},
    "cycle": {"shape": (2, 3), "values": (0.1, -0.2)},
}


def spec(name: str, layout: str = "contiguous", dtype: str | None = None, **changes: Any) -> ArraySpec:
    return ArraySpec(generator=name, parameters={**SPECS[name], **changes}, layout=layout, dtype=dtype)


def test_every_generator_is_tested_here() -> None:
    assert set(SPECS) == set(GENERATORS)


def test_the_bits_are_pinned() -> None:
    """Run files of two machines are compared by digests, so the bits may not depend on NumPy, CPU or C library."""
    digest = hashlib.sha256()
    for name in sorted(SPECS):
        for dtype in FORMATS:
            digest.update(np.ascontiguousarray(realize(spec(name), dtype).storage).tobytes())
    assert digest.hexdigest() == "7655c7017e669e31106ec7cd34f7baf4d2f545a8f71593ded3a0fdddd7d4770e"


def test_uniform_numbers_are_the_upper_53_bits_of_the_words() -> None:
    words = np.random.PCG64(5).random_raw(4)
    expected = [float(Fraction(int(word) >> 11, 2**53)) for word in words]
    drawn = realize(ArraySpec(generator="uniform", parameters={"shape": (4,), "seed": 5}), "float64")
    assert drawn.to_float64().tolist() == expected


def test_normal_numbers_are_sums_of_twelve_uniform_ones() -> None:
    words = [int(word) for word in np.random.PCG64(6).random_raw(8)]
    expected = []
    for element in (words[:4], words[4:]):
        pieces = [(word >> shift) % 2**21 for word in element for shift in (1, 22, 43)]
        expected.append(float(sum(Fraction(2 * piece + 1, 2**22) for piece in pieces) - 6))
    drawn = realize(ArraySpec(generator="normal", parameters={"shape": (2,), "seed": 6}), "float64")
    assert drawn.to_float64().tolist() == expected


def test_normal_numbers_have_mean_0_and_variance_1() -> None:
    drawn = realize(ArraySpec(generator="normal", parameters={"shape": (100_000,), "seed": 1}), "float64").to_float64()
    # Four standard errors of the mean (1/√n) and of the variance (√(2/n)).
    assert abs(drawn.mean()) < 4 / np.sqrt(drawn.size)
    assert abs(drawn.var() - 1) < 4 * np.sqrt(2 / drawn.size)


def test_a_large_array_is_the_same_whatever_the_block() -> None:
    """Element i depends on its own words only, so a longer array begins with the shorter one."""
    long = realize(ArraySpec(generator="normal", parameters={"shape": (2**20 + 5,), "seed": 2}), "float64").to_float64()
    short = realize(ArraySpec(generator="normal", parameters={"shape": (7,), "seed": 2}), "float64").to_float64()
    assert long[:7].tolist() == short.tolist()
    words = np.random.PCG64(2).random_raw(4 * (2**20 + 5))[-4:]
    pieces = [(int(word) >> shift) % 2**21 for word in words for shift in (1, 22, 43)]
    assert long[-1] == float(sum(Fraction(2 * piece + 1, 2**22) for piece in pieces) - 6)


def test_probabilities_are_positive_and_sum_to_about_one() -> None:
    rows = realize(spec("probabilities", shape=(50, 7)), "float64").to_float64()
    assert (rows > 0).all()
    assert np.abs(rows.sum(axis=-1) - 1).max() <= 7 * 2.0**-53
    columns = realize(spec("probabilities", shape=(7, 50), axis=0), "float64").to_float64()
    assert np.abs(columns.sum(axis=0) - 1).max() <= 7 * 2.0**-53


def test_labels_are_classes_and_every_so_many_is_ignored() -> None:
    labels = realize(spec("labels", shape=(300,)), "float32")
    assert labels.dtype == "int64"
    assert (labels.storage[::3] == -100).all()
    assert set(np.delete(labels.storage, np.s_[::3]).tolist()) == {0, 1, 2, 3, 4}


def test_one_hot_rows_from_labels_and_from_a_seed() -> None:
    given_labels = ArraySpec(generator="one_hot", parameters={"labels": (2, 0), "classes": 3})
    assert realize(given_labels, "float32").to_float64().tolist() == [[0, 0, 1], [1, 0, 0]]
    assert shape_of(given_labels) == (2, 3)
    assert (realize(spec("one_hot"), "float64").to_float64().sum(axis=-1) == 1).all()


def test_linspace_ends_exactly_where_it_is_told_to() -> None:
    assert realize(spec("linspace"), "float64").to_float64().ravel()[[0, -1]].tolist() == [-1.0, 0.3]
    single = realize(spec("linspace", shape=(1,)), "float64")
    assert single.to_float64().tolist() == [-1.0]


@pytest.mark.parametrize("name", SPECS)
@pytest.mark.parametrize("dtype", FORMATS)
def test_layouts_keep_the_values_and_change_the_strides(name: str, dtype: str) -> None:
    plain = realize(spec(name), dtype)
    possible = [layout for layout in LAYOUTS if layout != "repeated" or name in ("zeros", "full")]
    for layout in possible:
        other = realize(spec(name, layout), dtype)
        assert other.same_bits(plain)
        assert shape_of(spec(name, layout)) == other.shape
    strides = {realize(spec(name, layout), dtype).storage.strides for layout in possible}
    assert len(strides) >= (5 if len(plain.shape) == 2 else 3)


def test_what_lies_between_strided_elements_is_poison() -> None:
    for dtype in FORMATS:
        view = realize(spec("zeros", "strided"), dtype)
        base = view.storage.base
        assert base is not None
        assert np.isnan(Array(dtype, np.asarray(base)[..., 1::2]).to_float64()).all()


def test_what_lies_around_sliced_rows_is_poison() -> None:
    for dtype in FORMATS:
        view = realize(spec("zeros", "sliced"), dtype).storage
        base = view.base
        assert base is not None
        assert view.strides == (base.strides[0], view.itemsize)
        around = Array(dtype, np.asarray(base)[..., [0, -1]])
        assert np.isnan(around.to_float64()).all()


def test_channels_last_puts_the_second_axis_innermost() -> None:
    view = realize(spec("uniform", "channels-last", shape=(2, 3, 4)), "float32").storage
    assert view.strides == (48, 4, 12)


def test_a_repeated_layout_is_one_entry_with_a_stride_of_zero() -> None:
    assert realize(spec("full", "repeated"), "float32").storage.strides == (0, 4)
    assert (
        realize(ArraySpec(((1.0, 2.0), (1.0, 2.0)), layout="repeated"), "float64").to_float64().tolist() == [[1, 2]] * 2
    )
    assert realize(spec("zeros", "repeated", shape=(0, 3)), "float32").shape == (0, 3)
    with pytest.raises(ValueError, match="same numbers all along the first axis"):
        realize(ArraySpec((1.0, 2.0, 1.0), layout="repeated"), "float32")


def test_a_cycle_may_hold_each_number_several_times() -> None:
    cycle = spec("cycle", values=(0.5, -1.0), times=2, shape=(2, 3))
    assert realize(cycle, "float64").to_float64().tolist() == [[0.5, 0.5, -1.0], [-1.0, 0.5, 0.5]]


def test_floats_are_rounded_once_to_the_dtype_of_the_cell() -> None:
    third = ArraySpec((1 / 3,))
    assert realize(third, "float32").storage[0] == np.float32(1 / 3)
    assert realize(third, "bfloat16").to_float64()[0] == 0.333984375
    assert realize(ArraySpec((1 / 3,), dtype="float64"), "float16").storage[0] == 1 / 3


def test_integers_are_int64_unless_the_case_says_otherwise() -> None:
    assert realize(ArraySpec((1, 2)), "float32").dtype == "int64"
    assert realize(ArraySpec((1, 2), dtype="uint8"), "float32").dtype == "uint8"
    assert realize(ArraySpec((1.0, 2.0), dtype="int32"), "float32").dtype == "int32"
    assert realize(ArraySpec((1, 0), dtype="bool"), "float32").storage.tolist() == [True, False]
    assert realize(ArraySpec(3), "float32").shape == ()
    assert realize(ArraySpec(()), "float32").shape == (0,)
    assert not holds_integers(ArraySpec((1, 2.0)))
    assert not holds_integers(ArraySpec((1, 2), dtype="float32"))


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (ArraySpec(((1.0,), (1.0, 2.0))), "different shapes"),
        (ArraySpec(("x",)), "expected numbers"),
        (ArraySpec((1.5,), dtype="int32"), "whole numbers"),
        (ArraySpec((float("nan"),), dtype="int64"), "whole numbers"),
        (ArraySpec((300,), dtype="uint8"), "from 0 to 255"),
        (ArraySpec((2**70,)), "64 bits"),
        (ArraySpec((1.0,), dtype="float23"), r"no dtype 'float23'\. Did you mean float32"),
        (ArraySpec((1.0,), layout="strode"), "no layout"),
        (ArraySpec(generator="unform", parameters={}), "Did you mean uniform"),
        (ArraySpec(generator="uniform", parameters={"shape": (2,)}), "needs seed"),
        (ArraySpec(generator="uniform", parameters={"shape": (2,), "seed": 1, "hi": 2}), "no parameter 'hi'"),
        (ArraySpec(generator="uniform", parameters={"shape": (2,), "seed": -1}), "at least zero"),
        (ArraySpec(generator="uniform", parameters={"shape": (2,), "seed": 1, "low": float("inf")}), "finite"),
        (ArraySpec(generator="zeros", parameters={"shape": (2**16, 2**16)}), "too many"),
        (ArraySpec(generator="zeros", parameters={"shape": 3}), "list of sizes"),
        (ArraySpec(generator="zeros", parameters={"shape": (1,) * 70}), "70 axes are too many"),
        (ArraySpec(generator="zeros", parameters={"shape": (0, 10**19)}), "too many"),
        (ArraySpec(generator="one_hot", parameters={"labels": (0, 1), "classes": 2**31}), "too many"),
        (ArraySpec(generator="eye", parameters={"shape": (2**20,)}), "too many"),
        (ArraySpec(generator="uniform", parameters={"shape": (2,), "seed": 2**63}), "64 bits"),
        (ArraySpec(generator="arange", parameters={"shape": (2,), "start": 2**63 - 2}), "64 bits"),
        (ArraySpec(generator="ramp", parameters={"shape": (9,), "step": 1e308}), "beyond float64"),
        (ArraySpec(generator="uniform", parameters={"shape": (9,), "seed": 1, "low": -1e308, "high": 1e308}), "beyond"),
        (ArraySpec(generator="linspace", parameters={"shape": (9,), "start": -1e308, "stop": 1e308}), "beyond"),
        (ArraySpec(generator="normal", parameters={"shape": (9,), "seed": 1, "scale": 1e308}), "beyond float64"),
        (ArraySpec(generator="labels", parameters={"shape": (2,), "classes": 0, "seed": 1}), "from 1"),
        (ArraySpec(generator="one_hot", parameters={"shape": (2, 3)}), "either labels or a seed"),
        (ArraySpec(generator="one_hot", parameters={"labels": (0, 1)}), "number of classes"),
        (ArraySpec(generator="one_hot", parameters={"labels": (0,), "classes": 2, "shape": (2, 2)}), "leave shape out"),
        (ArraySpec(generator="eye", parameters={"shape": (1, 2, 3)}), "identity"),
        (ArraySpec(generator="probabilities", parameters={"shape": (2, 3), "seed": 1, "axis": 2}), "axis 2"),
        (ArraySpec(generator="cycle", parameters={"shape": (2,), "values": ()}), "at least one number"),
    ],
)
def test_a_spec_of_nothing_says_what_was_expected(broken: ArraySpec, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        realize(broken, "float64")


def test_parameter_problems_are_all_listed() -> None:
    wrong = parameter_problems("uniform", {"shape": "x", "hi": 1})
    assert [name for name, _ in wrong] == ["shape", "hi", "seed"]


numbers = st.recursive(
    st.floats(width=64) | st.integers(-(2**53), 2**53),
    lambda inner: st.lists(inner, max_size=3).map(tuple),
    max_leaves=6,
)


@given(numbers)
def test_literals_survive_the_wire(values: Any) -> None:
    original = ArraySpec(values, layout="reversed")
    back = spec_from_wire(json.loads(json.dumps(spec_to_wire(original), allow_nan=False)))
    assert repr(back) == repr(original)


@pytest.mark.parametrize("name", SPECS)
def test_generators_survive_the_wire(name: str) -> None:
    original = spec(name, "strided", "float32")
    assert spec_from_wire(json.loads(json.dumps(spec_to_wire(original), allow_nan=False))) == original


@pytest.mark.parametrize(
    "message", [{}, {"values": ["x"], "dtype": None, "layout": "contiguous"}, {"generator": "eye"}]
)
def test_a_message_that_is_no_spec_is_refused(message: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"no number|not an array spec"):
        spec_from_wire(message)


@given(st.lists(st.floats(), min_size=1, max_size=5), st.integers(1, 4), st.integers(0, 30))
def test_a_cycle_repeats_each_number_and_then_all_of_them(values: list[float], times: int, size: int) -> None:
    parameters = {"shape": (size,), "values": tuple(values), "times": times}
    made = realize(ArraySpec(generator="cycle", parameters=parameters), "float64").storage
    np.testing.assert_array_equal(made, np.resize(np.repeat(values, times), size))
    endless = realize(ArraySpec(generator="cycle", parameters={**parameters, "times": 2**31}), "float64").storage
    np.testing.assert_array_equal(endless, np.full(size, values[0]))  # and no array of 2^31 numbers is made for it
