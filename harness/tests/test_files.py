"""Files are written as a whole or not at all."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.errors import UsageError
from harness.core.files import GrowingFile, check_outputs, write_whole

ROOT = Path(__file__).resolve().parents[2]

LIMITED = """
import resource, sys
from pathlib import Path
from harness.core.files import GrowingFile, OutputError, write_whole
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
path, way = Path(sys.argv[1]), sys.argv[2]
try:
    if way == "whole":
        write_whole(path, "x" * 10_000)
    else:
        growing = GrowingFile(path)
        for _ in range(100):
            growing.write(b"x" * 100)
        growing.finish()
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


@pytest.mark.parametrize("way", ["whole", "growing"])
def test_a_full_disk_leaves_the_earlier_file(tmp_path: Path, way: str) -> None:
    path = tmp_path / "report.html"
    path.write_text("earlier", encoding="utf-8")
    said = subprocess.run(
        [sys.executable, "-c", LIMITED, str(path), way],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout
    assert path.name in said
    assert "could not be written: File too large. What stood there before still stands" in said
    assert path.read_text(encoding="utf-8") == "earlier"
    assert {entry.name for entry in tmp_path.iterdir()} <= {"report.html", "report.html.part"}


def impossible(folder: Path) -> dict[str, Path]:
    (folder / "file").write_text("", encoding="utf-8")
    (folder / "a").symlink_to(folder / "b")
    (folder / "b").symlink_to(folder / "a")
    return {
        "a folder": folder,
        "too long": folder / ("n" * 300),
        "too long in a new folder": folder / "new" / ("n" * 300) / "report.html",
        "a NUL": folder / "a\0b",
        "a file as a folder": folder / "file" / "report.html",
        "links in a circle": folder / "a",
        "where nobody can make one": Path("/proc/report.html"),
    }


IMPOSSIBLE = (
    "a folder",
    "too long",
    "too long in a new folder",
    "a NUL",
    "a file as a folder",
    "links in a circle",
    "where nobody can make one",
)


@pytest.mark.parametrize("kind", IMPOSSIBLE)
def test_a_name_that_no_file_can_have_is_the_users_mistake(kind: str, tmp_path: Path) -> None:
    path = impossible(tmp_path)[kind]
    for write in (lambda: write_whole(path, "text"), lambda: GrowingFile(path)):
        with pytest.raises(UsageError, match="cannot be written"):
            write()
    if kind != "where nobody can make one":  # nothing but trying tells
        with pytest.raises(UsageError, match="cannot be written"):
            check_outputs([path])
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["a", "b", "file"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_to_is_refused_before_anything_is_done(tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    for path in (tmp_path / "locked" / "report.html", tmp_path / "locked" / "new" / "report.html"):
        with pytest.raises(UsageError, match="Permission denied"):
            check_outputs([path])
        with pytest.raises(UsageError, match="Permission denied"):
            write_whole(path, "text")


def test_a_device_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    check_outputs([pipe, pipe, Path("/dev/null")])
    write_whole(pipe, "text")
    growing = GrowingFile(pipe)
    growing.write(b" and more")
    growing.finish()
    assert os.read(read, 100) == b"text and more"
    os.close(read)
    assert pipe.is_fifo()


def test_a_file_grows_beside_its_name_and_takes_it_once_it_is_whole(tmp_path: Path) -> None:
    path, part = tmp_path / "new" / "run.jsonl", tmp_path / "new" / "run.jsonl.part"
    write_whole(path, "earlier")
    path.chmod(0o640)
    left = GrowingFile(path)
    left.write(b"half")
    left.close()
    assert (path.read_text(), part.read_text()) == ("earlier", "half")
    growing = GrowingFile(path)
    growing.write(b"who")
    with pytest.raises(UsageError, match="is being written by another process"):
        GrowingFile(path)
    growing.write(b"le")
    growing.finish()
    growing.close()
    assert path.read_text() == "whole"
    assert path.stat().st_mode & 0o777 == 0o640
    assert not part.exists()


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


def test_outputs_are_neither_one_file_nor_an_input_whatever_their_spelling(tmp_path: Path) -> None:
    case, run = tmp_path / "case.yaml", tmp_path / "run.jsonl"
    case.write_text("", encoding="utf-8")
    (tmp_path / "soft").symlink_to(case)
    (tmp_path / "hard").hardlink_to(case)
    (tmp_path / "folder").symlink_to(tmp_path)
    (tmp_path / "nowhere").symlink_to(run)
    check_outputs([run, None, tmp_path / "report.html"], [case])
    for name in ("case.yaml", "x/../case.yaml", "soft", "hard", "folder/case.yaml"):
        with pytest.raises(UsageError, match="is also read"):
            check_outputs([tmp_path / name], [case])
    for name in ("./run.jsonl", "folder/run.jsonl", "nowhere"):
        with pytest.raises(UsageError, match="are one file"):
            check_outputs([run, tmp_path / name])


@given(st.text())
def test_any_text_can_be_written(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "text"
    write_whole(path, text)
    assert path.read_bytes() == text.encode("utf-8", "replace")


# --- nothing else writes ----------------------------------------------------------------------------------------------

WRITERS = {
    "harness/core/files.py",
    # A temporary folder for what a library compiles, which would lie in its user's.
    "harness/adapters/kernels/unsloth.py",
    # A lock, whose content nobody reads.
    "harness/versions/environments.py",
    # An order to the kernel, under /proc.
    "harness/execution/timing.py",
    # The pipe of its answers.
    "harness/execution/worker.py",
    # A stream that is closed is made to lead nowhere.
    "harness/cli/streams.py",
    # What a graded test says, in a file without a name.
    "harness/grading/commands.py",
    # In the process of a graded test, where nothing of ours is imported before it.
    "harness/grading/replacing/sitecustomize.py",
}


def writing(source: str) -> Iterator[str]:
    """What in a module writes a file by itself, or moves one."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(func=ast.Name("open") | ast.Attribute(attr="open" | "fdopen")) if _may_write(node):
                yield "open"
            case ast.Call(func=ast.Attribute(attr="write_text" | "write_bytes" | "touch" as name)):
                yield name
            case ast.Call(
                func=ast.Attribute(
                    ast.Name("json" | "pickle" | "marshal" | "shutil" | "np" | "tempfile" | "os"),
                    "dump" | "copy" | "copyfile" | "copy2" | "move" | "copytree" | "save" | "savez" | "savetxt"
                    | "mkstemp" | "NamedTemporaryFile" | "TemporaryFile" | "mkdtemp" | "TemporaryDirectory"
                    | "rename" | "replace" | "link" | "truncate" as name,
                )
            ):  # fmt: skip
                yield name
            case ast.ImportFrom("tempfile" | "shutil"):
                yield "an import that hides where it comes from"


def _may_write(call: ast.Call) -> bool:
    """Whether a call of something named open may write: its mode, wherever it stands, says so or is not told."""
    if isinstance(call.func, ast.Attribute) and call.func.attr == "open" and _is_named(call.func.value, "os"):
        return not any(_is_named(node, "O_RDONLY") for node in ast.walk(call))
    texts = [
        node.value
        for node in (*call.args, *(keyword.value for keyword in call.keywords if keyword.arg == "mode"))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    return any(set(text) <= set("rwaxbt+") and set(text) & set("wax+") for text in texts)


def _is_named(node: ast.AST, name: str) -> bool:
    return getattr(node, "id", getattr(node, "attr", None)) == name


def test_nothing_writes_past_the_one_place_for_it() -> None:
    sources = [path for room in ("harness", "reference", "reports", "xent") for path in (ROOT / room).rglob("*.py")]
    found = {
        path.relative_to(ROOT).as_posix(): list(writing(path.read_text(encoding="utf-8")))
        for path in sources
        if "tests" not in path.parts
    }
    assert len(found) > 150
    assert {name for name, ways in found.items() if ways} == WRITERS


@pytest.mark.parametrize(
    "bad",
    [
        "open(path, 'w')",
        "open(path, mode='ab')",
        "path.open('w', encoding='utf-8')",
        "path.open(mode='x')",
        "gzip.open(path, 'wb')",
        "io.open(path, 'r+')",
        "os.fdopen(descriptor, 'wb')",
        "os.open(path, os.O_WRONLY | os.O_CREAT)",
        "os.open(path, flags)",
        "path.write_text('a')",
        "Path('a').write_bytes(b'a')",
        "path.touch()",
        "json.dump(value, file)",
        "pickle.dump(value, file)",
        "np.save(path, array)",
        "shutil.copyfile(a, b)",
        "os.replace(a, b)",
        "tempfile.TemporaryDirectory()",
        "from tempfile import mkdtemp",
        "from shutil import copy",
    ],
)
def test_what_writes_by_itself_is_found(bad: str) -> None:
    assert list(writing(bad))


@pytest.mark.parametrize(
    "good", ["open(path)", "path.open('rb')", "os.open(path, os.O_RDONLY)", "write_whole(path, a)"]
)
def test_what_reads_is_left_alone(good: str) -> None:
    assert not list(writing(good))
