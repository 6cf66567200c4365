"""Cases drawn at random: losses, shapes, options, formats and hard values.

The shapes come from a small set, so that compilers compile once per signature; the numbers from lists of values at
which something happens: ties, the ends of each format, values next to each clamp.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from random import Random
from typing import Any

import numpy as np

from harness.core.case import (
    ArraySpec,
    Case,
    Choice,
    Expectation,
    ExpectImplementationDefined,
    ExpectRaises,
    ExpectTruth,
    Location,
)
from harness.core.formats import FORMATS, rounded
from harness.fuzzing.exact_inputs import written
from reference.evaluation import twice_differentiable
from reference.signatures import LOSSES

CHUNK = 64
"""Cases drawn at once."""

DTYPES = ("float64", "float32", "float32", "float16", "bfloat16")
"""float32 twice: it is what people compute in. The case is asked in the other formats too, which costs no drawing."""

_ORDINARY = (0.0, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, -0.5, -1.0, -2.0)
_TIES = (1.0, 1.0, 1.0, 0.0, -0.0)
_CONFIDENT = (10.0, -10.0, 12.5, 14.0, -14.0, 16.0, -16.5, 17.0, -17.0, 20.0, -20.0, 40.0)
_LARGE = (*_CONFIDENT, 88.0, 89.0, 100.0, -104.0, 700.0, 710.0, -745.0)
_HUGE = (1e3, -1e4, 1e4, 10001.0, 6e4, -6e4, 1e17, 3e38, -3e38)
_SPECIAL = (float("inf"), float("-inf"), float("nan"))
_PROBABILITIES = (0.1, 0.2, 0.25, 0.3, 0.5, 0.7, 0.9)
_TINY = (0.0, 1.0, 1e-310, 1e-40, 1e-20, 1e-13, 1e-12, 1e-10, 1e-8, 1e-7, 9e-8, 1e-4, 1 - 1e-7, 1 - 1e-3, 0.999)
_LOGS = (-0.5, -1.0, -2.0, -0.25, 0.0, -16.0, -100.0, -1e4, float("-inf"))
_LOGS_OF_TARGETS = (-0.5, -1.0, -2.0, -0.25, -8.0, float("-inf"))
_DIRECTIONS = (1.0, -2.0, 0.5, 0.0, 3.0, -0.25)
"""Entries of the vector that a Hessian is multiplied with."""
_WEIGHTS = (1.0, 2.0, 0.5, 0.0, 3.0, 0.25)
_NOWHERE = (float("nan"), float("inf"), float("-inf"), 1e30)
"""What a row holds that does not count: padding that was never written."""
_WRONG_LABELS = (-1, -100, 255, 2**32, 2**32 + 1, -(2**32))
"""Labels no small number of classes holds: the last of Python's indexing, the default of ignore_index, wrapping."""
LOCATION = Location("drawn", 0)


_OFTEN = {
    "softmax_cross_entropy": 8,
    "binary_cross_entropy_with_logits": 4,
    "binary_cross_entropy": 3,
    "categorical_cross_entropy": 3,
    "nll_loss": 3,
    "linear_cross_entropy": 3,
    "entropy": 1,
}
"""Parts of the cases; the others have 2 each."""


_KINDS = {
    "ordinary": _ORDINARY,
    "ties": _TIES,
    "confident": (*_ORDINARY, *_CONFIDENT, *_CONFIDENT),
    "large": (*_ORDINARY, *_LARGE, *_LARGE),
    "huge": (*_ORDINARY, *_LARGE, *_HUGE),
    "masked": (*_ORDINARY, float("-inf")),
    "infinite": (*_ORDINARY, float("inf"), float("-inf")),
    "special": (*_ORDINARY, *_ORDINARY, *_ORDINARY, *_SPECIAL),
}
_LOGIT_KIND = ("ordinary", "confident", "large", *_KINDS, "shifted", "ends")

FROM_OVERFLOW = 64
"""How far from the largest number inputs stay whose results are added up or weighed: 12 terms of a difference of two,
times a weight of up to 3. A sum that overflows though its mean does not is nearly everybody's, and drawn by `_long` on
purpose."""


