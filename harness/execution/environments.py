"""What surrounds a worker: interpreter, import path, environment variables."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import platformdirs

import reference
from harness.adapters.registry import Implementation

PINNED = {
    # One thread, stated: sums split over threads differ from run to run, and workers share the cores.
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "NUMEXPR_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
    # The CPU, stated: a run has to mean the same with and without a GPU in the machine.
    "CUDA_VISIBLE_DEVICES": "",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "PYTHONHASHSEED": "0",
    "PYTHONUNBUFFERED": "1",
    # Compiling is most of JAX's time here and the signatures hardly change: keep every compilation, however quick.
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
}


def private_code() -> tempfile.TemporaryDirectory[str]:
    """A folder that holds just our two packages, so that another environment finds ours and nothing else of ours."""
    folder = tempfile.TemporaryDirectory(prefix="xent-worker-")
    harness_folder = Path(__file__).resolve().parents[1]
    reference_folder = Path(reference.__file__).resolve().parent
    (Path(folder.name) / "harness").symlink_to(harness_folder, target_is_directory=True)
    (Path(folder.name) / "reference").symlink_to(reference_folder, target_is_directory=True)
    start = "import sys\nfrom harness.execution.worker import main\nsys.exit(main(sys.argv[1]))\n"
    (Path(folder.name) / "start_worker.py").write_text(start, encoding="utf-8")
    return folder


def command_line(implementation: Implementation, code: str, python: str | None) -> list[str]:
    """What to execute: our worker under the chosen interpreter, or the program itself."""
    if implementation.command:
        return list(implementation.command)
    return [python or sys.executable, str(Path(code) / "start_worker.py"), implementation.target]


def environment_of(implementation: Implementation, code: str) -> Mapping[str, str]:
    """The user's environment, with what is pinned, and the folder the user is in importable after our code."""
    cache = platformdirs.user_cache_path("xent") / "jax"
    path = [code, str(Path.cwd()), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        **os.environ,
        **PINNED,
        "JAX_COMPILATION_CACHE_DIR": str(cache),
        **implementation.environment,
        "PYTHONPATH": os.pathsep.join(path),
    }
