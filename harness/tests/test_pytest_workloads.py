"""Workload files as benchmarks of pytest-benchmark: its storage holds our clock, our ratios and our limits."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "cases/workloads/softmax.yaml", "-p", "no:cacheprovider", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)


def test_benchmarks_are_stored_with_the_workers_clock_and_our_figures(tmp_path: Path) -> None:
    stored = tmp_path / "stored.json"
    only = ("--benchmark-only", "--implementation", "numpy-by-hand", "--sets", "1", "-k", "32x10 and not backward")
    finished = run(*only, f"--benchmark-json={stored}")
    assert finished.returncode == 0, finished.stdout + finished.stderr
    (kept,) = json.loads(stored.read_text(encoding="utf-8"))["benchmarks"]
    info = kept["extra_info"]
    assert info["judged"] == "agrees"
    assert info["fraction_of_limit"] > 0
    assert info["ratio"] == 1.0
    assert kept["stats"]["rounds"] == info["blocks"]
    # The clock is the worker's: the median is that of the blocks, not of anything that happened in this process.
    assert abs(kept["stats"]["median"] - info["seconds"]) <= 1e-9 + 0.01 * info["seconds"]


def test_without_benchmarks_nothing_is_measured() -> None:
    finished = run("--benchmark-skip", "--implementation", "numpy")
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert "passed" not in finished.stdout


def test_impossible_numbers_of_threads_and_sets_are_usage_errors() -> None:
    only = ("--benchmark-only", "--implementation", "numpy", "-k", "32x10 and not backward")
    for option, message in ((("--threads", "many"), "expected a number or all"), (("--sets", "0"), "one at least")):
        finished = run(*only, *option)
        assert finished.returncode == 4, finished.stdout + finished.stderr
        assert message in finished.stdout + finished.stderr