def _logit_rows(
    dice: Random, shape: tuple[int, ...], dtype: str, *, bounded: bool = False
) -> np.ndarray[Any, np.dtype[np.float64]]:
    kind = dice.choice(_LOGIT_KIND)
    fmt = FORMATS[dtype]
    match kind:
        case "shifted":
            offset = dice.choice((100.0, 1000.0, -1e4, 1e4, 6e4, 1e8))
            values = _filled(dice, shape, _KINDS["ordinary"]) + offset
        case "ends":
            ends = (fmt.smallest_subnormal, fmt.smallest_normal, fmt.eps, 1 + fmt.eps, fmt.largest, -fmt.largest, 0.0)
            values = _filled(dice, shape, ends)
        case _:
            values = _filled(dice, shape, _KINDS[kind])
    if bounded:
        far = np.isfinite(values) & (np.abs(values) > fmt.largest / FROM_OVERFLOW)
        values = np.where(far, np.sign(values) * fmt.largest / FROM_OVERFLOW, values)
    return rounded(values, fmt)


_SHAPES = ((4, 3),) * 6 + ((1, 3), (1, 3), (4, 2), (4, 2), (2, 3, 2), (2, 3, 2), (3,))
_REDUCTIONS = ("none", "none", "mean", "sum")
_LABEL_TYPES = ("int64",) * 8 + ("int32", "int16", "int8", "uint8")


def _spec(values: Any, dtype: str | None = None, layout: str = "contiguous") -> ArraySpec:
    return ArraySpec(written(np.asarray(values)), dtype=dtype, layout=layout)


def _case(
    dice: Random,
    loss: str,
    dtype: str,
    inputs: dict[str, ArraySpec],
    options: dict[str, Any],
    raises: str | tuple[str, ...] | None = None,
    cotangent: ArraySpec | None = None,
) -> Case:
    """`raises`: the kind of error that is right, or the choices where nothing is."""
    signature = LOSSES[loss]
    expect: Expectation = ExpectTruth()
    if raises is not None:
        expect = ExpectRaises(raises) if isinstance(raises, str) else _defined(raises)
    differentiate = () if raises is not None else tuple(n for n in signature.differentiate if n in inputs)
    if not signature.reductions and cotangent is None:
        differentiate = ()
    vector = None
    is_literal = all(spec.generator is None for spec in inputs.values())
    if raises is None and twice_differentiable(loss, inputs) and is_literal and dice.choice(_ONE_IN_SIX):
        # 1/p² of a tiny probability overflows in every implementation, and 0 times infinity is nan.
        directions = tuple(n for n in _DIRECTIONS if n != 0.0 or loss != "binary_cross_entropy")
        vector = _spec(_filled(dice, np.shape(inputs[differentiate[0]].values), directions))
    return Case(
        id="fuzz/drawn",
        title=f"{loss.replace('_', ' ')} in {dtype}",
        why="Drawn at random.",
        loss=loss,
        inputs=inputs,
        location=LOCATION,
        options=options,
        dtypes=(dtype, *(name for name in FORMATS if name != dtype and _fits(name, inputs, options))),
        differentiate=differentiate,
        cotangent=cotangent,
        vector=vector,
        tags=("fuzz",),
        expect=expect,
    )


def _fits(dtype: str, inputs: dict[str, ArraySpec], options: dict[str, Any]) -> bool:
    """Whether what was drawn for one format stays as far from overflow in another."""
    if not _is_combined(options) or any(spec.generator is not None for spec in inputs.values()):
        return True
    for name in ("logits", "log_probabilities"):
        values = np.asarray(inputs[name].values if name in inputs else 0.0)
        if np.abs(values[np.isfinite(values)]).max(initial=0.0) > FORMATS[dtype].largest / FROM_OVERFLOW:
            return False
    return True


def _is_combined(options: dict[str, Any]) -> bool:
    """Whether results are added up or weighed."""
    return options.get("reduction", "none") != "none" or bool(_WEIGHING & set(options))


