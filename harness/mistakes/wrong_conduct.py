"""Misbehaviour that has nothing to do with the mathematics: what an implementation does to the process it runs in.

The harness must report each as what it is, and go on.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from harness.adapters.base import Adapter, Answer, Array, Call, Description, Unsupported
from harness.core.formats import FORMATS, quantum
from harness.mistakes.sound import LOSSES, Sound


def hang(call: Call) -> None:  # noqa: ARG001  # pragma: no cover - the process waits for ever
    threading.Event().wait()


def abort(call: Call) -> None:  # noqa: ARG001  # pragma: no cover - the process dies
    os.abort()


def segfault(call: Call) -> None:  # noqa: ARG001  # pragma: no cover - the process dies
    os.kill(os.getpid(), signal.SIGSEGV)


def leave(call: Call) -> None:  # noqa: ARG001
    sys.exit(0)


def vanish(call: Call) -> None:  # noqa: ARG001  # pragma: no cover - the process ends
    os._exit(0)


def shout(call: Call) -> None:
    """Text on stdout, through Python and past it."""
    print(f'{{"id": 0, "loss": "{call.loss}"}} computing ...')
    sys.stdout.flush()
    os.write(1, b"native code speaks here\n")


def refuse(call: Call) -> None:
    raise RuntimeError(f"cannot compute {call.loss}")


def feign(call: Call) -> None:
    raise Unsupported(f"{call.loss} is not offered, although it was announced")


def when_all_ignored(act: Callable[[Call], None]) -> Callable[[Call], None]:
    def watch(call: Call) -> None:
        ignored, targets = call.options.get("ignore_index"), call.inputs.get("targets")
        if ignored is not None and targets is not None and targets.storage.size and (targets.storage == ignored).all():
            act(call)

    return watch


def when_label_out_of_range(act: Callable[[Call], None]) -> Callable[[Call], None]:
    def watch(call: Call) -> None:
        targets, logits = call.inputs.get("targets"), call.inputs.get("logits")
        if targets is None or logits is None or targets.is_float or not logits.shape:
            return
        labels = targets.storage[targets.storage != call.options.get("ignore_index")]
        if ((labels < 0) | (labels >= logits.shape[int(call.options.get("axis", -1))])).any():
            act(call)

    return watch


class Misbehaving:
    """`Sound`, which does something else before it answers."""

    def __init__(self, act: Callable[[Call], None], losses: tuple[str, ...]) -> None:
        self._sound = Sound(losses=losses)
        self._act = act

    def describe(self) -> Description:
        return self._sound.describe()

    def evaluate(self, call: Call) -> Answer:
        self._act(call)
        return self._sound.evaluate(call)


class Repeating:
    """Answers every call with the answer to the one before: a buffer that is read too early."""

    def __init__(self, losses: tuple[str, ...]) -> None:
        self._sound = Sound(losses=losses)
        self._previous: Answer | None = None

    def describe(self) -> Description:
        return self._sound.describe()

    def evaluate(self, call: Call) -> Answer:
        answer = self._sound.evaluate(call)
        previous, self._previous = self._previous, answer
        return answer if previous is None else previous


class Changed:
    """`Sound`, whose answers and errors are changed on their way out without becoming wrong."""

    def __init__(
        self,
        losses: tuple[str, ...],
        answer: Callable[[Call, Answer], Answer] = lambda _, answer: answer,
        error: Callable[[Exception], Exception] = lambda error: error,
    ) -> None:
        self._sound = Sound(losses=losses)
        self._answer = answer
        self._error = error

    def describe(self) -> Description:
        return self._sound.describe()

    def evaluate(self, call: Call) -> Answer:
        try:
            return self._answer(call, self._sound.evaluate(call))
        except (ValueError, IndexError) as error:
            raise self._error(error) from None


class OtherError(ValueError):
    """What used to be a plain ValueError."""


def drifted(call: Call, answer: Answer) -> Answer:
    """Off by some eps more than a rounding, within the budget of float64 and float32."""
    if call.dtype not in ("float64", "float32"):
        return answer
    exact = answer.value.to_float64()
    return replace(answer, value=Array.of(exact * (1.0 + 1.5 * FORMATS[call.dtype].eps), call.dtype))


def into_the_input(call: Call, answer: Answer) -> Answer:
    """The gradient is stored where the input lay, which saves memory and harms whoever needs the input again."""
    for name, gradient in answer.gradients.items():
        if gradient.shape == call.inputs[name].shape:
            np.copyto(call.inputs[name].storage, gradient.storage)
    return answer


def warned(_: Call, answer: Answer) -> Answer:
    warnings.warn("this loss will be removed in a later version", DeprecationWarning, stacklevel=2)
    return answer


def one_ulp_up(answer: Answer, place: int) -> Answer:
    """The value with one element, counted flat, an ulp larger: as right as before, in other bits."""
    exact, fmt = answer.value.to_float64(), FORMATS[answer.value.dtype]
    if exact.size and 0.0 < abs(exact.flat[place]) < fmt.largest / 2:
        exact.flat[place] += quantum(exact, fmt).flat[place]
    return replace(answer, value=Array.of(exact, answer.value.dtype))


class Counting:
    """Its answers depend on how many calls there were: every second is an ulp larger."""

    def __init__(self, losses: tuple[str, ...]) -> None:
        self._sound = Sound(losses=losses)
        self._calls = 0

    def describe(self) -> Description:
        return self._sound.describe()

    def evaluate(self, call: Call) -> Answer:
        answer = self._sound.evaluate(call)
        self._calls += 1
        return one_ulp_up(answer, 0) if self._calls % 2 == 0 else answer


@dataclass(frozen=True)
class Conduct:
    """A misbehaviour: what it is, and what makes an adapter with it."""

    sentence: str
    make: Callable[[tuple[str, ...]], Adapter]
    losses: tuple[str, ...] = LOSSES
    answers_rightly: bool = False
    """True where only the process is disturbed: nothing may then be reported against the answers."""


def _acting(
    sentence: str,
    act: Callable[[Call], None],
    losses: tuple[str, ...] = LOSSES,
    *,
    answers_rightly: bool = False,
) -> Conduct:
    return Conduct(sentence, lambda chosen: Misbehaving(act, chosen), losses, answers_rightly)


_LABELLED = ("softmax_cross_entropy",)


def _rows(call: Call) -> int:
    shape = next(iter(call.inputs.values())).shape
    return shape[0] if shape else 0


CONDUCT: Mapping[str, Conduct] = {
    "hangs": _acting("never answers", hang),
    "hangs-when-all-ignored": _acting("never answers where every row is ignored", when_all_ignored(hang), _LABELLED),
    "aborts": _acting("ends the process with SIGABRT", abort),
    "segfaults": _acting("ends the process with SIGSEGV", segfault),
    "aborts-on-bad-label": _acting(
        "ends the process at a label out of range", when_label_out_of_range(abort), _LABELLED
    ),
    "exits": _acting("calls exit(0)", leave),
    "vanishes": _acting("ends the process at once, with status 0", vanish),
    "prints": _acting("prints to stdout while it computes", shout, answers_rightly=True),
    "raises": _acting("raises for everything", refuse),
    "feigns-unsupported": _acting("announces its losses, then calls each unsupported", feign),
    "warns": Conduct("warns whenever it answers", lambda losses: Changed(losses, warned), answers_rightly=True),
    "drifts": Conduct(
        "answers within the budget, with an error that has grown",
        lambda losses: Changed(losses, drifted),
        _LABELLED,
        True,
    ),
    # What a vectorized loop does with the rows that do not fill a vector.
    "last-row-apart": Conduct(
        "computes the end of a batch another way, which rounds otherwise",
        lambda losses: Changed(losses, lambda call, answer: one_ulp_up(answer, -1) if _rows(call) > 1 else answer),
        answers_rightly=True,
    ),
    # Atomic additions, autotuning and caches.
    "counts-calls": Conduct("rounds every second answer otherwise", Counting, answers_rightly=True),
    "other-error": Conduct(
        "raises another class of error with the same message",
        lambda losses: Changed(losses, error=lambda error: OtherError(str(error))),
        answers_rightly=True,
    ),
    # linkedin/Liger-Kernel#272, NVIDIA/Megatron-LM#1594
    "overwrites-input": Conduct("stores the gradient in the input", lambda losses: Changed(losses, into_the_input)),
    "repeats": Conduct("answers every call with the previous answer", Repeating),
}
"""By name."""
