"""What is right about each file that the project writes: read back by what reads such files, not by us."""

from __future__ import annotations

import ast
import base64
import csv
import gzip
import io
import json
import re
from collections.abc import Callable, Collection
from fnmatch import fnmatchcase
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree as Xml

from markdown_it import MarkdownIt
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from harness.tests.faults.fault import ANNOTATION, FINE, Check, Ended, steering


def _of_the_text(name: str, look: Callable[[str], str | None]) -> Check:
    """A check of a file that has to be there as UTF-8 where the command ended well."""

    def check(ended: Ended) -> str | None:
        path = ended.folder / name
        if not path.is_file():
            return f"{name} was not written" if ended.code == FINE else None
        try:
            found = look(path.read_bytes().decode("utf-8"))
        except UnicodeDecodeError as error:
            found = f"not UTF-8: {error}"
        return found and f"{name}: {found}"

    return check


def markdown_of(name: str) -> Check:
    """Markdown, by CommonMark with tables: no link, picture or HTML but our own, and tables of one width."""
    return _of_the_text(name, _markdown)


_OWN_HTML = re.compile(r"</?details>|</?summary>")


def _markdown(text: str) -> str | None:
    if found := steering(text):
        return f"steers: {found}"
    parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    for token in parser.parse(text):
        for inner in (token, *(token.children or ())):
            if inner.type in ("link_open", "image", "s_open", "fence"):
                return f"{inner.type}: {inner.content or inner.attrs}"
            if inner.type.startswith("html") and "owned" in _OWN_HTML.sub("", inner.content):
                return f"HTML: {inner.content[:200]!r}"
            if inner.type == "heading_open" and inner.map and "owned" in text.splitlines()[inner.map[0]]:
                return f"a heading: {text.splitlines()[inner.map[0]]!r}"
    for block in re.findall(r"(?:^[ ]*\|.*\n)+", text, re.MULTILINE):
        if len({_columns(line) for line in block.splitlines()}) > 1:
            return f"a table of lines of several widths: {block[:300]!r}"
    outside = re.sub(r"`[^`\n]*`", "", text)
    if address := re.search(r"(?i)\b(?:https?://|www\.)owned|(?<![\w&#;])@owned", outside):
        return f"an address or a name that becomes a link: {address[0]!r}"
    return None


def _columns(line: str) -> int:
    """Cells of a line, as tables count them: a bar is one unless a backslash is before it, code or not."""
    return len(re.findall(r"(?<!\\)(?:\\\\)*\|", line))


def table(name: str) -> Check:
    """CSV: every line as wide as the first, and nothing that a spreadsheet computes."""
    return _of_the_text(name, _table)


def _table(text: str) -> str | None:
    if found := steering(text.replace("\r\n", "\n")):
        return f"steers: {found}"
    rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    for row in rows:
        if len(row) != len(rows[0]):
            return f"a line of {len(row)} columns: {row}"
        for field in row:
            if re.match(r"[=+\-@\t\r＝＋－＠].", field) and not re.fullmatch(
                r"-(?:\d+(?:\.\d+)?(?:e[+-]?\d+)?|inf)", field
            ):
                return f"a formula: {field!r}"
    return None


def xml(name: str) -> Check:
    """XML that a parser takes, with as many tests as it says."""
    return _of_the_text(name, _xml)


def _xml(text: str) -> str | None:
    if found := steering(text):
        return f"steers: {found}"
    try:
        root = Xml.fromstring(text)
    except Xml.ParseError as error:
        return f"no XML: {error}"
    count = sum(1 for _ in root.iter("testcase"))
    return None if str(count) == root.get("tests") else f"{count} tests, and says {root.get('tests')}"


def badge(name: str) -> Check:
    """The JSON of a badge."""
    return _of_the_text(name, lambda text: None if "message" in json.loads(text) else "no message")


