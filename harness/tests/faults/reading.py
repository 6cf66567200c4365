"""What is read back and is not what it should be: run files, case files, ledgers, what programs say of themselves;
options outside their range; and runs in which something was not judged, which no command may pass."""

from __future__ import annotations

import copy
import gzip
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random
from typing import Any

from harness.tests.faults.fault import (
    CODES,
    DISAGREES,
    FINE,
    INFRASTRUCTURE,
    REFUSED,
    USAGE,
    VERDICTS,
    Ended,
    Fault,
    Kind,
    Promise,
    Sample,
)
from harness.tests.faults.samples import lines, whole_run

CHECKED = Promise("docs/reference/file-formats.md", "Every line is checked when a run is read")
READ = Promise("docs/reference/file-formats.md", "none is passed over in silence")
OPTIONS = Promise("README.md", "4 usage")

Record = dict[str, Any]

READERS = (
    ("report", "run.jsonl", "-o", "report.html"),
    ("gate", "run.jsonl", "good.jsonl"),
    ("gate", "good.jsonl", "run.jsonl"),
    ("merge", "run.jsonl", "-o", "merged.jsonl"),
    ("accept", "run.jsonl", "--baseline", "baseline.jsonl", "--ledger", "ledger"),
)
"""Commands that read a run file."""


def _read(chance: Random, what: str, content: str | bytes, codes: frozenset[int], good: str) -> Fault:
    return Fault(
        what,
        CHECKED,
        chance.choice(READERS),
        codes,
        {"run.jsonl": content, "good.jsonl": good},
        stands=("run.jsonl", "good.jsonl"),
        # Of a run that is taken 9 may be the verdict, which needs no line.
        says=("run.jsonl:",) if codes == {INFRASTRUCTURE} else (),
    )


# --- run files that contradict themselves -----------------------------------------------------------------------------


def _some(records: list[Record], chance: Random, kind: str) -> Record:
    return chance.choice([record for record in records if record["kind"] == kind])


def _lost(records: list[Record], chance: Random) -> None:
    """A line; a claim is counted nowhere, so none of those."""
    del records[chance.choice([n for n, record in enumerate(records) if record["kind"] != "claim"])]


def _again(records: list[Record], chance: Random) -> None:
    records.insert(-1, copy.deepcopy(_some(records, chance, chance.choice(("cell", "header", "footer")))))


def _counts(records: list[Record], chance: Random) -> None:
    footer = records[-1]
    verdict = chance.choice(("agrees", "disagrees", "unsupported", "crashed", "fine"))
    chance.choice((footer, footer["verdicts"]))["cells" if chance.random() < 0.5 else verdict] = chance.randrange(10**6)
    footer["cells"] += chance.choice((1, -1))


def _without_counts(records: list[Record], chance: Random) -> None:
    del records[-1][chance.choice(("cells", "verdicts"))]


def _stranger(records: list[Record], chance: Random) -> None:
    field = chance.choice(("case", "implementation", "mode", "dtype", "verdict"))
    _some(records, chance, "cell")[field] = f"no-such-{chance.randrange(1000)}"


def _other_header(records: list[Record], chance: Random) -> None:
    """The header of a run of other cases, implementations or modes."""
    header, cell = records[0], _some(records, chance, "cell")
    match chance.randrange(3):
        case 0:
            del header["suite"]["cases"][cell["case"]]
        case 1:
            del header["implementations"][cell["implementation"]]
        case _:
            name = next(name for name, said in header["implementations"].items() if "missing" not in said)
            header["implementations"][name]["modes"] = [f"mode-{chance.randrange(1000)}"]


def _contradicted(records: list[Record], chance: Random) -> None:
    """A verdict that the outcome of the same cell contradicts."""
    cell = chance.choice([r for r in records if r["kind"] == "cell" and r["outcome"]["kind"] == "value"])
    kind = chance.choice(("crashed", "timed_out", "missing", "unsupported"))
    cell.update(verdict=chance.choice(("agrees", "by_convention")), outcome={"kind": kind})
    records[-1]["verdicts"] = {}
    for one in (record for record in records if record["kind"] == "cell"):
        counts = records[-1]["verdicts"]
        counts[one["verdict"]] = counts.get(one["verdict"], 0) + 1


CONTRADICTIONS: tuple[Callable[[list[Record], Random], None], ...] = (
    _lost,
    _again,
    _counts,
    _without_counts,
    _stranger,
    _other_header,
    _contradicted,
)


