"""The HTML report as a file: what a reader without a browser engine can check."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import multiprocessing
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

import reports.html
from harness.core.cell import INFRASTRUCTURE, Run
from harness.core.printing import visible
from reference.evaluation import TWICE_DIFFERENTIABLE
from reference.signatures import LOSSES as SIGNATURES
from reports.html.addresses import address, outside
from reports.html.error_scales import BUDGETS
from reports.html.killing import KillsFileError
from reports.html.killing import build as killing
from reports.html.killing import read as read_kills
from reports.html.latex_formulas import FORMULAS
from reports.html.matrix import build
from reports.html.packed_scripts import pack
from reports.html.pages import choices, modes
from reports.html.summary import segments
from reports.html.templating import whole
from reports.tests.synthetic import KILLS, hostile, run, script
from reports.words import status


class Page(HTMLParser):
    """Elements with their attributes, and the text outside scripts and style sheets."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.raw: dict[str, list[str]] = {"script": [], "style": []}
        self._inside: str | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._inside = tag if tag in self.raw else None

    def handle_endtag(self, tag: str) -> None:
        if tag == self._inside:
            self._inside = None

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.raw[self._inside].append(data)
        else:
            self.texts.append(data)

    def attributes(self, name: str) -> list[str]:
        return [value or "" for _, attrs in self.elements for key, value in attrs.items() if key == name]


@cache
def page_of(kind: str) -> tuple[Run, str, Page]:
    made = hostile() if kind == "hostile" else run(cases=40)
    text = reports.html.render(made)
    return made, text, Page(text)


def digest_of_a_report() -> str:
    return hashlib.sha256(reports.html.render(run(cases=12)).encode()).hexdigest()


def test_same_run_gives_the_same_bytes_in_another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    here = digest_of_a_report()
    for seed in ("1", "2"):
        monkeypatch.setenv("PYTHONHASHSEED", seed)  # the order of sets differs between the processes
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            assert pool.apply(digest_of_a_report) == here


def test_write_makes_the_folder_and_returns_the_path(tmp_path: Path) -> None:
    path = tmp_path / "new" / "report.html"
    assert reports.html.write(run(cases=1), path) == path
    assert path.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


@pytest.mark.parametrize("kind", ["plain", "hostile"])
def test_nothing_is_loaded_from_anywhere(kind: str) -> None:
    _, _, page = page_of(kind)
    assert page.attributes("src") == []
    for tag, attrs in page.elements:
        link = attrs.get("href")
        if tag == "link":
            assert link == "data:,"
        elif link is not None:
            assert link.startswith(("#", "https://", "http://"))


@pytest.mark.parametrize("kind", ["plain", "hostile"])
def test_policy_names_exactly_the_script_and_the_style_of_the_page(kind: str) -> None:
    _, _, page = page_of(kind)
    policy = next(a["content"] or "" for t, a in page.elements if a.get("http-equiv") == "Content-Security-Policy")
    for name, content in (("style", page.raw["style"][0]), ("script", page.raw["script"][0])):
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{name}-src 'sha256-{digest}'" in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize("kind", ["plain", "hostile"])
def test_no_element_handles_events_or_styles_itself(kind: str) -> None:
    _, _, page = page_of(kind)
    assert [k for _, attrs in page.elements for k in attrs if k.startswith("on") or k == "style"] == []
    assert Counter(tag for tag, _ in page.elements)["script"] == 3  # ours, the cells and the scripts to copy
    assert {tag for tag, _ in page.elements} & {"img", "iframe", "object", "embed", "base"} == set()


def test_what_others_said_is_text_in_packed_pages_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reports.html.packing.LARGE", 0)
    (raw,) = re.findall(r'id="casepages">([^<]+)<', reports.html.render(hostile()))
    pages = json.loads(gzip.decompress(base64.b64decode(raw)))
    elements = [element for page in pages.values() for element in Page(page).elements]
    assert any("&lt;script&gt;window.owned=1" in page for page in pages.values())
    assert {tag for tag, _ in elements} & {"script", "svg", "img", "iframe", "object", "embed", "base"} == set()
    assert [k for _, attrs in elements for k in attrs if k.startswith("on") or k == "style"] == []


@pytest.mark.parametrize("kind", ["plain", "hostile"])
def test_ids_are_unique_and_hold_no_space(kind: str) -> None:
    _, _, page = page_of(kind)
    ids = page.attributes("id")
    assert [i for i, n in Counter(ids).items() if n > 1] == []
    assert all(i and not re.search(r"\s", i) for i in ids)


