"""pytest as a front end, from outside: the same verdicts as the command line, as items."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from harness.core.exit_codes import ExitCode
from harness.tests.test_checking import DIES_ONCE

ROOT = Path(__file__).resolve().parents[2]


def pytest_on(*arguments: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        "-q",
        "-rA",
        "--rootdir",
        str(ROOT),
        *arguments,
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)


def test_cases_and_claims_become_items_and_pass() -> None:
    done = pytest_on("cases/documents", "-k", "d4-dog-in-bits", "--implementation", "numpy")
    assert done.returncode == 0, done.stdout
    assert "documents/d4-dog-in-bits[numpy]" in done.stdout
    assert "documents/d4-dog-in-bits[claim 1]" in done.stdout


def test_a_known_bad_implementation_fails_with_the_diagnosis() -> None:
    name = "mutant:log-base-2.categorical_cross_entropy"
    done = pytest_on("cases/documents/d2.yaml", "-k", "fashion", "--implementation", name)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "base 2" in done.stdout


def test_a_worker_that_died_is_infrastructure_though_every_item_passes(tmp_path: Path) -> None:
    (tmp_path / "dying.py").write_text(DIES_ONCE, encoding="utf-8")
    case = str(ROOT / "cases" / "documents" / "d4.yaml")
    done = pytest_on(case, "-k", "d4-gradient", "--implementation", "dying:DiesOnce", folder=tmp_path)
    assert done.returncode == ExitCode.INFRASTRUCTURE, done.stdout + done.stderr
    assert "failed" not in done.stdout
    assert "SIGABRT; asked again, it answered" in done.stdout


def test_an_implementation_that_does_not_exist_is_a_usage_error() -> None:
    done = pytest_on("cases/documents/d4.yaml", "--implementation", "torhc")
    assert done.returncode == ExitCode.USAGE, done.stdout + done.stderr
    assert "did you mean torch" in done.stdout + done.stderr
