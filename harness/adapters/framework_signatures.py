"""The frameworks' own functions as data: which of their parameters is which input or option of ours.

One table, read in both directions. `matched` takes the arguments of somebody's call and says which call of ours it is:
so a known-bad implementation can stand in the place of a function. `spelled` takes a call of ours and says with which
arguments a function of that signature is called: so a plain function can be judged without an adapter of its own.

`softmax_cross_entropy(logits, targets, …)`, a loss by its own name, is a function of NumPy arrays in our words;
`value_and_grad(softmax_cross_entropy)` one that returns the gradient with respect to its first input besides.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from harness.adapters.base import Array, Call, Unsupported
from harness.core.call import default_denominator
from reference.signatures import LOSSES

REQUIRED = inspect.Parameter.empty
NOTHING: Mapping[str, Any] = MappingProxyType({})

Inputs = dict[str, Array]
Options = dict[str, Any]
Settle = Callable[[Inputs, Options], tuple[Inputs, Options]]


@dataclass(frozen=True)
class Parameter:
    """A parameter of a framework's function."""

    name: str
    means: str = ""
    """Our input or option; empty for one that has to be left as it is."""
    default: Any = REQUIRED
    neutral: Any = None
    """The value that says the same as no option of ours, besides None."""
    always_array: bool = False
    """Whether a number is handed over as an array that holds it."""


def as_it_is(inputs: Inputs, options: Options) -> tuple[Inputs, Options]:
    return inputs, options


@dataclass(frozen=True)
class Framework:
    """What the arrays of a framework can hold, and what its functions take."""

    dtypes: tuple[str, ...]
    labels: tuple[str, ...]
    """Types of class labels; empty: any integers."""
    strides: str
    """Whether its arrays keep the strides they are made with: `any`, `forwards` or `none`."""


NUMPY = Framework(("float64", "float32", "float16"), (), "any")
FRAMEWORKS: Mapping[str, Framework] = MappingProxyType(
    {
        "torch": Framework(("float64", "float32", "float16", "bfloat16"), ("int64",), "forwards"),
        "tf": Framework(("float64", "float32", "float16", "bfloat16"), ("int32", "int64"), "none"),
        # Unless told otherwise before it starts, JAX narrows all that has 64 bits.
        "jax": Framework(("float32", "float16", "bfloat16"), ("int32",), "none"),
    }
)
"""By the beginning of a function's name; of what has none of these, the arrays are NumPy's."""
_RESTS_ON = {"keras": "tf", "optax": "jax"}


@dataclass(frozen=True)
class Signature:
    """A function of a framework, or one of the losses it computes."""

    function: str
    loss: str
    parameters: tuple[Parameter, ...]
    says: Mapping[str, Any] = field(default_factory=dict)
    """Options that it has without a parameter for them, such as {"reduction": "none"}."""
    when: Mapping[str, Any] = field(default_factory=dict)
    """The values of parameters under which it computes this loss."""
    classes: int | None = None
    """The axis of the classes, where no parameter names it and there are two axes at least; None: there is none."""
    targets: str = "either"
    """Whether it takes labels, distributions or either."""
    settle: Settle = as_it_is
    """What else the function takes for granted, from the arguments to the inputs and options of the call."""
    by_element: bool = False
    """Whether each element is a row of its own in the reductions `none` and `mean`."""
    row_mean: bool = False
    """Whether what comes back is the mean over the last axis of what our loss keeps apart."""
    divides: str = ""
    """What its mean divides by, where that follows from nothing else: a name among the conventions' denominators, or
    `default`, by the rule for calls that do not say."""
    with_gradient: bool = False
    """Whether it returns the gradient with respect to the first differentiated input besides."""
    convention: Mapping[str, Any] = field(default_factory=dict)
    """Documented choices of the framework's own function, which one of this signature may make as well."""
    made: bool = False
    """Whether it is a class: made with what has a default, and then called with the rest."""

    @property
    def framework(self) -> str:
        """torch, tf, jax or numpy: whose arrays it takes, of Keras those of its first backend."""
        first = self.function.partition(".")[0] if "." in self.function else "numpy"
        return _RESTS_ON.get(first, first)

    @property
    def arrays(self) -> Framework:
        return FRAMEWORKS.get(self.framework, NUMPY)

    @property
    def means(self) -> frozenset[str]:
        return frozenset(parameter.means for parameter in self.parameters if parameter.means)

    @property
    def scores(self) -> str:
        """The input that is differentiated first."""
        possible = LOSSES[self.loss].differentiate
        return next((name for name in possible if name in self.means), possible[0])

    @property
    def reduces(self) -> bool:
        """Whether it is reduced by itself, in one way or in several."""
        return "reduction" in self.means or self.says.get("reduction", "none") != "none"


