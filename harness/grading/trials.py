"""The command of a test run once for each known-bad implementation, each in the place of the function it tests."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.execution.worker_environment import WorkerFolder, worker_folder
from harness.grading.commands import Ended, run_command
from harness.grading.replacing import sitecustomize

SOUND = "sound"


@dataclass(frozen=True)
class Trial:
    """What the command did with one implementation in the place of the target."""

    ended: Ended
    replaced: bool
    """Whether the target was found and replaced in any of its processes."""
    called: bool


@dataclass(frozen=True)
class Graders:
    """Runs a command with implementations in the place of a function; nothing of it is changed on disk."""

    command: Sequence[str]
    target: str
    like: str
    place: WorkerFolder
    environment: Mapping[str, str]
    stopped: threading.Event

    def trial(self, implementation: str, limit: float) -> Trial:
        """The command with one implementation. Raises OSError where it cannot be started."""
        told = self.place.leftovers.temporary_folder("xent-grade-")
        environment = self._environment(implementation, told)
        ended = run_command(self.command, environment, limit, self.stopped, self.place.leftovers)
        return Trial(ended, (told / "replaced").exists(), (told / "called").exists())

    def trials(self, implementations: Sequence[str], limit: float, parallel: int) -> Iterator[tuple[str, Trial]]:
        """One after the other, `parallel` side by side, as they end."""
        with ThreadPoolExecutor(parallel) as pool:
            running = {pool.submit(self.trial, name, limit): name for name in implementations}
            try:
                for ended in as_completed(running):
                    yield running[ended], ended.result()
            except BaseException:
                self.stopped.set()
                pool.shutdown(cancel_futures=True)
                raise

    def _environment(self, implementation: str, told: Path) -> dict[str, str]:
        own = [self.environment["PYTHONPATH"]] if self.environment.get("PYTHONPATH") else []
        options = [self.environment["PYTEST_ADDOPTS"]] if self.environment.get("PYTEST_ADDOPTS") else []
        return {
            **self.environment,
            "PYTHONPATH": os.pathsep.join([str(Path(sitecustomize.__file__).parent), *own]),
            # Nothing is left beside the tests, and what runs side by side shares no cache.
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTEST_ADDOPTS": " ".join([*options, "-p", "no:cacheprovider"]),
            sitecustomize.TARGET: self.target,
            sitecustomize.LIKE: self.like,
            sitecustomize.IMPLEMENTATION: implementation,
            sitecustomize.CODE: self.place.code,
            sitecustomize.TOLD: str(told),
        }


@contextmanager
def graders(command: Sequence[str], target: str, like: str) -> Iterator[Graders]:
    """For as long as the command is graded."""
    with worker_folder() as place:
        yield Graders(command, target, like, place, dict(os.environ), threading.Event())
