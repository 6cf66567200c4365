"""A call as exact numbers, ready to be transformed: what relations are made from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.core.case import ArraySpec, Case
from harness.core.formats import FORMATS, rounded
from harness.judgement.agreement import Floats
from reference.signatures import LOSSES

Numbers = NDArray[Any]


class Inexpressible(Exception):  # noqa: N818 - a statement about the case, not an error
    """The relation says nothing about this call, with the reason."""


@dataclass(frozen=True, eq=False)
class Pose:
    """One call. Floating arrays are float64 and exact in `dtype`."""

    loss: str
    dtype: str
    inputs: Mapping[str, Numbers]
    options: Mapping[str, Any]
    differentiate: tuple[str, ...] = ()
    cotangent: Numbers | None = None
    layout: str = "contiguous"

    def having(self, options: Mapping[str, Any] | None = None, **inputs: Numbers) -> Pose:
        """The same call with inputs or options replaced; an option that is None is deleted."""
        chosen = {n: v for n, v in {**self.options, **(options or {})}.items() if v is not None}
        # A reduced loss is one number: the cotangent of the unreduced ones does not fit it.
        cotangent = None if options and "reduction" in options else self.cotangent
        return replace(self, inputs={**self.inputs, **inputs}, options=chosen, cotangent=cotangent)

    def asking(self, loss: str, inputs: Mapping[str, Numbers]) -> Pose:
        """Another loss of other inputs, with the same reduction."""
        options = {"reduction": self.options.get("reduction", "none")} if LOSSES[loss].reductions else {}
        return Pose(loss, self.dtype, inputs, options, LOSSES[loss].differentiate, self.cotangent)

    @property
    def scores(self) -> str:
        """The name of the first floating input that is no target: logits, probabilities, log_probabilities."""
        return LOSSES[self.loss].differentiate[0]

    @property
    def rows(self) -> Floats:
        """The scores themselves."""
        return self.inputs[self.scores]

    @property
    def by_row(self) -> dict[str, Numbers]:
        """The inputs that have a row per sample: not the weight and bias that all samples share."""
        return {name: values for name, values in self.inputs.items() if name not in ("weight", "bias")}

    def exact(self, values: Floats) -> Floats:
        """`values`, which the format has to hold exactly."""
        with np.errstate(over="ignore"):
            same = rounded(values, FORMATS[self.dtype]) == values
        if not bool((same | np.isnan(values)).all()):
            raise Inexpressible(f"the transformed input is not exact in {self.dtype}")
        return values

    def needs(self, holds: bool, reason: str) -> None:
        """Inexpressible with the reason, unless the call is of the kind the relation speaks of."""
        if not holds:
            raise Inexpressible(reason)

    @property
    def has_labels(self) -> bool:
        return bool("targets" in self.inputs and self.inputs["targets"].dtype.kind in "iu")

    def unreduced(self) -> None:
        """Most relations speak of single losses."""
        self.needs(self.options.get("reduction", "none") == "none", "speaks of unreduced losses")


@dataclass(frozen=True, eq=False)
class Equation:
    """What has to be equal, or at most: left and right, with the gauge of what rounding may do to them."""

    what: str
    left: Floats
    right: Floats
    gauge: Floats | float | None = None
    """None: bit for bit."""
    at_most: bool = False


@dataclass(frozen=True, eq=False)
class Answered:
    """The answers of all parts."""

    pose: Pose
    values: Mapping[str, Floats]
    """By part."""
    gradients: Mapping[str, Mapping[str, Floats]] = field(default_factory=lambda: MappingProxyType({}))
    """By part, then by name of the input. A part without gradients is absent."""
    gauge: Floats | float = 1.0
    """The gauge of the base's value."""
    slope_gauge: Mapping[str, Floats] = field(default_factory=lambda: MappingProxyType({}))

    def slopes(self, *parts: str) -> Iterator[tuple[str, tuple[Floats, ...], Floats]]:
        """Name, gradients of the parts (all present), and gauge, for every input all of them differentiate."""
        for name in self.pose.differentiate:
            found = [self.gradients.get(part, {}).get(name) for part in parts]
            if all(g is not None for g in found) and name in self.slope_gauge:
                yield name, tuple(g for g in found if g is not None), self.slope_gauge[name]


def pose_of(case: Case, dtype: str, arrays: Mapping[str, Any]) -> Pose:
    """A case in a dtype; `arrays` are its inputs, array options and the cotangent (under its name) as exact numbers."""
    return Pose(
        loss=case.loss,
        dtype=dtype,
        inputs={name: arrays[name] for name in case.inputs},
        options={n: arrays.get(n, v) for n, v in case.options.items()},
        differentiate=case.differentiate,
        cotangent=arrays.get("the cotangent"),
    )


def case_of(pose: Pose, base: Case, part: str) -> Case:
    """A transformed call as a case that can be asked, in the dtype of the pose."""

    def spec(values: Any, layout: str = "contiguous") -> ArraySpec:
        array = np.asarray(values)
        kept = None if array.dtype.kind == "f" else array.dtype.name
        return ArraySpec(_nested(array.tolist()), dtype=kept, layout=layout)

    return replace(
        base,
        id=f"{base.id}#{part}",
        loss=pose.loss,
        inputs={n: spec(v, pose.layout) for n, v in pose.inputs.items()},
        options={n: spec(v) if isinstance(v, np.ndarray) else v for n, v in pose.options.items()},
        differentiate=pose.differentiate,
        cotangent=None if pose.cotangent is None else spec(pose.cotangent),
        vector=None,
        dtypes=(pose.dtype,),
        claims=(),
        relations=(),
    )


def _nested(values: Any) -> Any:
    return tuple(_nested(entry) for entry in values) if isinstance(values, list) else values
