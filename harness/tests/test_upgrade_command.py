"""`xent upgrade` from a subprocess: the same version twice changes nothing, and what cannot be built is
infrastructure. NumPy alone is installed, so the environments take a second or two to build."""

from __future__ import annotations

import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest

from harness.tests.commands import xent

pytestmark = pytest.mark.slow

NUMPY = f"numpy=={version('numpy')}"
CASES = ("--cases", "documents/d4-*", "--dtypes", "float64", "--no-speed")


def upgrade(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return xent("upgrade", *words, "-o", folder / "out", environment={"XDG_CACHE_HOME": str(folder / "cache")})


def test_the_same_version_twice_changes_nothing_to_the_bit_and_every_canary_is_heard(tmp_path: Path) -> None:
    ended = upgrade(tmp_path, NUMPY, "-i", "numpy", *CASES)
    if "no environment with" in ended.stderr:
        pytest.skip(f"no index to install NumPy from: {ended.stderr[-300:]}")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "Nothing changed" in ended.stdout
    assert "6 of 6 planted changes" in ended.stdout
    page = (tmp_path / "out" / "upgrade.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert "Nothing changed" in (tmp_path / "out" / "upgrade.md").read_text(encoding="utf-8")


def test_an_environment_that_cannot_be_built_is_infrastructure(tmp_path: Path) -> None:
    ended = upgrade(tmp_path, "numpy==0.0.1", "-i", "numpy", *CASES)
    assert ended.returncode == 9
    assert "no environment with" in ended.stderr


@pytest.mark.parametrize(("word", "says"), [("flask==3", "no implementation uses"), ("torch=2", "is no requirement")])
def test_a_requirement_that_means_nothing_here_is_a_usage_error(tmp_path: Path, word: str, says: str) -> None:
    ended = upgrade(tmp_path, word)
    assert ended.returncode == 4
    assert says in ended.stderr
