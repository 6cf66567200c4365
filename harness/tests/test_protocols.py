"""Public protocols re-stated: a right implementation passes each, and each notices what it looks at."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from tools.protocols import PROTOCOLS, Protocol, passes  # noqa: E402 - without PyTorch there is nothing to import


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.name)
@pytest.mark.filterwarnings("ignore")
def test_a_right_implementation_passes(protocol: Protocol) -> None:
    assert passes(protocol, "sound")


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
def test_a_protocol_notices_what_it_looks_at(mistake: str, name: str, noticed: bool) -> None:
    (protocol,) = (protocol for protocol in PROTOCOLS if protocol.name == name)
    assert passes(protocol, f"{mistake}.softmax_cross_entropy") is not noticed
