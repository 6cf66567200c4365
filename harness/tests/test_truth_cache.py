from __future__ import annotations

import os
import platform
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

import reference
from harness.adapters.registry import resolve
from harness.cli.main import main
from harness.core.cell import Header
from harness.core.exit_codes import ExitCode
from harness.judgement.ledger import Ledger
from harness.runs import service, truth_cache
from harness.runs.plan import Scope
from harness.runs.run_file import to_json
from harness.runs.session import Order, execute
from harness.runs.truth_cache import LARGEST_KEPT, UNUSED_DAYS, KeptTruths, decoded, encoded, key_of, truths_file
from harness.suite.loading import find_cases_directory, load
from reference.arguments import ArgumentError

LOGITS: Mapping[str, Any] = {"logits": np.array([[2.0, -1.0, 0.5]]), "targets": np.array([0])}


class Counting:
    """The reference, and how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, *arguments: Any, **more: Any) -> reference.Evaluation:
        self.asked += 1
        return reference.evaluate(*arguments, **more)


def once(path: Path, inputs: Mapping[str, Any] = LOGITS, *, fresh: bool = False, **more: Any) -> tuple[float, int]:
    """The loss as a run of its own is told it, and how often that run asked the reference."""
    asking = Counting()
    with KeptTruths(path, asking, fresh=fresh) as truths:
        value = float(truths.evaluate("softmax_cross_entropy", inputs, {"reduction": "mean"}, **more).value)
    return value, asking.asked


RIGHT = float(reference.evaluate("softmax_cross_entropy", LOGITS, {"reduction": "mean"}).value)


def test_a_second_run_does_not_ask_the_reference(tmp_path: Path) -> None:
    path = tmp_path / "truths" / "these.sqlite"
    assert [once(path), once(path), once(path)] == [(RIGHT, 1), (RIGHT, 0), (RIGHT, 0)]


def test_within_a_run_too_what_is_not_written_yet_is_known(tmp_path: Path) -> None:
    asking = Counting()
    with KeptTruths(tmp_path / "these.sqlite", asking) as truths:
        for _ in range(3):
            truths.evaluate("softmax", {"logits": np.ones((1, 2))})
    assert asking.asked == 1


def test_however_arguments_are_passed_they_are_one_truth(tmp_path: Path) -> None:
    asking = Counting()
    with KeptTruths(tmp_path / "these.sqlite", asking) as truths:
        truths.evaluate("softmax_cross_entropy", LOGITS, {"reduction": "none"})
        truths.evaluate(inputs=LOGITS, loss="softmax_cross_entropy", vector=None, options={"reduction": "none"})
    assert asking.asked == 1


def test_fresh_asks_again_and_keeps_the_answer(tmp_path: Path) -> None:
    path = tmp_path / "these.sqlite"
    assert [once(path)[1], once(path, fresh=True)[1], once(path)[1]] == [1, 1, 0]


def test_what_is_read_is_what_was_said(tmp_path: Path) -> None:
    arguments: tuple[Any, ...] = ("softmax_cross_entropy", LOGITS, {"reduction": "none"}, None)
    more: dict[str, Any] = {"differentiate": ("logits",), "cotangent": np.array([2.0]), "vector": np.ones((1, 3))}
    said = reference.evaluate(*arguments, **more)
    for _ in range(2):
        with KeptTruths(tmp_path / "these.sqlite") as truths:
            read = truths.evaluate(*arguments, **more)
            assert list(read.gradients) == ["logits"]
            assert read.hessian_vector is not None
            assert said.hessian_vector is not None
            for mine, theirs in (
                (read.value, said.value),
                (read.gradients["logits"], said.gradients["logits"]),
                (read.hessian_vector, said.hessian_vector),
            ):
                assert mine.shape == theirs.shape
                assert (mine.hi.tobytes(), mine.lo.tobytes()) == (theirs.hi.tobytes(), theirs.lo.tobytes())


@given(
    st.lists(arrays(np.float64, array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3)), min_size=1, max_size=3),
    st.booleans(),
)
def test_rows_hold_any_numbers(numbers: list[Any], twice: bool) -> None:
    """nan, −0 and subnormals among them, bit for bit."""
    first = reference.Exact(numbers[0], -numbers[0])
    gradients = {f"input {n}": reference.Exact(a, np.zeros_like(a)) for n, a in enumerate(numbers[1:])}
    row = encoded(b"key", reference.Evaluation(first, gradients, first if twice else None))
    assert row is not None
    read = decoded(b"key", row)
    assert isinstance(read, reference.Evaluation)
    assert (read.hessian_vector is not None) == twice
    assert [n for n, _ in read.gradients.items()] == list(gradients)
    for mine, theirs in [(read.value, first), *((read.gradients[n], gradients[n]) for n in gradients)]:
        assert mine.shape == theirs.shape
        assert (mine.hi.tobytes(), mine.lo.tobytes()) == (theirs.hi.tobytes(), theirs.lo.tobytes())
    assert decoded(b"another key", row) is None


def test_a_refusal_is_kept_in_its_words(tmp_path: Path) -> None:
    asking = Counting()
    words = []
    for _ in range(2):
        with (
            KeptTruths(tmp_path / "these.sqlite", asking) as truths,
            pytest.raises(ArgumentError) as refusal,
        ):
            truths.evaluate("softmax", {"logits": np.ones((1, 2))}, {"axis": 7})
        words.append(str(refusal.value))
    assert asking.asked == 1
    assert words[0] == words[1] != ""


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((np.zeros(2),), (np.array([0.0, -0.0]),)),
        ((np.zeros(2),), (np.zeros(2, np.int64),)),
        ((np.zeros((2, 1)),), (np.zeros((1, 2)),)),
        ((np.zeros((3, 2)),), (np.zeros((2, 3)).T,)),
        ((1,), (1.0,)),
        ((1,), (True,)),
        ((None,), ("None",)),
        (({"a": 1, "b": 2},), ({"a": 2, "b": 1},)),
        (("ab", "c"), ("a", "bc")),
        ((("a",), "b"), ("a", ("b",))),
        (({},), (())),
    ],
)
def test_what_differs_has_another_key(one: tuple[Any, ...], other: tuple[Any, ...]) -> None:
    assert key_of(one) == key_of(one) != key_of(other)


def test_what_has_no_bits_of_its_own_has_no_key(tmp_path: Path) -> None:
    assert key_of((object(),)) is None
    assert key_of((np.array([object()]),)) is None
    wrapped = {**LOGITS, "logits": reference.Exact(LOGITS["logits"], np.zeros((1, 3)))}
    assert [once(tmp_path / "these.sqlite", wrapped) for _ in range(2)] == [(RIGHT, 1)] * 2


@pytest.mark.parametrize("byte", [0, 15, 16, 40, -1])
def test_a_flipped_bit_is_not_believed(tmp_path: Path, byte: int) -> None:
    path = tmp_path / "these.sqlite"
    once(path)
    connection = sqlite3.connect(path)
    ((row,),) = connection.execute("SELECT said FROM truths").fetchall()
    broken = bytearray(row)
    broken[byte] ^= 1
    connection.execute("UPDATE truths SET said = ?", (bytes(broken),))
    connection.commit()
    connection.close()
    assert [once(path), once(path)] == [(RIGHT, 1), (RIGHT, 0)]


@pytest.mark.parametrize("value", ["text", None, 3])
def test_a_row_of_another_type_is_not_believed(tmp_path: Path, value: object) -> None:
    path = tmp_path / "these.sqlite"
    once(path)
    connection = sqlite3.connect(path)
    connection.execute("DROP TABLE truths")
    connection.execute("CREATE TABLE truths (key BLOB PRIMARY KEY, said)")
    key = key_of(("softmax_cross_entropy", LOGITS, {"reduction": "mean"}, None, None, None, None))
    connection.execute("INSERT INTO truths VALUES (?, ?)", (key, value))
    connection.commit()
    connection.close()
    assert [once(path), once(path)] == [(RIGHT, 1), (RIGHT, 0)]


def test_a_file_that_is_none_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "these.sqlite"
    path.write_bytes(b"this is no database, and longer than the first page of one would have to be" * 100)
    assert [once(path), once(path)] == [(RIGHT, 1), (RIGHT, 0)]


def test_a_file_that_breaks_further_in_is_made_anew_by_the_next_run(tmp_path: Path) -> None:
    path = tmp_path / "these.sqlite"
    once(path)
    pages = path.read_bytes()
    path.write_bytes(pages[:4096] + b"\xff" * (len(pages) - 4096))  # the schema is whole, the table is not
    assert [once(path), once(path), once(path)] == [(RIGHT, 1), (RIGHT, 1), (RIGHT, 0)]


def test_nothing_can_be_written(tmp_path: Path) -> None:
    """As where the folder is somebody else's: here a file stands in its place."""
    (tmp_path / "truths").write_text("a file")
    assert [once(tmp_path / "truths" / "these.sqlite") for _ in range(2)] == [(RIGHT, 1)] * 2


