"""The digest of the reference: the committed bits here, without the processor's features, and whoever changes one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import reference
from harness.certification.digest import COUNT, compute, differences, drawn, named, read, to_json
from harness.certification.grid import Sample
from harness.core.formats import FORMATS
from harness.execution.levels import numpy_dispatches
from harness.tests.shipped import shipped_cases

Samples = Mapping[str, Sample]
REWRITE = "xent certify --digest -o harness/certification/digest.json"


@pytest.fixture(scope="module")
def chosen() -> Samples:
    return named(shipped_cases(), [name for digests in read().values() for name in digests])


def test_the_reference_gives_the_committed_bits(chosen: Samples) -> None:
    different = list(differences(read(), compute(reference.evaluate, chosen)))
    assert not different, f"{different}; where cases were changed, not the reference: {REWRITE}"


def test_the_bits_are_the_same_without_the_processor_s_features() -> None:
    plain = {"NPY_DISABLE_CPU_FEATURES": " ".join(numpy_dispatches()), "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-FMA"}
    command = [sys.executable, "-m", "harness", "certify", "--digest"]
    done = subprocess.run(
        command, env={**os.environ, **plain}, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{COUNT} evaluations, each with the committed bits" in done.stdout


def test_every_loss_option_and_dtype_is_among_them(chosen: Samples) -> None:
    assert len(chosen) == COUNT
    shown = {loss: {o for s in chosen.values() if s.loss == loss for o in s.options} for loss in reference.LOSSES}
    known = {(loss, option) for loss, signature in reference.LOSSES.items() for option in signature.options}
    absent = {(loss, option) for loss, option in known if option not in shown[loss]}
    assert absent <= {("linear_cross_entropy", "axis")}, "an option that cases ask for"
    assert {(s.loss, name.rpartition(" ")[2]) for name, s in chosen.items()} == {
        (loss, dtype) for loss in reference.LOSSES for dtype in FORMATS
    }
    numbers = np.concatenate(
        [np.abs(np.ravel(a)) for s in chosen.values() for a in s.inputs.values() if np.asarray(a).dtype.kind == "f"]
    )
    finite = numbers[np.isfinite(numbers) & (numbers > 0)]
    assert finite.min() < 1e-300
    assert finite.max() > 1e300
    assert not np.isfinite(numbers).all()


def off_by_a_bit(loss: str, inputs: Any, *arguments: Any, **more: Any) -> Any:
    """The reference, but for the last bit of lo in the gradient of the entropy of probabilities."""
    found = reference.evaluate(loss, inputs, *arguments, **more)
    if loss != "entropy" or "probabilities" not in inputs:
        return found
    gradients = {name: reference.Exact(g.hi, np.nextafter(g.lo, 1.0)) for name, g in found.gradients.items()}
    return replace(found, gradients=gradients)


def test_one_bit_of_lo_is_told_with_the_first_evaluation_that_has_it(chosen: Samples) -> None:
    entropies = {name: sample for name, sample in chosen.items() if sample.loss == "entropy"}
    before = compute(reference.evaluate, entropies)
    (sentence,) = differences(before, compute(off_by_a_bit, entropies))
    told = (n for n in before["entropy"] if "probabilities" in entropies[n].inputs and entropies[n].wanted)
    first = next(told)
    assert sentence.endswith(f"the first, {first}, has other bits for the same inputs")
    assert f" of {len(entropies)} evaluations differ" in sentence


def test_a_changed_case_is_no_changed_reference(chosen: Samples) -> None:
    name, sample = next((n, s) for n, s in chosen.items() if s.loss == "entropy")
    before = compute(reference.evaluate, {name: sample})
    halved = replace(sample, inputs={"probabilities": np.asarray(sample.inputs["probabilities"]) / 2})
    assert next(differences(before, compute(reference.evaluate, {name: halved}))).endswith("has other inputs")
    assert next(differences(before, {})).endswith("is no evaluation any more")


def test_which_of_the_nans_it_is_does_not_matter(chosen: Samples) -> None:
    """Processors differ in the sign of the nan they make."""

    def other_nans(*arguments: Any, **more: Any) -> Any:
        found = reference.evaluate(*arguments, **more)
        hi = np.where(np.isnan(found.value.hi), np.copysign(np.nan, -1.0), found.value.hi)
        return replace(found, value=reference.Exact(hi, found.value.lo))

    with_nans = {n: s for n, s in chosen.items() if "nan" in n}
    assert with_nans
    assert not list(differences(compute(reference.evaluate, with_nans), compute(other_nans, with_nans)))


def test_the_same_seed_draws_the_same_and_another_others() -> None:
    cases = [case for case in shipped_cases() if case.loss == "entropy"]
    assert list(drawn(cases, count=40)) == list(drawn(cases, count=40))
    assert list(drawn(cases, count=40)) != list(drawn(cases, seed=1, count=40))


def test_digests_survive_as_json(tmp_path: Any, chosen: Samples) -> None:
    some = compute(reference.evaluate, dict(list(chosen.items())[:20]))
    (tmp_path / "digest.json").write_text(to_json(some), encoding="utf-8")
    assert read(tmp_path / "digest.json") == some
