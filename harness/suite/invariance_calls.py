"""The calls besides a case that its invariances speak of: the same call again, some of its rows, in other memory, with
more threads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from harness.core.case import ArraySpec, Case, ExpectInvariances
from harness.core.invariances import THREADS
from harness.suite.generators import shape_of

Rows = tuple[int, ...]


@dataclass(frozen=True)
class Part:
    """One such call: what it changes about the case."""

    invariance: str
    name: str
    rows: Callable[[int], Rows] | None = None
    """Of a number of rows: those that are asked, in this order. None: all, as they stand."""
    layout: str | None = None
    """The layout of the inputs with two axes or more; None: that of the case."""
    threads: int = 1
    """How many threads the implementation may use. Every other call has one."""

    @property
    def title(self) -> str:
        return f"{self.invariance}/{self.name}"


PARTS: Mapping[str, tuple[Part, ...]] = MappingProxyType(
    {
        "second-call": (Part("second-call", "again"),),
        # Vectorized loops treat their ends apart: so the first row, the last, and one from the middle.
        "batch": (
            Part("batch", "first", lambda _: (0,)),
            Part("batch", "middle", lambda count: (count // 2,)),
            Part("batch", "last", lambda count: (count - 1,)),
        ),
        "position": (Part("position", "backwards", lambda count: tuple(reversed(range(count)))),),
        "layout": tuple(Part("layout", layout, layout=layout) for layout in ("strided", "transposed", "sliced")),
        "threads": (Part("threads", "two", threads=THREADS),),
    }
)
"""By invariance."""


def parts_of(case: Case) -> tuple[Part, ...]:
    """The parts of all invariances a case asks for; none of another case."""
    names = case.expect.names if isinstance(case.expect, ExpectInvariances) else ()
    return tuple(part for name in names for part in PARTS[name])


def rows_of(case: Case, part: Part) -> Rows | None:
    """The rows of a case that a part asks, in its order; None for all as they stand."""
    return None if part.rows is None else part.rows(shape_of(next(iter(case.inputs.values())))[0])


def case_of(case: Case, part: Part) -> Case:
    """The part as a case of its own, which a worker can be asked."""
    rows = rows_of(case, part)

    def changed(spec: ArraySpec) -> ArraySpec:
        layout = part.layout if part.layout is not None and len(shape_of(spec)) > 1 else spec.layout
        return replace(spec, rows=rows, layout=layout)

    return replace(
        case,
        id=f"{case.id}#{part.title}",
        inputs={name: changed(spec) for name, spec in case.inputs.items()},
        cotangent=None if case.cotangent is None else replace(case.cotangent, rows=rows),
    )