@pytest.mark.parametrize("kind", ["plain", "hostile"])
def test_every_link_leads_somewhere_without_javascript(kind: str) -> None:
    _, _, page = page_of(kind)
    ids = set(page.attributes("id"))
    assert [h for h in page.attributes("href") if h.startswith("#") and h[1:] not in ids] == []


def test_hostile_text_is_shown_as_it_is() -> None:
    made, _, page = page_of("hostile")
    words = " ".join(page.texts)
    assert made.cells[0].implementation in words
    assert "{{7*7}}" in words
    assert "49" not in re.findall(r"<b>(\S*)\{%", words)


def test_every_cell_that_does_not_agree_is_written_out() -> None:
    made, _, page = page_of("plain")
    ids = set(page.attributes("id"))
    for cell in made.cells:
        telling = cell.verdict in {"disagrees", "known", "by_convention"}
        assert (address("cell", cell.name) in ids) == telling


def test_every_implementation_version_case_and_claim_is_readable_without_javascript() -> None:
    made, _, page = page_of("plain")
    words = "".join(page.texts)
    for name, entry in made.header.implementations.items():
        assert name in words
        assert str(entry["version"]) in words
    for case in made.header.suite["cases"].values():
        assert case["title"] in words
        assert case["truth"]["value"]["digits"][0] in words
    for claim in made.claims:
        assert claim.says in words
        assert claim.explanation in words


def unpacked(text: str) -> dict[str, Any]:
    packed = re.search(r'<script type="text/plain" id="cells">([^<]*)</script>', text)
    assert packed is not None
    content: dict[str, Any] = json.loads(gzip.decompress(base64.b64decode(packed.group(1))))
    return content


def test_nothing_turns_the_direction_of_writing_in_the_page_or_in_what_its_script_writes() -> None:
    _, text, page = page_of("hostile")
    inside = list(texts_in(unpacked(text)))
    assert any("\\u202e" in told for told in inside)
    assert "\\u202e" in "".join(page.texts)
    for told in [text, *inside]:
        assert visible(told) == told


def texts_in(content: object) -> Iterator[str]:
    if isinstance(content, str):
        yield content
    elif isinstance(content, list | tuple | dict):
        for value in [*content, *content.values()] if isinstance(content, dict) else content:
            yield from texts_in(value)


def test_payload_holds_every_cell() -> None:
    made, text, _ = page_of("plain")
    content = unpacked(text)
    cases, at = [], 0
    for step in content["case"]:
        at += step
        cases.append(content["cases"][at][0])
    found = sorted(
        (
            case,
            *content["columns"][column],
            content["dtypes"][dtype],
            content["aspects"][aspect],
            content["statuses"][f][0],
        )
        for case, column, dtype, aspect, f in zip(
            cases, content["column"], content["dtype"], content["aspect"], content["status"], strict=True
        )
    )
    assert found == sorted((*cell.key, status(cell)) for cell in made.cells)


def unpacked_scripts(payload: str) -> list[str]:
    """The scripts as the page joins them."""
    content = json.loads(gzip.decompress(base64.b64decode(payload)))
    for name in ("paragraphs", "scripts"):
        fresh = iter(range(10**9))
        content[name] = [[n - 1 if n else next(fresh) for n in sequence] for sequence in content[name]]
    paragraphs = ["\n".join(content["lines"][n] for n in sequence) for sequence in content["paragraphs"]]
    return ["\n\n".join(paragraphs[n] for n in sequence) for sequence in content["scripts"]]


def test_scripts_are_packed_without_a_loss_and_what_has_none_says_why() -> None:
    cells = run(cases=12).cells
    packed = pack(cells, script)
    scripted = [c for c in cells if c.implementation != "sklearn"]
    assert unpacked_scripts(packed.payload) == [script(c) for c in scripted]
    assert [c for c, reason in zip(cells, packed.lacking, strict=True) if not reason] == scripted
    assert set(packed.lacking) == {"", "no template writes sklearn"}


