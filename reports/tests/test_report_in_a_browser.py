"""The HTML report in headless Chromium: what a reader does with it.

Skipped where Playwright or a Chromium is absent: `pip install -e '.[browser]'` and `apt-get install chromium` bring
both. The script of axe-core comes with axe-playwright-python.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import reports.html
from harness.core.cell import EVERY, INFRASTRUCTURE, RIGHT, Run
from reports.html.addresses import address
from reports.number_format import rough
from reports.tally import loss_of
from reports.tests.synthetic import BUDGETS, DTYPES, EPS, KILLS, hostile, run, script
from reports.words import status, told
from tools.screenshots import BROWSER_FLAGS, PAGES, chromium

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

sync_api = pytest.importorskip("playwright.sync_api", reason="needs Playwright: pip install -e '.[browser]'")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(chromium() is None, reason="needs Chromium: apt-get install chromium, or set CHROMIUM"),
]

RUN = run(cases=30)
SMALL = run(cases=5)
"""For axe, which looks at every element."""
WORST = next(c for c in RUN.cells if "−log2" in (c.explanation or ""))
VECTOR = next(
    c for c in RUN.cells if "−log2" in (c.explanation or "") and (c.aspect, c.dtype) == ("gradient", "float64")
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium(), args=BROWSER_FLAGS)
        yield started
        started.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report")
    for name, made in (("plain", RUN), ("small", SMALL), ("hostile", hostile())):
        reports.html.write(made, path / f"{name}.html", baseline=made, kills=KILLS, scripts=script)
    reports.html.write(run(cells=(), claims=()), path / "timings.html")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reports.html.packing, "LARGE", len(RUN.cells))
        reports.html.write(RUN, path / "large.html", scripts=script)
    return path


Opener = Callable[..., "Page"]


@pytest.fixture
def opened(browser: Browser, folder: Path) -> Iterator[Opener]:
    """Opens a report at an address; afterwards there must have been no request, no error and no dialog."""
    trouble: list[str] = []
    contexts = []

    def open_at(hash_: str = "", name: str = "plain", **options: Any) -> Page:
        context = browser.new_context(permissions=["clipboard-read", "clipboard-write"], **options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda m: trouble.append(f"console: {m.text}") if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda e: trouble.append(f"error: {e}"))
        page.on("dialog", lambda d: trouble.append(f"dialog: {d.message}"))
        page.on("request", lambda r: trouble.append(f"request: {r.url}") if not r.url.startswith("file:") else None)
        page.goto((folder / f"{name}.html").as_uri() + hash_)
        return page

    yield open_at
    for context in contexts:
        context.close()
    assert trouble == []


def until(page: Page, expression: str, argument: Any = None, seconds: float = 10.0) -> None:
    """Wait until the expression is true; Playwright's own waiting needs `eval`, which the page's policy forbids."""
    deadline = time.monotonic() + seconds
    while not page.evaluate(expression, argument):
        assert time.monotonic() < deadline, f"never true: {expression} with {argument!r}"
        page.wait_for_timeout(20)  # a frame or so


def shown_page(page: Page) -> str:
    return str(page.evaluate("document.documentElement.dataset.page"))


def wait_for_count(page: Page, words: str) -> None:
    until(page, "words => document.getElementById('found').textContent.includes(words)", words)


def test_first_screen_names_what_was_tested_how_it_stands_and_the_worst(opened: Opener) -> None:
    page = opened(viewport={"width": 1440, "height": 900})
    assert "judged cells disagree" in page.locator("h1:visible").inner_text()
    for selector in (".hero .facts", ".worst li >> nth=2", ".standings tbody tr >> nth=5"):
        box = page.locator(selector).bounding_box()
        assert box is not None
        assert box["y"] + box["height"] <= 900, f"{selector} is below the first screen"


def test_filters_narrow_the_matrix_and_live_in_the_address(opened: Opener) -> None:
    page = opened("#page=matrix")
    page.wait_for_selector("select[name=dtype] option[value=float16]", state="attached")
    page.select_option("select[name=dtype]", "float16")
    page.select_option("select[name=status]", "disagrees")
    expected = [c for c in RUN.cells if c.dtype == "float16" and c.verdict == "disagrees"]
    wait_for_count(page, f"{len(expected)} of {len(RUN.cells):,} cells in {len({c.case for c in expected})} case")
    rows = "n => document.querySelectorAll('#matrix tbody tr:not([hidden])').length === n"
    until(page, rows, len({c.case for c in expected}))  # those out of view are drawn when the browser is idle
    assert page.url.endswith("#page=matrix&status=disagrees&dtype=float16")
    places = "n => document.querySelectorAll('#matrix tbody tr:not([hidden]) td[class]:not([class=\"\"])').length === n"
    until(
        page, places, len({(c.case, c.implementation, c.mode) for c in expected})
    )  # places out of view are drawn when the browser is idle


def test_back_button_undoes_a_filter(opened: Opener) -> None:
    page = opened("#page=matrix")
    page.wait_for_selector("select[name=loss] option[value=softmax]", state="attached")
    page.select_option("select[name=loss]", "softmax")
    wait_for_count(page, " of ")
    page.select_option("select[name=dtype]", "float32")
    until(page, "location.hash.includes('dtype=float32')")
    page.go_back()
    until(page, "!location.hash.includes('dtype')")
    assert page.locator("select[name=dtype]").input_value() == ""
    assert page.locator("select[name=loss]").input_value() == "softmax"
    page.go_back()
    until(page, "document.querySelector('select[name=loss]').value === ''")
    until(page, "document.querySelectorAll('#matrix tbody tr[hidden]').length === 0")  # soon


def test_filter_state_opens_from_its_address(opened: Opener) -> None:
    page = opened("#page=matrix&implementation=torch&status=silently_wrong")
    expected = [c for c in RUN.cells if c.implementation == "torch" and status(c) == "silently_wrong"]
    wait_for_count(page, f"{len(expected)} of")
    heads = page.locator("#matrix .head").evaluate_all(
        "heads => heads.filter(h => h.offsetParent).map(h => h.innerText)"
    )
    assert [h.split("\n")[0] for h in heads] == ["torch"]


def test_search_finds_cases_and_messages(opened: Opener) -> None:
    page = opened("#page=matrix")
    page.fill("input[name=q]", "exp overflows without a shift")
    expected = [c for c in RUN.cells if "exp overflows without a shift" in (c.explanation or "")]
    wait_for_count(page, f"{len(expected)} of")
    page.fill("input[name=q]", "no such words anywhere")
    wait_for_count(page, "Nothing matches")


def cells_where(wanted: Callable[[Any], bool]) -> tuple[int, int]:
    cells = [c for c in RUN.cells if wanted(c)]
    assert 0 < len(cells) < len(RUN.cells)
    return len(cells), len({c.case for c in cells})


WRONG = ("disagrees",)


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("is:wrong", lambda c: c.verdict in WRONG),
        ("torch is:wrong", lambda c: c.implementation == "torch" and c.verdict in WRONG),
        ("is:not-offered dtype:float32", lambda c: c.verdict == "unsupported" and c.dtype in ("float32", EVERY)),
        ("is:known aspect:value", lambda c: c.verdict == "known" and c.aspect in ("value", EVERY)),
        ("mode:eager is:convention", lambda c: c.mode == "eager" and c.verdict == "by_convention"),
        ("was:nan", lambda c: told(c) == "nan"),
        ("loss:softmax_cross", lambda c: loss_of(RUN, c.case).startswith("softmax_cross")),
        ("tag:extreme", lambda c: "extreme" in RUN.header.suite["cases"][c.case]["tags"]),
    ],
)
def test_the_search_knows_fields(opened: Opener, query: str, wanted: Callable[[Any], bool]) -> None:
    page = opened("#page=matrix")
    page.wait_for_selector("select[name=loss] option[value=softmax]", state="attached")
    page.fill("input[name=q]", query)
    cells, cases = cells_where(wanted)
    wait_for_count(page, f"{cells:,} of {len(RUN.cells):,} cells in {cases} case")


def right_elsewhere(cell: Any) -> bool:
    """Not right, where everybody else who answers is, two at least."""
    place = [c for c in RUN.cells if (c.case, c.dtype, c.aspect) == (cell.case, cell.dtype, cell.aspect)]
    judged = [c for c in place if c.verdict not in {*INFRASTRUCTURE, "unsupported"}]
    failing = {c.implementation for c in judged if c.verdict not in RIGHT}
    several = len({c.implementation for c in judged}) > 2
    return cell in judged and cell.verdict not in RIGHT and failing == {cell.implementation} and several


def answered_otherwise(cell: Any) -> bool:
    """Another mode of the implementation is judged otherwise."""
    place = (cell.case, cell.dtype, cell.aspect, cell.implementation)
    same = [c for c in RUN.cells if (c.case, c.dtype, c.aspect, c.implementation) == place]
    offered = {status(c) for c in same if c.verdict != "unsupported"}
    return cell.verdict != "unsupported" and len(offered) > 1


@pytest.mark.parametrize(("query", "wanted"), [("only-here", right_elsewhere), ("differs", answered_otherwise)])
def test_the_search_compares_with_others_and_with_other_modes(
    opened: Opener, query: str, wanted: Callable[[Any], bool]
) -> None:
    page = opened("#page=matrix")
    page.wait_for_selector("select[name=loss] option[value=softmax]", state="attached")
    page.fill("input[name=q]", query)
    cells, cases = cells_where(wanted)
    wait_for_count(page, f"{cells:,} of {len(RUN.cells):,} cells in {cases} case")


def test_the_heading_of_a_group_counts_what_matches(opened: Opener) -> None:
    page = opened("#page=matrix")
    page.wait_for_selector("select[name=loss] option[value=softmax]", state="attached")
    before = page.locator("#matrix details.group .tallies").first.inner_text()
    page.fill("input[name=q]", "is:known")
    wait_for_count(page, " of ")
    places: dict[str, set[tuple[str, str, str]]] = {}
    for c in RUN.cells:
        if c.verdict == "known":
            places.setdefault(c.case.rpartition("/")[0], set()).add((c.case, c.implementation, c.mode))
    for folder_, found in places.items():
        heading = page.locator(f"#matrix details.group[data-folder='{folder_}'] .tallies").inner_text()
        assert heading.split() == ["◆", str(len(found)), "known"]
    page.fill("input[name=q]", "")
    until(page, "words => document.querySelector('#matrix details.group .tallies').innerText === words", before)


def test_an_implementation_has_a_page_of_its_own(opened: Opener) -> None:
    page = opened()
    page.locator(".standings tbody th a", has_text="torch").first.click()
    until(page, "document.documentElement.dataset.page === 'implementations'")
    assert page.locator("article.own:visible").count() == 1
    assert "torch" in page.locator("article.own:visible h2").inner_text()
    page.goto(page.url.partition("#")[0] + "#page=implementations")
    until(page, "document.querySelectorAll('.index li').length > 2")
    assert page.locator("article.own:visible").count() == 0


def test_the_ledger_is_filtered_by_words(opened: Opener) -> None:
    page = opened("#page=ledger")
    entries = page.locator("article.entry")
    name = entries.first.locator("h2").inner_text()
    page.fill("#ledger-filter", name)
    until(page, "document.querySelectorAll('article.entry:not([hidden])').length === 1")
    assert page.locator("#ledger-found").inner_text() == "1 entry"
    page.fill("#ledger-filter", "")
    until(page, "n => document.querySelectorAll('article.entry:not([hidden])').length === n", entries.count())


def test_going_back_returns_to_the_place_that_was_left(opened: Opener) -> None:
    page = opened("#page=environment", viewport={"width": 800, "height": 300})
    page.evaluate("window.scrollTo(0, 400)")
    until(page, "window.scrollY === 400")
    # Not the click of Playwright, which may scroll first: then another place is left.
    page.locator("header.top nav a", has_text="Losses").evaluate("link => link.click()")
    until(page, "document.documentElement.dataset.page === 'losses' && window.scrollY === 0")
    page.go_back()
    until(page, "document.documentElement.dataset.page === 'environment' && window.scrollY === 400")


def test_a_place_is_kept_though_the_page_is_left_before_scrolling_was_told(opened: Opener) -> None:
    page = opened("#page=environment", viewport={"width": 800, "height": 300})
    until(page, "document.documentElement.dataset.page === 'environment'")
    # In one task, so that no frame is drawn between: of the scrolling, of leaving, and of coming back.
    page.evaluate("window.scrollTo(0, 400), document.querySelector('header.top nav a[href=\"#page=losses\"]').click()")
    until(page, "document.documentElement.dataset.page === 'losses' && window.scrollY === 0")
    page.go_back()
    until(page, "document.documentElement.dataset.page === 'environment' && window.scrollY === 400")


def test_one_key_leads_from_the_search_into_the_matrix(opened: Opener) -> None:
    page = opened("#page=matrix")
    page.wait_for_selector("select[name=loss] option[value=softmax]", state="attached")
    page.focus("input[name=q]")
    page.keyboard.press("ArrowDown")
    until(page, "document.activeElement.closest('#matrix tbody') !== null")


def test_column_head_sorts_by_that_column(opened: Opener) -> None:
    page = opened("#page=matrix")
    page.get_by_label("Sort by torch eager").click()
    until(page, "location.hash.includes('by=')")
    page.wait_for_selector("#matrix .mode button[aria-pressed=true]")
    tops = page.locator("#matrix details.group").evaluate_all("boxes => boxes.map(b => b.getBoundingClientRect().top)")
    first = page.locator("#matrix details.group").nth(tops.index(min(tops))).locator("tbody tr").first
    at = int(
        page.evaluate("[...document.querySelectorAll('#matrix .mode button')].findIndex(b => b.ariaPressed === 'true')")
    )
    gravest = {status(c) for c in RUN.cells if (c.implementation, c.mode) == ("torch", "eager")}
    assert "silently_wrong" in gravest
    assert first.locator("td").nth(at).get_attribute("class") == "silently_wrong"


def test_deep_link_opens_the_cell(opened: Opener) -> None:
    page = opened("#" + address("cell", WORST.name))
    aim = page.locator("td.aim")
    aim.wait_for()
    assert aim.get_attribute("data-name") == WORST.name
    assert page.evaluate("document.activeElement.dataset.name") == WORST.name
    box = aim.bounding_box()
    assert box is not None
    assert box["y"] >= 0
    assert "equals −log2" in aim.inner_text()


@pytest.mark.parametrize("name", ["plain", "large"])
def test_case_page_shows_every_cell_with_formula_truth_and_error(opened: Opener, name: str) -> None:
    page = opened("#" + address("case", WORST.case), name)
    article = page.locator("article.casepage.here.rendered")
    article.wait_for()
    assert article.locator("td[data-name]").count() == sum(1 for c in RUN.cells if c.case == WORST.case)
    assert article.locator("math").count() == 3  # of the value, the gradient and the second derivative
    assert RUN.header.suite["cases"][WORST.case]["truth"]["value"]["digits"][0] in article.inner_text()
    assert "of the budget" in article.inner_text()


def test_worst_element_is_marked(opened: Opener) -> None:
    page = opened("#" + address("cell", VECTOR.name))
    page.locator("td.aim mark").wait_for()
    assert page.locator("td.aim mark").count() == 1


def test_a_number_with_an_exponent_is_in_one_piece_on_a_phone(opened: Opener) -> None:
    cell = next(c for c in RUN.cells if c.verdict == "by_convention" and "1e-07" in (c.explanation or ""))
    page = opened("#" + address("cell", cell.name), viewport={"width": 320, "height": 844})
    number = page.locator("td.aim .note .number").first
    number.wait_for()
    assert number.inner_text() == "1e-07"
    assert number.evaluate("node => node.getClientRects().length") == 1
    assert number.evaluate("node => getComputedStyle(node).whiteSpace") == "nowrap"


def test_an_error_tells_its_budget_in_numbers(opened: Opener) -> None:
    page = opened("#" + address("cell", WORST.name))
    aim = page.locator("td.aim")
    aim.wait_for()
    told = aim.locator(".allowed").inner_text()
    assert "1 (1) + 0.163 (L) + 1.1 (ln C)" in told
    assert f"= {rough(BUDGETS[WORST.dtype] * EPS[WORST.dtype] * (1 + 0.163 + 1.1))}" in told


def test_the_matrix_keeps_its_place_while_a_case_is_read(opened: Opener) -> None:
    page = opened("#page=matrix&dtype=float32")
    wait_for_count(page, " of ")
    page.evaluate("document.getElementById('matrix').scrollTop = 400")
    page.evaluate("hash => { location.hash = hash }", "#" + address("cell", WORST.name))
    page.locator("td.aim").wait_for()
    page.go_back()
    until(page, "document.documentElement.dataset.page === 'matrix'")
    assert page.evaluate("document.getElementById('matrix').scrollTop") == 400


def test_everything_is_drawn_again_once_a_search_is_cleared(opened: Opener) -> None:
    page = opened("#page=matrix")
    wait_until_ready(page)
    places = "[...document.querySelectorAll('#matrix tbody td')].map(td => td.className + td.textContent).join()"
    page.evaluate(f"window.before = {places}")
    page.fill("input[name=q]", "exp overflows")
    wait_for_count(page, " of ")
    until(page, f"window.before !== {places}")
    page.fill("input[name=q]", "")
    until(page, f"window.before === {places}")
    skipped = "[...document.querySelectorAll('#matrix .chunk')].filter(c => c.style.contentVisibility).length"
    until(page, f"{skipped} === 0")


def copied(page: Page) -> str:
    """What the button of the cell in the address copies."""
    button = page.locator("td.aim button.copy")
    button.wait_for()
    assert button.inner_text() == "copy script"
    button.click()
    until(page, "document.getElementById('say').textContent.includes('Copied')")
    return str(page.evaluate("navigator.clipboard.readText()"))


def test_copy_button_copies_the_script_of_its_cell(opened: Opener) -> None:
    scripted = [c for c in RUN.cells if c.implementation == "torch" and c.verdict not in ("unsupported", "missing")]
    for cell in (scripted[0], scripted[len(scripted) // 2], scripted[-1]):
        assert copied(opened("#" + address("cell", cell.name))) == script(cell)


def test_button_says_why_there_is_no_script(opened: Opener) -> None:
    lacking = next(c for c in RUN.cells if c.implementation == "sklearn" and c.verdict == "agrees")
    page = opened("#" + address("cell", lacking.name))
    button = page.locator("td.aim button.copy")
    assert button.inner_text() == "no script"
    button.click()
    assert "No standalone script: no template writes sklearn." in page.locator("td.aim").inner_text()
    button.click()
    assert "No standalone script" not in page.locator("td.aim").inner_text()


def test_what_is_not_offered_has_no_button(opened: Opener) -> None:
    refused = next(c for c in RUN.cells if c.verdict == "unsupported")
    page = opened("#" + address("cell", refused.name))
    page.locator("td.aim").wait_for()
    assert page.locator("td.aim button").count() == 0


def test_what_is_refused_as_a_whole_is_one_answer_across_its_aspects(opened: Opener) -> None:
    whole = next(c for c in RUN.cells if c.dtype == EVERY)
    page = opened("#" + address("cell", whole.name))
    page.locator("td.aim").wait_for()
    assert "offers no kl_divergence" in page.locator("td.aim").inner_text()
    of_call = next(c for c in RUN.cells if c.dtype == "bfloat16" and c.aspect == EVERY and c.case == whole.case)
    page = opened("#" + address("cell", of_call.name))
    page.locator("td.aim").wait_for()
    assert page.locator("td.aim").get_attribute("colspan") == "2"
    headings = page.locator("article.casepage.here .answers h2").all_inner_texts()
    assert [heading.split(" ")[0] for heading in headings] == [*DTYPES, "Refused"]


def test_a_refusal_of_every_dtype_and_aspect_is_found_under_each(opened: Opener) -> None:
    refused = sum(c.implementation == "scipy" and c.dtype == EVERY for c in RUN.cells)
    for narrowed in ("dtype=float16", "aspect=gradient", "dtype=float32&aspect=value"):
        page = opened(f"#page=matrix&status=unsupported&implementation=scipy&loss=kl_divergence&{narrowed}")
        until(page, f"document.getElementById('found').textContent.startsWith('{refused} of ')")
    offered = page.locator("select[name=dtype] option").all_inner_texts()
    assert offered == ["any", *DTYPES]


def test_button_copies_what_the_command_line_prints_and_it_runs(browser: Browser, tmp_path: Path) -> None:
    report, program = tmp_path / "report.html", tmp_path / "script.py"

    def xent(*arguments: str) -> str:
        command = [sys.executable, "-m", "harness", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout

    xent("run", "options/softmax-ordinary", "-i", "scipy", "--dtypes", "float64", "--report", str(report))
    cell = "options/softmax-ordinary[scipy:eager:float64:value]"
    context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.goto(f"{report.as_uri()}#{address('cell', cell)}")
    found = copied(page)
    context.close()
    assert found == xent("repro", cell)
    program.write_text(found, encoding="utf-8")
    assert subprocess.run([sys.executable, str(program)], capture_output=True, timeout=60, check=False).returncode == 0


def test_keyboard_walks_the_matrix_opens_a_case_and_comes_back(opened: Opener) -> None:
    page = opened("#page=matrix")
    wait_until_ready(page)
    page.focus("#matrix")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    place = page.evaluate("[document.activeElement.cellIndex, document.activeElement.parentNode.rowIndex]")
    assert place == [2, 2]
    page.keyboard.press("Enter")
    page.locator("td.aim").wait_for()
    assert shown_page(page) == "cases"
    first = page.locator("article.casepage.here").get_attribute("id")
    page.keyboard.press("j")
    until(page, "id => document.querySelector('article.casepage.here')?.id !== id", first)
    page.keyboard.press("Escape")
    until(page, "document.documentElement.dataset.page === 'matrix'")


def test_keyboard_walks_a_sorted_matrix_from_top_to_bottom(opened: Opener) -> None:
    page = opened("#page=matrix")
    wait_until_ready(page)
    order = "[...document.querySelectorAll('#matrix details.group')].map(b => Number(b.style.order))"
    moved = f"{order}.some((place, k) => place !== k)"
    for button in page.locator("#matrix .mode button").all():
        button.click()
        until(page, "button => button.ariaPressed === 'true'", button.element_handle())
        if page.evaluate(moved):
            break
    assert page.evaluate(moved), "no column puts the groups into another order, so this shows nothing"
    page.get_by_role("button", name="Unfold all").click()
    page.focus("#matrix")
    page.keyboard.press("ArrowDown")
    tops = []
    for _ in range(len(RUN.header.suite["cases"])):
        tops.append(
            page.evaluate("""() => document.activeElement.getBoundingClientRect().top
                                     + document.getElementById("matrix").scrollTop""")
        )
        page.keyboard.press("ArrowDown")
    assert tops == sorted(tops)


def test_slash_goes_to_the_search(opened: Opener) -> None:
    page = opened()
    page.keyboard.press("/")
    until(page, "document.activeElement.name === 'q'")
    assert shown_page(page) == "matrix"


def test_a_report_of_timings_alone_opens_on_speed(opened: Opener) -> None:
    page = opened(name="timings")
    assert page.locator("h1:visible").all_inner_texts() == ["Speed"]
    page.keyboard.press("/")  # leads nowhere: there is nothing to search
    go_to(page, "environment")
    go_to(page, "speed")
    page.evaluate("location.hash = '#page=summary'")
    until(page, "!document.getElementById('unknown').hidden")
    assert page.locator("h1:visible").all_inner_texts() == ["Speed"]


def test_tab_reaches_every_page_from_the_top(opened: Opener) -> None:
    page = opened()
    seen = []
    for _ in range(16):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("document.activeElement.getAttribute('href')"))
    assert {f"#page={p}" for p in PAGES if p != "case"} <= set(seen)


@pytest.mark.parametrize(
    "hash_", ["#page=nothing", "#case=edges/no-such", "#ledger=no-such", "#implementation=nobody", "#document=D9"]
)
def test_an_unknown_address_says_so_and_leads_to_what_there_is(opened: Opener, hash_: str) -> None:
    page = opened(hash_)
    until(page, "!document.getElementById('unknown').hidden")
    assert hash_.partition("=")[2] in page.locator("#unknown").inner_text()
    assert page.locator("h1:visible").count() == 1
    page.evaluate("location.hash = '#page=environment'")
    until(page, "document.getElementById('unknown').hidden")


def test_reads_without_javascript(opened: Opener) -> None:
    page = opened(java_script_enabled=False)
    assert page.locator("section[data-page]:visible").count() == page.locator("section[data-page]").count()
    assert page.locator("#filters").is_hidden()
    row = page.locator(f'[id="{address("cell", WORST.name)}"]')
    assert "equals −log2" in (row.text_content() or "")
    row.scroll_into_view_if_needed()
    assert row.is_visible()


def address_of(page_name: str, made: Run = RUN) -> str:
    if page_name != "case":
        return f"#page={page_name}"
    return "#" + address("cell", next(c for c in made.cells if c.verdict == "disagrees").name)


def go_to(page: Page, page_name: str, made: Run = RUN) -> None:
    page.evaluate("hash => { location.hash = hash }", address_of(page_name, made))
    until(page, "name => document.documentElement.dataset.page === name", "cases" if page_name == "case" else page_name)
    if page_name == "case":
        page.locator("td.aim").wait_for()


def test_hostile_text_never_runs(opened: Opener) -> None:
    page = opened(name="hostile")
    wait_until_ready(page)
    for page_name in PAGES:
        go_to(page, page_name, hostile())
        if page_name == "matrix":
            page.fill("input[name=q]", "<script>")
            page.get_by_role("button", name="Unfold all").click()
            page.get_by_role("button", name="Clear").click()
        if page_name == "case":
            page.locator("td.aim button.copy").click()
    assert page.evaluate("window.owned") is None
    assert page.locator("img, body svg[onload]").count() == 0
    assert page.evaluate("document.scripts.length") == 3  # ours, the cells and the scripts to copy


def wait_until_ready(page: Page) -> None:
    """Until the cells are unpacked, which fills the lists of the filters."""
    until(page, "document.querySelector('select[name=status]').options.length > 1")


@pytest.mark.parametrize("width", [390, 1440, 2560])
def test_no_page_is_wider_than_the_window(opened: Opener, width: int) -> None:
    page = opened(viewport={"width": width, "height": 900})
    wait_until_ready(page)
    for page_name in PAGES:
        go_to(page, page_name)
        over = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert over == 0, page_name


def test_eighteen_columns_of_the_matrix_fit_a_wall_of_2560_pixels(opened: Opener) -> None:
    """All implementations of the default environment, beside the scroll bar of a browser that draws one."""
    page = opened("#page=matrix", viewport={"width": 2560, "height": 1440})
    page.evaluate("document.documentElement.style.setProperty('--columns', 18)")
    width = "document.querySelector('{}').{}Width"
    heads, room = (page.evaluate(width.format(*which)) for which in ((".heads", "offset"), (".matrix", "client")))
    assert heads <= room - 15


def test_axe_finds_nothing_in_both_themes(opened: Opener) -> None:
    """Everything in the light theme; in the dark one, which differs in nothing else, the rules that look at colours."""
    pytest.importorskip("axe_playwright_python", reason="needs axe-core: pip install -e '.[browser]'")
    axe = (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
    page = opened(name="small", color_scheme="light")
    wait_until_ready(page)
    page.evaluate(axe)
    found = []
    for page_name in PAGES:
        go_to(page, page_name, SMALL)
        # What frames a page is looked at once; after that the page shown, since axe also walks all that is hidden.
        where = "document" if page_name == PAGES[0] else "document.querySelector('main > section.here')"
        for theme, rules in (("light", ""), ("dark", "runOnly: ['color-contrast', 'link-in-text-block']")):
            page.emulate_media(color_scheme=theme)
            violations = page.evaluate(f"axe.run({where}, {{resultTypes: ['violations'], {rules}}})")["violations"]
            found += [(page_name, theme, v["id"], [n["html"][:160] for n in v["nodes"][:3]]) for v in violations]
        page.emulate_media(color_scheme="light")
    assert found == []
