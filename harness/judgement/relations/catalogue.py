"""The relations: what has to hold between answers, whatever the truth is.

Each names its parts, calls that are made besides the case itself, and the equations between the answers. The allowance
is `gauge` where rounding may differ between the parts (each may be as far from the truth as the budget allows, so they
may be twice that far apart) and `bitwise` where both sides are the same operations on the same numbers, or differ by
a power of two.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from harness.core.call import BASE
from harness.judgement.agreement import Floats
from harness.judgement.relations.pose import Answered, Equation, Pose

Parts = Mapping[str, Pose]
GAUGE = "gauge: both sides are computed, so twice the budget of one"
BITWISE = "bitwise: the same operations on the same numbers, or a power of two apart where no number is subnormal"
BINARY = ("binary_cross_entropy", "binary_cross_entropy_with_logits", "binary_focal")


@dataclass(frozen=True)
class Relation:
    """One property of the family."""

    name: str
    statement: str
    allowance: str
    parts: Callable[[Pose], Parts]
    """The calls besides the base; Inexpressible where the relation says nothing about the case."""
    equations: Callable[[Answered], Iterator[Equation]]


def _same(a: Answered, part: str = "other") -> Iterator[Equation]:
    """Value and gradients of a part are those of the base."""
    yield Equation("value", a.values[part], a.values[BASE], a.gauge)
    for name, (left, right), gauge in a.slopes(part, BASE):
        yield Equation(f"gradient of {name}", left, right, gauge)


def _classifying(pose: Pose) -> None:
    pose.needs(pose.loss == "softmax_cross_entropy", "speaks of the cross-entropy from logits")
    pose.needs(pose.rows.ndim == 2, "speaks of rows of classes")


def _labels(pose: Pose) -> None:
    _classifying(pose)
    pose.unreduced()
    pose.needs(pose.has_labels, "speaks of integer labels")


def _every_row_counts_once(pose: Pose) -> None:
    weighing = {"class_weights", "sample_weights", "label_smoothing", "ignore_index"}
    pose.needs(not weighing & set(pose.options), "no row is left out, weighed or smoothed")


def _several_rows(pose: Pose) -> None:
    axes = 1 if pose.loss in BINARY else 2  # one axis alone holds the classes
    pose.needs(pose.rows.ndim >= axes and pose.rows.shape[0] > 1, "speaks of several rows")


def _one_hot(labels: Any, classes: int) -> Floats:
    hot: Floats = np.eye(classes)[labels]
    return hot


# --- transformations of the logits --------------------------------------------------------------------------------


def _shifted(pose: Pose) -> Parts:
    pose.needs(pose.scores == "logits" and pose.loss not in BINARY, "speaks of logits over classes")
    return {"other": pose.having(logits=pose.exact(pose.rows + 8.0))}


def _classes_turned(pose: Pose) -> Parts:
    pose.needs(pose.loss not in BINARY and pose.rows.ndim == 2, "speaks of rows of classes")
    pose.needs("weight" not in pose.inputs, "speaks of scores themselves, not of what they are computed from")
    pose.needs("ignore_index" not in pose.options, "no class is ignored")
    changed: dict[str, Any] = {pose.scores: np.roll(pose.rows, 1, -1)}
    classes = pose.rows.shape[-1]
    targets = pose.inputs.get("targets")
    if targets is not None:
        changed["targets"] = (targets + 1) % classes if pose.has_labels else np.roll(targets, 1, -1)
    weights = pose.options.get("class_weights")
    turned = pose.having({} if weights is None else {"class_weights": np.roll(weights, 1)}, **changed)
    if pose.loss in ("softmax", "log_softmax") and pose.cotangent is not None:
        turned = replace(turned, cotangent=np.roll(pose.cotangent, 1, -1))
    return {"other": turned}


def _turned_back(a: Answered) -> Iterator[Equation]:
    # Activations and gradients come back with their classes turned; losses do not have any.
    spread = a.values[BASE].shape == a.pose.rows.shape and a.pose.loss in ("softmax", "log_softmax")
    other = np.roll(a.values["other"], -1, -1) if spread else a.values["other"]
    yield Equation("value", other, a.values[BASE], a.gauge)
    for name, (left, right), gauge in a.slopes("other", BASE):
        yield Equation(f"gradient of {name}", np.roll(left, -1, -1), right, gauge)


def _rows_turned(pose: Pose) -> Parts:
    pose.unreduced()
    _several_rows(pose)
    changed = {n: np.roll(v, 1, 0) for n, v in pose.by_row.items()}
    weights = pose.options.get("sample_weights")
    turned = pose.having({} if weights is None else {"sample_weights": np.roll(weights, 1, 0)}, **changed)
    return {"other": replace(turned, cotangent=None if pose.cotangent is None else np.roll(pose.cotangent, 1, 0))}


def _rows_turned_back(a: Answered) -> Iterator[Equation]:
    yield Equation("value", np.roll(a.values["other"], -1, 0), a.values[BASE], a.gauge)
    for name, (left, right), gauge in a.slopes("other", BASE):
        # What all rows share has one gradient, which does not turn.
        turned = np.roll(left, -1, 0) if name in a.pose.by_row else left
        yield Equation(f"gradient of {name}", turned, right, gauge)


def _raised(pose: Pose) -> Parts:
    _labels(pose)
    return {"other": pose.having(logits=pose.exact(pose.rows + _one_hot(pose.inputs["targets"], pose.rows.shape[-1])))}


def _lower(a: Answered) -> Iterator[Equation]:
    yield Equation("value", a.values["other"], a.values[BASE], a.gauge, at_most=True)


def _padded(pose: Pose) -> Parts:
    _labels(pose)
    pose.needs("class_weights" not in pose.options and "label_smoothing" not in pose.options, "every class counts")
    return {"other": pose.having(logits=np.pad(pose.rows, ((0, 0), (0, 1)), constant_values=-np.inf))}


def _without_padding(a: Answered) -> Iterator[Equation]:
    yield Equation("value", a.values["other"], a.values[BASE], a.gauge)
    for name, (left, right), gauge in a.slopes("other", BASE):
        yield Equation(f"gradient of {name}", left[:, :-1], right, gauge)
        yield Equation(f"gradient of {name} at the padding", left[:, -1], np.zeros(len(left)))


def _split(pose: Pose) -> Parts:
    _labels(pose)
    pose.needs("class_weights" not in pose.options and "label_smoothing" not in pose.options, "every class counts")
    pose.needs(not bool((pose.inputs["targets"] == pose.rows.shape[-1] - 1).any()), "the last class is no target")
    halves = np.repeat(pose.rows[:, -1:] - np.log(2.0), 2, -1)
    return {"other": pose.having(logits=np.concatenate([pose.rows[:, :-1], halves], -1))}


def _unsplit(a: Answered) -> Iterator[Equation]:
    # x − ln 2 is rounded to the format: half a unit of the logit, which the gradient of the loss does not enlarge.
    gauge = a.gauge + np.abs(a.pose.rows[:, -1])
    yield Equation("value", a.values["other"], a.values[BASE], gauge)


# --- targets ------------------------------------------------------------------------------------------------------


def _as_one_hot(pose: Pose) -> Parts:
    pose.unreduced()
    pose.needs(pose.loss in ("softmax_cross_entropy", "categorical_cross_entropy"), "speaks of labels or distributions")
    pose.needs(pose.has_labels and pose.rows.ndim == 2, "speaks of integer labels")
    pose.needs("ignore_index" not in pose.options and "class_weights" not in pose.options, "no row is left out")
    return {"other": pose.having(targets=_one_hot(pose.inputs["targets"], pose.rows.shape[-1]))}


def _mixed(pose: Pose) -> Parts:
    pose.unreduced()
    pose.needs(
        pose.loss in ("softmax_cross_entropy", "cross_entropy", "categorical_cross_entropy"), "is linear in the target"
    )
    pose.needs(not pose.has_labels, "speaks of distributions")
    turned = np.roll(pose.inputs["targets"], 1, -1)
    middle = pose.exact((pose.inputs["targets"] + turned) / 2)
    return {"other": pose.having(targets=turned), "middle": pose.having(targets=middle)}


def _halfway(a: Answered) -> Iterator[Equation]:
    gauge = a.gauge + np.abs(a.values["other"])
    yield Equation("value", a.values["middle"], (a.values[BASE] + a.values["other"]) / 2, gauge)
    for name, (middle, left, right), slope in a.slopes("middle", BASE, "other"):
        yield Equation(f"gradient of {name}", middle, (left + right) / 2, slope + np.abs(right))


def _every_label_type(pose: Pose) -> Parts:
    _labels(pose)
    return {d: pose.having(targets=pose.inputs["targets"].astype(d)) for d in ("int32", "int16", "int8", "uint8")}


def _same_for_every_type(a: Answered) -> Iterator[Equation]:
    for part in a.values:
        if part != BASE:
            # Another type may be served by another kernel, which adds up in another order.
            yield Equation(f"value with {part} labels", a.values[part], a.values[BASE], a.gauge)


def _nothing(pose: Pose) -> Parts:
    _classifying(pose)
    pose.unreduced()
    return {}


def _plain_labels(pose: Pose) -> Parts:
    _labels(pose)
    _every_row_counts_once(pose)
    return {}


def _between_the_bounds(a: Answered) -> Iterator[Equation]:
    rows, value = a.pose.rows, a.values[BASE]
    gap = rows.max(-1) - rows[np.arange(len(rows)), a.pose.inputs["targets"]]
    yield Equation("m ≤ L", gap, value, a.gauge, at_most=True)
    yield Equation("L ≤ m + ln K", value, gap + np.log(rows.shape[-1]), a.gauge, at_most=True)


def _soft(pose: Pose) -> Parts:
    _nothing(pose)
    _every_row_counts_once(pose)
    pose.needs(not pose.has_labels, "speaks of distributions")
    pose.needs(bool((pose.inputs["targets"].sum(-1) == 1).all()), "targets that sum to 1")
    return {}


def _above_entropy(a: Answered) -> Iterator[Equation]:
    q = a.pose.inputs["targets"]
    entropy = -(q * np.log(np.where(q > 0, q, 1.0))).sum(-1)
    yield Equation("H(q) ≤ L", entropy, a.values[BASE], a.gauge, at_most=True)


def _slopes_cancel(a: Answered) -> Iterator[Equation]:
    for name, (slope,), gauge in a.slopes(BASE):
        yield Equation(f"sum of the gradient of {name}", slope.sum(-1), np.zeros(slope.shape[:-1]), gauge.sum(-1))


# --- weights, ignoring, smoothing, reductions -----------------------------------------------------------------------


def _unit_weights(pose: Pose) -> Parts:
    pose.needs(not {"class_weights", "sample_weights"} & set(pose.options), "unweighted")
    if pose.loss in BINARY:
        pose.needs(pose.loss != "binary_focal", "the focal loss has no weights")
        return {"other": pose.having({"sample_weights": np.ones(pose.rows.shape)})}
    _classifying(pose)
    pose.needs(pose.has_labels, "speaks of integer labels")
    return {"other": pose.having({"class_weights": np.ones(pose.rows.shape[-1])})}


def _weights_doubled(pose: Pose) -> Parts:
    weights = next((n for n in ("class_weights", "sample_weights") if n in pose.options), None)
    pose.unreduced()
    pose.needs(weights is not None, "speaks of weights")
    assert weights is not None
    return {"other": pose.having({weights: pose.options[weights] * 4.0})}


def _four_times(a: Answered) -> Iterator[Equation]:
    yield Equation("value", a.values["other"], 4.0 * a.values[BASE])
    for name, (left, right), _ in a.slopes("other", BASE):
        yield Equation(f"gradient of {name}", left, 4.0 * right)


def _first_row_gone(pose: Pose) -> Pose:
    pose.needs(len(pose.rows) > 1, "speaks of several rows")
    pose.needs("sample_weights" not in pose.options, "no row is weighed")
    return pose.having({"reduction": "sum"}, **{n: v[1:] for n, v in pose.inputs.items()})


def _weight_zero(pose: Pose) -> Parts:
    _labels(pose)
    pose.needs("class_weights" not in pose.options, "unweighted")
    weights = np.array([0.0] + [1.0] * (len(pose.rows) - 1))
    return {
        "other": pose.having({"reduction": "sum", "sample_weights": weights}),
        "deleted": _first_row_gone(pose),
    }


def _ignored(pose: Pose, row: float | None = None) -> Parts:
    _labels(pose)
    pose.needs("ignore_index" not in pose.options, "nothing is ignored yet")
    targets, rows = pose.inputs["targets"].copy(), pose.rows.copy()
    targets[0] = -100
    if row is not None:
        rows[0] = row
    options = {"ignore_index": -100, "reduction": "sum"}
    return {"other": pose.having(options, targets=targets, logits=rows), "deleted": _first_row_gone(pose)}


def _as_deleted(a: Answered) -> Iterator[Equation]:
    yield Equation("value", a.values["other"], a.values["deleted"], np.sum(a.gauge))
    for name, (left, right), gauge in a.slopes("other", "deleted"):
        yield Equation(f"gradient of {name}", left[1:], right, gauge[1:])
        yield Equation(f"gradient of {name} at the row left out", left[0], np.zeros_like(left[0]))


def _smoothings(pose: Pose) -> Parts:
    _labels(pose)
    pose.needs("label_smoothing" not in pose.options, "unsmoothed")
    return {"quarter": pose.having({"label_smoothing": 0.25}), "whole": pose.having({"label_smoothing": 1.0})}


def _a_quarter_of_the_way(a: Answered) -> Iterator[Equation]:
    gauge = a.gauge + np.abs(a.values["whole"])
    yield Equation("value", a.values["quarter"], 0.75 * a.values[BASE] + 0.25 * a.values["whole"], gauge)
    for name, (quarter, none, whole), slope in a.slopes("quarter", BASE, "whole"):
        yield Equation(f"gradient of {name}", quarter, 0.75 * none + 0.25 * whole, slope + np.abs(whole))


def _reductions(pose: Pose) -> Parts:
    pose.unreduced()
    pose.needs("reduction" in pose.options, "speaks of losses, which can be reduced")
    counts = not {"class_weights", "ignore_index"} & set(pose.options)
    pose.needs(counts, "the mean divides by the number of losses")
    return {"sum": pose.having({"reduction": "sum"}), "mean": pose.having({"reduction": "mean"})}


def _reduced_alike(a: Answered) -> Iterator[Equation]:
    losses = a.values[BASE]
    total = np.sum(a.gauge)
    yield Equation("sum", a.values["sum"], losses.sum(), total)
    yield Equation("mean", a.values["mean"] * losses.size, losses.sum(), total)


def _batches(pose: Pose) -> Parts:
    pose.unreduced()
    pose.needs("reduction" in pose.options, "speaks of losses, which can be reduced")
    _several_rows(pose)
    pose.needs(not pose.options.get("sample_weights"), "no row is weighed")
    tail = {n: v[1:] for n, v in pose.by_row.items()}
    return {"other": pose.having({"reduction": "sum"}), "tail": pose.having({"reduction": "sum"}, **tail)}


def _concatenated(a: Answered) -> Iterator[Equation]:
    yield Equation("value", a.values["other"], a.values["tail"] + a.values[BASE][0].sum(), np.sum(a.gauge))


# --- shapes and layouts ---------------------------------------------------------------------------------------------


def _more_axes(pose: Pose) -> Parts:
    _labels(pose)
    pose.needs(not {"ignore_index", "sample_weights"} & set(pose.options), "no row is left out or weighed")
    classes_second = np.ascontiguousarray(pose.rows.T)[None]
    turned = pose.having({"axis": 1}, logits=classes_second, targets=pose.inputs["targets"][None])
    return {"other": replace(turned, cotangent=None if pose.cotangent is None else pose.cotangent[None])}


def _fewer_axes(a: Answered) -> Iterator[Equation]:
    yield Equation("value", a.values["other"][0], a.values[BASE], a.gauge)
    for name, (left, right), gauge in a.slopes("other", BASE):
        yield Equation(f"gradient of {name}", left[0].T, right, gauge)


def _layouts(pose: Pose) -> Parts:
    pose.needs(pose.rows.ndim >= 2 or pose.loss in BINARY, "speaks of rows")
    names = ("strided", "transposed") if pose.rows.ndim >= 2 else ("strided",)
    return {name: replace(pose, layout=name) for name in names}


def _same_in_every_layout(a: Answered) -> Iterator[Equation]:
    for part in a.values:
        if part != BASE:
            for equation in _same(a, part):
                yield Equation(f"{equation.what}, {part}", equation.left, equation.right, equation.gauge)


def _upstream(pose: Pose) -> Parts:
    pose.unreduced()
    pose.needs(bool(pose.differentiate), "speaks of gradients")
    pose.needs(pose.rows.ndim <= 2 or pose.loss in BINARY, "speaks of rows of classes")
    pose.needs(pose.cotangent is not None and pose.loss not in ("softmax", "log_softmax"), "a cotangent of the losses")
    assert pose.cotangent is not None
    return {"ones": replace(pose, cotangent=np.ones_like(pose.cotangent))}


def _linear_in_the_cotangent(a: Answered) -> Iterator[Equation]:
    v = a.pose.cotangent
    for name, (weighted, plain), gauge in a.slopes(BASE, "ones"):
        assert v is not None
        if name not in a.pose.by_row:  # the sum over all rows, each with its own part of the cotangent
            continue
        scale = v.reshape(v.shape + (1,) * (plain.ndim - v.ndim))
        yield Equation(f"gradient of {name}", weighted, scale * plain, gauge + np.abs(scale * plain))


# --- binary -----------------------------------------------------------------------------------------------------------


def _binary_logits(pose: Pose) -> None:
    pose.needs(pose.loss == "binary_cross_entropy_with_logits", "speaks of binary logits")
    pose.needs("pos_weight" not in pose.options, "both sides weigh the same")
    pose.unreduced()


def _mirrored(pose: Pose) -> Parts:
    _binary_logits(pose)
    mirrored = pose.exact(1.0 - pose.inputs["targets"])
    pose.needs(bool((1.0 - mirrored == pose.inputs["targets"]).all()), "targets whose distance from 1 is exact")
    return {"other": pose.having(logits=-pose.rows, targets=mirrored)}


def _mirror_image(a: Answered) -> Iterator[Equation]:
    yield Equation("value", a.values["other"], a.values[BASE], a.gauge)
    for name, (left, right), gauge in a.slopes("other", BASE):
        yield Equation(f"gradient of {name}", -left, right, gauge)


def _both_targets(pose: Pose) -> Parts:
    _binary_logits(pose)
    _every_row_counts_once(pose)
    ones = np.ones_like(pose.rows)
    return {"zero": pose.having(targets=0 * ones), "one": pose.having(targets=ones)}


def _differ_by_the_logit(a: Answered) -> Iterator[Equation]:
    gauge = 1.0 + np.abs(a.values["zero"]) + np.abs(a.values["one"])
    yield Equation("BCE(z, 0) − BCE(z, 1) = z", a.values["zero"] - a.values["one"], a.pose.rows, gauge)


def _two_classes(pose: Pose) -> Parts:
    _labels(pose)
    pose.needs(pose.rows.shape[-1] == 2, "speaks of two classes")
    _every_row_counts_once(pose)
    z = pose.exact(pose.rows[:, 1] - pose.rows[:, 0])
    asked = {"logits": z, "targets": pose.inputs["targets"].astype(np.float64)}
    return {"other": pose.asking("binary_cross_entropy_with_logits", asked)}


def _value_alone(a: Answered) -> Iterator[Equation]:
    yield Equation("value", a.values["other"], a.values[BASE], a.gauge)


def _pos_weight_one(pose: Pose) -> Parts:
    _binary_logits(pose)
    return {"other": pose.having({"pos_weight": 1.0})}


def _focal(alpha: float | None) -> Callable[[Pose], Parts]:
    def parts(pose: Pose) -> Parts:
        _binary_logits(pose)
        _every_row_counts_once(pose)
        pose.needs(bool(np.isin(pose.inputs["targets"], (0.0, 1.0)).all()), "targets of 0 and 1")
        focal = pose.asking("binary_focal", pose.inputs)
        return {"other": focal.having({"gamma": 0.0, **({} if alpha is None else {"alpha": alpha})})}

    return parts


def _half_of_it(a: Answered) -> Iterator[Equation]:
    yield Equation("value", 2.0 * a.values["other"], a.values[BASE], a.gauge)


_ALL = (
    Relation("shift", "L(x + c) = L(x) for a constant c that is exact", GAUGE, _shifted, _same),
    Relation("class-permutation", "turning the classes turns the gradient only", GAUGE, _classes_turned, _turned_back),
    Relation("batch-permutation", "turning the rows turns the losses", GAUGE, _rows_turned, _rows_turned_back),
    Relation("label-is-one-hot", "a label is its one-hot distribution", GAUGE, _as_one_hot, _same),
    Relation("two-classes-are-binary", "CE of (a, b) is BCE of b − a", GAUGE, _two_classes, _value_alone),
    Relation("mirror", "L(z, t) = L(−z, 1 − t)", GAUGE, _mirrored, _mirror_image),
    Relation("binary-difference", "BCE(z, 0) − BCE(z, 1) = z", GAUGE, _both_targets, _differ_by_the_logit),
    Relation("bounds", "m ≤ L ≤ m + ln K with m = max x − x_y", GAUGE, _plain_labels, _between_the_bounds),
    Relation("gibbs", "L ≥ H(q)", GAUGE, _soft, _above_entropy),
    Relation("linear-in-the-target", "L((q + r)/2) = (L(q) + L(r))/2", GAUGE, _mixed, _halfway),
    Relation("gradient-sums-to-zero", "the gradient (Σq)p − q sums to 0 in every row", GAUGE, _nothing, _slopes_cancel),
    Relation("monotone", "raising x_y does not raise L", GAUGE, _raised, _lower),
    Relation("padding", "a class of logit −inf changes nothing", GAUGE, _padded, _without_padding),
    Relation("split-class", "a class at x is two classes at x − ln 2", GAUGE, _split, _unsplit),
    Relation("weights-times-four", "weights times 4 give losses times 4", BITWISE, _weights_doubled, _four_times),
    Relation("unit-weights", "weights of 1 are no weights", GAUGE, _unit_weights, _same),
    Relation("weight-zero-deletes", "a row of weight 0 is a deleted row", GAUGE, _weight_zero, _as_deleted),
    Relation("ignoring-deletes", "an ignored row is a deleted row", GAUGE, _ignored, _as_deleted),
    Relation(
        "ignoring-deletes-nan",
        "an ignored row of nan is a deleted row",
        GAUGE,
        lambda pose: _ignored(pose, np.nan),
        _as_deleted,
    ),
    Relation("smoothing-mixes", "L_ε = (1 − ε)L + ε L_1", GAUGE, _smoothings, _a_quarter_of_the_way),
    Relation("reductions-agree", "sum and N·mean are the sum of the losses", GAUGE, _reductions, _reduced_alike),
    Relation("concatenation", "the sum of a batch is the sum of its parts", GAUGE, _batches, _concatenated),
    Relation("more-axes", "(1, C, N) with the classes second is (N, C)", GAUGE, _more_axes, _fewer_axes),
    Relation("layouts", "strided and transposed memory holds the same numbers", GAUGE, _layouts, _same_in_every_layout),
    Relation(
        "label-types",
        "every integer type of labels gives the same value",
        GAUGE,
        _every_label_type,
        _same_for_every_type,
    ),
    Relation("linear-in-the-cotangent", "vjp(v) = v · vjp(1), row by row", GAUGE, _upstream, _linear_in_the_cotangent),
    Relation("pos-weight-one", "a positive weight of 1 is none", GAUGE, _pos_weight_one, _same),
    Relation("focal-without-focus", "focal with γ = 0 is BCE", GAUGE, _focal(None), _value_alone),
    Relation("focal-halved", "α = 1/2 halves the focal loss", GAUGE, _focal(0.5), _half_of_it),
)
RELATIONS: Mapping[str, Relation] = MappingProxyType({relation.name: relation for relation in _ALL})
"""By name. Not among them: modes agreeing, which is the aspect mode_agreement of every cell; and the symmetry of the
Hessian and forward = reverse mode, which no adapter can express, as the protocol asks for gradients only."""
