"""Plain functions as an implementation: what a function takes is said in a few words, the rest is done here.

    from harness.adapters.functions import torch_function

    my_loss = torch_function(cross_entropy, loss="softmax_cross_entropy", options={"reduction": "reduction"})

`xent run -i my_package.losses:my_loss` then judges it: in every dtype, strided and 0-d inputs included, with the
gradients and cotangents that the cases ask for. `jax_function`, `tensorflow_function` and `numpy_function` are its
siblings, `Functions` is several of them at once; a framework of any other arrays is a `Library`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from math import prod
from typing import Any

import numpy as np

from harness.adapters.base import ALL_DTYPES, Answer, Array, Call, Description, Unsupported
from harness.adapters.framework_signatures import REQUIRED, Parameter, Signature, Spelled, signatures, spelled
from reference.signatures import LOSSES, REDUCTIONS

Compute = Callable[[Mapping[str, Any]], Any]
"""From the arrays of a call, by our names and in a framework's own type, to the value."""

BY_ROW = frozenset(
    {"logits", "probabilities", "log_probabilities", "targets", "target_logits", "hidden", "target_hidden"}
    | {"sample_weights"}
)
"""What has one entry, or one row, for each row of a batch."""


@dataclass(frozen=True)
class LossFunction:
    """A function that computes a loss, and how a call of the suite is written as a call of it.

    Attributes
    ----------
    function : callable
        Takes the inputs by position and the options by keyword, arrays of its framework; returns the loss.
    loss : str
        The loss it computes, a name of `reference.LOSSES`.
    options : mapping of str to str
        Its options: our name, and the name of its parameter. An option that is not among them is unsupported. Without
        `reduction` it is taken to return the loss of every row, and the sum or the mean is written behind it.
    inputs : sequence of str
        Our names of the inputs in the order in which it takes them; by default the order of the reference. What a call
        may leave out, such as a bias, is handed over by its name.
    like : str
        The function of a framework whose arguments it takes, such as torch.nn.functional.cross_entropy, in place of
        `loss`, `options` and `inputs`.
    reductions : sequence of str
        Those that its `reduction` takes.
    says : mapping of str to object
        Options at the one value that it has, such as ``{"reduction": "mean"}``.
    classes : int
        The axis on which it has the classes: −1 or 1. Those of a case are moved there, as its user would.
    targets : str
        Which it takes: "labels", "distributions", "one_hot" (labels are written as distributions first) or "either".
    rows : bool
        Whether it takes rows of classes only: axes before the classes become one, and a batch axis is added where
        there is none.
    elements : bool
        The same for a loss without classes: it takes a vector.
    divides : str
        What its mean divides by, where that is not what the case asks for: count, weights, valid, …; "default" is the
        sum of the class weights where there are any, else the number of rows that are not ignored.
    convention : mapping of str to object
        Documented choices that change the number (`reference.conventions`).
    overwrites : sequence of str
        Inputs that it is documented to write into: it is given a copy of them, in the same layout.
    outputs : sequence of str
        For functions of PyTorch tensors: what it returns behind the value, as a tuple with it, by our names
        (`harness.core.outputs.OUTPUTS`).
    dtypes : sequence of str
        The formats it takes.
    gradients : sequence of str
        The formats in which it can be differentiated; of the others the value alone is asked for.
    with_gradient : bool
        For functions of NumPy arrays: it returns the value and the gradient with respect to its first input, and, where
        each element has a loss of its own, the diagonal of the Hessian too if it likes.
    modes : sequence of str
        Ways to run it besides those of its framework's functions: "compile" of PyTorch.
    name : str
        What its user would write; by default its module and name.
    truth, error_scale : str
        Where it computes a loss that the family lacks and is called like `loss`: the module:function of what is true,
        and that of its error scales (`harness.runs.own_truth`).

    Raises
    ------
    ValueError
        A loss, an input or an option of ours that does not exist.
    TypeError
        A parameter that the function does not have, or one it needs that nothing is said of.

    Examples
    --------
    >>> squares = LossFunction(lambda logits, targets: (logits - targets) ** 2, "binary_cross_entropy_with_logits")
    >>> squares.signatures[0].means == {"logits", "targets"}
    True
    """

    function: Callable[..., Any]
    loss: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    inputs: Sequence[str] = ()
    like: str = ""
    reductions: Sequence[str] = REDUCTIONS
    says: Mapping[str, Any] = field(default_factory=dict)
    classes: int = -1
    targets: str = "either"
    rows: bool = False
    elements: bool = False
    divides: str = ""
    convention: Mapping[str, Any] = field(default_factory=dict)
    overwrites: Sequence[str] = ()
    outputs: Sequence[str] = ()
    dtypes: Sequence[str] = ALL_DTYPES
    gradients: Sequence[str] = ALL_DTYPES
    with_gradient: bool = False
    modes: Sequence[str] = ()
    name: str = ""
    truth: str = ""
    error_scale: str = ""

    def __post_init__(self) -> None:
        if self.like:
            return
        _among([self.loss], LOSSES, "loss")
        ours = LOSSES[self.loss]
        _among(self.inputs, ours.inputs, f"input of {self.loss}")
        reduced = ("reduction", "denominator") if ours.reductions else ()
        _among([*self.options, *self.says], (*reduced, *ours.options), f"option of {self.loss}")
        taken = _parameters(self.function)
        if taken is not None:
            self._check_against(taken)

    def _check_against(self, taken: Mapping[str, inspect.Parameter]) -> None:
        """TypeError where what is said of the function is not so."""
        ours = LOSSES[self.loss]
        has = f"its parameters are {', '.join(taken) or 'none'}"
        for option, theirs in self.options.items():
            if theirs not in taken:
                left_out = f"leave {option} out of `options` where it has no such option"
                if option == "reduction":
                    left_out = "leave reduction out of `options` where it returns a loss for each row"
                raise TypeError(f"{self.public_name} has no parameter {theirs} for {option}; {has}: {left_out}")
        positional = [name for name, p in taken.items() if p.kind in _BY_POSITION and name not in self.options.values()]
        names = self.inputs or ours.form(())
        needed = [name for name in names if name not in ours.optional]
        if len(positional) < len(needed):
            raise TypeError(f"{self.public_name} takes no {needed[len(positional)]} by position; {has}")
        given = {*positional[: len(needed)], *names, *self.options.values()}
        for name, parameter in taken.items():
            if parameter.default is parameter.empty and name not in given:
                raise TypeError(f"{self.public_name} needs {name}, which is neither an input nor named in `options`")

    @property
    def public_name(self) -> str:
        own = getattr(self.function, "__qualname__", None) or type(self.function).__qualname__
        return self.name or f"{getattr(self.function, '__module__', '')}.{own}"

    @property
    def signatures(self) -> tuple[Signature, ...]:
        """The same as data, as `harness.adapters.framework_signatures` has the functions of the frameworks."""
        if self.like:
            return signatures(self.like)
        ours = LOSSES[self.loss]
        names = self.inputs or ours.form(())
        return (
            Signature(
                self.public_name,
                self.loss,
                (
                    *(Parameter(n, n, None if n in ours.optional else REQUIRED) for n in names),
                    *(Parameter(theirs, n, None) for n, theirs in self.options.items()),
                ),
                says=self.says,
                classes=self.classes if "axis" in ours.options and "hidden" not in ours.inputs else None,
                targets="either" if self.targets == "one_hot" else self.targets,
                divides=self.divides,
                with_gradient=self.with_gradient,
                convention=self.convention,
            ),
        )

    def spelled(self, call: Call) -> Spelled:
        """Its arguments for a call; Unsupported where it has no such call."""
        if call.dtype not in self.dtypes:
            raise Unsupported(f"{self.public_name} takes {', '.join(self.dtypes)}")
        if lacking := [output for output in call.outputs if output not in self.outputs]:
            raise Unsupported(f"{self.public_name} returns no {', '.join(lacking)}")
        asked = spelled(self.signatures, call)
        reduction = call.options.get("reduction", "none")
        if not self.like and reduction not in self.reductions:
            raise Unsupported(f"{self.public_name} has no reduction {reduction}")
        rank = len(asked.scores.shape)
        if self.rows and (not rank or (reduction == "batchmean" and rank > 2)):
            raise Unsupported(f"{self.public_name} takes rows of classes")
        if self.with_gradient and asked.reduction in ("sum", "mean"):
            raise Unsupported(f"{self.public_name} returns the gradient of what it returns, which is not reduced")
        return asked


