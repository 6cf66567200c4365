"""The truth of one case in one dtype, under any convention, computed once each.

Inputs are rounded to the dtype first; the truth is computed from the rounded bits.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

import reference
from harness.arrays import Array
from harness.floats import FORMATS, rounded
from harness.judgement.agreement import Floats, Target
from harness.judgement.gauge import gauges

Convention = Mapping[str, Any]
_DECLARATIONS = frozenset({"result_dtype"})
"""Conventions about the answer's form, not its mathematics: judged by the harness, unknown to the reference."""


@dataclass(frozen=True, eq=False)
class Truth:
    """What is right for every aspect, or why the reference refuses the input."""

    targets: Mapping[str, Target]
    """By aspect: value, gradient, gradient/NAME."""
    refusal: str | None = None


def aspects(differentiate: tuple[str, ...]) -> dict[str, str | None]:
    """The aspects of a case, each with the input it differentiates with respect to (None: the value)."""
    named: dict[str, str | None] = {"value": None}
    for position, name in enumerate(differentiate):
        named["gradient" if position == 0 else f"gradient/{name}"] = name
    return named


Evaluated = dict[str, Truth]
"""Truths that were evaluated, by everything they depend on: tables of one case in several dtypes share one, since small
numbers such as 1, 2, 3 are the same in every format."""


