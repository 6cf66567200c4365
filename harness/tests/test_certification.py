"""Certification: the reference passes, known-bad references fail, and the mpmath formulas agree with differences."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest

import harness.certification
import reference
from harness.certification.certificate import Certificate, certify, from_plain, read_worst_cases, to_plain
from harness.certification.committed import committed_certificate, exact_sources
from harness.certification.grid import Sample, large, samples
from harness.certification.mpmath_formulas import evaluate as exactly
from harness.certification.running import (
    LARGEST_CASE,
    certify_cases,
    merged,
)
from harness.suite.generators import shape_of
from harness.tests.shipped import shipped_cases

pytestmark = pytest.mark.slow

WORST = Path(harness.certification.__file__).parent / "worst_cases.json"


def grid(points: int = 3000, seed: int = 7) -> list[Sample]:
    return list(samples(seed, points))


def test_the_reference_is_certified_on_a_part_of_the_grid() -> None:
    certificate = certify(reference.evaluate, grid())
    assert certificate.holds, certificate.sentence
    assert certificate.points >= 3000


def test_the_reference_is_certified_on_the_documents() -> None:
    certificate = certify_cases([case for case in shipped_cases() if case.id.startswith("documents/")])
    assert certificate.holds, certificate.sentence
    assert certificate.points > 1000


def test_the_reference_is_still_right_where_it_was_at_its_worst() -> None:
    certificate = certify(reference.evaluate, read_worst_cases(WORST))
    assert certificate.points > 20
    assert certificate.holds, certificate.sentence


def test_a_thousand_classes_are_certified() -> None:
    certificate = certify(reference.evaluate, [next(large(0))])
    assert certificate.points == 1001
    assert certificate.holds, certificate.sentence


def test_plain_float64_is_not_certified() -> None:
    certificate = certify(reference.evaluate_plain, grid(600))
    assert not certificate.holds
    assert "NOT certified" in certificate.sentence


def naive(loss: str, inputs: Any, options: Any, convention: Any, **more: Any) -> Any:
    """The right value, and a gradient p_t − 1 that cancels: computed from p rounded to float64."""
    found = reference.evaluate(loss, inputs, options, convention, **more)
    if loss != "softmax_cross_entropy" or "logits" not in found.gradients:
        return found
    slope = found.gradients["logits"].hi
    cancelled = (1.0 + slope) - 1.0
    return replace(found, gradients={**found.gradients, "logits": reference.Exact(cancelled, np.zeros_like(slope))})


def wrong_sign(loss: str, inputs: Any, options: Any, convention: Any, **more: Any) -> Any:
    """A single wrong sign in one gradient of one loss."""
    found = reference.evaluate(loss, inputs, options, convention, **more)
    if loss != "linear_cross_entropy" or "bias" not in found.gradients:
        return found
    flipped = reference.Exact(-found.gradients["bias"].hi, -found.gradients["bias"].lo)
    return replace(found, gradients={**found.gradients, "bias": flipped})


@pytest.mark.parametrize("bad", [naive, wrong_sign])
def test_a_bad_reference_is_not_certified(bad: Any) -> None:
    assert not certify(bad, grid(1500)).holds


def test_nothing_certified_is_no_certificate() -> None:
    assert not certify(reference.evaluate, []).holds


def test_a_wrong_pattern_is_not_forgiven() -> None:
    sample = Sample("softmax_cross_entropy", {"logits": [[1e308, -1e308]], "targets": np.asarray([1])}, {}, {}, None)
    assert certify(reference.evaluate, [sample]).holds

    def finite(*arguments: Any, **more: Any) -> Any:
        return replace(
            reference.evaluate(*arguments, **more), value=reference.Exact(np.asarray(1.7e308), np.asarray(0.0))
        )

    assert not certify(finite, [sample]).holds


def weighted_sum(sample: Sample, inputs: dict[str, Any]) -> Any:
    """What the gradient is the derivative of: the value times the cotangent."""
    found = exactly(sample.loss, inputs, sample.options, {}, sample.cotangent, ()).value
    pull = np.ones(len(found)) if sample.cotangent is None else np.ravel(sample.cotangent)
    return mpmath.fsum(float(c) * v for c, v in zip(pull, found, strict=True))


def difference_quotient(sample: Sample, name: str, index: int, step: float) -> Any:
    """Of fourth order, so that steps that float64 holds exactly enough still leave six digits."""

    def value(h: float) -> Any:
        moved = np.asarray(sample.inputs[name], dtype=np.float64).copy()
        moved.flat[index] += h
        return weighted_sum(sample, {**sample.inputs, name: moved})

    return (8 * (value(step) - value(-step)) - (value(2 * step) - value(-2 * step))) / (12 * step)


@pytest.mark.parametrize("seed", range(8))
def test_the_exact_gradients_are_those_of_differences(seed: int) -> None:
    """mpmath's own gradients against differences of mpmath's own values, on a tame sample of every maker."""
    checked = 0
    for sample in grid(1000, seed):
        for name in sample.wanted:
            sizes = np.abs(np.asarray(sample.inputs[name], dtype=np.float64))
            distance = min(float(sizes.min()), float(np.abs(1 - sizes).min()))
            step = 1e-3 * distance if name in ("probabilities", "targets") else 1e-3
            step /= max(1.0, abs(sample.options.get("logit_scale", 1.0)))  # what a step of the logits becomes
            if sample.convention or step < 1e-6 or float(sizes.max()) > 30:
                continue
            exact = exactly(sample.loss, sample.inputs, sample.options, {}, sample.cotangent, (name,))
            want = exact.gradients[name][0]
            if not mpmath.isfinite(weighted_sum(sample, dict(sample.inputs))):
                continue  # a mean over nothing: no number, and a gradient of 0
            with mpmath.workprec(4000):  # other rows may be larger by 1e300
                quotient = difference_quotient(sample, name, 0, step)
            assert abs(quotient - want) <= 1e-5 * (abs(want) + 1), sample
            checked += 1
    assert checked > 10


def test_every_convention_is_in_the_grid() -> None:
    found = {name for sample in samples(7, 20_000) for name in sample.convention}
    found |= {"base" for sample in samples(7, 2000) if "base" in sample.options}
    assert found == set(reference.conventions.NAMES)
    denominators = {p.convention.get("denominator") for p in samples(7, 20_000) if p.loss == "softmax_cross_entropy"}
    # "weights" is the default of class weights, "uniform" that of smoothing: both are in the grid as options.
    assert denominators - {None} == set(reference.conventions.DENOMINATORS) - {"weights"}


def test_the_kl_clip_is_certified() -> None:
    clipped = [p for p in samples(7, 12_000) if p.loss == "kl_divergence" and "clip" in p.convention]
    certificate = certify(reference.evaluate, clipped)
    assert certificate.points > 100
    assert certificate.holds, certificate.sentence


@pytest.mark.parametrize("base", [None, 2.0, 10.0])
def test_a_gradient_of_zero_at_equal_logits_is_no_noise_of_mpmath(base: float | None) -> None:
    options = {"reduction": "none"} if base is None else {"reduction": "none", "base": base}
    rows = [[[logit] * classes] for classes in range(2, 12) for logit in (0.005, -0.387, 1.7)]
    asked = [Sample("entropy", {"logits": row}, options, {}, np.asarray([1.0]), ("logits",)) for row in rows]
    assert certify(reference.evaluate, asked).holds


def test_cases_with_infinities_nans_no_samples_and_second_derivatives_are_certified() -> None:
    names = ("undefined", "infinite", "masked", "ignored-bad-row", "no-samples", "-nan", "second-")
    chosen = [case for case in shipped_cases() if case.id.startswith("edges/") and any(n in case.id for n in names)]
    cases = [case for case in chosen if max(prod(shape_of(spec)) for spec in case.inputs.values()) <= LARGEST_CASE]
    certificate = certify_cases(cases)
    assert certificate.skipped == 0
    assert certificate.points > 800
    assert certificate.holds, certificate.sentence


def test_a_sample_survives_as_json() -> None:
    for sample in grid(200):
        again = from_plain(to_plain(sample))
        assert to_plain(again) == to_plain(sample)


def test_merging_keeps_the_worst() -> None:
    one, two = Certificate(1, 0.2, 0.0, 0, {"a": 1}), Certificate(2, 0.4, 0.9, 1, {"a": 1, "b": 1})
    both = merged([one, two])
    assert (both.points, both.normal_ulps, both.subnormal_ulps, both.patterns) == (3, 0.4, 0.9, 1)
    assert both.by_loss == {"a": 2, "b": 1}


def test_the_digest_is_of_what_computes_the_truth() -> None:
    names = {path.name for path in exact_sources(Path(reference.__file__).parent)}
    assert {"evaluation.py", "doubledouble.py", "softmax.py", "from_pairs.py", "decimals.py", "arguments.py"} <= names
    assert not names & {"blocked.py", "losses.py"}


def test_the_committed_certificate_is_of_this_reference_and_holds() -> None:
    certificate = committed_certificate()
    assert certificate is not None, "xent certify --points 200000 -o harness/certification/certificate.json"
    assert certificate["holds"]
    assert certificate["points"] > 200_000
