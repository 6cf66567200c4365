"""Public protocols re-stated: a right implementation passes each, and each notices what it looks at."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def protocols() -> ModuleType:
    """Imported when a test runs: PyTorch takes a second, which whoever collects the tests need not wait for."""
    pytest.importorskip("torch")
    return import_module("tools.protocols")


@pytest.mark.filterwarnings("ignore")
def test_a_right_implementation_passes_all(protocols: ModuleType) -> None:
    assert [protocol.name for protocol in protocols.PROTOCOLS if not protocols.passes(protocol, "sound")] == []


@pytest.mark.parametrize(
    ("mistake", "name", "noticed"),
    [
        ("opposite-gradient", "KernelBench 95, float32", False),  # it asks for no gradient
        ("opposite-gradient", "Liger", True),
        ("ignores-cotangent", "Liger", True),
        ("ignores-cotangent", "TensorFlow", False),  # the cotangent is one
        ("mean-is-sum", "KernelBench 95, bfloat16", True),
    ],
)
def test_a_protocol_notices_what_it_looks_at(mistake: str, name: str, noticed: bool, protocols: ModuleType) -> None:
    (protocol,) = (protocol for protocol in protocols.PROTOCOLS if protocol.name == name)
    assert protocols.passes(protocol, f"{mistake}.softmax_cross_entropy") is not noticed
