"""The run file: what is written is read back, and what is cut off, strange or contradicts itself is refused."""

from __future__ import annotations

import contextlib
import gzip
import json
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.cell import OBSERVED, Cell, ClaimRecord, Footer, Header, Observed, Run, RunProblem, Speed
from harness.runs import run_file
from harness.runs.diff import NotComparable
from harness.runs.gate import gate
from harness.runs.run_file import RunFileError, RunWriter, from_json, read_run, to_json, write_run
from harness.tests.commands import xent

HEADER = Header(
    suite={
        "version": "1",
        "digest": "0",
        "cases": {"documents/a": {"loss": "softmax"}, "edges/b": {"loss": "entropy", "tags": []}},
    },
    implementations={"torch": {"version": "2", "modes": ["eager", "graph"], "facts": {"onednn": "on"}}},
    machine={},
    started="2026-01-01T00:00:00Z",
)
CELL = Cell("documents/a", "torch", "eager", "float32", "value", "agrees", {"kind": "value"}, ratio=0.5, grade="A")
CLAIM = ClaimRecord("documents/a", 0.3677, "holds", 0.3677, "yes")
MEASURED = {"passes": "forward", "threads": 1, "judged": "agrees", "seconds": 1.0, "ratios": [1.5, 2.0]}
CELLS = (
    CELL,
    Cell(
        "documents/a",
        "torch",
        "eager",
        "float32",
        "gradient",
        "disagrees",
        {"kind": "value", "dtype": "float32", "shape": [2], "digest": "0a"},
        truth=[0.5, "nan"],
        got={"shape": [70], "worst_index": [3], "worst": "inf"},
        ratio="inf",
        ulps="nan",
        error_scale={"1": 1.0},
        worst=3,
        severity="silent_nonfinite",
        warnings=("deprecated",),
        observed=Observed("nan", computed_in="float32"),
    ),
    Cell(
        "edges/b",
        "torch",
        "eager",
        "float32",
        "value",
        "known",
        {"kind": "raises", "type": "builtins.ValueError", "message": "no", "error": []},
        truth={"raises": "shape_mismatch"},
        ledger="an-entry",
        observed=Observed("raises", error="builtins.ValueError"),
    ),
    Cell("edges/b", "torch", "graph", "float32", "value", "timed_out", {"kind": "timed_out", "seconds": 60}),
)
PROBLEM = RunProblem("fixed", "an entry", "remove it", "an-entry", "ledger/x.yaml:3")
RUN = Run(
    HEADER,
    CELLS,
    (CLAIM,),
    (Speed("workloads/w", "torch", "eager", "float32", "same", MEASURED),),
    Footer(4, {"agrees": 1, "known": 1, "disagrees": 1, "timed_out": 1}, {"total": 1.0}, (PROBLEM,)),
)
MIDDLE: tuple[Cell | ClaimRecord | Speed, ...] = (*CELLS, CLAIM, *RUN.speeds)
LINES = [json.loads(line) for line in (to_json(HEADER), *map(to_json, MIDDLE), to_json(RUN.footer))]


def write(path: Path) -> Path:
    with RunWriter(path, HEADER) as writer:
        writer.add(CELL)
        writer.add(CLAIM)
        writer.finish({"total": 1.0})
    return path


@pytest.mark.parametrize("name", ["run.jsonl", "run.jsonl.gz"])
def test_a_run_is_read_back_as_it_was_written(tmp_path: Path, name: str) -> None:
    write_run(tmp_path / name, RUN)
    assert read_run(tmp_path / name) == RUN
    with RunWriter(tmp_path / f"again-{name}", HEADER) as writer:
        for record in MIDDLE:
            writer.add(record)
        writer.finish({"total": 1.0}, [PROBLEM])
    assert read_run(tmp_path / f"again-{name}") == RUN