_WEIGHING = {"class_weights", "sample_weights", "label_smoothing", "pos_weight", "z_loss", "logit_scale"}
_ONE_IN_SIX = (True, False, False, False, False, False)


def _reduction(dice: Random) -> dict[str, Any]:
    return {"reduction": dice.choice(_REDUCTIONS)}


def _filled(dice: Random, shape: tuple[int, ...], values: Sequence[Any]) -> np.ndarray[Any, np.dtype[Any]]:
    return np.array(dice.choices(values, k=int(np.prod(shape)))).reshape(shape)


_PERHAPS = (True, False, False)
_RARELY = (True,) + (False,) * 15
_SOMETIMES = (True,) + (False,) * 7
_LAYOUT = ("contiguous",) * 6 + ("strided", "transposed")


def _cotangent(dice: Random, options: dict[str, Any], shape: tuple[int, ...]) -> ArraySpec | None:
    if options["reduction"] != "none" or not dice.choice(_PERHAPS):
        return None
    return _spec(_filled(dice, shape, (1.0, -2.0, 0.5, 3.0)))


def _axis(shape: tuple[int, ...]) -> int:
    return 1 if len(shape) == 3 else -1


_TARGET_KIND = (
    ("labels",) * 6
    + ("one-hot",) * 3
    + ("soft", "soft", "sum", "sum", "ignored", "ignored", "ignored")
    + ("wrong", "wrong", "row", "column", "fraction")
)


def _defined(choices: tuple[str, ...]) -> ExpectImplementationDefined:
    """What is drawn says by name which finite answer is meant, and takes any."""
    *kinds, answer = choices
    return ExpectImplementationDefined((*(Choice(kind, kind) for kind in kinds), Choice(answer, "any")))


def _choices(answer: str) -> tuple[str, ...]:
    """Where nothing is right: refusing, or an answer, which hard values make nan or infinite."""
    return "raises", "nan", "inf", answer


def _class_targets(
    dice: Random, shape: tuple[int, ...], dtype: str, options: dict[str, Any]
) -> tuple[ArraySpec, str | tuple[str, ...] | None]:
    """Labels or distributions, now and then wrong ones; with the kind of error that is right for those, or with the
    choices there are."""
    axis = _axis(shape) % len(shape)
    rows = tuple(n for n in (*shape[:axis], *shape[axis + 1 :]))
    classes = shape[axis]
    labels = _filled(dice, rows, range(classes))
    kind = dice.choice(_TARGET_KIND)
    if kind == "labels":
        return _spec(labels, dice.choice(_LABEL_TYPES)), None
    if kind == "ignored":
        ignored = dice.choice((-100, 0, -1))
        options["ignore_index"] = ignored
        chosen = _filled(dice, rows, (False, True))
        return _spec(np.where(chosen, ignored, labels), "int64"), None
    if kind == "wrong":
        wrong = dice.choice((*_WRONG_LABELS, classes, classes + 2))
        flat = labels.ravel().copy()
        flat[0] = wrong
        return _spec(flat.reshape(rows), "int64"), "out_of_range_label"
    if kind == "row" and shape[0] > 1 and len(shape) == 2:
        return _spec(np.eye(classes)[:1]), "shape_mismatch"
    if kind in ("column", "row", "fraction") and len(shape) == 1:
        return _spec(labels, "int64"), None
    if kind == "column" and len(shape) == 2:
        return _spec(labels[:, None], "int64"), _choices("the losses of a column of labels, squeezed")
    if kind == "fraction":
        return _spec(labels + dice.choice((0.5, 0.9)), "float32"), _choices("the losses of labels that are fractions")
    one_hot = np.moveaxis(np.eye(classes)[labels], -1, axis)
    if kind == "soft":
        other = np.roll(one_hot, 1, axis)
        one_hot = one_hot * 0.75 + other * 0.25
    if kind == "sum":
        one_hot = one_hot * dice.choice((2.0, 0.5, 0.0))
    return _spec(rounded(one_hot, FORMATS[dtype])), None


