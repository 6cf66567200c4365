"""Golden tables: what is written is what the reference says, and the examples in other languages find bugs by them."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import reference
from harness.core.errors import UsageError
from harness.core.formats import FORMATS, decode
from harness.core.rows import rows_of
from harness.golden.parquet import parquet
from harness.golden.table import chosen
from harness.judgement.directional import along as product_along
from harness.tests.commands import xent
from harness.tests.shipped import shipped_cases

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "golden-table"
FEW = ("edges/ignored*", "edges/pos-weight*", "documents/d1*", "options/*weights*", "edges/softmax-undefined*")
WIDTHS = {2: np.uint16, 4: np.uint32, 8: np.uint64}


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tables")
    for name in ("golden.jsonl", "golden.parquet"):
        done = xent("golden", *FEW, "--dtypes", "float64,bfloat16", "-o", folder / name)
        assert (done.returncode, "certificate: " in done.stdout) == (0, True), done.stderr
    return folder


@pytest.fixture(scope="module")
def rows(tables: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (tables / "golden.jsonl").read_text("ascii").splitlines()[1:]]


def number(value: float | str) -> float:
    return float(value)


def decoded(dtype: str, shape: list[int], bits: list[int]) -> np.ndarray[Any, Any]:
    stored = np.dtype(FORMATS[dtype].storage if dtype in FORMATS else dtype)
    array = np.array(bits, WIDTHS[stored.itemsize]).view(stored).reshape(shape)
    return decode(array, FORMATS[dtype]) if dtype in FORMATS else array


def derivative_along(slope: Any, vector: Any, shape: tuple[int, ...], axis: int) -> reference.Exact:
    """The derivative of each element of the value, which no other element's logits move."""
    parts = [rows_of(part, shape, axis) for part in (slope.hi, slope.lo, vector)]
    hi_and_lo = np.zeros((2, *shape))
    for element in np.ndindex(shape):
        hi_and_lo[(slice(None), *element)] = product_along(*(part[element] for part in parts))
    return reference.Exact(*hi_and_lo)


def test_what_is_read_back_is_what_the_reference_says(rows: list[dict[str, Any]]) -> None:
    twice = 0
    for row in rows:
        arrays = {a["name"]: decoded(a["dtype"], a["shape"], [int(b, 16) for b in a["bits"]]) for a in row["arrays"]}
        along: dict[str, Any] = {name: arrays.pop(name, None) for name in ("cotangent", "vector")}
        inputs = {name: arrays.pop(name) for name in reference.LOSSES[row["loss"]].inputs if name in arrays}
        results = {result["of"]: result for result in row["results"]}
        slopes = [name for name in results if name in inputs]
        exact = reference.evaluate(row["loss"], inputs, {**row["options"], **arrays}, differentiate=slopes, **along)
        found = {"value": exact.value, **exact.gradients}
        if exact.hessian_vector is not None:
            found["hessian_vector"] = exact.hessian_vector
            twice += 1
        if "directional" in results:
            slope = (
                exact
                if along["cotangent"] is None
                else reference.evaluate(row["loss"], inputs, {**row["options"], **arrays}, differentiate=slopes)
            )
            axis = int(row["options"].get("axis", -1))
            found["directional"] = derivative_along(
                slope.gradients[slopes[0]], along["vector"], exact.value.hi.shape, axis
            )
        assert set(found) == set(results)
        for name, numbers in found.items():
            for part in ("hi", "lo"):
                read = np.array([number(x) for x in results[name][part]]).reshape(results[name]["shape"])
                np.testing.assert_array_equal(read, getattr(numbers, part), f"{row['case']} {name} {part}")
            allowed = np.array(results[name]["tolerance"]).reshape(results[name]["shape"])
            assert ((allowed > 0) == np.isfinite(numbers.hi)).all()
    assert 0 < twice < len(rows)


def test_the_header_vouches_for_the_rows(tables: Path) -> None:
    head, _, rest = (tables / "golden.jsonl").read_text("ascii").partition("\n")
    said = json.loads(head)
    assert said["digest"] == hashlib.sha256(rest.encode()).hexdigest()
    assert said["rows"] == rest.count("\n")
    assert said["certificate"] is None or said["certificate"]["digest"] == said["reference"]


def test_parquet_holds_the_same(tables: Path, rows: list[dict[str, Any]]) -> None:
    read_table = pytest.importorskip("pyarrow.parquet").read_table
    table = read_table(tables / "golden.parquet")
    assert json.loads(table.schema.metadata[b"xent"]) == json.loads(
        (tables / "golden.jsonl").read_text("ascii").partition("\n")[0]
    )
    for got, row in zip(table.to_pylist(), rows, strict=True):
        assert (got["case"], got["loss"], got["dtype"]) == (row["case"], row["loss"], row["dtype"])
        assert json.loads(got["options"]) == row["options"]
        assert got["arrays"] == [{**a, "bits": [int(b, 16) for b in a["bits"]]} for a in row["arrays"]]
        for mine, theirs in zip(got["results"], row["results"], strict=True):
            for part in ("hi", "lo", "tolerance"):
                np.testing.assert_array_equal(mine[part], [number(x) for x in theirs[part]])


