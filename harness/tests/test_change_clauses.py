"""What a change comes to: better, worse or different, and one clause for all cells with one cause."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from harness.core.cell import VERDICTS, Cell, Observed
from harness.core.errors import UsageError
from harness.runs.change_clauses import BETTER, DIFFERENT, WORSE, clause, direction, values
from harness.versions.environments import CannotBuild
from harness.versions.requirement_files import RequirementFile, names_that_differ, parsed_file, pinned
from reports.github import pin_of

RIGHT = Cell("a", "keras", "eager", "float64", "value", "agrees", {"kind": "value"}, got=0.5, truth=0.5)
CLIPPED = replace(RIGHT, verdict="by_convention", convention="clip(1e-07, 1), renormalize")
WRONG = replace(
    RIGHT, verdict="disagrees", severity="silently_wrong", observed=Observed("finite"), got=0.25, ratio=10.0, budget=4.0
)
RAISED = replace(
    WRONG,
    severity="unexpected_error",
    outcome={"kind": "raises", "type": "builtins.ValueError"},
    observed=Observed("raises", error="builtins.ValueError"),
)
KNOWN = replace(WRONG, verdict="known", ledger="clamped")
REFUSED = replace(RIGHT, verdict="unsupported", outcome={"kind": "unsupported"}, got=None, truth=None)
REASONS = {"clamped": "The gradient divides by max(p(1-p), 1e-12). It has done so since 2.0."}

CHANGES = (
    ("verdict", WRONG, RIGHT, BETTER, "is right where it was wrong"),
    ("verdict", RIGHT, WRONG, WORSE, "is wrong where it was right"),
    ("verdict", RAISED, RIGHT, BETTER, "is right where it raised ValueError"),
    (
        "verdict",
        RAISED,
        CLIPPED,
        BETTER,
        "is right by convention (clips probabilities to 1e-07, 1 and renormalizes) where it raised ValueError",
    ),
    (
        "verdict",
        CLIPPED,
        RAISED,
        WORSE,
        "raises ValueError where it was right by convention (clips probabilities to 1e-07, 1 and renormalizes)",
    ),
    (
        "verdict",
        RAISED,
        replace(RIGHT, verdict="by_convention", convention="implementation_defined(nan)"),
        BETTER,
        "answers with nan where nothing is right where it raised ValueError",
    ),
    ("verdict", RAISED, WRONG, WORSE, "is wrong where it raised ValueError"),
    ("verdict", WRONG, RAISED, DIFFERENT, "raises ValueError where it was wrong"),
    ("verdict", KNOWN, RIGHT, BETTER, "no longer: The gradient divides by max(p(1-p), 1e-12)"),
    ("verdict", RIGHT, KNOWN, WORSE, "The gradient divides by max(p(1-p), 1e-12)"),
    ("verdict", REFUSED, RIGHT, BETTER, "is right where it did not offer it"),
    ("verdict", RIGHT, REFUSED, WORSE, "does not offer where it was right"),
    ("verdict", REFUSED, WRONG, WORSE, "is wrong where it did not offer it"),
    ("verdict", CLIPPED, replace(CLIPPED, convention="clip(1e-07, 1)"), DIFFERENT, "no longer renormalizes"),
    ("verdict", RIGHT, CLIPPED, DIFFERENT, "clips probabilities to 1e-07, 1 and renormalizes"),
    (
        "verdict",
        replace(RIGHT, verdict="by_convention", convention="implementation_defined(nan)"),
        replace(RIGHT, verdict="by_convention", convention="implementation_defined(raises)"),
        DIFFERENT,
        "no longer answers with nan where nothing is right and answers with raises where nothing is right",
    ),
    ("verdict", RIGHT, replace(WRONG, causes={"sum": "nothing is divided"}), WORSE, "nothing is divided"),
    ("drift", RIGHT, RIGHT, WORSE, "less exact than before: the error more than doubled, inside what is allowed"),
    ("value", WRONG, replace(WRONG, ratio=4.5), BETTER, "another wrong number, nearer to the truth"),
    ("value", WRONG, replace(WRONG, ratio=90.0), WORSE, "another wrong number, farther from the truth"),
    ("value", WRONG, replace(WRONG, ratio=11.0), DIFFERENT, "another wrong number, no nearer to the truth"),
    ("added", None, RIGHT, BETTER, "is asked on the new side only"),
    ("removed", RIGHT, None, WORSE, "is no longer asked"),
    ("removed", WRONG, None, DIFFERENT, "is no longer asked"),
)


@pytest.mark.parametrize(("kind", "old", "new", "way", "says"), CHANGES)
def test_a_change_has_a_direction_and_a_clause(
    kind: str, old: Cell | None, new: Cell | None, way: str, says: str
) -> None:
    assert direction(kind, old, new) == way
    assert clause(kind, old, new, REASONS) == says


@pytest.mark.parametrize(("was", "now"), list(product(VERDICTS, repeat=2)))
def test_no_verdict_is_better_both_ways(was: str, now: str) -> None:
    ways = [
        direction("verdict", replace(WRONG, verdict=one), replace(WRONG, verdict=other))
        for one, other in ((was, now), (now, was))
    ]
    assert sorted(ways) in ([BETTER, WORSE], [DIFFERENT, DIFFERENT])


def test_values_stand_beside_each_other_and_the_truth() -> None:
    assert values(WRONG, RIGHT) == "0.25 → 0.5 (truth 0.5)"
    assert values(RAISED, RIGHT) == "raises ValueError → 0.5 (truth 0.5)"
    clipped = replace(CLIPPED, truth=float("inf"), got=16.1)
    assert values(RAISED, clipped) == "raises ValueError → 16.1 (truth without its convention inf)"
    assert values(REFUSED, RIGHT) == "not offered → 0.5 (truth 0.5)"
    assert values(RIGHT, RIGHT) == ""
    assert values(None, RIGHT) == ""


def test_the_truth_beside_both_values_says_which_of_them_is_nearer() -> None:
    """A truth in six digits would be as near to the one as to the other."""
    truth = 4.139937640e-08
    old, new = (replace(RIGHT, got=got, truth=truth) for got in (4.139937641e-08, 4.13993781e-08))
    assert values(old, new) == "4.139937641e-08 → 4.13993781e-08 (truth 4.13993764e-08)"


def test_what_differs_between_two_files_is_told_by_package() -> None:
    old = ("numpy==2.0", "torch==2.13.0", "Foo_Bar==1", 'old==1; python_version < "3"')
    new = ("numpy==2.0", "torch==2.14.0", "foo-bar==1", "extra @ file:///x.whl")
    assert names_that_differ(old, new) == ("extra", "torch")
    assert names_that_differ(old, old) == ()


def test_a_file_of_requirements_may_name_its_extras(tmp_path: Path) -> None:
    file = tmp_path / "pyproject.toml"
    file.write_text("", encoding="utf-8")
    assert parsed_file(f"{file}[a,b-c]") == RequirementFile(file, ("a", "b-c"))
    assert parsed_file(str(file)) == RequirementFile(file)
    with pytest.raises(UsageError, match=r"nowhere.txt: no such file"):
        parsed_file("nowhere.txt")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("run.jsonl", '{"kind": "header"}'),
        ("requirements.txt", "-r nowhere.txt"),
        ("pyproject.toml", "[project]\nname = 3\n"),
        ("uv.lock", "no lock"),
    ],
)
def test_a_file_that_is_no_file_of_requirements_is_the_users_error(name: str, text: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=f"{name}: cannot be read as a file of requirements: .*error"):
        pinned(RequirementFile(tmp_path / name))


def test_what_cannot_be_had_is_not_the_users_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_NO_INDEX", "1")
    (tmp_path / "requirements.txt").write_text("numpy==99.1\n", encoding="utf-8")
    with pytest.raises(CannotBuild, match=r"(?s)requirements\.txt: .*numpy"):
        pinned(RequirementFile(tmp_path / "requirements.txt"))


PINS = (
    ("requirements.txt", "numpy==2\ntorch == 2.14.0\n", 2),
    ("requirements.txt", "torchvision==2.14.0\ntorch==2.14.0\n", 2),
    ("uv.lock", '[[package]]\nname = "numpy"\n\n[[package]]\nname = "torch"\nversion = "2.14.0"\n', 6),
    ("pyproject.toml", '[project]\ndependencies = ["numpy", "torch>=2.13"]\n', 2),
    ("other.txt", "attrs==1\n", None),
)


@pytest.mark.parametrize(("name", "text", "line"), PINS)
def test_the_line_where_the_new_version_is_pinned_is_found(
    tmp_path: Path, name: str, text: str, line: int | None
) -> None:
    file = tmp_path / name
    file.write_text(text, encoding="utf-8")
    found: Any = pin_of({"torch": ("2.13.0", "2.14.0")}, [tmp_path / "nowhere", file])
    assert found == ({} if line is None else {"file": str(file), "line": line})
