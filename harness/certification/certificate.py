"""Judging a reference: every element against mpmath, in ulps; what is left is the certificate.

The error is that of the nearest float64 the reference reports (its hi), in units in the last place of the exact
result: at most 0.51 in the normal range, since a correct rounding alone may be 0.5 off, and at most 1 for subnormal
results, which are rounded from a number that was itself rounded.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import mpmath
import numpy as np

from harness.certification.grid import Sample
from harness.certification.mpmath_formulas import evaluate as evaluate_exactly

NORMAL_BOUND = 0.51
SUBNORMAL_BOUND = 1.0
_SMALLEST_NORMAL = 2.0**-1022
_LARGEST = float(np.finfo(np.float64).max)

Evaluate = Callable[..., Any]
"""reference.evaluate, or another with its signature."""


@dataclass(frozen=True)
class Worst:
    """One element and its error, with everything that reproduces it bit for bit."""

    ulps: float
    loss: str
    aspect: str
    index: int
    got: str
    truth: str
    sample: Mapping[str, Any]


@dataclass(frozen=True)
class Certificate:
    """What was certified, and how far off the worst element was."""

    points: int
    normal_ulps: float
    subnormal_ulps: float
    patterns: int
    """Elements whose nan or infinity is not where it belongs."""
    by_loss: Mapping[str, int]
    worst: tuple[Worst, ...] = ()
    """The worst element of each loss and aspect."""
    skipped: int = 0
    versions: Mapping[str, str] = field(default_factory=dict)
    digest: str = ""
    """sha256 over the reference's source."""

    @property
    def holds(self) -> bool:
        return (
            self.points > 0
            and self.patterns == 0
            and self.normal_ulps <= NORMAL_BOUND
            and self.subnormal_ulps <= SUBNORMAL_BOUND
        )

    @property
    def sentence(self) -> str:
        verdict = "certified" if self.holds else "NOT certified"
        return (
            f"{verdict}: {self.points} points, largest error {self.normal_ulps:.4f} ulp "
            f"(allowed {NORMAL_BOUND}), {self.subnormal_ulps:.3f} ulp for subnormal results "
            f"(allowed {SUBNORMAL_BOUND:g}), {self.patterns} wrong nans or infinities"
        )

    def to_json(self) -> str:
        return json.dumps({**asdict(self), "holds": self.holds, "sentence": self.sentence}, indent=1, sort_keys=True)


def certify(evaluate: Evaluate, samples: Iterable[Sample], *, skipped: int = 0) -> Certificate:
    """The certificate of `evaluate` over these samples."""
    normal = subnormal = 0.0
    patterns = points = 0
    by_loss: Counter[str] = Counter()
    worst: dict[tuple[str, str], Worst] = {}
    for sample in samples:
        for aspect, index, got, truth in elements(evaluate, sample):
            points += 1
            by_loss[f"{sample.loss} {aspect}"] += 1
            ulps = error_in_ulps(got, truth)
            if ulps is None:
                patterns += 1
                ulps = float("inf")
            elif abs(truth) < _SMALLEST_NORMAL:
                subnormal = max(subnormal, ulps)
            else:
                normal = max(normal, ulps)
            key = (sample.loss, aspect)
            if key not in worst or ulps > worst[key].ulps:
                text = mpmath.nstr(truth, 25)
                worst[key] = Worst(ulps, *key, index, got.hex(), text, to_plain(sample))
    return Certificate(
        points=points,
        normal_ulps=normal,
        subnormal_ulps=subnormal,
        patterns=patterns,
        by_loss=dict(sorted(by_loss.items())),
        worst=tuple(worst[key] for key in sorted(worst)),
        skipped=skipped,
    )


def said_of(evaluate: Evaluate, sample: Sample) -> Any:
    """What `evaluate` says of a sample; of a vector it is told only where there is one."""
    second = {} if sample.vector is None else {"vector": sample.vector}
    return evaluate(
        sample.loss,
        sample.inputs,
        sample.options,
        sample.convention or None,
        cotangent=sample.cotangent,
        differentiate=sample.wanted,
        **second,
    )


