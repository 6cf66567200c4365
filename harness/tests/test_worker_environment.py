"""What surrounds a worker: our code and nothing else of ours, the user's folder where it is wanted, what is pinned."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from harness.adapters.registry import Implementation, resolve
from harness.core.outcomes import Returned
from harness.execution import protocol
from harness.execution.pool import WorkerPool
from harness.execution.worker_environment import (
    PINNED,
    command_line,
    compilation_cache,
    environment_of,
    with_threads,
    xla_flags,
)
from harness.tests.pools import PLENTY, ask, miniature

TELLS = miniature("TellsItsEnvironment")

MINE = """
from harness.adapters.base import Answer, Call, Description

class Mine:
    def describe(self):
        return Description(version="mine", losses=("softmax",))

    def evaluate(self, call):
        return Answer(call.inputs["logits"], "mine")
"""


def flags(target: str) -> dict[str, str]:
    with WorkerPool([resolve(target)], timeout=PLENTY, parallel=1) as pool:
        descriptions, absent = pool.start()
    assert not absent
    return dict(descriptions[target].flags)


def test_threads_and_devices_are_pinned_whatever_the_user_has_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    monkeypatch.setenv("XENT_TEST_OF_THE_USER", "kept")
    found = flags(TELLS)
    assert {name: found[name] for name in PINNED} == dict(PINNED)
    assert found["OMP_NUM_THREADS"] == "1"
    assert found["XENT_TEST_OF_THE_USER"] == "kept"


def test_the_pipes_are_not_in_the_environment_that_frameworks_pass_on() -> None:
    assert not {protocol.REQUEST_FD, protocol.RESPONSE_FD} & set(flags(TELLS))


def test_a_worker_imports_the_standard_library_numpy_and_ours() -> None:
    roots = {name.partition(".")[0] for name in flags(TELLS)["modules"].split()}
    # The reference is ours, and imports NumPy alone.
    # "numpy" brings nothing but itself; the rest is what this interpreter's own start-up files import.
    bare = subprocess.run(
        [sys.executable, "-c", "import sys; print(*sys.modules)"], capture_output=True, text=True, check=True
    )
    allowed = {
        *sys.stdlib_module_names,
        "numpy",
        "harness",
        "reference",
        "__mp_main__",
        *bare.stdout.replace(".", " ").split(),
    }
    assert {name for name in roots if not name.startswith("_")} - allowed == set()


def test_an_environment_with_numpy_and_nothing_else_runs_a_worker(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "env")], check=True)
    (packages,) = (tmp_path / "env" / "lib").glob("python*/site-packages")
    installed = Path(np.__file__).parent
    for folder in (installed, installed.with_name("numpy.libs")):  # the latter holds its BLAS, where there is one
        if folder.exists():
            (packages / folder.name).symlink_to(folder, target_is_directory=True)
    python = str(tmp_path / "env" / "bin" / "python")
    bare = subprocess.run([python, "-P", "-c", "import pydantic"], capture_output=True, check=False)
    assert bare.returncode != 0, "the environment holds more than it should"
    (outcome,) = ask([miniature("Idle")], (1.0,), python=python)[miniature("Idle")]
    assert isinstance(outcome, Returned)


def test_a_class_in_the_folder_the_user_is_in_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_losses.py").write_text(MINE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    (outcome,) = ask(["my_losses:Mine"], (1.0,))["my_losses:Mine"]
    assert isinstance(outcome, Returned)
    assert outcome.function == "mine"


def test_packages_of_the_user_named_like_ours_do_not_replace_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_losses.py").write_text(MINE, encoding="utf-8")
    (tmp_path / "harness").mkdir()
    (tmp_path / "harness" / "__init__.py").write_text("raise ImportError('not ours')", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (outcome,) = ask(["my_losses:Mine"], (1.0,))["my_losses:Mine"]
    assert isinstance(outcome, Returned)


def test_a_registered_implementation_does_not_import_from_the_folder_the_user_is_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A framework's own source tree holds a folder of the framework's name that cannot be imported.
    (tmp_path / "numpy").mkdir()
    (tmp_path / "numpy" / "__init__.py").write_text("raise ImportError('not built')", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    with WorkerPool([resolve("scratch-d0")], timeout=PLENTY, parallel=1) as pool:
        _, absent = pool.start()
    assert not absent


def test_variables_of_the_implementation_go_before_what_is_pinned() -> None:
    special = Implementation("x", "m:C", environment={"OMP_NUM_THREADS": "2", "KERAS_BACKEND": "jax"})
    found = environment_of(special, "/code", {"PYTHONHOME": "/python", "PYTHONPATH": "/own", "KERAS_BACKEND": "torch"})
    assert found["OMP_NUM_THREADS"] == "2"
    assert found["KERAS_BACKEND"] == "jax"
    assert found["PYTHONPATH"] == os.pathsep.join(["/code", "/own"])
    assert "PYTHONHOME" not in found


def test_what_is_executed() -> None:
    assert command_line(resolve("torch"), None)[0] == sys.executable
    other = command_line(resolve("torch"), "/other/python")
    assert (other[0], other[-1]) == ("/other/python", "harness.adapters.torch:Torch")
    assert command_line(resolve("command:./program 'two words' --flag"), "/other/python") == [
        "./program",
        "two words",
        "--flag",
    ]


def test_compiled_code_is_kept_per_kind_of_processor_and_of_kernels() -> None:
    plain = compilation_cache("jax", {})
    assert plain == compilation_cache("jax", {"HOME": "/home/me"}) != compilation_cache("torch", {})
    assert plain.parent.name == "jax"
    assert len(plain.name) == 12
    assert plain != compilation_cache("jax", {"XLA_FLAGS": "--xla_cpu_max_isa=AVX2"})


def test_what_pytorch_compiled_at_one_level_is_not_found_at_another() -> None:
    """It finds the code again by itself, in one folder: with AVX-512 in it, which it then cannot compile."""
    folders = {
        environment_of(resolve("torch"), "/code", variables)["TORCHINDUCTOR_CACHE_DIR"]
        for variables in ({}, {"ATEN_CPU_CAPABILITY": "avx2"}, {"ATEN_CPU_CAPABILITY": "default"})
    }
    assert len(folders) == 3


def test_what_xla_compiled_is_kept_for_each_version_of_tensorflow(monkeypatch: pytest.MonkeyPatch) -> None:
    versions = {"tensorflow": "2.21.0"}

    def version(name: str) -> str:
        if name not in versions:
            raise importlib.metadata.PackageNotFoundError(name)
        return versions[name]

    monkeypatch.setattr(importlib.metadata, "version", version)
    environment = environment_of(resolve("tensorflow"), "/code", {"TF_XLA_FLAGS": "--tf_xla_auto_jit=1"})
    folder = compilation_cache("tensorflow", {"TF_XLA_FLAGS": "--tf_xla_auto_jit=1"}) / "2.21.0"
    assert environment["TF_XLA_FLAGS"] == f"--tf_xla_auto_jit=1 --tf_xla_persistent_cache_directory={folder}"
    # Of another interpreter the version is not known, and a program of another version must not be taken for its own.
    assert "TF_XLA_FLAGS" not in environment_of(resolve("tensorflow"), "/code", {}, "/other/python")
    versions.clear()
    assert "TF_XLA_FLAGS" not in environment_of(resolve("torch"), "/code", {})


ONE_THREAD = "--xla_cpu_multi_thread_eigen=false"


@pytest.mark.parametrize(
    ("users", "expected"),
    [
        ("", ONE_THREAD),
        ("--xla_cpu_max_isa=AVX2", f"{ONE_THREAD} --xla_cpu_max_isa=AVX2"),
        ("--xla_cpu_multi_thread_eigen=true", "--xla_cpu_multi_thread_eigen=true"),
        ("--xla_cpu_multi_thread_eigen", "--xla_cpu_multi_thread_eigen"),
        ("--xla_cpu_multi_thread_eigen_other=1", f"{ONE_THREAD} --xla_cpu_multi_thread_eigen_other=1"),
        ("/home/me/flags", "/home/me/flags"),
    ],
)
def test_what_the_user_tells_xla_reaches_the_worker(users: str, expected: str) -> None:
    assert xla_flags(users, ONE_THREAD) == expected
    assert environment_of(resolve("jax"), "/code", {"XLA_FLAGS": users})["XLA_FLAGS"] == expected


def test_a_number_of_threads_that_is_asked_for_replaces_the_flag_and_no_other() -> None:
    told = {"XLA_FLAGS": "--xla_cpu_multi_thread_eigen=true --xla_cpu_max_isa=AVX2"}
    assert with_threads(told, 1)["XLA_FLAGS"] == f"{ONE_THREAD} --xla_cpu_max_isa=AVX2"
    assert with_threads({}, 4)["XLA_FLAGS"] == "--xla_cpu_multi_thread_eigen=true"


@pytest.mark.skipif(find_spec("jax") is None, reason="JAX is not installed")
def test_xla_takes_every_word_of_the_flags_a_worker_is_given(tmp_path: Path) -> None:
    user = {**os.environ, "XLA_FLAGS": f"--xla_dump_to={tmp_path}"}
    compiled = subprocess.run(
        [sys.executable, "-c", "import jax; jax.jit(lambda x: x + 1)(1.0)"],
        env={**user, "XLA_FLAGS": environment_of(resolve("jax"), "/code", user)["XLA_FLAGS"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert compiled.returncode == 0, compiled.stderr
    (options, *_) = tmp_path.glob("*.debug_options")
    assert "xla_cpu_multi_thread_eigen: false" in options.read_text(encoding="utf-8")
