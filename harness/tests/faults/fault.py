"""What a fault is, how its command ended, and what is wrong with that."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

FINE, DISAGREES, INTERRUPTED, INTERNAL, USAGE, NOTHING_RAN, STALE_LEDGER, CHANGED, SLOWER, INFRASTRUCTURE = range(10)
REFUSED = frozenset({USAGE, INFRASTRUCTURE})
"""Codes of a command that did not do what was asked: the words of the user, or a file or worker that fell short."""
VERDICTS = frozenset({FINE, DISAGREES, NOTHING_RAN, STALE_LEDGER, CHANGED, SLOWER, INFRASTRUCTURE})
"""Codes of a command that came to a verdict, whatever it is."""


@dataclass(frozen=True)
class Promise:
    """Words of the documentation that a fault puts to the test."""

    where: str
    """The file, from the root of the project."""
    says: str
    """What stands there, to the letter but for line breaks."""


CODES = Promise("README.md", "9 infrastructure (a worker crashed, hung or could not start; a run that was cut off)")


@dataclass(frozen=True)
class Sample:
    """Things that are right, to be made wrong."""

    records: tuple[Mapping[str, Any], ...]
    """The lines of a run file that the version under test wrote itself."""
    cases: str
    """A case file, in YAML."""
    ledger: str
    """A ledger file, in YAML."""


@dataclass(frozen=True)
class Ended:
    """How the command ended."""

    code: int
    """The exit code; minus the number of a signal; `TIMED_OUT` where it had to be killed."""
    stdout: str
    stderr: str
    folder: Path
    """Where it ran, with what it left."""
    before: Mapping[str, bytes]
    """The files of the fault as they were."""
    left: tuple[str, ...] = ()
    """Processes that were started on the way and are still there, and what is left in the temporary folder."""


TIMED_OUT = 1000

Check = Callable[[Ended], str | None]
"""What is wrong with an ending, or None."""


@dataclass(frozen=True)
class Signal:
    """A signal sent to the command, once a file of the fault's folder is there."""

    name: str
    once: str
    after: float
    """Seconds to wait besides."""


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong, and what was promised about it."""

    what: str
    promise: Promise
    arguments: tuple[str, ...]
    """Of the command line; paths are relative to the folder of the fault."""
    codes: frozenset[int]
    """Each exit code that keeps the promise."""
    files: Mapping[str, str | bytes] = field(default_factory=dict)
    """Laid into the folder before, by path."""
    stands: tuple[str, ...] = ()
    """Those of the files that have to be the same afterwards."""
    says: tuple[str, ...] = ()
    """What the output has to name where the command refuses: a file, a line, a field."""
    checks: tuple[Check, ...] = ()
    """What is looked at besides."""
    prepare: Callable[[Path], None] | None = None
    """Done in the folder once the files are there: links, permissions, folders."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables set for the command."""
    signal: Signal | None = None
    """What the command is told while it is at work."""
    largest_file: int | None = None
    """Bytes that a file may hold: to the command every disk is full then."""
    annotates: bool = False
    """Whether commands for a CI server were asked for."""
    seconds: float = 60.0
    """It hangs that has not ended by then; a hundred times what these commands take on a busy machine."""


@dataclass(frozen=True)
class Kind:
    """A kind of fault, of which any number can be drawn."""

    name: str
    """The group, a colon and what is wrong: "text: a run file in a report"."""
    draw: Callable[[Random, Sample], Fault]
    share: int = 1
    """How many of its faults are drawn where another kind has one."""


# --- what is wrong with every ending that ... -------------------------------------------------------------------------

_STEERS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]"
)
"""Characters that steer a terminal or change what is read: C0 but tab and line feed, C1, those of no width, those that
turn the direction of writing, separators of lines, halves of surrogate pairs, and what stands for bytes of none."""
_COMMANDS = re.compile(r"^\s*::[a-z]|##\[|##vso\[|##teamcity\[", re.IGNORECASE | re.MULTILINE)
"""What a CI server takes for a command in a log: `::` at the beginning of a line, `##[` anywhere in it."""


ANNOTATION = re.compile(r"::error (?:file=[^\n:,]*,line=\d+,)?title=[^\n:,]*::[^\n]*")
"""A whole line of `xent gate --github`: nothing in a property separates properties or ends them."""


def steering(text: str) -> str | None:
    """What in a text steers a terminal or a CI log, with its surroundings; None where nothing does."""
    for pattern in (_STEERS, _COMMANDS):
        if found := pattern.search(text):
            return repr(text[max(0, found.start() - 30) : found.end() + 30])
    return None


def _without_annotations(output: str) -> str:
    """The output without the commands that were asked for, what they say kept."""
    return "\n".join(line.replace("::", "") if ANNOTATION.fullmatch(line) else line for line in output.split("\n"))


def complaints(fault: Fault, ended: Ended) -> Iterator[str]:
    """Everything that is wrong with how the command ended."""
    output = ended.stdout + "\n" + ended.stderr
    if ended.code not in fault.codes:
        yield f"ended with {ended.code}, promised {' or '.join(map(str, sorted(fault.codes)))}"
    if "Traceback (most recent call last)" in output or "internal error" in output:
        yield "a traceback: " + " ".join(output.strip().splitlines()[-1:])[:200]
    if found := steering(_without_annotations(output) if fault.annotates else output):
        yield f"the output steers a terminal or a log: {found}"
    for name in fault.stands:
        path = ended.folder / name
        if not path.is_file() or path.read_bytes() != ended.before[name]:
            yield f"{name} is no longer what it was"
    if ended.code in REFUSED and ended.code in fault.codes:
        if not output.strip():
            yield "refused without a word"
        told = " ".join(output.split())  # a sentence goes on below where a line ends
        for words in fault.says:
            if words not in output and words not in told:
                yield f"refused without naming {words!r}"
    if ended.left:
        yield f"left behind: {', '.join(ended.left)}"
    for check in fault.checks:
        if found := check(ended):
            yield found