def test_every_line_is_strict_json(tmp_path: Path) -> None:
    def refuse(constant: str) -> Any:
        raise AssertionError(constant)

    path = tmp_path / "run.jsonl"
    with RunWriter(path, HEADER) as writer:
        writer.add(Cell("a", "b", "c", "d", "e", "disagrees", {"kind": "value"}, ratio=float("inf"), ulps=float("nan")))
        writer.finish({})
    for line in path.read_text().splitlines():
        json.loads(line, parse_constant=refuse)


def test_leaving_early_leaves_the_earlier_run_and_beside_it_a_file_that_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    write_run(path, RUN)

    def interrupted() -> None:
        with RunWriter(path, HEADER) as writer:
            writer.add(CELL)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert read_run(path) == RUN
    part = tmp_path / "run.jsonl.part"
    with pytest.raises(RunFileError, match="cut off"):
        read_run(part)
    assert [type(from_json(line)) for line in part.read_text().splitlines()] == [Header, Cell]


@pytest.mark.parametrize("keep", range(4))
def test_a_run_cut_anywhere_is_refused(tmp_path: Path, keep: int) -> None:
    path = write(tmp_path / "run.jsonl")
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:keep]) + lines[keep][:10] if keep else "")
    with pytest.raises(RunFileError, match="run"):
        read_run(path)


@pytest.mark.parametrize("damage", [lambda b: b[:-9], lambda b: b[:40] + b"\0" + b[41:], lambda b: b"no" + b])
def test_a_compressed_run_that_is_damaged_is_refused(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    path = write(tmp_path / "run.jsonl.gz")
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(RunFileError, match="cannot be read"):
        read_run(path)


def test_a_lost_line_in_the_middle_is_noticed(tmp_path: Path) -> None:
    path = write(tmp_path / "run.jsonl")
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([lines[0], *lines[2:]]))
    with pytest.raises(RunFileError, match="counts 1 cells, the file holds 0"):
        read_run(path)


def test_another_schema_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "run.jsonl")
    path.write_text(path.read_text().replace('"schema":1', '"schema":2,"new":0'))
    with pytest.raises(RunFileError, match="schema 2"):
        read_run(path)


# --- what is refused, with its line and field -------------------------------------------------------------------------

CELL_LINE = 3
REFUSED: dict[str, tuple[str, Any, str]] = {
    "a text for a number": ("ratio", "large", "`$.ratio`"),
    "a number for a text": ("explanation", 3, "`$.explanation`"),
    "an unknown verdict": ("verdict", "fine", "`$.verdict`"),
    "an unknown severity": ("severity", "mild", "`$.severity`"),
    "an unknown kind of record": ("kind", "cel", "`$.kind`"),
    "an unknown field": ("verdit", "agrees", "verdit"),
    "an unknown outcome": ("outcome", {"kind": "exploded"}, "`$.outcome.kind`"),
    "a field of another outcome": ("outcome", {"kind": "value", "message": "no"}, "message"),
    "a shape of texts": ("outcome", {"kind": "value", "shape": ["2"]}, "`$.outcome.shape[0]`"),
    "an unknown observation": ("observed", {"kind": "strange"}, "`$.observed.kind`"),
    "a sentence for numbers": ("got", "about three", "`$.got`"),
    "numbers that are none": ("truth", [1.0, [True]], "`$.truth`"),
    "a case nobody knows": ("case", "edges/c", "case: 'edges/c'"),
    "an implementation nobody knows": ("implementation", "jax", "implementation: 'jax'"),
    "a cell twice": ("aspect", "value", "a second time, the first is at line 2"),
    "a mode nobody knows": ("mode", "grpah", "mode: torch has no mode 'grpah'"),
    "a dtype nobody knows": ("dtype", "float23", "`$.dtype`"),
    "a grade nobody gives": ("grade", "G", "`$.grade`"),
    "a tolerance of words": ("error_scale", {"1": "small"}, "`$.error_scale"),
    "more digits than a number has": ("ratio", 10**400, "out of range"),
    "a place before the first": ("worst", -1, "`$.worst`"),
    "more axes than an array has": ("got", json.loads("[" * 40 + "]" * 40), "`$.got`"),
    "a whole number beyond 64 bits": ("truth", 2**64, "`$.truth`"),
    "agreement of what crashed": ("verdict", "agrees", "`$.outcome.kind` is crashed"),
    "refusal of what has a value": ("verdict", "unsupported", "`$.outcome.kind` is value"),
    "known by no entry": ("verdict", "known", "`$.ledger`"),
    "disagreement that saw nothing": ("observed", None, "`$.observed`"),
}
BESIDES = {"agreement of what crashed": {"outcome": {"kind": "crashed", "signal": "SIGABRT"}}}
"""What else is changed in the line."""


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_wrong_is_named_with_its_line_and_field(tmp_path: Path, name: str) -> None:
    field, value, says = REFUSED[name]
    lines = [dict(line) for line in LINES]
    lines[CELL_LINE - 1] |= {field: value, **BESIDES.get(name, {})}
    refusal = refused(tmp_path, lines)
    assert f"run.jsonl:{CELL_LINE}: " in refusal
    assert says in refusal


