"""Fuzzing: what is drawn, how it is filed and shrunk, and that it accuses nobody wrongly."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.adapters.base import Description
from harness.adapters.registry import resolve
from harness.core.case import ArraySpec, ExpectRaises, ExpectTruth
from harness.core.cell import Cell, Observed
from harness.core.exit_codes import ExitCode
from harness.core.ledger import Entry, Pin
from harness.execution.pool import WorkerPool
from harness.fuzzing.campaign import Campaign, Finding
from harness.fuzzing.causes import Cause, Conditions, condition, explains, outcome_of
from harness.fuzzing.drawing import DRAWN, drawn
from harness.fuzzing.saving import save
from harness.fuzzing.shrinking import smaller, together
from harness.judgement.ledger import Ledger
from harness.judgement.truth_table import truth_table
from harness.runs.executors.here import Here
from harness.suite.generators import realize
from harness.suite.ledger_files import parse_ledger
from harness.suite.loading import load_text
from harness.tests.commands import xent
from harness.tests.pools import PLENTY, miniature, softmax_case
from harness.tests.shipped import shipped_cases
from reference.evaluation import TWICE_DIFFERENTIABLE

pytestmark = pytest.mark.slow


@contextmanager
def campaign(name: str, seed: int = 0, losses: tuple[str, ...] = ("softmax_cross_entropy",)) -> Iterator[Campaign]:
    with WorkerPool([resolve(name)], timeout=30.0, parallel=1) as pool:
        descriptions, absent = pool.start()
        assert not absent
        yield Campaign(pool, descriptions, Ledger(), (), losses, seed)


def in_silence(_: Campaign, __: float) -> None:
    """Progress that nobody reads."""


def found(name: str, seed: int = 0, cases: int = 8) -> list[Finding]:
    with campaign(name, seed) as it:
        it.run_cases(cases, in_silence)
        return it.shown


def test_a_campaign_in_parts_finds_what_it_finds_as_a_whole() -> None:
    told = []
    for width in (0, 2):
        with campaign("mutant:second-diagonal.softmax_cross_entropy") as it:
            if width:
                with Here(width) as here:
                    it.run_cases_on(here, None, 100, in_silence)
            else:
                it.run_cases(100, in_silence)
            shown = [(f.cause, repr(f.case), f.dtype, f.count, f.conditions) for f in it.shown]
            told.append((shown, it.tally.judged, it.tally.lost, it.statuses, it.by_convention))
    assert told[0] == told[1]
    assert told[0][1].total() > 100


def test_an_executor_is_asked_a_number_of_cases_and_not_until_a_time() -> None:
    ended = xent("fuzz", "-i", "numpy", "--minutes", "1", "--executor", "dask")
    assert ended.returncode == ExitCode.USAGE
    assert "say --cases N" in ended.stderr


def test_the_same_seed_draws_the_same_cases_and_another_draws_others() -> None:
    assert repr(drawn(7, DRAWN, 2)) == repr(drawn(7, DRAWN, 2))  # nan is not equal to itself
    assert repr(drawn(7, DRAWN, 2)) != repr(drawn(8, DRAWN, 2))
    assert len({case.id for n in range(3) for case in drawn(7, DRAWN, n)}) > 100


def test_a_seed_draws_the_same_whatever_else_is_imported() -> None:
    write = "from harness.fuzzing.drawing import DRAWN, drawn; print(hash_of(repr(drawn(7, DRAWN, 2))))"
    digest = "import hashlib; hash_of = lambda text: hashlib.sha256(text.encode()).hexdigest();"
    more = "import harness.cli.main, harness.certification.grid, harness.mistakes.diagnosis, reports.html;"
    seen = {
        subprocess.run([sys.executable, "-c", program + write], capture_output=True, text=True, check=True).stdout
        for program in (digest, digest + more)
    }
    assert len(seen) == 1


def test_every_loss_and_format_is_drawn() -> None:
    cases = [case for n in range(8) for case in drawn(0, DRAWN, n)]
    assert {case.loss for case in cases} == set(DRAWN)
    assert {case.dtypes[0] for case in cases} == {"float64", "float32", "float16", "bfloat16"}


def test_second_derivatives_fused_layers_and_single_rows_are_drawn() -> None:
    losses = (*TWICE_DIFFERENTIABLE, "log_softmax")
    cases = [case for n in range(8) for case in drawn(1, losses, n)]
    assert {case.loss for case in cases if case.vector is not None} == set(TWICE_DIFFERENTIABLE)
    assert {np.shape(case.inputs["logits"].values) for case in cases if case.loss == "log_softmax"} >= {(3,), (4, 3)}
    classes = [case for n in range(8) for case in drawn(1, ("softmax_cross_entropy",), n)]
    alone = [case for case in classes if np.shape(case.inputs["logits"].values) == (3,)]
    assert {np.shape(case.inputs["targets"].values) for case in alone} == {(), (3,)}
    fused = [case for case in cases if case.loss == "linear_cross_entropy"]
    assert {"bias" in case.inputs for case in fused} == {True, False}
    assert {case.differentiate for case in fused} >= {("hidden", "weight", "bias"), ("hidden", "weight")}


def test_a_saved_finding_comes_with_a_script_and_an_issue_and_keeps_its_vector(tmp_path: Path) -> None:
    (base,) = found("mutant:log-base-2.softmax_cross_entropy", seed=3, cases=4)[:1]
    cause, cell = replace(base.cause, implementation="torch"), replace(base.cell, implementation="torch")
    case = replace(base.case, vector=base.case.inputs["logits"])
    described = Description("2.13", (case.loss,), versions={"torch": "2.13"})
    paths = save([replace(base, cause=cause, cell=cell, case=case)], tmp_path, {"torch": described}, {})
    script, issue = paths[2:]
    assert (script.parent.name, issue.parent.name) == ("scripts", "issues")
    assert script.read_text(encoding="utf-8").rstrip() in issue.read_text(encoding="utf-8")
    assert "- torch 2.13" in issue.read_text(encoding="utf-8")
    (saved,), problems = load_text(paths[0].read_text(encoding="utf-8"), "found.yaml", "edges")
    assert problems == []
    assert saved.vector == case.vector


def test_a_wrong_second_derivative_is_found_and_shrunk_with_its_vector() -> None:
    findings = found("mutant:second-diagonal.softmax_cross_entropy", cases=60)
    twice = [finding for finding in findings if finding.cause.aspect == "hessian_vector"]
    assert twice
    for finding in twice:
        assert finding.case.vector is not None
        assert np.shape(finding.case.vector.values) == np.shape(finding.case.inputs["logits"].values)


def test_rows_and_the_vector_shrink_together_and_the_weight_of_a_layer_stays() -> None:
    rows, labels = ArraySpec(((1.0, 2.0, 3.0), (0.0, 1.0, 0.5))), ArraySpec((2, 0), dtype="int64")
    twice = replace(
        softmax_case(rows),
        loss="softmax_cross_entropy",
        inputs={"logits": rows, "targets": labels},
        vector=rows,
        options={},
    )
    shapes = {
        (np.shape(small.inputs["logits"].values), np.shape(small.vector.values))
        for stage in smaller(twice, "float64")
        for small in stage
        if small.vector is not None
    }
    assert shapes == {((1, 3), (1, 3)), ((2, 2), (2, 2)), ((2, 3), (2, 3))}
    fused = replace(twice, loss="linear_cross_entropy", vector=None, inputs={"hidden": rows, "weight": rows_of(3, 4)})
    fused = replace(fused, inputs={**fused.inputs, "targets": labels}, differentiate=("hidden", "weight"))
    first = next(smaller(fused, "float64"))
    assert [np.shape(small.inputs["hidden"].values) for small in first] == [(1, 3), (1, 3)]
    assert {np.shape(small.inputs["weight"].values) for small in first} == {(3, 4)}


def rows_of(rows: int, columns: int) -> ArraySpec:
    return ArraySpec(tuple(tuple(0.25 * (r - c) for c in range(columns)) for r in range(rows)))


def test_the_implementation_everything_starts_from_is_not_accused() -> None:
    with campaign("numpy", losses=DRAWN) as it:
        it.run_cases(30, in_silence)
        accused = [f for f in it.shown if f.cause.outcome != "returns"]
        assert [str(f.cause) for f in accused if "raises" not in str(f.cause)] == []
        assert it.tally.judged["numpy"] > 30


def test_a_mistake_is_found_and_shrunk_to_one_row() -> None:
    findings = found("mutant:squares-class-weights.softmax_cross_entropy", cases=120)
    assert findings
    wrong = next(f for f in findings if f.cause.aspect == "value" and f.cause.outcome == "finite")
    assert "class weights" in wrong.conditions
    assert all(len(spec.values) == 1 for spec in wrong.case.inputs.values())


def test_the_same_seed_finds_the_same() -> None:
    name = "mutant:log-base-2.softmax_cross_entropy"
    first, second = found(name, seed=3), found(name, seed=3)
    assert first
    assert [(f.cause, f.case, f.dtype) for f in first] == [(f.cause, f.case, f.dtype) for f in second]
    plain = next(f for f in first if f.cause.aspect == "value" and f.cause.outcome == "finite")
    assert all(len(spec.values) == 1 for spec in plain.case.inputs.values() if isinstance(spec.values, tuple))


def test_a_worker_that_dies_is_a_finding_and_the_campaign_goes_on() -> None:
    with campaign(miniature("AbortsAlways"), losses=("softmax",)) as it:
        it.run_cases(4, in_silence)
        assert {f.cause.outcome for f in it.shown} & {"crashed", "missing"}


def test_an_interrupt_keeps_what_was_found() -> None:
    mutant = "mutant:log-base-2.softmax_cross_entropy"
    command = [sys.executable, "-m", "harness", "fuzz", "-i", mutant, "--minutes", "10", "--no-ledger"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        next(line for line in process.stderr if re.search(r"[1-9]\d* findings", line))
        process.send_signal(signal.SIGINT)
        said, complained = process.communicate(timeout=PLENTY)
    assert "interrupted: what was found so far follows" in complained
    assert f"{mutant} (eager) softmax_cross_entropy value: finite" in said
    assert process.returncode == ExitCode.INTERRUPTED


def test_what_is_right_by_convention_is_noted() -> None:
    with campaign("scratch-d4", losses=("entropy",)) as it:
        it.run_cases(32, in_silence)
        assert ("scratch-d4", "entropy", "base(2)") in it.by_convention


def test_every_written_case_has_a_condition() -> None:
    assert all(isinstance(word, str) for case in shipped_cases() for word in condition(case, case.dtypes[0]))


@pytest.mark.parametrize(
    ("verdict", "observed", "outcome"),
    [
        ("disagrees", Observed("dtype", of="value", dtype="float32"), "dtype"),
        ("disagrees", Observed("shape", of="value"), "shape"),
        ("crashed", None, "crashed"),
    ],
)
def test_a_finding_is_filed_under_what_was_observed(verdict: str, observed: Observed | None, outcome: str) -> None:
    cell = Cell("c", "it", "class", "bfloat16", "mode_agreement", verdict, {}, observed=observed)
    assert outcome_of(cell) == outcome


@pytest.mark.parametrize(
    ("dtype", "kind", "known"),
    [("float32", "raises", True), ("bfloat16", "raises", False), ("float32", "finite", False)],
)
def test_who_refuses_an_input_does_so_in_every_floating_type(dtype: str, kind: str, known: bool) -> None:
    """The case is run in float32 alone, which the entry therefore names; a number is another matter."""
    refused = "edges/labels-int8-softmax-cross-entropy"
    entry = Entry("refusal", (refused,), ("it",), Pin(kind), "A test.", "none found", dtypes=(dtype,))
    cause = Cause("it", "eager", "softmax_cross_entropy", "value", kind)
    assert explains(entry, cause, frozenset({"int8 labels"}), "float64", Conditions(shipped_cases())) is known


def test_changes_to_numbers_are_made_together_and_others_are_not() -> None:
    logits = ArraySpec(((1.5, -2.0, 7.0),))
    case = softmax_case(logits)
    first, second = softmax_case(ArraySpec(((0.0, -2.0, 7.0),))), softmax_case(ArraySpec(((1.0, -2.0, 0.0),)))
    both = together(case, [first, second])
    assert both is not None
    assert both.inputs["logits"].values == ((0.0, -2.0, 0.0),)
    assert together(case, [first, replace(case, options={"axis": 0})]) is None
    assert together(case, [softmax_case(ArraySpec(((1.5, -2.0),)))]) is None


def test_shrinking_never_says_more() -> None:
    for case in drawn(1, ("softmax_cross_entropy",), 0):
        for candidate in (one for stage in smaller(case, "float32") for one in stage):
            assert len(candidate.options) <= len(case.options)
            assert repr(candidate) != repr(case)  # −0 and 0 are equal


def test_what_is_wrong_with_an_input_outlives_shrinking() -> None:
    kinds: set[str] = set()
    for case in (case for n in range(12) for case in drawn(0, DRAWN, n)):
        if not isinstance(case.expect, ExpectRaises):
            continue
        kinds.add(case.expect.kind)
        for candidate in (one for stage in smaller(case, case.dtypes[0]) for one in stage):
            refusal = truth_table(candidate, case.dtypes[0], realize).under().refusal
            assert refusal is not None, (case, candidate)
    assert kinds == {"out_of_range_label", "invalid_probability", "invalid_option", "shape_mismatch"}


def test_an_error_is_still_wrong_for_the_smallest_input_that_shows_it() -> None:
    with campaign("mutant:raises", losses=("binary_cross_entropy", "categorical_cross_entropy")) as it:
        it.run_cases(24, in_silence)
        raising = [f for f in it.shown if f.cause.outcome == "raises" and isinstance(f.case.expect, ExpectTruth)]
        refused = [truth_table(f.case, f.dtype, realize).under().refusal for f in raising]
    assert refused
    assert set(refused) == {None}


def test_a_folder_with_the_findings_of_an_earlier_campaign_is_refused_before_anything_is_asked(tmp_path: Path) -> None:
    (tmp_path / "edges").mkdir()
    (tmp_path / "edges" / "found.yaml").write_text("[]\n")
    done = xent("fuzz", "-i", "mutant:sound", "--cases", "1", "--save", ".", folder=tmp_path)
    assert done.returncode == 4
    assert "found.yaml holds what an earlier campaign found; name another folder" in done.stderr
    assert [path.name for path in tmp_path.rglob("*.yaml")] == ["found.yaml"]


def test_saved_findings_are_a_case_and_a_stub_that_lint_refuses(tmp_path: Path) -> None:
    findings = found("mutant:log-base-2.softmax_cross_entropy", seed=3)
    described = {f.cause.implementation: Description("1", (f.cause.loss,)) for f in findings}
    paths = save(findings, tmp_path, described, {"platform": "Linux"})
    case_file, stub_file = paths[:2]
    cases, problems = load_text(case_file.read_text(encoding="utf-8"), "found.yaml", "edges")
    assert problems == []
    assert [condition(c, c.dtypes[0]) for c in cases] == [f.conditions for f in findings]
    for case, finding in zip(cases, findings, strict=True):
        assert case.inputs == {n: replace(s) for n, s in finding.case.inputs.items()}
    _, refused = parse_ledger(stub_file.read_text(encoding="utf-8"), "found.yaml")
    assert len(refused) == len(findings)
    assert all("written by a person" in problem.message for problem in refused)
    reason = "The logarithm has base 2, so every loss is too large by 1/ln 2."
    mended = stub_file.read_text(encoding="utf-8").replace('"TODO: why does this happen?"', f'"{reason}"')
    entries, problems = parse_ledger(mended, "found.yaml")
    assert problems == []
    assert {e.cases[0] for e in entries} == {c.id for c in cases}


@pytest.mark.parametrize("word", ["confident logits", "targets that do not sum to 1"])
def test_conditions_are_words(word: str) -> None:
    assert any(word in condition(case, "float64") for n in range(3) for case in drawn(0, ("softmax_cross_entropy",), n))
