"""Files are written as a whole or not at all."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.errors import UsageError
from harness.core.files import OutputError, check_outputs, write_whole

ROOT = Path(__file__).resolve().parents[2]

LIMITED = """
import resource, sys
from pathlib import Path
from harness.core.files import OutputError, write_whole
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    write_whole(Path(sys.argv[1]), "x" * 10_000)
except OutputError as error:
    print(error)
"""
"""A process whose files may hold a thousand bytes: to it every disk is full."""


def test_what_is_written_is_there_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "report.html"
    write_whole(path, "earlier\n")
    write_whole(path, "läter\r\n")
    assert path.read_bytes() == "läter\r\n".encode()
    assert [entry.name for entry in path.parent.iterdir()] == ["report.html"]


def test_a_full_disk_leaves_the_earlier_file(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text("earlier", encoding="utf-8")
    said = subprocess.run(
        [sys.executable, "-c", LIMITED, str(path)], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    ).stdout
    assert path.name in said
    assert "could not be written" in said
    assert path.read_text(encoding="utf-8") == "earlier"
    assert [entry.name for entry in tmp_path.iterdir()] == ["report.html"]


def impossible(folder: Path) -> dict[str, Path]:
    (folder / "file").write_text("", encoding="utf-8")
    (folder / "a").symlink_to(folder / "b")
    (folder / "b").symlink_to(folder / "a")
    return {
        "a folder": folder,
        "too long": folder / ("n" * 300),
        "a NUL": folder / "a\0b",
        "a file as a folder": folder / "file" / "report.html",
        "links in a circle": folder / "a",
    }


@pytest.mark.parametrize("kind", ["a folder", "too long", "a NUL", "a file as a folder", "links in a circle"])
def test_a_name_that_no_file_can_have_is_the_users_mistake(kind: str, tmp_path: Path) -> None:
    before = sorted(entry.name for entry in tmp_path.iterdir())
    path = impossible(tmp_path)[kind]
    with pytest.raises(UsageError, match="cannot be written"):
        write_whole(path, "text")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == sorted([*before, "a", "b", "file"])


def test_a_link_still_points_at_its_file(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    link.symlink_to(target)
    write_whole(link, "text")
    assert link.is_symlink()
    assert target.read_text(encoding="utf-8") == "text"


def test_permissions_stay_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "script"
    path.write_text("", encoding="utf-8")
    path.chmod(0o750)
    write_whole(path, "text")
    assert path.stat().st_mode & 0o777 == 0o750


def test_outputs_are_neither_one_file_nor_an_input(tmp_path: Path) -> None:
    case, run = tmp_path / "case.yaml", tmp_path / "run.jsonl"
    check_outputs([run, None, tmp_path / "report.html"], [case])
    with pytest.raises(UsageError, match="is also read"):
        check_outputs([tmp_path / "x" / ".." / "case.yaml"], [case])
    with pytest.raises(UsageError, match="are one file"):
        check_outputs([run, tmp_path / "." / "run.jsonl"])


@given(st.text())
def test_any_text_can_be_written(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "text"
    write_whole(path, text)
    assert path.read_bytes() == text.encode("utf-8", "replace")


def test_an_error_of_the_disk_is_no_mistake_of_the_user() -> None:
    # Nothing can be made in this folder, by anybody.
    with pytest.raises(OutputError, match="could not be written"):
        write_whole(Path("/proc/report.html"), "text")