def test_a_large_report_carries_the_scripts_of_what_does_not_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    cells = run(cases=30).cells
    monkeypatch.setattr(reports.html.packing, "LARGE", len(cells))
    packed = pack(cells, script)
    assert unpacked_scripts(packed.payload) == [
        script(c) for c in cells if c.verdict != "agrees" and c.implementation != "sklearn"
    ]
    told = {reason for c, reason in zip(cells, packed.lacking, strict=True) if c.verdict == "agrees"}
    assert len(told) == 1
    assert "xent repro" in told.pop()


@given(st.lists(st.text(alphabet="ab\n\r \u2028é", max_size=30), max_size=8))
def test_any_text_survives_packing(texts: list[str]) -> None:
    one = run(cases=1).cells[0]
    cells = [replace(one, case=str(i)) for i in range(len(texts))]
    packed = pack(cells, lambda cell: texts[int(cell.case)])
    assert unpacked_scripts(packed.payload) == texts


def test_shared_lines_and_paragraphs_are_packed_once() -> None:
    cells = run(cases=3).cells
    same = pack(cells, lambda _: "import sys\n\nprint(1)\nprint(2)\n")
    content = json.loads(gzip.decompress(base64.b64decode(same.payload)))
    assert content["lines"] == ["import sys", "print(1)", "print(2)", ""]
    assert len(content["paragraphs"]) == 2


def test_a_command_is_told_only_where_it_prints_a_script() -> None:
    made = run(cases=30)
    scripted = reports.html.render(made, scripts=script)
    commands = re.findall(r"<code>xent repro &#39;([^<]*)&#39;</code>", scripted)
    assert commands
    assert not any("[sklearn:" in command for command in commands)
    assert "<code>xent repro" not in reports.html.render(made)


def test_matrix_shows_the_gravest_cell_of_a_place() -> None:
    made, _, _ = page_of("plain")
    matrix = build(made)
    ranks = {row.case: row for group in matrix.groups for row in (*group.restless, *group.settled)}
    for column_number, column in enumerate(matrix.columns):
        for case, row in ranks.items():
            cells = [c for c in made.cells if (c.case, c.implementation, c.mode) == (case, *_names(column))]
            place = row.places[column_number]
            assert (place is None) == (not cells)
            if place is not None:
                assert status(max(cells, key=lambda c: _rank(status(c)))) == place.mark.key


def _names(column: Any) -> tuple[str, str]:
    return (column.implementation, column.mode)


def _rank(key: str) -> int:
    from reports.words import MARKS

    return MARKS[key].rank


def test_row_is_folded_only_when_nothing_in_it_needs_attention() -> None:
    made, _, _ = page_of("plain")
    for group in build(made).groups:
        for row in group.settled:
            marks = {c.verdict for c in made.cells if c.case == row.case}
            assert marks <= {"agrees", "unsupported", "missing"}
        assert all(any(p and p.mark.rank > 1 for p in row.places) for row in group.restless)


def test_bar_shows_one_cell_in_a_million_and_is_never_longer_than_itself() -> None:
    bars = segments({"agrees": 999_999, "silently_wrong": 1, "crashed": 5})
    assert [b.key for b in bars] == ["agrees", "silently_wrong"]
    assert bars[1].width >= 1.9
    assert sum(b.width for b in bars) == pytest.approx(240, abs=0.05)
    assert segments({"missing": 3}) == ()


def test_every_loss_of_the_family_has_a_formula() -> None:
    assert set(SIGNATURES) == set(FORMULAS)


def test_report_of_a_run_without_cells_is_still_a_report() -> None:
    from reports.tests.synthetic import footer

    text = reports.html.render(run(cases=0, claims=(), speeds=(), footer=footer(())))
    assert "Nothing was judged" in text
    assert "The run holds no cells." in text


@pytest.mark.slow
def test_size_at_a_hundred_thousand_cells() -> None:
    made = run(cases=670)
    assert len(made.cells) > 100_000
    assert len(reports.html.render(made, scripts=script).encode()) < 8_000_000


def test_size_when_nearly_everything_disagrees() -> None:
    """The number of cells written out is capped, and the page says what it leaves to JavaScript."""
    made = run(cases=60)
    cells = tuple(
        c.__class__(**{**c.__dict__, "verdict": "disagrees", "severity": "silently_wrong"}) for c in made.cells
    )
    text = reports.html.render(run(cases=60, cells=cells))
    assert text.count('id="cell=') == 1500
    assert "more cells do not agree; they need JavaScript" in text


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ("https://github.com/a/b/issues/1", "https://github.com/a/b/issues/1"),
        ("javascript:alert(1)", None),
        (" data:text/html,x", None),
        ("https://a b", None),
        (None, None),
    ],
)
def test_only_links_to_the_web_become_links(link: object, expected: str | None) -> None:
    assert outside(link) == expected