# ---- from a call of the function to ours --------------------------------------------------------------------------


@dataclass(frozen=True)
class Matched:
    """A call of a framework's function: its arguments by our names, arrays as the framework has them."""

    signature: Signature
    inputs: Mapping[str, Any]
    options: Mapping[str, Any]

    @property
    def arrays(self) -> Mapping[str, Any]:
        """All that may be an array, by our name: inputs and options together."""
        return {**self.inputs, **self.options}

    def call(self, arrays: Mapping[str, Array], cotangent: Array | None, differentiate: Sequence[str]) -> Call:
        """The call of ours, with `arrays` in the place of the framework's; the cotangent is that of `value`."""
        inputs = {name: arrays[name] for name in self.inputs}
        options = {name: arrays.get(name, option) for name, option in self.options.items()}
        inputs, options = self.signature.settle(inputs, {**self.signature.says, **options})
        dtype = inputs[self.signature.scores].dtype
        if cotangent is not None and self.signature.row_mean:
            inside = inputs[self.signature.scores].shape
            spread = np.broadcast_to(cotangent.to_float64()[..., None] / inside[-1], inside)
            cotangent = Array.of(spread, dtype)
        return Call(
            self.signature.loss, inputs, options, dtype, differentiate=tuple(differentiate), cotangent=cotangent
        )

    def value(self, value: Array) -> Array:
        """What the function returns, from the value of `call`."""
        return Array.of(value.to_float64().mean(-1), value.dtype) if self.signature.row_mean else value

    def gradient(self, gradient: Array, shape: tuple[int, ...]) -> Array:
        """The gradient for an argument of this shape."""
        if self.signature.by_element and gradient.shape == (*shape, 1):
            return Array(gradient.dtype, gradient.storage.reshape(shape))
        return gradient


def matched(function: str, arguments: Sequence[Any], keywords: Mapping[str, Any]) -> Matched:
    """The call of ours that a call of a function of this signature is; TypeError where it is none."""
    variants = signatures(function)
    known = variants[0].parameters
    given = _by_name(known, arguments, keywords)
    for signature in variants:
        if all(given.get(name) == value for name, value in signature.when.items()):
            return _translated(signature, given)
    conditions = " or ".join(str(dict(signature.when)) for signature in variants)
    raise TypeError(f"{function} is known with {conditions} only")


def _by_name(parameters: Sequence[Parameter], arguments: Sequence[Any], keywords: Mapping[str, Any]) -> dict[str, Any]:
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    # Parameters without a default may follow others where a framework has them by keyword only.
    written = sorted(parameters, key=lambda p: p.default is not REQUIRED)
    bound = inspect.Signature([inspect.Parameter(p.name, kind, default=p.default) for p in written]).bind(
        *arguments, **keywords
    )
    bound.apply_defaults()
    return dict(bound.arguments)