def elements(evaluate: Evaluate, sample: Sample) -> Iterable[tuple[str, int, float, Any]]:
    """Every element as (aspect, index, what the reference says, what mpmath says)."""
    said = said_of(evaluate, sample)
    exact = evaluate_exactly(
        sample.loss,
        sample.inputs,
        sample.options,
        sample.convention,
        sample.cotangent,
        sample.wanted,
        sample.vector,
    )
    pairs = [("value", said.value, exact.value)]
    pairs += [(name, said.gradients[name], exact.gradients[name]) for name in sample.wanted]
    if exact.hessian_vector is not None:
        pairs.append(("hessian_vector", said.hessian_vector, exact.hessian_vector))
    for aspect, mine, theirs in pairs:
        flat = np.asarray(mine.hi, dtype=np.float64).ravel()
        if flat.size != len(theirs):
            raise ValueError(f"{sample.loss} {aspect}: {flat.size} elements where {len(theirs)} are right")
        for index, (got, truth) in enumerate(zip(flat, theirs, strict=True)):
            yield aspect, index, float(got), truth


def error_in_ulps(got: float, truth: Any) -> float | None:
    """|got − truth| in ulps of the truth; None where a nan or infinity is not where it belongs."""
    if mpmath.isnan(truth):
        return 0.0 if np.isnan(got) else None
    if abs(truth) > _LARGEST:
        # Beyond half an ulp above the largest number the nearest float64 is infinity.
        if np.isinf(got) and (got > 0) == (truth > 0):
            return 0.0
        return None if mpmath.isinf(truth) or not np.isfinite(got) else _distance(got, truth)
    return _distance(got, truth) if np.isfinite(got) else None


def _distance(got: float, truth: Any) -> float:
    exponent = -1074 if truth == 0 else max(int(mpmath.floor(mpmath.log(abs(truth), 2))), -1022) - 52
    with mpmath.workprec(400):
        return float(abs(mpmath.mpf(got) - truth) * mpmath.mpf(2) ** (-max(exponent, -1074)))


def to_plain(sample: Sample) -> dict[str, Any]:
    """A sample as JSON can hold it, floats as hexadecimal so that the bits are kept."""

    def plain(value: Any) -> Any:
        if isinstance(value, np.ndarray | list | tuple):
            array = np.asarray(value)
            if array.size > 4096:
                return f"{array.size} elements, not written out"
            return [plain(v) for v in array] if array.ndim else plain(array.item())
        if isinstance(value, float | np.floating):
            return float(value).hex()
        return value.item() if isinstance(value, np.generic) else value

    return {
        "loss": sample.loss,
        "inputs": {name: plain(v) for name, v in sample.inputs.items()},
        "options": {name: plain(v) for name, v in sample.options.items()},
        "convention": {name: plain(v) for name, v in sample.convention.items()},
        "cotangent": None if sample.cotangent is None else plain(sample.cotangent),
        "wanted": list(sample.wanted),
        "vector": None if sample.vector is None else plain(sample.vector),
    }


def from_plain(entry: Mapping[str, Any]) -> Sample:
    """The inverse of `to_plain`."""

    def value(plain: Any) -> Any:
        if isinstance(plain, list):
            return np.asarray([value(p) for p in plain])
        if isinstance(plain, str) and ("0x" in plain or plain in ("inf", "-inf", "nan")):
            return float.fromhex(plain)
        return plain

    return Sample(
        entry["loss"],
        {name: value(v) for name, v in entry["inputs"].items()},
        {name: value(v) for name, v in entry["options"].items()},
        {name: value(v) for name, v in entry["convention"].items()},
        None if entry["cotangent"] is None else value(entry["cotangent"]),
        tuple(entry["wanted"]),
        vector=None if entry.get("vector") is None else value(entry["vector"]),
    )


def read_worst_cases(path: Path) -> list[Sample]:
    """The committed samples on which the reference was once at its worst."""
    return [from_plain(entry) for entry in json.loads(path.read_text(encoding="utf-8"))]
