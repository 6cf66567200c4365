"""The truth of one case in one dtype, under any convention, computed once each.

Inputs are rounded to the dtype first; the truth is computed from the rounded bits.
"""

from __future__ import annotations

import copy
import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

import reference
from harness.core.arrays import Array, plain
from harness.core.call import Call
from harness.core.formats import FORMATS, rounded
from harness.core.outputs import call_of
from harness.core.rows import rows_of, upstreams
from harness.judgement.agreement import Floats, Target
from harness.judgement.directional import along
from harness.judgement.tolerance import ErrorScales, Twice, error_scales
from reference.evaluation import twice_differentiable

Convention = Mapping[str, Any]
Measure = Callable[..., ErrorScales]
"""`error_scales`, or what says them of a truth of somebody's own."""
Evaluate = Callable[..., reference.Evaluation]
"""`reference.evaluate`, or what says the same because it remembers."""
_DECLARATIONS = frozenset({"computed_in", "result_dtype"})
"""Conventions about the answer's form and the format it is computed in, not its mathematics: judged by the harness,
unknown to the reference."""
_SCALING = frozenset({"denominator"})
"""Conventions under which the reference has second derivatives: the others would be those of another function."""


@dataclass(frozen=True, eq=False)
class Truth:
    """What is right for every aspect, or why the reference refuses the input."""

    targets: Mapping[str, Target]
    """By aspect: value, gradient, gradient/NAME, directional, hessian_vector."""
    refusal: str | None = None


HESSIAN_VECTOR = "hessian_vector"
"""The aspect of a second derivative: the Hessian with respect to the first differentiated input, times the vector of
the case."""


DIRECTIONAL = "directional"
"""The aspect of the derivative of the value along the vector of the case, which forward mode computes."""


class Differentiated(Protocol):
    """What says which derivatives are asked for: a case, a call, a table of truths."""

    @property
    def loss(self) -> str: ...
    @property
    def differentiate(self) -> tuple[str, ...]: ...
    @property
    def vector(self) -> Any: ...
    @property
    def outputs(self) -> tuple[str, ...]: ...


def aspects(of: Differentiated) -> dict[str, str | None]:
    """The aspects of a case, each with the input whose gradient it is (None: it is no gradient).

    Along a vector there are two more: the derivative of the value and, of losses that are differentiated twice, that
    of the gradient. What a call returns beside its value is called by its name.
    """
    named: dict[str, str | None] = {"value": None}
    for position, name in enumerate(of.differentiate):
        named["gradient" if position == 0 else f"gradient/{name}"] = name
    if of.vector is not None:
        named[DIRECTIONAL] = None
        if twice_differentiable(of.loss, of.differentiate):
            named[HESSIAN_VECTOR] = None
    return {**named, **dict.fromkeys(of.outputs)}


Evaluated = dict[str, Truth]
"""Truths that were evaluated, by everything they depend on: tables of one case in several dtypes share one, since small
numbers such as 1, 2, 3 are the same in every format."""