class TruthTable:
    """Truths of one case in one dtype, by convention and options; each is evaluated when first asked for."""

    def __init__(
        self,
        loss: str,
        inputs: Mapping[str, Array],
        options: Mapping[str, Any],
        dtype: str,
        differentiate: tuple[str, ...],
        cotangent: Array | None,
        evaluated: Evaluated | None = None,
        exact: bool = True,
    ) -> None:
        """`exact` False evaluates in plain float64: ten times as fast, for a first look."""
        self._exact = exact
        self.loss = loss
        self.dtype = dtype
        self.inputs = {n: a.to_float64() if a.is_float else a.storage for n, a in inputs.items()}
        self.options = {n: _plain(v) for n, v in options.items()}
        self.differentiate = differentiate
        self.cotangent = None if cotangent is None else cotangent.to_float64()
        self._evaluated: Evaluated = {} if evaluated is None else evaluated
        self._in_format: dict[str, TruthTable] = {}
        self._ordinary: dict[str, Mapping[str, Floats]] = {}

    def under(
        self,
        convention: Convention | None = None,
        options: Mapping[str, Any] | None = None,
        inputs: Mapping[str, NDArray[Any]] | None = None,
    ) -> Truth:
        """The truth under `convention`, with some options (None deletes one) or inputs replaced."""
        mathematical = {k: v for k, v in (convention or {}).items() if k not in _DECLARATIONS}
        resolved = in_dtype(mathematical, self.dtype)
        if inputs is not None:
            return self._evaluate(resolved, options or {}, inputs)
        key = f"{self._bits} {resolved} {options}"
        if key not in self._evaluated:
            self._evaluated[key] = self._evaluate(resolved, options or {}, {})
        return self._evaluated[key]

    @cached_property
    def _bits(self) -> str:
        """A digest of all numbers the truth is computed from."""
        h = hashlib.sha256(f"{self.loss} {self.differentiate}".encode())
        arrays = {**self.inputs, **self.options, "the cotangent": self.cotangent}
        for name, value in sorted(arrays.items()):
            if isinstance(value, np.ndarray):
                h.update(f"{name} {value.dtype} {value.shape}".encode())
                h.update(np.ascontiguousarray(value).tobytes())
            else:
                h.update(f"{name} {value!r}".encode())
        return h.hexdigest()

    def in_format(self, name: str) -> TruthTable:
        """The truths for the inputs as another format holds them: rounded to it, overflow becoming infinite."""
        if name not in self._in_format:

            def held(value: Any) -> Any:
                return _to_format(value, name) if isinstance(value, np.ndarray) else value

            table = TruthTable(self.loss, {}, {}, name, self.differentiate, None, self._evaluated)
            table.inputs = {n: held(v) for n, v in self.inputs.items()}
            table.options = {n: held(v) for n, v in self.options.items()}
            table.cotangent = held(self.cotangent)
            self._in_format[name] = table
        return self._in_format[name]

    def ordinary(
        self,
        convention: Convention | None,
        options: Mapping[str, Any] | None,
        inputs: Mapping[str, NDArray[Any]] | None = None,
        *,
        unit_cotangent: bool = False,
    ) -> Mapping[str, Floats]:
        """The results by aspect in ordinary float64 under another convention or other options; {} where it refuses.

        For the search of explanations, which asks for dozens of alternatives and needs no more digits than float64.
        """
        changed = {name: values.tobytes() for name, values in (inputs or {}).items()}
        key = repr((convention, options, changed, unit_cotangent))
        if key not in self._ordinary:
            chosen = {n: v for n, v in {**self.options, **(options or {})}.items() if v is not None}
            try:
                evaluation = reference.evaluate_plain(
                    self.loss,
                    {**self.inputs, **(inputs or {})},
                    chosen,
                    in_dtype(convention, self.dtype),
                    cotangent=None if unit_cotangent else self.cotangent,
                    differentiate=self.differentiate,
                )
            except (ValueError, KeyError, IndexError, TypeError):
                # What has no meaning for this loss cannot be the explanation.
                self._ordinary[key] = {}
            else:
                found = {"value": np.asarray(evaluation.value)}
                for aspect, name in aspects(self.differentiate).items():
                    if name is not None:
                        found[aspect] = np.asarray(evaluation.gradients[name])
                self._ordinary[key] = found
        return self._ordinary[key]

    def _numbers(
        self, given: Mapping[str, NDArray[Any]], options: Mapping[str, Any], resolved: Convention | None
    ) -> tuple[Floats, Floats, dict[str, tuple[Floats, Floats]]]:
        """The value as hi and lo, and so each gradient."""
        of, wanted = self.cotangent, self.differentiate
        if self._exact:
            exact = reference.evaluate(self.loss, given, options, resolved, cotangent=of, differentiate=wanted)
            slopes = {n: (np.asarray(g.hi), np.asarray(g.lo)) for n, g in exact.gradients.items()}
            return np.asarray(exact.value.hi), np.asarray(exact.value.lo), slopes
        plain = reference.evaluate_plain(self.loss, given, options, resolved, cotangent=of, differentiate=wanted)
        value = np.asarray(plain.value)
        found = {n: np.asarray(g) for n, g in plain.gradients.items()}
        return value, np.zeros_like(value), {n: (g, np.zeros_like(g)) for n, g in found.items()}

    def _evaluate(
        self, resolved: Convention | None, options: Mapping[str, Any], inputs: Mapping[str, NDArray[Any]]
    ) -> Truth:
        chosen = {n: v for n, v in {**self.options, **options}.items() if v is not None}
        given = {**self.inputs, **inputs}
        try:
            value_hi, value_lo, slopes = self._numbers(given, chosen, resolved)
        except ValueError as error:
            return Truth({}, refusal=str(error))
        yardstick = {**chosen}
        if resolved and "denominator" in resolved:
            yardstick["denominator"] = resolved["denominator"]
        if resolved and "base" in resolved:
            yardstick["base"] = resolved["base"]
        size = gauges(
            self.loss,
            given,
            yardstick,
            {n: hi for n, (hi, _) in slopes.items()},
            self.cotangent,
            resolved,
        )
        magnitude = _magnitude(given)

        def parts(name: str, like: Floats) -> dict[str, Floats]:
            return {term: _fit(numbers, like) for term, numbers in size.terms.get(name, {}).items()}

        gauge = _fit(size.value, value_hi)
        targets = {"value": Target(value_hi, value_lo, gauge, magnitude, parts("value", value_hi))}
        for aspect, name in aspects(self.differentiate).items():
            if name is not None and name in slopes:
                hi, lo = slopes[name]
                targets[aspect] = Target(hi, lo, _fit(size.gradients[name], hi), magnitude, parts(name, hi))
        return Truth(targets)


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


def _plain(value: Any) -> Any:
    if isinstance(value, Array):
        return value.to_float64() if value.is_float else value.storage
    return value


def _to_format(values: NDArray[Any], name: str) -> NDArray[Any]:
    return rounded(values, FORMATS[name]) if values.dtype.kind == "f" else values


def _magnitude(inputs: Mapping[str, NDArray[Any]]) -> float:
    sizes = [float(np.abs(a[np.isfinite(a)]).max(initial=0.0)) for a in inputs.values() if a.dtype.kind == "f"]
    return max(sizes, default=0.0)


def _fit(gauge: Floats, like: Floats) -> Floats:
    """The gauge in the shape of its result; a scalar gauge serves every element."""
    return np.broadcast_to(gauge, like.shape)
