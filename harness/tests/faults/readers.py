"""`python -m harness.tests.faults.readers NAME --minutes M`: what is read, changed at random, in this process.

The campaign starts a command for each of its faults and asks what it promised. Here a reader alone is asked, some
hundred times a second, one thing: it takes the text or refuses it with an error of its own, soon; and what it took,
the next room can work with.
"""

from __future__ import annotations

import argparse
import copy
import json
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

import reports.badge
import reports.html
import reports.junit
import reports.markdown
import reports.table
from harness.adapters.base import Description
from harness.core.arrays import Array
from harness.core.call import Call
from harness.core.case import ExpectTruth
from harness.core.outcomes import Raised, Refused, Returned
from harness.execution import protocol
from harness.judgement.ledger import Ledger
from harness.judgement.truth import TruthTable
from harness.judgement.verdict import Subject, judge
from harness.mistakes.diagnosis import diagnose
from harness.reproduction.scripts import cases_of, scripts_of
from harness.runs.diff import NotComparable, compare_runs
from harness.runs.run_file import RunFileError, read_run
from harness.suite import ledger_edits
from harness.suite.ledger_files import described, parse_ledger
from harness.suite.linting import lint
from harness.suite.loading import load_text
from harness.tests.faults.installation import installed
from harness.tests.faults.samples import lines, whole_run
from harness.tests.faults.text import PIECES

ROOT = Path(__file__).resolve().parents[3]
LONGEST = 10.0
"""Seconds of processor time one text may take: nothing here takes one, and what hangs in a loop takes any number."""


Tree = Any
Reads = Callable[[str], None]

ODD: Sequence[Tree] = (
    *(None, True, False, 0, -1, 2, 2**31, 2**63, 10**30, -(10**400), 0.5, -0.0, 1e-320, 1e308),
    *(float("nan"), float("inf"), "", " ", "0", "1e999", "nan", "NaN", ".inf", "-inf", "0x1p-3", "1_000", "1.", "٣"),
    *(
        "mean",
        "float32",
        "bfloat16",
        "logits",
        "truth",
        "raises",
        "value",
        "gradient/logits",
        "-",
        "*",
        "[",
        "../..",
        "/",
    ),
    *([], {}, [[]], [None], [0, [0]], {"": None}, {"kind": "cell"}, [[[[[[[[0]]]]]]]], [1e300] * 50, "a" * 5000),
    *PIECES,
)
"""What stands where something else should."""


@dataclass(frozen=True)
class Reader:
    """Texts that are taken, and what reads one: it raises what is no refusal."""

    samples: Sequence[Tree]
    written: Callable[[Tree], str]
    reads: Reads