@dataclass(frozen=True)
class Request:
    """A call as its framework carries it out."""

    call: Call
    function: str
    compute: Compute
    convention: Mapping[str, Any] | None
    computed_with: Mapping[str, str]
    outputs: Sequence[str] = ()
    """What `compute` returns behind the value, in a tuple with it."""


@dataclass(frozen=True)
class Library:
    """The arrays of a framework: made, reshaped, and differentiated through.

    Attributes
    ----------
    description : Description
        The framework: modes, dtypes, versions, threads, facts. Version and losses are those of the functions.
    write : callable from Array to an array of the framework
        The same bits, where it can hold them; strides as they are, where it has any.
    move : callable (array, from, to)
        An axis to another place.
    reshape : callable (array, shape)
        One length may be −1.
    one_hot : callable (labels, classes, scores)
        Labels as distributions along a new last axis, of the type of `scores`.
    total, mean : callable
        Of all elements.
    run : callable from Request to Answer
        Makes the arrays of the call, computes, differentiates as asked, and reads the results.
    """

    description: Description
    write: Callable[[Array], Any]
    move: Callable[[Any, int, int], Any]
    reshape: Callable[[Any, tuple[int, ...]], Any]
    one_hot: Callable[[Any, int, Any], Any]
    total: Callable[[Any], Any]
    mean: Callable[[Any], Any]
    run: Callable[[Request], Answer]
    compiled: Callable[[Callable[..., Any]], Callable[..., Any]] | None = None
    """From a function to the one that the mode "compile" calls, where a function may ask for it."""


