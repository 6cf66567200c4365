"""What others say stays text on a terminal and in a log, and nothing of ours prints past the one place for it."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.cli.console import Terminal
from harness.core.printing import annotate, breaks, printable, rewrite, say, tell

ROOT = Path(__file__).resolve().parents[2]

HOSTILE = st.text(
    st.one_of(
        st.characters(exclude_categories=()),
        st.sampled_from([*"\x1b\x9b\x07\r\n\t\u202e\u200b\u2028\ud800:#[]%,= ae"]),
    )
)
COMMAND = re.compile(r"^\s*::[a-z]|##[a-z]*\[", re.IGNORECASE | re.MULTILINE)


@given(HOSTILE)
def test_printable_text_steers_nothing_and_stays_as_it_is(text: str) -> None:
    shown = printable(text)
    assert all(c.isprintable() or c in "\n\t" for c in shown)
    assert not COMMAND.search(shown)
    assert printable(shown) == shown
    if text.isprintable() and not COMMAND.search(text):
        assert shown == text


@given(HOSTILE, HOSTILE)
def test_an_annotation_is_one_command_whatever_is_in_it(message: str, title: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        lines: list[str] = []
        patch.setattr("builtins.print", lambda text, **_: lines.append(text))
        annotate(message, title=title)
    (line,) = lines
    assert re.fullmatch(r"::error title=[^:,\n\r]*::[^\n\r]*", line)


@pytest.mark.parametrize(
    "text", ["[red]a[/] :smile: \x1b[31m\n::error::b", "x" * 150 + "::error::b", "a " * 75 + "::error::b"]
)
def test_a_line_of_the_terminal_holds_text_alone(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Where a line is too wide it goes on in the next, and what begins there is looked at again."""
    out = Terminal()
    out.print((text, "bold red"), " ", text)
    out.print(text, wrap=False)
    out.table({"a": "left", "b": "right"}, [(text, (text, "red")), ("c", "d")])
    shown = capsys.readouterr().out
    assert "error" in shown
    assert all(c.isprintable() or c == "\n" for c in shown)
    assert not COMMAND.search(shown)
    assert text[:5] in shown


def test_lines_and_tables_end_where_they_end(capsys: pytest.CaptureFixture[str]) -> None:
    out = Terminal()
    out.print("a\nb", ("c", "red"))
    out.print("d " * 200, wrap=False)
    out.table({"e": "left", "f": "right"}, [("gg", ("1", "red"))])
    assert [line.rstrip() for line in capsys.readouterr().out.splitlines()] == [
        "a",
        "bc",
        ("d " * 200).strip(),
        "e   f",
        "gg  1",
    ]


@pytest.mark.parametrize("way", [lambda line: Terminal().print((line[:50], "red"), line[50:]), tell])
def test_a_long_line_goes_on_between_words_and_no_name_or_command_is_broken(
    way: Callable[[str], None], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    name, command = "edges/" + "x" * 200, "`xent repro --again 'edges/softmax-tied[numpy:eager:float64:value]'`"
    line = f"  {'some words ' * 20}{name}: and then {command} more"
    way(line)
    lines = capsys.readouterr().out.splitlines()
    assert " ".join(part.strip() for part in lines) == line.strip()
    assert any(f"{name}:" in part.split() for part in lines)
    assert any(command in part for part in lines)
    assert all(len(part) <= 80 for part in lines if name not in part)
    assert [len(part) - len(part.lstrip()) for part in lines] == [2] + [6] * (len(lines) - 1)


def test_a_table_that_does_not_fit_is_told_in_paragraphs_and_no_number_is_broken(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    row = ("numpy:eager", "float64", ("0.25489224962879004", "red"), "", "reference.evaluate_plain; " + "because " * 20)
    Terminal().table(dict.fromkeys(("implementation", "dtype", "answer", "ulps", "function"), "left"), [row, row])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "numpy:eager: dtype float64, answer 0.25489224962879004, function"
    assert lines[1].startswith("    reference.evaluate_plain; because ")
    assert all(len(line) <= 80 for line in lines)


@given(HOSTILE, st.integers(1, 120))
def test_what_is_folded_lacks_blanks_at_breaks_alone(line: str, width: int) -> None:
    line = line.replace("\n", " ")
    places, inner = breaks(line, width)
    parts = [line[a:b] for a, b in zip([0, *places], [*places, len(line)], strict=True)]
    assert "".join(parts) == line
    for part in parts[1:]:
        assert part == part.lstrip()
        assert len(part.rstrip()) <= max(20, width - inner) or len(part.split()) == 1 or "`" in part


def test_a_line_in_place_is_a_line_of_its_own_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    rewrite("a\x1b[2J")
    say("b", error=True)
    assert capsys.readouterr() == ("", "a\\x1b[2J\nb\n")


# --- nothing else prints ----------------------------------------------------------------------------------------------

PRINTERS = {
    "harness/core/printing.py",
    "harness/cli/console.py",
    # Bars on a terminal, whose only text is made printable.
    "harness/cli/terminal.py",
    # Its business is to print where it should not: a known-bad implementation.
    "harness/mistakes/wrong_conduct.py",
}


def printing(source: str) -> Iterator[str]:
    """What in a module prints by itself."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(func=ast.Name("print")):
                yield "print"
            case ast.Call(
                func=ast.Attribute(ast.Attribute(ast.Name("sys"), "stdout" | "stderr"), "write" | "writelines")
            ):
                yield "sys.stdout.write"
            case ast.Call(func=ast.Attribute(ast.Name("traceback"), name)) if name.startswith("print_"):
                yield "traceback.print_…"
            case ast.keyword("file", ast.Attribute(ast.Name("sys"), "stdout" | "stderr")):
                yield "file=sys.stderr"
            case ast.ImportFrom("rich" | "rich.console" | "rich.markup"):
                yield "rich"
            case ast.Import([ast.alias("rich")]):
                yield "rich"


def test_nothing_prints_past_the_one_place_for_it() -> None:
    sources = [path for room in ("harness", "reference", "reports", "xent") for path in (ROOT / room).rglob("*.py")]
    assert len(sources) > 200
    found = {
        path.relative_to(ROOT).as_posix(): list(printing(path.read_text(encoding="utf-8")))
        for path in sources
        if "tests" not in path.parts
    }
    assert {name for name, ways in found.items() if ways} <= PRINTERS
    assert found["harness/core/printing.py"]


@pytest.mark.parametrize(
    "bad",
    [
        "print('a')",
        "def f(x):\n    print(x, file=y)",
        "import sys\nsys.stderr.write('a')",
        "import traceback\ntraceback.print_exc()",
        "json.dump(a, file=sys.stdout)",
        "from rich.console import Console",
        "from rich import print",
        "import rich",
    ],
)
def test_what_prints_by_itself_is_found(bad: str) -> None:
    assert list(printing(bad))
