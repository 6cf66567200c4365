"""Any text whatever, in each kind of file: read back it is that text and nothing else."""

from __future__ import annotations

import csv
import io
import re
from xml.etree import ElementTree as Xml

from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from harness.core.printing import printable
from harness.core.text import csv_row, markdown, table_row, xml_document

PIECES = [*"=+-@\t\r\n\x1b\u2028\ud800|`*_~[]()<>!&#:;\\{}'\" ab1", "https://a.b", "<b>", "](", "```"]
HOSTILE = st.lists(st.one_of(st.characters(exclude_categories=()), st.sampled_from(PIECES)), max_size=20).map("".join)


@given(HOSTILE)
@example("=1")
@example("-1.5e3")
@example("-1+1")
@example("+1")
def test_csv_holds_texts_that_no_spreadsheet_computes(text: str) -> None:
    file = io.StringIO(newline="")
    csv.writer(file).writerow(csv_row(["first", text, None, -1.5]))
    ((first, read, nothing, number),) = csv.reader(io.StringIO(file.getvalue(), newline=""), strict=True)
    assert (first, nothing, number) == ("first", "", "-1.5")
    assert read.removeprefix("'") == printable(text).removeprefix("'")
    computed = re.match(r"[=+\-@\t\r＝＋－＠].", read)
    assert computed is None or re.fullmatch(r"-\d+(\.\d+)?(e[+-]?\d+)?|-(inf|nan)", read, re.ASCII)


@given(HOSTILE, HOSTILE)
@example("a|b", "a`b``c|")
@example("\\", "\\`")
def test_markdown_holds_texts_and_no_markup(text: str, command: str) -> None:
    document = "\n".join(
        [
            "| a | b | c |",
            "|---|---|---|",
            table_row(text, 1, 0.5),
            markdown("| {} | {:code} | {:.1f} |", 1, command, 2),
        ]
    )
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(document)
    kinds = [token.type for token in tokens]
    assert kinds.count("table_open") == 1
    assert kinds.count("tr_open") == 3
    cells = [token for token in tokens if token.type == "inline"]
    assert len(cells) == 9
    inner = [[child.type for child in cell.children or ()] for cell in cells]
    assert {kind for kinds in inner for kind in kinds} <= {"text", "text_special", "code_inline"}
    assert all(
        kinds.count("code_inline") == (place == 7 and bool(printable(command).strip()))
        for place, kinds in enumerate(inner)
    )
    shown = "".join(child.content for child in cells[3].children or ())
    kept = " ".join(printable(text).split())
    assert " ".join(shown.replace("\u200b", "").split()) == kept


def test_markdown_formats_numbers_and_cuts_what_nobody_reads() -> None:
    assert markdown("{:,} {:.1f} {a}", 1000, 0.25, a="x" * 500) == f"1,000 0.2 {'x' * 399}…"
    assert markdown("see {}", "https://a.b and www.c") == "see https&#8203;://a.b and www&#8203;.c"


@given(HOSTILE, HOSTILE)
def test_xml_holds_any_text(text: str, attribute: str) -> None:
    root = Xml.Element("a", b=attribute)
    Xml.SubElement(root, "c").text = text
    read = Xml.fromstring(xml_document(root))
    assert read.get("b") == printable(attribute)
    assert (read.findtext("c") or "") == printable(text)
