"""The messages between the harness and a worker: JSON, one per line. docs/protocol.md says it in full.

Standard library and NumPy only: this module also runs inside workers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from harness.adapters.base import Description
from harness.arrays import Array
from harness.outcomes import Missing, Outcome, Raised, Refused, Returned

PROTOCOL = 1
REQUEST_FD = "XENT_REQUEST_FD"
RESPONSE_FD = "XENT_RESPONSE_FD"

LONGEST_LINE = 2**30
"""Bytes of one message; a worker that sends more without an end of line has lost its way."""


class ProtocolError(ValueError):
    """A message that is not what the protocol says."""


def line(message: Mapping[str, Any]) -> bytes:
    """A message as it goes through the pipe."""
    return json.dumps(message, separators=(",", ":")).encode("ascii") + b"\n"


def parse(raw: bytes) -> dict[str, Any]:
    """One line as a message; ProtocolError where it is none."""
    try:
        message = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"not JSON: {raw[:80]!r}") from error
    if not isinstance(message, dict):
        raise ProtocolError(f"not an object: {raw[:80]!r}")
    return message


def description_to_wire(description: Description) -> dict[str, Any]:
    """What `describe` answered, as a message."""
    return {
        "version": str(description.version),
        "losses": [str(name) for name in description.losses],
        "modes": [str(name) for name in description.modes],
        "dtypes": [str(name) for name in description.dtypes],
        "gradients": bool(description.gradients),
        "flush_to_zero": bool(description.flush_to_zero),
        "versions": {str(k): str(v) for k, v in description.versions.items()},
        "device": str(description.device),
        "threads": int(description.threads),
        "flags": {str(k): str(v) for k, v in description.flags.items()},
    }


def description_from_wire(message: Mapping[str, Any]) -> Description:
    """The inverse; ProtocolError where something is missing. Only version and losses are required of a program."""
    try:
        losses = tuple(str(name) for name in message["losses"])
        modes = tuple(str(name) for name in message.get("modes") or ("eager",))
        return Description(
            version=str(message["version"]),
            losses=losses,
            modes=modes,
            dtypes=tuple(str(name) for name in message.get("dtypes") or ("float64", "float32")),
            gradients=bool(message.get("gradients", True)),
            flush_to_zero=bool(message.get("flush_to_zero", False)),
            versions={str(k): str(v) for k, v in dict(message.get("versions") or {}).items()},
            device=str(message.get("device", "cpu")),
            threads=int(message.get("threads", 1)),
            flags={str(k): str(v) for k, v in dict(message.get("flags") or {}).items()},
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ProtocolError(f"a description needs version and losses: {error!r}") from error


def outcome_to_wire(outcome: Outcome) -> dict[str, Any]:
    """What happened inside a worker, as a message without its id."""
    match outcome:
        case Returned():
            message: dict[str, Any] = {
                "outcome": "value",
                "value": outcome.value.to_wire(),
                "gradients": {name: array.to_wire() for name, array in outcome.gradients.items()},
                "function": outcome.function,
                "seconds": outcome.seconds,
            }
            if outcome.gradient_error is not None:
                message["gradient_error"] = {
                    "type": outcome.gradient_error.type,
                    "message": outcome.gradient_error.message,
                }
            if outcome.convention is not None:
                message["convention"] = dict(outcome.convention)
            if outcome.computed_with:
                message["computed_with"] = dict(outcome.computed_with)
            if outcome.warnings:
                message["warnings"] = list(outcome.warnings)
            return message
        case Raised(kind, text):
            return {"outcome": "raises", "type": kind, "message": text}
        case Refused(reason):
            return {"outcome": "unsupported", "reason": reason}
        case Missing(reason):
            return {"outcome": "missing", "reason": reason}
    raise ProtocolError(f"{outcome!r} happens to a worker, not inside it")


def outcome_from_wire(message: Mapping[str, Any]) -> Outcome:
    """The inverse; what a worker garbled becomes `Missing`, never an exception."""
    try:
        match message.get("outcome"):
            case "value":
                return _returned(message)
            case "raises":
                return Raised(str(message["type"]), str(message["message"]))
            case "unsupported":
                return Refused(str(message["reason"]))
            case "missing":
                return Missing(str(message["reason"]))
            case other:
                return Missing(f"protocol violated: unknown outcome {other!r}")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        return Missing(f"protocol violated: {error!r}")


def _returned(message: Mapping[str, Any]) -> Returned:
    error = message.get("gradient_error")
    return Returned(
        value=Array.from_wire(message["value"]),
        function=str(message.get("function", "")),
        gradients={str(name): Array.from_wire(array) for name, array in dict(message.get("gradients") or {}).items()},
        gradient_error=None if error is None else Raised(str(error["type"]), str(error["message"])),
        convention=None if message.get("convention") is None else dict(message["convention"]),
        computed_with={str(k): str(v) for k, v in dict(message.get("computed_with") or {}).items()},
        warnings=tuple(str(w) for w in message.get("warnings") or ()),
        seconds=float(message.get("seconds", 0.0)),
    )
