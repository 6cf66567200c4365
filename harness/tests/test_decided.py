"""An entry is fixed only by a run that asked everything it is about: no part of a run takes one out of the ledger."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.adapters.base import Answer, Array, Call, Description
from harness.core.case import ExpectInvariances
from harness.core.cell import MODE_AGREEMENT
from harness.core.ledger import Entry, Pin, Selector
from harness.judgement.ledger import Ledger, any_matches, selects
from harness.judgement.truth import aspects
from harness.runs.auditing import audited_again
from harness.runs.decided import Asked, is_decided
from harness.runs.merge import merge
from harness.runs.run_file import read_run
from harness.suite.ledger_files import load_entries
from harness.suite.loading import load_text

pytestmark = pytest.mark.slow

CASES = """\
- id: parts/one
  title: Three classes
  why: A value and a gradient in two dtypes.
  loss: softmax_cross_entropy
  inputs: {logits: [[1, 2, 3]], targets: [1]}
  dtypes: [float64, float16]
- id: parts/two
  title: Probabilities
  why: A value without a gradient, in one dtype.
  loss: softmax
  inputs: {logits: [[1, 3]]}
  dtypes: [float16]
- id: parts/bits
  title: The bits of three classes
  why: Nothing of it can be wrong.
  loss: softmax
  inputs: {logits: [[1, 3]]}
  expect: {invariances: [second-call]}
  dtypes: [float64]
"""
DESCRIBED = {
    "narrow": Description("1.5", ("softmax",), modes=("eager",), dtypes=("float64", "float16")),
    "wide": Description("2.0", ("softmax", "softmax_cross_entropy"), modes=("eager", "graph")),
}
EVERYTHING, _PROBLEMS = load_text(CASES, "parts.yaml", "parts")
FILES = {case.id: "parts.yaml" for case in EVERYTHING}
COMPLETE = [
    (case.id, name, mode, dtype)
    for case in EVERYTHING
    for name, described in DESCRIBED.items()
    if case.loss in described.losses
    for mode in described.modes
    for dtype in case.dtypes
    if dtype in described.dtypes
]


def patterns(*names: str) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(names), min_size=1, max_size=2).map(tuple)


ENTRIES = st.builds(
    Entry,
    id=st.just("an-entry"),
    cases=patterns("parts/*", "parts/one", "parts/two", "parts/bits", "other/*"),
    implementations=patterns("narrow", "wide", "*"),
    pin=st.just(Pin("finite")),
    reason=st.just("a cause"),
    upstream=st.just("none found"),
    versions=st.sampled_from(["", ">=2", "<2", ">=3"]),
    modes=patterns("*", "eager", "graph"),
    dtypes=patterns("*", "float64", "float16"),
    aspects=patterns("*", "value", "gradient", MODE_AGREEMENT),
)


def needed(entry: Entry) -> set[tuple[str, str, str, str]]:
    """The calls that a complete run judges the cells of an entry from."""
    calls: set[tuple[str, str, str, str]] = set()
    cases = {case.id: case for case in EVERYTHING}
    for case, name, mode, dtype in COMPLETE:
        if isinstance(cases[case].expect, ExpectInvariances):
            continue
        first = DESCRIBED[name].modes[0]
        of_mode = [] if mode == first else [MODE_AGREEMENT]
        for aspect in (*aspects(cases[case]), *of_mode):
            if selects(entry, Selector(case, name, mode, dtype, aspect, DESCRIBED[name].version)):
                calls |= {(case, name, mode, dtype)} | ({(case, name, first, dtype)} if aspect in of_mode else set())
    return calls


@given(ENTRIES, st.data())
def test_an_entry_is_decided_by_just_the_runs_that_asked_all_it_is_about(entry: Entry, data: st.DataObject) -> None:
    without = st.sampled_from(COMPLETE).map(lambda call: set(COMPLETE) - {call})
    asked = data.draw(st.sets(st.sampled_from(COMPLETE)) | without | st.just(needed(entry)))
    of_all = Asked(asked, FILES, DESCRIBED)
    assert is_decided(entry, of_all, EVERYTHING, DESCRIBED) == (needed(entry) <= asked)


def test_how_modes_agree_is_decided_by_both() -> None:
    compared = Entry(
        "an-entry",
        ("*",),
        ("wide",),
        Pin("finite"),
        "a cause",
        "none found",
        modes=("graph",),
        aspects=(MODE_AGREEMENT,),
    )
    graph = {call for call in COMPLETE if call[2] == "graph"}
    assert not is_decided(compared, Asked(graph, FILES, DESCRIBED), EVERYTHING, DESCRIBED)
    assert is_decided(compared, Asked(needed(compared), FILES, DESCRIBED), EVERYTHING, DESCRIBED)


@given(ENTRIES)
def test_what_did_not_run_and_a_case_of_the_same_name_decide_nothing(entry: Entry) -> None:
    started = {name: described for name, described in DESCRIBED.items() if name != "wide"}
    about_it = {"wide", "*"} & set(entry.implementations)
    assert not about_it or not is_decided(entry, Asked(set(COMPLETE), FILES, started), EVERYTHING, DESCRIBED)
    elsewhere = Asked(set(COMPLETE), dict.fromkeys(FILES, "mine.yaml"), DESCRIBED)
    selected = [case for case in EVERYTHING if any_matches(entry.cases, case.id)]
    assert is_decided(entry, elsewhere, EVERYTHING, DESCRIBED) == (not selected)


# -- through the commands ----------------------------------------------------------------------------------------------


class Once:
    """Was wrong in one mode, dtype and case, and is so still where XENT_TEST_WRONG is set."""

    def describe(self) -> Description:
        return Description("1", ("softmax",), modes=("eager", "graph"))

    def evaluate(self, call: Call) -> Answer:
        z = call.inputs["logits"].to_float64()
        if z.shape[1] == 3 and os.environ.get("XENT_TEST_DIES"):
            os.abort()
        p = np.exp(z) / np.exp(z).sum(axis=-1, keepdims=True)
        is_wrong = (call.mode, call.dtype, z.shape[1]) == ("graph", "float16", 3)
        return Answer(Array.of(2 * p if is_wrong and os.environ.get("XENT_TEST_WRONG") else p, call.dtype), "once")


ENTRY = f"""\
- id: once-doubled
  cases: ["mine/classes-*"]
  implementations: ["{__name__}:*"]
  aspects: [value, mode_agreement]
  outcome: {{kind: finite}}
  reason: The graph multiplies the halves by two, which is the whole point of it.
  upstream: none found
