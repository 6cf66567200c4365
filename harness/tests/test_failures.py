"""What is wrong, told once per cause: over all cells of an implementation, the smallest witness first."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from harness.core.cell import SEVERITIES, Cell, Observed
from harness.core.digits import told_apart
from harness.core.shown_values import beside_truth
from harness.runs.failures import failures, failures_of
from harness.runs.run_file import read_run
from harness.suite.traits import DISTRIBUTIONS, traits_of
from harness.tests.commands import xent
from harness.tests.shipped import shipped_cases

LOSS = '''
import numpy as np
from harness.adapters.base import Answer, Array, Description, Unsupported


class Unshifted:
    """logsumexp(x) - x_t, as many write it; labels only, and distributions are no reason to say so."""

    def describe(self):
        return Description(version="1", losses=("softmax_cross_entropy",), dtypes=("float64", "float32", "float16"))

    def evaluate(self, call):
        call.refuse_options_except("reduction", "denominator")
        logits, labels = (call.inputs[name].storage for name in ("logits", "targets"))
        if call.inputs["targets"].is_float:
            raise TypeError("labels have to be integers")
        if logits.ndim != 2:
            raise Unsupported("rows only")
        rows = np.arange(len(labels))
        largest = logits.max(axis=-1, keepdims=True)
        normaliser = largest[:, 0] + np.log(np.exp(logits - largest).sum(axis=-1))
        losses = normaliser - logits[rows, labels]
        gradient = np.exp(logits - normaliser[:, None])
        gradient[rows, labels] -= 1
        scale = np.ones_like(losses)
        value = losses
        if call.options["reduction"] != "none":
            value = losses.sum(dtype=losses.dtype)
        if call.options["reduction"] == "mean":
            value, scale = value / losses.dtype.type(len(losses)), scale / len(losses)
        gradient = (gradient * scale[:, None]).astype(logits.dtype)
        value = Array.of(np.asarray(value, logits.dtype), call.dtype)
        return Answer(value, "unshifted", {"logits": Array.of(gradient, call.dtype)})
'''
CASES = (
    "edges/softmax-cross-entropy-shifted-*",
    "edges/soft-labels-sum-half-none",
    "edges/count-beyond-float16-softmax*",
)


def test_one_change_is_found_to_explain_all_that_comes_of_it(tmp_path: Path) -> None:
    (tmp_path / "unshifted.py").write_text(LOSS, encoding="utf-8")
    done = xent("run", *CASES, "-i", "unshifted:Unshifted", "-o", "run.jsonl", folder=tmp_path)
    assert done.returncode == 1, done.stderr
    said = " ".join(done.stdout.split())
    assert "logsumexp(x) − x_t without the shift: a large number is added and taken off again" in said
    assert "raises TypeError for distributions as targets raise Unsupported if you do not offer it" in said
    assert "nothing is divided" not in said
    assert "xent repro --again 'edges/" in said
    run = read_run(tmp_path / "run.jsonl")
    first = max(failures(run), key=lambda failure: failure.explains * len(failure.cells))
    shifted = [c for c in run.cells if c.verdict == "disagrees" and c.case.startswith("edges/softmax-cross-entropy-sh")]
    assert len(shifted) > 10
    assert set(map(_name, shifted)) <= set(map(_name, first.cells))
    assert f"one change explains {len(first.cells)} of" in first.count
    assert first.witness.dtype in ("float64", "float32")
    overflow = [f for f in failures(run) if "a sum on the way is beyond float16" in f.sentence]
    assert [cell.dtype for failure in overflow for cell in failure.cells] == ["float16"] * len(overflow[0].cells)


def _name(cell: Cell) -> str:
    return cell.name


def test_every_disagreeing_cell_is_in_exactly_one_failure_and_the_smallest_stands_first() -> None:
    cases = {f"edges/{n}": {"loss": "softmax", "size": 10 - n, "traits": ["even"] * (n % 2 == 0)} for n in range(6)}
    wrong = [
        Cell(
            case,
            "mine:Loss",
            "eager",
            "float32",
            "value",
            "disagrees",
            {"kind": "raises"},
            severity="unexpected_error",
            observed=Observed("raises", error="builtins.TypeError"),
        )
        for case in cases
    ]
    found = failures_of(wrong, cases)
    assert sorted(cell.key for failure in found for cell in failure.cells) == sorted(cell.key for cell in wrong)
    for failure in found:
        sizes = [int(str(cases[cell.case]["size"])) for cell in failure.cells]
        assert sizes == sorted(sizes)


def wrong_cell(aspect: str, observed: Observed, causes: dict[str, str]) -> Cell:
    place = ("edges/one", "it", "eager", "float64", aspect)
    return Cell(*place, "disagrees", {"kind": "value"}, severity="silently_wrong", observed=observed, causes=causes)


def test_what_made_the_value_infinite_explains_its_gradient_and_no_gradient_explains_a_value() -> None:
    overflows, other = {"no-max-shift": "the maximum is not taken off"}, {"other": "only the target gets a gradient"}
    gradient = wrong_cell("gradient", Observed("finite"), other)
    (found,) = failures_of([wrong_cell("value", Observed("inf"), overflows), gradient], {})
    assert (found.sentence, len(found.cells)) == ("the maximum is not taken off", 2)

    for kind in ("shape", "finite"):
        told = failures_of([wrong_cell("value", Observed(kind), {}), gradient], {})
        assert {failure.sentence: len(failure.cells) for failure in told}[other["other"]] == 1

    kept = wrong_cell("gradient", Observed("finite"), {})
    (found,) = failures_of([wrong_cell("value", Observed("finite"), overflows), kept], {})
    assert len(found.cells) == 2, "a gradient may keep less of a mistake than the value"


SHOWN = {
    "silently_wrong": Observed("finite"),
    "silent_nonfinite": Observed("nan"),
    "unexpected_error": Observed("raises", error="builtins.TypeError"),
}


@given(st.lists(st.tuples(st.sampled_from(sorted(SHOWN)), st.integers(0, 9), st.booleans()), min_size=1, max_size=8))
def test_the_cell_that_is_shown_is_as_grave_as_the_heading_it_stands_under(drawn: list[tuple[str, int, bool]]) -> None:
    """Also where one cause, such as that of a ledger entry, is told of errors and of numbers."""
    cases = {f"edges/{n}": {"loss": "softmax", "size": size} for n, (_, size, _) in enumerate(drawn)}
    wrong = [
        Cell(
            f"edges/{n}",
            "it",
            "eager",
            "float64",
            "value",
            "disagrees",
            {"kind": "raises" if severity == "unexpected_error" else "value"},
            severity=severity,
            observed=SHOWN[severity],
            causes={"cause": "a cause"} if known else {},
        )
        for n, (severity, _, known) in enumerate(drawn)
    ]
    for failure in failures_of(wrong, cases):
        assert failure.witness.severity == failure.severity
        assert all(SEVERITIES.index(failure.severity) <= SEVERITIES.index(c.severity or "") for c in failure.cells)
        said = failure.sentence.startswith("raises")
        assert not (said and failure.severity != "unexpected_error")


def test_targets_of_the_rank_of_the_logits_are_distributions_whatever_their_numbers() -> None:
    cases = {case.id: case for case in shipped_cases()}
    assert DISTRIBUTIONS in traits_of(cases["edges/soft-labels-sum-half-none"])
    assert DISTRIBUTIONS not in traits_of(cases["edges/softmax-cross-entropy-shifted-1024"])


@given(st.floats(allow_nan=False), st.floats(allow_nan=False))
def test_numbers_that_differ_are_never_shown_alike(one: float, other: float) -> None:
    shown = told_apart(one, other)
    assert (shown[0] == shown[1]) == (one == other or repr(one) == repr(other)) or one == other == 0
    assert told_apart(other, one) == shown[::-1]


def test_neighbours_are_told_apart() -> None:
    one = 1 / 6
    assert len(set(told_apart(one, float(np.nextafter(one, 1.0))))) == 2


def test_the_worst_element_is_shown_beside_what_is_right_there() -> None:
    cell = Cell(
        "a",
        "b",
        "c",
        "float64",
        "value",
        "disagrees",
        {"kind": "value"},
        truth=[[1.0, 2.0]],
        got=[[1.0, "nan"]],
        worst=1,
    )
    assert beside_truth(cell) == "nan where the truth is 2"
    large = Cell("a", "b", "c", "float64", "value", "disagrees", {}, truth={"worst": 2.0}, got={"worst": 2.5})
    assert beside_truth(large) == "2.5 where the truth is 2"
    assert beside_truth(Cell("a", "b", "c", "float64", "value", "disagrees", {}, truth={"raises": "x"}, got=1.0)) == ""