def places(tree: Tree, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of everything in the tree, itself left out."""
    steps = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    return [found for step, inner in steps for found in ((*path, step), *places(inner, (*path, step)))]


def changed(draw: Callable[[Any], Any], tree: Tree, others: Sequence[Tree]) -> Tree:
    """The tree with one thing in it replaced, taken away, doubled, given another name, or moved here from elsewhere."""
    tree = copy.deepcopy(tree)
    there = places(tree)
    if not there:
        return draw(st.sampled_from(ODD))
    *above, step = draw(st.sampled_from(there))
    parent = tree
    for name in above:
        parent = parent[name]
    kind = draw(st.sampled_from(("odd", "odd", "odd", "gone", "twice", "name", "moved", "text")))
    if kind == "gone":
        del parent[step]
    elif kind == "twice" and isinstance(parent, list):
        parent.insert(step, copy.deepcopy(parent[step]))
    elif kind in ("twice", "name") and isinstance(parent, dict):
        name = draw(st.sampled_from([*parent, "kind", "id", "no such field", *PIECES]))
        parent[name] = parent[step] if kind == "twice" else parent.pop(step)
    elif kind == "moved":
        other = draw(st.sampled_from(others))
        path = draw(st.sampled_from([(), *places(other)]))
        for name in path:
            other = other[name]
        parent[step] = copy.deepcopy(other)
    elif kind == "text":
        parent[step] = draw(st.text(max_size=20) | st.integers().map(str) | st.floats().map(str))
    else:
        parent[step] = copy.deepcopy(draw(st.sampled_from(ODD)))
    return tree


TAGS = ("!!python/object:os.system ", "&a *a", "<<: ", "--- ", "!!binary ")
"""What YAML reads as more than text."""


@st.composite
def texts(draw: Callable[[Any], Any], reader: Reader) -> str:
    """A text that is nearly one the reader takes: things in it were changed, or letters of it."""
    tree = draw(st.sampled_from(reader.samples))
    for _ in range(draw(st.integers(0, 3))):
        tree = changed(draw, tree, reader.samples)
    text = reader.written(tree)
    for _ in range(draw(st.sampled_from((0, 0, 0, 1, 2)))):
        at, length = draw(st.integers(0, len(text))), draw(st.sampled_from((0, 0, 1, 2, 10, 100)))
        piece = draw(
            st.sampled_from((*PIECES, *"{}[]\"':-&*!|>#%@`,\n\t 0e", "!!python/object:os.system ", "&a *a", "<<: "))
        )
        text = text[:at] + piece + text[at + length :]
    return text


# --- the readers ------------------------------------------------------------------------------------------------------


def _yaml(tree: Tree) -> str:
    return yaml.safe_dump(tree, allow_unicode=True, sort_keys=False)


def _entries(folder: Path) -> list[Tree]:
    """Each case or entry of the folder by itself, so that a text is short."""
    loaded = (yaml.load(path.read_text(encoding="utf-8"), yaml.CSafeLoader) for path in sorted(folder.rglob("*.yaml")))
    return [[entry] for file in loaded if isinstance(file, list) for entry in file if len(_yaml(entry)) < SHORT]


SHORT = 3000
"""Characters of a sample: what is wrong with a long table of numbers is wrong with a short one."""


def ledger_reader(_: Path) -> Reader:
    def reads(text: str) -> None:
        entries, problems = parse_ledger(text, "ledger.yaml")
        assert entries or problems or not yaml.load(text, yaml.CSafeLoader)
        if not problems:
            described(entries)
            again, wrong = parse_ledger(ledger_edits.written(entries), "ledger.yaml")
            assert not wrong, wrong
            assert [replace(one, location="") for one in again] == [replace(one, location="") for one in entries]

    return Reader(_entries(ROOT / "cases" / "ledger"), _yaml, reads)


def case_reader(_: Path) -> Reader:
    def reads(text: str) -> None:
        cases, problems = load_text(text, "cases.yaml", "mine")
        assert cases or problems
        if not problems:
            lint(cases)

    return Reader(_entries(ROOT / "cases" / "edges") + _entries(ROOT / "cases" / "options"), _yaml, reads)


def run_reader(place: Path) -> Reader:
    records = whole_run(installed(ROOT, place).records)
    whole, file = place / "whole.jsonl", place / "run.jsonl"
    whole.write_text(lines(records), encoding="utf-8")
    good = read_run(whole)

    def reads(text: str) -> None:
        file.write_bytes(text.encode("utf-8", "surrogatepass"))
        try:
            run = read_run(file)
        except RunFileError:
            return
        for render in (reports.markdown.render, reports.junit.render, reports.table.render, reports.badge.render):
            render(run)
        reports.html.render(run, None, None, scripts_of(run, cases_of(run)))
        with_refusal(NotComparable, lambda: compare_runs(good, run))

    return Reader([records], lines, reads)


def with_refusal(refusal: type[Exception], call: Callable[[], object]) -> None:
    """Call it; that it refuses is an answer."""
    try:
        call()
    except refusal:
        return


def protocol_reader(_: Path) -> Reader:
    inputs = {"logits": Array.of([[1.0, 2.0, 4.0]], "float32"), "targets": Array.of([2], "int64")}
    call = Call("softmax_cross_entropy", inputs, {"reduction": "mean"}, "float32", differentiate=("logits",))
    table = TruthTable(call)
    subject = Subject("a/case", "it", "1.0", "eager", "float32", ExpectTruth(), ("logits",), False, table, diagnose)
    answers = (
        Returned(Array.of(0.17, "float32"), "f(x)", {"logits": Array.of([[0.0, 0.1, -0.1]], "float32")}),
        Returned(Array.of(1.0, "float32"), "f(x)", convention={"clip": 1e-7}, warnings=("a warning",), seconds=0.1),
        Raised("builtins.ValueError", "no such label"),
        Refused("no such option"),
    )
    messages: list[Tree] = [{**protocol.outcome_to_wire(answer), "id": 1} for answer in answers]
    description = Description("1.0", ("softmax_cross_entropy",), ("eager",), ("float32",))
    messages.append(protocol.description_to_wire(description))

    def reads(text: str) -> None:
        try:
            message = protocol.parse(text.encode("utf-8", "surrogatepass"))
            if "version" in message:
                protocol.description_from_wire(message)
                return
            outcome = protocol.answer_from_wire(message, 1)
        except protocol.ProtocolError:
            return
        judge(subject, outcome, Ledger())

    return Reader(json.loads(json.dumps(messages)), json.dumps, reads)


READERS: Mapping[str, Callable[[Path], Reader]] = {
    "cases": case_reader,
    "ledger": ledger_reader,
    "protocol": protocol_reader,
    "run": run_reader,
}
"""By name; each is given a folder of its own."""


def fuzz(reader: Reader, number: int, count: int) -> None:
    """Ask the reader this many texts; what it should not raise is raised, with the shortest text that shows it."""

    @seed(number)
    @settings(
        max_examples=count,
        database=None,
        report_multiple_bugs=False,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink),
    )
    @given(texts(reader))
    def ask(text: str) -> None:
        since = time.process_time()
        reader.reads(text)
        assert time.process_time() - since < LONGEST, "it took too long"

    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        ask()


AT_A_TIME = 500
"""Texts between two looks at the clock."""


def main() -> int:
    """Exit code 0 where every text was taken or refused; otherwise the traceback of what was wrong."""
    parser = argparse.ArgumentParser(prog="python -m harness.tests.faults.readers", description=__doc__)
    parser.add_argument("name", choices=READERS)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="readers-") as place:
        reader = READERS[asked.name](Path(place))
        ends, number = time.monotonic() + 60 * asked.minutes, 0
        while time.monotonic() < ends:
            fuzz(reader, asked.seed + 1_000_000 * number, AT_A_TIME)
            number += 1
    print(f"{asked.name}: {number * AT_A_TIME} texts, each taken or refused")
    return 0


if __name__ == "__main__":
    sys.exit(main())
