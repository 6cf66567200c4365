"""The child process: constructs one adapter, answers requests until its pipe closes.

    XENT_REQUEST_FD=3 XENT_RESPONSE_FD=4 python worker.py package.module:Class

It speaks over its own two pipes; whatever the framework prints goes wherever stdout and stderr lead and is never a
verdict. Standard library and NumPy only, besides the adapter: it starts in any environment that holds a framework.
"""

from __future__ import annotations

import faulthandler
import importlib
import os
import sys
import threading
import time
import warnings
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO

from harness.adapters.base import Adapter, Answer, Call, Description, Unsupported
from harness.arrays import Array
from harness.execution import protocol
from harness.outcomes import Missing, Outcome, Raised, Refused, Returned
from harness.suite.generators import realize, spec_from_wire

LONGEST_MESSAGE = 4000
"""Characters of an exception's message that are passed on; some frameworks print whole graphs."""

MOST_WARNINGS = 5


def main(target: str) -> int:
    """Serve until the request pipe closes."""
    faulthandler.enable()
    requests = os.fdopen(int(os.environ[protocol.REQUEST_FD]), "rb")
    responses = os.fdopen(int(os.environ[protocol.RESPONSE_FD]), "wb")
    _die_with(os.getppid())
    with requests, responses:
        adapter: Adapter | None = None
        for raw in requests:
            message = protocol.parse(raw)
            if message["kind"] == "describe":
                answer, adapter = _describe(target)
            else:
                assert adapter is not None, "a worker is asked to describe itself first"
                answer = _answer(adapter, message)
            _send(responses, {"id": message.get("id"), **answer})
    return 0


def _die_with(parent: int) -> None:
    """End this process when its parent is gone, even in the middle of a call that never returns."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)  # a second of an orphan's life harms nobody, a busy loop would
        os._exit(0)

    threading.Thread(target=watch, daemon=True).start()


def _send(pipe: BinaryIO, message: Mapping[str, Any]) -> None:
    pipe.write(protocol.line(message))
    pipe.flush()


def _describe(target: str) -> tuple[dict[str, Any], Adapter | None]:
    """Import, construct and describe the adapter; any failure is the reason why it is missing."""
    try:
        adapter = _construct(target)
        description = adapter.describe()
        if not isinstance(description, Description):
            raise TypeError(f"{target}.describe() returned {type(description).__name__}, expected a Description")
        return {"kind": "description", **protocol.description_to_wire(description)}, adapter
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        return {"kind": "missing", "reason": f"cannot start {target}: {type(error).__name__}: {_text(error)}"}, None


def _construct(target: str) -> Adapter:
    module_name, _, class_name = target.partition(":")
    module = importlib.import_module(module_name)
    if module_name == "harness.adapters.mutants":
        mutant: Adapter = module.adapter(class_name)
        return mutant
    factory: Callable[[], Adapter] | None = getattr(module, class_name, None)
    if factory is None:
        raise AttributeError(f"module {module_name} has no {class_name}")
    return factory()


def _answer(adapter: Adapter, message: Mapping[str, Any]) -> dict[str, Any]:
    try:
        call = _call(message)
    except Exception as error:
        return protocol.outcome_to_wire(Missing(f"the worker cannot read the request: {error!r}"))
    try:
        return protocol.outcome_to_wire(evaluate(adapter, call))
    except Exception as error:
        return protocol.outcome_to_wire(Missing(f"the adapter's answer cannot be sent: {error!r}"))


def _call(message: Mapping[str, Any]) -> Call:
    dtype = str(message["dtype"])
    cotangent = message.get("cotangent")
    return Call(
        loss=str(message["loss"]),
        inputs={name: _array(value, dtype) for name, value in message["inputs"].items()},
        options={n: _array(v, dtype) if isinstance(v, dict) else v for n, v in message["options"].items()},
        dtype=dtype,
        mode=str(message["mode"]),
        differentiate=tuple(message["differentiate"]),
        cotangent=None if cotangent is None else _array(cotangent, dtype),
    )


def _array(message: dict[str, Any], dtype: str) -> Array:
    return Array.from_wire(message) if "data" in message else realize(spec_from_wire(message["spec"]), dtype)


def evaluate(adapter: Adapter, call: Call) -> Outcome:
    """One call, timed, with its warnings; whatever it raises is an outcome."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        start = time.perf_counter()
        try:
            answer: object = adapter.evaluate(call)
        except Unsupported as reason:
            return Refused(str(reason))
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            return _raised(error)
        seconds = time.perf_counter() - start
    if not (isinstance(answer, Answer) and _holds_arrays(answer)):
        return Missing(f"the adapter returned {type(answer).__name__}, expected an Answer that holds Arrays")
    return Returned(
        value=answer.value,
        function=str(answer.function),
        gradients=dict(answer.gradients),
        gradient_error=None if answer.gradient_error is None else _raised(answer.gradient_error),
        convention=answer.convention,
        computed_with=answer.computed_with,
        warnings=tuple(dict.fromkeys(f"{w.category.__name__}: {w.message}"[:300] for w in caught))[:MOST_WARNINGS],
        seconds=seconds,
    )


def _holds_arrays(answer: Answer) -> bool:
    """An adapter is other people's code: what it promises by its types still has to be looked at."""
    held: list[object] = [answer.value, *answer.gradients.values()]
    return all(isinstance(array, Array) for array in held)


def _raised(error: BaseException) -> Raised:
    kind = type(error)
    return Raised(f"{kind.__module__}.{kind.__qualname__}", _text(error))


def _text(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception:
        text = "(its message cannot be shown)"
    return text if len(text) <= LONGEST_MESSAGE else text[:LONGEST_MESSAGE] + "…"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
