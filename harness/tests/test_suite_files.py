"""Finding and reading YAML files: what looks like one is read or complained about, never passed over in silence."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.runs.service import read_ledger
from harness.suite.case_files import LARGEST_FILE, files_in, text_of
from harness.suite.ledger_files import load_entries
from harness.suite.loading import load
from harness.suite.problems import MOST_SHOWN, Problem, SuiteError
from harness.tests.test_ledger import GOOD

CASE = """\
- id: mine/a
  title: t
  why: w
  loss: softmax_cross_entropy
  inputs: {logits: [[1, 2]], targets: [0]}
"""


@pytest.mark.parametrize("name", ["a.yaml", "a.yml", "a.YAML", "a.Yml", "deeper/a.yaml", ".a.yaml"])
def test_every_spelling_of_the_ending_is_read(tmp_path: Path, name: str) -> None:
    for folder, text in (("mine", CASE), ("ledger", GOOD)):
        path = tmp_path / folder / name
        path.parent.mkdir(parents=True)
        path.write_text(text, encoding="utf-8")
    (tmp_path / "ledger" / "notes.txt").write_text("not YAML", encoding="utf-8")
    assert len(load_entries(tmp_path / "ledger")) == 1
    assert files_in(tmp_path / "mine") == ([tmp_path / "mine" / name], [])


def dangling(path: Path) -> None:
    path.symlink_to(path.parent / "nowhere.yaml")


def a_pipe(path: Path) -> None:
    os.mkfifo(path)


def in_latin_1(path: Path) -> None:
    path.write_bytes(CASE.replace("why: w", "why: caf\xe9").encode("latin-1"))


def too_large(path: Path) -> None:
    path.write_bytes(b"#" * (LARGEST_FILE + 1))


SPOILED = {
    dangling: "cannot be read: No such file or directory",
    a_pipe: "cannot be read: not a regular file",
    in_latin_1: "not UTF-8",
    too_large: f"cannot be read: larger than {LARGEST_FILE} bytes",
}


@pytest.mark.parametrize("spoil", SPOILED)
def test_what_cannot_be_read_is_named(tmp_path: Path, spoil: object) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "good.yaml").write_text(CASE, encoding="utf-8")
    assert callable(spoil)
    spoil(folder / "bad.yaml")
    for read in (lambda: load([folder]), lambda: load_entries(folder)):
        with pytest.raises(SuiteError) as caught:
            read()
        (problem, *_) = [p for p in caught.value.problems if "bad.yaml" in p.file]
        assert SPOILED[spoil] in problem.message
        assert problem.line == (3 if spoil is in_latin_1 else 0)


def test_a_folder_without_case_files_is_said_and_an_empty_ledger_is_none(tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match="no case file in this folder"):
        load([tmp_path])
    assert [entry for entry in read_ledger(tmp_path).entries if not entry.shipped] == []


def test_a_folder_that_cannot_be_looked_at_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "closed").mkdir()
    (tmp_path / "closed" / "a.yaml").write_text(CASE, encoding="utf-8")
    looked = os.scandir

    def refusing(path: str) -> object:
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return looked(path)

    # Whoever runs the tests may be allowed everything.
    monkeypatch.setattr(os, "scandir", refusing)
    found, problems = files_in(tmp_path)
    assert found == []
    assert [(p.file, p.message) for p in problems] == [(str(tmp_path / "closed"), "cannot be read: Permission denied")]


def test_links_are_followed_and_circles_end(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "a.yaml").write_text(CASE, encoding="utf-8")
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "linked").symlink_to(elsewhere)
    (elsewhere / "back").symlink_to(folder)
    assert files_in(folder) == ([folder / "linked" / "a.yaml"], [])


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + CASE.encode())
    assert text_of(path, "a.yaml") == (CASE, [])


def test_an_error_shows_as_many_problems_as_somebody_reads() -> None:
    problems = [Problem("f", n, "", "wrong", "Mend it") for n in range(10 * MOST_SHOWN)]
    text = str(SuiteError(problems))
    assert text.startswith("1000 problems")
    assert text.endswith("… and 900 more")
    assert len(text.splitlines()) == MOST_SHOWN + 2
