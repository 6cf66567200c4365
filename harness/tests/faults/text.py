"""Texts of others that try to be more than text: in each field that a file or a program can say, on the way to each
place where the project writes it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any

from harness.tests.faults.fault import FINE, REFUSED, VERDICTS, Check, Fault, Kind, Promise, Sample
from harness.tests.faults.samples import lines, whole_run
from harness.tests.faults.sinks import badge, ledger, markdown_of, page, scripts_of, table, workflow_commands, xml

ANSWERS = VERDICTS | REFUSED
TEXT = Promise("docs/reference/file-formats.md", "stays text wherever it is written")

PIECES = (
    *("\x1b[31m", "\x1b[2J", "\x1b]0;owned\x07", "\x1b]8;;https://owned.example\x1b\\", "\x9b31m", "\x90q\x9c", "\x85"),
    *("\x00", "\x07", "\x08\x08", "\r", "\x7f", "\x0b", "\x0c", "\x1c"),
    *(
        "\u202e",
        "\u2066",
        "\u200b",
        "\u200d",
        "\u2028",
        "\u2029",
        "\ufeff",
        "\u061c",
        "\u00ad",
        "\ud800",
        "\udc80\ud83d",
    ),
    *(
        "\n::error::owned",
        "\n::add-mask::a",
        "\n  ::set-output name=a::owned",
        "::stop-commands::owned",
        "::debug::owned",
    ),
    *(
        "\n##[command]owned",
        "##[error]owned",
        "##vso[task.setvariable variable=a]owned",
        "##teamcity[owned]",
        "%0A::warning::owned",
    ),
    *("=1+1", "+1", "-1", "@SUM(1)", "\t=1+1", "\r=1+1", '=HYPERLINK("https://owned.example")', "＝1+1"),
    *("|", "\n|a|b|\n|-|-|\n", "`", "```", "\n```\n", "[owned](https://owned.example)", "![a](https://owned.example)"),
    *(
        "<owned>",
        "</td><owned x='",
        '"><owned>',
        "' onowned='",
        "</script><owned>",
        "<!--",
        "]]>",
        "&lt;owned&gt;",
        "{{7*7}}",
    ),
    *(
        "javascript:owned()",
        "https://owned.example",
        "www.owned.example",
        "@owned",
        "[bold red]owned[/]",
        "[link=https://owned.example]a[/link]",
        "\n# owned\n",
        "\n- owned",
        "~~owned~~",
    ),
    *(
        "\nOWNED()\n",
        '"""\nOWNED()\n"""',
        "'''\nOWNED()\n'''",
        "'); OWNED(); ('",
        '"); OWNED(); ("',
        "\\",
        "\\\n",
        ": OWNED()",
        "=OWNED(), b",
        "\n#",
        "\\N{OWNED}",
    ),
    *("$(owned)", "`owned`", "'; owned; '", '"; owned; "', "\nowned\n", "!owned", "--owned", "${owned}", "*", "~"),
    *("word", "in float32", "é", "日本", "𝛼", " ", "  ", ""),
)
"""What steers terminals and logs, what spreadsheets, Markdown, HTML, XML, Python and shells take for more than text,
and some text. Everything that would become code or markup has `owned` in it, so that it is found again."""


def hostile(chance: Random) -> str:
    """A text of one to five pieces."""
    return "".join(chance.choice(PIECES) for _ in range(chance.randint(1, 5)))


# --- run files --------------------------------------------------------------------------------------------------------


def _texts(value: Any) -> set[str]:
    """Every text in a record, names of fields that somebody chose included."""
    if isinstance(value, str):
        return {value}
    if isinstance(value, Mapping):
        return set().union(*(_texts(name) | _texts(entry) for name, entry in value.items()))
    if isinstance(value, Sequence):
        return set().union(*(_texts(entry) for entry in value))
    return set()


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    """The value with texts replaced wherever one of them stands alone, so that a file keeps agreeing with itself."""
    if isinstance(value, str):
        return names.get(value, value)
    if isinstance(value, Mapping):
        return {names.get(name, name): _renamed(entry, names) for name, entry in value.items()}
    if isinstance(value, Sequence):
        return [_renamed(entry, names) for entry in value]
    return value


_FORM = frozenset(
    re.findall(
        r"\w+",
        """
    kind header cell claim speed footer suite implementations machine started command certificate schema version
    versions digest cases ledger workloads case implementation mode dtype aspect verdict outcome truth got ratio
    budget error_scale worst grade ulps severity convention explanation function warnings seconds observed cells
    verdicts problems dormant claimed says document expected title why loss tags inputs options cotangent vector
    source section file line expect shape digits modes dtypes losses flags facts device threads startup_seconds
    gradients flush_to_zero value of error reason type message signal computed_in differing elements workload
    figures what hint entry place
        """,
    )
)
"""Names that the format itself gives; a file that has another in their place is another kind of fault."""
_CLOSED: frozenset[str] = frozenset()
"""Words that a field has to choose from: whether another is refused is asked by another kind of fault."""


def _said(chance: Random, records: Sequence[Mapping[str, Any]]) -> tuple[list[Any], dict[str, str]]:
    """A run some of whose texts are hostile, and which."""
    # Half of the time only what is said of cells: a header has ten times as many texts, most of which nothing shows.
    where = records if chance.random() < 0.5 else [record for record in records if record["kind"] != "header"]
    texts = sorted(set().union(*(_texts(record) for record in where)) - _FORM - _CLOSED)
    chosen = chance.sample(texts, min(len(texts), chance.choice((1, 1, 2, 4, 12))))
    names = {name: hostile(chance) for name in chosen}
    return [_renamed(record, names) for record in records], names


REPORTED: Mapping[str, tuple[str, Callable[[], Check]]] = {
    "--markdown": ("summary.md", lambda: markdown_of("summary.md")),
    "--junit": ("junit.xml", lambda: xml("junit.xml")),
    "--csv": ("cells.csv", lambda: table("cells.csv")),
    "--badge": ("badge.json", lambda: badge("badge.json")),
}


def _reported(chance: Random, sample: Sample) -> Fault:
    records, names = _said(chance, whole_run(sample.records))
    options = [word for option, (name, _) in REPORTED.items() for word in (option, name)]
    return Fault(
        f"a run file says {names!r}",
        TEXT,
        ("report", "run.jsonl", "-o", "report.html", *options),
        frozenset({FINE}) | REFUSED,
        {"run.jsonl": lines(records)},
        stands=("run.jsonl",),
        checks=(page("report.html"), scripts_of("report.html"), *(check() for _, check in REPORTED.values())),
    )


_TEMPLATES = ("torch", "tensorflow", "keras-tensorflow", "keras-torch", "keras-jax", "jax", "optax", "scipy", "sklearn")
_MORE_TEMPLATES = ("onnx-reference", "onnxruntime", "numpy", "scratch-d0", "scratch-d2", "scratch-d4")


def _scripted(chance: Random, sample: Sample) -> Fault:
    """Cells of an implementation that scripts are written for, said to be of a mode, type or aspect that is none."""
    header, *middle, footer = whole_run(sample.records, lost=False)
    name = chance.choice(_TEMPLATES + _MORE_TEMPLATES)
    modes = [chance.choice(("eager", "compile", "jit", "graph", hostile(chance))) for _ in range(2)]
    header["implementations"][name] = {**header["implementations"]["torch"], "modes": modes}
    made = []
    for cell in (record for record in middle if record["kind"] == "cell" and record["implementation"] == "torch"):
        said = {
            "implementation": name,
            "mode": chance.choice((modes[0], modes[1], hostile(chance))),
            "aspect": chance.choice((cell["aspect"], "mode_agreement", "gradient", "hessian_vector", hostile(chance))),
            "dtype": chance.choice((cell["dtype"], cell["dtype"], hostile(chance))),
            "worst": chance.choice((None, 0, 1, 10**9, -1)),
            "ledger": "the-entry",
        }
        made.append({**cell, **said, **({"verdict": "known"} if cell["verdict"] == "disagrees" else {})})
    header["suite"]["ledger"]["the-entry"]["reason"] = hostile(chance)
    verdicts = {"known": len(made)}
    footer = {**footer, "cells": len(made), "verdicts": verdicts}
    return Fault(
        f"cells of {name} are said to be {[(cell['mode'], cell['dtype'], cell['aspect']) for cell in made]!r}",
        TEXT,
        ("report", "run.jsonl", "-o", "report.html"),
        frozenset({FINE}) | REFUSED,
        {"run.jsonl": lines([header, *made, footer])},
        stands=("run.jsonl",),
        checks=(page("report.html"), scripts_of("report.html")),
    )


def _gated(chance: Random, sample: Sample) -> Fault:
    base = whole_run(sample.records, lost=chance.random() < 0.2)
    records, names = _said(chance, base)
    old, new = chance.choice(((base, records), (records, base), (records, records), (sample.records, records)))
    github = chance.random() < 0.5
    return Fault(
        f"a run file says {names!r}",
        TEXT,
        ("gate", "old.jsonl", "new.jsonl", "--markdown", "gate.md", *(("--github",) if github else ())),
        ANSWERS,
        {"old.jsonl": lines(old), "new.jsonl": lines(new)},
        stands=("old.jsonl", "new.jsonl"),
        checks=(markdown_of("gate.md"), *((workflow_commands,) if github else ())),
        annotates=github,
    )


def _merged(chance: Random, sample: Sample) -> Fault:
    records, names = _said(chance, whole_run(sample.records))
    return Fault(
        f"a run file says {names!r}",
        TEXT,
        ("merge", "run.jsonl", *chance.choice(((), ("run.jsonl",))), "-o", "merged.jsonl"),
        ANSWERS,
        {"run.jsonl": lines(records)},
        stands=("run.jsonl",),
    )


def _accepted(chance: Random, sample: Sample) -> Fault:
    records, names = _said(chance, whole_run(sample.records, lost=False))
    return Fault(
        f"a run file says {names!r}",
        TEXT,
        ("accept", "run.jsonl", "--baseline", "baseline.jsonl", "--ledger", "ledger"),
        frozenset({FINE}) | REFUSED,
        {"run.jsonl": lines(records), "ledger/known.yaml": sample.ledger},
        stands=("run.jsonl", "ledger/known.yaml"),
        checks=(ledger("ledger/accepted.yaml", records[0]["suite"]["cases"], records[0]["implementations"]),),
    )


# --- what a person names, case files ----------------------------------------------------------------------------------

_NAMED: Sequence[tuple[str, ...]] = (
    ("cases", "list", "{}"),
    ("cases", "{}"),
    ("{}",),
    ("run", "{}"),
    ("run", "edges", "-i", "{}"),
    ("run", "edges", "-i", "command:{}"),
    ("run", "edges", "-i", "{}:{}"),
    ("run", "edges", "--modes", "{}", "-i", "numpy"),
    ("run", "edges", "--dtypes", "{}"),
    ("run", "edges", "--family", "{}"),
    ("run", "edges", "-i", "numpy", "--python", "{}"),
    ("run", "edges", "--{}", "1"),
    ("run", "edges", "--timeout", "{}"),
    ("run", "edges", "--shard", "{}"),
    ("repro", "{}"),
    ("repro", "edges/two-equal-logits[{}:eager:float32:value]"),
    ("repro", "{}[numpy:eager:float32:value]"),
    ("report", "{}"),
    ("gate", "{}", "{}"),
    ("merge", "{}", "-o", "merged.jsonl"),
    ("accept", "{}"),
    ("explain", "{}"),
    ("bench", "{}"),
    ("kills", "{}"),
)


def _named(chance: Random, _: Sample) -> Fault:
    words = hostile(chance).replace("\x00", "").encode("utf-8", "replace").decode() or "\x1b[31m"
    arguments = tuple(word.replace("{}", words) for word in chance.choice(_NAMED))
    return Fault(
        f"a person names {words!r}",
        TEXT,
        arguments,
        REFUSED | {FINE},  # fine: an option such as --help, or a name that is there after all, such as `*`
        seconds=120,
    )


_FIELDS = ("id", "title", "why", "loss", "inputs", "options", "source", "tags", "expect", "claims", "cotangent")


def _cases(chance: Random, _: Sample) -> Fault:
    name = chance.choice(("cases.yaml", f"{hostile(chance)}.yaml"))
    name = name.replace("/", "").replace("\x00", "").encode("utf-8", "replace").decode()
    entry: dict[str, Any] = {
        "id": "mine/two-equal-logits",
        "title": "Two equal logits",
        "why": "A softmax over the wrong axis gives other numbers.",
        "loss": "softmax",
        "inputs": {"logits": [[1.5, 1.5]]},
        "source": {"document": "a document", "section": "a section"},
        "tags": ["ties"],
    }
    for field in chance.sample(_FIELDS, chance.randint(1, 3)):
        words = hostile(chance)
        entry[field] = chance.choice((words, words, [words], {words: words}, {"document": words, "section": words}))
    verb = chance.choice((("cases", "lint"), ("cases", "list"), ("cases", "show")))
    return Fault(
        f"a case file called {name!r} says {entry!r}",
        TEXT,
        (*verb, f"mine/{name}"),
        frozenset({FINE}) | REFUSED,
        {f"mine/{name}": json.dumps([entry])},  # JSON is YAML
        stands=(f"mine/{name}",),
    )


def _ledgers(chance: Random, sample: Sample) -> Fault:
    entry: dict[str, Any] = {
        "id": "an-entry",
        "cases": ["edges/two-equal-logits"],
        "implementations": ["torch"],
        "versions": ">=2,<3",
        "aspects": ["value"],
        "outcome": {"kind": "finite"},
        "reason": "A cause.",
        "upstream": "https://example.org",
    }
    for field in chance.sample(sorted(entry), chance.randint(1, 3)):
        words = hostile(chance)
        entry[field] = chance.choice((words, words, [words], {"kind": words}, {words: words}))
    return Fault(
        f"the ledger says {entry!r}",
        TEXT,
        ("accept", "run.jsonl", "--baseline", "baseline.jsonl", "--ledger", "ledger"),
        frozenset({FINE}) | REFUSED,
        {"run.jsonl": lines(whole_run(sample.records, lost=False)), "ledger/a.yaml": json.dumps([entry])},
        stands=("run.jsonl", "ledger/a.yaml"),
    )


_VARIABLES = ("COLUMNS", "TERM", "LANG", "LC_ALL", "HOME", "XDG_CACHE_HOME", "TMPDIR", "NO_COLOR")


def _surroundings(chance: Random, sample: Sample) -> Fault:
    said = {
        name: hostile(chance).replace("\x00", "").encode("utf-8", "replace").decode()
        for name in chance.sample(_VARIABLES, chance.randint(1, 3))
    }
    commands = (
        ("cases", "list"),
        ("implementations",),
        ("gate", "run.jsonl", "run.jsonl"),
        ("report", "run.jsonl"),
        ("explain", "edges/two-equal-logits", "-i", "numpy"),
        ("--help",),
    )
    return Fault(
        f"the environment says {said!r}",
        TEXT,
        chance.choice(commands),
        ANSWERS,
        {"run.jsonl": lines(whole_run(sample.records, lost=False))},
        environment=said,
    )


KINDS = (
    Kind("text: a run file in a report", _reported, share=5),
    Kind("text: a cell in a script", _scripted, share=3),
    Kind("text: a run file at the gate", _gated, share=4),
    Kind("text: a run file merged", _merged, share=1),
    Kind("text: a run file accepted", _accepted, share=2),
    Kind("text: what a person names", _named, share=4),
    Kind("text: a case file", _cases, share=4),
    Kind("text: the ledger", _ledgers, share=3),
    Kind("text: the environment", _surroundings, share=2),
)
