"""The campaign of injected faults: small here, of any size by `python -m harness.tests.faults`."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from harness.tests.faults import campaign
from harness.tests.faults.campaign import Bench, bench, drawn
from harness.tests.faults.fault import DISAGREES, FINE, REFUSED, STALE_LEDGER, Ended, Fault, Promise, complaints
from harness.tests.faults.kinds import KINDS
from harness.tests.faults.readers import READERS, Reader, fuzz
from harness.tests.faults.samples import lines, whole_run
from harness.tests.faults.sinks import badge, code_of_others, markdown_of, page, scripts_of, table, xml

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def ready() -> Iterator[Bench]:
    with bench(ROOT) as made:
        yield made


def test_what_is_right_is_taken(ready: Bench) -> None:
    """Else every fault would be refused for what its samples have wrong already."""
    files: dict[str, str | bytes] = {
        "run.jsonl": lines(whole_run(ready.sample.records, lost=False)),
        "mine/cases.yaml": ready.sample.cases.replace("edges/", "mine/"),
        "ledger/known.yaml": ready.sample.ledger,
    }
    reported = "report run.jsonl -o r.html --markdown r.md --csv r.csv --junit r.xml --badge b"
    written = (markdown_of("r.md"), table("r.csv"), xml("r.xml"), badge("b"), page("r.html"), scripts_of("r.html"))
    commands = {
        reported: FINE,
        "gate run.jsonl run.jsonl": STALE_LEDGER,
        "merge run.jsonl -o merged.jsonl": DISAGREES,
        "accept run.jsonl --baseline baseline.jsonl --ledger ledger": FINE,
        "cases lint mine/cases.yaml": FINE,
        "run mine/cases.yaml -i numpy --ledger ledger": FINE,
    }
    faults = [
        Fault(
            "nothing is wrong",
            Promise("README.md", "Exit codes"),
            tuple(command.split()),
            frozenset({code}),
            files,
            checks=written if command == reported else (),
        )
        for command, code in commands.items()
    ]
    judged = ready.judged([("right", fault) for fault in faults])
    assert {one.fault.arguments: one.wrong for one in judged if one.wrong} == {}


FAULTS = 1000
"""Some forty seconds on two processors; other seeds and larger numbers are asked for by hand."""


def test_every_promise_is_kept(ready: Bench) -> None:
    wrong = [one for one in ready.judged(drawn(KINDS, ready.sample, seed=0, count=FAULTS)) if one.wrong]
    told = [f"{one.kind}: {one.fault.what!a}: {one.fault.arguments!a}: {'; '.join(one.wrong)!a}" for one in wrong]
    assert not told, "\n".join(told)


def test_every_promise_stands_where_it_is_said_to(ready: Bench) -> None:
    texts: dict[str, str] = {}
    for kind in KINDS:
        promise = kind.draw(Random(0), ready.sample).promise
        text = texts.setdefault(promise.where, " ".join((ROOT / promise.where).read_text(encoding="utf-8").split()))
        assert " ".join(promise.says.split()) in text, (kind.name, promise)


@pytest.mark.parametrize("name", READERS)
def test_a_reader_takes_or_refuses_whatever_it_is_given(name: str, tmp_path: Path) -> None:
    """A few hundred texts; half an hour of them is asked for by hand."""
    fuzz(READERS[name](tmp_path), 0, 30 if name == "run" else 200)


# --- a campaign that cannot find anything would look the same as one that has nothing to find ------------------------


def _ended(folder: Path, code: int = FINE, stdout: str = "", stderr: str = "") -> Ended:
    return Ended(code, stdout, stderr, folder, {"kept": b"as it was"})


@pytest.mark.parametrize(
    ("code", "stdout", "stderr", "complaint"),
    [
        (DISAGREES, "", "", "ended with 1, promised 0 or 4 or 9"),
        (9, "", "Traceback (most recent call last):\n  boom", "a traceback"),
        (FINE, "a \x1b[31m", "", "steers"),
        (FINE, "", "a \u202e", "steers"),
        (FINE, "", "a\n ::add-mask::x", "steers"),
        (FINE, "a ##[command]x", "", "steers"),
        (4, "", "", "without a word"),
        (4, "", "xent: no", "without naming 'run.jsonl'"),
    ],
)
def test_an_ending_that_breaks_a_promise_is_found(
    code: int, stdout: str, stderr: str, complaint: str, tmp_path: Path
) -> None:
    (tmp_path / "kept").write_bytes(b"as it was")
    fault = Fault("", Promise("", ""), (), frozenset({FINE}) | REFUSED, stands=("kept",), says=("run.jsonl",))
    assert [c for c in complaints(fault, _ended(tmp_path, code, stdout, stderr)) if complaint in c]
    assert list(complaints(fault, _ended(tmp_path, stdout="all is well", stderr="a :: b"))) == []


def test_what_is_left_behind_is_found(tmp_path: Path) -> None:
    fault = Fault("", Promise("", ""), (), frozenset({FINE}))
    assert list(complaints(fault, replace(_ended(tmp_path), left=("sleep 600",)))) == ["left behind: sleep 600"]


def test_a_process_that_outlives_its_command_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(campaign, "PATIENCE", 0.0)
    (tmp_path / "kept").touch()
    waits = [sys.executable, "-c", "input()"]
    with subprocess.Popen(waits, stdin=subprocess.PIPE, env={"TMPDIR": str(tmp_path)}) as process:
        assert campaign.left(tmp_path) == (" ".join(waits) + " ", str(tmp_path / "kept"))
        assert process.wait() == -signal.SIGKILL


def test_a_file_that_did_not_stand_is_found(tmp_path: Path) -> None:
    fault = Fault("", Promise("", ""), (), frozenset({FINE}), stands=("kept",))
    assert list(complaints(fault, _ended(tmp_path))) == ["kept is no longer what it was"]


@pytest.mark.parametrize(
    ("check", "good", "bad"),
    [
        (table, "a,b\r\n1,'=1+1\r\n-0.5,-inf\r\n", ["a,b\r\n1,=1+1\r\n", "a,b\r\n1\r\n", "a\r\n\x1b[31m\r\n"]),
        (xml, '<a tests="1"><testcase/></a>', ['<a tests="2"><testcase/></a>', "<a", "<a tests='0'>\x9b</a>"]),
        (page, '<a href="#x">y</a>', ["<owned>", "<p onowned=1>", "<a href='javascript:1'>", "<p onclick=x>"]),
        (
            markdown_of,
            "| a | b\\|c |\n|---|---|\n| 1 | 2 |\n",
            [
                "| a |\n|---|\n| b | c |\n",
                "[a](https://a.b)",
                "<owned>",
                "a @owned",
                "see https://owned.example",
                "\x1b[31m",
            ],
        ),
    ],
)
def test_a_file_with_more_than_text_in_it_is_found(check: object, good: str, bad: list[str], tmp_path: Path) -> None:
    assert callable(check)
    look = check("file")
    for text in (good, *bad):
        (tmp_path / "file").write_bytes(text.encode())
        assert (look(_ended(tmp_path)) is None) == (text == good), text


@pytest.mark.parametrize("bad", ["def in_a():\n    OWNED()\n", "x = 1 +", "import owned", "a\0", "f(owned=1)"])
def test_text_that_became_code_is_found(bad: str) -> None:
    assert code_of_others('"""OWNED()"""\nprint("OWNED()")  # OWNED()\n') is None
    assert code_of_others(bad) is not None


def test_a_reader_that_stumbles_is_found() -> None:
    def reads(text: str) -> None:
        int(json.loads(text)["number"])

    with pytest.raises((ValueError, TypeError, KeyError)):
        fuzz(Reader([{"number": "1"}], json.dumps, reads), 0, 250)
