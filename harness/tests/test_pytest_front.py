"""pytest as a front end, from outside: the same verdicts as the command line, as items."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def pytest_on(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "-rA", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)


def test_cases_and_claims_become_items_and_pass() -> None:
    done = pytest_on("cases/documents", "-k", "d4-dog-in-bits", "--implementation", "numpy")
    assert done.returncode == 0, done.stdout
    assert "documents/d4-dog-in-bits[numpy]" in done.stdout
    assert "documents/d4-dog-in-bits[claim 1]" in done.stdout


def test_a_known_bad_implementation_fails_with_the_diagnosis() -> None:
    name = "mutant:log-base-2.categorical_cross_entropy"
    done = pytest_on("cases/documents/d2.yaml", "-k", "fashion", "--implementation", name)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "log2" in done.stdout