def _contradictory(chance: Random, sample: Sample) -> Fault:
    good = whole_run(sample.records, lost=False)
    spoilt = copy.deepcopy(good)
    spoil = chance.choice(CONTRADICTIONS)
    spoil(spoilt, chance)
    return _read(chance, spoil.__name__, lines(spoilt), frozenset({INFRASTRUCTURE}), lines(good))


# --- bytes, types, sizes ----------------------------------------------------------------------------------------------

ODD: tuple[Any, ...] = (
    *(None, True, -1, 0, 2**63, 2**64, 10**400, 1e300, "", "nan", "x", [], {}, [[]], [None], {"kind": "value"}),
    *({"raises": 1}, {"missing": "x"}, ["x"] * 3, [1, [2]], "9" * 5000, {"shape": [2**70]}, -(2**70)),
)


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every container with each key in it."""
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [(value, key) for key, _ in entries] + [place for _, inner in list(entries) for place in _places(inner)]


def _swapped(chance: Random, sample: Sample) -> Fault:
    records = whole_run(sample.records, lost=chance.random() < 0.5)
    good = lines(records)
    place, key = chance.choice(_places(chance.choice(records)))
    place[key] = chance.choice(ODD)
    return _read(chance, f"{key} is {place[key]!r:.60}", lines(records), VERDICTS | REFUSED, good)


def _flipped(chance: Random, sample: Sample) -> Fault:
    good = lines(whole_run(sample.records)).encode()
    content = bytearray(gzip.compress(good) if chance.random() < 0.5 else good)
    match chance.randrange(3):
        case 0:
            del content[chance.randrange(len(content)) :]
        case 1:
            for _ in range(chance.randint(1, 3)):
                content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        case _:
            start = chance.randrange(len(content))
            content[start:start] = content[start : start + chance.randrange(200)] or b"\n{"
    codes = VERDICTS | REFUSED if bytes(content[:1]) == b"{" else frozenset({INFRASTRUCTURE})
    return _read(chance, "bytes are not what they were", bytes(content), codes, good.decode())


def _endless(chance: Random, sample: Sample) -> Fault:
    """A number without end, or nesting, in any number's place."""
    records = whole_run(sample.records, lost=False)
    good = lines(records)
    numbers = [
        (place, key)
        for record in records
        for place, key in _places(record)
        if isinstance(place[key], int | float) and not isinstance(place[key], bool)
    ]
    place, key = chance.choice(numbers)
    place[key] = "THE NUMBER"
    value = chance.choice(("9" * 5000, "1" + "0" * 350, "1e999", "NaN", "-Infinity", "[" * 5000 + "]" * 5000))
    content = lines(records).replace('"THE NUMBER"', value)
    # Where any number may stand, one of 350 digits is read as what it is; nothing comes of it.
    codes = VERDICTS | REFUSED if value[0] == "1" else frozenset({INFRASTRUCTURE})
    return _read(chance, f"{key} is {value[:20]}…", content, codes, good)


# --- case files and ledgers -------------------------------------------------------------------------------------------

YAML_ODD = (
    *(
        "9" * 350,
        "-" + "9" * 350,
        str(2**63),
        "1e999",
        "nan",
        "inf",
        "null",
        "true",
        "''",
        "[]",
        "{}",
        "[[[]]]",
        "x: y",
    ),
    *(
        "[" * 40 + "]" * 40,
        "[" + ", ".join(["1"] * 70) + "]",
        "٣",
        "&a [1]",
        "*a",
        "!!python/name:os.system",
        "2026-13-45",
    ),
    "{generator: zeros, shape: [1000000000, 1000000000, 100]}",
    "{generator: one_hot, labels: [0], classes: 2000000000}",
    "{generator: zeros, shape: [" + ", ".join(["1"] * 70) + "]}",
    "{generator: eye, shape: [1000000]}",
    "{generator: cycle, values: [1], times: 2000000000, shape: [2]}",
    "{generator: ramp, step: 1e308, shape: [9]}",
    "{values: [1, [2]], dtype: int8}",
)


