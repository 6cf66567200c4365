"""The gate: this project's loss against the suite, in its own tests."""

from __future__ import annotations

import xent

# What differs, and why we accept it. An entry that no longer happens makes the test fail until it is removed.
ACCEPTED = dict.fromkeys(
    (
        "edges/softmax-cross-entropy-undefined-plus-inf-*",
        "edges/softmax-cross-entropy-undefined-both-infinities",
        "edges/softmax-cross-entropy-one-bad-row-plus-inf-*",
        "edges/second-softmax-cross-entropy-infinite",
    ),
    "The layer before this loss ends in a tanh: it never sees +inf, and need not make such a row nan.",
)


def test_my_loss_conforms() -> None:
    xent.check("my_adapter:MyLosses", expected_divergences=ACCEPTED).assert_conforms()
