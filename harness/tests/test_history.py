"""Digests of releases, what is inferred from them, and how they are collected: an "environment" here is one of our
known-bad implementations, so that a release that changed something is one for which we know what."""

from __future__ import annotations

import json
import threading
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet

import reports.history
from harness.adapters.choice import choose
from harness.cli.cases import lint_since
from harness.core.case import ArraySpec, Case, ExpectRaises, Location
from harness.core.cell import Run
from harness.core.ledger import Entry, Pin
from harness.core.machine_description import describe_machine
from harness.judgement.ledger import Ledger
from harness.runs.plan import Scope
from harness.runs.service import execute_order
from harness.runs.session import Order
from harness.suite.ledger_edits import write_since
from harness.suite.ledger_files import load_entries
from harness.suite.selection import load_selection
from harness.tests.commands import xent
from harness.versions import canaries
from harness.versions.behaviours import History, behaviours, groups, histories, ledger_since, sentence, since, spans
from harness.versions.collecting import Task, collect, flipped
from harness.versions.digest import (
    VARIES,
    Answered,
    Digest,
    Seen,
    Store,
    StoreError,
    case_digests,
    decoded,
    encoded,
    with_repeats,
)
from harness.versions.environments import CannotBuild, Environment
from harness.versions.releases import Release, between, in_order, newest_and_later, released

pytestmark = pytest.mark.slow

# --- spans ------------------------------------------------------------------------------------------------------------

values = st.lists(st.sampled_from([None, "a", "b"]), max_size=12)


def points(known: Sequence[str | None]) -> list[tuple[str, str, str | None]]:
    return [(f"1.{n}", f"2024-01-{n + 1:02}", value) for n, value in enumerate(known)]


@given(values)
def test_every_release_of_which_something_is_known_is_in_one_span_with_its_value(known: list[str | None]) -> None:
    of = {}
    for span in spans(points(known)):
        first, last = int(span.first[2:]), int(span.last[2:])
        of.update({n: span.value for n in range(first, last + 1) if known[n] is not None})
    assert of == {n: value for n, value in enumerate(known) if value is not None}


@given(values)
def test_spans_that_follow_each_other_differ_and_tell_what_lies_between(known: list[str | None]) -> None:
    found = spans(points(known))
    for old, new in pairwise(found):
        assert old.value != new.value
        assert new.after == old.last
        between = range(int(old.last[2:]) + 1, int(new.first[2:]))
        assert new.unknown == tuple(f"1.{n}" for n in between)
    assert all(span.after is None and not span.unknown for span in found[:1])


@given(values, st.integers(0, 12))
def test_a_release_of_which_nothing_is_known_is_no_difference(known: list[str | None], place: int) -> None:
    with_gap = [*known[:place], None, *known[place:]]
    assert [s.value for s in spans(points(with_gap))] == [s.value for s in spans(points(known))]


def test_what_goes_back_and_forth_is_kept_as_it_is() -> None:
    found = spans(points(["a", "b", None, "b", "a"]))
    assert [(s.value, s.first, s.last) for s in found] == [
        ("a", "1.0", "1.0"),
        ("b", "1.1", "1.3"),
        ("a", "1.4", "1.4"),
    ]


RIGHT, WRONG = Seen("right"), Seen("wrong", observed="finite")


def test_a_timeline_in_words_says_when_and_where_nothing_is_known() -> None:
    known = [("0.2.3", "2024-07-09", RIGHT), ("0.2.5", "2025-06-10", RIGHT), ("0.2.6", "2025-09-15", WRONG)]
    assert sentence(spans(known)) == "right 0.2.3–0.2.5, wrong: another number since 0.2.6 (2025-09-15)"
    gap = [known[0], ("0.2.5", "2025-06-10", None), known[2]]
    assert sentence(spans(gap)) == (
        "right 0.2.3, wrong: another number since 0.2.6 (2025-09-15) or since 0.2.5, after 0.2.3"
    )
    assert sentence(spans(known[:1])) == "right in 0.2.3 or before"


# --- digests ----------------------------------------------------------------------------------------------------------

