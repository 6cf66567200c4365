"""Entries of the ledger that can select nothing are found, so that none explains nothing unnoticed."""

from __future__ import annotations

from harness.cli.cases import lint_selectors
from harness.core.ledger import Entry, Pin


def test_a_pattern_that_matches_nothing_is_a_problem_with_its_line() -> None:
    def entry(case: str, implementation: str) -> Entry:
        pin = Pin("nan")
        return Entry("e", ("edges/a", case), (implementation,), pin, "why", "none found", location="ledger/x.yaml:7")

    def found(case: str, implementation: str) -> list[str]:
        problems = lint_selectors([entry(case, implementation)], ["edges/a", "edges/b"], ["torch", "keras-jax"])
        return [f"{problem.line}: {problem.message}" for problem in problems]

    assert found("edges/*", "keras-*") == []
    assert found("edges/c*", "torch") == ["7: no case is called edges/c*"]
    assert found("edges/b", "tensorflow") == ["7: no implementation is called tensorflow"]
