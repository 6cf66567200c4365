"""A project's settings: found upwards, overruled by the command line, and its state in its own folder."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.runs.project import LARGEST_FILE, Project, find_project, parse_project, settings_text
from harness.runs.run_file import read_run
from harness.tests.commands import ROOT, xent

CASE = "documents/d4-dog-in-bits"
WRONG = "mutant:log-base-2.categorical_cross_entropy"

MISSPELT = """\
- id: our-own-misspelt
  cases: [edges/no-such-*]
  implementations: [torhc, "our_package.losses:Ours"]
  outcome: {kind: finite}
  reason: It answers in bits, on purpose, so that a ledger has something to say about it.
  upstream: none found
"""

ENTRY = f"""\
- id: our-own-base-2
  cases: [{CASE}]
  implementations: ["{WRONG}"]
  outcome: {{kind: finite}}
  reason: It answers in bits, on purpose, so that a ledger has something to say about it.
  upstream: none found
"""


def test_a_project_is_found_from_any_folder_below_it(tmp_path: Path) -> None:
    (tmp_path / "xent.toml").write_text('modes = ["all"]\n', encoding="utf-8")
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    found = find_project(below)
    assert found is not None
    assert (found.folder, found.modes) == (tmp_path, ("all",))
    assert found.baseline == tmp_path / "conformance" / "baseline.jsonl.gz"


def test_a_place_behind_links_in_a_circle_is_said_not_to_be_written(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    (tmp_path / "xent.toml").write_text('baseline = "a"\n', encoding="utf-8")
    found = find_project(tmp_path)
    assert found is not None
    assert found.baseline == tmp_path / "a"
    assert xent("run", CASE, "-i", "numpy", "-o", "run.jsonl", folder=tmp_path).returncode == 0
    ended = xent("accept", "run.jsonl", folder=tmp_path)
    assert ended.returncode == 4
    assert "cannot be written" in ended.stderr


def test_without_one_there_is_none(tmp_path: Path) -> None:
    assert find_project(tmp_path) is None


def test_what_init_writes_is_read_as_the_defaults() -> None:
    project, problems = parse_project(settings_text(("numpy",)), "xent.toml", Path("here"))
    assert problems == []
    assert project == Project(
        Path("here"),
        ("numpy",),
        ("first",),
        baseline=Path("here/conformance/baseline.jsonl.gz"),
        ledger=Path("here/conformance/ledger"),
    )


MISTAKES = (
    ('modes = ["x", 3]', 1, "modes", "expected a list of names"),
    ('\nmods = ["x"]', 2, "mods", "Did you mean modes?"),
    ('[budgets]\n\ncall = "1"', 3, "budgets.call", "expected seconds of more than 0, got '1'"),
    ("[budgets]\ncall = true", 2, "budgets.call", "expected seconds of more than 0, got True"),
    ("[budgets]\ncall = 0", 2, "budgets.call", "expected seconds of more than 0, got 0"),
    ("[budgets]\ncall = nan", 2, "budgets.call", "got nan"),
    (f"[budgets]\ncall = {10**400}", 2, "budgets.call", "expected seconds"),
    ("[budgets]\nslower = -1", 2, "budgets.slower", "expected per cent of 0 or more"),
    ("[budgets]\nslow = 1", 2, "budgets.slow", "Did you mean budgets.slower?"),
    ("budgets = 3", 1, "budgets", "no field 'budgets' here"),
    ('implementations = ["torhc"]', 1, "implementations", "did you mean torch"),
    ('baseline = "../elsewhere"', 1, "baseline", "is outside of"),
    ('ledger = "/tmp"', 1, "ledger", "is outside of"),
    ("ledger = 3", 1, "ledger", "expected the path of a file or folder"),
    ('cases = [""]', 1, "cases", "is no name"),
    ('cases = "a\\u001bb"', 1, "cases", "is no name"),
    ("modes = [\n 'x'", 2, "", "no TOML"),
    ("x = 1\nx = 2", 2, "", "no TOML: Cannot overwrite a value"),
)


@pytest.mark.parametrize(("text", "line", "field", "says"), MISTAKES, ids=[text for text, *_ in MISTAKES])
def test_what_is_wrong_is_said_with_its_line_its_field_and_a_hint(
    tmp_path: Path, text: str, line: int, field: str, says: str
) -> None:
    _, problems = parse_project(text, "xent.toml", tmp_path)
    assert [(problem.line, problem.field) for problem in problems] == [(line, field)]
    assert says in str(problems[0])
    assert problems[0].hint


@given(st.text(max_size=200))
def test_no_text_breaks_the_reader(text: str) -> None:
    _, problems = parse_project(text, "xent.toml", Path("/nowhere"))
    assert all(problem.line >= 1 for problem in problems)


@pytest.mark.parametrize("content", [b"\xff\xfe", b"# " + b"x" * LARGEST_FILE, b"modes = 3"])
def test_a_command_in_a_project_whose_file_cannot_be_used_ends_with_4(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "xent.toml").write_bytes(content)
    done = xent("run", CASE, "-i", "numpy", folder=tmp_path)
    assert done.returncode == 4
    assert done.stderr.startswith("xent: 1 problem in xent.toml\n  xent.toml:")


def test_a_project_begins_accepts_and_is_gated_against_what_it_accepted(tmp_path: Path) -> None:
    begun = xent("init", "-i", WRONG, folder=tmp_path)
    assert begun.returncode == 0, begun.stderr
    assert xent("init", folder=tmp_path).returncode == 4
    below = tmp_path / "below"
    below.mkdir()
    assert xent("run", CASE, "-o", "run.jsonl", folder=below).returncode == 1
    accepted = xent("accept", "run.jsonl", folder=below)
    assert accepted.returncode == 0, accepted.stderr
    baseline = tmp_path / "conformance" / "baseline.jsonl.gz"
    assert f"baseline: {baseline} (" in accepted.stdout
    gate = xent("gate", "run.jsonl", folder=below)
    assert f"baseline: {baseline}\n" in gate.stdout
    ledger = tmp_path / "conformance" / "ledger" / "accepted.yaml"
    text = ledger.read_text(encoding="utf-8")
    assert "reason: TODO" in text
    waiting = xent("run", CASE, "-o", "again.jsonl", folder=tmp_path)
    assert waiting.returncode == 1, "what nobody gave a reason for explains nothing"
    note = "ledger: 2 entries lack a reason or a link, and until then explain nothing: ledger/accepted.yaml:1\n"
    assert note in waiting.stderr
    assert xent("gate", "again.jsonl", folder=tmp_path).returncode == 7
    lint = xent("cases", "lint", folder=tmp_path)
    assert (lint.returncode, "ledger/accepted.yaml:1: " in lint.stdout) == (4, True), lint.stdout
    ledger.write_text(text.replace("reason: TODO", f"reason: {'It is wrong on purpose. ' * 3}"), encoding="utf-8")
    assert note in xent("run", CASE, folder=tmp_path).stderr, "there is still no link"
    ledger.write_text(ENTRY, encoding="utf-8")
    again = xent("run", CASE, "-o", "run.jsonl", folder=tmp_path)
    assert again.returncode == 0, again.stdout + again.stderr
    gate = xent("gate", "run.jsonl", folder=tmp_path)
    assert (gate.returncode, "Nothing changed" in gate.stdout) == (0, True), gate.stdout


def test_a_ledger_of_ones_own_adds_to_the_shipped_one(tmp_path: Path) -> None:
    shipped_too = "documents/d0-perfect-entries"  # of which the ledger that comes with xent knows something
    (tmp_path / "xent.toml").write_text('ledger = "known"\n', encoding="utf-8")
    (tmp_path / "known").mkdir()
    (tmp_path / "known" / "own.yaml").write_text(ENTRY, encoding="utf-8")
    for words in ((), ("--ledger", "known")):
        done = xent("run", CASE, shipped_too, "-i", WRONG, "-i", "scratch-d4", "-o", "r.jsonl", *words, folder=tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
        ids = read_run(tmp_path / "r.jsonl").header.suite["ledger"]
        assert "our-own-base-2" in ids
        assert len(ids) > 100
    taken = next(iter(sorted(ids.keys() - {"our-own-base-2"})))
    (tmp_path / "known" / "own.yaml").write_text(ENTRY.replace("our-own-base-2", taken), encoding="utf-8")
    refused = xent("run", CASE, "-i", "numpy", folder=tmp_path)
    assert refused.returncode == 4
    assert f"known/own.yaml:1: id: the id {taken} is also at ledger/" in refused.stderr


def test_outside_a_project_nothing_is_accepted_and_the_package_is_never_written_to(tmp_path: Path) -> None:
    xent("run", CASE, "-i", WRONG, "-o", "run.jsonl", folder=tmp_path)
    refused = xent("accept", "run.jsonl", folder=tmp_path)
    assert refused.returncode == 4
    assert "`xent init` begins one" in refused.stderr
    xent("init", folder=tmp_path)
    for words in (("--ledger", ROOT / "cases" / "ledger"), ("--baseline", ROOT / "reports" / "baseline" / "b.jsonl")):
        refused = xent("accept", "run.jsonl", *words, folder=tmp_path)
        assert refused.returncode == 4
        assert "is not written to" in refused.stderr
    shutil.rmtree(tmp_path / "conformance")
    assert xent("accept", "run.jsonl", folder=tmp_path).returncode == 0


def test_lint_is_about_the_entries_of_the_team_and_not_about_those_that_came_with_xent(tmp_path: Path) -> None:
    (tmp_path / "xent.toml").write_text("", encoding="utf-8")
    (tmp_path / "conformance" / "ledger").mkdir(parents=True)
    assert xent("cases", "lint", folder=tmp_path).returncode == 0
    (tmp_path / "conformance" / "ledger" / "ours.yaml").write_text(MISSPELT, encoding="utf-8")
    done = xent("cases", "lint", folder=tmp_path)
    assert done.returncode == 4
    *problems, last = done.stdout.splitlines()
    assert [line.partition("our-own-misspelt: ")[2].partition(". ")[0] for line in problems] == [
        "cases: no case is called edges/no-such-*",
        "implementations: no implementation is called torhc",
    ], done.stdout
    assert last.startswith("2 problems")
