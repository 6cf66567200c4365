"""A cross-entropy in chunks of rows, as kernels compute it: `assert_close` finds and names a bug of each kind in it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import xent

CHUNK = 32


def chunked(
    logits: NDArray[np.float32], labels: NDArray[np.int64], *, ignored: int, smoothing: float = 0.0, bug: str = ""
) -> tuple[np.float32, NDArray[np.float32]]:
    """The mean loss of the rows that are not ignored, and its gradient, chunk by chunk, with a bug or without."""
    rows, classes = logits.shape
    gradient = np.zeros_like(logits)
    kept = np.float32((labels != ignored).sum())
    total, means = np.float32(0.0), []
    for start in range(0, rows, CHUNK):
        x, label = logits[start : start + CHUNK], labels[start : start + CHUNK]
        count = label != ignored
        largest = x.max(-1, keepdims=True)
        powers = np.exp(x - largest)
        sums = powers.sum(-1, keepdims=True)
        costs = np.log(sums) - (x - largest)
        if bug == "values":
            costs = (np.log(sums) + largest) - x
        spread = smoothing / (classes - 1 if bug == "options" else classes)
        targets = np.full_like(x, spread)
        targets[np.arange(len(x)), np.where(count, label, 0)] = 1 - smoothing + (0 if bug == "options" else spread)
        losses = np.where(count, (targets * costs).sum(-1), 0)
        total += losses.sum(dtype=np.float32)
        means.append(losses.sum(dtype=np.float32) / np.float32(count.sum()))
        slope = (powers / sums - targets) / kept
        if bug != "gradients":
            slope *= count[:, None]
        if not (bug == "blocks" and len(x) < CHUNK):
            gradient[start : start + CHUNK] = slope
    return (np.float32(np.mean(means)) if bug == "reductions" else total / kept), gradient


def call(seed: int, *, offset: float = 0.0, smoothing: float = 0.0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 10, 2 * CHUNK + 5)
    labels[rng.random(labels.size) < 0.3] = -100
    logits = (rng.normal(size=(labels.size, 10)) + offset).astype(np.float32)
    return {"logits": logits, "targets": labels, "ignore_index": -100, "label_smoothing": smoothing}


def judged(given: dict[str, Any], bug: str = "") -> None:
    value, gradient = chunked(
        given["logits"], given["targets"], ignored=-100, smoothing=given["label_smoothing"], bug=bug
    )
    xent.assert_close(value, {"logits": gradient}, loss="softmax_cross_entropy", **given)


CALLS = [call(0), call(1, smoothing=0.1), call(2, offset=300000.0)]


@pytest.mark.parametrize("given", CALLS, ids=["plain", "smoothed", "far from zero"])
def test_without_a_bug_nothing_is_said(given: dict[str, Any]) -> None:
    judged(given)


@pytest.mark.parametrize(
    ("bug", "given", "named"),
    [
        ("blocks", CALLS[0], "rows after the last whole chunk of 32 have no gradient"),
        ("reductions", CALLS[0], "the means of chunks of 32 rows are averaged"),
        ("gradients", CALLS[0], "ignored rows, which get a gradient"),
        ("options", CALLS[1], "smoothing spreads ε over the other classes"),
        ("values", CALLS[2], "a large number is added and taken off again"),
    ],
)
def test_a_bug_of_each_kind_is_found_and_named(bug: str, given: dict[str, Any], named: str) -> None:
    with pytest.raises(AssertionError) as told:
        judged(given, bug)
    assert named in str(told.value)
