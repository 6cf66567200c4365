"""Which modes of an implementation a run asks for."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from harness.adapters.base import Description
from harness.adapters.numpy import NumPy
from harness.core.call import Question
from harness.execution.worker import evaluate
from harness.judgement.ledger import Ledger
from harness.runs.judging import Bench
from harness.runs.plan import Scope, questions
from harness.suite.calls import call_of
from harness.suite.generators import realize
from harness.suite.selection import select
from harness.tests.shipped import shipped_cases

CASES = select(shipped_cases(), ["options/softmax-ordinary"])
THREE = Description("1", ("softmax",), modes=("jit", "eager", "class"), dtypes=("float64",))


@pytest.mark.parametrize(
    ("asked", "modes"),
    [
        (None, ["jit"]),
        (("all",), ["jit", "eager", "class"]),
        (("eager",), ["eager"]),
        # What modes are compared with is the first one, whatever its name.
        (("first", "class"), ["jit", "class"]),
        # A mode that this implementation lacks: its first, so that it is not silently left out.
        (("xla",), ["jit"]),
    ],
)
def test_modes_asked_for(asked: tuple[str, ...] | None, modes: list[str]) -> None:
    found = [q.mode for q in questions(CASES, "it", THREE, Scope(modes=asked)) if isinstance(q, Question)]
    assert found == modes


@pytest.mark.parametrize("dtype", ["float64", "float16"])
def test_nothing_is_asked_or_refused_in_a_mode_that_is_about_other_losses(dtype: str) -> None:
    some = replace(THREE, losses=("softmax", "linear_cross_entropy"), mode_losses={"eager": ("linear_cross_entropy",)})
    found = [q.mode for q in questions(CASES, "it", some, Scope(modes=("all",), dtypes=(dtype,)))]
    assert found == (["jit", "class"] if dtype == "float64" else ["jit"])
    assert list(questions(CASES, "it", some, Scope(modes=("eager",), dtypes=(dtype,)))) == []


@pytest.mark.parametrize(
    ("tag", "modes"), [("no-such-tag", ["jit", "class"]), (CASES[0].tags[0], ["jit", "eager", "class"])]
)
def test_a_mode_that_is_about_a_tag_is_asked_of_its_cases(tag: str, modes: list[str]) -> None:
    some = replace(THREE, mode_tags={"eager": tag})
    assert [q.mode for q in questions(CASES, "it", some, Scope(modes=("all",), dtypes=("float64",)))] == modes


@pytest.mark.parametrize(
    ("asked", "compared"), [(("jit", "eager", "class"), ["eager", "class"]), (("eager", "class"), [])]
)
def test_modes_are_compared_with_the_first_alone(asked: tuple[str, ...], compared: list[str]) -> None:
    """A ledger entry and a script are about the first: between two others the blame would fall on either."""
    asking = [q for q in questions(CASES, "it", THREE, Scope(modes=asked)) if isinstance(q, Question)]
    bench = Bench(Ledger(), realize, {"it": THREE}, Counter((q.home.id, q.dtype) for q in asking))
    answers = [(q, evaluate(NumPy(), call_of(q.case, q.dtype, "eager"))) for q in asking]
    found = [cell for question, outcome in answers for cell in bench.judge(question, outcome)]
    assert [cell.mode for cell in found if cell.aspect == "mode_agreement"] == compared
