"""The ledger: strict both ways, and every bad entry is refused with its place."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from harness.core.ledger import Entry, Observed, Pin, Selector
from harness.judgement.ledger import Ledger, audit, meets, selects
from harness.suite.ledger_files import load_entries, parse_ledger
from harness.suite.problems import SuiteError

GOOD = """\
- id: a-known-thing
  cases: ["edges/*"]
  implementations: [torch]
  versions: ">=2.0,<3"
  dtypes: [float32]
  outcome: {kind: finite, got: [1.5, nan]}
  reason: The logarithm is clamped, so the gradient of the clamped side is computed as if it were not.
  upstream: https://example.org/thread/1
"""
CELL = Selector("edges/a", "torch", "eager", "float32", "value", "2.13.0")


def entry() -> Entry:
    entries, problems = parse_ledger(GOOD, "x.yaml")
    assert problems == []
    return entries[0]


@pytest.mark.parametrize(
    ("change", "selected"),
    [
        ({}, True),
        ({"case": "documents/a"}, False),
        ({"implementation": "jax"}, False),
        ({"dtype": "float64"}, False),
        ({"version": "1.9"}, False),
        ({"version": "3.0"}, False),
        ({"version": "2.14.0.dev1+cpu"}, True),
        ({"version": "not a version"}, False),
    ],
)
def test_an_entry_selects_by_everything_it_names(change: dict[str, str], selected: bool) -> None:
    fields = {name: getattr(CELL, name) for name in CELL.__dataclass_fields__}
    assert selects(entry(), Selector(**{**fields, **change})) is selected


def test_only_the_pinned_outcome_is_explained() -> None:
    ledger = Ledger((entry(),))
    shown = np.asarray([1.5, np.nan])
    assert ledger.explanation(CELL, Observed("finite", got=shown)) is not None
    assert ledger.explanation(CELL, Observed("nan", got=shown)) is None
    assert ledger.explanation(CELL, Observed("finite", got=np.asarray([1.6, np.nan]))) is None
    assert ledger.explanation(CELL, Observed("raises", error="ValueError")) is None


@pytest.mark.parametrize(
    ("pin", "observed", "met"),
    [
        (Pin("raises", error="*.ValueError"), Observed("raises", error="builtins.ValueError"), True),
        (Pin("raises", error="*.ValueError"), Observed("raises", error="builtins.TypeError"), False),
        (Pin("finite", ratio=(5.0, 9.0)), Observed("finite", ratio=7.0), True),
        (Pin("finite", ratio=(5.0, 9.0)), Observed("finite", ratio=9.5), False),
        (Pin("finite", ratio=(5.0, 9.0)), Observed("finite"), False),
        (Pin("finite", diagnosis="*log2*"), Observed("finite", diagnosis="equals −log2: off"), True),
        (Pin("finite", diagnosis="*log2*"), Observed("finite"), False),
        (Pin("finite", got=(1.0,)), Observed("finite", got=np.asarray([1.0, 1.0])), False),
    ],
)
def test_every_field_of_a_pin_has_to_be_met(pin: Pin, observed: Observed, met: bool) -> None:
    assert meets(pin, observed) is met


def test_an_entry_that_no_longer_happens_is_fixed_and_one_that_matches_nothing_unmatched() -> None:
    ledger = Ledger((entry(),))
    name = entry().id

    def kinds(selected: int, explained: int, complete: bool) -> list[str]:
        found = audit(ledger, {name: selected}, {name: explained}, complete=complete, today="2026-01-01")
        return [problem.kind for problem in found]

    assert kinds(3, 1, True) == []
    assert kinds(3, 0, False) == ["fixed"]
    assert kinds(0, 0, True) == ["unmatched"]
    assert kinds(0, 0, False) == []


def test_an_entry_past_its_date_is_expired() -> None:
    entries, _ = parse_ledger(GOOD + "  expires: 2026-06-01\n", "x.yaml")
    counts = {entries[0].id: 1}
    assert [p.kind for p in audit(Ledger(tuple(entries)), counts, counts, complete=True, today="2026-06-02")] == [
        "expired"
    ]
    assert audit(Ledger(tuple(entries)), counts, counts, complete=True, today="2026-06-01") == ()


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("kind: finite", "kind: fine", "outcome.kind"),
        ("The logarithm is clamped, so the gradient", "TODO", "cause"),
        (
            "  reason: The logarithm is clamped, so the gradient of the clamped side is computed as if it were not.\n",
            "  reason: differs\n",
            "cause",
        ),
        ("https://example.org/thread/1", "javascript:alert(1)", "upstream"),
        ('">=2.0,<3"', "about two", "version specifier"),
        ("id: a-known-thing", "id: A Thing", "id"),
        ("implementations: [torch]", "implementations: []", "implementations"),
        ("dtypes", "dtype", "dtype"),
    ],
)
def test_a_bad_entry_is_refused_with_its_place(old: str, new: str, says: str) -> None:
    assert old in GOOD
    entries, problems = parse_ledger(GOOD.replace(old, new), "x.yaml")
    assert entries == []
    assert says in str(problems[0])
    assert str(problems[0]).startswith("x.yaml:")


@pytest.mark.parametrize("kind", ["nan", "inf"])
def test_nan_and_inf_are_names_here(kind: str) -> None:
    entries, problems = parse_ledger(GOOD.replace("{kind: finite, got: [1.5, nan]}", f"{{kind: {kind}}}"), "x.yaml")
    assert problems == []
    assert entries[0].pin.kind == kind


def test_the_same_id_twice_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(GOOD)
    (tmp_path / "b.yaml").write_text(GOOD)
    with pytest.raises(SuiteError, match="a second time"):
        load_entries(tmp_path)


def test_no_folder_is_an_empty_ledger(tmp_path: Path) -> None:
    assert load_entries(tmp_path / "none") == ()


def test_the_entries_about_a_case_are_those_that_select_it() -> None:
    named, patterned, other = (
        Entry(name, cases, ("*",), Pin("nan"), "because", "none found")
        for name, cases in (("named", ("a/b", "a/c")), ("patterned", ("x", "a/*")), ("other", ("a/d", "b/*")))
    )
    about = Ledger((named, patterned, other)).about("a/b")
    assert [entry.id for entry in about.entries] == ["named", "patterned"]
    assert len(about.selecting(Selector("a/b", "it", "eager", "float32", "value", "1"))) == 2