def _translated(signature: Signature, given: Mapping[str, Any]) -> Matched:
    inputs: dict[str, Any] = {}
    options: dict[str, Any] = {}
    for parameter in signature.parameters:
        value = given[parameter.name]
        if parameter.name in signature.when or value is None:
            continue
        if not parameter.means:
            if value is not parameter.default:
                raise TypeError(f"{signature.function}: {parameter.name}={value!r} is not known here")
        elif parameter.means in LOSSES[signature.loss].inputs:
            inputs[parameter.means] = value
        elif _is_array(value) or parameter.neutral is None or value != parameter.neutral:
            options[parameter.means] = value
    return Matched(signature, inputs, options)


def _is_array(value: Any) -> bool:
    return hasattr(value, "shape") and hasattr(value, "dtype")


# ---- from our call to arguments of the function -------------------------------------------------------------------


@dataclass(frozen=True)
class Spelled:
    """The arguments with which a function of a signature is called: arrays are ours, everything else is Python's."""

    signature: Signature
    arguments: Mapping[str, Any]
    """What has no default, by the name of the parameter, in order: handed over by position."""
    keywords: Mapping[str, Any]
    reduction: str | None
    """The reduction that its user writes behind it, where it has none of its own."""
    moved: tuple[int, int] | None = None
    """From which axis to which the classes were moved, since the function has them there."""
    convention: Mapping[str, Any] | None = None
    """Documented choices of such a function in this call."""

    def of(
        self,
        tensors: Mapping[str, Any],
        write: Callable[[Array], Any],
        move: Callable[[Any, int, int], Any],
        shape: Callable[[str, Any], Any] = lambda _, tensor: tensor,
    ) -> tuple[list[Any], dict[str, Any]]:
        """The same arguments as a framework has them: its tensors by our names, others of our arrays written.

        `shape` has the last word on what is one of the call's arrays, by our name.
        """
        means = {parameter.name: parameter.means for parameter in self.signature.parameters}
        ours = LOSSES[self.signature.loss].inputs

        def given(parameter: str, value: Any) -> Any:
            name = means[parameter]
            if not isinstance(value, Array):
                return value
            if name not in tensors:
                return write(value)
            if self.signature.row_mean and name in ours:
                return tensors[name][..., None]
            moves = self.moved is not None and name in ours and len(value.shape) == len(self.scores.shape)
            return shape(name, move(tensors[name], *self.moved) if moves and self.moved else tensors[name])

        arguments = [given(name, value) for name, value in self.arguments.items()]
        return arguments, {name: given(name, value) for name, value in self.keywords.items()}

    @property
    def scores(self) -> Array:
        """The input that is differentiated first, its classes where the function has them."""
        means = {parameter.means: parameter.name for parameter in self.signature.parameters}
        scores: Array = self.arguments[means[self.signature.scores]]
        return scores


def spelled(function: str | Sequence[Signature], call: Call) -> Spelled:
    """The arguments of a function of this signature for a call; Unsupported where it has no such call."""
    refusals = []
    for signature in signatures(function) if isinstance(function, str) else function:
        try:
            return _spelled(signature, call)
        except Unsupported as refusal:
            refusals.append(str(refusal))
    raise Unsupported("; ".join(dict.fromkeys(refusals)))


