"""`Sound`: an adapter made of steps. With the steps as they are it is right; every known-bad one changes some."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from harness.adapters import micro_batches
from harness.adapters.base import HANDED_IN, Answer, Array, Call, Description, Unsupported
from harness.core.outputs import OUTPUTS, call_of
from harness.core.rows import rows_of, upstreams
from harness.mistakes.loss_formulas import FAMILIES, HESSIAN_VECTOR
from harness.mistakes.steps import WIDE, Steps, Wide, times
from reference.signatures import OPTIONS as OUR_OPTIONS

LOSSES = tuple(FAMILIES)

RANKS = "ranks"
"""The mode of a loss whose logits lie in slices on several ranks."""

DYNAMIC = "dynamic"
"""The mode of a program that was made for batches of any size."""

TAGS = {micro_batches.MODE: micro_batches.TAG, RANKS: "slices", DYNAMIC: "any-size"}
"""By mode that changes no mathematics, the tag of the cases that are asked in it."""


class Sound:
    """The losses put together from `steps`; `losses` limits it to some of them. Where `value_only`, nothing is
    differentiated whatever is asked for."""

    def __init__(
        self,
        steps: Steps | None = None,
        losses: tuple[str, ...] = LOSSES,
        name: str = "sound",
        *,
        value_only: bool = False,
    ) -> None:
        self._steps = Steps() if steps is None else steps
        self._losses = losses
        self._name = name
        self._value_only = value_only

    def describe(self) -> Description:
        modes = ("eager", *TAGS)
        return Description(
            version="1",
            losses=self._losses,
            modes=modes,
            mode_tags=TAGS,
            outputs=tuple(OUTPUTS),
            versions={"numpy": np.__version__},
        )

    def evaluate(self, call: Call) -> Answer:
        if call.mode == micro_batches.MODE:
            return self._steps.accumulated(call, self._whole)
        return self._whole(call)

    def _whole(self, call: Call) -> Answer:
        if call.loss not in self._losses:
            raise Unsupported(f"{self._name} has no {call.loss}")
        call.refuse_options_except(*OPTIONS, HANDED_IN)
        _check(call)
        with np.errstate(all="ignore"):  # infinities and nans are answers here
            prepared = self._steps.prepare(call)
            value, slopes = FAMILIES[prepared.loss](prepared, self._steps)
            gradients = slopes() if call.differentiate and not self._value_only else {}
            second = gradients.get(HESSIAN_VECTOR)
            answer = Answer(
                value=Array.of(value, call.dtype),
                function=f"harness.mistakes: {self._name}",
                gradients={n: Array.of(g, call.dtype) for n, g in gradients.items() if n in call.differentiate},
                hessian_vector=None if second is None else Array.of(second, call.dtype),
                directional=None
                if call.vector is None or self._value_only
                else Array.of(self._along(prepared, value), call.dtype),
            )
            # An output may be the value of a loss that is not offered by itself.
            beside = {name: Sound(self._steps).evaluate(call_of(call, name)).value for name in call.outputs}
            return self._steps.finish(call, replace(answer, outputs=beside))

    def _along(self, call: Call, value: Wide) -> Wide:
        """The derivative of each element of the value along the vector, which is its gradient times the vector."""
        assert call.vector is not None
        vector, axis = call.vector.to_float64().astype(WIDE), int(call.options.get("axis", -1))

        def derivative(upstream: Wide | None, of: tuple[int, ...]) -> Wide:
            cotangent = None if upstream is None else Array.of(upstream, "float64")
            _, slopes = FAMILIES[call.loss](replace(call, cotangent=cotangent, vector=None), self._steps)
            return np.asarray(rows_of(times(vector, slopes()[call.differentiate[0]]), of, axis).sum(axis=-1))

        if "reduction" in call.options or value.shape != vector.shape:
            return derivative(None, value.shape)
        found = np.zeros_like(value)
        for place, upstream in upstreams(value.shape, axis):
            found[place] = np.expand_dims(derivative(upstream, np.moveaxis(value, axis, -1).shape[:-1]), axis)
        return found


OPTIONS = (
    "alpha",
    "axis",
    "base",
    "beta",
    "class_mask",
    "class_weights",
    "denominator",
    "gamma",
    "ignore_index",
    "label_smoothing",
    "log_target",
    "logit_scale",
    "pos_weight",
    "reduction",
    "sample_weights",
    "softcap",
    "z_loss",
)
"""What the formulas of `harness.mistakes.loss_formulas` read. Any other option is refused, not passed over."""


def _check(call: Call) -> None:
    """Options outside their domains have no answer."""
    options = call.options
    if options.get("reduction") == "batchmean" and call.loss != "kl_divergence":
        raise ValueError(f"{call.loss} has no reduction batchmean")
    alpha = options.get("alpha", 0)
    if not isinstance(alpha, Array) and not 0 <= alpha <= 1:
        raise ValueError(f"alpha must lie between 0 and 1, got {alpha}")
    for name, value in options.items():
        problem = None if isinstance(value, Array) else OUR_OPTIONS[name].problem(value)
        if problem is not None:
            raise ValueError(f"{name} = {value!r}: {problem}")
