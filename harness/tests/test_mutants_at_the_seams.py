"""What mistakes about memory are made of: arrays read with other strides, inputs that are written to."""

from __future__ import annotations

import numpy as np
import pytest

from harness.adapters.base import Array
from harness.core.case import ArraySpec
from harness.core.outcomes import Raised, Returned
from harness.execution.worker import evaluate
from harness.mistakes import adapter
from harness.mistakes.wrong_memory import as_if, as_if_contiguous, by_last_stride
from harness.suite.generators import realize
from harness.tests.made_calls import make_call

ROWS = ((1.0, 2.0, 3.0), (4.0, 5.0, 6.0))


def test_memory_is_read_as_other_strides_would_read_it() -> None:
    wide = realize(ArraySpec(ROWS, layout="sliced"), "float32")
    assert as_if(wide, (5, 1)).to_float64().tolist() == [list(row) for row in ROWS]
    read = as_if_contiguous(wide).to_float64()
    assert read[0].tolist() == [1, 2, 3]
    assert np.isnan(read[1, :2]).all()
    assert read[1, 2] == 4
    assert by_last_stride(wide).same_bits(as_if_contiguous(wide))
    turned = realize(ArraySpec(ROWS, layout="transposed"), "float32")
    assert by_last_stride(turned).same_bits(turned)
    assert as_if_contiguous(turned).to_float64().tolist() == [[1, 4, 2], [5, 3, 6]]


def test_nothing_is_read_beyond_the_buffer() -> None:
    backwards = realize(ArraySpec((1.0, 2.0, 3.0), layout="reversed"), "float64")
    read = as_if_contiguous(backwards).to_float64()
    assert read[0] == 1
    assert np.isnan(read[1:]).all()
    labels = realize(ArraySpec((2, 0, 1), dtype="int64", layout="reversed"), "float64")
    assert as_if_contiguous(labels).storage.tolist() == [2, 2**63 - 1, 2**63 - 1]
    assert as_if_contiguous(Array.of(np.zeros((0, 3)))).shape == (0, 3)


@pytest.mark.parametrize("loss", ["softmax_cross_entropy", "binary_cross_entropy_with_logits"])
def test_what_writes_into_its_input_is_found_out_and_the_input_restored(loss: str) -> None:
    inputs = {"logits": [[1.0, 2.0], [0.5, -1.0]], "targets": [[0.0, 1.0], [1.0, 0.0]]}
    call = make_call(loss, inputs, {}, differentiate=("logits",))
    found = evaluate(adapter("overwrites-input"), call)
    assert isinstance(found, Raised)
    assert found.type.endswith("ArgumentOverwritten")
    assert "logits" in found.message
    assert call.inputs["logits"].to_float64().tolist() == inputs["logits"]
    assert isinstance(evaluate(adapter("sound"), call), Returned)