names = st.text("abcxyz0-/", min_size=1, max_size=8)
seen = st.builds(
    Seen,
    st.sampled_from(["right", "wrong", "unsupported", "varies"]),
    under=names,
    observed=names,
    error=names,
    dtype=names,
)
answers = st.builds(Answered, seen, names, st.none() | st.floats(0, 1e6).map(lambda r: float(f"{r:.3g}")))
keys = st.tuples(names, names | st.just("module:Class"), names, names, names)
digests = st.builds(
    Digest,
    st.just("optax"),
    st.sampled_from(["0.2.3", "0.2.4"]),
    st.just("2024-07-09"),
    names,
    st.lists(names).map(tuple),
    st.dictionaries(names, names),
    st.dictionaries(names, names),
    st.just({"optax": {"version": "1", "facts": {}}}),
    st.dictionaries(keys, answers, max_size=5),
    st.frozensets(names),
    names,
)


@settings(max_examples=30)  # each is compressed as hard as what is committed, a tenth of a second
@given(digests)
def test_a_digest_is_read_as_it_was_written(digest: Digest) -> None:
    assert decoded(encoded(digest)) == digest


@given(digests, st.text("abc", min_size=1))
def test_a_cell_that_is_not_the_same_when_run_again_varies(digest: Digest, other: str) -> None:
    cases = {key[0] for key in digest.cells}
    assert with_repeats(digest, [digest, digest], cases) == replace(digest, repeated=digest.repeated | cases)
    changed = {key: Answered(Seen("right", under=f"other {other}")) for key in digest.cells}
    varied = with_repeats(digest, [digest, replace(digest, cells=changed)], cases)
    assert all(answer.seen == VARIES for answer in varied.cells.values())


@given(digests)
def test_a_case_that_was_not_answered_again_was_not_repeated_and_is_what_it_was(digest: Digest) -> None:
    cases = {key[0] for key in digest.cells}
    killed = replace(digest, cells={})
    assert with_repeats(digest, [digest, killed], cases) == digest


def test_the_store_keeps_one_digest_of_a_release_and_says_which_file_is_broken(tmp_path: Path) -> None:
    store = Store(tmp_path)
    first = Digest("optax", "0.2.3", "2024-07-09", "s", ("first",), {"cpu": "x"}, {"numpy": "1"}, {"optax": {}})
    store.write(first)
    again = replace(first, packages={"numpy": "2"})
    store.write(again)
    other_way = replace(again, implementations={"keras-jax": {}})
    store.write(other_way)
    assert set(map(encoded, store.digests("optax"))) == {encoded(again), encoded(other_way)}
    broken = next((tmp_path / "optax").iterdir())
    broken.write_bytes(b"nothing")
    with pytest.raises(StoreError, match=broken.name):
        store.digests("optax")


def test_a_case_is_another_where_what_it_asks_changes_and_nowhere_else() -> None:
    case = Case("a", "title", "why", "softmax", {"logits": ArraySpec((1.0, 2.0))}, Location("f", 1))
    told = case_digests([case])["a"]
    assert case_digests([replace(case, title="other", location=Location("g", 2), tags=("x",))])["a"] == told
    for changed in (
        replace(case, loss="log_softmax"),
        replace(case, inputs={"logits": ArraySpec((1.0, 3.0))}),
        replace(case, options={"axis": 0}),
        replace(case, expect=ExpectRaises("bad_dtype")),
    ):
        assert case_digests([changed])["a"] != told


def test_versions_are_put_in_order_and_a_build_of_one_is_the_same() -> None:
    assert in_order(["2.13.0", "2.9.1", " 2.13.0+cpu", "no version", "2.10.0"]) == ("2.9.1", "2.10.0", "2.13.0")


def test_a_release_that_lies_in_a_folder_besides_the_index_came_out_when_the_index_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "nothing_of_xent-1.0-py3-none-any.whl"
    with zipfile.ZipFile(tmp_path / name, "w") as wheel:
        about = "nothing_of_xent-1.0.dist-info"
        wheel.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: nothing-of-xent\nVersion: 1.0\n")
        wheel.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{about}/RECORD", "")
    file = {"filename": name, "url": f"/{name}", "hashes": {}, "upload-time": "2024-05-06T07:08:09Z"}
    listed = {"meta": {"api-version": "1.1"}, "name": "nothing-of-xent", "files": [file]}

    class Index(SimpleHTTPRequestHandler):
        def __init__(self, *given: Any) -> None:
            super().__init__(*given, directory=str(tmp_path))

        def do_GET(self) -> None:
            if self.path.endswith(".whl"):
                super().do_GET()
                return
            self.send_response(200 if "nothing-of-xent" in self.path else 404)
            self.send_header("Content-Type", "application/vnd.pypi.simple.v1+json")
            self.end_headers()
            self.wfile.write(json.dumps(listed).encode())

        def log_message(self, *said: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Index) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("UV_DEFAULT_INDEX", f"http://127.0.0.1:{server.server_port}/simple")
        monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
        for folder in ("", str(tmp_path)):
            monkeypatch.setenv("UV_FIND_LINKS", folder)
            assert list(released("nothing-of-xent", ["1.0"])) == [Release("1.0", "2024-05-06")]
        server.shutdown()


