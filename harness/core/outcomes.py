"""What can happen when an implementation is asked for a loss: the outcomes, as values.

They come out of execution and go into judgement, which knows nothing else of how they came about.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.core.arrays import Array

ERROR_KINDS = ("out_of_range_label", "shape_mismatch", "bad_dtype", "invalid_probability", "invalid_option")
"""What an error may be about. A case may expect one; an exception may say its own, as an attribute `kind`."""


@dataclass(frozen=True)
class Raised:
    """The implementation refused with an exception."""

    type: str
    """Qualified name of the exception's class."""
    message: str
    kind: str | None = None
    """The kind of error, where the implementation itself says it."""


@dataclass(frozen=True, eq=False)
class Returned:
    """The implementation answered with numbers."""

    value: Array
    function: str
    gradients: Mapping[str, Array] = field(default_factory=dict)
    gradient_error: Raised | None = None
    """Raised while differentiating, where the value could be computed."""
    hessian_vector: Array | None = None
    hessian_error: Raised | None = None
    """Raised while differentiating a second time, where the first derivative could be computed."""
    directional: Array | None = None
    directional_error: Raised | None = None
    """Raised by forward-mode differentiation, where the value could be computed."""
    outputs: Mapping[str, Array] = field(default_factory=dict)
    """What came beside the value, by name."""
    convention: Mapping[str, Any] | None = None
    computed_with: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    seconds: float = 0.0
    """What the implementation's own call took."""


@dataclass(frozen=True)
class Refused:
    """The adapter says that the implementation offers no such thing."""

    reason: str


@dataclass(frozen=True)
class TimedOut:
    """No answer within the time allowed; the worker was killed."""

    seconds: float
    each_time: bool = False
    """Twice, the second time alone in a new worker, while other calls are answered: it is this call that hangs."""


@dataclass(frozen=True)
class Crashed:
    """The worker died on this call."""

    how: str
    """Name of the signal, or exit status."""
    said: str = ""
    """The last line that the worker wrote."""
    each_time: bool = False
    """Twice, the second time alone in a new worker, while other calls are answered: it is this call that ends it."""


@dataclass(frozen=True)
class Missing:
    """There was nothing to ask: the worker could not start, or broke the protocol."""

    reason: str


Outcome = Returned | Raised | Refused | TimedOut | Crashed | Missing
