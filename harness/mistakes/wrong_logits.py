"""Mistakes in what is done to logits before the loss, in the z-loss, and in a denominator that is handed in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from harness.adapters.base import Answer, Array, Call
from harness.mistakes.mistake import COMMON, SOFTMAXES, Mistake, mistake, with_options
from harness.mistakes.sound import Sound
from harness.mistakes.steps import (
    WIDE,
    Batch,
    Wide,
    counting,
    divisor,
    penalty_factor,
    reduced,
    squared,
    transformed,
    upstream,
)
from harness.mistakes.wrong_inputs import without

_LOSSES = ("softmax_cross_entropy", "linear_cross_entropy")
_ALL = (*_LOSSES, *SOFTMAXES, "logsumexp")
_SCALED = (*_ALL, "entropy", "kl_divergence", "jensen_shannon", "linear_jensen_shannon")
Seen = tuple[Wide, Wide, Wide]


def _plain(call: Call, *names: str) -> Call:
    """The call without some options."""
    return with_options(call, **dict.fromkeys(names))


# --- scale -----------------------------------------------------------------------------------------------------------


def divided_by_scale(call: Call) -> Call:
    """The scale is taken for a temperature."""
    scale = call.options.get("logit_scale")
    return with_options(call, logit_scale=1 / scale) if scale else call


def slope_without_scale(call: Call, x: Wide) -> Seen:
    """The scaled logits are taken for the input: their gradient is returned."""
    z, slope, bend = transformed(call, x)
    return z, slope / WIDE(call.options.get("logit_scale", 1)), bend


def scaled_after_cap(call: Call, x: Wide) -> Seen:
    """s c tanh(x / c): the cap comes first."""
    s = WIDE(call.options.get("logit_scale", 1))
    z, slope, bend = transformed(_plain(call, "logit_scale"), x)
    return s * z, s * slope, s * bend


# --- cap -------------------------------------------------------------------------------------------------------------


def clipped(call: Call, x: Wide) -> Seen:
    """A hard limit in the place of c tanh(x / c)."""
    cap = call.options.get("softcap")
    z, slope, bend = transformed(_plain(call, "softcap"), x)
    if cap is None:
        return z, slope, bend
    inside = np.abs(z) <= cap
    kept = counting(call, x.shape)
    return np.where(kept, np.clip(z, -cap, cap), -np.inf), np.where(inside, slope, 0), bend


def capped_without_slope(call: Call, x: Wide) -> Seen:
    """The gradient passes the cap as if it were not there."""
    z, _, bend = transformed(call, x)
    return z, transformed(_plain(call, "softcap"), x)[1], 0 * bend


def squashed(call: Call, x: Wide) -> Seen:
    """tanh(x / c), which is not multiplied with c again."""
    cap = WIDE(call.options.get("softcap", 1))
    z, slope, bend = transformed(call, x)
    return z / cap, slope / cap, bend / cap


def masked_before_cap(call: Call, x: Wide) -> Seen:
    """The cap makes −c of the −inf of classes that do not count, and gives them mass."""
    if "softcap" not in call.options:
        return transformed(call, x)
    hidden = np.where(counting(call, x.shape), x, -np.inf)
    return transformed(_plain(call, "class_mask"), hidden)


def saturated(call: Call, x: Wide) -> Seen:
    """tanh by exponentials of both signs, in float32's range: nan for large logits."""
    z, slope, bend = transformed(call, x)
    if "softcap" not in call.options:
        return z, slope, bend
    beyond = np.abs(WIDE(call.options.get("logit_scale", 1)) * x / call.options["softcap"]) > np.log(np.finfo("f4").max)
    return np.where(beyond & counting(call, x.shape), np.nan, z), slope, bend


# --- mask ------------------------------------------------------------------------------------------------------------


def inverted_mask(call: Call) -> Call:
    """True is taken for: is left out."""
    mask = call.options.get("class_mask")
    return call if mask is None else with_options(call, class_mask=Array.of(~mask.storage.astype(bool)))


def masked_with_zero(call: Call, x: Wide) -> Seen:
    """Logits are multiplied with the mask: a class that does not count has the logit 0."""
    z, slope, bend = transformed(call, x)
    return np.where(counting(call, x.shape), z, 0), slope, bend


def added_mask(call: Call, x: Wide) -> Seen:
    """−inf is added to what does not count, which is nan where that is +inf or nan."""
    z, slope, bend = transformed(call, x)
    return np.where(counting(call, x.shape), z, x - np.inf), slope, bend


def masked_with_a_number(call: Call, x: Wide) -> Seen:
    """The mask is −1e4: logits far below 0 lose to it."""
    z, slope, bend = transformed(call, x)
    return np.where(counting(call, x.shape), z, -1e4), slope, bend


