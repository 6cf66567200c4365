"""Bits go through as they are, whoever holds them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from harness.core.arrays import Array
from xent.input_arrays import array_of, format_of

BITS = np.array([0x0000, 0x8000, 0x0001, 0x3F80, 0x4049, 0x7F80, 0xFF80, 0x7F7F], np.uint16).reshape(2, 4)
"""bfloat16: zeros of both signs, the smallest subnormal, 1, 3.140625, infinities, the largest number."""


def of_torch(bits: np.ndarray[Any, Any]) -> Any:
    torch = pytest.importorskip("torch")
    return torch.from_numpy(bits.astype(np.int16)).view(torch.bfloat16)


def of_ml_dtypes(bits: np.ndarray[Any, Any]) -> Any:
    return bits.view(pytest.importorskip("ml_dtypes").bfloat16)


def of_jax(bits: np.ndarray[Any, Any]) -> Any:
    return pytest.importorskip("jax.numpy").asarray(of_ml_dtypes(bits))


@pytest.mark.parametrize("hold", [of_torch, of_ml_dtypes, of_jax])
def test_bfloat16_keeps_its_bits(hold: Any) -> None:
    for bits in (BITS, BITS[:, ::2], BITS[1, 0]):
        found = array_of(hold(np.ascontiguousarray(bits).reshape(bits.shape)), "float64")
        assert found.same_bits(Array("bfloat16", np.asarray(bits)))


def test_a_strided_tensor_keeps_its_order() -> None:
    found = array_of(of_torch(BITS).t()[::2], "float64")
    assert found.same_bits(Array("bfloat16", BITS.T[::2]))


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
def test_a_tensor_that_is_part_of_a_graph_is_taken(dtype: str) -> None:
    torch = pytest.importorskip("torch")
    values = np.array([[1.5, -0.0], [np.inf, 5e-8]], dtype)
    tensor = torch.from_numpy(values).requires_grad_() * 1
    assert array_of(tensor, "bfloat16").same_bits(Array(dtype, values))


class OnlyDLPack:
    """An array that knows nothing of NumPy."""

    def __init__(self, values: np.ndarray[Any, Any]) -> None:
        self._values = values

    def __dlpack__(self, **asked: Any) -> Any:
        return self._values.__dlpack__(**asked)

    def __dlpack_device__(self) -> Any:
        return self._values.__dlpack_device__()


def test_an_array_with_dlpack_alone_is_taken() -> None:
    values = np.array([1.0, 2.0], np.float32)
    assert array_of(OnlyDLPack(values), "float64").same_bits(Array("float32", values))


def test_python_numbers_take_the_type_of_the_call_and_labels_stay_whole() -> None:
    assert array_of([[1, 2.5]], "float16").dtype == "float16"
    assert array_of([0.1], "bfloat16").to_float64()[0] == 0.10009765625
    assert array_of([0, 2], "float16", whole=True).dtype == "int64"
    assert array_of([0.0, 1.0], "float16", whole=True).dtype == "float16"
    assert array_of([], "float16", whole=True).dtype == "int64"


def test_a_number_of_numpy_has_a_type_of_its_own() -> None:
    assert array_of(np.float64(0.1), "float32").dtype == "float64"
    assert format_of(np.float64(0.1)) == "float64"
    assert format_of(0.1) is None
    assert format_of(np.array([1])) is None


@pytest.mark.parametrize("values", ["logits", None, object(), [["a"]], [True], np.zeros(2, complex), np.array(["a"])])
def test_what_is_no_array_of_numbers_is_refused(values: Any) -> None:
    with pytest.raises(TypeError, match="expected"):
        array_of(values, "float64")
