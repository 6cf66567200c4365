"""Mistakes in reading what is given: options that have no effect, labels and weights that are misread."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.adapters.base import Answer, Array, Call
from harness.core.formats import FORMATS, rounded
from harness.mistakes.mistake import (
    BINARY,
    COMMON,
    DIAGNOSED,
    LABELLED,
    RARE,
    SOFTMAXES,
    WITH_LOGITS,
    Mistake,
    mistake,
    scores_of,
    with_options,
    with_parameter,
)
from harness.mistakes.sound import Sound
from harness.mistakes.steps import WIDE, Wide, natural, one_hot, sigmoid

Prepare = Callable[[Call], Call]


def without(*names: str) -> Prepare:
    """The options of these names have no effect."""

    def prepare(call: Call) -> Call:
        given = any(name in call.options for name in names)
        return with_options(call, **dict.fromkeys(names)) if given else call

    return prepare


def _option(name: str, change: Callable[[NDArray[np.float64]], Any]) -> Prepare:
    def prepare(call: Call) -> Call:
        if name not in call.options:
            return call
        return with_options(call, **{name: Array.of(change(_numbers(call.options[name])), call.dtype)})

    return prepare


def _numbers(option: Any) -> NDArray[np.float64]:
    return option.to_float64() if isinstance(option, Array) else np.asarray(option, dtype=np.float64)


def _input(name: str, change: Callable[[NDArray[Any]], Any]) -> Prepare:
    def prepare(call: Call) -> Call:
        if name not in call.inputs:
            return call
        array = call.inputs[name]
        changed = Array.of(change(array.to_float64() if array.is_float else array.storage), array.dtype)
        return replace(call, inputs={**call.inputs, name: changed})

    return prepare


def argmax_of_soft(call: Call) -> Call:
    """A distribution is replaced by its largest class."""
    targets = call.inputs["targets"]
    axis = int(call.options.get("axis", -1))
    if targets.shape != scores_of(call).shape or not targets.shape:
        return call
    values = np.moveaxis(targets.to_float64(), axis, -1)
    hard = np.moveaxis(np.arange(values.shape[-1]) == values.argmax(axis=-1)[..., None], -1, axis)
    return replace(call, inputs={**call.inputs, "targets": Array.of(hard, call.dtype)})


def ignoring_nothing(labels: NDArray[Any], ignored: Any) -> NDArray[np.bool_]:  # noqa: ARG001 - the shape of the step
    return np.ones(labels.shape, dtype=bool)


def ignoring_only_minus_100(labels: NDArray[Any], ignored: Any) -> NDArray[np.bool_]:
    return np.ones(labels.shape, dtype=bool) if ignored is None else np.asarray(labels != -100)


def ignoring_negative(labels: NDArray[Any], ignored: Any) -> NDArray[np.bool_]:  # noqa: ARG001
    return np.asarray(labels >= 0)


def wrapping(labels: NDArray[Any], classes: int) -> Wide:
    return one_hot(labels % classes, classes)


def clamping(labels: NDArray[Any], classes: int) -> Wide:
    return one_hot(np.clip(labels, 0, classes - 1), classes)


def empty_beyond(labels: NDArray[Any], classes: int) -> Wide:
    """A label out of range has an empty one-hot row: it costs nothing."""
    return np.asarray(np.asarray(labels)[..., None] == np.arange(classes)).astype(WIDE)


def from_one(labels: NDArray[Any], classes: int) -> Wide:
    return one_hot((labels - 1) % max(classes, 1), classes)


def through_int8(labels: NDArray[Any], classes: int) -> Wide:
    """Labels are kept in eight bits: 128 becomes −128, and counts from the end."""
    return wrapping(labels.astype(np.int8), classes)


def reversed_kl(call: Call) -> Call:
    t, log_q = call.inputs["targets"].to_float64(), call.inputs["log_probabilities"].to_float64()
    if call.options.get("log_target"):
        swapped = {"targets": log_q, "log_probabilities": t}
    else:
        swapped = {"targets": np.minimum(np.exp(log_q), 1), "log_probabilities": np.log(t)}
    return replace(call, inputs={n: Array.of(v, call.dtype) for n, v in swapped.items()})


def without_target_entropy(call: Call, p: Wide) -> Wide:
    """Σ p (ln p − ln q) without its first term; ln p of no other loss can be left out."""
    return np.zeros_like(p) if call.loss == "kl_divergence" else natural(call, p)


def logarithms_of_logarithms(call: Call) -> Call:
    log_q = call.inputs["log_probabilities"].to_float64()
    return replace(call, inputs={**call.inputs, "log_probabilities": Array.of(np.log(log_q), call.dtype)})


def with_log_target(call: Call) -> Call:
    return with_options(call, log_target=True) if call.loss == "kl_divergence" else call


def _pos_weights(call: Call, *, positive: bool) -> Call:
    """pos_weight on the negatives: w times the loss with 1/w on the positives; or on both sides."""
    if "pos_weight" not in call.options:
        return call
    shape = call.inputs["targets"].shape
    w = np.broadcast_to(_numbers(call.options["pos_weight"]), shape)
    given = call.options.get("sample_weights")
    weights = Array.of(w if given is None else w * _numbers(given), call.dtype)
    return with_options(call, pos_weight=None if positive else Array.of(1 / w, call.dtype), sample_weights=weights)


def negatives_weighted(call: Call) -> Call:
    return _pos_weights(call, positive=False)


def both_weighted(call: Call) -> Call:
    return _pos_weights(call, positive=True)


def last_axis_always(call: Call) -> Call:
    """Classes on another axis are read with a reshape where a transpose is needed."""
    axis, rank = int(call.options.get("axis", -1)), len(scores_of(call).shape)
    if not rank or axis % rank == rank - 1:
        return call
    targets, scores = call.inputs["targets"], scores_of(call)
    classes = scores.shape[axis]
    changed = {}
    for name, array in call.inputs.items():
        if array.shape == scores.shape:
            flat = array.storage.reshape(-1, classes).reshape(*np.delete(scores.shape, axis), classes)
            changed[name] = Array(array.dtype, np.ascontiguousarray(np.moveaxis(flat, -1, axis)))
    return replace(call, inputs={**call.inputs, **changed, **({} if "targets" in changed else {"targets": targets})})


def classes_on(axis: int) -> Mapping[str, Any]:
    def prepare(call: Call) -> Call:
        rank = len(call.inputs[next(iter(call.inputs))].shape)
        elsewhere = -rank <= axis < rank and axis % rank != int(call.options.get("axis", -1)) % rank
        return with_options(call, axis=axis) if elsewhere and not call.loss.startswith("binary") else call

    return {"prepare": prepare}


def flushed_below(bound: float) -> Mapping[str, Any]:
    return {"prepare": _input("probabilities", lambda p: np.where(np.abs(p) < bound, 0.0, p))}


def passed_through(how: str) -> Mapping[str, Any]:
    """An input that passes through a coarser format; what a softmax takes has a mistake of its own."""
    name, _, fmt = how.partition(" through ")

    def prepare(call: Call) -> Call:
        coarser = FORMATS[fmt].eps > FORMATS[call.dtype].eps
        array = call.inputs.get(name)
        if array is None or not array.is_float or not coarser or (name == "logits" and call.loss not in BINARY):
            return call
        short = Array.of(rounded(array.to_float64(), FORMATS[fmt]), call.dtype)
        return call if short.same_bits(array) else replace(call, inputs={**call.inputs, name: short})

    return {"prepare": prepare}


def options_in_the_type_of_the_call(call: Call) -> Call:
    """Weights in a wider type than the logits are rounded to that of the logits."""
    wider = {n: v for n, v in call.options.items() if isinstance(v, Array) and v.is_float and v.dtype != call.dtype}
    return with_options(call, **{n: Array.of(v.to_float64(), call.dtype) for n, v in wider.items()}) if wider else call


def _clamped(call: Call, bound: float) -> Call:
    logits = call.inputs["logits"].to_float64()
    if not (np.abs(logits) > bound).any():
        return call
    return replace(call, inputs={**call.inputs, "logits": Array.of(np.clip(logits, -bound, bound), call.dtype)})


def clamped(bound: float) -> Mapping[str, Any]:
    """So that exp does not overflow."""
    return {"prepare": lambda call: _clamped(call, bound)}


def clamped_and_masked(bound: float) -> Mapping[str, Any]:
    """The gradient of clamped logits, which is 0 beyond the bound."""

    def finish(call: Call, answer: Answer) -> Answer:
        if "logits" not in answer.gradients or _clamped(call, bound) is call:
            return answer
        g = Sound().evaluate(_clamped(call, bound)).gradients["logits"].to_float64()
        outside = np.abs(call.inputs["logits"].to_float64()) > bound
        return replace(answer, gradients={**answer.gradients, "logits": Array.of(np.where(outside, 0, g), call.dtype)})

    return {"finish": finish}


def opposite_logits(call: Call, answer: Answer) -> Answer:  # noqa: ARG001
    turned = Array.of(-call.inputs["logits"].to_float64(), call.dtype)
    return Sound().evaluate(replace(call, inputs={**call.inputs, "logits": turned}))


def swapped(call: Call) -> Call:
    targets, p = call.inputs["targets"], call.inputs["probabilities"]
    if targets.shape != p.shape or not targets.is_float:
        return call
    return replace(call, inputs={**call.inputs, "targets": p, "probabilities": targets})


def softmax_of_targets(call: Call) -> Call:
    targets, axis = call.inputs["targets"], int(call.options.get("axis", -1))
    if not targets.is_float or not targets.shape or call.loss.startswith("binary"):
        return call
    t = targets.to_float64()
    e = np.exp(t - t.max(axis=axis, keepdims=True))
    inputs = {**call.inputs, "targets": Array.of(e / e.sum(axis=axis, keepdims=True), call.dtype)}
    return replace(call, inputs=inputs)


def _binary_targets(change: Callable[[NDArray[Any]], Any]) -> Prepare:
    of = _input("targets", change)
    return lambda call: of(call) if call.loss.startswith("binary") else call


def _pairable(call: Call) -> bool:
    """Whether logits and targets are of one axis with something on it, and nothing else belongs to their elements."""
    shape = call.inputs["logits"].shape if "logits" in call.inputs else ()
    return len(shape) == 1 and shape[0] > 0 and "sample_weights" not in call.options


def all_targets(call: Call) -> Call:
    """An axis too many makes N × N losses, of every logit with every target, which the mean is taken of: the loss is
    linear in its target."""
    if not _pairable(call) or call.options["reduction"] != "mean":
        return call
    targets = call.inputs["targets"]
    mean = np.broadcast_to(targets.to_float64().mean(), targets.shape)
    return replace(call, inputs={**call.inputs, "targets": Array.of(mean, targets.dtype)})


def first_logit(call: Call) -> Call:
    """Of N × N losses the first column is taken for those of the rows: of the first logit with every target."""
    if not _pairable(call):
        return call
    logits = call.inputs["logits"]
    first = np.broadcast_to(logits.storage[:1], logits.shape)
    return replace(call, inputs={**call.inputs, "logits": Array(logits.dtype, first)})


def slope_of_the_first(call: Call, answer: Answer) -> Answer:
    if not _pairable(call) or "logits" not in answer.gradients:
        return answer
    slope = answer.gradients["logits"].to_float64()
    gathered = np.where(np.arange(slope.size) == 0, slope.sum(), 0.0)
    return replace(answer, gradients={**answer.gradients, "logits": Array.of(gathered, call.dtype)})


_WEIGHTED = ("softmax_cross_entropy", "categorical_cross_entropy", "nll_loss")
_SAMPLED = ("softmax_cross_entropy", "categorical_cross_entropy", "binary_cross_entropy")
_LOGITS = ("binary_cross_entropy_with_logits",)
_NARROW = tuple(
    f"{name} through {fmt}"
    for name in ("probabilities", "log_probabilities", "logits", "targets", "hidden", "weight", "bias")
    for fmt in ("float32", "float16", "bfloat16")
)


def _weights(option: str, known_bad: Mapping[str, tuple[str, ...]]) -> dict[str, Mistake]:
    """What goes wrong with weights of either kind; `known_bad` are the losses by name."""
    kind, words = option.replace("_", "-"), option.replace("_", " ")
    changes: dict[str, tuple[str, Callable[[NDArray[np.float64]], Any]]] = {
        f"squares-{kind}": (f"{words} enter twice", np.square),
        f"{kind}-by-size": (f"{words} lose their sign", np.abs),
        f"reversed-{kind}": (f"{words} belong in reverse", lambda w: w[::-1]),
        f"inverted-{kind}": (f"{words} are divided into 1", np.reciprocal),
        f"normalised-{kind}": (f"{words} are divided by their sum", lambda w: w / w.sum()),
        f"{kind}-by-mean": (f"{words} are divided by their mean", lambda w: w / w.mean()),
        f"{kind}-by-largest": (f"{words} are divided by their largest", lambda w: w / w.max()),
    }
    ignoring = mistake(
        f"the option {option} is ignored",
        known_bad.get(f"ignores-{kind}", DIAGNOSED),
        rank=COMMON,
        prepare=without(option),
    )
    others = {
        name: mistake(sentence, known_bad.get(name, DIAGNOSED), prepare=_option(option, change))
        for name, (sentence, change) in changes.items()
    }
    return {f"ignores-{kind}": ignoring, **others}


MISTAKES: Mapping[str, Mistake] = {
    "every-target-for-every-logit": mistake(
        "every logit meets every target: the mean is that of N × N losses",
        WITH_LOGITS,
        prepare=all_targets,
    ),
    # kornia/kornia#1313
    "every-target-for-the-first-logit": mistake(
        "the first logit meets every target: a column of N × N losses is taken for those of the rows",
        WITH_LOGITS,
        prepare=first_logit,
        finish=slope_of_the_first,
    ),
    # linkedin/Liger-Kernel#974, of a distillation
    "ignores-ignore-index": mistake(
        "the option ignore_index is ignored: every label counts",
        (*LABELLED, "linear_jensen_shannon"),
        rank=COMMON,
        kept_rows=ignoring_nothing,
        one_hot=wrapping,
    ),
    "ignores-only-minus-100": mistake(
        "the ignored label is always −100", LABELLED, rank=COMMON, kept_rows=ignoring_only_minus_100, one_hot=wrapping
    ),
    "ignores-negative-labels": mistake(
        "every negative label is ignored, and no other",
        LABELLED,
        rank=COMMON,
        kept_rows=ignoring_negative,
    ),
    **_weights(
        "class_weights",
        {
            "ignores-class-weights": _WEIGHTED,
            "squares-class-weights": _WEIGHTED,
            "class-weights-by-size": LABELLED[:1],
            "reversed-class-weights": _WEIGHTED,
        },
    ),
    **_weights("sample_weights", {"ignores-sample-weights": _SAMPLED, "normalised-sample-weights": _SAMPLED}),
    "weights-in-the-type-of-the-logits": mistake(
        "weights are rounded to the type of the logits",
        ("softmax_cross_entropy", "nll_loss", "binary_cross_entropy_with_logits"),
        rank=COMMON,
        prepare=options_in_the_type_of_the_call,
    ),
    "ignores-pos-weight": mistake(
        "the option pos_weight is ignored", _LOGITS, rank=COMMON, prepare=without("pos_weight")
    ),
    "pos-weight-on-negatives": mistake("pos_weight weighs the negatives", _LOGITS, prepare=negatives_weighted),
    "pos-weight-on-both": mistake("pos_weight weighs both sides", _LOGITS, prepare=both_weighted),
    "squares-pos-weight": mistake("pos_weight enters twice", DIAGNOSED, prepare=_option("pos_weight", np.square)),
    "ignores-alpha": mistake(
        "the option alpha is ignored", ("binary_focal", "categorical_focal"), rank=COMMON, prepare=without("alpha")
    ),
    "ignores-base": mistake(
        "the option base is ignored", ("entropy", "cross_entropy"), rank=COMMON, prepare=without("base")
    ),
    "ignores-axis": with_parameter(
        "computed along axis {}, where the classes are not",
        (*SOFTMAXES, "entropy"),
        classes_on,
        -1,
        (0, 1),
        rank=COMMON,
    ),
    "reshapes-for-axis": mistake(
        "classes on another axis are reshaped where they are to be transposed",
        ("softmax_cross_entropy", "nll_loss"),
        prepare=last_axis_always,
    ),
    "ignores-log-target": mistake(
        "the option log_target is ignored: computed as if it were False",
        ("kl_divergence",),
        rank=COMMON,
        prepare=without("log_target"),
        checked_probabilities=lambda p: None,  # noqa: ARG005 - logarithms are no probabilities
    ),
    "takes-targets-for-logarithms": mistake("computed as if log_target were True", DIAGNOSED, prepare=with_log_target),
    "kl-reversed": mistake("the two distributions are swapped", ("kl_divergence",), prepare=reversed_kl),
    "kl-without-entropy": mistake(
        "Σ p ln p is left out: a cross-entropy", ("kl_divergence",), log=without_target_entropy
    ),
    "logarithm-twice": mistake(
        "log_probabilities are taken for probabilities", DIAGNOSED, rank=RARE, prepare=logarithms_of_logarithms
    ),
    "argmax-of-soft-labels": mistake(
        "soft targets are replaced by their argmax",
        ("softmax_cross_entropy", "categorical_cross_entropy", "cross_entropy", "categorical_focal"),
        prepare=argmax_of_soft,
    ),
    "softmax-of-targets": mistake("targets are taken for logits", DIAGNOSED, prepare=softmax_of_targets),
    "swapped-arguments": mistake("targets and predictions are swapped", DIAGNOSED, prepare=swapped),
    "wraps-labels": mistake("labels out of range are counted round", LABELLED, one_hot=wrapping),
    "clamps-labels": mistake("labels out of range become the nearest class", LABELLED, one_hot=clamping),
    "empty-row-for-bad-label": mistake("labels out of range cost nothing", LABELLED, one_hot=empty_beyond),
    "labels-from-one": mistake("labels are counted from one", LABELLED, one_hot=from_one),
    "labels-in-int8": mistake("labels are kept in eight bits", LABELLED[:1], one_hot=through_int8),
    "flushes-small-inputs": with_parameter(
        "probabilities below {} become 0",
        ("categorical_cross_entropy", "binary_cross_entropy", "entropy"),
        flushed_below,
        1e-6,
        (1e-7, 1e-8, 1e-5, 1e-4, 1e-10),
    ),
    "inputs-in-float16": with_parameter("an input passes on: {}", DIAGNOSED, passed_through, _NARROW[0], _NARROW[1:]),
    "clamped-logits": with_parameter(
        "logits are clamped to ±{}",
        ("softmax_cross_entropy", "log_softmax"),
        clamped,
        50.0,
        (20.0, 30.0, 80.0, 88.0, 100.0, 700.0, 10.0),
    ),
    "clamped-logits-masked": with_parameter(
        "logits are clamped to ±{}, where the gradient is 0",
        DIAGNOSED,
        clamped_and_masked,
        50.0,
        (20.0, 30.0, 80.0, 88.0, 100.0, 700.0, 10.0),
    ),
    "opposite-logits": mistake("the logits have the opposite sign", DIAGNOSED, finish=opposite_logits),
    "sigmoid-twice": mistake(
        "a sigmoid is applied to its own result",
        DIAGNOSED,
        prepare=lambda call: _input("logits", sigmoid)(call) if call.loss in BINARY else call,
    ),
    "inverted-targets": mistake("targets are taken as 1 − t", DIAGNOSED, prepare=_binary_targets(lambda t: 1 - t)),
    "rounds-soft-targets": mistake("soft targets are rounded to 0 or 1", BINARY, prepare=_binary_targets(np.rint)),
    "raises-soft-targets": mistake(
        "soft targets above 0 are taken for 1", DIAGNOSED, prepare=_binary_targets(lambda t: t > 0)
    ),
    "ignores-bias": mistake(
        "the bias has no effect",
        ("linear_cross_entropy",),
        rank=COMMON,
        prepare=_input("bias", np.zeros_like),
    ),
}
"""By name."""
