"""Refusals: each is told once, nothing is refused that was not, and runs compare the same however they are written."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as Xml

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import reports.junit
from harness.adapters.base import Answer, Array, Call, Description, Unsupported
from harness.core.call import Question
from harness.core.cell import EVERY, Cell, Footer, Header, Key, Run, wider
from harness.runs.baseline import comparable_part
from harness.runs.diff import NotComparable, compare_runs
from harness.runs.merge import merge
from harness.runs.plan import refusal
from harness.runs.refusals import Refusals
from harness.runs.run_file import RunFileError, read_run, write_run
from harness.suite.loading import load_text
from harness.tests.commands import WIDE

pytestmark = pytest.mark.slow

DTYPES, ASPECTS, MODES = ("float64", "float32"), ("value", "gradient"), ("eager", "compile")
CASES = """\
- id: edges/plain
  title: Three classes
  why: A loss that is offered.
  loss: softmax_cross_entropy
  inputs: {logits: [[1, 2, 3]], targets: [1]}
  dtypes: [float64, float32]
- id: edges/smoothed
  title: Three classes, smoothed
  why: An option that may be refused.
  loss: softmax_cross_entropy
  inputs: {logits: [[1, 2, 3]], targets: [1]}
  options: {label_smoothing: 0.1}
  dtypes: [float64, float32, float16]
- id: edges/other
  title: Entropy of two classes
  why: A loss that is not offered.
  loss: entropy
  inputs: {probabilities: [[0.5, 0.5]]}
  dtypes: [float64, float32]
