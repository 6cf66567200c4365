"""The messages between the harness and a worker: JSON objects, one per line. docs/protocol.md says it in full.

Pure: from values to bytes and back. Standard library and NumPy only: this module also runs inside workers.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

import numpy as np

from harness.adapters.base import Call, Description
from harness.core.arrays import Array
from harness.core.case import ArraySpec
from harness.core.formats import FORMATS
from harness.core.machine_facts import contradiction
from harness.core.outcomes import ERROR_KINDS, Missing, Outcome, Raised, Refused, Returned
from harness.core.outputs import OUTPUTS
from harness.suite.generators import MOST_AXES, realize, spec_from_wire, spec_to_wire
from harness.suite.problems import suggestion
from reference.signatures import LOSSES

PROTOCOL = 1
REQUEST_FD = "XENT_REQUEST_FD"
RESPONSE_FD = "XENT_RESPONSE_FD"

LONGEST_LINE = 2**28
"""Bytes of one message: base64 of 25 million float64, more than any judged case holds. A worker that sends more without
an end of line has lost its way, and must not take our memory with it."""

LONGEST_TEXT = 20_000
"""Characters that are kept of a text: a compiler's message may hold the whole program, and a run has many cells."""

MOST_ENTRIES = 1000
"""Entries of what is named one by one: versions, flags, warnings. A framework attests some dozens."""

DTYPES = (*FORMATS, "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "bool")
"""Types an array on the wire may have."""

DESCRIBE_ID = 0
"""The id of the first request; calls count from 1."""


class ProtocolError(ValueError):
    """A message that is not what the protocol says."""


@dataclass(frozen=True, eq=False)
class Request:
    """One call to make, in whichever mode. It carries no expectation: who computes cannot know what would please us."""

    loss: str
    dtype: str
    inputs: Mapping[str, Array | ArraySpec]
    """An ArraySpec is sent as it is and evaluated inside the worker: nothing large crosses the pipe, and the layout in
    memory (strided, transposed, reversed) is made where it is used."""
    options: Mapping[str, Any] = field(default_factory=dict)
    differentiate: tuple[str, ...] = ()
    cotangent: Array | ArraySpec | None = None
    vector: Array | ArraySpec | None = None
    outputs: tuple[str, ...] = ()


# --- lines -----------------------------------------------------------------------------------------------------------


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"JSON has no {name}")


# Made once: json.dumps and json.loads make a new one for every message, which takes longer than the message itself.
_ENCODER = json.JSONEncoder(separators=(",", ":"), allow_nan=False)
_DECODER = json.JSONDecoder(parse_constant=_no_constant)


def line(message: Mapping[str, Any]) -> bytes:
    """A message as it goes through the pipe. ValueError or TypeError where JSON cannot hold it."""
    return _ENCODER.encode(message).encode("ascii") + b"\n"


def parse(raw: bytes) -> dict[str, Any]:
    """One line as a message; ProtocolError where it is none."""
    try:
        message = _DECODER.decode(raw.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"not JSON: {_excerpt(raw)}") from error
    if not isinstance(message, dict):
        raise ProtocolError(f"not an object: {_excerpt(raw)}")
    return message


def _excerpt(raw: bytes) -> str:
    return repr(raw[:80]) + ("…" if len(raw) > 80 else "")


# --- describing ------------------------------------------------------------------------------------------------------


def describe_request() -> bytes:
    """The first line of every conversation."""
    return line({"kind": "describe", "id": DESCRIBE_ID, "protocol": PROTOCOL})