def test_address_is_an_id_and_a_link() -> None:
    assert address("cell", "a/b[torch:eager:float32:value]") == "cell=a/b%5Btorch:eager:float32:value%5D"
    assert address("case", 'x"y z') == "case=" + quote('x"y z')


@pytest.mark.parametrize("kind", ["plain", "hostile"])
def test_html_validates(kind: str) -> None:
    """html5lib follows the parsing algorithm of the standard and names each deviation, without Java or npm."""
    html5lib = pytest.importorskip("html5lib", reason="needs html5lib: pip install -e '.[browser]'")
    parser = html5lib.HTMLParser()
    made = run(cases=5) if kind == "plain" else hostile()
    parser.parse(reports.html.render(made, baseline=made, kills=KILLS))
    assert parser.errors == []


def test_every_loss_has_its_budget_in_terms() -> None:
    assert set(BUDGETS) == set(SIGNATURES)


def test_losses_with_second_derivatives_show_their_formula_and_their_budget() -> None:
    for loss in TWICE_DIFFERENTIABLE:
        assert FORMULAS[loss].hessian_vector is not None
        assert BUDGETS[loss].hessian_vector
    text = reports.html.render(run(cases=3))
    shown = {loss for loss in TWICE_DIFFERENTIABLE if f'data-loss="{loss}"' in text}
    assert shown
    # Once beside the formulas and once beside the budgets.
    assert len(re.findall(r"<(?:span|dt)[^>]*>second derivative<", text)) == 2 * len(shown)


def test_a_case_shows_the_cotangent_and_the_direction_and_the_truth_of_its_second_derivative() -> None:
    made = run(cases=1)
    (name, entry), *_ = made.header.suite["cases"].items()
    truth = {**entry["truth"], "hessian_vector": {"shape": [2], "digits": ["0.19661193324148185246", "-0.25"]}}
    given = {"cotangent": "[0.5, 3.0]", "vector": "[1.0, -2.0]"}
    cases = {**made.header.suite["cases"], name: {**entry, **given, "truth": truth}}
    header = replace(made.header, suite={**made.header.suite, "cases": cases})
    text = reports.html.render(replace(made, header=header))
    assert "<dt>direction of the second derivative</dt><dd>[1.0, -2.0]</dd>" in text
    assert "<dt>cotangent of the gradient</dt><dd>[0.5, 3.0]</dd>" in text
    assert "<dt>hessian_vector" in text
    assert "0.19661193324148185246" in text
    assert "direction of the second derivative" not in reports.html.render(made)


def test_kill_matrix_counts_cases_by_mistake_and_loss() -> None:
    page = killing(KILLS)
    assert page.losses == ("nll_loss", "softmax")
    assert [(line.mistake, line.caught) for line in page.lines] == [
        ("mean returns the sum", (2, 1)),
        ("<b>nobody sees this</b>", (None, 0)),
    ]
    assert page.survivors == ("blind",)
    assert page.idle == ("edges/idle",)
    assert page.busiest[0] == ("edges/one", 2)


def test_report_has_the_page_of_kills_only_when_asked() -> None:
    made = run(cases=2)
    assert 'data-page="kills"' not in reports.html.render(made)
    text = reports.html.render(made, kills=KILLS)
    assert 'data-page="kills"' in text
    assert "<b>nobody" not in text


@pytest.mark.parametrize(
    "content",
    [
        *("", "[]", '{"mutants": {}}', '{"mutants": {"a": 1}, "cases": {}}', '{"mutants": {}, "cases": {"a": [1]}}'),
        *("[" * 99_999, "9" * 5000, '{"mutants": {"a": {"losses": 3}}, "cases": {}}'),
    ],
)
def test_what_is_no_kill_matrix_is_refused_with_the_hint(tmp_path: Path, content: str) -> None:
    path = tmp_path / "kills.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(KillsFileError, match="xent kills --output"):
        read_kills(path)


def on_kernels(shown: Run, **facts: str) -> Run:
    """The run as torch would attest it on other kernels."""
    described = {n: {**d, "facts": facts} if n == "torch" else d for n, d in shown.header.implementations.items()}
    return replace(shown, header=replace(shown.header, implementations=described))