def test_what_can_only_be_read_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "these.sqlite"
    once(path)
    connect = sqlite3.connect
    # Permissions would not keep out a test that runs as root.
    monkeypatch.setattr(sqlite3, "connect", lambda p, **more: connect(f"file:{p}?mode=ro", uri=True, **more))
    other = {**LOGITS, "targets": np.array([1])}
    assert [once(path)[1], once(path, other)[1], once(path, other)[1]] == [0, 1, 1]


def test_a_file_somebody_holds_is_waited_for_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "these.sqlite"
    once(path)
    monkeypatch.setattr(truth_cache, "PATIENCE", 0.05)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    asking = Counting()
    since = time.perf_counter()
    with KeptTruths(path, asking) as truths:
        for n in range(100):
            truths.evaluate("softmax", {"logits": np.array([[1.0, n]])})
    assert asking.asked == 100
    assert time.perf_counter() - since < 100 * 0.05
    holder.close()
    assert once(path) == (RIGHT, 0)


def test_two_runs_write_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "these.sqlite"
    monkeypatch.setattr(truth_cache, "BATCH", 3)
    monkeypatch.setattr(truth_cache, "PATIENCE", 30.0)  # on a busy machine too

    def write(numbers: range) -> None:
        with KeptTruths(path) as truths:
            for n in numbers:
                truths.evaluate("softmax", {"logits": np.array([[1.0, n]])})

    writers = [threading.Thread(target=write, args=(numbers,)) for numbers in (range(60), range(30, 90))]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    asking = Counting()
    with KeptTruths(path, asking) as truths:
        for n in range(90):
            truths.evaluate("softmax", {"logits": np.array([[1.0, n]])})
    assert asking.asked == 0