def mask_of_first_row(call: Call) -> Call:
    """One mask serves all rows."""
    mask = call.options.get("class_mask")
    if mask is None or len(mask.shape) < 2 or call.options.get("axis", -1) not in (-1, len(mask.shape) - 1):
        return call
    return with_options(call, class_mask=Array.of(mask.storage.reshape(-1, mask.shape[-1])[0]))


def smoothed_over_all(q: Wide, smoothing: float, kept: Any) -> Wide:
    """ε/C with the C of all classes."""
    return (1 - WIDE(smoothing)) * q + WIDE(smoothing) / q.shape[-1] * kept


def smoothed_over_masked(q: Wide, smoothing: float, kept: Any) -> Wide:  # noqa: ARG001
    """Classes that do not count have their share too: an infinite loss."""
    return (1 - WIDE(smoothing)) * q + WIDE(smoothing) / q.shape[-1]


# --- z-loss ----------------------------------------------------------------------------------------------------------


def of_raw_logits(*names: str) -> Callable[[Call, Answer], Answer]:
    """The z-loss is that of the logits before these options: what it adds there, on the loss without one."""

    def finish(call: Call, answer: Answer) -> Answer:
        if "z_loss" not in call.options or not set(names) & set(call.options):
            return answer
        bare = {n: v for n, v in call.options.items() if n not in names}
        with_, without_ = (
            replace(call, options=bare),
            replace(call, options={k: v for k, v in bare.items() if k != "z_loss"}),
        )
        plain, more, less = (Sound().evaluate(c) for c in (_plain(call, "z_loss"), with_, without_))

        def moved(a: Array, b: Array, c: Array) -> Array:
            with np.errstate(all="ignore"):
                return Array.of(a.to_float64() + (b.to_float64() - c.to_float64()), call.dtype)

        return replace(
            answer,
            value=moved(plain.value, more.value, less.value),
            gradients={n: moved(g, more.gradients[n], less.gradients[n]) for n, g in plain.gradients.items()},
        )

    return finish


def value_only(call: Call, answer: Answer) -> Answer:
    """The gradient is that of the loss without the z-loss."""
    if "z_loss" not in call.options:
        return answer
    return replace(answer, gradients=Sound().evaluate(_plain(call, "z_loss")).gradients)


def unweighted(call: Call, row_weights: Wide) -> Wide:
    """The z-loss of a row does not have the row's weight."""
    return penalty_factor(call, np.ones_like(row_weights))


def half_slope(lse: Wide) -> tuple[Wide, Wide]:
    """The 2 of the square is forgotten in the gradient."""
    return squared(lse)[0], lse


def not_squared(lse: Wide) -> tuple[Wide, Wide]:
    return lse, np.ones_like(lse)


def positive_only(lse: Wide) -> tuple[Wide, Wide]:
    """Only a logsumexp above 0 is held down."""
    up = np.maximum(lse, 0)
    return squared(up)


def z_loss_of_ignored(call: Call, answer: Answer) -> Answer:
    """Ignored rows have a z-loss: the value is off by theirs."""
    if "z_loss" not in call.options or "ignore_index" not in call.options or call.options["reduction"] == "none":
        return answer
    ignored, targets = call.options["ignore_index"], call.inputs["targets"]
    kept = np.where(targets.storage == ignored, 0, targets.storage)
    labels = replace(call, inputs={**call.inputs, "targets": Array(targets.dtype, kept.astype(targets.storage.dtype))})
    whole = with_options(labels, ignore_index=None, denominator=None, reduction="sum")
    both, less = Sound().evaluate(whole), Sound().evaluate(_plain(whole, "z_loss"))
    mine = Sound().evaluate(with_options(call, denominator=None, reduction="sum"))
    own = Sound().evaluate(with_options(call, denominator=None, reduction="sum", z_loss=None))
    with np.errstate(all="ignore"):
        theirs = (both.value.to_float64() - less.value.to_float64()) - (
            mine.value.to_float64() - own.value.to_float64()
        )
        share = answer.value.to_float64() / mine.value.to_float64()
        return replace(answer, value=Array.of(answer.value.to_float64() + theirs * share, call.dtype))


# --- denominator -----------------------------------------------------------------------------------------------------


def _given(call: Call) -> bool:
    return isinstance(call.options.get("denominator"), float | int)


def own_denominator(call: Call) -> Call:
    """A mean divides by what it counts itself, whatever is handed in."""
    return with_options(call, denominator=None) if _given(call) else call


def gradient_over_own(call: Call, batch: Batch, d: Wide) -> Wide:
    """The value is divided by the number handed in, the gradient by what the batch counts."""
    return upstream(call, batch, divisor(own_denominator(call), batch) if _given(call) else d)


