"""A loss whose logits are split over processes: each rank computes with its slice, and all have to agree.

    two = Ranks(2, "my_package.parallel:loss")

`loss(slice)` runs in each of the processes, in a gloo group of all, and returns the whole value and the gradient of its
slice, or what was raised in its place, as NumPy arrays. `two.start()` belongs into `describe`, and `two.evaluate(call,
options, function, axis=-1)` is the answer: the value of every rank has to have the same bits, the gradient is put
together from their slices. The classes are split along the last axis, the rows along the first.
"""

from __future__ import annotations

import multiprocessing
import operator
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from importlib import import_module
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from harness.adapters.base import Answer, Array, Call, Unsupported


class DisagreementError(Exception):
    """Ranks returned different values."""


@dataclass(frozen=True)
class Slice:
    """What one rank is given."""

    logits: Any
    """Its own, as NumPy arrays are."""
    shape: tuple[int, ...]
    """Of all logits."""
    axis: int
    """The one that is split: −1 for the classes, 0 for the rows."""
    targets: Any
    """Its own where the rows are split, else all; None where there are none."""
    cotangent: Any
    """Of the whole value, or None."""
    options: Mapping[str, Any]


class Ranks:
    """Processes of one group; they end with this process."""

    def __init__(self, size: int, place: str) -> None:
        self.size = size
        self._place = place
        self._pipes: list[Connection] = []

    def evaluate(
        self, call: Call, options: Mapping[str, Any], function: str, *, axis: int = -1, even: bool = False
    ) -> Answer:
        """The value on which the ranks agree, and the gradient put together from their slices.

        `even` is for losses that want slices of one length: other numbers of classes, or rows, are unsupported.
        """
        logits, targets = call.inputs["logits"], call.inputs.get("targets")
        what, length = ("classes" if axis else "rows"), logits.shape[axis] if logits.shape else 0
        if length < self.size or (even and length % self.size):
            raise Unsupported(f"{self.size} slices of {length} {what}")
        each = -(-length // self.size)
        bounds = [min(each * rank, length) for rank in range(self.size + 1)]
        if bounds[-2] == length:
            raise Unsupported(f"{self.size} slices of {length} {what}")
        cotangent = None if call.cotangent is None else call.cotangent.storage
        for rank, pipe in enumerate(self._pipes):
            part = slice(bounds[rank], bounds[rank + 1])
            mine = np.array(logits.storage[part] if axis == 0 else logits.storage[..., part])
            labels = None if targets is None else np.array(targets.storage[part] if axis == 0 else targets.storage)
            pipe.send(Slice(mine, logits.shape, axis, labels, cotangent, dict(options)))
        found = [pipe.recv() for pipe in self._pipes]
        for answer in found:
            if isinstance(answer, BaseException):
                raise answer
        values = [value for value, _ in found]
        if any(value.tobytes() != values[0].tobytes() for value in values):
            raise DisagreementError(f"the ranks returned {', '.join(map(str, values))}")
        slopes = [slope for _, slope in found]
        error = next((slope for slope in slopes if isinstance(slope, BaseException)), None)
        wanted = "logits" in call.differentiate and error is None
        split = f"{self.size} of gloo, the {what} split at {', '.join(map(str, bounds[1:-1]))}"
        return Answer(
            Array.of(values[0]),
            function,
            {"logits": Array.of(np.concatenate(slopes, axis=axis))} if wanted else {},
            error if "logits" in call.differentiate else None,
            computed_with={"ranks": split},
        )

    def start(self) -> None:
        """Returns when every rank has imported what it needs; belongs into `describe`, which has the time."""
        with socket.socket() as free:
            free.bind(("localhost", 0))
            port = free.getsockname()[1]
        context = multiprocessing.get_context("spawn")
        for rank in range(self.size):
            ours, theirs = context.Pipe()
            child = context.Process(
                target=_serve, args=(theirs, rank, self.size, port, os.getpid(), self._place), daemon=True
            )
            child.start()
            theirs.close()
            self._pipes.append(ours)
        for pipe in self._pipes:
            pipe.recv()


def _serve(pipe: Connection, rank: int, size: int, port: int, parent: int, place: str) -> None:
    import torch

    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        "gloo",
        init_method=f"tcp://localhost:{port}",
        rank=rank,
        world_size=size,
        timeout=timedelta(seconds=30),  # below that of a call: a rank that waits for one that failed says so itself
    )
    module, _, name = place.partition(":")
    loss = operator.attrgetter(name)(import_module(module))
    pipe.send("ready")
    while os.getppid() == parent:
        try:
            asked = pipe.recv()
        except EOFError:
            return
        try:
            answer: Any = loss(asked)
        except Exception as error:  # what the loss did with the input is its outcome
            answer = RuntimeError(f"{type(error).__name__}: {error}")
        pipe.send(answer)
