"""Some cases at every level that this machine has, one run after the other.

    python -m tools.run_levels CASES…

Ends with the gravest code of the runs. A level that the processor cannot have is named and left out, so that the same
command is green on any machine whose frameworks are right or known to be wrong.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Collection, Mapping, Sequence

from harness.adapters import facts, processor
from harness.core.exit_codes import ExitCode, gravest
from harness.execution.levels import LEVELS, NATIVE, available

TENSORFLOW = ("tensorflow", "keras-tensorflow")

REACHED: Mapping[str, tuple[str, ...]] = {
    NATIVE: (),
    "onednn": TENSORFLOW,
    "eigen": TENSORFLOW,
}
"""By level: the implementations that it says something to; () for all that are installed."""

OTHERWISE = ("numpy", "torch", "keras-torch", "jax", *TENSORFLOW)
"""Of the other levels: one per library of kernels that can be told, and those whose ledger entries depend on it."""


def command_of(level: str, cases: Sequence[str]) -> list[str]:
    """The run of one level; the user's interpreter, so that it is the environment that is tested."""
    only = [word for name in REACHED.get(level, OTHERWISE) for word in ("-i", name)]
    return [sys.executable, "-m", "harness", "run", *cases, "--level", level, *only]


def same_as_native(features: Collection[str]) -> str:
    """The level that TensorFlow runs at by itself on such a processor."""
    return "onednn" if facts.tensorflow_facts(features, os.environ)["onednn"] == "on" else "eigen"


def main(cases: Sequence[str]) -> ExitCode:
    """Run all levels, even after one that is red: each tells something else."""
    features = processor.features()
    here, by_itself = available(features), same_as_native(features)
    codes = []
    for level, what in LEVELS.items():
        if level == by_itself:
            print(f"--- {level}: what TensorFlow does here by itself, in the run at {NATIVE}")
        elif level in here:
            print(f"--- {level}: {what.meaning}", flush=True)
            codes.append(ExitCode(subprocess.run(command_of(level, cases), check=False).returncode))
        else:
            print(f"--- {level}: not on this processor")
    return gravest(codes)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