def test_an_interrupted_run_keeps_what_it_knew(tmp_path: Path) -> None:
    path = tmp_path / "these.sqlite"

    def interrupted() -> None:
        with KeptTruths(path) as truths:
            truths.evaluate("softmax_cross_entropy", LOGITS, {"reduction": "mean"})
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert once(path) == (RIGHT, 0)


@pytest.mark.parametrize(("loss", "size", "kept"), [("softmax", 0, True), ("softmax", 1, False), ("entropy", 1, True)])
def test_huge_truths_are_not_kept(tmp_path: Path, loss: str, size: int, kept: bool) -> None:
    """Huge is what is said, not what it is said about."""
    name = {"softmax": "logits", "entropy": "probabilities"}[loss]
    asking = Counting()
    for _ in range(2):
        with KeptTruths(tmp_path / "these.sqlite", asking) as truths:
            truths.evaluate(loss, {name: np.zeros((1, LARGEST_KEPT + size))}, differentiate=())
    assert asking.asked == (1 if kept else 2)


def test_the_name_belongs_to_source_versions_and_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    names = {truths_file.__wrapped__().name}
    changes: tuple[tuple[Any, str, Callable[[], str] | str], ...] = (
        (truth_cache, "source_digest", lambda: "other"),
        (platform, "python_version", lambda: "3.99"),
        (np, "__version__", "99.0"),
        (truth_cache, "processor", lambda: "other"),
    )
    for module, name, value in changes:
        with monkeypatch.context() as changed:
            changed.setattr(module, name, value)
            names.add(truths_file.__wrapped__().name)
    assert len(names) == 5
    assert truths_file.__wrapped__().name in names