FOOTERS: dict[str, tuple[dict[str, Any], str]] = {
    "too many cells": ({"cells": 9}, "cells: the footer counts 9"),
    "cells of other verdicts": ({"verdicts": {"agrees": 2, "known": 1, "timed_out": 1}}, "2 cells of agrees"),
    "verdicts nobody knows": ({"verdicts": {"fine": 4}}, "`$.verdicts"),
    "a problem nobody knows": ({"problems": [{"kind": "odd", "what": "", "hint": ""}]}, "problems[0].kind`"),
}


@pytest.mark.parametrize("name", FOOTERS)
def test_a_footer_that_contradicts_the_cells_is_refused(tmp_path: Path, name: str) -> None:
    fields, says = FOOTERS[name]
    refusal = refused(tmp_path, [*LINES[:-1], {**LINES[-1], **fields}])
    assert f"run.jsonl:{len(LINES)}: " in refusal
    assert says in refusal


SPEEDS: dict[str, tuple[dict[str, Any], str]] = {
    "no verdict": ({"figures": {"passes": "forward", "threads": 1}}, "`judged`"),
    "a verdict nobody knows": ({"figures": {**MEASURED, "judged": "fine"}}, "`$.figures.judged`"),
    "ratios of nothing": ({"figures": {**MEASURED, "ratios": [0.0]}}, "`$.figures.ratios"),
    "ratios of words": ({"figures": {**MEASURED, "ratios": ["1"]}}, "`$.figures.ratios"),
    "more digits than a number has": ({"figures": {**MEASURED, "more": 2**64}}, "`$.figures.more`"),
    "an implementation nobody knows": ({"implementation": "jax"}, "implementation: 'jax'"),
    "a mode nobody knows": ({"mode": "xla"}, "mode: torch has no mode 'xla'"),
    "a workload nobody knows": ({"workload": "workloads/x"}, "workload: 'workloads/x'"),
}


@pytest.mark.parametrize("name", SPEEDS)
def test_a_measurement_is_held_to_the_header_and_to_what_is_asked_of_it(tmp_path: Path, name: str) -> None:
    fields, says = SPEEDS[name]
    lines = [dict(line) for line in LINES]
    lines[0] = {**lines[0], "suite": {**lines[0]["suite"], "workloads": {"workloads/w": {"loss": "softmax"}}}}
    lines[-2] |= fields
    refusal = refused(tmp_path, lines)
    assert f"run.jsonl:{len(LINES) - 1}: " in refusal
    assert says in refusal


def test_a_measurement_twice_is_refused(tmp_path: Path) -> None:
    assert "a second time" in refused(tmp_path, [*LINES[:-1], LINES[-2], LINES[-1]])


def test_what_could_not_start_has_no_cells_but_missing_ones(tmp_path: Path) -> None:
    header = {**LINES[0], "implementations": {"torch": {"version": "?", "missing": "no module"}}}
    assert "run.jsonl:2: implementation: 'torch' could not start" in refused(tmp_path, [header, *LINES[1:]])