def test_what_a_pre_release_is_compared_with_is_the_newest_release() -> None:
    assert newest_and_later(in_order(["1.2rc2", "1.1.1", "1.0", "1.2rc1", "1.1rc1", "1.1"])) == (
        "1.1.1",
        "1.2rc1",
        "1.2rc2",
    )
    assert newest_and_later(("1.0", "1.1")) == ("1.1",)
    assert newest_and_later(("0.1rc1", "0.1rc2")) == ("0.1rc1", "0.1rc2")


# --- inference --------------------------------------------------------------------------------------------------------

KEY = ("edges/a", "optax", "jit", "float32", "value")


def of(version: str, cells: dict[tuple[str, str, str, str, str], Answered], repeated: bool = True) -> Digest:
    base = Digest("optax", version, "", "suite", ("first",), {"cpu": "x"}, {}, {"optax": {"facts": {}}})
    return replace(base, cells=cells, repeated=frozenset(key[0] for key in cells) if repeated else frozenset())


def history(*releases: Digest) -> History:
    (found,) = histories(releases, {"suite": {"edges/a": "1", "edges/b": "1"}, "other": {"edges/a": "2"}})
    return found


def test_a_refusal_of_everything_is_compared_with_the_cells_of_another_release() -> None:
    refused = of("1.0", {("edges/a", "optax", "jit", "*", "*"): Answered(Seen("unsupported"))})
    (found,) = behaviours(history(refused, of("1.1", {KEY: Answered(RIGHT)})))
    assert [span.value.kind for span in found.timeline] == ["unsupported", "right"]


def test_an_answer_to_another_question_is_not_compared() -> None:
    other = replace(of("1.0", {KEY: Answered(WRONG)}), suite="other")
    (found,) = behaviours(history(other, of("1.1", {KEY: Answered(RIGHT)})))
    assert [span.first for span in found.timeline] == ["1.1"]


def test_a_gap_asks_no_other_question() -> None:
    gap = replace(of("1.1", {}), suite="other", gap="no wheel")
    (found,) = behaviours(history(of("1.0", {KEY: Answered(WRONG)}), gap))
    assert [span.first for span in found.timeline] == ["1.0"]


def test_other_bits_are_told_apart_from_another_outcome_and_a_change_seen_once_from_one_repeated() -> None:
    releases = [
        of("1.0", {KEY: Answered(RIGHT, "aa")}),
        of("1.1", {KEY: Answered(RIGHT, "bb")}),
        of("1.2", {KEY: Answered(WRONG, "cc")}),
    ]
    (found,) = behaviours(history(*releases))
    assert (found.bits, found.timeline[-1].first, found.confirmed) == (("1.1",), "1.2", True)
    (once,) = behaviours(history(*releases[:2], replace(releases[2], repeated=frozenset())))
    assert not once.confirmed


def test_behaviours_with_one_cause_are_one_group_and_an_entry_begins_with_the_first_of_its_cells() -> None:
    entry = Entry("cancels", ("edges/*",), ("optax",), Pin("finite"), "reason", "none found", versions=">=9")
    other = ("edges/b", *KEY[1:])
    releases = (
        of("1.0", {KEY: Answered(RIGHT), other: Answered(RIGHT)}),
        of("1.1", {KEY: Answered(WRONG), other: Answered(WRONG)}),
    )
    known = history(*releases)
    (group,) = groups(known, behaviours(known), [entry], {"edges/a": "softmax", "edges/b": "softmax"})
    assert (group.entry, group.keys) == ("cancels", (KEY, other))
    span = since(entry, known, "optax")
    assert span is not None
    assert (span.first, span.after) == ("1.1", "1.0")
    assert since(replace(entry, pin=Pin("nan")), known, "optax") is None


