"""Programs that speak the worker protocol and say what nobody should: hostile texts, and answers that are none."""

from __future__ import annotations

import json
import sys
from random import Random
from typing import Any

from harness.tests.faults.fault import DISAGREES, INFRASTRUCTURE, NOTHING_RAN, Fault, Kind, Promise, Sample
from harness.tests.faults.sinks import page
from harness.tests.faults.text import TEXT, hostile

PROTOCOL = Promise(
    "docs/protocol.md",
    "stdout, stderr | print what you like: the end of it is kept with the run and is never a verdict",
)
JUDGED = frozenset({DISAGREES, NOTHING_RAN, INFRASTRUCTURE})
"""Codes of a run whose only implementation does not answer rightly: never fine."""

PROGRAM = """\
import json, os, pathlib, sys
said = json.loads((pathlib.Path(__file__).parent / "said.json").read_text(encoding="utf-8"))
sys.stdout.buffer.write(bytes.fromhex(said["stdout"])); sys.stdout.flush()
sys.stderr.buffer.write(bytes.fromhex(said["stderr"])); sys.stderr.flush()
answers = os.fdopen(int(os.environ["XENT_RESPONSE_FD"]), "wb")
for line in os.fdopen(int(os.environ["XENT_REQUEST_FD"]), "rb"):
    asked = json.loads(line)
    text = said["described"] if asked["kind"] == "describe" else said["answered"]
    answers.write(bytes.fromhex(text).replace(b'"ID"', str(asked.get("id")).encode()) + b"\\n")
    answers.flush()
"""
"""Answers with the bytes it was told, whatever they are; `"ID"` in them becomes the id of the request."""

DESCRIPTION = {
    "kind": "description",
    "id": "ID",
    "version": "1.0",
    "losses": ["softmax"],
    "modes": ["eager"],
    "dtypes": ["float64"],
    "versions": {"library": "1.0"},
    "device": "cpu",
    "flags": {"FLAG": "1"},
}
VALUE = {"kind": "outcome", "id": "ID", "outcome": "value", "function": "f"}
ZEROS = {"dtype": "float64", "shape": [1, 2], "data": "AAAAAAAAAAAAAAAAAAAAAA=="}
ANSWERS: tuple[dict[str, Any], ...] = (
    {**VALUE, "value": ZEROS, "gradients": {"logits": ZEROS}, "warnings": ["a warning"]},
    {
        **VALUE,
        "value": ZEROS,
        "gradient_error": {"type": "Error", "message": "why"},
        "computed_with": {"a": "b"},
    },
    {"kind": "outcome", "id": "ID", "outcome": "raises", "type": "Error", "message": "why"},
    {"kind": "outcome", "id": "ID", "outcome": "unsupported", "reason": "why"},
    {"kind": "outcome", "id": "ID", "outcome": "missing", "reason": "why"},
)
"""All of them are wrong where the case asks for a softmax."""
NUMBERS = (b"7", b"-1", b"1e999", b"9" * 5000, b"NaN")
CASE = """\
- id: mine/a
  title: A
  why: B
  loss: softmax
  inputs: {logits: [[1.5, 1.5]]}
  cotangent: [[1, -2]]
  tags: [ties]
"""
RUN = ("run", "mine/a.yaml", "-o", "run.jsonl", "--report", "report.html")


def _with_texts(chance: Random, value: Any, depth: int = 0) -> Any:
    """The message with some of its texts hostile, but for the words that make it what it is."""
    if isinstance(value, dict):
        kept = ("kind", "id", "outcome", "value", "gradients", "losses", "dtypes")
        return {name: entry if name in kept else _with_texts(chance, entry, depth + 1) for name, entry in value.items()}
    if isinstance(value, list):
        return [_with_texts(chance, entry, depth + 1) for entry in value]
    return hostile(chance) if isinstance(value, str) and chance.random() < 0.5 else value


def _garbled(chance: Random, message: dict[str, Any]) -> bytes:
    """The message as something that is none any more."""
    names = sorted(message)
    things: tuple[Any, ...] = (None, True, -1, 1e308, "", "x", [], {}, [[]], {"a": 1}, 2**70, "1" * 400)
    match chance.randrange(9):
        case 0:
            message = {**message, chance.choice(names): chance.choice(things)}
        case 1:
            message = {name: entry for name, entry in message.items() if name != chance.choice(names)}
        case 2:
            return bytes(chance.randrange(256) for _ in range(chance.randint(0, 200))).replace(b"\n", b"")
        case 3:
            return b"[" * chance.choice((10, 5000, 200_000))
        case 4:
            return json.dumps(message).encode()[: chance.randrange(40)]
        case 5:
            return json.dumps({**message, "more": "x" * chance.choice((10, 2**20))}).encode()
        case 6:
            return json.dumps(message).encode().replace(b'"ID"', chance.choice(NUMBERS))
        case 7:
            array = {
                "dtype": chance.choice(("float64", "float99")),
                "shape": [chance.choice((-1, 3, 2**62))],
                "data": "!",
            }
            message = {**message, "value": chance.choice((array, {**ZEROS, "shape": [2**40, 2**40]}, 1.5))}
        case _:
            return b'"a"' + json.dumps(message).encode() + b"}"
    return json.dumps(message).encode()


def _fault(chance: Random, what: str, promise: Promise, said: dict[str, bytes]) -> Fault:
    program = f"command:{sys.executable} program.py"
    command = chance.choice((RUN, ("explain", "mine/a.yaml")))
    return Fault(
        what,
        promise,
        (*command, "-i", program, "--dtypes", "float64", "--timeout", "5"),
        JUDGED,
        {
            "program.py": PROGRAM,
            "said.json": json.dumps({name: text.hex() for name, text in said.items()}),
            "mine/a.yaml": CASE,
        },
        checks=(page("report.html"),) if command[0] == "run" else (),
    )


def _texts(chance: Random, _: Sample) -> Fault:
    described, answered = _with_texts(chance, DESCRIPTION), _with_texts(chance, chance.choice(ANSWERS))
    printed = [hostile(chance).encode("utf-8", "surrogatepass") for _ in range(2)]
    said = {
        "stdout": printed[0],
        "stderr": printed[1],
        "described": json.dumps(described).encode(),
        "answered": json.dumps(answered).encode(),
    }
    return _fault(chance, f"a program prints {printed} and says {described} and {answered}", TEXT, said)


def _messages(chance: Random, _: Sample) -> Fault:
    described, answered = json.dumps(DESCRIPTION).encode(), json.dumps(chance.choice(ANSWERS)).encode()
    if chance.random() < 0.4:
        described = _garbled(chance, dict(DESCRIPTION))
    else:
        answered = _garbled(chance, chance.choice(ANSWERS))
    said = {"stdout": b"", "stderr": b"", "described": described, "answered": answered}
    return _fault(chance, f"a program says {described[:200]!r} and {answered[:200]!r}", PROTOCOL, said)


KINDS = (
    Kind("text: a program", _texts),
    Kind("programs: messages that are none", _messages),
)
