"""Accepting: the same run again is green, whatever the divergence, and nothing else in the ledger changes."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.cell import OBSERVED, Run
from harness.core.ledger import Condition, Entry, Pin
from harness.judgement.ledger import Ledger
from harness.runs.accepting import accepted
from harness.runs.run_file import read_run
from harness.suite.ledger_edits import append_entries, remove_entries, written
from harness.suite.ledger_files import UNWRITTEN, load_drafts, load_entries, parse_ledger
from harness.suite.problems import SuiteError
from harness.tests.commands import xent
from harness.tests.divergent import WAYS, cases
from reference.signatures import LOSSES

pytestmark = pytest.mark.slow

REASON = "It is wrong on purpose, in a way that this entry is about and no other."
OTHER = """\
# Entries of other people.
- id: somebody-elses
  cases: ["*"]
  implementations: ["another"]
  outcome: {kind: nan}
  reason: An entry about another implementation, which no run of this one has anything to say about.
  upstream: none found
"""


class Place:
    """A folder with the cases, a ledger, a baseline, and the runs of one implementation."""

    def __init__(self, folder: Path, adapter: str) -> None:
        self.adapter, self.cases, self.ledger = adapter, folder / "edges" / "ways.yaml", folder / "ledger"
        self.baseline, self.run_file = folder / "baseline.jsonl.gz", folder / "run.jsonl"
        self.cases.parent.mkdir()
        self.cases.write_text(cases(), encoding="utf-8")
        self.ledger.mkdir()
        (self.ledger / "other.yaml").write_text(OTHER, encoding="utf-8")

    def run(self) -> int:
        words = ("run", self.cases, "-i", self.adapter, "--modes", "all", "--ledger", self.ledger, "-o", self.run_file)
        return xent(*words).returncode

    def accept(self) -> subprocess.CompletedProcess[str]:
        return xent("accept", self.run_file, "--baseline", self.baseline, "--ledger", self.ledger)

    def gate(self) -> subprocess.CompletedProcess[str]:
        return xent("gate", self.run_file, "--against", self.baseline)

    def write_reasons(self) -> None:
        file = self.ledger / "accepted.yaml"
        text = file.read_text(encoding="utf-8").replace(f"upstream: {UNWRITTEN}", "upstream: none found")
        file.write_text(text.replace(f"reason: {UNWRITTEN}", f"reason: {REASON}"), encoding="utf-8")

    def files(self) -> dict[str, str]:
        return {path.name: path.read_text(encoding="utf-8") for path in self.ledger.iterdir()}


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of everything that can be wrong, against a ledger that does not know it."""
    place = Place(tmp_path_factory.mktemp("first"), "harness.tests.divergent:Divergent")
    assert place.run() == 1
    return read_run(place.run_file)


@pytest.mark.parametrize("name", WAYS)
def test_every_way_to_be_wrong_is_observed_as_what_it_is(first: Run, name: str) -> None:
    way = WAYS[name]
    mode = "graph" if way.aspect == "mode_agreement" else way.mode
    (cell,) = (c for c in first.cells if c.case == f"edges/{name}" and (c.mode, c.aspect) == (mode, way.aspect))
    if not way.observed:
        assert (cell.verdict, cell.observed) == ("agrees", None)
        return
    assert cell.verdict == "disagrees", cell
    assert cell.observed is not None
    assert cell.observed.kind == way.observed
    assert (cell.observed.error is not None) == (way.observed in ("raises", "crashes"))
    assert (cell.observed.dtype is not None) == (way.observed == "dtype")


def test_every_kind_of_fact_but_bits_is_among_them() -> None:
    """Bits are compared where nothing can be wrong: between the calls of an invariance. What hangs takes two minutes
    to be found out, and has tests of its own."""
    assert {way.observed for way in WAYS.values()} - {""} == set(OBSERVED) - {"bits", "hangs"}


@pytest.mark.parametrize("adapter", ["Divergent", "OddlyVersioned"])
def test_what_was_accepted_is_green_in_the_same_run_again(tmp_path: Path, adapter: str) -> None:
    place = Place(tmp_path, f"harness.tests.divergent:{adapter}")
    assert place.run() == 1
    done = place.accept()
    assert done.returncode == 0, done.stderr
    assert sorted(place.files()) == ["accepted.yaml", "other.yaml"]
    assert place.files()["other.yaml"] == OTHER
    place.write_reasons()
    ledger = place.files()
    assert place.run() == 0
    run = read_run(place.run_file)
    assert {cell.verdict for cell in run.cells} >= {"agrees", "known"}
    assert run.footer.problems == ()
    gate = place.gate()
    assert gate.returncode == 0, gate.stdout + gate.stderr
    assert "Nothing changed" in gate.stdout
    again = place.accept()
    assert again.returncode == 0, again.stderr
    assert place.files() == ledger


def test_accepting_twice_makes_no_entry_twice(tmp_path: Path) -> None:
    place = Place(tmp_path, "harness.tests.divergent:Divergent")
    place.run()
    place.accept()
    drafts = place.files()
    assert place.accept().returncode == 0
    assert place.files() == drafts