@st.composite
def worlds(draw: st.DrawFn) -> tuple[list[int], list[list[bool]]]:
    """Of some cells the release since which each is wrong, and which cells were answered in each release."""
    releases = draw(st.integers(1, 6))
    began = draw(st.lists(st.integers(0, releases), min_size=1, max_size=3))
    answered = st.lists(st.booleans(), min_size=len(began), max_size=len(began))
    return began, draw(st.lists(answered, min_size=releases, max_size=releases))


@given(worlds())
def test_what_is_said_of_an_entry_holds_whatever_is_not_known_is(world: tuple[list[int], list[list[bool]]]) -> None:
    began, answered = world
    cells = [(f"edges/{n}", *KEY[1:]) for n in range(len(began))]
    releases = []
    for n, some in enumerate(answered):
        known = {
            key: Answered(WRONG if n >= since_when else RIGHT)
            for key, since_when, there in zip(cells, began, some, strict=True)
            if there
        }
        releases.append(replace(of(f"1.{n}", known), gap="" if known else "no wheel"))
    entry = Entry("cancels", ("edges/*",), ("optax",), Pin("finite"), "reason", "none found")
    (found,) = histories(releases, {"suite": {key[0]: "1" for key in cells}})
    if not found.known:
        return
    # A cell that was never seen to be wrong is no part of it: nobody can say anything of when it began.
    ever = [b for c, b in enumerate(began) if any(some[c] and n >= b for n, some in enumerate(answered))]
    said = ledger_since([entry], [found]).get("cancels", {}).get("optax")
    if said is None:
        newest = int(found.known[-1].version[2:])
        assert not any(there and newest >= b for there, b in zip(answered[newest], began, strict=True))
        return
    first = f"1.{min(ever)}"
    assert SpecifierSet(said if said[0] in "<>" else f"=={said}").contains(first), (said, first)


# --- collecting -------------------------------------------------------------------------------------------------------

LOSS = "categorical_cross_entropy"
CHANGED = f"mutant:log-base-2.{LOSS}"
MUTANTS = {"1.0": canaries.SOUND, "1.1": canaries.SOUND, "1.3": CHANGED, "1.4rc1": CHANGED, "1.4rc2": canaries.SOUND}
"""What the releases of a package that does not exist are; of 1.2 there is no environment."""


class Releases:
    """Runs them in the place of environments, and counts."""

    def __init__(self) -> None:
        self.runs: list[tuple[str, int]] = []
        self.environments = 0
        suite = load_selection(["documents/d4-dog-in-bits"])
        self.cases, self.digest = suite.cases, suite.digest

    def build(self, release: Release) -> Environment:
        if release.version not in MUTANTS:
            raise CannotBuild("no such\nwheel")
        self.environments += 1
        return Environment(Path(release.version), {"numpy": "2"}, fresh=True)

    def remove(self, environment: Environment) -> None:  # noqa: ARG002 - as the real one
        self.environments -= 1

    def run(self, environment: Environment, some: Sequence[str]) -> Run:
        self.runs.append((environment.python.name, len(some)))
        name = MUTANTS[environment.python.name]
        run = execute_order(Order(self.cases, self.digest, Ledger(), choose([name]), Scope(dtypes=("float64",))))
        described = {"it": run.header.implementations[name]}
        cells = tuple(replace(cell, implementation="it") for cell in run.cells)
        return replace(run, header=replace(run.header, implementations=described), cells=cells)

    def task(self) -> Task:
        described = describe_machine()
        machine = {name: str(described[name]) for name in ("cpu", "instruction_set")}
        about = ("it", ("it",), self.digest, ("first",), (), machine)
        return Task(*about, self.build, self.run, self.remove)


def test_a_release_costs_one_run_a_change_two_more_on_both_sides_and_what_is_kept_nothing(tmp_path: Path) -> None:
    releases, store = Releases(), Store(tmp_path)
    store.write_suite(releases.digest, case_digests(releases.cases))
    wanted = [Release(version, "2024-01-01") for version in ("1.0", "1.1", "1.2", "1.3")]
    told = [(r.version, d.gap, fresh) for r, d, fresh in collect(releases.task(), wanted, store)]
    assert told == [("1.0", "", True), ("1.1", "", True), ("1.2", "no such wheel", True), ("1.3", "", True)]
    assert releases.runs == [("1.0", 0), ("1.1", 0), ("1.3", 0), ("1.1", 1), ("1.1", 1), ("1.3", 1), ("1.3", 1)]
    assert releases.environments == 0
    releases.runs.clear()
    assert [fresh for _, _, fresh in collect(releases.task(), wanted, store)] == [False] * 4
    assert releases.runs == []
    (known,) = histories(store.digests("it"), {releases.digest: store.suite(releases.digest)})
    (found,) = [b for b in behaviours(known) if b.key[4] == "value"]
    assert found.confirmed
    assert [(s.first, s.after, s.unknown) for s in found.timeline] == [("1.0", None, ()), ("1.3", "1.1", ("1.2",))]