_BY_POSITION = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def _among(names: Iterable[str], known: Iterable[str], what: str) -> None:
    for name in names:
        if name not in known:
            raise ValueError(f"{name!r} is no {what}: expected one of {', '.join(known)}")


def _parameters(function: Callable[..., Any]) -> Mapping[str, inspect.Parameter] | None:
    """By name; None where they cannot be told, or are any."""
    try:
        found = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return None
    any_of_them = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return None if any(parameter.kind in any_of_them for parameter in found.values()) else found


class Functions:
    """The adapter of some functions of one framework; of those that compute a loss the first that has the options."""

    def __init__(self, library: Library, *functions: LossFunction, version: str = "") -> None:
        self._library = library
        self._functions = functions
        self._version = version or version_of(functions[0].function)

    def describe(self) -> Description:
        has = self._library.description
        taken = {dtype for function in self._functions for dtype in function.dtypes}
        return replace(
            has,
            version=self._version,
            losses=tuple(dict.fromkeys(s.loss for function in self._functions for s in function.signatures)),
            dtypes=tuple(dtype for dtype in has.dtypes if dtype in taken),
            modes=tuple(dict.fromkeys((*has.modes, *(mode for f in self._functions for mode in f.modes)))),
            outputs=tuple(dict.fromkeys(output for function in self._functions for output in function.outputs)),
            truth=self._functions[0].truth,
            error_scale=self._functions[0].error_scale,
        )

    def evaluate(self, call: Call) -> Answer:
        refusals = []
        for function in self._functions:
            if any(signature.loss == call.loss for signature in function.signatures):
                try:
                    asked = function.spelled(call)
                except Unsupported as refusal:
                    refusals.append(str(refusal))
                else:
                    return self._library.run(_request(self._library, function, asked, call))
        raise Unsupported("; ".join(dict.fromkeys(refusals)) or f"no {call.loss}")


def torch_function(function: Callable[..., Any], *, version: str = "", **how: Any) -> Functions:
    """A function of PyTorch tensors as an implementation.

    Parameters
    ----------
    function : callable
        Computes a loss; differentiated by autograd.
    version : str, optional
        Of what is judged; by default that of the package its module is called like.
    **how
        The fields of `LossFunction`: loss, options, rows, targets, …

    Returns
    -------
    Functions
        An adapter, for `xent run -i module:name`.
    """
    from harness.adapters.torch_like import library

    return Functions(library(), LossFunction(function, **how), version=version)


def jax_function(function: Callable[..., Any], *, version: str = "", **how: Any) -> Functions:
    """A function of JAX arrays, as `torch_function`; compiled by `jax.jit`, then eager."""
    from harness.adapters.jax_like import library

    return Functions(library(), LossFunction(function, **how), version=version)


def tensorflow_function(function: Callable[..., Any], *, version: str = "", **how: Any) -> Functions:
    """A function of TensorFlow tensors, as `torch_function`; eager, as a graph and compiled by XLA."""
    from harness.adapters.tensorflow_like import library

    return Functions(library(), LossFunction(function, **how), version=version)


def numpy_function(function: Callable[..., Any], *, version: str = "", **how: Any) -> Functions:
    """A function of NumPy arrays, as `torch_function`: the value, and with `with_gradient` the gradient besides."""
    from harness.adapters.numpy_like import library

    return Functions(library(gradients=bool(how.get("with_gradient"))), LossFunction(function, **how), version=version)


def version_of(function: Callable[..., Any]) -> str:
    """That of the distribution its package is called like; 0 where there is none."""
    try:
        return version(function.__module__.partition(".")[0])
    except (AttributeError, PackageNotFoundError):
        return "0"


