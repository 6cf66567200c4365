"""Rounding to the four formats, against NumPy's and ml_dtypes' own conversions."""

from __future__ import annotations

import math
import warnings
from fractions import Fraction

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.arrays import Array
from harness.core.formats import FORMATS, decode, encode, quantum, rounded

any_float = st.floats(width=64, allow_nan=True, allow_infinity=True)
narrow = st.sampled_from(["float32", "float16", "bfloat16"])


@given(any_float, st.sampled_from(["float32", "float16"]))
def test_rounding_once_is_numpys_own_conversion(x: float, name: str) -> None:
    with np.errstate(over="ignore"):
        want = np.float64(np.asarray(x, dtype=np.float64).astype(name))
    got = rounded(np.asarray(x), FORMATS[name])
    assert np.array_equal(got, want, equal_nan=True)
    assert math.copysign(1, float(got)) == math.copysign(1, float(want)) or math.isnan(x)


@given(st.floats(width=32))
def test_rounding_to_bfloat16_agrees_with_ml_dtypes_on_float32_values(x: float) -> None:
    """From float32 ml_dtypes rounds once; from float64 it would round twice, which is why we do not use it."""
    with np.errstate(over="ignore"):
        want = np.float64(np.asarray(x, dtype=np.float32).astype(ml_dtypes.bfloat16))
    assert np.array_equal(rounded(np.asarray(x), FORMATS["bfloat16"]), want, equal_nan=True)


@given(any_float, st.sampled_from(list(FORMATS)))
def test_a_rounded_value_is_the_nearest_of_its_neighbours(x: float, name: str) -> None:
    """In exact arithmetic: no number of the format is nearer, and of two equally near ones it is the even one."""
    fmt = FORMATS[name]
    got = float(rounded(np.asarray(x), fmt))
    if not math.isfinite(x) or abs(x) >= fmt.largest:
        return
    unit = Fraction(float(quantum(np.asarray(x), fmt)))
    off = abs(Fraction(got) - Fraction(x))
    assert (Fraction(got) / unit).denominator == 1
    assert off <= unit / 2
    assert off < unit / 2 or (Fraction(got) / unit) % 2 == 0
    assert math.copysign(1.0, got) == math.copysign(1.0, x)


@pytest.mark.parametrize("name", FORMATS)
def test_a_large_array_is_rounded_like_its_elements(name: str) -> None:
    values = np.random.default_rng(3).standard_normal((3, 70_001)) * 1e4
    together = rounded(values.T, FORMATS[name])
    one_by_one = [rounded(part, FORMATS[name]) for part in values.T[::997]]
    assert together.shape == (70_001, 3)
    assert np.array_equal(together[::997], one_by_one)


def test_rounding_to_bfloat16_does_not_round_twice() -> None:
    just_above_a_tie = 1.0 + 2.0**-8 + 2.0**-40
    assert rounded(np.asarray(just_above_a_tie), FORMATS["bfloat16"]) == 1.0 + 2.0**-7
    assert np.asarray(just_above_a_tie).astype(ml_dtypes.bfloat16).astype(np.float64) == 1.0


@given(any_float, st.sampled_from(list(FORMATS)))
def test_decoding_what_was_encoded_gives_the_rounded_value(x: float, name: str) -> None:
    fmt = FORMATS[name]
    assert np.array_equal(decode(encode(np.asarray([x]), fmt), fmt), rounded(np.asarray([x]), fmt), equal_nan=True)


@pytest.mark.parametrize(("name", "bits"), [("float32", 0x7F800001), ("float16", 0x7C01), ("bfloat16", 0xFF81)])
def test_a_signalling_nan_is_decoded_as_a_nan_without_a_warning(name: str, bits: int) -> None:
    storage = np.asarray([bits], np.uint32 if name == "float32" else np.uint16)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isnan(decode(storage if name == "bfloat16" else storage.view(name), FORMATS[name]))


@given(st.floats(min_value=1e-300, max_value=1e300))
def test_the_quantum_of_float64_is_numpys_spacing(x: float) -> None:
    assert quantum(np.asarray(x), FORMATS["float64"]) == np.spacing(x)


def test_the_quantum_of_zero_is_the_smallest_subnormal() -> None:
    for fmt in FORMATS.values():
        assert quantum(np.asarray(0.0), fmt) == fmt.smallest_subnormal


@given(st.lists(any_float, max_size=5), st.sampled_from([*FORMATS, "int64", "uint8"]))
def test_an_array_survives_the_wire_bit_for_bit(values: list[float], name: str) -> None:
    if name in FORMATS:
        array = Array.of(values, name)
    else:
        array = Array.of(np.asarray([int(abs(v)) % 200 if math.isfinite(v) else 1 for v in values]), name)
    assert Array.from_wire(array.to_wire()).same_bits(array)


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"dtype": "float32", "shape": [2], "data": "AAAA"},
        {"dtype": "no such type", "shape": [0], "data": ""},
        {"dtype": "float32", "shape": "x", "data": ""},
        {"dtype": "float32", "shape": [1], "data": "???"},
    ],
)
def test_a_malformed_array_is_refused(message: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="not an array on the wire"):
        Array.from_wire(message)