class TruthTable:
    """Truths of one case in one dtype, by convention and options; each is evaluated when first asked for."""

    def __init__(
        self,
        call: Call,
        evaluated: Evaluated | None = None,
        *,
        exact: bool = True,
        evaluate: Evaluate = reference.evaluate,
        measure: Measure = error_scales,
        relative: frozenset[str] = frozenset(),
    ) -> None:
        """`evaluated` are the truths known already, `evaluate` says the others and `measure` their error scales;
        `exact` False evaluates in plain float64: ten times as fast, for a first look. The aspects in `relative` have to
        be accurate relative to each number itself, not to the error scale of their mathematics."""
        self._relative = relative
        self._exact = exact
        self._measure = measure
        self._evaluate_exactly = evaluate
        self.call = call
        self.loss = call.loss
        self.dtype = call.dtype
        self.inputs = {n: a.to_float64() if a.is_float else a.storage for n, a in call.inputs.items()}
        self.options = {n: plain(v) for n, v in call.options.items()}
        self.differentiate = call.differentiate
        self.cotangent = None if call.cotangent is None else call.cotangent.to_float64()
        self.vector = None if call.vector is None else call.vector.to_float64()
        self._evaluated: Evaluated = {} if evaluated is None else evaluated
        self._in_format: dict[str, TruthTable] = {}
        self.outputs = call.outputs
        self._of_outputs = {
            name: TruthTable(call_of(call, name), self._evaluated, exact=exact, evaluate=evaluate, measure=measure)
            for name in call.outputs
        }

    def in_mode(self, mode: str) -> TruthTable:
        """The same truths of a call in another mode, in which it can be carried out wrongly in other ways."""
        if mode == self.call.mode:
            return self
        found = copy.copy(self)
        found.call = replace(self.call, mode=mode)
        return found

    def under(
        self,
        convention: Convention | None = None,
        options: Mapping[str, Any] | None = None,
        inputs: Mapping[str, NDArray[Any]] | None = None,
    ) -> Truth:
        """The truth under `convention`, with some options (None deletes one) or inputs replaced."""
        mathematical = {k: v for k, v in (convention or {}).items() if k not in _DECLARATIONS}
        try:
            resolved = in_dtype(reference.parse(mathematical), self.dtype)
        except (TypeError, ValueError, OverflowError) as error:  # a worker may declare what is none
            return Truth({}, str(error))
        if inputs is not None:
            return self._demanded(self._evaluate(resolved, options or {}, inputs))
        key = f"{self._bits} {resolved} {options}"
        if key not in self._evaluated:
            self._evaluated[key] = self._evaluate(resolved, options or {}, {})
        return self._with_outputs(self._demanded(self._evaluated[key]), convention if options is None else {})

    def _with_outputs(self, truth: Truth, convention: Convention | None) -> Truth:
        """The truth with that of each output, which is the value of a call of its own."""
        if not self._of_outputs:
            return truth
        found = {name: table.under(convention).targets.get("value") for name, table in self._of_outputs.items()}
        return replace(truth, targets={**truth.targets, **{n: t for n, t in found.items() if t is not None}})

    def _demanded(self, truth: Truth) -> Truth:
        """The truth with the error scale that is demanded of it."""
        wanted = {
            aspect: replace(target, error_scale=np.minimum(target.error_scale, np.abs(target.hi)), terms={})
            for aspect, target in truth.targets.items()
            if aspect in self._relative
        }
        return replace(truth, targets={**truth.targets, **wanted}) if wanted else truth

    def types(self, aspect: str) -> frozenset[str]:
        """The types in which an answer is right: that of the dtype, and where the call has several floating types, for
        the value any of them, since each library documents its own promotion; for a gradient that of its input."""
        name = aspects(self).get(aspect)
        arrays = [*self.call.inputs.values(), *(v for v in self.call.options.values() if isinstance(v, Array))]
        of = arrays if name is None else [self.call.inputs[name]] if name in self.call.inputs else []
        return frozenset({self.dtype, *(array.dtype for array in of if array.is_float)})

    @property
    def _twice(self) -> Floats | None:
        """The vector that the reference multiplies the Hessian with."""
        return self.vector if twice_differentiable(self.loss, self.inputs) else None

    @cached_property
    def _bits(self) -> str:
        """A digest of all numbers the truth is computed from."""
        h = hashlib.sha256(f"{self.loss} {self.differentiate}".encode())
        arrays = {**self.inputs, **self.options, "the cotangent": self.cotangent, "the vector": self.vector}
        for name, value in sorted(arrays.items()):
            if isinstance(value, np.ndarray):
                h.update(f"{name} {value.dtype} {value.shape}".encode())
                h.update(np.ravel(value).data)
            else:
                h.update(f"{name} {value!r}".encode())
        return h.hexdigest()

    def in_format(self, name: str) -> TruthTable:
        """The truths for the inputs as another format holds them: rounded to it, overflow becoming infinite."""
        if name not in self._in_format:

            def held(value: Any) -> Any:
                return _to_format(value, name) if isinstance(value, np.ndarray) else value

            nothing = Call(self.loss, {}, {}, name, differentiate=self.differentiate)
            known, demanded = self._evaluated, self._relative
            evaluate, measure = self._evaluate_exactly, self._measure
            table = TruthTable(nothing, known, evaluate=evaluate, measure=measure, relative=demanded)
            table.inputs = {n: held(v) for n, v in self.inputs.items()}
            table.options = {n: held(v) for n, v in self.options.items()}
            table.cotangent, table.vector = held(self.cotangent), held(self.vector)
            table.outputs = self.outputs
            table._of_outputs = {output: of.in_format(name) for output, of in self._of_outputs.items()}
            self._in_format[name] = table
        return self._in_format[name]

    def _numbers(
        self, given: Mapping[str, NDArray[Any]], options: Mapping[str, Any], resolved: Convention | None
    ) -> _Numbers:
        evaluate = self._evaluate_numbers
        of, wanted, parts = self.cotangent, self.differentiate, self._parts
        named = set(resolved or {})
        vector = self._twice if named <= _SCALING else None
        found = evaluate(self.loss, given, options, resolved, cotangent=of, differentiate=wanted, vector=vector)
        product = None if found.hessian_vector is None else parts(found.hessian_vector)
        if product is None and self._twice is not None and named <= _SCALING | {"finite_zero_mean"}:
            # That the mean over nothing is 0 changes nothing where something was divided by.
            scaling = {name: value for name, value in (resolved or {}).items() if name in _SCALING}
            found_twice = evaluate(self.loss, given, options, scaling, cotangent=of, vector=self._twice)
            under = parts(found_twice.hessian_vector)
            product = under if bool(np.isfinite(under[0]).all()) else None
        return _Numbers(parts(found.value), {n: parts(g) for n, g in found.gradients.items()}, product)

    @property
    def _evaluate_numbers(self) -> Evaluate:
        return self._evaluate_exactly if self._exact else reference.evaluate_plain

    def _parts(self, result: Any) -> _Parts:
        hi = np.asarray(result.hi)
        return hi, np.asarray(result.lo) if self._exact else np.zeros_like(hi)

    def _evaluate(
        self, resolved: Convention | None, options: Mapping[str, Any], inputs: Mapping[str, NDArray[Any]]
    ) -> Truth:
        chosen = {n: v for n, v in {**self.options, **options}.items() if v is not None}
        given = {**self.inputs, **inputs}
        try:
            numbers = self._numbers(given, chosen, resolved)
        except ValueError as error:
            return Truth({}, refusal=str(error))
        yardstick = {**chosen}
        if resolved and "denominator" in resolved:
            yardstick["denominator"] = resolved["denominator"]
        if resolved and "base" in resolved:
            yardstick["base"] = resolved["base"]
        size = self._measure(
            self.loss,
            given,
            yardstick,
            {n: hi for n, (hi, _) in numbers.slopes.items()},
            self.cotangent,
            resolved,
            None if numbers.product is None or self.vector is None else Twice(self.vector, numbers.product[0]),
        )
        magnitude = _magnitude(given)

        def target(parts: _Parts, error_scale: Floats, name: str = "", upstream: Floats | None = None) -> Target:
            terms = {term: _fit(sizes, parts[0]) for term, sizes in size.terms.get(name, {}).items()}
            amplification = _amplification(chosen, upstream)
            return Target(*parts, _fit(error_scale, parts[0]), magnitude, amplification, terms)

        targets = {"value": target(numbers.value, size.value, "value")}
        for aspect, name in aspects(self).items():
            if name is not None and name in numbers.slopes:
                targets[aspect] = target(numbers.slopes[name], size.gradients[name], name, self.cotangent)
        if numbers.product is not None and size.hessian_vector is not None and self.vector is not None:
            far = self.vector if self.cotangent is None else self.vector * np.abs(self.cotangent).max(initial=0.0)
            targets[HESSIAN_VECTOR] = target(numbers.product, size.hessian_vector, upstream=far)
        if self.vector is not None:
            derivative, scale = self._along(given, chosen, yardstick, resolved, numbers.value[0].shape)
            targets[DIRECTIONAL] = target(derivative, scale, upstream=self.vector)
        return Truth(targets)

    def _along(
        self,
        given: Mapping[str, NDArray[Any]],
        options: Mapping[str, Any],
        yardstick: Mapping[str, Any],
        resolved: Convention | None,
        shape: tuple[int, ...],
    ) -> tuple[_Parts, Floats]:
        """The derivative of each element of the value along the vector, and its error scale.

        It is the gradient of the element times the vector, and each term is as uncertain as the gradient is. Where the
        value has classes each has a gradient of its own, elsewhere one evaluation has them all.
        """
        assert self.vector is not None
        signature, axis = reference.LOSSES[self.loss], int(options.get("axis", -1))
        first, vector = next(name for name in signature.differentiate if name in given), self.vector

        def derivative(upstream: Floats | None) -> Floats:
            found = self._evaluate_numbers(
                self.loss, given, options, resolved, cotangent=upstream, differentiate=(first,)
            ).gradients[first]
            hi, lo = self._parts(found)
            size = error_scales(self.loss, given, yardstick, {first: hi}, upstream, resolved).gradients[first]
            of = shape if upstream is None else (*np.moveaxis(hi, axis, -1).shape[:-1],)
            with np.errstate(over="ignore"):  # beyond every number: a scale that allows anything
                scale = np.where(vector == 0, 0.0, np.broadcast_to(size, hi.shape) * np.abs(vector))
                sizes = rows_of(scale, of, axis).sum(axis=-1)
            rows = [rows_of(part, of, axis) for part in (hi, lo, vector)]
            parts = np.zeros((3, *of))
            for row in np.ndindex(of):
                parts[(slice(2), *row)] = along(*(part[row] for part in rows))
            parts[2] = sizes
            return parts

        if signature.reductions or shape != vector.shape:
            parts = derivative(None)
        else:
            parts = np.zeros((3, *shape))
            from_the_end = axis % len(shape) - len(shape)
            for place, upstream in upstreams(shape, axis):
                parts[(slice(None), *place)] = np.expand_dims(derivative(upstream), from_the_end)
        return (parts[0], parts[1]), parts[2]