def _spoilt_yaml(chance: Random, text: str) -> str | bytes:
    """A YAML file with one thing wrong, or more."""
    rows = text.splitlines()
    match chance.randrange(7):
        case 0 | 1 | 2:
            row = chance.choice([n for n, line in enumerate(rows) if ":" in line])
            rows[row] = f"{rows[row].partition(':')[0]}: {chance.choice(YAML_ODD)}"
        case 3:
            row = chance.randrange(len(rows))
            rows.insert(row, chance.choice((rows[row], "\t" + rows[row], "  - x", "%YAML 7", "---", "\ufeff- a")))
        case 4:
            del rows[chance.randrange(len(rows))]
        case 5:
            return "\n".join(rows).encode()[: chance.randrange(len(text))]
        case _:
            content = bytearray(text.encode())
            content[chance.randrange(len(content))] = chance.randrange(256)
            return bytes(content)
    return "\n".join(rows) + "\n"


def _cases(chance: Random, sample: Sample) -> Fault:
    content = _spoilt_yaml(chance, sample.cases.replace("edges/", "mine/"))
    commands = (("cases", "lint"), ("cases", "show"), ("run", "-i", "numpy", "--ledger", "ledger"))
    first, *more = chance.choice(commands)
    return Fault(
        f"a case file says {content!r:.200}",
        READ,
        (first, *more[:1], "mine/cases.yaml", *more[1:]) if first == "cases" else (first, "mine/cases.yaml", *more),
        frozenset({FINE, DISAGREES, USAGE}),
        {"mine/cases.yaml": content, "ledger/known.yaml": "[]\n"},
        stands=("mine/cases.yaml",),
        says=("mine/cases.yaml",),
    )


def _ledger(chance: Random, sample: Sample) -> Fault:
    content = _spoilt_yaml(chance, sample.ledger)
    return Fault(
        f"a ledger says {content!r:.200}",
        READ,
        ("run", "edges/two-equal-logits", "-i", "numpy", "--ledger", "ledger"),
        frozenset({FINE, USAGE, 6}),
        {"ledger/known.yaml": content},
        stands=("ledger/known.yaml",),
        says=("ledger/known.yaml",),
    )


SETTINGS = """\
implementations = ["numpy"]
modes = ["first"]
cases = ["edges/two-equal-logits"]
baseline = "conformance/baseline.jsonl.gz"
ledger = "conformance/ledger"
[budgets]
call = 60
slower = 5
"""
TOML_ODD = (
    "nan",
    "-1",
    "0",
    "true",
    "{}",
    "{a = 1}",
    "[[1]]",
    "[1]",
    '""',
    '[""]',
    '"../elsewhere"',
    '"/"',
    '"\\u0000"',
    '["\\u001b[31m"]',
    "2026-01-01",
    "9" * 400,
    "1e999",
    '"' + "n" * 5000 + '"',
    "[" * 500 + "]" * 500,
    '["nmupy"]',
    '["edgse"]',
    "'" * 3,
)


def _settings(chance: Random, sample: Sample) -> Fault:
    """A project's settings with one thing wrong, which may be nothing."""
    rows = SETTINGS.splitlines()
    row = chance.randrange(len(rows))
    content: str | bytes
    match chance.randrange(4):
        case 0 | 1:
            rows[row] = f"{rows[row].partition('=')[0]}= {chance.choice(TOML_ODD)}"
            content = "\n".join(rows)
        case 2:
            rows.insert(
                row, chance.choice((rows[row], "x = 1", "[budgets]", "[ledger]", "call = 1", "=", "\x00", "[["))
            )
            content = "\n".join(rows)
        case _:
            flipped = bytearray(SETTINGS.encode())
            flipped[chance.randrange(len(flipped))] = chance.randrange(256)
            content = bytes(flipped)
    commands = (("run", "edges/two-equal-logits"), ("gate", "run.jsonl"), ("run",), ("accept", "run.jsonl"))
    return Fault(
        f"settings say {content!r:.200}",
        READ,
        chance.choice(commands),
        # Other settings than were written may mean something, and have a verdict of their own.
        frozenset({*VERDICTS, USAGE}),
        {"xent.toml": content, "run.jsonl": lines(whole_run(sample.records, lost=False))},
        stands=("xent.toml", "run.jsonl"),
        checks=(_inside,),
    )


def _inside(ended: Ended) -> str | None:
    """What a project's commands write lies in its folder."""
    return "written outside of the folder" if (ended.folder.parent / "elsewhere").exists() else None


def _dangling(folder: Path) -> None:
    (folder / "read" / "link.yaml").symlink_to(folder / "nowhere")


