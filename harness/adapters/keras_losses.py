"""How each loss is asked of Keras: the function or the class, its arguments, and the conventions of the backend.

The functions return one loss per row (binary ones the mean over the last axis), so their user writes `keras.ops.mean`,
or puts each element on a row of its own with `keras.ops.expand_dims`. Weights per sample, and means that leave ignored
rows out, exist in the classes only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import keras
import numpy as np
from keras import ops

from harness.adapters.base import Array, Call, Unsupported

Tensors = Mapping[str, Any]
Compute = Callable[[Tensors], Any]


@dataclass(frozen=True)
class Recipe:
    """A public function or class by name, and the computation that calls it."""

    function: str
    compute: Compute
    convention: Mapping[str, Any] | None = None
    computed_with: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Loss:
    """A loss of Keras: its function, its class, what they are given, and how they compute."""

    function: str
    class_name: str
    predictions: Compute
    targets: Compute
    keywords: Mapping[str, Any]
    convention: Mapping[str, Any]
    elementwise: bool = False
    """True where Keras takes the mean over the last axis of what our loss keeps apart."""
    computed_with: Mapping[str, str] = field(default_factory=dict)


Builder = Callable[[Call], Recipe]
_COMMON = ("reduction", "denominator", "sample_weights")


def _named(name: str) -> Compute:
    return lambda tensors: tensors[name]


def _axis(call: Call) -> int:
    return int(call.options.get("axis", -1))


def _backend() -> str:
    return str(keras.backend.backend())


# ---- conventions -------------------------------------------------------------------------------------------------


def _computes_in(call: Call) -> str:
    return str(keras.config.floatx()) if call.mode == "class" or call.mode in MIXED else call.dtype


def _clip(call: Call) -> dict[str, Any]:
    """Probabilities are clipped to [ε, 1 − ε], both rounded to the dtype: 1 − 1e-7 is 1 in half precision."""
    epsilon = float(keras.config.epsilon())
    bounds = Array.of(np.array([epsilon, 1.0 - epsilon]), _computes_in(call)).to_float64()
    return {"clip": [float(bound) for bound in bounds]}


def _clip_once_summing_to_one(call: Call, *, sparse: bool) -> dict[str, Any]:
    """Rows are divided by their sum and then clipped; with labels on TensorFlow, clipped and then divided."""
    if sparse and _backend() == "tensorflow":
        return {**_clip(call), "renormalize": True}
    return {"renormalize": True, **_clip(call)}


def _clip_before_bce(call: Call) -> dict[str, Any]:
    """On PyTorch the clipped probability goes to torch's own BCE, whose clamps show in half precision."""
    clamps = {"log_clamp": -100.0, "gradient_clamp": float(np.float32(1e-12))} if _backend() == "torch" else {}
    return {**_clip(call), **clamps}


def _softmax_gradient() -> dict[str, Any]:
    """tensorflow#60314: the gradient is softmax − targets whatever the targets sum to, by design."""
    return {"gradient_of_targets_summing_to_one": True} if _backend() == "tensorflow" else {}


# ---- function or class -------------------------------------------------------------------------------------------


def _ask(call: Call, loss: _Loss) -> Recipe:
    skips_rows = call.options["reduction"] == "mean" and "ignore_index" in call.options
    if call.mode in MIXED:
        return _from_class(call, _after_a_narrow_layer(call, loss))
    if call.mode == MASKED:
        return _from_class(call, _after_a_mask(call, loss))
    if call.mode in ("class", "class-typed") or skips_rows or "sample_weights" in call.options:
        return _from_class(call, loss)
    return _from_function(call, loss)


def _after_a_mask(call: Call, loss: _Loss) -> _Loss:
    """What a layer before said of its rows: those of the ignored label are masked, and have any label, here 0."""
    if "ignore_index" not in call.options:
        raise Unsupported("no row is masked")
    ignored = call.options["ignore_index"]

    def kept(tensors: Tensors) -> Any:
        return ops.not_equal(tensors["targets"], ignored)

    def predictions(tensors: Tensors) -> Any:
        return keras.layers.Lambda(lambda x: x, mask=kept(tensors), dtype=call.dtype)(loss.predictions(tensors))

    return replace(
        loss,
        predictions=predictions,
        targets=lambda tensors: ops.where(kept(tensors), tensors["targets"], 0),
        keywords={name: value for name, value in loss.keywords.items() if name != "ignore_class"},
        computed_with={**loss.computed_with, "mask": "keras.layers.Lambda(…, mask=…)"},
    )


