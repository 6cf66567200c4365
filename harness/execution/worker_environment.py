"""What surrounds a worker: interpreter, import path, environment variables."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import platform
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import platformdirs

import reference
from harness.adapters.facts import variables
from harness.adapters.registry import Implementation
from harness.core.errors import InfrastructureError
from harness.execution.leftovers import Leftovers

PINNED = MappingProxyType(
    {
        # One thread, stated: sums split over threads differ from run to run, and workers share the cores.
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "NUMEXPR_NUM_THREADS": "1",
        "VECLIB_MAXIMUM_THREADS": "1",
        "TF_NUM_INTRAOP_THREADS": "1",
        "TF_NUM_INTEROP_THREADS": "1",
        # The CPU, stated: a run has to mean the same with and without a GPU in the machine.
        "CUDA_VISIBLE_DEVICES": "",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "PYTHONHASHSEED": "0",
        "PYTHONUNBUFFERED": "1",
        # Compiling is most of JAX's time here and the signatures hardly change: keep every compilation, however quick.
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }
)
"""Variables of every worker, whatever the user's own say: what they change is no property of an implementation."""


@dataclass(frozen=True)
class WorkerFolder:
    """What workers need besides their own environment; all of it goes with them."""

    code: str
    """A folder that holds just our two packages, so that another environment finds ours and nothing else of ours."""
    leftovers: Leftovers


@contextmanager
def worker_folder() -> Iterator[WorkerFolder]:
    """Until the block is left, or this process is gone."""
    ours = {"harness": Path(__file__).resolve().parents[1], "reference": Path(reference.__file__).resolve().parent}
    with Leftovers() as leftovers:
        try:
            folder = leftovers.temporary_folder("xent-worker-")
            for name, package in ours.items():
                (folder / name).symlink_to(package, target_is_directory=True)
        except OSError as error:
            raise InfrastructureError(f"no temporary folder can be made for the workers: {error}") from error
        yield WorkerFolder(str(folder), leftovers)


def command_line(implementation: Implementation, python: str | None) -> list[str]:
    """What to execute: our worker under the chosen interpreter, or the program itself."""
    if implementation.command:
        return list(implementation.command)
    # -P: the folder the user is in must not come first on the import path, where a `harness` of theirs would be ours.
    return [python or sys.executable, "-P", "-m", "harness.execution.worker", implementation.target]


THREADS = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
)
"""The variables among those pinned that are numbers of threads."""


def with_threads(environment: Mapping[str, str], count: int) -> dict[str, str]:
    """The environment of a worker that may use `count` threads, for measuring speed and for invariances."""
    others = " ".join(word for word in environment.get("XLA_FLAGS", "").split() if _flag(word) != XLA_THREADS)
    flags = xla_flags(others, f"{XLA_THREADS}={str(count > 1).lower()}")
    return {**environment, **dict.fromkeys(THREADS, str(count)), "XLA_FLAGS": flags}


XLA_THREADS = "--xla_cpu_multi_thread_eigen"
"""The flag of XLA that lets one operation use several threads."""


def xla_flags(users: str, ours: str) -> str:
    """XLA_FLAGS with our flag, unless the user's say otherwise.

    Ours comes first: from a word on that is no flag, XLA ignores everything. The name of a file of flags, which stands
    there alone, is left alone.
    """
    words = users.split()
    names_a_file = bool(words) and not words[0].startswith("-")
    if names_a_file or _flag(ours) in map(_flag, words):
        return users
    return " ".join((ours, *words))


def _flag(word: str) -> str:
    return word.partition("=")[0]


def environment_of(
    implementation: Implementation, code: str, user: Mapping[str, str], python: str | None = None
) -> dict[str, str]:
    """The user's environment, with what is pinned, and our code first on the import path; `python` as in command_line.

    A `module:Class` may live in the folder the user is in, which then comes next, as with `python -m`. For a registered
    implementation that folder is left out: a framework run from its own source tree would import that tree.
    """
    here = [str(Path.cwd())] if implementation.found_here else []
    own = [user["PYTHONPATH"]] if user.get("PYTHONPATH") else []
    return {
        # The home of this interpreter's library would break any other.
        **{name: value for name, value in user.items() if name != "PYTHONHOME"},
        **PINNED,
        # One thread, as above; what else the user tells XLA is part of what is judged.
        "XLA_FLAGS": xla_flags(user.get("XLA_FLAGS", ""), f"{XLA_THREADS}=false"),
        # JAX compiles for each signature a third of a second, and finds it again in a fiftieth.
        "JAX_COMPILATION_CACHE_DIR": str(compilation_cache("jax", user)),
        # torch.compile calls the C++ compiler for every signature: a second each, and nothing the second time.
        "TORCHINDUCTOR_CACHE_DIR": str(compilation_cache("torch", user)),
        **_kept_by_tensorflow(user, python),
        **implementation.environment,
        "PYTHONPATH": os.pathsep.join([code, *here, *own]),
    }


XLA_CACHE = "--tf_xla_persistent_cache_directory"
"""The flag of TensorFlow that names the folder."""


def _kept_by_tensorflow(user: Mapping[str, str], python: str | None) -> dict[str, str]:
    """TF_XLA_FLAGS with a folder for what XLA compiled, which takes a fourth of the time where the calls are the same.

    TensorFlow counts what it has traced and finds a program by that number: in a second run of the same cases, and not
    where others came before. It finds it whatever version compiled it: a folder for each version, and none where the
    version is not ours to know.
    """
    installed = None if python else next((v for v in map(_version, ("tensorflow", "tensorflow-cpu")) if v), None)
    if installed is None:
        return {}
    folder = compilation_cache("tensorflow", user) / installed
    return {"TF_XLA_FLAGS": f"{user.get('TF_XLA_FLAGS', '')} {XLA_CACHE}={folder}".strip()}


def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def compilation_cache(framework: str, environment: Mapping[str, str]) -> Path:
    """Where a framework keeps what it compiled: machine code, so per kind of processor, whoever shares the home, and
    per value of the variables that decide what of it is used.

    PyTorch, for one, finds what it generated for AVX-512 again where ATEN_CPU_CAPABILITY forbids it, and then cannot
    compile it.
    """
    kind = "\n".join((processor(), *(f"{name}={value}" for name, value in variables(framework, environment).items())))
    return platformdirs.user_cache_path("xent") / framework / hashlib.sha256(kind.encode()).hexdigest()[:12]


def processor() -> str:
    """The instruction set in words: machine, and on Linux the processor's model and flags."""
    lines: list[str] = []
    info = Path("/proc/cpuinfo")
    if info.is_file():
        wanted = ("model name", "flags", "Features")
        lines = sorted({line for line in info.read_text(encoding="utf-8").splitlines() if line.startswith(wanted)})
    return "\n".join([platform.machine(), platform.processor(), *lines])