"""


class Smooths:
    """Takes two dtypes, one loss, and smoothed labels."""

    def describe(self) -> Description:
        return Description("1", losses=("softmax_cross_entropy",), dtypes=("float64", "float32"), gradients=False)

    def evaluate(self, call: Call) -> Answer:
        z = call.inputs["logits"].to_float64()
        p = np.exp(z) / np.exp(z).sum(axis=-1, keepdims=True)
        smoothing = float(call.options.get("label_smoothing", 0.0))
        y = np.full(3, smoothing / 3) + (1 - smoothing) * np.eye(3)[int(call.inputs["targets"].storage[0])]
        return Answer(Array.of(-(y * np.log(p)).sum(), call.dtype), "smooths")


class Refuses(Smooths):
    """The same, without the option."""

    def evaluate(self, call: Call) -> Answer:
        if call.options.get("label_smoothing"):
            raise Unsupported("no option label_smoothing")
        return super().evaluate(call)


def cell(mode: str, dtype: str, aspect: str, verdict: str) -> Cell:
    if verdict == "unsupported":
        outcome = {"kind": "unsupported", "reason": "no option"}
        return Cell("edges/a", "it", mode, dtype, aspect, verdict, outcome, severity=verdict)
    return Cell("edges/a", "it", mode, dtype, aspect, verdict, {"kind": "value", "digest": aspect}, ratio=0.25)


def run(*cells: Cell) -> Run:
    suite = {"version": "1", "digest": "", "cases": {"edges/a": {"loss": "softmax"}}}
    header = Header(suite, {"it": {"version": "1"}}, {}, "")
    verdicts = Counter(c.verdict for c in cells)
    return Run(header, cells, (), (), Footer(len(cells), verdicts))


def folded(cells: Sequence[Cell]) -> tuple[Cell, ...]:
    """The same with a refusal of all told once, as a run tells it."""
    found: list[Cell] = []
    for mode in dict.fromkeys(c.mode for c in cells):
        of_mode = [c for c in cells if c.mode == mode]
        if all(c.verdict == "unsupported" for c in of_mode):
            found.append(cell(mode, EVERY, EVERY, "unsupported"))
            continue
        for dtype in dict.fromkeys(c.dtype for c in of_mode):
            of_call = [c for c in of_mode if c.dtype == dtype]
            refused = all(c.verdict == "unsupported" for c in of_call)
            found += [cell(mode, dtype, EVERY, "unsupported")] if refused else of_call
    return tuple(found)


VERDICTS = st.sampled_from(["agrees", "unsupported", "unsupported", "disagrees"])


@st.composite
def every_cell(draw: st.DrawFn) -> tuple[Cell, ...]:
    places = [(mode, dtype, aspect) for mode in MODES for dtype in DTYPES for aspect in ASPECTS]
    return tuple(cell(*place, draw(VERDICTS)) for place in places)


@given(every_cell(), every_cell(), st.booleans(), st.booleans())
def test_what_changed_is_the_same_however_refusals_are_written(
    old: tuple[Cell, ...], new: tuple[Cell, ...], fold_old: bool, fold_new: bool
) -> None:
    def told(before: Iterable[Cell], after: Iterable[Cell]) -> list[tuple[str, str, Key]]:
        changes = compare_runs(run(*before), run(*after)).changes
        return [(change.kind, change.sentence, change.cell.key) for change in changes]

    written = (folded(old) if fold_old else old, folded(new) if fold_new else new)
    assert told(*written) == told(old, new)
    assert comparable_part(run(*written[0]), run(*written[1])).cells == written[0]


def test_a_run_in_which_all_is_refused_is_compared_with_each_cell_that_it_loses() -> None:
    before = [cell("eager", dtype, aspect, "agrees") for dtype in DTYPES for aspect in ASPECTS]
    after = run(cell("eager", EVERY, EVERY, "unsupported"))
    lost = compare_runs(comparable_part(run(*before), after), after).changes
    assert [change.cell.key for change in lost] == sorted(c.key for c in before)


OUTCOMES = st.sampled_from(["no option a", "no option b", "answered"])


@given(st.data())
def test_a_refusal_is_told_once_and_nothing_else_is_refused(data: st.DataObject) -> None:
    (case,), _ = load_text(CASES.split("- id: edges/smoothed")[0], "a.yaml", "edges")
    planned = data.draw(st.sets(st.sampled_from(DTYPES)), label="refused without being asked")
    asked = [Question("it", case, dtype, mode) for mode in MODES for dtype in DTYPES if dtype not in planned]
    outcomes: Mapping[tuple[str, str], str] = {(q.mode, q.dtype): data.draw(OUTCOMES) for q in asked}
    whole = data.draw(st.booleans(), label="asked in every dtype")
    refusals = Refusals(
        frozenset({case.id} if whole else ()), Counter((case.id, q.implementation, q.mode) for q in asked)
    )
    told = list(refusals.planned(refusal(case, "it", MODES[0], dtype, f"takes no {dtype}") for dtype in planned))
    for question in data.draw(st.permutations(asked)):
        place, outcome = (question.mode, question.dtype), outcomes[question.mode, question.dtype]
        judged = [cell(*place, aspect, "agrees") for aspect in ASPECTS]
        refused = [refusal(case, "it", *place, outcome)]
        told += refusals.judged(question, judged if outcome == "answered" else refused)
    keys = {c.key for c in told}
    assert len(keys) == len(told)
    assert not any(said in keys for key in keys for said in wider(key))
    reasons = {**outcomes, **{(MODES[0], dtype): f"takes no {dtype}" for dtype in planned}}
    for (mode, dtype), outcome in reasons.items():
        speaking = [c for c in told if c.mode == mode and c.dtype in (dtype, EVERY)]
        if outcome == "answered":
            assert [c.aspect for c in speaking] == list(ASPECTS)
            continue
        (said,) = speaking
        assert outcome in said.outcome["reason"]
        alone = any(o == "answered" for (m, _), o in reasons.items() if m == mode) or not whole
        assert (said.dtype, said.aspect) == (dtype if alone else EVERY, EVERY)


@pytest.mark.parametrize(
    ("cells", "what"),
    [
        ([cell("eager", EVERY, EVERY, "unsupported"), cell("eager", "float32", "value", "agrees")], "as a whole"),
        ([cell("eager", "float32", EVERY, "unsupported"), cell("eager", "float32", "value", "agrees")], "as a whole"),
        ([cell("eager", EVERY, "value", "unsupported")], "only a refusal"),
        ([cell("eager", "float32", EVERY, "agrees")], "only a refusal"),
    ],
)
def test_a_file_that_refuses_a_whole_and_has_a_part_of_it_is_refused(
    tmp_path: Path, cells: Sequence[Cell], what: str
) -> None:
    write_run(tmp_path / "run.jsonl", run(*cells))
    with pytest.raises(RunFileError, match=f"run.jsonl:{len(cells) + 1}: .*{what}"):
        read_run(tmp_path / "run.jsonl")


def test_parts_that_contradict_each_other_are_not_merged() -> None:
    parts = [run(cell("eager", EVERY, EVERY, "unsupported")), run(cell("eager", "float32", "value", "agrees"))]
    with pytest.raises(NotComparable, match="in more than one part"):
        merge(parts)


# -- through the commands ----------------------------------------------------------------------------------------------


def xent(place: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "harness", *words]
    path = str(Path(__file__).resolve().parents[2])
    environment = {"PYTHONPATH": path, "PATH": "", "XDG_CACHE_HOME": str(place), "HOME": str(place), **WIDE}
    return subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, check=False)


def run_of(place: Path, adapter: str, name: str, *words: str) -> Run:
    done = xent(place, "run", "edges/a.yaml", "-i", f"{__name__}:{adapter}", "-o", name, *words)
    written = place / name
    # A part in which all is refused judges nothing, and is a run all the same.
    assert done.returncode in (0, 5), done.stdout + done.stderr
    # One name for both, as two versions of one implementation have.
    written.write_text(written.read_text(encoding="utf-8").replace(f"{__name__}:{adapter}", "it"), encoding="utf-8")
    return read_run(written)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("refusals")
    (folder / "edges").mkdir()
    (folder / "edges" / "a.yaml").write_text(CASES, encoding="utf-8")
    run_of(folder, "Refuses", "refuses.jsonl")
    run_of(folder, "Smooths", "smooths.jsonl")
    return folder


def refused(found: Run) -> dict[tuple[str, str, str], str]:
    return {(c.case, c.dtype, c.aspect): c.outcome["reason"] for c in found.cells if c.verdict == "unsupported"}


NO_GRADIENTS = {
    ("edges/plain", "float64", "gradient"): "no gradient with respect to logits",
    ("edges/plain", "float32", "gradient"): "no gradient with respect to logits",
}
OTHER_LOSS = {("edges/other", EVERY, EVERY): "offers no entropy"}


def test_a_run_tells_a_refusal_once(place: Path) -> None:
    smoothed = {("edges/smoothed", EVERY, EVERY): "takes no float16; no option label_smoothing"}
    assert refused(read_run(place / "refuses.jsonl")) == NO_GRADIENTS | OTHER_LOSS | smoothed
    test_suite = Xml.fromstring(reports.junit.render(read_run(place / "refuses.jsonl")))
    assert len(test_suite.findall(".//skipped")) == 4


def test_what_is_refused_in_some_dtypes_is_told_of_these(place: Path) -> None:
    smoothed = {
        ("edges/smoothed", "float64", "gradient"): "no gradient with respect to logits",
        ("edges/smoothed", "float32", "gradient"): "no gradient with respect to logits",
        ("edges/smoothed", "float16", EVERY): "takes no float16",
    }
    assert refused(read_run(place / "smooths.jsonl")) == NO_GRADIENTS | OTHER_LOSS | smoothed


def test_what_is_offered_now_and_what_no_longer_is_are_told(place: Path) -> None:
    offered = xent(place, "gate", "refuses.jsonl", "smooths.jsonl")
    assert offered.returncode == 7, offered.stdout + offered.stderr
    assert "2 cells changed" in offered.stdout
    assert "is right where it did not offer it" in offered.stdout
    lost = xent(place, "gate", "smooths.jsonl", "refuses.jsonl")
    assert lost.returncode == 7, lost.stdout + lost.stderr
    assert "2 cells changed" in lost.stdout
    assert "does not offer where it was right: takes no float16; no option label_smoothing" in lost.stdout
    assert "xent repro --again 'edges/smoothed[it:eager:float32:value]'" in lost.stdout


def test_a_run_from_before_with_a_cell_for_each_dtype_and_aspect_compares_as_the_same(place: Path) -> None:
    new = read_run(place / "refuses.jsonl")
    old = [c for c in new.cells if c.dtype != EVERY]
    whole = next(c for c in new.cells if c.case == "edges/smoothed")
    old += [replace(whole, dtype=dtype, aspect=aspect) for dtype in (*DTYPES, "float16") for aspect in ASPECTS]
    old += [replace(c, dtype="float64", aspect="value") for c in new.cells if c.case == "edges/other"]
    before = replace(new, cells=tuple(old))
    assert (compare_runs(before, new).changes, compare_runs(new, before).changes) == ((), ())
    write_run(place / "old.jsonl", before)
    done = xent(place, "gate", "refuses.jsonl", "--against", "old.jsonl")
    assert (done.returncode, "Nothing changed" in done.stdout) == (0, True), done.stdout + done.stderr


def test_parts_by_dtype_are_one_run_that_compares_as_the_whole(place: Path) -> None:
    whole = read_run(place / "refuses.jsonl")
    parts = [
        run_of(place, "Refuses", f"{dtype}.jsonl", "--dtypes", dtype) for dtype in ("float64", "float32", "float16")
    ]
    assert refused(parts[1])["edges/smoothed", "float32", EVERY] == "no option label_smoothing"
    merged = merge(parts)
    assert (compare_runs(merged, whole).changes, compare_runs(whole, merged).changes) == ((), ())
    for part in parts:  # each is compared with what the whole says of it, and with nothing else
        assert compare_runs(comparable_part(whole, part), part).changes == ()