def test_a_small_file_that_unpacks_to_a_large_one_is_refused_before_it_fills_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_file, "LARGEST_RUN", 2**20)
    for name, content in (("run.jsonl", b" " * (2**20 + 1)), ("run.jsonl.gz", gzip.compress(b" " * 2**24))):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(RunFileError, match="larger than"):
            read_run(tmp_path / name)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"suite": {"version": 1}}, "`$.suite.version`"),
        ({"suite": {"version": "1", "digest": 1}}, "`$.suite.digest`"),
        ({"suite": {"version": "1", "digest": "", "cases": {"documents/a": {}}}}, "`$.suite.cases"),
        ({"suite": {"version": "1", "digest": "", "ledger": {"a": {}}}}, "`$.suite.ledger"),
        ({"machine": {"cpu": []}}, "`$.machine"),
        ({"machine": {"cores": 10**400}}, "out of range"),
        ({"certificate": {"holds": "yes"}}, "`$.certificate.holds`"),
        ({"certificate": {"holds": True, "more": 10**30}}, "`$.certificate.more` is a whole number of more than 64"),
        ({"certificate": {"holds": True, "more": json.loads("[" * 40 + "]" * 40)}}, "nested too deep"),
        ({"implementations": {"torch": {"version": 2}}}, "`$.implementations"),
        ({"implementations": {"torch": {"facts": []}}}, "`$.implementations"),
        ({"started": None}, "`$.started`"),
    ],
)
def test_a_header_of_wrong_types_is_refused(tmp_path: Path, fields: dict[str, Any], says: str) -> None:
    refusal = refused(tmp_path, [{**LINES[0], **fields}, *LINES[1:]])
    assert "run.jsonl:1: " in refusal
    assert says in refusal


def refused(place: Path, lines: list[dict[str, Any]]) -> str:
    path = place / "run.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    with pytest.raises(RunFileError) as caught:
        read_run(path)
    return str(caught.value)


@pytest.mark.parametrize("field", ["schema", "cells", "seconds"])
@pytest.mark.parametrize("value", ["9" * 5000, "1e999", "[" * 99_999, "1" + "0" * 400])
def test_no_number_and_no_nesting_is_too_much_for_the_reader(tmp_path: Path, field: str, value: str) -> None:
    lines = [json.dumps(line) for line in LINES]
    place = {"schema": 0, "cells": -1, "seconds": CELL_LINE - 1}[field]
    lines[place] = lines[place].removesuffix("}") + f', "{field}": {value}}}'
    path = tmp_path / "run.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(RunFileError, match=rf"run.jsonl:{place % len(LINES) + 1}: ") as caught:
        read_run(path)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("command", [("gate",), ("accept",), ("report",), ("merge", "-o", "merged.jsonl")])
def test_a_file_that_is_no_run_ends_every_command_with_9(tmp_path: Path, command: tuple[str, ...]) -> None:
    write_run(tmp_path / "sound.jsonl", RUN)
    bad = tmp_path / "bad.jsonl"
    bad.write_text((tmp_path / "sound.jsonl").read_text().replace('"ratio":0.5', '"ratio":NaN'), encoding="utf-8")
    first, *more = command
    against = ("--baseline", tmp_path / "b.jsonl.gz", "--ledger", tmp_path) if first == "accept" else ()
    output = [tmp_path / word if word.endswith(".jsonl") else word for word in more]
    files = (bad, tmp_path / "sound.jsonl") if first in ("gate", "merge") else (bad,)
    done = xent(first, *output, *files, *against)
    assert done.returncode == 9, done.stdout + done.stderr
    assert "bad.jsonl:2: " in done.stderr
    assert "Traceback" not in done.stderr


# --- whatever happened to a file --------------------------------------------------------------------------------------


@given(st.text(max_size=40))
def test_any_line_is_a_record_or_an_error_of_ours(line: str) -> None:
    with contextlib.suppress(RunFileError):
        from_json(line)