def _after_a_narrow_layer(call: Call, loss: _Loss) -> _Loss:
    """The last layer of a model under a mixed policy answers in its half; the loss object computes in floatx."""
    if call.dtype != "float32":
        raise Unsupported("the variables of a model under a mixed policy are float32")
    policy = keras.DTypePolicy(MIXED[call.mode])

    def predictions(tensors: Tensors) -> Any:
        return keras.layers.Activation("linear", dtype=policy)(loss.predictions(tensors))

    stated = {"last layer": f"keras.layers.Activation under {policy.name}"}
    convention = {**loss.convention, "computed_in": policy.compute_dtype}
    computed_with = {**loss.computed_with, **stated}
    return replace(loss, predictions=predictions, convention=convention, computed_with=computed_with)


def _from_function(call: Call, loss: _Loss) -> Recipe:
    reduction = call.options["reduction"]
    reduce = {"none": None, "sum": ops.sum, "mean": ops.mean}.get(reduction, reduction)
    if isinstance(reduce, str):
        raise Unsupported(f"keras.losses.{loss.class_name} has no reduction {reduction}")
    apart = loss.elementwise and (reduction != "mean" or call.inputs["targets"].shape == ())
    function = getattr(keras.losses, loss.function)

    def compute(tensors: Tensors) -> Any:
        rows = function(*_operands(loss, tensors, apart), **loss.keywords)
        return rows if reduce is None else reduce(rows)

    stated = {} if reduce is None else {"reduction": f"keras.ops.{reduction}"}
    return Recipe(f"keras.losses.{loss.function}", compute, loss.convention or None, {**_stated(loss, apart), **stated})


def _from_class(call: Call, loss: _Loss) -> Recipe:
    reduction, denominator = call.options["reduction"], call.options.get("denominator")
    by_weights = reduction == "mean" and denominator == "weights" and "sample_weights" in call.options
    mean = "mean_with_sample_weight" if by_weights else "sum_over_batch_size"
    names = {"none": "none", "sum": "sum", "mean": mean}
    if reduction not in names:
        raise Unsupported(f"keras.losses.{loss.class_name} has no reduction {reduction}")
    apart = loss.elementwise and (reduction != "mean" or "sample_weights" in call.options)
    dtype = None if call.mode == "class" or call.mode in MIXED else call.dtype
    # The last axis is every class's default, and classes of older versions take no axis at all.
    keywords = {name: value for name, value in loss.keywords.items() if (name, value) != ("axis", -1)}
    instance = getattr(keras.losses, loss.class_name)(reduction=names[reduction], dtype=dtype, **keywords)

    def compute(tensors: Tensors) -> Any:
        return instance(*_operands(loss, tensors, apart), sample_weight=tensors.get("sample_weights"))

    # divide_no_nan: the mean over nothing is 0, and a mean over the count leaves out what is ignored.
    skipped: dict[str, Any] = {"finite_zero_mean": True} if reduction == "mean" else {}
    if reduction == "mean" and not by_weights and "ignore_index" in call.options:
        skipped = {"denominator": "valid", **skipped}
    stated = {**_stated(loss, apart), "reduction": names[reduction], "dtype": _computes_in(call)}
    return Recipe(f"keras.losses.{loss.class_name}", compute, {**loss.convention, **skipped} or None, stated)


def _operands(loss: _Loss, tensors: Tensors, apart: bool) -> tuple[Any, Any]:
    targets, predictions = loss.targets(tensors), loss.predictions(tensors)
    return (ops.expand_dims(targets, -1), ops.expand_dims(predictions, -1)) if apart else (targets, predictions)


def _stated(loss: _Loss, apart: bool) -> dict[str, str]:
    return {**loss.computed_with, **({"rows": "keras.ops.expand_dims(..., -1)"} if apart else {})}


