"""Selection: files, folders, ids and patterns; what matches nothing is named with what comes near."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.suite.loading import find_cases_directory, load
from harness.suite.problems import SuiteError
from harness.suite.selection import SelectionError, load_selection, select


def ids(cases: tuple[object, ...]) -> list[str]:
    return [str(getattr(case, "id", "")) for case in cases]


@pytest.fixture(scope="module")
def documents() -> tuple[object, ...]:
    return load([find_cases_directory() / "documents"]).cases


@pytest.fixture
def own(tmp_path: Path) -> Path:
    folder = tmp_path / "mine"
    folder.mkdir()
    for name in ("first", "second"):
        (folder / f"{name}.yaml").write_text(
            f"- {{id: mine/{name}, title: t, why: w, loss: softmax, inputs: {{logits: [1, 2]}}}}\n"
        )
    return folder


def test_no_pattern_selects_everything(documents: tuple[object, ...]) -> None:
    assert select(documents, []) == documents  # type: ignore[arg-type]


def test_an_id_and_patterns_of_ids() -> None:
    cases = load([find_cases_directory() / "documents"]).cases
    assert ids(select(cases, ["documents/d4-dog-in-bits"])) == ["documents/d4-dog-in-bits"]
    assert all("dog" in id_ for id_ in ids(select(cases, ["*dog*"])))
    assert ids(select(cases, ["documents/d3-*", "documents/d0-*"])) == [
        case.id for case in cases if case.id.startswith(("documents/d0-", "documents/d3-"))
    ]


def test_files_and_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    home = find_cases_directory()
    cases = load([home / "documents"]).cases
    monkeypatch.chdir(home.parent)
    by_file = select(cases, ["cases/documents/d1.yaml"])
    assert {case.location.file for case in by_file} == {"cases/documents/d1.yaml"}
    assert select(cases, [str(home / "documents")]) == cases
    assert select(cases, ["cases"]) == cases


def test_files_of_the_user_are_loaded_too(own: Path) -> None:
    assert ids(load_selection([str(own)]).cases) == ["mine/first", "mine/second"]
    both = load_selection([str(own / "first.yaml"), "documents/d4-dog-in-bits"])
    assert sorted(ids(both.cases)) == ["documents/d4-dog-in-bits", "mine/first"]
    assert len(both.files) == 2


def test_a_broken_file_does_not_keep_others_from_being_run(own: Path) -> None:
    (own / "broken.yaml").write_text("- {id: \n")
    assert ids(load_selection([str(own / "first.yaml")]).cases) == ["mine/first"]
    with pytest.raises(SuiteError, match=r"broken\.yaml"):
        load_selection([str(own)])


def test_what_matches_nothing_is_named_with_what_comes_near(own: Path) -> None:
    cases = load([own]).cases
    with pytest.raises(SelectionError) as caught:
        select(cases, ["mine/frist", "second", "zzz", "mine/first", str(own.parent.parent)])
    text = str(caught.value)
    assert "mine/frist: no case has this id, and no file has this name. Did you mean mine/first" in text
    assert "Did you mean mine/second?" in text
    assert "zzz: " in text
    assert "mine/first: " not in text


def test_a_folder_without_cases_of_the_suite_is_named(own: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(SelectionError, match="no case of the suite is written there"):
        select(load([own]).cases, [str(tmp_path / "empty")])