def _a_pipe(folder: Path) -> None:
    os.mkfifo(folder / "read" / "pipe.yaml")


def _silent(chance: Random, _: Sample) -> Fault:
    """A file that cannot be used, in a folder of files that can: named, not left out."""
    prepare = chance.choice((None, None, _dangling, _a_pipe))
    ending = chance.choice(("yaml", "yml", "YAML", "Yml", "YML"))
    broken = chance.choice(("- {id: 3}\n", "a: [\n", b"\xff\xfe", "- &a [1]\n", "x" * 2_000_000, "- id: a\n  id: b\n"))
    name = f"read/{chance.choice(('', 'deeper/', '.hidden/'))}broken.{ending}"
    as_ledger = chance.random() < 0.5
    how = ("run", "edges", "-i", "numpy", "--ledger", "read") if as_ledger else ("cases", "list", "read")
    good = {"read/good.yaml": "[]\n" if as_ledger else ""}
    return Fault(
        f"{name} cannot be used",
        READ,
        how,
        frozenset({USAGE}),
        {**good, **({} if prepare else {name: broken})},
        says=({None: name, _dangling: "link.yaml", _a_pipe: "pipe.yaml"}[prepare],),
        prepare=prepare,
    )


# --- options ----------------------------------------------------------------------------------------------------------

NUMBERS = ("nan", "inf", "-inf", "-1", "0", "1e300", "", "x", "9" * 5000, "\u0662", "1_0", "0x10", "None", "1,5")
COUNTS = (*NUMBERS, "1.5", "1e3", "99999999")
DATES = ("2026-13-45", "2026-02-30", "soon", "", "2024-W01-1", "1e3")
RANGES: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (("run", "edges", "-i", "numpy", "--timeout"), NUMBERS),
    (("run", "edges", "-i", "numpy", "--parallel"), COUNTS),
    (("run", "edges", "-i", "numpy", "--shard"), (*COUNTS, "0/1", "2/1", "1/0", "1/-1", "1/2/3")),
    (("run", "edges", "-i", "numpy", "--dtypes"), ("", "flaot32", "float32,", "int64", "float32 float64")),
    (("run", "edges", "-i", "numpy", "--modes"), ("", "complie", "eager,", ",", "eager,complie", "Eager")),
    (("run", "edges", "-i", "numpy", "--level"), ("", "avx3", "Native")),
    (("run", "edges", "-i", "numpy", "--python"), ("", "nowhere", "/")),
    (("run", "edges", "-i", "numpy", "--ledger"), ("nowhere", "run.jsonl")),
    (("run", "edges", "-i"), ("", "nmupy", "numpy ", "command:", "command:'")),
    (("run", "edges", "--family"), ("", "troch", "*")),
    (("run", "-i", "numpy"), ("", "edgse", "nowhere.yaml", "edges/[", "zzz*", "nowhere/", "edges/two-equal-logits/")),
    (("cases", "list"), ("", "edgse", "zzz*")),
    (("explain",), ("", "edgse", "zzz*")),
    (("repro",), ("", "x", "edges/*[numpy:eager:float32:value]", "edges/two-equal-logits[numpy:eager:float3:value]")),
    (("certify", "--points"), COUNTS[:-1]),
    (("certify", "--workers"), COUNTS),
    (("fuzz", "-i", "numpy", "--minutes"), NUMBERS),
    (("fuzz", "-i", "numpy", "--cases"), COUNTS[:-1]),
    (("fuzz", "-i", "numpy", "--loss"), ("", "sofmax", "*")),
    (("bench", "-i", "numpy", "--sets"), COUNTS[:-1]),
    (("bench", "-i", "numpy", "--threads"), (*COUNTS, "every")),
    (("bench",), ("", "zzz*", "sofmax-32x10")),
    (("kills", "--parallel"), COUNTS),
    (("gate", "run.jsonl", "run.jsonl", "--slower"), ("nan", "inf", "-1", "", "x", "9" * 5000)),
    (("upgrade", "torch==2.13.0", "--old-exclude-newer"), DATES),
    (("upgrade", "torch==2.13.0", "--old-python"), ("", "nowhere", "/")),
    (("upgrade", "--old-requirements=run.jsonl", "--new-requirements"), ("", "nowhere.txt", "/", "run.jsonl")),
    (("run", "edges", "-i", "numpy", "--exclude"), ("", "edgse", "zzz*")),
    (("run", "edges", "-i", "numpy", "--max-elements"), COUNTS[:-1]),
    (("golden", "edges/two-equal-logits", "-o", "table.jsonl", "--losses"), ("", "sofmax", "*", "softmax,")),
    (("golden", "edges/two-equal-logits", "-o", "table.jsonl", "--options"), ("", "label_smoohting", "axis,")),
    (("golden", "edges/two-equal-logits", "-o", "table.jsonl", "--dtypes"), ("", "flaot32", "float32,", "int64")),
    (("golden", "-o", "table.jsonl"), ("", "edgse", "nowhere.yaml", "zzz*")),
    (
        ("grade", "--target={}", "--", "true"),
        ("", ".", "cross_entropy", "no_such_module.loss", "math.no_such", "a b.c"),
    ),
    (("grade", "--target=my_loss.loss", "--time-limit={}", "--", "true"), NUMBERS),
    (("grade", "--target=my_loss.loss", "--at-least={}", "--", "true"), ("nan", "inf", "-1", "", "x", "100.5")),
    (("grade", "--target=my_loss.loss", "--like={}", "--", "true"), ("", "sofmax", "torch.nn.functional.cross_entrpy")),
    (("grade", "--target"), ("math.log",)),
    (("history", "numpy", "--since"), DATES),
    (("history", "numpy", "--versions"), ("", ",", "one", "1.0;x", "2.0 3.0")),
    (("history",), ("", "no such package", "../numpy", "numpy==2.0")),
    (("since",), ("", "no-such-entry", "edges/two-equal-logits[", "edges/two-equal-logits[numpy:eager:float3:value]")),
    (("init", "-i"), ("", "nmupy", "command:")),
)
"""Words of a command, and what is wrong behind them, or in the place of {}."""