def _spelled(signature: Signature, call: Call) -> Spelled:
    if call.loss != signature.loss:
        raise Unsupported(f"{signature.function} computes {signature.loss}")
    if signature.scores not in call.inputs:
        raise Unsupported(f"{signature.function} takes {signature.scores}, not {' and '.join(call.inputs)}")
    scores = call.inputs[signature.scores]
    _check_targets(signature, call, scores)
    options = dict(call.options)
    if "denominator" not in signature.means and isinstance(options.pop("denominator", ""), int | float):
        raise Unsupported(f"{signature.function} takes no number to divide by")
    moved = None
    inputs = dict(call.inputs)
    if "axis" not in signature.means and signature.classes is not None:
        axis, rank = int(options.pop("axis", -1)), scores.storage.ndim
        if rank and not -rank <= axis < rank:
            raise Unsupported(f"{signature.function} has no axis to name")
        if rank and axis % rank != _where(signature, rank) % rank:
            moved = (axis % rank, _where(signature, rank))
            inputs = {n: _moved(signature, a, rank, axis) for n, a in inputs.items()}
    reduction = None
    if "reduction" in options and not signature.reduces:
        reduction = options.pop("reduction")
        if reduction not in ("none", "sum", "mean"):
            raise Unsupported(f"no reduction {reduction} behind a function without reductions")
    if signature.by_element and options.get("reduction") == "none":
        raise Unsupported(f"{signature.function} returns every term, not their sum over the classes")
    if signature.row_mean:
        inputs = {n: Array(a.dtype, a.storage[..., None]) for n, a in inputs.items()}
    have = {**inputs, **options}
    for parameter in signature.parameters:
        if parameter.always_array and isinstance(have.get(parameter.means), float | int):
            have[parameter.means] = Array.of(have[parameter.means], call.dtype)
    found = {p.name: have.pop(p.means) for p in signature.parameters if p.means in have}
    left = {n: v for n, v in have.items() if n not in signature.says or signature.says[n] != v}
    # What is true of every call of the function is false of a call that does not say so.
    left |= {n: v for n, v in signature.says.items() if v is True and n not in call.options}
    if left:
        raise Unsupported(f"{signature.function} has no {next(iter(left))}")
    required = [p.name for p in signature.parameters if p.default is REQUIRED]
    arguments = {name: found.pop(name) for name in required if name in found}
    if len(arguments) < len(required):
        raise Unsupported(f"{signature.function} needs {', '.join(n for n in required if n not in arguments)}")
    keywords = {**found, **signature.when}
    return Spelled(signature, arguments, keywords, reduction, moved, _declared(signature, call))


def _declared(signature: Signature, call: Call) -> Mapping[str, Any] | None:
    """The documented choices that change this call, what a mean divides by among them."""
    if call.options.get("reduction") != "mean":
        return signature.convention or None
    asked = call.options.get("denominator", default_denominator(call.options))
    if "denominator" in signature.means:
        divides = asked
    elif signature.divides == "default":
        divides = default_denominator(call.options)
    elif signature.divides:
        divides = signature.divides
    elif signature.by_element:
        divides = "elements"
    elif not signature.reduces or (
        signature.settle is _torch_classes and _distributions(dict(call.inputs), signature.scores)
    ):
        divides = "count"
    elif signature.settle is _torch_classes:
        divides = "weights" if "class_weights" in call.options else "valid"
    elif signature.settle is _weights_of_every_element:
        divides = "count"
    else:
        divides = asked
    return {**signature.convention, **({} if divides == asked else {"denominator": divides})} or None


def _check_targets(signature: Signature, call: Call, scores: Array) -> None:
    if signature.targets == "either" or "targets" not in call.inputs:
        return
    targets = call.inputs["targets"]
    kind = "distributions" if targets.is_float or targets.shape == scores.shape else "labels"
    if kind != signature.targets:
        raise Unsupported(f"{signature.function} takes {signature.targets}")


def _where(signature: Signature, rank: int) -> int:
    assert signature.classes is not None
    return signature.classes if rank > 1 else 0


def _moved(signature: Signature, array: Array, rank: int, axis: int) -> Array:
    if array.storage.ndim != rank:
        return array
    return Array(array.dtype, np.moveaxis(array.storage, axis, _where(signature, rank)))


# ---- the functions ------------------------------------------------------------------------------------------------


def _distributions(inputs: Inputs, scores: str) -> bool:
    targets = inputs["targets"]
    return targets.is_float and targets.storage.ndim == inputs[scores].storage.ndim


