"""An implementation that is wrong in every way a cell can show, one way for each case, and the cases that show them.

The first logit of a case is the number of its way, counted from 1.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from harness.adapters.base import Answer, Array, Call, Description
from harness.judgement.agreement import Floats
from harness.mistakes.sound import Sound

Change = Callable[[Call, Answer], Answer]


@dataclass(frozen=True)
class Way:
    """One way to be wrong, and what is to be observed of it."""

    change: Change
    observed: str
    aspect: str = "value"
    mode: str = "eager"
    """The mode it is wrong in; in two modes where it is `both`."""
    fields: str = ""
    """Of the case, besides its logits."""
    second_row: str = "[0.25, 0.5, 0.75]"


def value(change: Callable[[Floats], Floats]) -> Change:
    return lambda call, answer: replace(answer, value=Array.of(change(answer.value.to_float64()), call.dtype))


def gradient(change: Callable[[Floats], Floats]) -> Change:
    def changed(call: Call, answer: Answer) -> Answer:
        gradients = {n: Array.of(change(g.to_float64()), call.dtype) for n, g in answer.gradients.items()}
        return replace(answer, gradients=gradients)

    return changed


def second(number: float, place: int = 1) -> Callable[[Floats], Floats]:
    """The second number, or that at another place, replaced."""

    def changed(numbers: Floats) -> Floats:
        flat = numbers.flatten()
        flat[place] = number
        return flat.reshape(numbers.shape)

    return changed


def in_type(dtype: str) -> Change:
    return lambda _, answer: replace(answer, value=Array.of(answer.value.to_float64(), dtype))


def fails(type_: type[Exception], message: str) -> Change:
    def failing(_: Call, __: Answer) -> Answer:
        raise type_(message)

    return failing


def ends_its_process(_: Call, __: Answer) -> Answer:
    os.abort()


def cannot_differentiate(_: Call, answer: Answer) -> Answer:
    return replace(answer, gradients={}, gradient_error=NotImplementedError("not differentiable"))


class OddlyNamedError(Exception):
    """Its name is a pattern, a quotation and two lines."""


OddlyNamedError.__qualname__ = OddlyNamedError.__name__ = 'Odd[a-z]*"Error"\'\n- id: x'

UNDEFINED = "[nan, 0.5, 0.75]"
OUT_OF_RANGE = "expect: {raises: out_of_range_label}"

WAYS: Mapping[str, Way] = {
    "right": Way(lambda _, answer: answer, ""),
    "finite": Way(value(second(3.0)), "finite"),
    "nan": Way(value(second(np.nan)), "nan"),
    "inf": Way(value(second(np.inf)), "inf"),
    "finite-beside-a-nan-that-is-right": Way(value(second(3.0, 0)), "finite", second_row=UNDEFINED),
    "finite-where-nan-is-right": Way(value(second(3.0)), "finite", second_row=UNDEFINED),
    "shape": Way(value(lambda numbers: numbers[:, None]), "shape"),
    "narrower": Way(in_type("float32"), "dtype"),
    "narrower-and-wrong": Way(lambda c, a: in_type("float32")(c, value(second(3.0))(c, a)), "dtype"),
    "wider": Way(in_type("float64"), "dtype", fields="dtypes: [float16]"),
    "raises": Way(fails(TypeError, "no such thing"), "raises"),
    "raises-by-an-odd-name": Way(fails(OddlyNamedError, "no\nsuch: thing"), "raises"),
    "returns": Way(value(second(1.0)), "returns", fields=OUT_OF_RANGE),
    "returns-nan": Way(value(second(np.nan)), "returns", fields=OUT_OF_RANGE),
    "raises-for-another-reason": Way(fails(RuntimeError, "unknown reduction"), "raises", fields=OUT_OF_RANGE),
    "another-choice": Way(value(second(np.nan)), "nan", fields="expect: {implementation_defined: [raises]}"),
    "finite-is-no-choice": Way(value(second(1.0)), "finite", fields="expect: {implementation_defined: [raises, nan]}"),
    "zero-is-not-the-number-listed": Way(
        value(second(0.0)), "finite", fields="expect: {implementation_defined: [raises, 0.4076]}"
    ),
    "zero-is-not-the-formula": Way(
        value(second(0.0)), "finite", fields="expect: {implementation_defined: [raises, {choice: as it stands}]}"
    ),
    "raising-is-no-choice": Way(fails(ValueError, "no"), "raises", fields="expect: {implementation_defined: [nan]}"),
    "gradient-finite": Way(gradient(second(3.0)), "finite", "gradient"),
    "gradient-nan": Way(gradient(second(np.nan)), "nan", "gradient"),
    "gradient-shape": Way(gradient(np.ravel), "shape", "gradient"),
    "gradient-raises": Way(cannot_differentiate, "raises", "gradient"),
    "mode-finite": Way(value(second(3.0)), "finite", "mode_agreement", "graph"),
    "mode-nan": Way(value(second(np.nan)), "nan", "mode_agreement", "graph"),
    "mode-inf": Way(value(second(np.inf)), "inf", "mode_agreement", "graph"),
    "mode-shape": Way(value(lambda numbers: numbers[:, None]), "shape", "mode_agreement", "graph"),
    "mode-dtype": Way(in_type("float32"), "dtype", "mode_agreement", "graph"),
    "mode-raises": Way(fails(TypeError, "not in a graph"), "raises", "mode_agreement", "graph"),
    "mode-gradient": Way(gradient(second(3.0)), "finite", "mode_agreement", "graph"),
    "crashes": Way(ends_its_process, "crashes"),
    "first-mode-raises": Way(fails(TypeError, "only in a graph"), "raises", "mode_agreement"),
}
"""By name."""


def cases() -> str:
    """A case file with one case for each way."""
    entries = []
    for number, (name, way) in enumerate(WAYS.items(), start=1):
        targets = "[0, 7]" if "out_of_range" in way.fields else "[0, 1]"
        fields = f", {way.fields}" if way.fields else ""
        dtypes = "" if "dtypes" in way.fields else ", dtypes: [float64]"
        entries.append(
            f"- {{id: edges/{name}, title: One way, why: An answer that is wrong in one way., "
            f"loss: softmax_cross_entropy, inputs: {{logits: [[{number}, 0.5, 0.25], {way.second_row}], "
            f"targets: {targets}}}, options: {{reduction: none}}{dtypes}{fields}}}\n"
        )
    return "".join(entries)


class Divergent:
    """Right, but for what its case asks it to be wrong in."""

    version = "1.0"

    def describe(self) -> Description:
        return Description(version=self.version, losses=("softmax_cross_entropy",), modes=("eager", "graph"))

    def evaluate(self, call: Call) -> Answer:
        number = int(call.inputs["logits"].to_float64().ravel()[0])
        way = list(WAYS.values())[number - 1]
        if "raises" in way.fields or "implementation_defined" in way.fields:
            answer = Answer(Array.of(np.zeros(2), call.dtype), "zero")
        else:
            answer = Sound().evaluate(call)
        return way.change(call, answer) if call.mode == way.mode else answer


class OddlyVersioned(Divergent):
    """Its version is no version, and no plain text either."""

    version = '2 "beta"\n- id: x'