def description_to_wire(description: Description) -> dict[str, Any]:
    """What `describe` answered, as a message without its id."""
    return {
        "kind": "description",
        "version": str(description.version),
        "losses": [str(name) for name in description.losses],
        "modes": [str(name) for name in description.modes],
        "mode_losses": {str(mode): [str(n) for n in names] for mode, names in description.mode_losses.items()},
        "mode_tags": {str(mode): str(tag) for mode, tag in description.mode_tags.items()},
        **({"outputs": [str(name) for name in description.outputs]} if description.outputs else {}),
        "truth": str(description.truth),
        "error_scale": str(description.error_scale),
        "dtypes": [str(name) for name in description.dtypes],
        "gradients": bool(description.gradients),
        "flush_to_zero": bool(description.flush_to_zero),
        "versions": {str(k): str(v) for k, v in description.versions.items()},
        "device": str(description.device),
        "threads": int(description.threads),
        "flags": {str(k): str(v) for k, v in description.flags.items()},
        "facts": {str(k): str(v) for k, v in description.facts.items()},
    }


def description_from_wire(message: Mapping[str, Any]) -> Description | Missing:
    """What the first answer says: a description, or why there is none. Only version and losses are required."""
    kind = message.get("kind")
    if message.get("id") != DESCRIBE_ID:
        raise ProtocolError(f"an answer to request {message.get('id')!r}, expected one to {DESCRIBE_ID}")
    if kind == "missing":
        return Missing(_text({"reason": "no reason given", **message}, "reason"))
    if kind != "description":
        raise ProtocolError(f"expected a description, got a message of kind {kind!r}")
    modes = _names(message, "modes", ("eager",))
    for mode in modes:
        if re.fullmatch(r"[\w.+-]+", mode, re.ASCII) is None or mode in ("all", "first", "-"):
            raise ProtocolError(f"no mode can have the name {mode!r}: letters, digits and _ . + -, not all or first")
    return Description(
        version=_text(message, "version"),
        losses=_names(message, "losses", None),
        modes=modes,
        dtypes=_known(_names(message, "dtypes", ("float64", "float32")), FORMATS, "dtype"),
        gradients=_yes_or_no(message, "gradients", default=True),
        flush_to_zero=_yes_or_no(message, "flush_to_zero", default=False),
        versions=_texts(message, "versions"),
        device=_text({"device": "cpu", **message}, "device"),
        threads=_whole(message, "threads", 1),
        flags=_texts(message, "flags"),
        facts=_facts(message),
        mode_losses=_mode_losses(message, modes),
        mode_tags=_texts(message, "mode_tags"),
        outputs=_known(_names(message, "outputs", None) if "outputs" in message else (), OUTPUTS, "output"),
        truth=_text({"truth": "", **message}, "truth"),
        error_scale=_text({"error_scale": "", **message}, "error_scale"),
    )


def check_losses(description: Description) -> None:
    """ProtocolError where a loss that is offered is none: it would never be asked for, and nobody would notice."""
    _known(description.losses, LOSSES, "loss")


# --- asking ----------------------------------------------------------------------------------------------------------


def request_to_wire(request: Request) -> dict[str, Any]:
    """A request as a message, not yet addressed."""
    message = {
        "kind": "evaluate",
        "loss": request.loss,
        "dtype": request.dtype,
        "inputs": {name: _operand_to_wire(value) for name, value in request.inputs.items()},
        "options": {name: _operand_to_wire(value) for name, value in request.options.items()},
        "differentiate": list(request.differentiate),
        "cotangent": None if request.cotangent is None else _operand_to_wire(request.cotangent),
    }
    # Only where it is asked for: most calls have no second derivative, and workers of old ignore it.
    if request.vector is not None:
        message["vector"] = _operand_to_wire(request.vector)
    return {**message, "outputs": list(request.outputs)} if request.outputs else message


def addressed(request: bytes, number: int, mode: str) -> bytes:
    """The line of a request with the number that its answer is to carry, and the mode it is to be run in."""
    return b'{"id":%d,"mode":%s,' % (number, _ENCODER.encode(mode).encode("ascii")) + request[1:]


