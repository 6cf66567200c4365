"""Overlays: with them the baseline says of other facts what was seen there, and nothing else of it changes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.cell import Cell, Footer, Header, Run
from harness.core.errors import UsageError
from harness.runs.gate import gate
from harness.runs.overlays import as_here, rebased
from harness.runs.overlays import overlay as overlay_or_none

CASES = ("a", "b", "c")
IMPLEMENTATIONS = ("torch", "numpy")
Ratios = dict[tuple[str, str], float]
ratios = st.fixed_dictionaries(
    {(case, name): st.sampled_from((0.0, 0.7, 1.3, 3.9)) for case in CASES for name in IMPLEMENTATIONS}
)
States = dict[tuple[str, str], tuple[str, ...] | float]
states = st.fixed_dictionaries(
    {
        (case, name): st.sampled_from((0.7, 1.3, 3.9)) | st.sampled_from((("value",), ("*",), ("value", "*"), ("**",)))
        for case in CASES
        for name in IMPLEMENTATIONS
    }
)
"""R of a value and a gradient in float32; or what is refused: an aspect, the call, the case."""
NATIVE, AVX2, SSE = {"isa": "avx512"}, {"isa": "avx2"}, {"isa": "sse"}


def run(found: Ratios, torch: dict[str, str], version: str = "1", numpy: dict[str, str] | None = None) -> Run:
    facts = {"torch": torch, "numpy": NATIVE if numpy is None else numpy}
    described = {name: {"version": version, "facts": facts[name]} for name in {name for _, name in found}}
    cells = tuple(
        Cell(case, name, "eager", "float32", "value", "agrees", {"kind": "value"}, ratio=ratio)
        for (case, name), ratio in found.items()
    )
    suite = {"version": "1", "cases": {case: {"loss": "softmax"} for case, _ in found}}
    return Run(Header(suite, described, {}, "now"), cells, (), (), Footer(len(cells), {"agrees": len(cells)}))


def overlay(base: Run, there: Run) -> Run:
    over = overlay_or_none(base, there)
    assert over is not None
    return over


def refused(cell: Cell) -> Cell:
    return replace(cell, verdict="unsupported", ratio=None, outcome={"kind": "unsupported", "reason": "no"})


def with_refusals(found: States, torch: dict[str, str]) -> Run:
    """As `run`, where some of it is refused, in part or as a whole."""
    shown = run(dict.fromkeys(found, 0.7), torch)
    cells: list[Cell] = []
    for cell in shown.cells:
        state = found[cell.case, cell.implementation]
        gradient, other = replace(cell, aspect="gradient"), replace(cell, dtype="float64")
        match state:
            case float():
                cells += [replace(cell, ratio=state), gradient, other]
            case ("value",):
                cells += [cell, refused(gradient), other]
            case ("*",):
                cells += [refused(replace(cell, aspect="*")), other]
            case ("value", "*"):
                cells += [cell, gradient, refused(replace(other, aspect="*"))]
            case _:
                cells += [refused(replace(cell, dtype="*", aspect="*"))]
    return replace(shown, cells=tuple(cells))


@given(states, states)
def test_what_is_refused_on_one_side_only_is_part_of_an_overlay(base: States, there: States) -> None:
    baseline, other = with_refusals(base, NATIVE), with_refusals(there, AVX2)
    here = as_here(baseline, [overlay(baseline, other)], other)

    def shown(found: Run) -> set[tuple[object, ...]]:
        return {(*cell.key, cell.ratio) for cell in found.cells if cell.implementation == "torch"}

    assert shown(here) == shown(other)
    assert gate(here, replace(other, cells=here.cells)).code == 0


def of(name: str, shown: Run) -> dict[str, Cell]:
    return {cell.case: cell for cell in shown.cells if cell.implementation == name}


@given(ratios, ratios)
def test_the_baseline_with_its_overlay_is_the_run_it_was_made_of(base: Ratios, there: Ratios) -> None:
    baseline, other = run(base, NATIVE), run(there, AVX2)
    over = overlay(baseline, other)
    assert set(over.header.implementations) == {"torch"}
    assert len(over.cells) == sum(base[key] != there[key] for key in base if key[1] == "torch")
    here = as_here(baseline, [over], other)
    assert of("torch", here) == of("torch", other)
    assert of("numpy", here) == of("numpy", baseline)
    assert as_here(baseline, [over], baseline) is baseline


@given(ratios, ratios, ratios)
def test_of_several_overlays_the_one_with_the_facts_of_the_run_is_taken(a: Ratios, b: Ratios, c: Ratios) -> None:
    baseline = run(a, NATIVE)
    overlays = [overlay(baseline, run(b, AVX2)), overlay(baseline, run(c, SSE))]
    assert of("torch", as_here(baseline, overlays, run(c, SSE))) == of("torch", run(c, SSE))
    assert as_here(baseline, overlays, run(a, {"isa": "neon"})) is baseline


@given(ratios, ratios, ratios)
def test_on_a_new_baseline_an_overlay_says_what_it_said(old: Ratios, there: Ratios, new: Ratios) -> None:
    before, after, other = run(old, NATIVE), run(new, NATIVE), run(there, AVX2)
    over = rebased(overlay(before, other), before, after)
    assert over is not None
    assert of("torch", as_here(after, [over], other)) == of("torch", other)


def test_an_overlay_of_another_version_or_of_fewer_cases_says_nothing_of_a_new_baseline() -> None:
    found = dict.fromkeys(((case, name) for case in CASES for name in IMPLEMENTATIONS), 0.7)
    before = run(found, NATIVE)
    over = overlay(before, run(found, AVX2))
    assert rebased(over, before, before) is not None
    assert rebased(over, before, run(found, NATIVE, version="2")) is None
    assert rebased(over, before, run({**found, ("d", "torch"): 0.1}, NATIVE)) is None
    assert rebased(over, before, run(found, AVX2)) is None


def test_a_run_that_lacks_cells_of_the_baseline_is_no_overlay() -> None:
    found = {(case, "torch"): 0.7 for case in CASES}
    with pytest.raises(UsageError, match="such as c"):
        overlay(run(found, NATIVE), run(dict.fromkeys(list(found)[:2], 0.7), AVX2))


def test_a_run_with_the_facts_of_the_baseline_is_no_overlay() -> None:
    found = {(case, "torch"): 0.7 for case in CASES}
    assert overlay_or_none(run(found, NATIVE), run(found, NATIVE)) is None


def test_drift_is_compared_with_the_overlay_where_it_has_the_facts() -> None:
    found = {("a", "torch"): 0.7, ("b", "torch"): 0.7}
    baseline, there = run(found, NATIVE), run({**found, ("a", "torch"): 3.9}, AVX2)
    over = overlay(baseline, there)
    assert gate(as_here(baseline, [over], there), there).code == 0
    drifted = replace(there, cells=(there.cells[0], replace(there.cells[1], ratio=1.5)))
    difference = gate(as_here(baseline, [over], drifted), drifted).difference
    assert difference is not None
    assert [(change.kind, change.cell.case) for change in difference.changes] == [("drift", "b")]
    assert difference.kernels == ()
    elsewhere = gate(baseline, drifted).difference
    assert elsewhere is not None
    assert elsewhere.kernels
    assert elsewhere.changes == ()