def test_a_changed_source_has_a_file_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "reference"
    folder.mkdir()
    for path in Path(reference.__file__).parent.glob("*.py"):
        (folder / path.name).write_bytes(path.read_bytes())
    monkeypatch.setattr(reference, "__file__", str(folder / "__init__.py"))
    before = truths_file.__wrapped__()
    with (folder / "softmax.py").open("a") as file:
        file.write("# changed\n")
    assert truths_file.__wrapped__() != before


def test_files_nobody_uses_are_removed(tmp_path: Path) -> None:
    path, old, recent = (tmp_path / f"{name}.sqlite" for name in ("these", "old", "recent"))
    once(path)
    for other, days in ((path, UNUSED_DAYS + 1), (old, UNUSED_DAYS + 1), (recent, UNUSED_DAYS - 1)):
        other.touch()
        then = time.time() - days * 86_400
        os.utime(other, (then, then))
    assert once(path) == (RIGHT, 0)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["recent.sqlite", "these.sqlite"]


def test_the_cells_are_the_same(tmp_path: Path) -> None:
    """A run that evaluates, one that keeps, one that reads: only times differ, and the last asks nothing."""
    home = find_cases_directory()
    suite = load([home / "documents" / "d4.yaml", home / "edges" / "softmax.yaml"])
    order = Order(suite.cases, suite.digest, Ledger(), (resolve("numpy"),), Scope(dtypes=("float64", "float16")))

    def lines(**more: Any) -> list[str]:
        found = [item for item in execute(order, **more) if isinstance(item, Header) or hasattr(item, "verdict")]
        suites = [to_json(item).partition('"machine"')[0] for item in found if isinstance(item, Header)]
        cells = [{**vars(item), "seconds": None} for item in found if not isinstance(item, Header)]
        return [suites[0].partition('"implementations"')[0], *sorted(map(repr, cells))]

    asked, runs = [], [lines()]
    for _ in range(2):
        asking = Counting()
        with KeptTruths(tmp_path / "these.sqlite", asking) as truths:
            runs.append(lines(evaluate=truths.evaluate))
        asked.append(asking.asked)
    assert runs[0] == runs[1] == runs[2]
    assert len(runs[0]) > 100
    assert asked[0] > 100
    assert asked[1] == 0


def test_a_run_reads_what_is_kept_unless_it_is_to_begin_afresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong truth, kept with a check that holds, shows who reads it."""
    path = tmp_path / "these.sqlite"
    monkeypatch.setattr(service, "truths_file", lambda: path)
    order = ["run", str(find_cases_directory() / "documents" / "d4.yaml"), "-i", "numpy", "--dtypes", "float64"]
    assert main(order) == ExitCode.FINE
    connection = sqlite3.connect(path)
    for key, row in connection.execute("SELECT key, said FROM truths").fetchall():
        said = decoded(key, row)
        if isinstance(said, reference.Evaluation):
            wrong = replace(said, value=reference.Exact(said.value.hi + 1.0, said.value.lo))
            connection.execute("UPDATE truths SET said = ? WHERE key = ?", (encoded(key, wrong), key))
    connection.commit()
    connection.close()
    assert main(order) == ExitCode.DISAGREES
    assert main([*order, "--fresh"]) == ExitCode.FINE
    assert main(order) == ExitCode.FINE