def _request(library: Library, chosen: LossFunction, asked: Spelled, call: Call) -> Request:
    shaping = _Shaping(library, chosen, asked.scores.shape)
    compiled = library.compiled if call.mode == "compile" and "compile" in chosen.modes else None
    function = chosen.function if compiled is None else compiled(chosen.function)

    def compute(named: Mapping[str, Any]) -> Any:
        scores = named[asked.signature.scores]
        arguments, keywords = asked.of(
            named, library.write, library.move, lambda name, array: shaping.given(name, array, scores)
        )
        value = function(*arguments, **keywords)
        if chosen.with_gradient:
            return shaping.rows(value[0], call), *(shaping.back(slope, asked.moved) for slope in value[1:])
        if chosen.outputs:
            return tuple(
                reduced(part) if name in ("value", "z_loss") else shaping.of_rows(part)
                for name, part in zip(("value", *chosen.outputs), value, strict=True)
            )
        return reduced(value)

    def reduced(value: Any) -> Any:
        if asked.reduction in ("sum", "mean"):
            return library.total(value) if asked.reduction == "sum" else library.mean(value)
        return shaping.rows(value, call) if LOSSES[call.loss].reductions else shaping.back(value, asked.moved)

    given = {name: _own(array) if name in chosen.overwrites else array for name, array in call.inputs.items()}
    asked_for = call if call.dtype in chosen.gradients else replace(call, differentiate=(), vector=None)
    return Request(
        replace(asked_for, inputs=given),
        chosen.public_name,
        compute,
        asked.convention,
        _told(chosen, asked, call),
        chosen.outputs,
    )


def _told(chosen: LossFunction, asked: Spelled, call: Call) -> dict[str, str]:
    """What was done to the arrays on their way to the function."""
    told = {}
    if asked.moved is not None:
        told["axis"] = f"moved from {asked.moved[0]} to {asked.moved[1]}: the function has the classes there"
    if chosen.rows or chosen.elements:
        told["batch"] = "reshaped to rows" if chosen.rows else "reshaped to a vector"
    if chosen.targets == "one_hot" and not call.inputs["targets"].is_float:
        told["targets"] = "labels written as distributions"
    return {**told, **dict.fromkeys(chosen.overwrites, "a copy: the function writes into it")}


@dataclass(frozen=True)
class _Shaping:
    """What is done to arrays whose form a function does not take, and to the loss of every row it returns then."""

    library: Library
    function: LossFunction
    shape: tuple[int, ...]
    """Of the scores, their classes where the function has them."""

    def given(self, name: str, array: Any, scores: Any) -> Any:
        if name not in BY_ROW:
            return array
        rank = len(array.shape)
        if self.function.targets == "one_hot" and name == "targets" and rank == len(self.shape) - 1:
            second = self.function.classes == 1 and rank > 0
            array = self.library.one_hot(array, self.shape[1 if second else -1], scores)
            array, rank = self.library.move(array, -1, 1) if second else array, rank + 1
        if self.function.elements:
            return self.library.reshape(array, (-1,))
        if self.function.rows:
            rows = prod(self.shape[:-1])
            # Two classes in no rows are no rows of two classes: -1 cannot say so.
            whole = rank == len(self.shape)
            counted = whole and tuple(array.shape[:-1]) == self.shape[:-1]
            return self.library.reshape(array, ((rows if counted else -1), array.shape[-1]) if whole else (-1,))
        return array

    def rows(self, value: Any, call: Call) -> Any:
        """The loss of every row in the shape of the rows; a reduced one as it is."""
        if call.options["reduction"] != "none":
            return value
        return self.of_rows(value)

    def of_rows(self, value: Any) -> Any:
        return self._reshaped(value, self.shape if self.function.elements else self.shape[:-1])

    def back(self, values: Any, moved: tuple[int, int] | None) -> Any:
        """What has the shape of the scores, its classes where the call has them."""
        values = self._reshaped(values, self.shape)
        return values if moved is None else self.library.move(values, *reversed(moved))

    def _reshaped(self, values: Any, shape: tuple[int, ...]) -> Any:
        reshaped = self.function.rows or self.function.elements
        return self.library.reshape(values, shape) if reshaped and prod(values.shape) == prod(shape) else values


def _own(array: Array) -> Array:
    """A copy in memory of its own, with the same strides: a kernel that reads by them has to find them."""
    storage = array.storage
    steps = [(length - 1) * step for length, step in zip(storage.shape, storage.strides, strict=True)]
    if not storage.size:
        return Array(array.dtype, storage.copy())
    before, after = -sum(s for s in steps if s < 0), sum(s for s in steps if s > 0)
    memory = np.zeros(before + after + storage.itemsize, np.uint8)
    copied = np.ndarray(storage.shape, storage.dtype, memory.data, before, storage.strides)
    copied[...] = storage
    return Array(array.dtype, copied)
