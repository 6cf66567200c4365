"""`xent gate` from outside: every exit code, what is refused, and the summary it leaves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from harness.core.cell import Cell, Footer, Header, Observed, Run, RunProblem
from harness.runs.run_file import RunWriter
from harness.tests.commands import xent

MACHINE = {"cpu": "a", "instruction_set": "b"}
CASE = {"loss": "softmax", "file": "cases/documents/d4.yaml", "line": 7, "title": "a", "why": "b", "tags": []}
RIGHT = Cell(
    "documents/a",
    "torch",
    "eager",
    "float32",
    "value",
    "agrees",
    {"kind": "value", "dtype": "float32", "shape": [], "digest": "0123456789abcdef0123456789abcdef"},
    ratio=0.4123456,
    got=1.5,
    truth=1.5,
)
WRONG = replace(
    RIGHT,
    verdict="disagrees",
    severity="silently_wrong",
    explanation="off by a factor of 2",
    causes={"constant-factor": "off by a factor of 2"},
    got=3.0,
    observed=Observed("finite"),
)
REFUSED = replace(
    RIGHT, verdict="unsupported", outcome={"kind": "unsupported", "reason": "offers no softmax"}, severity="unsupported"
)
KNOWN = replace(WRONG, verdict="known", ledger="torch-is-off")


def run_of(*cells: Cell, problems: tuple[RunProblem, ...] = (), suite: str = "1") -> Run:
    header = Header(
        {"version": suite, "digest": "d", "cases": {"documents/a": CASE}},
        {"torch": {"version": "2"}},
        MACHINE,
        "2026-01-01T00:00:00+00:00",
    )
    return Run(header, cells, (), (), Footer(len(cells), {}, problems=problems))


def written(path: Path, run: Run) -> Path:
    with RunWriter(path, run.header) as writer:
        for cell in run.cells:
            writer.add(cell)
        writer.finish({}, run.footer.problems)
    return path


def cut_off(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join(lines[:-1]), encoding="utf-8")


def leave(path: Path) -> None:
    """Nothing happens to the file."""


FIXED = RunProblem("fixed", "ledger entry x selects 3 cells and none shows its outcome", "remove it", "x")
EXITS = {
    "the same": (run_of(RIGHT), leave, 0, "Nothing changed"),
    "a stale entry": (run_of(RIGHT, problems=(FIXED,)), leave, 6, "none shows its outcome"),
    "an entry that matches nothing": (run_of(RIGHT, problems=(replace(FIXED, kind="unmatched"),)), leave, 6, "x"),
    "a changed cell": (run_of(WRONG), leave, 7, "1 cells changed"),
    "nothing ran": (run_of(), leave, 5, ""),
    "nothing was judged": (run_of(REFUSED), leave, 5, ""),
    "a run that was cut off": (run_of(RIGHT), cut_off, 9, "was cut off"),
    "a worker that could not start": (
        run_of(replace(RIGHT, verdict="missing", outcome={"kind": "missing", "reason": "no module"})),
        leave,
        9,
        "never were judged",
    ),
    "another suite version": (run_of(RIGHT, suite="0"), leave, 9, "suite version"),
}


@pytest.mark.parametrize("name", list(EXITS))
def test_every_way_a_gate_ends(tmp_path: Path, name: str) -> None:
    current, damage, code, said = EXITS[name]
    written(tmp_path / "old.jsonl", run_of(RIGHT))
    spoil: Callable[[Path], None] = damage
    spoil(written(tmp_path / "new.jsonl", current))
    done = xent("gate", "old.jsonl", "new.jsonl", folder=tmp_path)
    assert done.returncode == code, done.stdout + done.stderr
    assert said in done.stdout + done.stderr
    assert ("Nothing changed" in done.stdout) == (code == 0)


def test_the_gate_writes_a_summary_for_the_job(tmp_path: Path) -> None:
    written(tmp_path / "old.jsonl", run_of(RIGHT))
    written(tmp_path / "new.jsonl", run_of(WRONG))
    done = xent("gate", "old.jsonl", "new.jsonl", "--markdown", "summary/gate.md", folder=tmp_path)
    assert done.returncode == 7
    text = (tmp_path / "summary/gate.md").read_text(encoding="utf-8")
    assert "(exit code 7)" in text
    assert "off by a factor of 2" in text
    assert "xent repro --again 'documents/a[torch:eager:float32:value]'" in text


def test_a_known_cell_that_no_entry_covers_any_more_is_no_change_but_a_stale_ledger(tmp_path: Path) -> None:
    written(tmp_path / "old.jsonl", run_of(KNOWN))
    written(tmp_path / "new.jsonl", run_of(WRONG))
    done = xent("gate", "old.jsonl", "new.jsonl", folder=tmp_path)
    assert done.returncode == 6, done.stdout + done.stderr
    assert "version range" in done.stdout
    assert "No cell changed" in done.stdout
