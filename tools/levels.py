"""Some cases at every level that this machine has, one run after the other.

    python -m tools.levels CASES…

Ends with the gravest code of the runs. A level that the processor cannot have is named and left out, so that the same
command is green on any machine whose frameworks are right or known to be wrong.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

from harness.adapters import processor
from harness.core.exit_codes import ExitCode, gravest
from harness.execution.levels import LEVELS, available

OF_TENSORFLOW = ("onednn", "eigen")
"""Levels that say something to TensorFlow alone."""


def command_of(level: str, cases: Sequence[str]) -> list[str]:
    """The run of one level; the user's interpreter, so that it is the environment that is tested."""
    only = ["-i", "tensorflow", "-i", "keras-tensorflow"] if level in OF_TENSORFLOW else []
    return [sys.executable, "-m", "harness", "run", *cases, "--level", level, *only]


def main(cases: Sequence[str]) -> ExitCode:
    """Run all levels, even after one that is red: each tells something else."""
    here = available(processor.features())
    codes = []
    for level, what in LEVELS.items():
        if level in here:
            print(f"--- {level}: {what.meaning}", flush=True)
            codes.append(ExitCode(subprocess.run(command_of(level, cases), check=False).returncode))
        else:
            print(f"--- {level}: not on this processor")
    return gravest(codes)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