def _torch_classes(inputs: Inputs, options: Options) -> tuple[Inputs, Options]:
    """The classes are on axis 1, and or on the only one; what is ignored are labels; distributions are counted."""
    scores = next(iter(inputs))
    axis = {"axis": 1} if inputs[scores].storage.ndim > 2 else {}
    if not _distributions(inputs, scores):
        return inputs, {**options, **axis}
    counted = {"denominator": "count"} if "class_weights" in options and options["reduction"] == "mean" else {}
    return inputs, {**{n: v for n, v in options.items() if n != "ignore_index"}, **axis, **counted}


def _weights_of_every_element(inputs: Inputs, options: Options) -> tuple[Inputs, Options]:
    weights, shape = options.get("sample_weights"), next(iter(inputs.values())).shape
    if isinstance(weights, Array) and weights.shape != shape:
        try:
            spread = np.broadcast_to(weights.storage, shape)
        except ValueError:  # which whoever computes it has to refuse
            return inputs, options
        options = {**options, "sample_weights": Array(weights.dtype, spread)}
    return inputs, options


def _every_term(inputs: Inputs, options: Options) -> tuple[Inputs, Options]:
    """kl_div has no classes: unreduced it returns every term, and its mean divides by their number."""
    if options["reduction"] in ("none", "mean"):
        inputs = {n: Array(a.dtype, a.storage[..., None]) for n, a in inputs.items()}
    return inputs, options


_LEGACY = (Parameter("size_average", default=None), Parameter("reduce", default=None))
_SMOOTHING = Parameter("label_smoothing", "label_smoothing", 0.0, neutral=0.0)
_UNREDUCED = MappingProxyType({"reduction": "none"})
_CLAMPS = MappingProxyType({"log_clamp": -100.0, "gradient_clamp": float(np.float32(1e-12))})
"""Documented for BCELoss: the logarithm at −100, and the denominator p (1 − p) of the gradient."""
_PROPORTIONAL = MappingProxyType({"gradient_of_targets_summing_to_one": True})
"""tensorflow#60314: the gradient is softmax − targets whatever the targets sum to, by design."""


_KERAS_EPSILON = 1e-7
"""keras.config.epsilon(), to which and to 1 less it probabilities are clipped: after the division of a row by its sum,
with labels on TensorFlow before it."""


def _reduction() -> Parameter:
    return Parameter("reduction", "reduction", "mean")


def _torch() -> tuple[Signature, ...]:
    average, reduce = _LEGACY
    functional = "torch.nn.functional"
    weight, sample = Parameter("weight", "class_weights", None), Parameter("weight", "sample_weights", None)
    ignored = Parameter("ignore_index", "ignore_index", -100)
    labelled = (Parameter("target", "targets"), weight, average, ignored, reduce, _reduction())
    binary = (Parameter("target", "targets"), sample, average, reduce, _reduction())
    dim = (Parameter("dim", "axis", None), Parameter("_stacklevel", default=3), Parameter("dtype", default=None))
    return (
        Signature(
            f"{functional}.cross_entropy",
            "softmax_cross_entropy",
            (Parameter("input", "logits"), *labelled, _SMOOTHING),
            classes=1,
            settle=_torch_classes,
        ),
        Signature(
            f"{functional}.nll_loss",
            "nll_loss",
            (Parameter("input", "log_probabilities"), *labelled),
            classes=1,
            targets="labels",
            settle=_torch_classes,
        ),
        Signature(
            f"{functional}.binary_cross_entropy",
            "binary_cross_entropy",
            (Parameter("input", "probabilities"), *binary),
            settle=_weights_of_every_element,
            convention=_CLAMPS,
        ),
        Signature(
            f"{functional}.binary_cross_entropy_with_logits",
            "binary_cross_entropy_with_logits",
            (Parameter("input", "logits"), *binary, Parameter("pos_weight", "pos_weight", None, always_array=True)),
            settle=_weights_of_every_element,
        ),
        Signature(
            f"{functional}.kl_div",
            "kl_divergence",
            (
                Parameter("input", "log_probabilities"),
                Parameter("target", "targets"),
                average,
                reduce,
                _reduction(),
                Parameter("log_target", "log_target", False, neutral=False),
            ),
            classes=-1,
            settle=_every_term,
            by_element=True,
        ),
        *(
            Signature(f"{functional}.{loss}", loss, (Parameter("input", "logits"), *dim))
            for loss in ("softmax", "log_softmax")
        ),
    )


