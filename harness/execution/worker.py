"""The child process: constructs one adapter, answers requests until its pipe closes.

    XENT_REQUEST_FD=3 XENT_RESPONSE_FD=4 python -m harness.execution.worker package.module:Class

It speaks over its own two pipes; whatever the framework prints goes wherever stdout and stderr lead and is never a
verdict. Standard library and NumPy only, besides the adapter: it starts in any environment that holds a framework.
"""

from __future__ import annotations

import ctypes
import faulthandler
import gc
import importlib
import inspect
import operator
import os
import platform
import random
import resource
import signal
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO

import numpy as np

from harness.adapters.base import Adapter, Answer, Call, Description, Unsupported
from harness.adapters.like import like
from harness.adapters.registry import LIKE
from harness.core.arrays import Array
from harness.core.outcomes import ERROR_KINDS, Missing, Outcome, Raised, Refused, Returned
from harness.execution import arguments, protocol, timing

LONGEST_MESSAGE = 4000
"""Characters of an exception's message that are passed on; some frameworks print whole graphs."""

MOST_WARNINGS = 5
LONGEST_WARNING = 300

PR_SET_PDEATHSIG = 1
"""Of prctl(2)."""


def main(target: str) -> int:
    """Serve until the request pipe closes."""
    faulthandler.enable()
    # A crash is an outcome here; that of a framework would leave gigabytes of core file behind each time.
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    # An interrupt is for the harness, which stops its workers; one that arrives here is somebody's mistake.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Taken out of the environment: no process that a framework starts is to know our pipes.
    requests = os.fdopen(int(os.environ.pop(protocol.REQUEST_FD)), "rb")
    responses = os.fdopen(int(os.environ.pop(protocol.RESPONSE_FD)), "wb")
    _die_with(os.getppid())
    _serve(target, requests, responses)
    return 0


def _serve(target: str, requests: BinaryIO, responses: BinaryIO) -> None:
    us = os.getpid()
    adapter: Adapter | None = None
    workloads: dict[str, Callable[[], Any]] = {}
    for raw in requests:
        message = protocol.parse(raw)
        if message.get("kind") == "describe":
            answer, adapter = _describe(target)
            # What importing left behind stays until the end: a collection that walks through all of it takes a
            # framework's worker a quarter of a second, and there is one after every workload.
            gc.freeze()
            # Tracing and compiling make garbage by the hundred thousand objects: looking through it at every 700th, as
            # Python does by itself, takes a tenth of the time of a call; at every 10,000th the peak memory is the same.
            gc.set_threshold(10_000, 10, 10)
        elif adapter is not None and message.get("kind") in ("prepare", "time", "release"):
            answer = _timing(adapter, workloads, message)
        else:
            answer = _answer(adapter, message)
        if os.getpid() != us:
            os._exit(0)  # a child that the adapter forked and let come back: the answer is its parent's to give
        responses.write(_line_of(answer, message.get("id")))
        responses.flush()


def _die_with(parent: int) -> None:
    """Have the kernel end this process when its parent is gone, should the survivor be gone too (Linux)."""
    if platform.system() == "Linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(0)  # gone before the kernel knew


def _line_of(answer: Mapping[str, Any], number: Any) -> bytes:
    try:
        return protocol.line({"id": number, **answer})
    except (TypeError, ValueError) as error:
        unsendable = Missing(f"the adapter's answer cannot be sent: {error}")
        return protocol.line({"id": number, **protocol.outcome_to_wire(unsendable)})


def _describe(target: str) -> tuple[dict[str, Any], Adapter | None]:
    """Import, construct and describe the adapter; any failure is the reason why it is missing."""
    try:
        adapter = _construct(target)
        description: object = adapter.describe()
        if not isinstance(description, Description):
            raise TypeError(f"describe() returned {type(description).__name__}, expected a Description")
        return protocol.description_to_wire(description), adapter
    except BaseException as error:
        return {"kind": "missing", "reason": f"cannot start {target}: {type(error).__name__}: {_text(error)}"}, None


def _construct(target: str) -> Adapter:
    if target.startswith(LIKE):
        known, _, place = target.removeprefix(LIKE).partition("=")
        home, _, path = place.partition(":")
        return like(known, operator.attrgetter(path)(importlib.import_module(home)))
    module_name, _, class_name = target.partition(":")
    module = importlib.import_module(module_name)
    if module_name == "harness.mistakes":
        mutant: Adapter = module.adapter(class_name)
        return mutant
    found: Any = getattr(module, class_name, None)
    if found is None:
        raise AttributeError(f"module {module_name} has no {class_name}")
    if not isinstance(found, type) and hasattr(found, "evaluate"):
        adapter: Adapter = found
        return adapter
    if not callable(found):
        raise TypeError(f"{class_name} is no adapter: it has no `evaluate`")
    if needed := _needed(found):
        connected = "a loss becomes an implementation by numpy_function, torch_function, jax_function or"
        raise TypeError(
            f"{class_name} cannot be made without {', '.join(needed)}; {connected} tensorflow_function of "
            "harness.adapters.functions"
        )
    made: Adapter = found()
    return made