def _option(chance: Random, sample: Sample) -> Fault:
    command, values = chance.choice(RANGES)
    value = chance.choice(values)
    return Fault(
        f"{' '.join(command)} {value!r:.40}",
        OPTIONS,
        _with(command, value),
        frozenset({USAGE}),
        {"run.jsonl": lines(whole_run(sample.records, lost=False))},
    )


def _with(command: tuple[str, ...], value: str) -> tuple[str, ...]:
    if any("{}" in word for word in command):
        return tuple(word.replace("{}", value) for word in command)
    return (*command[:-1], f"{command[-1]}={value}") if command[-1].startswith("--") else (*command, value)


# --- what was not judged ----------------------------------------------------------------------------------------------


def _speeds(sample: Sample, judged: Mapping[str, str], chance: Random) -> list[Record]:
    header, *_, footer = copy.deepcopy([dict(record) for record in sample.records])
    header["suite"].update(cases={}, workloads={"workloads/w": {"loss": "softmax"}})
    one = header["implementations"]["numpy"]
    header["implementations"] = {name: copy.deepcopy(one) for name in judged}
    measured: list[Record] = []
    for name, verdict in judged.items():
        figures: Record = {"passes": "forward", "threads": 1, "judged": verdict}
        if verdict == "agrees":
            figures |= {"seconds": 1e-3, "ratios": [chance.uniform(1.0, 1.01) for _ in range(5)], "elements": 10}
        said = {"workload": "workloads/w", "implementation": name, "mode": "eager", "dtype": "float32"}
        measured.append({"kind": "speed", **said, "verdict": "not comparable", "figures": figures})
    return [header, *measured, {**footer, "cells": 0, "verdicts": {}, "problems": []}]


def _timed(chance: Random, sample: Sample) -> Fault:
    wrong = chance.choice(("crashed", "timed_out", "missing", "disagrees"))
    good = _speeds(sample, {"numpy": "agrees", "a": "agrees", "b": "agrees"}, chance)
    bad = _speeds(sample, {"numpy": "agrees", "a": "agrees", "b": wrong}, chance)
    command = chance.choice((("gate", "good.jsonl", "bad.jsonl"), ("merge", "bad.jsonl", "-o", "merged.jsonl")))
    return Fault(
        f"a timed answer is judged {wrong}",
        CODES,
        command,
        frozenset({DISAGREES if wrong == "disagrees" else INFRASTRUCTURE}),
        {"good.jsonl": lines(good), "bad.jsonl": lines(bad)},
    )