def _tensorflow() -> tuple[Signature, ...]:
    labels, logits, name = (
        Parameter("labels", "targets"),
        Parameter("logits", "logits"),
        Parameter("name", default=None),
    )
    return (
        Signature(
            "tf.nn.softmax_cross_entropy_with_logits",
            "softmax_cross_entropy",
            (labels, logits, Parameter("axis", "axis", -1, neutral=-1), name),
            says=_UNREDUCED,
            targets="distributions",
            convention=_PROPORTIONAL,
        ),
        Signature(
            "tf.nn.sparse_softmax_cross_entropy_with_logits",
            "softmax_cross_entropy",
            (labels, logits, name),
            says=_UNREDUCED,
            classes=-1,
            targets="labels",
        ),
        Signature(
            "tf.nn.sigmoid_cross_entropy_with_logits",
            "binary_cross_entropy_with_logits",
            (labels, logits, name),
            says=_UNREDUCED,
        ),
        Signature(
            "tf.nn.weighted_cross_entropy_with_logits",
            "binary_cross_entropy_with_logits",
            (labels, logits, Parameter("pos_weight", "pos_weight"), name),
            says=_UNREDUCED,
        ),
    )


def _keras() -> tuple[Signature, ...]:
    true, predicted = Parameter("y_true", "targets"), Parameter("y_pred", "logits")
    from_logits, axis = Parameter("from_logits", default=False), Parameter("axis", "axis", -1, neutral=-1)
    logits, probabilities = MappingProxyType({"from_logits": True}), MappingProxyType({"from_logits": False})
    given = Parameter("y_pred", "probabilities")
    return (
        Signature(
            "keras.losses.categorical_crossentropy",
            "categorical_cross_entropy",
            (true, given, from_logits, _SMOOTHING, axis),
            says=_UNREDUCED,
            when=probabilities,
            targets="distributions",
            convention={"renormalize": True, "clip": _KERAS_EPSILON},
        ),
        Signature(
            "keras.losses.sparse_categorical_crossentropy",
            "categorical_cross_entropy",
            (true, given, from_logits, Parameter("ignore_class", "ignore_index", None), axis),
            says=_UNREDUCED,
            when=probabilities,
            targets="labels",
            convention={"clip": _KERAS_EPSILON, "renormalize": True},
        ),
        Signature(
            "keras.losses.categorical_crossentropy",
            "softmax_cross_entropy",
            (true, predicted, from_logits, _SMOOTHING, axis),
            says=_UNREDUCED,
            when=logits,
            targets="distributions",
            convention=_PROPORTIONAL,
        ),
        Signature(
            "keras.losses.sparse_categorical_crossentropy",
            "softmax_cross_entropy",
            (true, predicted, from_logits, Parameter("ignore_class", "ignore_index", None), axis),
            says=_UNREDUCED,
            when=logits,
            targets="labels",
        ),
        Signature(
            "keras.losses.binary_crossentropy",
            "binary_cross_entropy_with_logits",
            (true, predicted, from_logits, _SMOOTHING, Parameter("axis", default=-1)),
            says=_UNREDUCED,
            when=logits,
            row_mean=True,
        ),
    )


