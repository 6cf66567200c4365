"""`xent history` and `xent since` from a subprocess. NumPy alone is installed, which takes a second or two."""

from __future__ import annotations

import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest

from harness.tests.commands import xent

pytestmark = pytest.mark.slow

NUMPY = version("numpy")
CASES = ("--cases", "documents/d4-dog-in-bits", "--dtypes", "float64")
CELL = "documents/d4-dog-in-bits[numpy:eager:float64:value]"


def history(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    cache = {"XDG_CACHE_HOME": str(folder / "cache")}
    ended = xent("history", *words, "--store", folder / "store", environment=cache)
    if "nothing is known of numpy" in ended.stderr:
        pytest.skip(f"no index that knows NumPy: {ended.stderr[-300:]}")
    return ended


def test_a_release_is_run_once_told_in_a_page_and_asked_for_by_its_cell(tmp_path: Path) -> None:
    first = history(tmp_path, "numpy", "-i", "numpy", "--versions", NUMPY, *CASES)
    assert first.returncode == 0, first.stdout + first.stderr
    assert "numpy-float64: 1 releases, 2 cells, 0 changed" in first.stdout
    assert not list((tmp_path / "cache" / "xent" / "environments").glob("*/bin"))
    again = history(tmp_path, "numpy", "-i", "numpy", "--versions", NUMPY, *CASES)
    assert ", kept" in again.stdout
    on_a_cluster = ("--again", "--executor", "dask", "--parallel", "1")
    spread = history(tmp_path, "numpy", "-i", "numpy", "--versions", NUMPY, *CASES, *on_a_cluster)
    assert spread.returncode == 0, spread.stdout + spread.stderr
    assert "numpy-float64: 1 releases, 2 cells, 0 changed" in spread.stdout
    assert ", kept" not in spread.stdout
    assert history(tmp_path, "--kept", "-o", str(tmp_path / "pages")).returncode == 0
    assert "1 releases" in (tmp_path / "pages" / "numpy-float64.md").read_text(encoding="utf-8")
    told = xent("since", CELL, "--store", tmp_path / "store")
    assert told.returncode == 0, told.stderr
    assert f"in {NUMPY} or before" in told.stdout
    assert xent("since", CELL, "--store", tmp_path / "nowhere").returncode == 5
    assert xent("since", "no-such-entry", "--store", tmp_path / "store").returncode == 4


def test_a_release_that_cannot_be_built_is_a_gap_and_infrastructure(tmp_path: Path) -> None:
    ended = history(tmp_path, "numpy", "-i", "numpy", "--versions", NUMPY, "--pin", "numpy-financial==99", *CASES)
    assert ended.returncode == 9
    assert "a gap: no environment with" in ended.stdout
    assert "numpy-float64: 0 releases" in ended.stdout


def test_without_a_package_there_is_nothing_to_run(tmp_path: Path) -> None:
    assert xent("history", "--store", tmp_path).returncode == 4