def test_an_entry_that_no_longer_happens_is_taken_out_by_its_id(tmp_path: Path) -> None:
    place = Place(tmp_path, "harness.tests.divergent:Divergent")
    stale = OTHER.replace("somebody-elses", "ours-once").replace('"another"', '"harness.tests.divergent:*"')
    answered = (name for name, way in WAYS.items() if way.observed != "crashes")  # who died decided nothing
    stale = stale.replace('["*"]', f"[{', '.join(f'edges/{name}' for name in answered)}]")
    (place.ledger / "ours.yaml").write_text(stale.replace("kind: nan", "kind: bits"), encoding="utf-8")
    place.run()
    (problem,) = read_run(place.run_file).footer.problems
    assert (problem.kind, problem.entry, problem.place) == ("fixed", "ours-once", "ledger/ours.yaml:2")
    assert "removed:  ours-once" in place.accept().stdout
    assert place.files()["ours.yaml"] == "# Entries of other people.\n"
    assert place.files()["other.yaml"] == OTHER


def test_another_failure_than_the_accepted_one_still_disagrees(first: Run) -> None:
    _, entries = accepted([first], Ledger())
    ledger = Ledger(entries)
    for cell in first.cells:
        if cell.observed is not None and cell.verdict == "disagrees":
            for kind in set(OBSERVED) - {cell.observed.kind}:
                other = replace(cell, observed=replace(cell.observed, kind=kind))
                pins = [entry.pin.kind for entry in ledger.entries if entry.id in _explaining(first, ledger, other)]
                assert pins in ([], [kind])


def _explaining(run: Run, ledger: Ledger, cell: object) -> list[str]:
    (known,), new = accepted([replace(run, cells=(cell,))], ledger)  # type: ignore[arg-type]
    return [] if new else [str(known.cells[0].ledger)]


# --- files that hold anything -----------------------------------------------------------------------------------------

texts = st.text(min_size=1)
names = st.lists(texts, min_size=1, max_size=3).map(tuple)
entries = st.builds(
    Entry,
    id=st.from_regex(r"[a-z0-9][a-z0-9-]{0,12}", fullmatch=True),
    cases=names,
    implementations=names,
    pin=st.builds(
        Pin,
        st.sampled_from(OBSERVED),
        of=st.none() | texts,
        error=st.none() | texts,
        dtype=st.none() | texts,
        computed_in=st.none() | st.sampled_from(("float32", "*16", "nowhere")),
        ratio=st.none() | st.tuples(*[st.floats(0)] * 2).map(lambda ends: (min(ends), max(ends))),
    ),
    reason=texts.map(lambda text: UNWRITTEN + text),
    upstream=st.just("none found"),
    versions=st.sampled_from(("", "==2.13.0+cpu", ">=2,<3")),
    modes=names,
    where=st.sampled_from(((), (Condition("onednn", ("on",)), Condition("libc_version", ("2.30", "2.4"))))),
    seen=st.just("") | st.just("On a Sapphire Rapids: four cells."),
    dtypes=st.lists(st.sampled_from(("float32", "*16", "*")), min_size=1, max_size=2).map(tuple),
    aspects=names,
    beyond=st.lists(st.sampled_from(sorted(LOSSES)), max_size=2).map(tuple),
    since=st.dictionaries(texts, st.sampled_from(("0.2.6", "<=0.1.4", ">0.1,<=0.2"))).map(
        lambda by: tuple(sorted(by.items()))
    ),
)


@given(st.lists(entries, min_size=1, max_size=3))
def test_whatever_a_name_is_made_of_its_entry_is_read_as_it_was_written(some: list[Entry]) -> None:
    found, problems = parse_ledger(written(some), "x.yaml", drafts=True)
    assert problems == []
    assert [replace(entry, location="") for entry in found] == some


@given(st.lists(entries, min_size=1, max_size=3, unique_by=lambda entry: entry.id), st.data())
def test_what_is_appended_and_taken_out_leaves_the_rest_as_it_was(some: list[Entry], data: st.DataObject) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        before = data.draw(st.sampled_from((OTHER, OTHER.replace("\n", "\r\n"), "", "# nothing yet\n", OTHER.rstrip())))
        file = folder / "a.yaml"
        file.write_bytes(before.encode())
        append_entries(file, some)
        assert file.read_bytes().startswith(before.encode())
        ids = [entry.id for entry in load_drafts(folder)]
        assert ids[-len(some) :] == [entry.id for entry in some]
        remove_entries(folder, {entry.id for entry in some})
        assert file.read_bytes().decode().rstrip() == before.rstrip()


def test_an_empty_list_is_followed_by_entries(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("[]\n", encoding="utf-8")
    append_entries(tmp_path / "a.yaml", [Entry("one", ("*",), ("*",), Pin("nan"), UNWRITTEN, "none found")])
    assert [entry.id for entry in load_drafts(tmp_path)] == ["one"]
    with pytest.raises(SuiteError, match="cause of the divergence"):
        load_entries(tmp_path)


def test_a_file_whose_entries_share_lines_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("[{id: one}, {id: two}]\n", encoding="utf-8")
    with pytest.raises(SuiteError, match="told apart by their lines"):
        remove_entries(tmp_path, {"one"})
    assert file.read_text(encoding="utf-8") == "[{id: one}, {id: two}]\n"