@given(st.text(), st.text())
def test_hostile_text_survives_unchanged(case: str, explanation: str) -> None:
    cell = Cell(case, "x", "y", "float32", "value", "agrees", {"kind": "value"}, explanation=explanation)
    line = to_json(cell)
    assert from_json(line) == cell
    assert "\n" not in line


@given(st.text(st.characters(categories=("Cs", "L"))))
def test_what_is_no_character_is_replaced(message: str) -> None:
    raises = {"kind": "raises", "type": "E", "message": message}
    cell = Cell("a", "x", "y", "float32", "value", "agrees", raises, observed=Observed("raises", error=message))
    read = from_json(to_json(cell))
    assert isinstance(read, Cell)
    assert to_json(read) == to_json(cell)
    read.outcome["message"].encode("utf-8")  # would raise for what is no character


@given(st.dictionaries(st.text(), st.floats() | st.integers(-(2**63), 2**63 - 1) | st.text() | st.booleans()))
def test_whatever_the_options_of_a_case_are_the_header_is_read_back(options: dict[str, Any]) -> None:
    case = {"loss": "softmax", "options": options, "inputs": {}}
    line = to_json(replace(HEADER, suite={**HEADER.suite, "cases": {"documents/a": case}}))
    read = from_json(line)
    assert isinstance(read, Header)
    assert to_json(read) == line


@given(st.sampled_from(OBSERVED), st.none() | st.text(), st.none() | st.text(), st.none() | st.text())
def test_what_was_observed_is_read_back(kind: str, of: str | None, error: str | None, dtype: str | None) -> None:
    cell = Cell(
        "a", "x", "y", "float32", "value", "agrees", {"kind": "value"}, observed=Observed(kind, of, error, dtype)
    )
    assert from_json(to_json(cell)) == cell


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.sampled_from(("nan", "value")),
    lambda some: (
        st.lists(some, max_size=2) | st.dictionaries(st.sampled_from(("kind", "worst", "x")), some, max_size=2)
    ),
    max_leaves=4,
)


def paths_in(value: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [here, *(path for key, entry in entries for path in paths_in(entry, (*here, key)))]


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A run file to which one to three things have happened."""
    lines: list[Any] = json.loads(json.dumps(LINES))
    for _ in range(draw(st.integers(1, 3))):
        number = draw(st.integers(0, max(len(lines) - 1, 0)))
        match draw(st.sampled_from(("replaced", "removed", "added", "line again", "line lost", "lines swapped"))):
            case "line again" if lines:
                lines.insert(draw(st.integers(0, len(lines))), json.loads(json.dumps(lines[number])))
            case "line lost" if lines:
                del lines[number]
            case "lines swapped" if lines:
                other = draw(st.integers(0, len(lines) - 1))
                lines[number], lines[other] = lines[other], lines[number]
            case change if lines:
                *way, last = draw(st.sampled_from([path for path in paths_in(lines[number]) if path] or [("kind",)]))
                place = lines[number]
                for step in way:
                    place = place[step]
                if change == "removed" and isinstance(place, dict):
                    place.pop(last, None)
                elif change == "added" and isinstance(place, dict):
                    place[draw(st.text(max_size=5))] = draw(anything)
                elif isinstance(place, dict | list):
                    place[last] = draw(anything)
    content = "".join(json.dumps(line) + "\n" for line in lines).encode()
    if draw(st.booleans()):
        start = draw(st.integers(0, len(content)))
        content = content[:start] + draw(st.binary(max_size=3)) + content[start + draw(st.integers(0, 30)) :]
    return content


@given(damaged(), st.booleans())
def test_whatever_happened_to_a_file_it_is_a_run_or_refused_by_name(content: bytes, compressed: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / ("run.jsonl.gz" if compressed else "run.jsonl")
        path.write_bytes(gzip.compress(content) if compressed else content)
        try:
            run = read_run(path)
        except RunFileError as error:
            if not str(error).startswith(str(path)):
                raise
            return
        write_run(path, run)
        assert read_run(path) == run
        with contextlib.suppress(NotComparable):
            gate(RUN, run)
