"""Levels: what they set reaches the workers, over the user's own and with it, and shows in the machine facts."""

from __future__ import annotations

import configparser
import fnmatch
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import get_args, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.adapters import facts
from harness.adapters.facts import VARIABLES
from harness.adapters.registry import resolve
from harness.cli.order_options import Selection
from harness.core.ledger import Entry
from harness.execution.levels import LEVELS, NATIVE, NUMPY_OFF, available, environment_at, numpy_dispatches
from harness.execution.pool import WorkerPool
from harness.execution.worker_environment import PINNED
from harness.suite.ledger_files import load_entries
from harness.tests.pools import PLENTY
from tools.run_levels import OTHERWISE, same_as_native

ROOT = Path(__file__).resolve().parents[2]
environments = st.dictionaries(st.sampled_from(["XLA_FLAGS", "HOME", "TF_ENABLE_ONEDNN_OPTS"]), st.text(max_size=9))


@given(environments)
def test_native_changes_nothing(user: Mapping[str, str]) -> None:
    assert environment_at(NATIVE, user, ["X86_V4"]) == user


@given(environments, st.sampled_from(sorted(LEVELS)))
def test_a_level_leaves_the_user_s_flags_of_xla_where_they_are(user: Mapping[str, str], level: str) -> None:
    told = environment_at(level, user, [])
    assert told.get("XLA_FLAGS", "").startswith(user.get("XLA_FLAGS", ""))
    assert told.get("HOME") == user.get("HOME")


def test_no_level_sets_what_is_pinned() -> None:
    assert not {name for level in LEVELS.values() for name in level.variables} & set(PINNED)


def test_a_level_is_to_be_had_where_the_processor_has_its_instructions() -> None:
    assert available(frozenset()) == ("native", "eigen")
    assert available({"sse4_1", "avx", "avx2", "fma"}) == tuple(LEVELS)


def test_a_level_shows_in_the_facts_of_the_worker() -> None:
    with WorkerPool([resolve("numpy")], timeout=PLENTY, parallel=1, level="plain") as pool:
        (described,) = pool.start()[0].values()
    without = facts.numpy_kernels(facts.numpy_targets(dispatched=False))
    assert described.facts.items() >= without.items()
    assert set(described.flags.get(NUMPY_OFF, "").split()) >= set(numpy_dispatches())


def test_what_the_user_turned_off_in_numpy_stays_off_at_every_level() -> None:
    for level in LEVELS:
        told = environment_at(level, {NUMPY_OFF: "X86_V4,AVX512_ICL"}, ["X86_V3"])
        assert set(told[NUMPY_OFF].replace(",", " ").split()) >= {"X86_V4", "AVX512_ICL"}


def test_the_command_line_knows_every_level() -> None:
    command = [sys.executable, "-m", "harness"]
    listed = subprocess.run([*command, "levels"], capture_output=True, text=True, check=True, cwd=ROOT)
    assert {line.split()[0] for line in listed.stdout.splitlines() if not line.startswith(" ")} == set(LEVELS)
    assert set(get_args(get_type_hints(Selection)["level"])) == set(LEVELS)
    refused = subprocess.run(
        [*command, "run", "--level", "sse9"], capture_output=True, text=True, cwd=ROOT, timeout=60, check=False
    )
    assert refused.returncode == 4


def conditional() -> tuple[Entry, ...]:
    entries = load_entries(ROOT / "cases" / "ledger")
    # No level keeps oneDNN from what the processor has while TensorFlow uses it: only a variable of somebody's shell.
    limited = {entry.id for entry in entries if any(c.fact == "onednn_limited" for c in entry.where)}
    return tuple(entry for entry in entries if entry.where and entry.id not in limited)


@pytest.mark.parametrize("entry", conditional(), ids=lambda entry: entry.id)
def test_the_environment_of_levels_runs_every_case_that_depends_on_the_machine(entry: Entry) -> None:
    words = re.findall(r"'([^']+)'", (ROOT / "tox.ini").read_text(encoding="utf-8").partition("\n[testenv:levels]")[2])
    assert set(entry.cases) <= set(words)
    conditions = {condition.fact for condition in entry.where}
    # ONNX Runtime reads no variable, so that no level changes its instruction set.
    by_jax = {"jax-x32", "keras-jax", "optax"} if "jax" in entry.implementations else set()  # the same XLA as jax
    switched = {"tensorflow-deterministic"} if "tensorflow" in entry.implementations else set()  # the same kernels
    assert set(entry.implementations) - by_jax - switched <= {
        *OTHERWISE,
        *(["onnxruntime"] if conditions == {"isa"} else []),
    }


def test_tensorflow_s_own_choice_is_run_once() -> None:
    assert same_as_native({"avx512_vnni"}) == ("eigen" if os.environ.get("TF_ENABLE_ONEDNN_OPTS") == "0" else "onednn")
    assert same_as_native(set()) == ("onednn" if os.environ.get("TF_ENABLE_ONEDNN_OPTS") == "1" else "eigen")


def test_tox_passes_on_whatever_changes_numbers() -> None:
    settings = configparser.ConfigParser(interpolation=None)
    settings.read(ROOT / "tox.ini", encoding="utf-8")
    passed = settings["testenv"]["pass_env"].split()
    named = {"GLIBC_TUNABLES", *(name for names in VARIABLES.values() for name in names)} - set(PINNED)
    shown = {name + "X" if name.endswith("_") else name for name in named}
    assert {name for name in shown if not any(fnmatch.fnmatchcase(name, pattern) for pattern in passed)} == set()