def told(now: Run, baseline: Run) -> str:
    return " ".join(re.sub("<[^>]*>", "", reports.html.render(now, baseline=baseline)).split())


def test_other_kernels_than_the_baseline_s_are_told_with_both_facts_and_what_is_new_there() -> None:
    made = judged_only(run(cases=3))
    cells = [c for c in made.cells if c.implementation == "torch" and c.verdict == "agrees"]
    wrong = replace(cells[0], verdict="disagrees", severity="silently_wrong")
    there = replace(made, cells=tuple(wrong if c is cells[0] else c for c in made.cells))
    baseline, now = on_kernels(made, isa="avx512"), on_kernels(there, isa="avx2")
    words = told(now, baseline)
    assert "torch runs with isa=avx2 here, the baseline with isa=avx512: bits and drift are not compared" in words
    assert "1 cell is new on this machine, which nobody has judged yet" in words
    assert "No other cell changed" in words
    assert "Nothing changed" in told(on_kernels(made, isa="avx2"), baseline)


def test_first_screen_says_what_changed_since_the_baseline() -> None:
    now = judged_only(run(cases=5))
    at = next(i for i, c in enumerate(now.cells) if c.verdict == "agrees")
    before = replace(now.cells[at], verdict="disagrees", severity="silently_wrong", explanation="it was wrong")
    baseline = replace(now, cells=(*now.cells[:at], before, *now.cells[at + 1 :]))
    text = reports.html.render(now, baseline=baseline)
    assert f"1 of {len(now.cells):,} cells changed" in text
    assert address("cell", before.name) in text.split('id="h-standings"')[0]
    assert f"nothing changed in {len(now.cells):,} cells" in reports.html.render(now, baseline=now)


def test_runs_that_must_not_be_compared_say_so_on_the_first_screen() -> None:
    now = judged_only(run(cases=2))
    other = replace(now, header=replace(now.header, suite={**now.header.suite, "version": "another"}))
    text = reports.html.render(now, baseline=other)
    assert "Not compared." in text
    assert "suite version another" in text


def judged_only(made: Run) -> Run:
    """Without what could not start and the cells and timings that crashed or hung, which forbid every comparison."""
    present = {name: said for name, said in made.header.implementations.items() if "missing" not in said}
    return replace(
        made,
        header=replace(made.header, implementations=present),
        cells=tuple(c for c in made.cells if c.verdict not in INFRASTRUCTURE),
        speeds=tuple(s for s in made.speeds if s.judged not in INFRASTRUCTURE),
    )


def test_conventions_are_compared_loss_by_loss() -> None:
    made = run(cases=30)
    used = {c.implementation for c in made.cells if c.verdict == "by_convention"}
    shown = {name for c in choices(made) for name, _, conventions in c.lines if conventions}
    assert used
    assert shown == used


def test_modes_are_compared_by_implementation_the_gravest_places_first() -> None:
    found = modes(run(cases=40))
    by_name = {s.implementation: s for s in found.standings}
    assert "numpy" not in by_name, "one mode cannot differ from itself"
    assert [mode for mode, _, _ in by_name["tensorflow"].modes] == ["eager", "graph", "xla"]
    assert found.places == sum(s.differing for s in found.standings)
    [first, *_] = [line for line in found.lines if line.implementation == "tensorflow"]
    assert any(mark.key == "silently_wrong" for _, mark, _ in first.marks)


def test_what_a_run_file_may_leave_out_or_say_otherwise_is_no_error() -> None:
    made = run(cases=3)
    name = next(iter(made.header.implementations))
    header = replace(made.header, implementations={**made.header.implementations, name: {"modes": ["eager"]}})
    odd = tuple(replace(s, figures={**s.figures, "limit_seconds": {"x": 1}}) for s in made.speeds)
    assert odd
    assert "</html>" in reports.html.render(replace(made, header=header, speeds=odd))


def test_a_number_with_an_exponent_is_one_piece_and_what_stands_beside_it_stays_text() -> None:
    said = whole("clip(1e-07, 1) <b>-4.5E8</b> -1.25e+10 edge-7\x1b")
    number = '<span class="number">{}</span>'.format
    assert said == f"clip({number('1e-07')}, 1) &lt;b&gt;-4.5E8&lt;/b&gt; {number('-1.25e+10')} edge-7\\x1b"