_SCALES = (0.7, 0.5, 2.0, -1.0, 1 / 3)
_CAPS = (5.0, 30.0, 0.5)


def _of_logits(dice: Random, options: dict[str, Any], shape: tuple[int, ...], *, reduced: bool = True) -> None:
    """Now and then some of what is done to logits; a mask that leaves the first class."""
    if not dice.choice(_SOMETIMES):
        return
    classes = shape[_axis(shape)]
    mask = _spec([1, *_filled(dice, (classes - 1,), (0, 1, 1))], "bool")
    drawn = {"logit_scale": dice.choice(_SCALES), "softcap": dice.choice(_CAPS), "class_mask": mask}
    options.update({name: value for name, value in drawn.items() if dice.choice((True, False))})
    if reduced and dice.choice(_PERHAPS):
        options["z_loss"] = dice.choice((0.125, 1e-4))


def _weights(dice: Random, options: dict[str, Any], shape: tuple[int, ...], names: tuple[str, ...]) -> None:
    axis = _axis(shape) % len(shape)
    rows = tuple(n for n in (*shape[:axis], *shape[axis + 1 :]))
    for name in names:
        if not dice.choice((True,) + (False,) * 5):
            continue
        if name == "class_weights":
            options[name] = _spec(_filled(dice, (shape[axis],), _WEIGHTS))
        elif name == "sample_weights":
            options[name] = _spec(_filled(dice, rows, _WEIGHTS))
        elif name == "label_smoothing":
            options[name] = dice.choice((0.1, 0.25, 1.0))


def _denominator(dice: Random, options: dict[str, Any]) -> None:
    if options["reduction"] == "mean" and ("class_weights" in options or "sample_weights" in options):
        chosen = dice.choice(("count", "weights", 7.0, None))
        options.update({} if chosen is None else {"denominator": chosen})


def _with_unwritten_row(
    dice: Random, rows: np.ndarray[Any, Any], targets: ArraySpec, options: dict[str, Any]
) -> np.ndarray[Any, Any]:
    """The rows, where the ignored ones now and then hold what padding holds."""
    if rows.ndim != 2 or "ignore_index" not in options or not dice.choice(_PERHAPS):
        return rows
    changed = rows.copy()
    changed[np.asarray(targets.values) == options["ignore_index"], 0] = dice.choice(_NOWHERE[:3])
    return changed


def _softmax_cross_entropy(dice: Random) -> Case:
    dtype, shape = dice.choice(DTYPES), dice.choice(_SHAPES)
    options = _reduction(dice)
    if dice.choice(_RARELY):
        return _long(dice, dtype, options)
    targets, raises = _class_targets(dice, shape, dtype, options)
    rows = tuple(n for i, n in enumerate(shape) if i != _axis(shape) % len(shape))
    smoothing_is_wrong = raises is None and dice.choice(_RARELY)
    if raises is None:
        _weights(dice, options, shape, ("class_weights", "sample_weights", "label_smoothing"))
        _of_logits(dice, options, shape)
        _denominator(dice, options)
    if len(shape) == 3:
        options["axis"] = 1
    if smoothing_is_wrong:
        options["label_smoothing"], raises = dice.choice((-0.1, 1.5)), "invalid_option"
    soft = targets.dtype is None
    values = _logit_rows(dice, shape, dtype, bounded=soft or _is_combined(options))
    logits = _spec(_with_unwritten_row(dice, values, targets, options), layout=dice.choice(_LAYOUT))
    cotangent = None if raises else _cotangent(dice, options, rows)
    inputs = {"logits": logits, "targets": targets}
    return _case(dice, "softmax_cross_entropy", dtype, inputs, options, raises, cotangent)


_HIDDEN = ("ordinary", "ordinary", "ties", "confident", "large")
_BIAS = ("absent", "ordinary", "confident", "masked")