def call_from_wire(message: Mapping[str, Any]) -> Call:
    """What an adapter is handed: every array realized. ProtocolError where the message is no such request."""
    try:
        dtype = str(message["dtype"])
        cotangent, vector = message.get("cotangent"), message.get("vector")
        return Call(
            loss=str(message["loss"]),
            inputs={name: _array_from_wire(value, dtype) for name, value in message["inputs"].items()},
            options={name: _operand_from_wire(value, dtype) for name, value in message["options"].items()},
            dtype=dtype,
            mode=str(message["mode"]),
            differentiate=tuple(message["differentiate"]),
            cotangent=None if cotangent is None else _array_from_wire(cotangent, dtype),
            vector=None if vector is None else _array_from_wire(vector, dtype),
            outputs=tuple(message.get("outputs", ())),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ProtocolError(f"not a request: {error!r}") from error


def _operand_to_wire(value: Any) -> Any:
    if isinstance(value, Array):
        return value.to_wire()
    if isinstance(value, ArraySpec):
        return {"spec": spec_to_wire(value)}
    return _plain_to_wire(value)


def _operand_from_wire(value: Any, dtype: str) -> Any:
    is_array = isinstance(value, dict) and ("data" in value or "spec" in value)
    return _array_from_wire(value, dtype) if is_array else _plain_from_wire(value)


def _array_from_wire(message: Any, dtype: str | None = None) -> Array:
    """An array that was sent; `dtype` is that of the call, which a spec without one of its own gets."""
    if not isinstance(message, Mapping):
        raise ProtocolError(f"expected an array, got {type(message).__name__}")
    if dtype is not None and "spec" in message:
        return realize(spec_from_wire(message["spec"]), dtype)
    if message.get("dtype") not in DTYPES:
        raise ProtocolError(f"no array on the wire has the dtype {message.get('dtype')!r}; known: {', '.join(DTYPES)}")
    shape = message.get("shape")
    if not isinstance(shape, list) or not all(type(n) is int and n >= 0 for n in shape):
        raise ProtocolError(f"a shape is a list of whole numbers, got {shape!r:.80}")
    if len(shape) > MOST_AXES:
        raise ProtocolError(f"an array has at most {MOST_AXES} axes, got {len(shape)}")
    if math.prod(max(n, 1) for n in shape) > LONGEST_LINE:  # an array of no elements can be too large to be widened
        raise ProtocolError(f"no line holds an array of shape {shape!r:.80}")
    return Array.from_wire(dict(message))


def _plain_to_wire(value: Any) -> Any:
    """Numbers, texts and lists. JSON has no nan and no infinities: they go as {"number": "nan"}."""
    if isinstance(value, np.generic):
        return _plain_to_wire(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return {"number": repr(value)}
    if isinstance(value, tuple | list):
        return [_plain_to_wire(entry) for entry in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"a message holds numbers, texts and lists, no {type(value).__name__}")


def _plain_from_wire(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain_from_wire(entry) for entry in value]
    if isinstance(value, dict):
        if set(value) != {"number"} or value["number"] not in ("nan", "inf", "-inf"):
            raise ProtocolError(f"expected a number, a text or a list, got {value!r}")
        return float(value["number"])
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise ProtocolError("a whole number has 64 bits at most")
    return value


# --- answering -------------------------------------------------------------------------------------------------------


def outcome_to_wire(outcome: Outcome) -> dict[str, Any]:
    """What happened inside a worker, as a message without its id. TypeError where a part of it cannot be sent."""
    match outcome:
        case Returned():
            return {"kind": "outcome", "outcome": "value", **_returned_to_wire(outcome)}
        case Raised():
            return {"kind": "outcome", "outcome": "raises", **_raised_to_wire(outcome)}
        case Refused(reason):
            return {"kind": "outcome", "outcome": "unsupported", "reason": reason}
        case Missing(reason):
            return {"kind": "outcome", "outcome": "missing", "reason": reason}
    raise TypeError(f"{outcome!r} happens to a worker, not inside it")


def _returned_to_wire(outcome: Returned) -> dict[str, Any]:
    message: dict[str, Any] = {
        "value": _result_to_wire(outcome.value, "value"),
        "gradients": {str(n): _result_to_wire(array, f"gradient of {n}") for n, array in outcome.gradients.items()},
        "function": outcome.function,
        "seconds": outcome.seconds,
    }
    if outcome.gradient_error is not None:
        message["gradient_error"] = _raised_to_wire(outcome.gradient_error)
    if outcome.hessian_vector is not None:
        message["hessian_vector"] = _result_to_wire(outcome.hessian_vector, "product of the Hessian with the vector")
    if outcome.hessian_error is not None:
        message["hessian_error"] = _raised_to_wire(outcome.hessian_error)
    if outcome.directional is not None:
        message["directional"] = _result_to_wire(outcome.directional, "derivative along the vector")
    if outcome.directional_error is not None:
        message["directional_error"] = _raised_to_wire(outcome.directional_error)
    if outcome.outputs:
        message["outputs"] = {str(n): _result_to_wire(array, str(n)) for n, array in outcome.outputs.items()}
    if outcome.convention is not None:
        message["convention"] = {str(name): _plain_to_wire(value) for name, value in outcome.convention.items()}
    if outcome.computed_with:
        message["computed_with"] = {str(name): str(value) for name, value in outcome.computed_with.items()}
    if outcome.warnings:
        message["warnings"] = list(outcome.warnings)
    return message


def _result_to_wire(array: Any, what: str) -> dict[str, Any]:
    if not isinstance(array, Array):
        raise TypeError(f"the {what} is a {type(array).__name__}, expected an Array")
    if array.dtype not in DTYPES:
        raise TypeError(f"the {what} is of {array.dtype}, expected one of {', '.join(DTYPES)}")
    return array.to_wire()


def _raised_to_wire(raised: Raised) -> dict[str, Any]:
    told = {"type": raised.type, "message": raised.message}
    return told if raised.kind is None else {**told, "error_kind": raised.kind}


def answer_from_wire(message: Mapping[str, Any], number: int) -> Outcome:
    """The outcome of request `number`; ProtocolError where the message is no answer to it."""
    if message.get("kind") != "outcome":
        raise ProtocolError(f"expected an outcome, got a message of kind {message.get('kind')!r}")
    if message.get("id") != number:
        raise ProtocolError(f"an answer to request {message.get('id')!r}, expected one to {number}")
    match message.get("outcome"):
        case "value":
            return _returned_from_wire(message)
        case "raises":
            return _raised_from_wire(message)
        case "unsupported":
            return Refused(_text(message, "reason"))
        case "missing":
            return Missing(_text(message, "reason"))
        case other:
            raise ProtocolError(f"unknown outcome {other!r}; known: value, raises, unsupported, missing")


def _returned_from_wire(message: Mapping[str, Any]) -> Returned:
    gradients, error, convention = message.get("gradients"), message.get("gradient_error"), message.get("convention")
    product, second = message.get("hessian_vector"), message.get("hessian_error")
    along, forward = message.get("directional"), message.get("directional_error")
    outputs = message.get("outputs")
    for name, part in (
        ("gradients", gradients),
        ("gradient_error", error),
        ("hessian_vector", product),
        ("hessian_error", second),
        ("directional", along),
        ("directional_error", forward),
        ("outputs", outputs),
        ("convention", convention),
    ):
        if part is not None and not isinstance(part, dict):
            raise ProtocolError(f"{name} is an object or absent, got {type(part).__name__}")
    warnings = message.get("warnings", [])
    if not isinstance(warnings, list):
        raise ProtocolError(f"warnings are a list of texts, got {type(warnings).__name__}")
    seconds = message.get("seconds", 0.0)
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or seconds < 0:
        raise ProtocolError(f"seconds are a number, got {seconds!r}")
    try:
        return Returned(
            value=_array_from_wire(message.get("value")),
            function=_text(message, "function"),
            gradients={name: _array_from_wire(array) for name, array in (gradients or {}).items()},
            gradient_error=None if error is None else _raised_from_wire(error),
            hessian_vector=None if product is None else _array_from_wire(product),
            hessian_error=None if second is None else _raised_from_wire(second),
            directional=None if along is None else _array_from_wire(along),
            directional_error=None if forward is None else _raised_from_wire(forward),
            outputs={name: _array_from_wire(array) for name, array in (outputs or {}).items()},
            convention=None if convention is None else {n: _plain_from_wire(v) for n, v in convention.items()},
            computed_with=_texts(message, "computed_with"),
            warnings=tuple(_shortened(str(warning)) for warning in warnings[:MOST_ENTRIES]),
            seconds=float(seconds),
        )
    except ProtocolError:
        raise
    except (TypeError, ValueError, OverflowError) as problem:  # an array whose bytes contradict its shape
        raise ProtocolError(str(problem)) from problem


def _raised_from_wire(message: Mapping[str, Any]) -> Raised:
    kind = message.get("error_kind")
    if kind is not None and kind not in ERROR_KINDS:
        raise ProtocolError(f"there is no kind of error {kind!r:.80}; known: {', '.join(ERROR_KINDS)}")
    return Raised(_text(message, "type"), _text(message, "message"), kind)


def _text(message: Mapping[str, Any], name: str) -> str:
    if not isinstance(message.get(name), str):
        raise ProtocolError(f"{name} is a text, got {message.get(name)!r:.80}")
    return _shortened(message[name])


def _shortened(text: str) -> str:
    """What somebody says, as far as a run keeps it."""
    return text if len(text) <= LONGEST_TEXT else text[:LONGEST_TEXT] + "…"


def _texts(message: Mapping[str, Any], name: str) -> dict[str, str]:
    """An object of texts, empty where absent."""
    found = message.get(name, {})
    if not isinstance(found, dict):
        raise ProtocolError(f"{name} is an object of texts, got {type(found).__name__}")
    if len(found) > MOST_ENTRIES:
        raise ProtocolError(f"{name} has {len(found)} entries, at most {MOST_ENTRIES}")
    return {_shortened(str(key)): _shortened(str(value)) for key, value in found.items()}


def _facts(message: Mapping[str, Any]) -> dict[str, str]:
    """The machine facts, of the closed vocabulary only: a condition on any other would never hold and nobody notice."""
    found = _texts(message, "facts")
    for wrong in filter(None, (contradiction(name, value) for name, value in found.items())):
        raise ProtocolError(wrong)
    return found


def _names(message: Mapping[str, Any], name: str, default: tuple[str, ...] | None) -> tuple[str, ...]:
    found = message.get(name, default)
    if not isinstance(found, list | tuple) or not all(isinstance(entry, str) for entry in found):
        raise ProtocolError(f"{name} is a list of names, got {found!r:.80}")
    if not found or len(set(found)) < len(found):
        raise ProtocolError(f"{name} names at least one, and each once, got {list(found)!r:.80}")
    return tuple(found)


def _mode_losses(message: Mapping[str, Any], modes: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    found = message.get("mode_losses", {})
    if not isinstance(found, dict):
        raise ProtocolError(f"mode_losses is an object of lists of names, got {type(found).__name__}")
    for mode in found:
        if mode not in modes[1:]:
            raise ProtocolError(f"mode_losses: {mode!r:.80} is none of the modes after the first")
    return {mode: _known(_names(found, mode, None), message["losses"], "offered loss") for mode in found}


def _known(names: tuple[str, ...], known: Collection[str], what: str) -> tuple[str, ...]:
    for name in names:
        if name not in known:
            raise ProtocolError(f"there is no {what} {name!r:.80}. {suggestion(name, known)}")
    return names


def _yes_or_no(message: Mapping[str, Any], name: str, *, default: bool) -> bool:
    found = message.get(name, default)
    if not isinstance(found, bool):
        raise ProtocolError(f"{name} is true or false, got {found!r:.80}")
    return found


def _whole(message: Mapping[str, Any], name: str, default: int) -> int:
    found = message.get(name, default)
    if type(found) is not int or not 0 <= found < 2**31:
        raise ProtocolError(f"{name} is a whole number from 0 to 2^31, got {found!r:.80}")
    return found
