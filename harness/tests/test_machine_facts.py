"""Machine facts: a closed vocabulary, each framework's own rule, no private path, and their way into a run."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.adapters import facts, processor
from harness.adapters.registry import resolve
from harness.core.machine_facts import VOCABULARY, contradiction
from harness.execution import protocol
from harness.execution.pool import WorkerPool
from harness.tests.pools import PLENTY

ZEN_3 = frozenset({"fma", "sse4_1", "avx", "avx2"})
SKYLAKE = ZEN_3 | {"avx512f", "avx512dq", "avx512cd", "avx512bw", "avx512vl"}
SAPPHIRE_RAPIDS = SKYLAKE | {
    "avx512_vnni",
    "avx512_bf16",
    "avx512_fp16",
    "avx_vnni",
    "amx_tile",
    "amx_int8",
    "amx_bf16",
}

features = st.frozensets(st.sampled_from(sorted(SAPPHIRE_RAPIDS)))
limits = st.sampled_from(["", "AVX2", "AVX512_CORE", "AVX512_CORE_BF16", "SSE41", "SSE4_2", "AVX512", "nonsense"])


def in_vocabulary(found: Mapping[str, str]) -> bool:
    return not [wrong for wrong in (contradiction(n, v) for n, v in found.items()) if wrong]


@given(features, limits, st.sampled_from(["", "0", "1", "true", "maybe"]))
def test_every_rule_speaks_the_vocabulary(found: frozenset[str], limit: str, asked: str) -> None:
    environment = {
        "ONEDNN_MAX_CPU_ISA": limit,
        "XLA_FLAGS": f"--xla_cpu_max_isa={limit}",
        "TF_ENABLE_ONEDNN_OPTS": asked,
    }
    for capability in ("AVX512", "AVX2", "DEFAULT", "SVE256", "Z VECTOR"):
        assert in_vocabulary(facts.torch_facts(capability, True, found, environment))
    assert in_vocabulary(facts.tensorflow_facts(found, environment))
    assert in_vocabulary(facts.onnxruntime_facts(found))
    assert in_vocabulary(facts.numpy_facts())


@pytest.mark.parametrize(
    ("found", "asked", "on"),
    [
        (ZEN_3, "", "off"),
        (SKYLAKE, "", "off"),
        (ZEN_3, "1", "on"),
        (ZEN_3 | {"avx_vnni"}, "", "on"),
        (SAPPHIRE_RAPIDS, "", "on"),
        (SAPPHIRE_RAPIDS, "0", "off"),
        (SAPPHIRE_RAPIDS, "False", "off"),
        (SAPPHIRE_RAPIDS, "perhaps", "on"),
    ],
)
def test_tensorflow_turns_onednn_on_by_the_processor_and_the_variable(
    found: frozenset[str], asked: str, on: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.system", lambda: "Linux")
    assert facts.tensorflow_facts(found, {"TF_ENABLE_ONEDNN_OPTS": asked})["onednn"] == on


@pytest.mark.parametrize(("asked", "on"), [("1", True), ("true", True), ("0", False), ("", False)])
def test_deterministic_operations_are_a_fact_where_a_variable_asks_for_them(asked: str, on: bool) -> None:
    found = facts.tensorflow_facts(ZEN_3, {"TF_DETERMINISTIC_OPS": asked})
    assert found.get("deterministic") == ("on" if on else None)
    assert all(contradiction(name, value) is None for name, value in found.items())


@pytest.mark.parametrize(
    ("found", "limit", "isa", "bfloat16", "float16"),
    [
        (ZEN_3, "", "avx2", "off", "off"),
        (SKYLAKE, "", "avx512_core", "on", "off"),
        (SAPPHIRE_RAPIDS, "", "avx512_core_amx", "on", "on"),
        (SAPPHIRE_RAPIDS, "AVX512_CORE_BF16", "avx512_core_bf16", "on", "off"),
        (SAPPHIRE_RAPIDS, "AVX2", "avx2", "off", "off"),
        (SAPPHIRE_RAPIDS - {"avx512_fp16"}, "", "avx512_core_bf16", "on", "off"),
        (frozenset(), "", "other", "off", "off"),
    ],
)
def test_onednn_goes_up_its_ladder_as_far_as_processor_and_variable_let_it(
    found: frozenset[str], limit: str, isa: str, bfloat16: str, float16: str
) -> None:
    kernels = facts.onednn_kernels(found, {"ONEDNN_MAX_CPU_ISA": limit})
    limited = {"onednn_limited": "on"} if limit else {}
    assert kernels == {"onednn_isa": isa, "onednn_bfloat16": bfloat16, "onednn_float16": float16, **limited}


def test_a_limit_above_what_the_processor_has_is_none() -> None:
    assert "onednn_limited" not in facts.onednn_kernels(ZEN_3, {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE"})


def test_xla_stops_at_the_isa_its_flag_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    for limit, isa, fma in (
        ("", "avx512", "on"),
        ("AVX2", "avx2", "on"),
        ("AVX", "avx", "off"),
        ("SSE4_2", "sse", "off"),
    ):
        found = facts.xla_facts(SAPPHIRE_RAPIDS, {"XLA_FLAGS": f"--xla_cpu_max_isa={limit}"})
        assert (found["isa"], found["fma"]) == (isa, fma)
    assert facts.xla_facts(SAPPHIRE_RAPIDS, {"XLA_FLAGS": "--xla_cpu_max_isa=AVX512_VNNI"})["native_bfloat16"] == "off"


def test_onnxruntime_takes_avx2_only_with_fma(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    assert facts.onnxruntime_facts(ZEN_3)["isa"] == "avx2"
    assert facts.onnxruntime_facts(ZEN_3 - {"fma"})["isa"] == "avx"
    assert facts.onnxruntime_facts(SKYLAKE)["isa"] == "avx512"


def test_numpy_s_levels_and_its_older_names_mean_the_same() -> None:
    new, old = (
        facts.numpy_kernels({"X86_V2", "X86_V3", "X86_V4"}),
        facts.numpy_kernels({"SSE", "FMA3", "AVX2", "AVX512_SKX"}),
    )
    assert new == old
    assert facts.numpy_kernels({"X86_V2", "X86_V3"})["lanes"] == "8"
    assert facts.numpy_kernels({"X86_V2"})["isa"] == "sse"
    assert facts.numpy_kernels({"NEON", "ASIMD"})["isa"] == "neon"


@given(st.dictionaries(st.sampled_from(["XLA_FLAGS", "TF_XLA_FLAGS", "ONEDNN_MAX_CPU_ISA", "HOME"]), st.text()))
def test_no_variable_tells_a_place_on_this_machine(environment: Mapping[str, str]) -> None:
    planted = {name: f"{value} --dump_to=/home/somebody" for name, value in environment.items()}
    told = facts.variables("tensorflow", planted)
    assert "somebody" not in repr(told)
    assert "HOME" not in told


def test_variables_are_those_of_the_framework() -> None:
    environment = {
        "ATEN_CPU_CAPABILITY": "avx2",
        "TF_ENABLE_ONEDNN_OPTS": "0",
        "GLIBC_TUNABLES": "glibc.malloc.check=0",
    }
    assert set(facts.variables("torch", environment)) == {"ATEN_CPU_CAPABILITY", "GLIBC_TUNABLES"}
    assert set(facts.variables("tensorflow", environment)) == {"TF_ENABLE_ONEDNN_OPTS", "GLIBC_TUNABLES"}


def test_the_kernel_s_list_of_features_is_read_where_glibc_does_not_answer(tmp_path: Path) -> None:
    listing = tmp_path / "cpuinfo"
    listing.write_text("processor : 0\nflags\t\t: fpu fma avx avx2 sse4_1 something_new\n\nprocessor : 1\n")
    assert processor._from_kernel(listing) == ZEN_3
    assert processor._from_kernel(tmp_path / "absent") == frozenset()


@pytest.mark.parametrize("wrong", [{"onednn": "yes"}, {"cpu": "EPYC"}, {"lanes": "7"}])
def test_a_description_with_a_fact_out_of_the_vocabulary_is_no_description(wrong: dict[str, str]) -> None:
    with pytest.raises(protocol.ProtocolError, match="machine fact"):
        protocol.description_from_wire(
            {"kind": "description", "id": 0, "version": "1", "losses": ["softmax"], "facts": wrong}
        )


def test_the_protocol_s_page_has_the_whole_vocabulary() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "protocol.md").read_text(encoding="utf-8")
    for name, fact in VOCABULARY.items():
        (row,) = [line for line in page.splitlines() if line.startswith(f"| `{name}` |")]
        assert fact.meaning in row
        assert all(f"`{value}`" in row for value in fact.values)


def test_what_a_shell_sets_reaches_the_worker_and_its_facts(monkeypatch: pytest.MonkeyPatch) -> None:
    extensions = np.show_config(mode="dicts")["SIMD Extensions"]
    # With what the shell of the tests turned off already, which NumPy does not find here.
    off = [*os.environ.get("NPY_DISABLE_CPU_FEATURES", "").split(), *extensions.get("found", ())]
    monkeypatch.setenv("NPY_DISABLE_CPU_FEATURES", " ".join(off))
    with WorkerPool([resolve("numpy")], timeout=PLENTY, parallel=1) as pool:
        (described,) = pool.start()[0].values()
    assert described.facts.items() >= facts.numpy_kernels(extensions["baseline"]).items()
    assert described.flags.get("NPY_DISABLE_CPU_FEATURES", "") == " ".join(off)
