"""Evaluating calls in a process of its own, for frameworks whose settings are fixed when they are imported."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path

from harness.adapters.base import Adapter, Answer, Call, Description


@dataclass(frozen=True)
class Unanswered:
    """What was raised instead of an answer."""

    type: str
    message: str


Answers = Mapping[str, Answer | Unanswered]


def evaluate_in_process(adapter: str, calls: Mapping[str, Call], environment: Mapping[str, str]) -> Answers:
    """The answers of `module:name` to `calls`, by name, from one process with these variables set."""
    ended = subprocess.run(
        [sys.executable, "-c", "from harness.tests.own_process import main; main()", adapter],
        input=pickle.dumps(dict(calls)),
        capture_output=True,
        env={**os.environ, **environment},
        timeout=300,  # importing a framework and compiling some twenty small programs takes a tenth of that
        check=False,
    )
    assert ended.returncode == 0, ended.stderr.decode()
    answers: Answers = pickle.loads(ended.stdout)
    return answers


_ALONE = """
import contextlib, io, runpy, sys
sys.modules.update(dict.fromkeys(("harness", "reference")))  # importing either is an error now
for path in sys.argv[1:]:
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said):
            runpy.run_path(path, run_name="__main__")
    except SystemExit as end:
        print(path, end.code, flush=True)
    print(said.getvalue(), file=sys.stderr)
"""
"""Runs scripts one after the other and says how each ended, so that a framework is imported once."""


def endings_of_scripts(paths: Iterable[str | Path], place: Path) -> tuple[dict[str, str], str]:
    """The exit code of each script by its path, and what they printed; where the project cannot be seen."""
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    ran = subprocess.run(
        [sys.executable, "-c", _ALONE, *map(str, paths)],
        capture_output=True,
        text=True,
        env=clean,
        cwd=place,
        timeout=300,  # importing a framework on a busy machine and compiling takes a tenth of that
        check=False,
    )
    return dict(line.split() for line in ran.stdout.splitlines()), ran.stderr


def evaluated(adapter: Adapter, call: Call) -> Answer | Unanswered:
    try:
        answer = adapter.evaluate(call)
    except Exception as error:  # whatever the framework raised is what the tests look at
        return Unanswered(type(error).__name__, str(error))
    # An exception of a framework may not survive pickling; its text does.
    gradient_error = None if answer.gradient_error is None else RuntimeError(str(answer.gradient_error))
    hessian_error = None if answer.hessian_error is None else RuntimeError(str(answer.hessian_error))
    return replace(answer, gradient_error=gradient_error, hessian_error=hessian_error)


def main() -> None:
    module, name = sys.argv[1].split(":")
    adapter: Adapter = getattr(import_module(module), name)()
    assert isinstance(adapter.describe(), Description)
    calls = pickle.loads(sys.stdin.buffer.read())
    sys.stdout.buffer.write(pickle.dumps({name: evaluated(adapter, call) for name, call in calls.items()}))