def _linear_cross_entropy(dice: Random) -> Case:
    """Hidden states and weights whose products are exact in float32: what is hard is the loss behind them, and what
    is to be told from it is a transposed weight, a forgotten bias and a gradient that does not reach one of the three.
    """
    dtype, shape = dice.choice(DTYPES), dice.choice(((4, 3), (4, 3), (1, 3), (4, 5)))
    options = _reduction(dice)
    targets, raises = _class_targets(dice, shape, dtype, options)
    if raises is None:
        _weights(dice, options, shape, ("class_weights", "label_smoothing"))
        _of_logits(dice, options, shape)
        _denominator(dice, options)
    fmt = FORMATS[dtype]
    hidden = _filled(dice, (shape[0], 2), _KINDS[dice.choice(_HIDDEN)])
    inputs = {"hidden": _spec(rounded(hidden, fmt)), "weight": _spec(_filled(dice, (2, shape[1]), _ORDINARY))}
    bias = dice.choice(_BIAS)
    if bias != "absent":
        inputs["bias"] = _spec(rounded(_filled(dice, shape[1:], _KINDS[bias]), fmt))
    cotangent = None if raises else _cotangent(dice, options, shape[:1])
    inputs["targets"] = targets
    return _case(dice, "linear_cross_entropy", dtype, inputs, options, raises, cotangent)


def _linear_jensen_shannon(dice: Random) -> Case:
    """Two heads whose products are exact in float32, the teacher's one deeper; labels that only ignore."""
    dtype, classes = dice.choice(DTYPES), dice.choice((3, 5))
    fmt, options = FORMATS[dtype], _reduction(dice)
    if dice.choice(_PERHAPS):
        options["beta"] = dice.choice((0.1, 0.75))
    if dice.choice(_PERHAPS):
        options["logit_scale"] = dice.choice(_SCALES)
    inputs = {}
    for depth, names in ((2, ("hidden", "weight")), (3, ("target_hidden", "target_weight"))):
        hidden = _filled(dice, (4, depth), _KINDS[dice.choice(_HIDDEN)])
        inputs[names[0]] = _spec(rounded(hidden, fmt))
        inputs[names[1]] = _spec(_filled(dice, (depth, classes), _ORDINARY))
    cotangent = _cotangent(dice, options, (4,))
    if dice.choice(_PERHAPS):
        options["ignore_index"] = -100
        inputs["targets"] = _spec(_filled(dice, (4,), (-100, *range(classes))), "int64")
    return _case(dice, "linear_jensen_shannon", dtype, inputs, options, None, cotangent)


def _long(dice: Random, dtype: str, options: dict[str, Any]) -> Case:
    """A batch that is long for its format: sums that overflow, lose digits, or count beyond what it can hold."""
    count = dice.choice((4096, 40000))
    logits = ArraySpec(None, "uniform", {"shape": (count, 3), "low": -1.0, "high": 3.0, "seed": 1})
    targets = ArraySpec(None, "labels", {"shape": (count,), "classes": 3, "seed": 2})
    inputs = {"logits": logits, "targets": targets}
    return _case(dice, "softmax_cross_entropy", dtype, inputs, {"reduction": options["reduction"]})


def _activation(dice: Random, loss: str) -> Case:
    dtype = dice.choice(DTYPES)
    shape = dice.choice(((4, 3), (4, 3), (1, 3), (1, 3), (4, 2), (4, 2), (3,)))
    logits = _logit_rows(dice, shape, dtype)
    upstream = _filled(dice, shape, (1.0, -2.0, 0.5, 0.0))
    options: dict[str, Any] = {}
    _of_logits(dice, options, shape, reduced=False)
    cotangent = _spec(upstream) if dice.choice(_PERHAPS) else None
    return _case(dice, loss, dtype, {"logits": _spec(logits)}, options, None, cotangent)


