"""What claims are judged by: the case with its numbers, what was found, and when two numbers are the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.core.case import Case
from reference.signatures import LOSSES

Numbers = NDArray[Any]

SAME = 4 * 2.0**-52
"""Relative difference up to which two float64 numbers are the same here. Documents print what their own float64 code
computed: a logarithm, a sum of a few terms and a division, each off by half a unit in the last place."""

PREDICTIONS = ("logits", "probabilities", "log_probabilities", "hidden")


@dataclass(frozen=True)
class Finding:
    """A verdict with its grounds."""

    verdict: str
    truth: Any
    explanation: str
    convention: str | None = None


@dataclass(frozen=True)
class Subject:
    """The case a claim is about, with its inputs, its options and the reference."""

    case: Case
    inputs: Mapping[str, Numbers]
    options: Mapping[str, Any]
    evaluate: Callable[..., Any]

    def evaluation(
        self,
        output: str = "value",
        *,
        convention: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
        inputs: Mapping[str, Numbers] | None = None,
    ) -> Any:
        """The reference's evaluation of the case's loss, or of another loss on the same inputs."""
        loss = self.case.loss if output == "value" else output
        signature = LOSSES[loss]
        available = self.inputs if inputs is None else inputs
        known = {*signature.options, *(("reduction", "denominator") if signature.reductions else ())}
        wanted = {n: v for n, v in {**self.options, **(options or {})}.items() if n in known}
        if wanted.get("reduction") != "mean":
            wanted.pop("denominator", None)
        needed = {name: available[name] for name in signature.inputs if name in available}
        return self.evaluate(loss, needed, wanted, convention=convention)

    def value(self, output: str = "value", **changes: Any) -> Numbers:
        """The value alone, as float64."""
        return np.asarray(self.evaluation(output, **changes).value, dtype=np.float64)

    @property
    def prediction(self) -> Numbers:
        """The predictions: logits or probabilities."""
        return next((self.inputs[name] for name in PREDICTIONS if name in self.inputs), np.asarray(np.nan))

    @property
    def axis(self) -> int:
        return int(self.options.get("axis", -1))

    @property
    def classes(self) -> int:
        return self.prediction.shape[self.axis] if self.prediction.ndim else 1

    @property
    def samples(self) -> int:
        return max(self.prediction.size // max(self.classes, 1), 1)

    def distribution(self) -> Numbers | None:
        """The targets as distributions of the predictions' shape: class labels become one-hot."""
        targets = self.inputs.get("targets")
        if targets is None or targets.dtype.kind not in "iu":
            return targets
        return one_hot(targets, self.classes, self.axis)

    def labels(self) -> Numbers | None:
        """The targets as class labels: distributions become the class of the greatest probability."""
        targets = self.inputs.get("targets")
        if targets is None or targets.dtype.kind in "iu":
            return targets
        return np.asarray(np.argmax(targets, axis=self.axis))

    def probability_of_target(self, sample: int) -> float:
        """The probability predicted for the target class of one sample, exact to float64."""
        predicted = self.value("softmax") if "logits" in self.inputs else self.prediction
        rows = np.moveaxis(predicted, self.axis, -1).reshape(-1, self.classes)
        labels = self.labels()
        if labels is None:
            raise ValueError("the case has no targets")
        return float(rows[sample, int(np.ravel(labels)[sample])])

    def losses_of_same_inputs(self) -> tuple[str, ...]:
        """Losses that take exactly the inputs of the case."""
        given = set(self.inputs)
        return tuple(name for name, s in LOSSES.items() if given == set(s.form(given)) and s.reductions)


def one_hot(labels: Numbers, classes: int, axis: int = -1) -> Numbers:
    """Rows with a one at each label along a new axis; a label that is no class makes a row of zeros."""
    rows = np.asarray(labels[..., np.newaxis] == np.arange(classes), dtype=np.float64)
    return np.moveaxis(rows, -1, axis)


def agree(claimed: Numbers, truth: Numbers) -> bool:
    """Whether the numbers are the same but for the rounding of float64 code; nan agrees with nan."""
    if claimed.shape != truth.shape:
        return False
    return bool(np.all(near(claimed, truth, SAME * np.abs(truth)) | (np.isnan(claimed) & np.isnan(truth))))


def near(got: Numbers, truth: Numbers, distance: Any) -> Numbers:
    """Where the numbers are equal, or finite and at most `distance` apart."""
    with np.errstate(invalid="ignore"):
        return np.asarray((got == truth) | (np.isfinite(truth) & (np.abs(got - truth) <= distance)))


def printed_alike(claimed: Numbers, truth: Numbers, digits: int | None) -> bool:
    """Whether both print the same with `digits` decimals; never without digits."""
    if digits is None or claimed.shape != truth.shape:
        return False
    pairs = zip(claimed.ravel().tolist(), truth.ravel().tolist(), strict=True)
    return all(f"{a:.{digits}f}" == f"{b:.{digits}f}" for a, b in pairs)


def readable(value: Any, digits: int | None = None) -> str:
    """Numbers for a sentence: all their digits, or so many decimals."""
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return "[" + ", ".join(readable(entry, digits) for entry in value) + "]"
    return repr(float(value)) if digits is None else f"{float(value):.{digits}f}"


def described(convention: Mapping[str, Any]) -> str:
    """A convention in words: base 2, clip 1e-07."""
    return ", ".join(
        f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}" for name, value in convention.items()
    )
