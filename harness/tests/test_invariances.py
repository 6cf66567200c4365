"""Invariances of bits: recorded as same or different, whatever the implementation, and never right or wrong."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.adapters.base import Answer, Array, Call, Description, Unsupported
from harness.adapters.registry import resolve
from harness.core.call import Question
from harness.core.case import ArraySpec, Case, ExpectInvariances, Location
from harness.core.cell import Cell, Observed
from harness.core.formats import FORMATS, quantum
from harness.core.invariances import INVARIANCES
from harness.execution.pool import request
from harness.execution.protocol import call_from_wire, line, parse, request_to_wire
from harness.judgement.invariances import difference
from harness.judgement.ledger import Ledger
from harness.mistakes import adapter
from harness.mistakes.sound import Sound
from harness.runs.session import Order, execute
from harness.suite.generators import realize, spec_from_wire, spec_to_wire
from harness.suite.invariance_calls import PARTS, case_of, parts_of
from harness.suite.loading import find_cases_directory, load
from harness.tests.in_this_process import cells
from harness.tests.pools import PLENTY, miniature

SMALL = Case(
    "invariances/small",
    "Bits of five rows",
    "A test.",
    "softmax_cross_entropy",
    {
        "logits": ArraySpec(generator="normal", parameters={"shape": (5, 7), "seed": 1}),
        "targets": ArraySpec((0, 6, 3, 2, 1)),
    },
    Location("f", 1),
    options={"reduction": "none"},
    dtypes=("float32",),
    expect=ExpectInvariances(INVARIANCES),
    differentiate=("logits",),
    cotangent=ArraySpec((1.0, -2.0, 0.5, 4.0, 3.0)),
)


def recorded(name: str, case: Case = SMALL) -> dict[str, Cell]:
    """The cells of a known-bad implementation, by invariance."""
    return {cell.aspect.removeprefix("invariance/"): cell for cell in cells(adapter(name), [case], ("float32",))}


def test_the_sound_implementation_has_the_same_bits_however_it_is_asked() -> None:
    found = recorded("sound")
    assert set(found) == set(INVARIANCES)
    assert {(c.verdict, c.convention, c.ledger) for c in found.values()} == {("by_convention", "bits(same)", None)}
    observed = found["batch"].observed
    assert observed is not None
    assert (observed.differing, observed.elements) == (0, 3 * (1 + 7))


@pytest.mark.parametrize(
    ("mutant", "differ"),
    [("last-row-apart", {"batch", "position"}), ("counts-calls", {"second-call"})],
)
def test_what_depends_on_the_place_or_on_the_count_of_calls_is_recorded_as_different(
    mutant: str, differ: set[str]
) -> None:
    found = recorded(mutant)
    assert {cell.verdict for cell in found.values()} == {"by_convention"}
    assert {name for name, cell in found.items() if cell.convention == "bits(differ)"} >= differ
    for name in differ:
        observed = found[name].observed
        assert observed is not None
        assert observed.kind == "bits"
        assert observed.of is not None
        assert observed.of.startswith("value, ")
        assert observed.differing in (1, 2)
        assert found[name].ulps == 1.0


def test_two_threads_are_a_worker_of_its_own() -> None:
    implementation = resolve(miniature("RoundsByThreads"))
    cell_of = {}
    case = replace(SMALL, loss="softmax", inputs={"logits": SMALL.inputs["logits"]}, options={}, cotangent=None)
    for said in execute(Order((case,), "digest", Ledger(), (implementation,), timeout=PLENTY)):
        if isinstance(said, Cell):
            cell_of[said.aspect.removeprefix("invariance/")] = said
    assert {name: cell.convention for name, cell in cell_of.items()} == {
        **dict.fromkeys(INVARIANCES, "bits(same)"),
        "threads": "bits(differ)",
    }
    assert cell_of["threads"].ulps == 1.0


def test_the_end_of_a_batch_is_told_from_the_count_of_calls() -> None:
    assert recorded("last-row-apart")["second-call"].convention == "bits(same)"


class Choosy:
    """Sound, but for single rows, which it refuses or raises for."""

    def __init__(self, error: Exception) -> None:
        self._sound, self._error = Sound(), error

    def describe(self) -> Description:
        return self._sound.describe()

    def evaluate(self, call: Call) -> Answer:
        if call.inputs["logits"].shape[0] == 1:
            raise self._error
        return self._sound.evaluate(call)


def test_a_part_that_is_refused_is_unsupported_and_one_that_raises_is_recorded() -> None:
    refused = {c.aspect: c for c in cells(Choosy(Unsupported("no single row")), [SMALL], ("float32",))}
    assert refused["invariance/batch"].verdict == "unsupported"
    assert refused["invariance/position"].convention == "bits(same)"
    raised = {c.aspect: c for c in cells(Choosy(TypeError("no single row")), [SMALL], ("float32",))}["invariance/batch"]
    assert (raised.verdict, raised.convention, raised.outcome["kind"]) == ("by_convention", "bits(raises)", "raises")
    assert raised.observed == Observed("raises", of="first", error="builtins.TypeError")


@pytest.mark.parametrize("part", parts_of(SMALL), ids=lambda part: part.title)
def test_a_part_asks_for_the_same_numbers(part: object) -> None:
    chosen = next(p for p in parts_of(SMALL) if p is part)
    asked = case_of(SMALL, chosen)
    question = Question("it", asked, "float32", "eager", chosen.title, of=SMALL)
    assert question.home is SMALL
    message = parse(line(request_to_wire(request(question, realized=False))))
    logits = call_from_wire({**message, "mode": "eager"}).inputs["logits"].storage
    rows = chosen.rows(5) if chosen.rows is not None else range(5)
    assert np.array_equal(logits, realize(SMALL.inputs["logits"], "float32").storage[list(rows)])
    assert logits.flags.c_contiguous == (chosen.layout is None)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=6))
def test_rows_cross_the_wire_and_are_taken_in_their_order(rows: list[int]) -> None:
    whole = SMALL.inputs["logits"]
    spec = ArraySpec(generator=whole.generator, parameters=whole.parameters, rows=tuple(rows))
    assert spec_from_wire(spec_to_wire(spec)) == spec
    assert np.array_equal(realize(spec, "float64").storage, realize(whole, "float64").storage[rows])


@given(
    st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=8),
    st.sets(st.integers(0, 7)),
)
def test_a_difference_counts_what_was_changed_and_measures_it(numbers: list[float], places: set[int]) -> None:
    one = np.array(numbers, dtype=np.float32)
    other, changed = one.copy(), {n for n in places if n < len(numbers) and abs(numbers[n]) < 1e38}
    for n in changed:
        other[n] += np.float32(quantum(np.array([float(one[n])]), FORMATS["float32"])[0])
    found = difference(Array.of(one, "float32"), Array.of(other, "float32"))
    assert (found.differing, found.elements) == (len(changed), len(numbers))
    assert found.ulps == (1.0 if changed else 0.0)


def test_zeros_of_two_signs_differ_and_nans_do_not_and_other_shapes_do_everywhere() -> None:
    def of(*values: float) -> Array:
        return Array.of(np.array(values), "float64")

    assert difference(of(0.0, np.nan), of(-0.0, np.nan)).differing == 1
    assert difference(of(1.0), of(np.nan)).ulps == np.inf
    assert difference(of(1.0, 2.0), of(1.0)).differing == 2
    assert difference(of(1.0), Array.of(np.array([1.0]), "float32")).differing == 1


def test_every_case_of_the_folder_asks_for_parts_and_every_invariance_has_some() -> None:
    assert set(PARTS) == set(INVARIANCES)
    written = load([find_cases_directory() / "invariances"]).cases
    assert len(written) >= 12
    assert {part.invariance for case in written for part in parts_of(case)} == set(INVARIANCES)
