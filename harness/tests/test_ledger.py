"""The ledger: strict both ways, and every bad entry is refused with its place."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.cell import Cell, Header, Observed
from harness.core.ledger import NOWHERE, Entry, Pin, Selector
from harness.judgement.ledger import Ledger, Tally, audit, dormant, meets, selects
from harness.runs.kernels import lint_dormant
from harness.suite.ledger_files import load_entries, parse_ledger
from harness.suite.problems import SuiteError

GOOD = """\
- id: a-known-thing
  cases: ["edges/*"]
  implementations: [torch]
  versions: ">=2.0,<3"
  dtypes: [float32]
  outcome: {kind: finite, computed_in: float32}
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


def cell(observed: Observed | None, ratio: float | None = None) -> Cell:
    return Cell("edges/a", "torch", "eager", "float32", "value", "disagrees", {}, observed=observed, ratio=ratio)


def test_only_the_pinned_outcome_is_explained() -> None:
    ledger = Ledger((entry(),))
    assert ledger.explanation(CELL, cell(Observed("finite", computed_in="float32"))) is not None
    assert ledger.explanation(CELL, cell(Observed("nan", computed_in="float32"))) is None
    assert ledger.explanation(CELL, cell(Observed("finite"))) is None
    assert ledger.explanation(CELL, cell(Observed("raises", error="ValueError"))) is None
    assert ledger.explanation(CELL, cell(None)) is None


@pytest.mark.parametrize(
    ("pin", "observed", "met"),
    [
        (Pin("raises", error="*.ValueError"), Observed("raises", error="builtins.ValueError"), True),
        (Pin("raises", error="*.ValueError"), Observed("raises", error="builtins.TypeError"), False),
        (Pin("finite", ratio=(5.0, 9.0)), Observed("finite"), True),
        (Pin("finite", ratio=(8.0, 9.0)), Observed("finite"), False),
        (Pin("finite", of="gradient"), Observed("finite", of="gradient"), True),
        (Pin("finite", of="gradient"), Observed("finite", of="value"), False),
        (Pin("dtype", dtype="float32"), Observed("dtype", dtype="float32"), True),
        (Pin("dtype", dtype="float32"), Observed("dtype", dtype="float64"), False),
        (Pin("dtype", computed_in=NOWHERE), Observed("dtype"), True),
        (Pin("dtype", computed_in=NOWHERE), Observed("dtype", computed_in="float32"), False),
        (Pin("dtype", computed_in="*float16"), Observed("dtype", computed_in="bfloat16"), True),
        (Pin("dtype", computed_in="float32"), Observed("dtype"), False),
    ],
)
def test_every_field_of_a_pin_has_to_be_met(pin: Pin, observed: Observed, met: bool) -> None:
    assert meets(pin, cell(observed, ratio=7.0)) is met


def test_a_ratio_is_met_by_no_cell_that_has_none() -> None:
    assert not meets(Pin("finite", ratio=(5.0, 9.0)), cell(Observed("finite")))


def test_an_entry_that_no_longer_happens_is_fixed_and_one_that_matches_nothing_unmatched() -> None:
    ledger = Ledger((entry(),))
    name = entry().id

    def kinds(selected: int, explained: int, complete: bool) -> list[str]:
        found = audit(ledger, {name: Tally(selected, explained)}, complete=complete, is_decided=lambda _: True)
        return [problem.kind for problem in found]

    assert kinds(3, 1, True) == []
    assert kinds(3, 0, False) == ["fixed"]
    assert kinds(0, 0, True) == ["unmatched"]
    assert kinds(0, 0, False) == []
    (problem,) = audit(ledger, {name: Tally(3)}, complete=True, is_decided=lambda _: True)
    assert (problem.entry, problem.place) == (name, "x.yaml:1")


ON_AVX2 = GOOD + "  where: {isa: avx2, onednn: [on, off]}\n"


@pytest.mark.parametrize(
    ("facts", "explains"),
    [
        ({"isa": "avx2", "onednn": "off"}, True),
        ({"isa": "avx2", "onednn": "on", "libc": "glibc"}, True),
        ({"isa": "avx512", "onednn": "on"}, False),
        ({"isa": "avx2"}, False),
        ({}, False),
    ],
)
def test_an_entry_explains_only_where_all_its_conditions_hold(facts: dict[str, str], explains: bool) -> None:
    (conditional,) = parse_ledger(ON_AVX2, "x.yaml")[0]
    selector = replace(CELL, facts=facts)
    shown = cell(Observed("finite", computed_in="float32"))
    assert (Ledger((conditional,)).explanation(selector, shown) is not None) is explains
    assert Ledger((conditional,)).selecting(selector) == (conditional,)


COUNTS = st.integers(0, 3)