def _probability_rows(
    dice: Random, shape: tuple[int, ...], dtype: str, *, normalised: bool, weights: bool = False
) -> np.ndarray[Any, np.dtype[np.float64]]:
    kind = dice.choice(("ordinary", "ordinary", "tiny", "certain"))
    if kind == "certain":
        values = np.eye(shape[-1])[_filled(dice, shape[:-1], range(shape[-1]))]
        return rounded(values, FORMATS[dtype])
    values = _filled(dice, shape, (*_PROBABILITIES, *(_TINY if kind == "tiny" else ())))
    if normalised and kind == "ordinary":
        values = values / values.sum(-1, keepdims=True)
    if weights:
        # A weight that is subnormal underflows when it is divided by N, in every implementation.
        values = np.where(values < 64 * FORMATS["float16"].smallest_normal, 0.0, values)
    return rounded(values, FORMATS[dtype])


def _categorical_cross_entropy(dice: Random) -> Case:
    dtype, shape = dice.choice(DTYPES), dice.choice(((4, 3), (1, 3), (4, 2)))
    options = _reduction(dice)
    targets, raises = _class_targets(dice, shape, dtype, options)
    if raises is None:
        _weights(dice, options, shape, ("class_weights", "sample_weights"))
        _denominator(dice, options)
    probabilities = _probability_rows(dice, shape, dtype, normalised=dice.choice((True, False)))
    inputs = {"probabilities": _spec(probabilities), "targets": targets}
    return _case(dice, "categorical_cross_entropy", dtype, inputs, options, raises)


def _cross_entropy(dice: Random) -> Case:
    dtype, shape = dice.choice(DTYPES), dice.choice(((4, 3), (1, 3)))
    targets = _probability_rows(dice, shape, dtype, normalised=True, weights=True)
    probabilities = _probability_rows(dice, shape, dtype, normalised=True)
    inputs = {"targets": _spec(targets), "probabilities": _spec(probabilities)}
    return _case(dice, "cross_entropy", dtype, inputs, _reduction(dice))


def _of_softmaxes(dice: Random, loss: str, *names: str) -> Case:
    """Functions of the logits of one softmax or of two, which are now and then the same."""
    dtype, shape = dice.choice(DTYPES), dice.choice(((4, 3), (1, 3)))
    options: dict[str, Any] = _reduction(dice) if LOSSES[loss].reductions else {}
    if loss == "logsumexp":
        _of_logits(dice, options, shape, reduced=False)
    elif dice.choice(_PERHAPS):
        options["logit_scale"] = dice.choice(_SCALES)
    if loss == "jensen_shannon" and dice.choice(_PERHAPS):
        options["beta"] = dice.choice((0.1, 0.75))
    logits = [_logit_rows(dice, shape, dtype, bounded=True) for _ in names]
    if dice.choice(_SOMETIMES):
        logits = logits[:1] * len(logits)
    inputs = {name: _spec(rows) for name, rows in zip(names, logits, strict=True)}
    return _case(dice, loss, dtype, inputs, options)


def _logsumexp(dice: Random) -> Case:
    return _of_softmaxes(dice, "logsumexp", "logits")


def _jensen_shannon(dice: Random) -> Case:
    if dice.choice((True, False)):
        return _of_softmaxes(dice, "jensen_shannon", "target_logits", "logits")
    dtype, shape = dice.choice(DTYPES), dice.choice(((4, 3), (1, 3)))
    names = ("targets", "probabilities")
    # Where both are 0 there is no derivative.
    inputs = {
        name: _spec(np.maximum(_probability_rows(dice, shape, dtype, normalised=True), 2.0**-8)) for name in names
    }
    return _case(dice, "jensen_shannon", dtype, inputs, _reduction(dice))


def _bernoulli_kl(dice: Random) -> Case:
    dtype, shape = dice.choice(DTYPES), dice.choice(_BINARY_SHAPES)
    inputs = {name: _spec(_filled(dice, shape, _PROBABILITIES)) for name in ("targets", "probabilities")}
    inputs = {name: _spec(rounded(np.asarray(spec.values), FORMATS[dtype])) for name, spec in inputs.items()}
    return _case(dice, "bernoulli_kl", dtype, inputs, _reduction(dice))


