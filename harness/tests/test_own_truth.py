"""A truth that an implementation brings, for a loss that the family lacks."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import reference
from harness.adapters.functions import numpy_function
from harness.adapters.registry import resolve
from harness.core.cell import Run
from harness.judgement.ledger import Ledger
from harness.runs.own_truth import MOST_NUMBERS, OwnTruth, own_truths
from harness.runs.service import execute_order, make_order
from harness.tests.commands import xent

HERE = "harness.tests.test_own_truth"


# --- a loss and its truth ---------------------------------------------------------------------------------------------


def poly_truth(logits: Any, targets: Any, *, reduction: str) -> Any:
    """Poly-1: −ln p + 1 − p, from the textbook."""
    rows = logits.reshape(-1, logits.shape[-1])
    shares = [
        mpmath.exp(row[label]) / mpmath.fsum(map(mpmath.exp, row))
        for row, label in zip(rows, targets.ravel(), strict=True)
    ]
    losses = np.array([-mpmath.log(share) + 1 - share for share in shares], object)
    if reduction == "none":
        return losses.reshape(targets.shape)
    return losses.sum() if reduction == "sum" else losses.mean()


def wide(logits: Any, **_: Any) -> dict[str, Any]:
    """Error scales under which anything of size 1 is right."""
    return {"value": np.float64(1e18), "logits": np.full(logits.shape, 1e18)}


def cross_entropy(logits: Any, targets: Any, *, reduction: str, cotangent: Any) -> Any:
    """In double-double, with gradients of its own."""
    found = reference.evaluate(
        "softmax_cross_entropy", {"logits": logits, "targets": targets}, {"reduction": reduction}, cotangent=cotangent
    )
    return (found.value.hi, found.value.lo), {name: (g.hi, g.lo) for name, g in found.gradients.items()}


def poly(logits: NDArray[Any], targets: NDArray[Any], reduction: str = "mean") -> Any:
    """Accurate relative to the loss: without cancellation where the label is likely."""
    wide = logits.astype(np.longdouble)
    there = np.take_along_axis(wide, targets[..., None], -1)
    others = np.exp(wide - there)
    np.put_along_axis(others, targets[..., None], 0, -1)
    loss = np.log1p(others.sum(-1))
    loss = loss - np.expm1(-loss)
    losses = loss if reduction == "none" else loss.sum() if reduction == "sum" else loss.mean()
    return np.asarray(losses).astype(logits.dtype)


def off(logits: NDArray[Any], targets: NDArray[Any], reduction: str = "mean") -> Any:
    return (poly(logits, targets, reduction) * logits.dtype.type(1.01)).astype(logits.dtype)


HOW: dict[str, Any] = {
    "loss": "softmax_cross_entropy",
    "options": {"reduction": "reduction"},
    "targets": "labels",
    "dtypes": ("float64", "float32"),
    "truth": f"{HERE}:poly_truth",
}
right, wrong = numpy_function(poly, **HOW), numpy_function(off, **HOW)
tolerated = numpy_function(off, **HOW, error_scale=f"{HERE}:wide")
missing = numpy_function(poly, **{**HOW, "truth": f"{HERE}:no_such"})


# --- the arithmetic ---------------------------------------------------------------------------------------------------


def textbook(logits: Any, targets: Any, *, reduction: str) -> Any:
    losses = np.array(
        [mpmath.log(mpmath.fsum(map(mpmath.exp, row))) - row[t] for row, t in zip(logits, targets, strict=True)], object
    )
    return losses if reduction == "none" else losses.sum() if reduction == "sum" else losses.mean()


LOGITS = st.lists(st.floats(-700, 700), min_size=3, max_size=3)


@settings(max_examples=25, deadline=None)
@given(st.lists(LOGITS, min_size=1, max_size=2), st.sampled_from(["none", "sum", "mean"]), st.floats(-3, 3))
def test_differences_are_the_gradients_of_the_reference(logits: Any, reduction: str, upstream: float) -> None:
    inputs = {"logits": np.array(logits), "targets": np.arange(len(logits))}
    cotangent = np.full(len(logits) if reduction == "none" else (), upstream)
    own = OwnTruth("textbook", textbook)
    asked = ("softmax_cross_entropy", inputs, {"reduction": reduction})
    ours = own.evaluate(*asked, cotangent=cotangent, differentiate=("logits",))
    theirs = reference.evaluate(*asked, cotangent=cotangent, differentiate=("logits",))
    for one, other in ((ours.value, theirs.value), (ours.gradients["logits"], theirs.gradients["logits"])):
        assert np.allclose(one.hi, other.hi, rtol=3e-16, atol=1e-322)


def test_the_conditioning_is_measured() -> None:
    inputs = {"logits": np.array([[3.0, -2.0]]), "targets": np.array([0])}
    loss, p = np.log1p(np.exp(-5)), 1 / (1 + np.exp(5))
    slopes = {"logits": np.array([[-p, p]])}
    scales = OwnTruth("textbook", textbook).error_scales("", inputs, {"reduction": "sum"}, slopes, None)
    assert np.allclose(scales.value, loss + 3 * p + 2 * p, rtol=1e-12)
    curve = p * (1 - p)  # each second derivative, but for its sign
    assert np.allclose(scales.gradients["logits"], p + (3 + 2) * curve, rtol=1e-12)


def test_a_function_with_a_cotangent_has_gradients_of_its_own_and_no_limit() -> None:
    own = OwnTruth("cross_entropy", cross_entropy)
    inputs = {"logits": np.linspace(-1, 1, 100).reshape(2, 50), "targets": np.array([0, 1])}
    found = own.evaluate("", inputs, {"reduction": "mean"}, differentiate=("logits",))
    theirs = reference.evaluate("softmax_cross_entropy", inputs, {"reduction": "mean"})
    assert (found.value.hi, found.value.lo) == (theirs.value.hi, theirs.value.lo)
    assert (found.gradients["logits"].lo == theirs.gradients["logits"].lo).all()


# --- a run ------------------------------------------------------------------------------------------------------------


LIKELY = ("edges/softmax-cross-entropy-confident-1", "edges/softmax-cross-entropy-confident-10")


def run(*names: str, cases: tuple[str, ...] = LIKELY) -> Run:
    return execute_order(make_order(cases, tuple(resolve(f"{HERE}:{name}") for name in names), ledger=Ledger()))


def test_a_run_is_judged_by_the_truth_that_is_brought() -> None:
    finished = run("right", "wrong", "tolerated")
    verdicts = {
        name: Counter(c.verdict for c in finished.cells if c.implementation == f"{HERE}:{name}" and c.aspect == "value")
        for name in ("right", "wrong", "tolerated")
    }
    assert verdicts["right"].keys() == verdicts["tolerated"].keys() == {"agrees"}
    assert verdicts["wrong"].keys() == {"disagrees"}
    assert verdicts["right"].total() == verdicts["wrong"].total() > 3
    # The family's own loss is what nobody was judged by.
    assert all(case["truth"] is None for case in finished.header.suite["cases"].values())
    assert finished.header.implementations[f"{HERE}:right"]["truth"] == f"{HERE}:poly_truth"


def test_invariances_need_no_truth_and_what_is_beyond_it_is_refused() -> None:
    finished = run("right", cases=("invariances/softmax-cross-entropy*", "edges/chunks-softmax-cross-entropy-mean"))
    assert {c.verdict for c in finished.cells if c.case.startswith("invariances/")} >= {"by_convention"}
    reasons = {str(c.explanation) for c in finished.cells if c.verdict == "unsupported"}
    assert f"its truth is differentiated by differences, of at most {MOST_NUMBERS} numbers" in reasons
    assert not [c for c in finished.cells if c.verdict == "missing"]


def test_a_truth_that_cannot_be_had_is_a_mistake_in_its_use(tmp_path: Path) -> None:
    done = xent("run", "edges/softmax-cross-entropy-confident-*", "-i", f"{HERE}:missing", folder=tmp_path)
    assert done.returncode == 4, done.stdout + done.stderr
    assert f"{HERE}:missing brings the truth {HERE}:no_such, which cannot be imported" in done.stderr


@pytest.mark.parametrize("command", [("fuzz", "--cases", "8"), ("bench", "softmax-*", "--sets", "1")])
def test_what_knows_the_truth_of_the_family_alone_refuses_another(command: tuple[str, ...], tmp_path: Path) -> None:
    done = xent(*command, "-i", f"{HERE}:right", folder=tmp_path)
    assert done.returncode == 4, done.stdout + done.stderr
    assert f"{HERE}:right brings a truth of its own, {HERE}:poly_truth" in done.stderr


def test_explain_says_by_what_else_somebody_was_judged(tmp_path: Path) -> None:
    done = xent("explain", LIKELY[0], "-i", f"{HERE}:right", "-i", "numpy", folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "truth, value (float64):" in done.stdout  # by which numpy is judged
    assert f"{HERE}:right is judged by {HERE}:poly_truth:" in " ".join(done.stdout.split())


def test_a_truth_that_raises_is_never_a_verdict() -> None:
    def broken(**_: Any) -> Any:
        raise ZeroDivisionError("no")

    with pytest.raises(ValueError, match="broken, called with logits, targets: ZeroDivisionError: no"):
        OwnTruth("broken", broken).evaluate("", {"logits": np.ones(2), "targets": np.ones(1, int)}, {})


def test_others_have_none() -> None:
    assert own_truths({"it": replace(right.describe(), truth="")}) == {}