def _needed(made_by: Callable[..., Any]) -> list[str]:
    """The parameters without which it cannot be called; none where they cannot be told."""
    try:
        parameters = inspect.signature(made_by).parameters.values()
    except (TypeError, ValueError):
        return []
    any_of_them = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [p.name for p in parameters if p.default is p.empty and p.kind not in any_of_them]


def _answer(adapter: Adapter | None, message: Mapping[str, Any]) -> dict[str, Any]:
    if adapter is None:
        return protocol.outcome_to_wire(Missing("asked before it was asked to describe itself"))
    if message.get("kind") != "evaluate":
        return protocol.outcome_to_wire(Missing(f"this worker knows no request of kind {message.get('kind')!r}"))
    try:
        call = protocol.call_from_wire(message)
    except protocol.ProtocolError as error:
        return protocol.outcome_to_wire(Missing(f"the worker cannot read the request: {error}"))
    try:
        return protocol.outcome_to_wire(evaluate(adapter, call))
    except Exception as error:  # an answer is foreign code too: its attributes may be anything, and raise anything
        return protocol.outcome_to_wire(Missing(f"the adapter's answer cannot be sent: {_text(error)}"))


def _timing(adapter: Adapter, workloads: dict[str, Callable[[], Any]], message: Mapping[str, Any]) -> dict[str, Any]:
    """Requests of kinds prepare, time and release; `workloads` are the prepared calls by their name."""
    name = str(message.get("workload"))
    if message["kind"] == "prepare":
        return _prepare(adapter, workloads, name, message)
    if name not in workloads:
        return protocol.outcome_to_wire(Missing(f"no workload {name!r} was prepared"))
    if message["kind"] == "release":
        del workloads[name]
        gc.collect()
        return {"kind": "released"}
    try:
        return timing.block_to_wire(timing.timed(workloads[name], int(message["calls"])))
    except BaseException as error:
        return protocol.outcome_to_wire(_raised(error))


def _prepare(
    adapter: Adapter, workloads: dict[str, Callable[[], Any]], name: str, message: Mapping[str, Any]
) -> dict[str, Any]:
    times, batch = int(message.get("repeat", 1)), tuple(message.get("batch", ()))
    try:
        prepared, call, answer, preparation = timing.prepare(
            adapter,
            lambda: timing.enlarged(protocol.call_from_wire(message), times, batch),
            again=bool(message.get("again", True)),
        )
        judged = timing.first_rows(answer, call, times, batch)
        outcome = Returned(judged.value, judged.function, judged.gradients, convention=judged.convention)
        wire = protocol.outcome_to_wire(outcome) | {"preparation": timing.preparation_to_wire(preparation)}
    except Unsupported as reason:
        return protocol.outcome_to_wire(Refused(_text(reason)))
    except BaseException as error:
        return protocol.outcome_to_wire(_raised(error))
    workloads[name] = prepared.run
    return wire


def evaluate(adapter: Adapter, call: Call) -> Outcome:
    """One call, timed, with its warnings; whatever it raises is an outcome, and so is writing into its arguments."""
    given = arguments.copies_of(call)
    # The same numbers whichever calls came before.
    random.seed(0)
    np.random.seed(0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        start = time.perf_counter()
        try:
            answer: object = adapter.evaluate(call)
        except Unsupported as reason:
            return Refused(_text(reason))
        except BaseException as error:  # SystemExit and KeyboardInterrupt too are what it did with the input
            return _raised(error)
        seconds = time.perf_counter() - start
    if written := arguments.restored(call, given):
        return _raised(arguments.ArgumentOverwritten(f"the call wrote into its argument {', '.join(written)}"))
    if not isinstance(answer, Answer):
        return Missing(f"the adapter returned {type(answer).__name__}, expected an Answer")
    value: object = answer.value
    if not isinstance(value, Array):
        return Missing(f"the adapter's value is a {type(value).__name__}, expected an Array")
    return Returned(
        value=value,
        function=str(answer.function),
        gradients=dict(answer.gradients),
        gradient_error=None if answer.gradient_error is None else _raised(answer.gradient_error),
        hessian_vector=answer.hessian_vector,
        hessian_error=None if answer.hessian_error is None else _raised(answer.hessian_error),
        directional=answer.directional,
        directional_error=None if answer.directional_error is None else _raised(answer.directional_error),
        outputs=dict(answer.outputs),
        convention=answer.convention,
        computed_with=answer.computed_with,
        warnings=_told(caught),
        seconds=seconds,
    )


def _told(caught: list[warnings.WarningMessage]) -> tuple[str, ...]:
    texts = dict.fromkeys(f"{w.category.__name__}: {w.message}"[:LONGEST_WARNING] for w in caught)
    return tuple(texts)[:MOST_WARNINGS]


def _raised(error: BaseException) -> Raised:
    type_, kind = type(error), getattr(error, "kind", None)
    said = kind if isinstance(kind, str) and kind in ERROR_KINDS else None
    return Raised(f"{type_.__module__}.{type_.__qualname__}", _text(error), said)


def _text(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception:
        text = "(its message cannot be shown)"
    return text if len(text) <= LONGEST_MESSAGE else text[:LONGEST_MESSAGE] + "…"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