def _soft_margin(dice: Random) -> Case:
    dtype, shape = dice.choice(DTYPES), dice.choice(_BINARY_SHAPES)
    inputs = {
        "logits": _spec(_logit_rows(dice, shape, dtype, bounded=True)),
        "targets": _spec(_filled(dice, shape, (-1.0, 1.0))),
    }
    return _case(dice, "soft_margin", dtype, inputs, _reduction(dice))


def _entropy(dice: Random) -> Case:
    if dice.choice(_PERHAPS):
        return _of_softmaxes(dice, "entropy", "logits")
    dtype, shape = dice.choice(DTYPES), dice.choice(((4, 3), (1, 3)))
    probabilities = _probability_rows(dice, shape, dtype, normalised=True)
    return _case(dice, "entropy", dtype, {"probabilities": _spec(probabilities)}, _reduction(dice))


def _kl_divergence(dice: Random) -> Case:
    if dice.choice(_PERHAPS):
        return _of_softmaxes(dice, "kl_divergence", "target_logits", "logits")
    dtype, shape = dice.choice(DTYPES), dice.choice(((4, 3), (1, 3)))
    options: dict[str, Any] = {"reduction": dice.choice(("none", "none", "sum", "mean", "batchmean"))}
    logs = _filled(dice, shape, _LOGS)
    targets = _probability_rows(dice, shape, dtype, normalised=True, weights=True)
    if dice.choice(_PERHAPS):
        options["log_target"] = True
        logs_of = _filled(dice, shape, _LOGS_OF_TARGETS)
        targets = rounded(logs_of, FORMATS[dtype])
    inputs = {"targets": _spec(targets), "log_probabilities": _spec(rounded(logs, FORMATS[dtype]))}
    return _case(dice, "kl_divergence", dtype, inputs, options)


def _nll_loss(dice: Random) -> Case:
    dtype, shape = dice.choice(DTYPES), dice.choice(((4, 3), (1, 3)))
    options = _reduction(dice)
    logs = _filled(dice, shape, _LOGS)
    labels = _filled(dice, shape[:1], range(shape[1]))
    raises = None
    if dice.choice(_SOMETIMES):
        labels[0], raises = dice.choice((*_WRONG_LABELS, shape[1])), "out_of_range_label"
    else:
        _weights(dice, options, shape, ("class_weights",))
        if dice.choice(_SOMETIMES):
            options["ignore_index"] = int(labels[0])
    targets = _spec(labels, "int64")
    logs = _with_unwritten_row(dice, rounded(logs, FORMATS[dtype]), targets, options)
    inputs = {"log_probabilities": _spec(logs), "targets": targets}
    return _case(dice, "nll_loss", dtype, inputs, options, raises)


_BINARY_SHAPES = ((4,), (4,), (1,), (4, 3))
_BINARY_TARGETS = ("bits", "bits", "bits", "soft")


_SOFT_BITS = (0.0, 1.0, 0.5, 0.25, 0.999, 0.001, 1e-5, 1 - 1e-5, 1e-8)


def _binary_targets(dice: Random, shape: tuple[int, ...], dtype: str) -> tuple[ArraySpec, str | None]:
    """Bits or soft targets, now and then one that is no probability, with the kind of error that is right then."""
    choice = (0.0, 1.0) if dice.choice(_BINARY_TARGETS) == "bits" else _SOFT_BITS
    targets = _filled(dice, shape, choice)
    raises = None
    if dice.choice(_SOMETIMES):
        targets.flat[0], raises = dice.choice((1.5, -0.5, 2.0)), "invalid_probability"
    return _spec(rounded(targets, FORMATS[dtype])), raises


def _binary_with_logits(dice: Random) -> Case:
    dtype, shape = dice.choice(DTYPES), dice.choice(_BINARY_SHAPES)
    options = _reduction(dice)
    # The formula is linear in the target, and no framework refuses one outside [0, 1]: there is a truth for it.
    targets, _ = _binary_targets(dice, shape, dtype)
    if dice.choice(_PERHAPS):
        options["pos_weight"] = dice.choice((3.0, 0.5, 1.0))
    elif dice.choice(_PERHAPS):
        options["sample_weights"] = _spec(_filled(dice, shape, _WEIGHTS))
        _denominator(dice, options)
    inputs = {"logits": _spec(_logit_rows(dice, shape, dtype, bounded=True)), "targets": targets}
    cotangent = _cotangent(dice, options, shape)
    return _case(dice, "binary_cross_entropy_with_logits", dtype, inputs, options, None, cotangent)


