"""Signals to a command that is at work: it ends, and so does everything that it started."""

from __future__ import annotations

import json
import sys
from random import Random

from harness.tests.faults.fault import INTERRUPTED, Fault, Kind, Promise, Sample, Signal
from harness.tests.faults.programs import CASE, RUN

PAGE = "docs/reference/command-line.md"
ONE_MEANING = Promise(PAGE, "what is at work ends, one line says so, exit code 2")
NOTHING_LEFT = Promise(PAGE, "and temporary folders end with the command, however it ends, SIGKILL included")

PROGRAM = """\
import json, os, pathlib, signal, subprocess, sys, tempfile, time
said = json.loads((pathlib.Path(__file__).parent / "said.json").read_text())
for name in said["deaf"]:
    signal.signal(getattr(signal, name), signal.SIG_IGN)
if said["child"]:
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
answers = os.fdopen(int(os.environ["XENT_RESPONSE_FD"]), "w")
for line in os.fdopen(int(os.environ["XENT_REQUEST_FD"])):
    asked = json.loads(line)
    if asked["kind"] == said["hangs"]:
        pathlib.Path("at-work").touch()
        time.sleep(600)
    answers.write(json.dumps({"kind": "description", "id": 0, "version": "1", "losses": ["softmax"]}) + "\\n")
    answers.flush()
"""
"""Describes itself, and hangs in what it was told to hang in; deaf to some signals, with a child or not."""


def _signalled(chance: Random, _: Sample) -> Fault:
    name = chance.choice(("SIGINT", "SIGTERM", "SIGHUP", "SIGKILL"))
    said = {
        "hangs": chance.choice(("describe", "evaluate")),
        "child": chance.random() < 0.5,
        "deaf": chance.choice(([], ["SIGTERM"], ["SIGTERM", "SIGINT", "SIGHUP"])),
    }
    command = chance.choice((RUN, ("explain", "mine/a.yaml")))
    earlier = {"run.jsonl": "an earlier run", "report.html": "an earlier report"}
    return Fault(
        f"{name} while a worker is at work: {said}",
        NOTHING_LEFT if name == "SIGKILL" else ONE_MEANING,
        (*command, "-i", f"command:{sys.executable} program.py", "--timeout", "300"),
        frozenset({-9}) if name == "SIGKILL" else frozenset({INTERRUPTED}),
        {"program.py": PROGRAM, "said.json": json.dumps(said), "mine/a.yaml": CASE, **earlier},
        stands=tuple(earlier),
        signal=Signal(name, "at-work", chance.choice((0.0, 0.01, 0.1, 0.3))),
    )


KINDS = (Kind("endings: a signal", _signalled),)
