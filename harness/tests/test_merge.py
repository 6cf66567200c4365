"""Merging parts of a run: everything is kept once, and what does not belong together is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.core.cell import Cell, ClaimRecord, Footer, Header, Run
from harness.runs.diff import NotComparable
from harness.runs.merge import merge

CELL = Cell("documents/a", "torch", "eager", "float32", "value", "agrees", {"kind": "value"})
CLAIM = ClaimRecord("documents/a", 1.0, "holds", 1.0, "yes")


def part(*cells: Cell, version: str = "1", torch: str = "2.13") -> Run:
    cases = {cell.case: {"loss": "softmax"} for cell in cells}
    header = Header({"version": version, "digest": "d", "cases": cases}, {"torch": {"version": torch}}, {}, "2026")
    return Run(header, cells, (CLAIM,), (), Footer(len(cells), {"agrees": len(cells)}, {"total": 1.5}))


def test_parts_become_one_run() -> None:
    other = replace(CELL, case="documents/b", verdict="disagrees")
    merged = merge([part(CELL), part(other)])
    assert merged.cells == (CELL, other)
    assert merged.claims == (CLAIM,)
    assert merged.footer.verdicts == {"agrees": 1, "disagrees": 1}
    assert merged.footer.seconds == {"total": 3.0}
    assert set(merged.header.suite["cases"]) == {"documents/a", "documents/b"}


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ([], "nothing to merge"),
        ([part(CELL), part(CELL)], "more than one part"),
        ([part(CELL), part(replace(CELL, dtype="float64"), version="2")], "suite versions 1, 2"),
        ([part(CELL), part(replace(CELL, dtype="float64"), torch="2.14")], "2.13 in one part and 2.14"),
    ],
)
def test_what_does_not_belong_together_is_refused(parts: list[Run], says: str) -> None:
    with pytest.raises(NotComparable, match=says):
        merge(parts)


def test_parts_from_machines_with_other_facts_are_refused_unless_told() -> None:
    def on(isa: str, cell: Cell) -> Run:
        found = part(cell)
        facts = {"torch": {"version": "2.13", "facts": {"isa": isa}}}
        return replace(found, header=replace(found.header, implementations=facts))

    parts = [on("avx512", CELL), on("avx2", replace(CELL, dtype="float64"))]
    with pytest.raises(NotComparable, match="torch with isa=avx2 here, with isa=avx512 there"):
        merge(parts)
    assert len(merge(parts, other_machines=True).cells) == 2
    assert len(merge([on("avx2", CELL), on("avx2", replace(CELL, dtype="float64"))]).cells) == 2


def test_an_entry_that_was_awake_in_one_part_does_not_sleep_in_the_whole() -> None:
    explained = replace(CELL, verdict="known", ledger="an-entry")
    asleep = part(replace(CELL, dtype="float64"))
    asleep = replace(asleep, footer=replace(asleep.footer, dormant=("an-entry", "another")))
    assert merge([part(explained), asleep]).footer.dormant == ("another",)