def _binary(dice: Random) -> Case:
    dtype, shape = dice.choice(DTYPES), dice.choice(((4,), (1,)))
    options = _reduction(dice)
    targets, raises = _binary_targets(dice, shape, dtype)
    values = _filled(dice, shape, (*_PROBABILITIES, *_TINY))
    if raises is None and dice.choice(_SOMETIMES):
        values[0], raises = dice.choice((1.5, -0.1)), "invalid_probability"
    inputs = {"probabilities": _spec(rounded(values, FORMATS[dtype])), "targets": targets}
    return _case(dice, "binary_cross_entropy", dtype, inputs, options, raises)


def _binary_focal(dice: Random) -> Case:
    dtype, shape = dice.choice(DTYPES), dice.choice(((4,), (1,)))
    options: dict[str, Any] = {**_reduction(dice), "gamma": dice.choice((0.0, 0.5, 1.0, 2.0, 5.0))}
    if dice.choice(_PERHAPS):
        options["alpha"] = dice.choice((0.25, 0.5))
    if dice.choice(_SOMETIMES):
        options["label_smoothing"] = 0.125
    targets = _filled(dice, shape, (0.0, 1.0))
    inputs = {"logits": _spec(_logit_rows(dice, shape, dtype, bounded=True)), "targets": _spec(targets)}
    return _case(dice, "binary_focal", dtype, inputs, options)


def _categorical_focal(dice: Random) -> Case:
    dtype, shape = dice.choice(DTYPES), dice.choice(((4, 3), (1, 3)))
    options: dict[str, Any] = {**_reduction(dice), "gamma": dice.choice((0.0, 0.5, 2.0))}
    if dice.choice(_SOMETIMES):
        options["label_smoothing"] = 0.125
    labels = _filled(dice, shape[:1], range(shape[1]))
    inputs = {
        "logits": _spec(_logit_rows(dice, shape, dtype, bounded=True)),
        "targets": _spec(np.eye(shape[1])[labels]),
    }
    return _case(dice, "categorical_focal", dtype, inputs, options)


_BY_LOSS: Mapping[str, Callable[[Random], Case]] = {
    "entropy": _entropy,
    "softmax": partial(_activation, loss="softmax"),
    "log_softmax": partial(_activation, loss="log_softmax"),
    "logsumexp": _logsumexp,
    "cross_entropy": _cross_entropy,
    "kl_divergence": _kl_divergence,
    "jensen_shannon": _jensen_shannon,
    "bernoulli_kl": _bernoulli_kl,
    "soft_margin": _soft_margin,
    "nll_loss": _nll_loss,
    "categorical_cross_entropy": _categorical_cross_entropy,
    "softmax_cross_entropy": _softmax_cross_entropy,
    "linear_cross_entropy": _linear_cross_entropy,
    "linear_jensen_shannon": _linear_jensen_shannon,
    "binary_cross_entropy": _binary,
    "binary_cross_entropy_with_logits": _binary_with_logits,
    "binary_focal": _binary_focal,
    "categorical_focal": _categorical_focal,
}
DRAWN = tuple(_BY_LOSS)
"""The losses that can be drawn: all there are."""


def drawn(seed: int, losses: Sequence[str], chunk: int) -> list[Case]:
    """The cases of a chunk, in one format each: the same for the same numbers.

    Of the losses those come most often that have most options.
    """
    dice = Random(f"{seed} {chunk}")
    chosen = dice.choices(losses, [_OFTEN.get(loss, 2) for loss in losses], k=CHUNK)
    return [replace(_BY_LOSS[loss](dice), id=f"fuzz/{seed}-{chunk}-{n}") for n, loss in enumerate(chosen)]
