"""`Sound`: an adapter made of steps. With the steps as they are it is right; every known-bad one changes some."""

from __future__ import annotations

import numpy as np

from harness.adapters.base import Answer, Array, Call, Description, Unsupported
from harness.adapters.mutants.families import FAMILIES
from harness.adapters.mutants.steps import Steps

LOSSES = tuple(FAMILIES)


class Sound:
    """The losses put together from `steps`; `losses` limits it to some of them."""

    def __init__(self, steps: Steps | None = None, losses: tuple[str, ...] = LOSSES, name: str = "sound") -> None:
        self._steps = Steps() if steps is None else steps
        self._losses = losses
        self._name = name

    def describe(self) -> Description:
        return Description(version="1", losses=self._losses, versions={"numpy": np.__version__})

    def evaluate(self, call: Call) -> Answer:
        if call.loss not in self._losses:
            raise Unsupported(f"{self._name} has no {call.loss}")
        with np.errstate(all="ignore"):  # infinities and nans are answers here
            prepared = self._steps.prepare(call)
            value, gradients = FAMILIES[prepared.loss](prepared, self._steps)
            answer = Answer(
                value=Array.of(value, call.dtype),
                function=f"harness.adapters.mutants: {self._name}",
                gradients={n: Array.of(g, call.dtype) for n, g in gradients.items() if n in call.differentiate},
            )
            return self._steps.finish(call, answer)