PROGRAM = """\
import json, os
requests = os.fdopen(int(os.environ["XENT_REQUEST_FD"]), "rb")
answers = os.fdopen(int(os.environ["XENT_RESPONSE_FD"]), "wb")
for line in requests:
    number = json.loads(line)["id"]
    answer = DESCRIPTION if number == 0 else {"kind": "outcome", "outcome": "unsupported", "reason": "not yet"}
    answers.write(json.dumps({**answer, "id": number}).encode() + b"\\n")
    answers.flush()
"""
SAID: tuple[tuple[str, tuple[Any, ...]], ...] = (
    ("losses", ([], ["sofmax"], ["softmax", "cross_entrpy"], "softmax", None, [1], ["softmax"] * 2, {}, [""])),
    ("dtypes", ([], ["flaot32"], "float32", [None], ["int64"], ["float32"] * 2)),
    ("modes", ([], [""], ["all"], ["a b"], ["eager", "eager"], "eager", ["a\nb"], [1])),
    ("version", (None, 1, [], {})),
    ("threads", (-1, 1.5, "1", 10**30, True)),
    ("gradients", ("yes", 1, None, [])),
    ("facts", ({"isa": "avx3"}, {"color": "red"}, [], "x")),
    ("flags", ([], "x", 3)),
)


def _described(chance: Random, _: Sample) -> Fault:
    field, values = chance.choice(SAID)
    value = chance.choice(values)
    said = {"kind": "description", "version": "1", "losses": ["softmax"], field: value}
    return Fault(
        f"a program says {field}: {value!r:.60}",
        CODES,
        ("run", "edges", "-i", f"command:{sys.executable} program.py"),
        frozenset({INFRASTRUCTURE}),
        {"program.py": PROGRAM.replace("DESCRIPTION", repr(said))},
        says=(field[:4], "cannot start"),
    )


NOBODY = {
    "could not start": None,
    "ends at every call": "os._exit(3)",
    "is killed at every call": "os.kill(os.getpid(), 9)",
    "answers with something else": 'answer = {"kind": "nonsense"}',
    "answers half a line": 'answers.write(b"{"); answers.flush(); os._exit(0)',
}
"""What an implementation does at every call."""


def _unanswered(chance: Random, _: Sample) -> Fault:
    what = chance.choice(tuple(NOBODY))
    conduct = NOBODY[what]
    name = "no_such_module:Nothing" if conduct is None else f"command:{sys.executable} program.py"
    said = {"kind": "description", "version": "1", "losses": ["softmax", "softmax_cross_entropy"]}
    program = PROGRAM.replace("DESCRIPTION", repr(said))
    if conduct is not None:
        program = program.replace("    answers.write", f"    if number:\n        {conduct}\n    answers.write", 1)
    cell = f"edges/two-equal-logits[{name}:eager:float64:value]"
    commands = (
        ("run", "edges/two-equal-logits", "-i", name, "-i", "numpy"),
        ("run", "edges/two-equal-logits", "-i", name, "-o", "run.jsonl", "--report", "report.html"),
        ("explain", "edges/two-equal-logits", "-i", name),
        ("repro", "--again", cell),
        ("repro", cell),
        ("fuzz", "-i", name, "-i", "numpy", "--loss", "softmax", "--cases", "1", "--first-mode"),
    )
    command = chance.choice(commands)
    # Of an implementation for which nobody writes scripts there is none to be had, whatever it does; and to end its
    # process at every call is what fuzzing looks for.
    besides = {"repro": {USAGE}, "fuzz": {DISAGREES}}.get(command[0], set())
    return Fault(
        f"an implementation that {what}", CODES, command, frozenset({INFRASTRUCTURE, *besides}), {"program.py": program}
    )


KINDS = (
    Kind("reading: a run file that contradicts itself", _contradictory, share=4),
    Kind("reading: a value in a run file", _swapped, share=6),
    Kind("reading: bytes of a run file", _flipped, share=3),
    Kind("reading: numbers without end", _endless, share=2),
    Kind("reading: a case file", _cases, share=4),
    Kind("reading: a ledger", _ledger, share=2),
    Kind("reading: files passed over", _silent),
    Kind("reading: a project's settings", _settings, share=3),
    Kind("options: out of range, or of no vocabulary", _option, share=4),
    Kind("passes by accident: timings", _timed),
    Kind("passes by accident: a description", _described),
    Kind("passes by accident: no answer", _unanswered, share=2),
)