# ---- the losses --------------------------------------------------------------------------------------------------


def _activation(name: str) -> Builder:
    def recipe(call: Call) -> Recipe:
        call.refuse_options_except("axis", of=f"keras.ops.{name}")
        if call.mode in ("class", "class-typed", MASKED, *MIXED):
            raise Unsupported(f"keras.losses has no class for {name}")
        return Recipe(f"keras.ops.{name}", lambda tensors: getattr(ops, name)(tensors["logits"], axis=_axis(call)))

    return recipe


IN_A_GRAPH = {"activated-graph": "composed"}
"""The mode of TensorFlow in which its own activation and the loss are one graph, and the tag of its cases."""
ACTIVATED = ("activated", "activated-elsewhere", *IN_A_GRAPH)
"""Modes in which probabilities are the output of an activation."""
MASKED = "masked"
"""The mode in which a layer says which rows count, as the mask of its output, and the loss object reads it there."""
MIXED = {"mixed-float16": "mixed_float16", "mixed-bfloat16": "mixed_bfloat16"}
"""Modes in which the last layer before a loss object has a mixed policy: which."""
TAGGED = {
    "activated": "composed",
    "activated-elsewhere": "composed-elsewhere",
    "class-typed": "loss-dtype",
    MASKED: "masked-rows",
    **dict.fromkeys(MIXED, "mixed-policy"),
}
"""Modes that are about the cases of one tag only: which."""


def _tensorflow_activations() -> Any:
    from harness.adapters import tensorflow_calls  # Keras on another back end is there without it

    return tensorflow_calls.ACTIVATIONS


def _scores(call: Call, name: str) -> Compute:
    """What a loss is given: the input as it is, or what an activation makes of logits whose probabilities it is."""
    if call.mode not in ACTIVATED or name != "probabilities":
        return _named(name)
    activations = _tensorflow_activations() if call.mode in IN_A_GRAPH else ops
    if call.loss == "binary_cross_entropy":
        if call.mode == "activated-elsewhere":
            raise Unsupported("a sigmoid has no axis")
        return lambda tensors: activations.sigmoid(ops.log(tensors[name]) - ops.log1p(-tensors[name]))
    if call.mode != "activated-elsewhere":
        return lambda tensors: activations.softmax(ops.log(tensors[name]), axis=_axis(call))
    # A softmax along the first axis does not see what is added along the others: here the number of the class.
    count = ops.arange(call.inputs[name].shape[-1], dtype=call.dtype)
    return lambda tensors: ops.softmax(ops.log(tensors[name]) + count, axis=0)


def _classifying(scores: str) -> Builder:
    def recipe(call: Call) -> Recipe:
        targets, rows = call.inputs["targets"], call.inputs[scores]
        distributions = targets.shape == rows.shape or (targets.is_float and targets.storage.ndim == rows.storage.ndim)
        from_logits = scores == "logits"
        clipped = {} if from_logits else _clip_once_summing_to_one(call, sparse=not distributions)
        keywords: dict[str, Any] = {"from_logits": from_logits, "axis": _axis(call)}
        if not distributions:
            names = ("sparse_categorical_crossentropy", "SparseCategoricalCrossentropy")
            call.refuse_options_except(*_COMMON, "axis", "ignore_index", of=f"keras.losses.{names[1]}")
            keywords["ignore_class"] = call.options.get("ignore_index")
            return _ask(call, _Loss(*names, _scores(call, scores), _named("targets"), keywords, clipped))
        names = ("categorical_crossentropy", "CategoricalCrossentropy")
        call.refuse_options_except(*_COMMON, "axis", "label_smoothing", of=f"keras.losses.{names[1]}")
        keywords["label_smoothing"] = call.options.get("label_smoothing", 0.0)
        convention = _softmax_gradient() if from_logits else clipped
        return _ask(call, _Loss(*names, _scores(call, scores), _named("targets"), keywords, convention))

    return recipe


