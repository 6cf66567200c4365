"""The command line as a person meets it: the help of every command, and what is said of every mistake in its use."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from cyclopts import App, Token
from hypothesis import given
from hypothesis import strategies as st

from harness.cli.main import COMMANDS, assembled
from harness.cli.options import DTYPES, part_of_all, words
from harness.core.formats import FORMATS
from harness.tests.commands import ROOT, xent

NARROW = {"COLUMNS": "80"}


EVERY_COMMAND = ((), *((name,) for name in COMMANDS), *(("cases", verb) for verb in ("lint", "list", "show", "schema")))


def test_every_command_is_in_the_documentation() -> None:
    text = (ROOT / "docs" / "reference" / "command-line.md").read_text(encoding="utf-8")
    assert [name for name in COMMANDS if f"\n| `{name}` |" not in text] == []


@pytest.mark.parametrize("command", EVERY_COMMAND, ids=" ".join)
def test_every_help_is_readable_at_80_columns_and_shows_every_option_and_an_example(command: tuple[str, ...]) -> None:
    done = xent(*command, "--help", environment=NARROW)
    assert done.returncode == 0, done.stderr
    assert not [line for line in done.stdout.splitlines() if len(line) > 80]
    assert re.search(r"^Examples?:?.*\n\n    xent ", done.stdout, re.MULTILINE)
    app: App = assembled()
    for word in command:
        app = app[word]
    if app.default_command is None:  # a group of commands, each with a line of its own
        return
    # Without the frame and the line breaks inside a cell, what is left is the text in order.
    shown = " ".join(re.sub(r"[│╭╮╰╯─]", " ", done.stdout).split())
    for argument in app.assemble_argument_collection():
        if not argument.children:  # what has some is a group of options
            assert argument.parameter.help, argument.name
            assert argument.name in shown
            assert argument.parameter.help in shown


def test_without_a_command_there_is_the_help() -> None:
    done = xent(environment=NARROW)
    assert done.returncode == 0
    assert done.stdout == xent("--help", environment=NARROW).stdout
    assert all(f"│ {name} " in done.stdout for name in COMMANDS)


def test_the_help_imports_nothing_of_the_engine() -> None:
    imported = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "harness", "--help"], capture_output=True, text=True, check=True
    ).stderr
    modules = {line.rpartition("|")[2].strip() for line in imported.splitlines()}
    assert {name for name in modules if name.startswith("harness.")} <= {
        "harness.cli",
        "harness.cli.ending",
        "harness.cli.main",
        "harness.cli.streams",
        "harness.core",
        "harness.core.errors",
        "harness.core.exit_codes",
        "harness.core.printing",
    }
    assert not {name.partition(".")[0] for name in modules} & {"numpy", "pydantic", "jinja2", "yaml", "torch"}


MISTAKES = (
    ("nonsense", 'Unknown command "nonsense". Available commands: run,'),
    ("cases nonsense", 'Unknown command "nonsense". Available commands: lint, list, show, schema'),
    ("run --mode all", "Unknown option: --mode. Did you mean --modes?"),
    ("run --timeout", "--timeout requires an argument"),
    ("run --timeout nan", '"nan" for --timeout. Expected a finite number above 0'),
    ("run --timeout inf", '"inf" for --timeout. Expected a finite number above 0'),
    ("run --timeout 0", '"0.0" for --timeout. Expected a finite number above 0'),
    ("run --timeout -1", '"-1.0" for --timeout. Expected a finite number above 0'),
    ("run --timeout soon", "--timeout: 'soon' is no number"),
    ("run --timeout 1_0", "--timeout: '1_0' is no number"),
    ("run --timeout \u0662", "is no number"),
    ("run --parallel 0", '"0" for --parallel. Expected 1 at least'),
    ("run --parallel 1.5", "--parallel: '1.5' is no whole number"),
    ("run --parallel 99999", "Expected 1 at least, 1024 at most"),
    ("run --parallel \u0662", "is no whole number"),
    (f"run --parallel {'9' * 5000}", "is no whole number of at most 18 digits"),
    ("run --timeout 1e300", '"1e+300" for --timeout. Expected a finite number above 0'),
    ("run --python nowhere/python", "there is no such program"),
    (f"run --shard 1/{'9' * 5000}", "is not i/n"),
    ("run --shard 3/2", "--shard: '3/2' is not i/n with 1 <= i <= n, such as 1/4"),
    ("run --shard half", "--shard: 'half' is not i/n"),
    ("run --dtypes float8", "--dtypes: 'float8' is none of float64, float32, float16, bfloat16"),
    ("run --dtypes=", "--dtypes: '' is none of float64"),
    ("run --modes=", "--modes: expected names separated by commas, such as first,compile"),
    ("run --modes eager,", "--modes: expected names separated by commas"),
    ("run documents/d4-dog-in-bits -i numpy --modes xla", "--modes xla: none of numpy has it; there are eager"),
    ("run -i torhc", "no implementation is named 'torhc': did you mean torch"),
    ("run --family nothing", "--family nothing: no such family; there are export, jax,"),
    ("run documents/no-such-case -i numpy", "documents/no-such-case: no case has this id"),
    ("run -i numpy --ledger nowhere", "--ledger nowhere: no such folder"),
    ("run -o one.jsonl --report one.jsonl", "one.jsonl and one.jsonl are one file"),
    ("explain", "parameter CASE requires an argument"),
    ("repro nonsense", "'nonsense' names no cell: expected case[implementation:mode:dtype:aspect]"),
    ("repro edges/*[numpy:eager:float32:value]", "edges/*: expected the id of one case, not a file or a pattern"),
    ("repro documents/d4-dog-in-bits[numpy:eager:float23:value]", "the dtype 'float23': expected one of float64"),
    ("repro documents/d4-dog-in-bits[numpy:egaer:float32:value]", "--modes egaer: none of numpy has it"),
    ("repro --issue --again a[b:c:d:e]", "Mutually exclusive arguments: {--issue, --again}"),
    ("report missing.jsonl", "missing.jsonl: no such run file; make one with `xent run -o missing.jsonl`"),
    ("gate missing.jsonl --slower -1", '"-1.0" for --slower. Expected a percentage of 0 or more, such as 5'),
    ("gate missing.jsonl --slower nan", '"nan" for --slower. Expected a percentage'),
    ("upgrade torch==2.13.0 --slower inf", '"inf" for --slower. Expected a percentage'),
    ("merge a.jsonl", "--output requires an argument"),
    ("certify --points -1", '"-1" for --points. Expected 1 at least'),
    ("certify --workers 0", '"0" for --workers. Expected 1 at least'),
    ("fuzz --minutes 0", '"0.0" for --minutes. Expected a finite number above 0'),
    ("fuzz --minutes nan", '"nan" for --minutes. Expected a finite number above 0'),
    ("fuzz --minutes 1e300", "Expected a finite number above 0"),
    ("fuzz --cases 0", '"0" for --cases. Expected 1 at least'),
    ("fuzz --loss softmx", "--loss softmx: expected one of"),
    ("run edges/softmax-equal-zeros -i mutant:clip.softmax", "'clip.softmax'; there are clip.cate"),
    ("bench -i mutant:", "no known-bad implementation is named ''"),
    ("fuzz -i mutant:soud", "mutant:soud: no known-bad implementation is named 'soud'; there are sound"),
    ("bench --sets 0", '"0" for --sets. Expected 1 at least'),
    ("bench --threads many", "--threads many: expected a number or all"),
    ("bench --threads 0", "--threads 0: expected a number or all"),
    ("bench --threads \u0662", "expected a number or all"),
    ("upgrade torch==2.13.0 --old-exclude-newer 2026-13-45", "Expected a day, such as 2024-06-01"),
    ("upgrade torch==2.13.0 --old-exclude-newer 2024-W01-1", "Expected a day"),
    ("implementations torch", "['torch']"),
)


@pytest.mark.parametrize(("line", "says"), MISTAKES, ids=[line for line, _ in MISTAKES])
def test_a_mistake_in_its_use_ends_with_4_and_says_what_where_and_what_instead(
    tmp_path: Path, line: str, says: str
) -> None:
    done = xent(*line.split(), folder=tmp_path, environment=NARROW)
    assert done.returncode == 4, done.stdout + done.stderr
    assert done.stderr.startswith("xent: ")
    assert says in " ".join(done.stderr.split())
    assert all(len(line) <= 80 or len(line.split()) == 1 for line in done.stderr.splitlines())
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_folder_that_hides_a_group_of_cases_says_so(tmp_path: Path) -> None:
    (tmp_path / "documents").mkdir()
    hidden = xent("cases", "list", "documents", folder=tmp_path)
    assert hidden.returncode == 4
    assert "It hides the group of cases of this name, which is 'documents/*'" in hidden.stderr
    assert xent("cases", "list", "documents/*", folder=tmp_path).returncode == 0


def test_an_empty_name_is_no_folder(tmp_path: Path) -> None:
    done = xent("run", "", folder=tmp_path)
    assert done.returncode == 4
    assert "an empty name: no case has it" in done.stderr


def test_a_program_that_is_no_interpreter_is_infrastructure() -> None:
    done = xent("run", "documents/d4-dog-in-bits", "-i", "numpy", "--python", "/bin/true")
    assert done.returncode == 9, done.stdout + done.stderr
    assert "cannot start numpy" in done.stdout
    assert "Traceback" not in done.stderr


def test_the_dtypes_of_the_command_line_are_all_there_are() -> None:
    assert tuple(FORMATS) == DTYPES


@given(st.integers(max_value=10**17), st.integers(max_value=10**17))
def test_a_shard_is_what_it_says_or_refused(part: int, parts: int) -> None:
    token = Token(value=f"{part}/{parts}")
    if 1 <= part <= parts:
        assert part_of_all(None, [token]) == (part, parts)
    else:
        with pytest.raises(ValueError, match="is not i/n"):
            part_of_all(None, [token])


@given(st.lists(st.text(st.characters(exclude_characters=","), min_size=1), min_size=1))
def test_names_separated_by_commas_come_back_each_once_in_order(names: list[str]) -> None:
    assert words(None, [Token(value=",".join(names))]) == tuple(dict.fromkeys(names))