def divided_twice(call: Call, batch: Batch, d: Wide) -> Wide:
    """The mean of the batch is divided by the number handed in."""
    return reduced(call, batch, d * divisor(own_denominator(call), batch) if _given(call) else d)


MISTAKES: Mapping[str, Mistake] = {
    "ignores-logit-scale": mistake(
        "the option logit_scale is ignored", _SCALED, rank=COMMON, prepare=without("logit_scale")
    ),
    "divides-by-logit-scale": mistake("logits are divided by logit_scale", _SCALED, prepare=divided_by_scale),
    "gradient-without-logit-scale": mistake(
        "the gradient is that of the scaled logits", _SCALED, transformed=slope_without_scale
    ),
    "scales-after-softcap": mistake("logits are scaled after they are capped", _ALL, transformed=scaled_after_cap),
    "ignores-softcap": mistake("the option softcap is ignored", _ALL, rank=COMMON, prepare=without("softcap")),
    "clips-logits": mistake("logits are clipped where they are to be capped", _ALL, transformed=clipped),
    "softcap-without-slope": mistake(
        "the gradient passes the cap as if it were not there", _ALL, transformed=capped_without_slope
    ),
    "softcap-without-factor": mistake("tanh(x/c) is not multiplied with c", _ALL, transformed=squashed),
    "mask-before-softcap": mistake(
        "classes are masked before the logits are capped, which gives them mass", _ALL, transformed=masked_before_cap
    ),
    "softcap-overflows": mistake("the exponentials in a tanh of its own overflow", _ALL, transformed=saturated),
    "ignores-class-mask": mistake("the option class_mask is ignored", _ALL, rank=COMMON, prepare=without("class_mask")),
    "inverted-class-mask": mistake("classes that count are left out", _ALL, prepare=inverted_mask),
    "class-mask-with-zero": mistake("a class that does not count has the logit 0", _ALL, transformed=masked_with_zero),
    "class-mask-added": mistake("−inf is added to a logit that is not finite", _ALL, transformed=added_mask),
    "class-mask-with-a-number": mistake(
        "a class that does not count has the logit −1e4", _ALL, transformed=masked_with_a_number
    ),
    "class-mask-of-first-row": mistake("the mask of the first row serves all", _ALL, prepare=mask_of_first_row),
    "smoothing-over-all-classes": mistake(
        "a share of smoothing is ε/C with masked classes among the C", _LOSSES, smoothed_among=smoothed_over_all
    ),
    "smoothing-of-masked-classes": mistake(
        "masked classes have a share of smoothing", _LOSSES, smoothed_among=smoothed_over_masked
    ),
    "ignores-z-loss": mistake("the option z_loss is ignored", _LOSSES, rank=COMMON, prepare=without("z_loss")),
    "z-loss-without-gradient": mistake("the z-loss has no gradient", _LOSSES, finish=value_only),
    "z-loss-of-half-gradient": mistake("the gradient of the z-loss lacks its 2", _LOSSES, squared=half_slope),
    "z-loss-not-squared": mistake("the z-loss is not squared", _LOSSES, squared=not_squared),
    "z-loss-above-zero-only": mistake("a negative logsumexp has no z-loss", _LOSSES, squared=positive_only),
    "z-loss-unweighted": mistake(
        "the z-loss of a row does not have its sample weight", _LOSSES, penalty_factor=unweighted
    ),
    "z-loss-of-ignored-rows": mistake("ignored rows have a z-loss", _LOSSES, finish=z_loss_of_ignored),
    "z-loss-before-scale": mistake(
        "the z-loss is that of logits not scaled", _LOSSES, finish=of_raw_logits("logit_scale")
    ),
    "z-loss-before-softcap": mistake(
        "the z-loss is that of logits not capped", _LOSSES, finish=of_raw_logits("softcap")
    ),
    "z-loss-of-masked-classes": mistake(
        "the z-loss counts masked classes", _LOSSES, finish=of_raw_logits("class_mask")
    ),
    "ignores-denominator": mistake(
        "a denominator that is handed in is ignored",
        (*_LOSSES, "nll_loss", "binary_cross_entropy_with_logits"),
        rank=COMMON,
        prepare=own_denominator,
    ),
    "gradient-over-own-denominator": mistake(
        "the gradient is divided by what the batch counts, not by what is handed in",
        (*_LOSSES, "nll_loss", "binary_cross_entropy_with_logits"),
        upstream=gradient_over_own,
    ),
    "divides-twice": mistake(
        "the mean of the batch is divided by the denominator that is handed in",
        (*_LOSSES, "nll_loss", "binary_cross_entropy_with_logits"),
        reduced=divided_twice,
    ),
}
"""By name."""
