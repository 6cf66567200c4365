"""Faults of the past that releases of the package index have, asked for again: wrong before the fix, right after it.

    tox -e kernels --notest                        # the environment of the other kernels
    .tox/kernels/bin/python -m tools.past_faults   # or some of them, by name

Each release is installed into a folder of its own, without what it requires, and stands before the one of the
environment. docs/past-faults.md has all of them; those of unreleased states are not here.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

RIGHT = ("agrees", "by_convention")
WRONG = ("disagrees", "known")


@dataclass(frozen=True)
class Fault:
    """A cell that a release changed."""

    before: tuple[str, ...]
    """Requirements of the last release that has it."""
    after: tuple[str, ...]
    implementation: str
    case: str
    dtype: str
    aspect: str


_ONE_ROW = "options/softmax-cross-entropy-cotangent-one-row-labels"
FAULTS = {
    "liger-680": Fault(("liger-kernel==0.5.8",), ("liger-kernel==0.5.9",), "liger", _ONE_ROW, "float32", "gradient"),
    "liger-1157": Fault(
        ("liger-kernel==0.7.0",),
        ("liger-kernel==0.8.0",),
        "liger",
        "options/linear-cross-entropy-gradient-of-weight",
        "float32",
        "value",
    ),
    "liger-1298": Fault(
        ("liger-kernel==0.8.1",),
        ("liger-kernel==0.8.2",),
        "liger",
        "options/linear-cross-entropy-cotangent",
        "float32",
        "gradient/weight",
    ),
    "kornia-2125": Fault(
        ("kornia==0.6.9",), ("kornia==0.6.10",), "kornia", "edges/sizes-focal-pixels-0.25", "float32", "gradient"
    ),
    "mlx-4188": Fault(
        ("mlx==0.32.0", "mlx-cpu==0.32.0"),
        ("mlx==0.32.1", "mlx-cpu==0.32.1"),
        "mlx",
        "edges/softmax-cross-entropy-shifted-1024",
        "bfloat16",
        "value",
    ),
    "mlx-2641": Fault(
        ("mlx==0.29.2", "mlx-cpu==0.29.2"),
        ("mlx==0.29.3", "mlx-cpu==0.29.3"),
        "mlx",
        "options/softmax-cross-entropy-axis-first-none",
        "float32",
        "value",
    ),
}


def main() -> int:
    """1 where one is not wrong before and right after."""
    missed = 0
    for name in sys.argv[1:] or FAULTS:
        fault = FAULTS[name]
        before, said = _asked(fault, fault.before)
        after, _ = _asked(fault, fault.after)
        found = before in WRONG and after in RIGHT
        missed += not found
        print(f"{name}: {fault.before[0]} {before}, {fault.after[0]} {after}{'' if found else ': NOT FOUND'}; {said}")
    return int(missed > 0)


def _asked(fault: Fault, requirements: tuple[str, ...]) -> tuple[str, str]:
    """The verdict of the cell with these releases, and what is said of it."""
    with tempfile.TemporaryDirectory() as folder:
        place, run = Path(folder, "release"), Path(folder, "run.jsonl")
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(place)]
        subprocess.run([*pip, *requirements], check=True)
        path = os.pathsep.join(filter(None, [str(place), os.environ.get("PYTHONPATH")]))
        command = [sys.executable, "-m", "harness", "run", fault.case, "-i", fault.implementation, "-o", str(run)]
        ended = subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True)
        if not run.exists():
            return f"ended with {ended.returncode}", ended.stderr[-200:]
        lines = [json.loads(line) for line in run.read_text().splitlines()]
    wanted = {"case": fault.case, "dtype": fault.dtype, "aspect": fault.aspect}
    cell = next((line for line in lines if line["kind"] == "cell" and wanted.items() <= line.items()), None)
    return ("not asked", "") if cell is None else (cell["verdict"], cell.get("explanation", "")[:160])


if __name__ == "__main__":
    sys.exit(main())
