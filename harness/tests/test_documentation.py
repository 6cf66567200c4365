"""What the documentation calls by its path or name is there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import reduce
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

from harness.reproduction.example import MODES
from tools.reference_pages import PAGES as PAGES_OF_CODE
from tools.reference_pages import written

ROOT = Path(__file__).resolve().parents[2]
PAGES = [*(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "ARCHITECTURE.md")), *ROOT.glob("docs/**/*.md")]
ROOMS = ("cases", "docs", "examples", "harness", "reference", "reports", "tools", "xent", ".ci", ".github")
"""The top level; a word before a slash that is none of these, as in the id of a case, is no path of the repository."""
GENERATED = ("reports/output/", "cases/ledger/accepted.yaml")
"""What runs write, and `xent accept` where there is none yet."""
ENTRY_POINTS = "xent.adapters"
"""The name of a group of entry points, and of no module."""

PATH = re.compile(rf"({'|'.join(map(re.escape, ROOMS))})/[\w./-]*")
NAME = re.compile(r"(harness|reference|reports|tools|xent)(\.\w+)+")
LINK = re.compile(r"\]\((?!\w+:)([^)#\s]+)")


def code(text: str) -> Iterator[str]:
    """What stands in backticks within a line, word by word."""
    outside = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    for span in re.findall(r"`([^`\n]+)`", outside):
        yield from span.split()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_paths_and_names_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    words = list(code(text))
    gone = [word for word in words if PATH.fullmatch(word) and not word.startswith(GENERATED) and not is_there(word)]
    gone += [word for word in words if NAME.fullmatch(word) and word != ENTRY_POINTS and not is_named(word)]
    gone += [link for link in LINK.findall(text) if not (page.parent / link).exists()]
    assert not gone


@pytest.mark.parametrize("page", ["README.md", "ARCHITECTURE.md"])
def test_every_room_is_listed(page: str) -> None:
    words = [word.rstrip("/") for word in code((ROOT / page).read_text(encoding="utf-8"))]
    packages = {str(path.parent.relative_to(ROOT)) for path in ROOT.glob("harness/*/__init__.py")}
    assert packages - {"harness/tests"} - set(words) == set()


def is_there(path: str) -> bool:
    return (ROOT / path).exists()


def is_named(name: str) -> bool:
    """Whether a dotted name is a file with another ending, as in a title, a module, or something in one."""
    if is_there(name):
        return True
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        module = ".".join(parts[:length])
        try:
            if find_spec(module) is None:
                continue
        except ModuleNotFoundError:
            continue
        try:
            reduce(getattr, parts[length:], import_module(module))
        except AttributeError:
            return False
        return True
    return False


def test_what_is_gone_is_noticed() -> None:
    assert list(code("`a b` and\n```\n`c`\n```\n`d`")) == ["a", "b", "d"]
    assert not is_there("harness/judgement/told.py")
    assert not is_named("harness.judgement.told")
    assert not is_named("reference.losses.hinge")
    assert is_named("reference.losses.softmax_cross_entropy")


def test_the_modes_that_have_scripts_are_explained() -> None:
    rows = (ROOT / "docs/reference/modes.md").read_text(encoding="utf-8").splitlines()
    named = {word for row in rows if row.startswith("| `") for word in code(row.split("|")[1])}
    assert named == MODES


@pytest.mark.parametrize("page", sorted(PAGES_OF_CODE.glob("*.md")), ids=lambda page: page.name)
def test_reference_pages_say_what_the_code_says(page: Path) -> None:
    """They are read in the repository as they are; `python -m tools.reference_pages` writes them anew."""
    text = page.read_text(encoding="utf-8")
    assert "{{" not in text
    assert written(text) == text