def _binary(scores: str) -> Builder:
    def recipe(call: Call) -> Recipe:
        call.refuse_options_except(*_COMMON, "label_smoothing", of="keras.losses.BinaryCrossentropy")
        from_logits = scores == "logits"
        keywords = {"from_logits": from_logits, "label_smoothing": call.options.get("label_smoothing", 0.0)}
        names = ("binary_crossentropy", "BinaryCrossentropy")
        convention = {} if from_logits else _clip_before_bce(call)
        return _ask(
            call, _Loss(*names, _scores(call, scores), _named("targets"), keywords, convention, elementwise=True)
        )

    return recipe


def _focal(call: Call, *, binary: bool) -> Recipe:
    """Both focal losses turn logits into probabilities first and clip those.

    Except the binary one on TensorFlow: `keras.ops.sigmoid` leaves a note of its logits on the tensor, and the binary
    cross-entropy there goes back to them.
    """
    name = "BinaryFocalCrossentropy" if binary else "CategoricalFocalCrossentropy"
    understood = (*_COMMON, "alpha", "gamma", "label_smoothing", *(() if binary else ("axis",)))
    call.refuse_options_except(*understood, of=f"keras.losses.{name}")
    alpha = call.options.get("alpha")
    keywords: dict[str, Any] = {"from_logits": True, "gamma": call.options.get("gamma", 2.0)}
    if "label_smoothing" in call.options:
        keywords["label_smoothing"] = call.options["label_smoothing"]
    if alpha is not None:
        keywords["alpha"] = alpha.to_float64().tolist() if isinstance(alpha, Array) else alpha
    operands = (_named("logits"), _named("targets"))
    if binary:
        keywords["apply_class_balancing"] = alpha is not None
        names = ("binary_focal_crossentropy", "BinaryFocalCrossentropy")
        clipped = {} if _backend() == "tensorflow" else _clip_before_bce(call)
        return _ask(call, _Loss(*names, *operands, keywords, clipped, elementwise=True))
    if call.inputs["targets"].shape != call.inputs["logits"].shape and not call.inputs["targets"].is_float:
        raise Unsupported("keras.losses.CategoricalFocalCrossentropy takes distributions, not labels")
    keywords = {"alpha": 1.0, **keywords, "axis": _axis(call)}  # by itself it weights every class by 0.25
    names = ("categorical_focal_crossentropy", "CategoricalFocalCrossentropy")
    return _ask(call, _Loss(*names, *operands, keywords, {"renormalize": True, **_clip(call)}))


def _kl_divergence(call: Call) -> Recipe:
    """Keras takes the probabilities themselves, and clips both distributions to [ε, 1]."""
    call.refuse_inputs_except("targets", "log_probabilities")
    call.refuse_options_except(*_COMMON, "axis", "log_target", of="keras.losses.KLDivergence")
    ndim = call.inputs["targets"].storage.ndim
    if ndim and _axis(call) % ndim != ndim - 1:
        raise Unsupported("keras.losses.KLDivergence has no axis: the classes are on the last one")
    log_target = bool(call.options.get("log_target", False))
    lower = float(Array.of(np.array(float(keras.config.epsilon())), _computes_in(call)).to_float64())
    loss = _Loss(
        "kl_divergence",
        "KLDivergence",
        lambda tensors: ops.exp(tensors["log_probabilities"]),
        lambda tensors: ops.exp(tensors["targets"]) if log_target else tensors["targets"],
        {},
        {"clip": [lower, 1.0]},
        computed_with={"probabilities": "keras.ops.exp(log_probabilities)"},
    )
    return _ask(call, loss)


RECIPES: Mapping[str, Builder] = {
    "softmax": _activation("softmax"),
    "log_softmax": _activation("log_softmax"),
    "logsumexp": _activation("logsumexp"),
    "cross_entropy": _classifying("probabilities"),
    "kl_divergence": _kl_divergence,
    "categorical_cross_entropy": _classifying("probabilities"),
    "softmax_cross_entropy": _classifying("logits"),
    "binary_cross_entropy": _binary("probabilities"),
    "binary_cross_entropy_with_logits": _binary("logits"),
    "binary_focal": lambda call: _focal(call, binary=True),
    "categorical_focal": lambda call: _focal(call, binary=False),
}
