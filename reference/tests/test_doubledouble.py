"""The arithmetic against mpmath, the same bits on every CPU, and the same formulas in every number type."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import reference
from reference.doubledouble import DoubleDouble

finite = st.floats(allow_nan=False, allow_infinity=False)


def exact(number: DoubleDouble) -> Any:
    """A number of no dimensions as mpmath holds it."""
    return mpmath.ldexp(mpmath.mpf(float(number.hi)) + mpmath.mpf(float(number.lo)), int(number.exponent))


def close(got: Any, want: Any, bits: int) -> bool:
    with mpmath.workprec(4000):
        return bool(abs(got - want) <= mpmath.ldexp(abs(want), -bits))


@given(finite, finite)
def test_sums_and_products_of_floats_are_exact_or_nearly(a: float, b: float) -> None:
    with mpmath.workprec(4000):
        x, y = mpmath.mpf(a), mpmath.mpf(b)
        total, product = exact(DoubleDouble.of(a) + DoubleDouble.of(b)), exact(DoubleDouble.of(a) * DoubleDouble.of(b))
        assert close(total, x + y, 102)
        assert product == x * y


@given(finite, finite.filter(bool))
def test_quotients(a: float, b: float) -> None:
    with mpmath.workprec(4000):
        assert close(exact(DoubleDouble.of(a) / DoubleDouble.of(b)), mpmath.mpf(a) / mpmath.mpf(b), 100)


@given(st.floats(min_value=-1e5, max_value=1e5))
def test_exp(x: float) -> None:
    with mpmath.workprec(400):
        assert close(exact(DoubleDouble.of(x).exp()), mpmath.exp(mpmath.mpf(x)), 98)


@given(st.floats(min_value=5e-324, allow_infinity=False))
def test_log(x: float) -> None:
    with mpmath.workprec(400):
        assert close(exact(DoubleDouble.of(x).log()), mpmath.log(mpmath.mpf(x)), 70)


@given(st.floats(min_value=-0.5, max_value=1e10))
def test_log1p_however_small(x: float) -> None:
    with mpmath.workprec(2500):
        assert close(exact(DoubleDouble.of(x).log1p()), mpmath.log1p(mpmath.mpf(x)), 70)


@given(st.lists(st.floats(min_value=-1e300, max_value=1e300), min_size=1, max_size=9))
def test_sums_lose_only_what_cancels(values: list[float]) -> None:
    with mpmath.workprec(4000):
        got = exact(DoubleDouble.of(values).sum())
        want, size = mpmath.fsum(values), mpmath.fsum(abs(v) for v in values)
        assert abs(got - want) <= mpmath.ldexp(size, -98)


@given(finite)
def test_a_float_survives_the_way_there_and_back(x: float) -> None:
    hi, lo = DoubleDouble.of(x).parts()
    assert (float(hi), float(lo)) == (x, 0.0)


SCRIPT = """
import hashlib, numpy as np, reference
h = hashlib.sha256()
random = np.random.default_rng(5)
for loss, shape in (("softmax_cross_entropy", (40, 7)), ("binary_cross_entropy_with_logits", (200,))):
    x = np.round(random.random(shape) * 2**20) / 2**14 - 32
    labels = (np.arange(shape[0]) % 7) if len(shape) == 2 else (np.arange(shape[0]) % 2).astype(float)
    found = reference.evaluate(loss, {"logits": x, "targets": labels}, {"reduction": "none"})
    for number in (found.value, *found.gradients.values()):
        h.update(number.hi.tobytes()); h.update(number.lo.tobytes())
print(h.hexdigest())
"""


def bits_with(disabled: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(Path(reference.__file__).parents[1])}
    if disabled:
        environment["NPY_DISABLE_CPU_FEATURES"] = disabled
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SCRIPT], env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout


def test_the_same_bits_with_the_cpu_features_switched_off() -> None:
    found = np.show_config(mode="dicts").get("SIMD Extensions", {}).get("found", [])
    if not found:
        pytest.skip("NumPy found no CPU features here that could be switched off")
    assert bits_with(" ".join(found)) == bits_with("")


@pytest.mark.parametrize("loss", ["softmax_cross_entropy", "categorical_focal"])
def test_the_plain_formulas_are_the_same_formulas(loss: str) -> None:
    inputs = {"logits": [[1.0, 2.0, -1.0], [0.0, 0.5, 0.25]], "targets": [0, 2]}
    truth, plain = reference.evaluate(loss, inputs), reference.evaluate_plain(loss, inputs)
    np.testing.assert_allclose(np.asarray(plain.value), np.asarray(truth.value), rtol=1e-14)
    np.testing.assert_allclose(plain.gradients["logits"].hi, truth.gradients["logits"].hi, rtol=1e-13)


def test_a_gradient_that_cancels_is_evaluated_again_with_more_digits() -> None:
    """Soft targets that are the softmax to the last bit but one: the difference is far below 106 bits of the terms."""
    inputs = {"logits": [[1.0, 1.0, 1.0 + 2.0**-52]], "targets": [[1 / 3, 1 / 3, 1 / 3]]}
    found = reference.evaluate("softmax_cross_entropy", inputs, {"sample_weights": [3.0]}, differentiate=["logits"])
    with mpmath.workprec(600):
        e = [mpmath.exp(mpmath.mpf(v)) for v in inputs["logits"][0]]
        q = [mpmath.mpf(v) for v in inputs["targets"][0]]
        total = mpmath.fsum(q)
        want = [3 * (v / mpmath.fsum(e) * total - t) for v, t in zip(e, q, strict=True)]
        for got, truth in zip(found.gradients["logits"].hi[0], want, strict=True):
            assert abs(mpmath.mpf(float(got)) - truth) <= abs(truth) * mpmath.mpf(2) ** -52