@given(COUNTS, COUNTS, COUNTS, COUNTS, st.booleans(), st.booleans())
def test_an_entry_is_missed_only_where_it_is_awake_and_all_it_is_about_was_judged(
    awake: int, explained: int, sleeping: int, unjudged: int, complete: bool, decided: bool
) -> None:
    (conditional,) = parse_ledger(ON_AVX2, "x.yaml")[0]
    ledger, tallies = Ledger((conditional,)), {conditional.id: Tally(awake, min(explained, awake), sleeping, unjudged)}
    kinds = [problem.kind for problem in audit(ledger, tallies, complete=complete, is_decided=lambda _: decided)]
    sleeps = dormant(ledger, tallies) != ()
    assert sleeps == (awake == 0 and sleeping > 0)
    assert ("fixed" in kinds) == (awake > 0 and explained == 0 and unjudged == 0 and decided)
    assert not (sleeps and kinds)
    assert ("unmatched" in kinds) == (complete and not awake and not sleeping and not unjudged)


@pytest.mark.parametrize(
    ("where", "named"),
    [
        ("{isa: avx3}", "the machine fact isa is one of"),
        ("{cpu: EPYC}", "there is no machine fact cpu; known: isa"),
        ("{libc_version: 2.30}", "write it in quotes"),
        ("{isa: []}", "with no value never holds"),
        ("avx2", "dictionary"),
    ],
)
def test_a_condition_outside_the_vocabulary_is_refused_with_its_line(where: str, named: str) -> None:
    entries, problems = parse_ledger(GOOD + f"  where: {where}\n", "x.yaml")
    assert entries == []
    (problem,) = problems
    assert named in problem.message
    assert problem.field.endswith("where")
    assert problem.line == GOOD.count("\n") + 1


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("kind: finite", "kind: fine", "outcome.kind"),
        ("computed_in: float32", "computed_in: float23", "outcome.computed_in"),
        ("computed_in: float32", "diagnosis: '*'", "outcome.diagnosis"),
        ("The logarithm is clamped, so the gradient", "TODO", "cause"),
        (
            "  reason: The logarithm is clamped, so the gradient of the clamped side is computed as if it were not.\n",
            "  reason: differs\n",
            "cause",
        ),
        ("https://example.org/thread/1", "javascript:alert(1)", "upstream"),
        ('">=2.0,<3"', "about two", "version specifier"),
        ('">=2.0,<3"', '","', "version specifier"),
        ('">=2.0,<3"', '">=2.0,"', "version specifier"),
        ('">=2.0,<3"', '" "', "version specifier"),
        ('">=2.0,<3"', '">=\u0662"', "version specifier"),
        ('">=2.0,<3"', "2", "version"),
        ("dtypes: [float32]", "dtypes: [float23]", "matches none of float64"),
        ("dtypes: [float32]", 'dtypes: [""]', "dtypes"),
        ("computed_in: float32", "ratio: [5]", "0 <= LOW <= HIGH"),
        ("computed_in: float32", "ratio: [9, 5]", "0 <= LOW <= HIGH"),
        ("computed_in: float32", "ratio: [nan, 5]", "0 <= LOW <= HIGH"),
        ("computed_in: float32", "ratio: ['1', 2]", "outcome.ratio"),
        ("computed_in: float32", f"ratio: [1, {10**350}]", "outcome.ratio"),
        ("computed_in", "computedin", "Did you mean computed_in?"),
        ("versions", "verions", "Did you mean versions?"),
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
    entries, problems = parse_ledger(
        GOOD.replace("{kind: finite, computed_in: float32}", f"{{kind: {kind}}}"), "x.yaml"
    )
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


def header(**facts: str) -> Header:
    return Header({}, {"torch": {"version": "2.13.0", "facts": facts}}, {}, "now")


AVX512, AVX2 = header(isa="avx512", onednn="on"), header(isa="avx2", onednn="off")


@pytest.mark.parametrize(
    ("where", "seen", "committed", "complains"),
    [
        ("", "", [AVX512], False),
        ("  where: {isa: avx512}\n", "", [AVX512], False),
        ("  where: {isa: avx2}\n", "", [AVX512], True),
        ("  where: {isa: avx2}\n", "", [AVX512, AVX2], False),
        ("  where: {isa: avx2, onednn: on}\n", "", [AVX512, AVX2], True),
        ("  where: {isa: avx2, onednn: on}\n", "  seen: On a Zen 3, with oneDNN forced.\n", [AVX512, AVX2], False),
        ("  where: {isa: avx2}\n", "  seen: On a Zen 3.\n", [AVX512, AVX2], True),
        ("  where: {isa: avx2}\n", "", [], False),
    ],
)
def test_an_entry_that_sleeps_wherever_something_is_committed_says_where_it_was_seen(
    where: str, seen: str, committed: list[Header], complains: bool
) -> None:
    entries, problems = parse_ledger(GOOD + where + seen, "ledger/x.yaml")
    assert problems == []
    found = lint_dormant(entries, committed)
    assert [(p.file, p.line, p.field) for p in found] == [("ledger/x.yaml", 1, "a-known-thing")] * complains
    elsewhere = [replace(one, implementations=("jax",)) for one in entries]
    assert lint_dormant(elsewhere, committed) == []