"""
MINE = """\
- id: mine/classes-2
  title: Two classes
  why: It was never wrong.
  loss: softmax
  inputs: {logits: [[1, 3]]}
  dtypes: [float64, float16]
- id: mine/classes-3
  title: Three classes
  why: It was wrong.
  loss: softmax
  inputs: {logits: [[1, 3, 2]]}
  dtypes: [float64, float16]
"""
PARTS = {
    "one case": ("mine/cases.yaml", "--modes", "all", "--shard", "1/2"),
    "one dtype": ("mine/cases.yaml", "--modes", "all", "--dtypes", "float64"),
    "one mode": ("mine/cases.yaml",),
}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    for folder in ("mine", "ledger"):
        (tmp_path / folder).mkdir()
    (tmp_path / "mine" / "cases.yaml").write_text(MINE, encoding="utf-8")
    (tmp_path / "ledger" / "mine.yaml").write_text(ENTRY, encoding="utf-8")
    return tmp_path


def xent(place: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "harness", *words]
    told = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2]), **environment}
    return subprocess.run(command, cwd=place, env=told, capture_output=True, text=True, check=False)


def run(place: Path, *words: str, **environment: str) -> int:
    words = ("run", *words, "-i", f"{__name__}:Once", "--ledger", "ledger", "-o", "run.jsonl")
    return xent(place, *words, **environment).returncode


@pytest.mark.parametrize("part", list(PARTS))
def test_a_part_of_what_an_entry_is_about_does_not_end_with_6(place: Path, part: str) -> None:
    assert run(place, *PARTS[part]) == 0
    assert read_run(place / "run.jsonl").footer.problems == ()


def test_accepting_a_part_removes_nothing(place: Path) -> None:
    assert run(place, *PARTS["one case"]) == 0
    accepted = xent(place, "accept", "run.jsonl", "--ledger", "ledger", "--baseline", "baseline.jsonl")
    assert accepted.returncode == 0, accepted.stdout + accepted.stderr
    assert (place / "ledger" / "mine.yaml").read_text(encoding="utf-8") == ENTRY


def test_all_of_it_does_where_it_no_longer_happens(place: Path) -> None:
    assert run(place, "mine/cases.yaml", "--modes", "all", XENT_TEST_WRONG="1") == 0
    assert run(place, "mine/cases.yaml", "--modes", "all") == 6
    accepted = xent(place, "accept", "run.jsonl", "--ledger", "ledger", "--baseline", "baseline.jsonl")
    assert "removed:  once-doubled" in accepted.stdout
    assert (place / "ledger" / "mine.yaml").read_text(encoding="utf-8") == ""


def test_parts_that_decide_nothing_by_themselves_decide_together(place: Path) -> None:
    for part in ("1", "2"):
        assert run(place, "mine/cases.yaml", "--modes", "all", "--shard", f"{part}/2") == 0
        (place / "run.jsonl").rename(place / f"{part}.jsonl")
    whole = merge([read_run(place / "1.jsonl"), read_run(place / "2.jsonl")])
    with contextlib.chdir(place):
        ledger = Ledger(load_entries(Path("ledger")))
        assert [p.entry for p in audited_again(whole, ledger).footer.problems] == ["once-doubled"]
        other = Ledger(tuple(replace(entry, reason="Another entry by now.") for entry in ledger.entries))
        assert audited_again(whole, other).footer.problems == ()


def test_what_died_and_another_implementation_that_was_not_run_decide_nothing(place: Path) -> None:
    assert run(place, "mine/cases.yaml", "--modes", "all", XENT_TEST_DIES="1") != 6
    assert [p.kind for p in read_run(place / "run.jsonl").footer.problems if p.kind == "fixed"] == []
    file = place / "ledger" / "mine.yaml"
    file.write_text(ENTRY.replace(f'["{__name__}:*"]', f'["{__name__}:*", torch]'), encoding="utf-8")
    assert run(place, "mine/cases.yaml", "--modes", "all") == 0


def test_somebodys_own_case_under_a_name_of_the_suite_makes_no_entry_stale(place: Path) -> None:
    (place / "documents").mkdir()
    text = MINE.replace("mine/classes-2", "documents/d4-dog-in-bits").replace("mine/", "documents/")
    (place / "documents" / "cases.yaml").write_text(text, encoding="utf-8")
    file = place / "ledger" / "mine.yaml"
    file.write_text(ENTRY.replace("mine/classes-*", "documents/d4-dog-in-bits"), encoding="utf-8")
    assert run(place, "documents/cases.yaml", "--modes", "all") == 0