def test_what_is_kept_and_cannot_be_built_any_more_was_seen_once_and_the_rest_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    releases, store = Releases(), Store(tmp_path)
    store.write_suite(releases.digest, case_digests(releases.cases))
    list(collect(releases.task(), [Release("1.1", "2024-01-01")], store))
    monkeypatch.delitem(MUTANTS, "1.1")
    wanted = [Release(version, "2024-01-01") for version in ("1.1", "1.3", "1.4rc1")]
    assert [r.version for r, _, _ in collect(releases.task(), wanted, store)] == ["1.1", "1.3", "1.4rc1"]
    (known,) = histories(store.digests("it"), {releases.digest: store.suite(releases.digest)})
    (found,) = [b for b in behaviours(known) if b.key[4] == "value"]
    assert ([span.first for span in found.timeline], found.confirmed) == (["1.1", "1.3"], False)


def test_what_began_between_two_releases_that_were_named_began_in_none_of_them_for_sure(tmp_path: Path) -> None:
    releases, store = Releases(), Store(tmp_path)
    store.write_suite(releases.digest, case_digests(releases.cases))
    wanted = [Release(version, "2024-01-01") for version in ("1.0", "1.1", "1.3")]
    left_out = between(("1.0", "1.3"), ("0.9", "1.0", "1.1", "1.3"))

    def began() -> tuple[str | None, tuple[str, ...]]:
        (known,) = histories(store.digests("it"), {releases.digest: store.suite(releases.digest)})
        (found,) = [b for b in behaviours(known) if b.key[4] == "value"]
        return found.timeline[-1].after, found.timeline[-1].unknown

    told = [r.version for r, _, _ in collect(replace(releases.task(), left_out=left_out), wanted, store)]
    assert (told, began()) == (["1.0", "1.3"], ("1.0", ("1.1",)))
    list(collect(releases.task(), wanted, store))
    assert began() == ("1.1", ())
    list(collect(replace(releases.task(), left_out=left_out), wanted, store))
    assert began() == ("1.1", ()), "what is known is not forgotten"


def test_what_began_in_a_pre_release_is_told_with_its_name(tmp_path: Path) -> None:
    releases, store = Releases(), Store(tmp_path)
    store.write_suite(releases.digest, case_digests(releases.cases))
    wanted = [Release(version, "2024-01-01") for version in newest_and_later(in_order(MUTANTS))]
    assert [version.version for version in wanted] == ["1.3", "1.4rc1", "1.4rc2"]
    list(collect(releases.task(), wanted, store))
    (known,) = histories(store.digests("it"), {releases.digest: store.suite(releases.digest)})
    losses = {case.id: case.loss for case in releases.cases}
    every = behaviours(known)
    (group,) = {g.timeline[-1]: g for g in groups(known, every, (), losses)}.values()
    assert sentence(group.timeline) == "wrong: another number 1.3–1.4rc1, right since 1.4rc2 (2024-01-01)"
    told = reports.history.page(known, [group], every, {}, losses)
    assert "## 1.4rc2 \\(2024-01-01\\)" in told
    assert "wrong: another number; now right" in told


def test_an_interrupted_collection_leaves_no_environment_and_goes_on_where_it_stopped(tmp_path: Path) -> None:
    releases, store = Releases(), Store(tmp_path)
    wanted = [Release("1.0", ""), Release("1.3", "")]
    going = collect(releases.task(), wanted, store)
    next(going)
    going.close()
    assert releases.environments == 0
    list(collect(releases.task(), wanted, store))
    assert [run for run in releases.runs if run[1] == 0] == [("1.0", 0), ("1.3", 0)]


def test_the_planted_changes_are_found_by_digests_too() -> None:
    cases = load_selection(canaries.CASES).cases
    scope = Scope(dtypes=("float64", "float32"))
    run = execute_order(Order(cases, "", Ledger(), choose(canaries.IMPLEMENTATIONS), scope))
    assert canaries.unseen(run) == ()
    blind = replace(run, cells=run.cells[:1])
    assert canaries.unseen(blind)