_Parts = tuple[Floats, Floats]
"""Numbers as hi and lo."""


@dataclass(frozen=True, eq=False)
class _Numbers:
    """What the reference says."""

    value: _Parts
    slopes: Mapping[str, _Parts]
    product: _Parts | None
    """The product of the Hessian with the vector; None where none was asked for, or there is none under a convention
    that changes more than what the sum is divided by."""


def in_dtype(convention: Convention | None, dtype: str) -> Convention | None:
    """The convention with its constants as the dtype holds them: in float32, 1 − 1e-7 is 1 − 1.19e-7."""
    if not convention:
        return None
    fmt = FORMATS[dtype]

    def bits(value: float) -> float:
        return float(rounded(np.asarray(value), fmt))

    resolved: dict[str, Any] = {}
    for name, parameter in convention.items():
        if name == "clip" and isinstance(parameter, int | float):
            resolved[name] = [bits(parameter), bits(1.0 - parameter)]
        elif name == "clip":
            resolved[name] = [bits(float(p)) for p in parameter]
        elif name in ("add_inside_log", "log_clamp", "gradient_clamp"):
            resolved[name] = bits(float(parameter))
        else:
            resolved[name] = parameter
    return resolved


def _to_format(values: NDArray[Any], name: str) -> NDArray[Any]:
    return rounded(values, FORMATS[name]) if values.dtype.kind == "f" else values


def _magnitude(inputs: Mapping[str, NDArray[Any]]) -> float:
    sizes = [float(np.abs(a[np.isfinite(a)]).max(initial=0.0)) for a in inputs.values() if a.dtype.kind == "f"]
    return max(sizes, default=0.0)


_MULTIPLYING = ("class_weights", "sample_weights", "pos_weight")


def _amplification(options: Mapping[str, Any], upstream: Floats | None) -> float:
    """The largest factor a probability meets on its way to the result, at least 1."""
    factors = [options[name] for name in _MULTIPLYING if name in options]
    factors += [] if upstream is None else [upstream]
    return math.prod(max(1.0, float(np.abs(factor).max(initial=0.0))) for factor in map(np.asarray, factors))


def _fit(error_scale: Floats, like: Floats) -> Floats:
    """The error scale in the shape of its result; a scalar error scale serves every element."""
    return np.broadcast_to(error_scale, like.shape)