def test_options_and_losses_narrow_it() -> None:
    cases = shipped_cases()
    pairs = list(chosen(cases, losses=("softmax_cross_entropy",), options=("ignore_index",), dtypes=("float32",)))
    assert pairs
    assert {case.loss for case, _ in pairs} == {"softmax_cross_entropy"}
    assert {dtype for _, dtype in pairs} == {"float32"}
    assert {option for case, _ in pairs for option in case.options} == {"ignore_index", "reduction", "denominator"}


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("--losses", "softmx"), 4, "Did you mean softmax?"),
        (("--options", "smoothing"), 4, "Did you mean label_smoothing?"),
        (("documents/d1*", "--losses", "binary_focal"), 5, "no small case"),
    ],
)
def test_what_cannot_be_written_is_said(words: tuple[str, ...], code: int, says: str, tmp_path: Path) -> None:
    done = xent("golden", *words, "-o", tmp_path / "golden.jsonl")
    assert (done.returncode, says in done.stderr) == (code, True), done.stderr
    assert not (tmp_path / "golden.jsonl").exists()


@pytest.mark.parametrize("words", [("golden", "-o", "g.jsonl"), ("explain",), ("run", "-i", "numpy")])
def test_no_arithmetic_of_ours_warns(words: tuple[str, ...], tmp_path: Path) -> None:
    """The error scale of its derivative along the vector is beyond every number."""
    command = [sys.executable, "-W", "error", "-m", "harness", *words, "edges/second-binary-wrong-at-the-ends"]
    environment = {**os.environ, "PYTHONPATH": str(EXAMPLES.parents[1])}
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=tmp_path, env=environment)
    assert (done.returncode, "Warning" in done.stderr) == (0, False), done.stderr


def test_without_pyarrow_json_lines_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UsageError, match="jsonl"):
        parquet([], {})


# --- the examples -----------------------------------------------------------------------------------------------------

LANGUAGES = ("javascript", "cpp")
BUGS = {
    "no maximum is subtracted": {
        "javascript": ("value - largest", "value"),
    },
    "a large number is added and taken off again": {
        "javascript": ("Math.log(sum) - (x[label] - largest)", "Math.log(sum) + largest - x[label]"),
        "cpp": ("std::log(sum) - (x[labels[row]] - largest)", "std::log(sum) + largest - x[labels[row]]"),
    },
    "the mean counts what is ignored": {
        "javascript": ("labels.filter((label) => label !== ignoreIndex).length", "labels.length"),
        "cpp": ('reduction == "mean" && label != ignore_index', 'reduction == "mean" && label == label'),
    },
    "the gradient is the softmax": {
        "javascript": (" - (j === label ? 1 : 0)", ""),
    },
}


@pytest.fixture(scope="module")
def golden(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("golden") / "golden.jsonl"
    narrowed = ("--losses", "softmax_cross_entropy", "--options", "ignore_index", "--dtypes", "float64,float32")
    assert xent("golden", "edges/softmax*", "edges/ignored-all-mean", *narrowed, "-o", file).returncode == 0
    return file


def example(language: str, golden: Path, folder: Path, bug: tuple[str, str] = ("", "")) -> tuple[int, str]:
    """How the example ends with a bug planted, and what it says."""
    program = {"javascript": "node", "cpp": "g++"}[language]
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not here")
    here = Path(shutil.copytree(EXAMPLES / language, folder / language))
    loss = next(here.glob("loss.*"))
    text = loss.read_text(encoding="utf-8")
    assert bug[0] in text
    loss.write_text(text.replace(*bug), encoding="utf-8")
    command = ["node", str(here / "test_loss.mjs"), str(golden)]
    if language == "cpp":
        subprocess.run(["g++", "-std=c++17", "-o", here / "test_loss", here / "test_loss.cpp"], check=True)
        command = [str(here / "test_loss"), str(golden)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_loss_of_the_example_is_right(language: str, golden: Path, tmp_path: Path) -> None:
    code, said = example(language, golden, tmp_path)
    assert (code, " rows, 0 wrong" in said) == (0, True), said


@pytest.mark.parametrize(("bug", "language"), [(bug, language) for bug in BUGS for language in BUGS[bug]])
def test_a_planted_bug_is_found(language: str, bug: str, golden: Path, tmp_path: Path) -> None:
    code, said = example(language, golden, tmp_path, BUGS[bug][language])
    assert (code, "the tolerance" in said) == (1, True), said


def test_a_table_that_was_changed_is_refused(golden: Path, tmp_path: Path) -> None:
    changed = tmp_path / "changed.jsonl"
    changed.write_text(golden.read_text("ascii")[:-200] + "\n", "ascii")
    for language in LANGUAGES:
        assert example(language, changed, tmp_path)[0] not in (0, None), language