def _optax() -> tuple[Signature, ...]:
    logits, labels = Parameter("logits", "logits"), Parameter("labels", "targets")
    axis, where = Parameter("axis", "axis", -1, neutral=-1), Parameter("where", default=None)
    predicted, targets = Parameter("log_predictions", "log_probabilities"), Parameter("targets", "targets")
    return (
        Signature(
            "optax.losses.softmax_cross_entropy",
            "softmax_cross_entropy",
            (logits, labels, axis, where),
            says=_UNREDUCED,
            targets="distributions",
        ),
        Signature(
            "optax.losses.softmax_cross_entropy_with_integer_labels",
            "softmax_cross_entropy",
            (logits, labels, axis, where),
            says=_UNREDUCED,
            targets="labels",
        ),
        Signature(
            "optax.losses.sigmoid_binary_cross_entropy",
            "binary_cross_entropy_with_logits",
            (logits, labels),
            says=_UNREDUCED,
        ),
        Signature(
            "optax.losses.sigmoid_focal_loss",
            "binary_focal",
            (logits, labels, Parameter("alpha", "alpha", None), Parameter("gamma", "gamma", 2.0)),
            says=_UNREDUCED,
        ),
        Signature("optax.losses.kl_divergence", "kl_divergence", (predicted, targets, axis, where), says=_UNREDUCED),
        Signature(
            "optax.losses.kl_divergence_with_log_targets",
            "kl_divergence",
            (predicted, targets, axis, where),
            says=MappingProxyType({**_UNREDUCED, "log_target": True}),
        ),
        *(
            Signature(f"jax.nn.{loss}", loss, (Parameter("x", "logits"), axis, where))
            for loss in ("softmax", "log_softmax")
        ),
    )


def _plain(loss: str, *, with_gradient: bool) -> Signature:
    """A function of NumPy arrays in our own words."""
    ours = LOSSES[loss]
    inputs = tuple(Parameter(n, n, None if n in ours.optional or ours.forms else REQUIRED) for n in ours.inputs)
    options = tuple(Parameter(n, n, None) for n in (*ours.options, *(("denominator",) if ours.reductions else ())))
    reduction = (_reduction(),) if ours.reductions else ()
    name = f"value_and_grad({loss})" if with_gradient else loss
    return Signature(name, loss, (*inputs, *options, *reduction), with_gradient=with_gradient)


_MADE = {"cross_entropy": "CrossEntropyLoss", "nll_loss": "NLLLoss", "kl_div": "KLDivLoss"}
_MADE |= {"binary_cross_entropy": "BCELoss", "binary_cross_entropy_with_logits": "BCEWithLogitsLoss"}


def _torch_classes_of(functions: Sequence[Signature]) -> tuple[Signature, ...]:
    """The modules of torch.nn: the same arguments, in two calls."""
    named = {f"torch.nn.functional.{function}": f"torch.nn.{made}" for function, made in _MADE.items()}
    return tuple(replace(s, function=named[s.function], made=True) for s in functions if s.function in named)


def _table() -> Mapping[str, tuple[Signature, ...]]:
    table: dict[str, tuple[Signature, ...]] = {}
    plain = (_plain(loss, with_gradient=gradient) for loss in LOSSES for gradient in (False, True))
    for signature in (*_torch(), *_torch_classes_of(_torch()), *_tensorflow(), *_keras(), *_optax(), *plain):
        table[signature.function] = (*table.get(signature.function, ()), signature)
    return MappingProxyType(table)


FUNCTIONS: Mapping[str, tuple[Signature, ...]] = _table()
"""By the name of the function: what it computes."""


def signatures(function: str) -> tuple[Signature, ...]:
    """What a function computes, by its dotted name; ValueError, naming what there is, where it is not known."""
    for known in (function, function.replace("tensorflow.", "tf.", 1), function.replace("optax.", "optax.losses.", 1)):
        if known in FUNCTIONS:
            return FUNCTIONS[known]
    raise ValueError(f"the signature of {function!r} is not known; there are {', '.join(FUNCTIONS)}")


def likely(name: str) -> str | None:
    """The one function of a framework whose own name is this one's last part; None where there are more or none."""
    if name in FUNCTIONS:
        return name
    last = name.rpartition(".")[2]
    same = [function for function in FUNCTIONS if "." in function and function.rpartition(".")[2] == last]
    return same[0] if len(same) == 1 else None