# --- the ledger -------------------------------------------------------------------------------------------------------


def test_since_is_written_into_the_ledger_and_every_other_line_stays(tmp_path: Path) -> None:
    text = "# a remark\n- id: a\n  cases: [x]\n  implementations: [optax]\n  outcome: {kind: nan}\n  reason: >-\n"
    text += f"    {'long enough ' * 5}\n  upstream: none found\n\n# another\n- id: b\n  cases: [y]\n"
    text += f'  implementations: [jax]\n  since: {{jax: "0.1"}}\n  outcome: {{kind: inf}}\n  reason: {"words " * 9}\n'
    text += "  upstream: none found\n"
    file = tmp_path / "ledger.yaml"
    file.write_text(text, encoding="utf-8")
    found = {"a": {"optax": "<=0.1.4"}, "b": {"jax": ">0.4.1,<=0.4.3"}}
    write_since(tmp_path, found)
    assert {entry.id: dict(entry.since) for entry in load_entries(tmp_path)} == found
    unchanged = [line for line in text.splitlines() if "since" not in line]
    assert [line for line in file.read_text(encoding="utf-8").splitlines() if "since" not in line] == unchanged
    write_since(tmp_path, {})
    assert not any(entry.since for entry in load_entries(tmp_path))


def test_an_entry_says_when_it_began_as_exactly_as_is_known() -> None:
    entry = Entry("cancels", ("*",), ("optax",), Pin("finite"), "reason", "none found")
    right, wrong = {KEY: Answered(RIGHT)}, {KEY: Answered(WRONG)}
    gap = replace(of("1.1", {}), gap="no wheel")
    for releases, said in (
        ((of("1.0", wrong), of("1.2", wrong)), "<=1.0"),
        ((of("1.0", right), of("1.2", wrong)), "1.2"),
        ((of("1.0", right), gap, of("1.2", wrong)), ">1.0,<=1.2"),
    ):
        assert ledger_since([entry], [history(*releases)]) == {"cancels": {"optax": said}}
    assert ledger_since([entry], [history(of("1.0", wrong), of("1.2", right))]) == {}


def test_a_cell_that_only_one_of_two_releases_was_asked_for_is_no_change() -> None:
    other = (*KEY[:3], "float64", "value")
    assert (
        flipped(of("1.0", {KEY: Answered(RIGHT)}), of("1.1", {KEY: Answered(RIGHT), other: Answered(WRONG)})) == set()
    )
    refused = of("1.0", {("edges/a", "optax", "jit", "*", "*"): Answered(Seen("unsupported"))})
    assert flipped(refused, of("1.1", {KEY: Answered(RIGHT)})) == {"edges/a"}


def test_lint_refuses_an_entry_that_says_otherwise_than_the_history(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    entry = Entry("a", ("*",), ("optax",), Pin("nan"), "reason", "none found", location="ledger.yaml:7")
    said = replace(entry, since=(("optax", "0.2.6"),))
    assert not lint_since([entry, said])  # where no history is kept there is nothing to compare with
    (tmp_path / "reports" / "history").mkdir(parents=True)
    (tmp_path / "reports" / "history" / "since.json").write_text('{"a": {"optax": "0.2.6"}}', encoding="utf-8")
    assert not lint_since([said])
    assert [p.line for p in lint_since([entry])] == [7]
    assert lint_since([replace(said, since=(("optax", "0.2.5"),))])


def test_what_is_known_of_releases_comes_with_the_package_and_a_project_s_own_is_before_it(tmp_path: Path) -> None:
    told = xent("since", "optax-integer-labels-lose-the-shift", folder=tmp_path)
    assert (told.returncode, "optax: since 0.2.6 " in told.stdout) == (0, True), told
    (tmp_path / "reports" / "history" / "optax").mkdir(parents=True)
    hidden = xent("since", "optax-integer-labels-lose-the-shift", folder=tmp_path)
    assert hidden.returncode == 5, "of optax this project keeps something else: nothing yet"
    unknown = xent("since", "edges/no-such[torch:eager:float32:value]", folder=tmp_path)
    assert unknown.returncode == 5
    assert "kept are releases of" in unknown.stdout
    assert "scipy" in unknown.stdout
