"""Upstream tests rewritten with `assert_close`: no false alarm, and they notice what the originals let through."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from tools.protocols import PROTOCOLS, passes  # noqa: E402 - without PyTorch there is nothing to import
from tools.rewritten import FREE, FULL, OWN, TESTS, WAYS, Rewritten, caught, false_alarms  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.mark.parametrize("test", TESTS, ids=lambda test: test.name)
def test_a_right_implementation_raises_no_alarm(test: Rewritten) -> None:
    for way in WAYS:
        assert list(false_alarms(test, range(3), way)) == []
    assert list(false_alarms(test, range(FULL - 1, FULL), OWN)) == []


@pytest.mark.parametrize(
    ("name", "mistake"),
    [
        ("KernelBench 95, bfloat16", "opposite-gradient"),
        ("ONNX node tests", "gradient-not-divided"),
        ("Keras", "one-wrong-sign"),
    ],
)
def test_what_a_test_lets_through_it_notices_rewritten(name: str, mistake: str) -> None:
    candidate = f"{mistake}.softmax_cross_entropy"
    (protocol,) = (protocol for protocol in PROTOCOLS if protocol.name == name)
    (test,) = (test for test in TESTS if test.name == name)
    assert passes(protocol, candidate)
    assert caught(test, candidate, OWN)


@pytest.mark.parametrize("mistake", ["ignores-ignore-index", "assumes-contiguous-targets", "adds-means-of-chunks"])
def test_what_a_test_is_kept_from_by_having_to_know_the_answer_it_notices_drawn_freely(mistake: str) -> None:
    candidate = f"{mistake}.softmax_cross_entropy"
    (test,) = (test for test in TESTS if test.name == "optax")
    assert not caught(test, candidate, OWN)
    assert caught(test, candidate, FREE)
