"""A JAX program is kept between runs: found before it is traced, and only where the same program would be traced."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

jax = pytest.importorskip("jax")

from harness.adapters.base import Answer  # noqa: E402
from harness.adapters.jax_programs import FOLDER, UNUSED_DAYS, Programs, fingerprint, shapes  # noqa: E402
from harness.tests.calls import make_call  # noqa: E402
from harness.tests.in_process import evaluate_in_process  # noqa: E402


@dataclass(eq=False)
class Traced:
    """A function that counts how often it is traced."""

    factor: float = 2.0
    times: int = 0

    def __call__(self, named: Mapping[str, Any], _: Any) -> Any:
        self.times += 1
        return jax.numpy.sum(named["x"]) * self.factor, {"x": named["x"] + 1}


ARGUMENTS = ({"x": np.array([1, 2, 3], np.float32)}, None)


def run(programs: Programs, function: Callable[..., Any], signature: str = "f") -> float:
    arguments = jax.tree_util.tree_map(jax.device_put, ARGUMENTS)
    value, more = programs.compiled(signature + shapes(arguments), function, arguments)(*arguments)
    np.testing.assert_array_equal(more["x"], [2, 3, 4])
    return float(value)


def test_a_known_program_is_not_traced_again(tmp_path: Path) -> None:
    first, second = Traced(), Traced()
    assert run(Programs(tmp_path), first) == run(Programs(tmp_path), second) == 12
    assert (first.times, second.times) == (1, 0)


def test_another_signature_is_another_program(tmp_path: Path) -> None:
    run(Programs(tmp_path), Traced())
    other = Traced(factor=3.0)
    assert run(Programs(tmp_path), other, "g") == 18
    assert other.times == 1


@pytest.mark.parametrize("beginning", [b"", b"x"])
@pytest.mark.parametrize("kept_from", [1, 40])
def test_a_damaged_program_is_compiled_again(tmp_path: Path, beginning: bytes, kept_from: int) -> None:
    run(Programs(tmp_path), Traced())
    (kept,) = tmp_path.iterdir()
    whole = kept.read_bytes()
    kept.write_bytes(beginning + whole[kept_from:])
    again = Traced()
    after = Traced()
    assert run(Programs(tmp_path), again) == run(Programs(tmp_path), after) == 12
    assert (again.times, after.times) == (1, 0), "the damaged one is replaced"


def test_a_folder_that_cannot_be_used_costs_time_only(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    programs = Programs.of(("jax",), {}, {FOLDER: str(tmp_path / "file")})
    assert programs is not None
    assert run(programs, Traced()) == 12


def test_nothing_is_kept_where_no_folder_is_named() -> None:
    assert Programs.of(("jax",), {}, {}) is None


def warning_one() -> Callable[..., Any]:
    """A function that warns when it is traced, and has not been."""

    def warn(named: Mapping[str, Any], _: Any) -> Any:
        warnings.warn("float64 is not available", UserWarning, stacklevel=1)
        return jax.numpy.sum(named["x"]), {"x": named["x"] + 1}

    return warn


def test_a_program_whose_tracing_warns_is_traced_every_time(tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.warns(UserWarning, match="not available"):
            run(Programs(tmp_path), warning_one())
    assert not list(tmp_path.iterdir())


def test_what_tracing_raises_is_raised(tmp_path: Path) -> None:
    def broken(*_: Any) -> Any:
        raise TypeError("no such axis")

    with pytest.raises(TypeError, match="no such axis"):
        run(Programs(tmp_path), broken)
    assert not list(tmp_path.iterdir())


def test_sources_settings_and_variables_decide_which_programs_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "traced_package"
    package.mkdir()
    source = package / "__init__.py"
    source.write_text("FACTOR = 2\n")
    monkeypatch.syspath_prepend(str(tmp_path))

    def found(settings: Mapping[str, str] = {}, environment: Mapping[str, str] = {}) -> str:
        return fingerprint(("traced_package",), settings, environment)

    before = found()
    os.utime(source, (0, 0))
    assert found() == before, "the same sources installed again"
    assert found({"jax_enable_x64": "True"}) != before
    assert found(environment={"XLA_FLAGS": "--xla_cpu_enable_fast_math=true"}) != before
    assert found(environment={"JAX_COMPILATION_CACHE_DIR": "/elsewhere", "HOME": "/elsewhere"}) == before
    source.write_text("FACTOR = 3\n")
    assert found() != before, "an edited source of the same length"
    with pytest.raises(ModuleNotFoundError):
        fingerprint(("no_such_package",), {}, {})


def test_programs_nobody_uses_any_more_are_removed(tmp_path: Path) -> None:
    old, recent = tmp_path / "old", tmp_path / "recent"
    for folder, days in ((old, UNUSED_DAYS + 1), (recent, UNUSED_DAYS - 1)):
        folder.mkdir()
        then = time.time() - days * 86400
        os.utime(folder, (then, then))
    assert Programs.of(("jax",), {}, {FOLDER: str(tmp_path)}) is not None
    assert not old.exists()
    assert recent.exists()


def test_the_adapter_answers_the_same_from_a_kept_program(tmp_path: Path) -> None:
    row = {"logits": [[1.0, 2.0, 3.0]]}
    calls = {
        "gradient": make_call("softmax", row, mode="jit", differentiate=("logits",), cotangent=[[1.0, 2.0, 3.0]]),
        "value": make_call("softmax", row, mode="jit"),
        "bfloat16": make_call("softmax", row, dtype="bfloat16", mode="jit"),
    }
    environment = {"JAX_ENABLE_X64": "1", FOLDER: str(tmp_path)}
    answers = [evaluate_in_process("harness.adapters.jax:Jax", calls, environment) for _ in range(2)]
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == len(calls)
    plain = evaluate_in_process("harness.adapters.jax:Jax", calls, {"JAX_ENABLE_X64": "1"})
    for name in calls:
        for answer in (answers[0][name], answers[1][name]):
            expected = plain[name]
            assert isinstance(answer, Answer)
            assert isinstance(expected, Answer)
            assert answer.value.dtype == expected.value.dtype
            assert answer.value.storage.tobytes() == expected.value.storage.tobytes()
            for wanted in expected.gradients:
                assert answer.gradients[wanted].storage.tobytes() == expected.gradients[wanted].storage.tobytes()
