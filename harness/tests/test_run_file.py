"""The run file: what is written is read back, and what is cut off or strange is refused."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.cell import Cell, ClaimRecord, Header
from harness.runs.run_file import RunFileError, RunWriter, from_json, read_run, to_json

HEADER = Header(
    suite={"version": "1", "cases": {"documents/a": {"loss": "softmax"}}},
    implementations={"torch": {"version": "2"}},
    machine={},
    started="2026-01-01T00:00:00Z",
)
CELL = Cell("documents/a", "torch", "eager", "float32", "value", "agrees", {"kind": "value"}, ratio=0.5, grade="A")
CLAIM = ClaimRecord("documents/a", 0.3677, "holds", 0.3677, "yes")


def write(path: Path) -> Path:
    with RunWriter(path, HEADER) as writer:
        writer.add(CELL)
        writer.add(CLAIM)
        writer.finish({"total": 1.0})
    return path


def test_a_run_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    run = read_run(write(tmp_path / "run.jsonl"))
    assert (run.header, run.cells, run.claims) == (HEADER, (CELL,), (CLAIM,))
    assert run.footer.verdicts == {"agrees": 1}


def test_every_line_is_strict_json(tmp_path: Path) -> None:
    def refuse(constant: str) -> Any:
        raise AssertionError(constant)

    path = tmp_path / "run.jsonl"
    with RunWriter(path, HEADER) as writer:
        writer.add(Cell("a", "b", "c", "d", "e", "disagrees", {"kind": "value"}, ratio=float("inf"), ulps=float("nan")))
        writer.finish({})
    for line in path.read_text().splitlines():
        json.loads(line, parse_constant=refuse)


def test_leaving_early_leaves_a_file_that_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"

    def interrupted() -> None:
        with RunWriter(path, HEADER) as writer:
            writer.add(CELL)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    with pytest.raises(RunFileError, match="cut off"):
        read_run(path)


@pytest.mark.parametrize("keep", range(4))
def test_a_run_cut_anywhere_is_refused(tmp_path: Path, keep: int) -> None:
    path = write(tmp_path / "run.jsonl")
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:keep]) + lines[keep][:10] if keep else "")
    with pytest.raises(RunFileError, match="run"):
        read_run(path)


def test_a_lost_line_in_the_middle_is_noticed(tmp_path: Path) -> None:
    path = write(tmp_path / "run.jsonl")
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([lines[0], *lines[2:]]))
    with pytest.raises(RunFileError, match="counts 1 cells, the file holds 0"):
        read_run(path)


def test_another_schema_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "run.jsonl")
    path.write_text(path.read_text().replace('"schema":1', '"schema":2'))
    with pytest.raises(RunFileError, match="schema 2"):
        read_run(path)


@given(st.text(max_size=40))
def test_any_line_is_a_record_or_an_error_of_ours(line: str) -> None:
    with contextlib.suppress(RunFileError, json.JSONDecodeError):
        from_json(line)


@given(st.text(), st.text())
def test_hostile_text_survives_unchanged(case: str, explanation: str) -> None:
    cell = Cell(case, "x", "y", "z", "value", "disagrees", {"kind": "value"}, explanation=explanation)
    line = to_json(cell)
    assert from_json(line) == cell
    assert "\n" not in line