def ledger(name: str, cases: Collection[str], implementations: Collection[str]) -> Check:
    """YAML whose entries are of these cases and implementations, and of no others: they are patterns of names."""

    def is_of(patterns: Collection[str], names: Collection[str]) -> bool:
        hit = [[fnmatchcase(name, pattern) for name in (*names, "edges/a-bystander")] for pattern in patterns]
        return all(any(own) and not bystander for *own, bystander in hit)

    def look(text: str) -> str | None:
        try:
            entries = YAML(typ="safe", pure=True).load(text) or []
        except YAMLError as error:
            return f"no YAML: {error}"
        for entry in entries:
            if not (is_of(entry["cases"], cases) and is_of(entry["implementations"], implementations)):
                return f"an entry of what was not run: {entry}"
        return None

    of_the_text = _of_the_text(name, look)
    return lambda ended: of_the_text(ended) if (ended.folder / name).exists() else None


# --- the page ---------------------------------------------------------------------------------------------------------


class _Elements(HTMLParser):
    """The elements of a page, and what is not of ours among them."""

    def __init__(self) -> None:
        super().__init__()
        self.foreign: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if "owned" in tag or any("owned" in name for name, _ in attrs):
            self.foreign.append(f"<{tag}> with {dict(attrs)}")
        for name, value in attrs:
            address = name in ("href", "src", "action", "xlink:href")
            if address and not re.match(r"#|https?://|data:,$|data:image/", value or ""):
                self.foreign.append(f"{name}={value!r}")
            if name.startswith("on"):
                self.foreign.append(f"{name}={value!r}")


def page(name: str) -> Check:
    """HTML without an element, an attribute or an address that came from a text."""
    return _of_the_text(name, _page)


def _page(text: str) -> str | None:
    elements = _Elements()
    elements.feed(text)
    elements.close()
    return f"not of ours: {elements.foreign[0]}" if elements.foreign else None


def scripts_of(name: str) -> Check:
    """The scripts that the page offers to copy: Python, in which no text has become code."""
    return _of_the_text(name, _scripts)


def _scripts(text: str) -> str | None:
    packed = re.search(r'<script type="text/plain" id="scripts">([^<]*)</script>', text)
    if packed is None:
        return "no scripts"
    for script in unpacked(json.loads(gzip.decompress(base64.b64decode(packed[1])))):
        if found := code_of_others(script):
            return found
    return None


def unpacked(content: Any) -> list[str]:
    """The scripts, as report.js puts them together: a 0 is the next line or paragraph that was not told of before."""
    lines = _told(content["paragraphs"], content["lines"], "\n")
    return _told(content["scripts"], lines, "\n\n")


def _told(sequences: list[list[int]], things: list[str], between: str) -> list[str]:
    count, found = 0, []
    for sequence in sequences:
        parts = []
        for number in sequence:
            count += number == 0
            parts.append(things[(number or count) - 1])
        found.append(between.join(parts))
    return found


def code_of_others(script: str) -> str | None:
    """What is wrong with a script: it is no Python, or a name in it comes from a text."""
    try:
        tree = ast.parse(script)
    except (SyntaxError, ValueError) as error:
        return f"a script that is no Python: {error}"
    for node in ast.walk(tree):
        names = [getattr(node, field, None) for field in ("id", "attr", "name", "arg", "module")]
        if any(isinstance(name, str) and "owned" in name.lower() for name in names):
            return f"a text became code of a script: {ast.unparse(node)[:200]!r}"
    found = steering(script)
    return found and f"a script steers a terminal or a log: {found}"


# --- annotations ------------------------------------------------------------------------------------------------------


def workflow_commands(ended: Ended) -> str | None:
    """The commands on the standard output are annotations and nothing else."""
    for line in ended.stdout.splitlines():
        if re.match(r"\s*::", line) and ANNOTATION.fullmatch(line) is None:
            return f"a command: {line!r}"
    return None
