"""Scripts of the ways to call a loss: they run where the project is not, and say whether the answer is right."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from harness import reproduction
from harness.adapters.registry import resolve
from harness.judgement.truth import TruthTable
from harness.tests.made_calls import make_call
from harness.tests.own_process import endings_of_scripts

LOGITS = {"logits": [[1.0, 2.0, 3.0], [0.5, -1.0, 0.0]], "targets": [0, 2]}
ROWS = {"reduction": "none"}
ASKED: dict[str, dict[str, Any]] = {
    "value": {},
    "gradient": {"differentiate": ("logits",), "cotangent": [2.0, -1.0]},
    "directional": {"differentiate": ("logits",), "vector": [[1.0, -2.0, 0.5], [0.0, 1.0, 1.0]]},
    "hessian_vector": {
        "differentiate": ("logits",),
        "cotangent": [2.0, -1.0],
        "vector": [[1.0, -2.0, 0.5], [0.0, 1.0, 1.0]],
    },
}


@dataclass(frozen=True)
class Way:
    """An implementation in a mode, asked for some aspects."""

    implementation: str
    mode: str
    aspects: tuple[str, ...] = ("value", "gradient")


@pytest.mark.slow
@pytest.mark.parametrize(
    "ways",
    [
        (
            Way("torch", "func", tuple(ASKED)),
            Way("torch", "vmap"),
            Way("torch", "dynamic", ("value",)),
            Way("torch", "autocast", ("value",)),
            Way("torch", "deterministic", ("value",)),
            Way("torch-export", "onnx-dynamic", ("value",)),
            Way("torch-export", "export-dynamic"),
        ),
        (
            Way("tensorflow", "dynamic", tuple(ASKED)),
            Way("tensorflow", "vectorized_map"),
            Way("tensorflow", "lite", ("value",)),
            Way("tensorflow-deterministic", "graph", ("value",)),
            Way("keras-tensorflow", "dynamic"),
        ),
        (Way("onnxruntime", "dynamic", ("value",)),),
        (Way("optax", "vmap"), Way("optax", "export", tuple(ASKED)), Way("optax", "safe", ("value",))),
    ],
    ids=lambda ways: ways[0].implementation,
)
def test_a_script_says_whether_the_answer_is_right_where_the_project_is_not(
    ways: tuple[Way, ...], tmp_path: Path
) -> None:
    needed = {module for way in ways for module in resolve(way.implementation).requires}
    if absent := sorted(module for module in needed if find_spec(module) is None):
        pytest.skip(f"needs {', '.join(absent)}")
    expected = {}
    for way in ways:
        for aspect in way.aspects:
            of, right = _example(way, aspect)
            assert right.numbers is not None
            wrong = [(1, right.numbers + 1)] if aspect == "value" else []
            for code, numbers in [(0, right.numbers), *wrong]:
                path = tmp_path / f"{way.implementation}-{way.mode}-{aspect}-{code}.py"
                path.write_text(reproduction.script(of, replace(right, numbers=numbers), "t", "w"), encoding="utf-8")
                expected[str(path)] = str(code)
    found, said = endings_of_scripts(expected, tmp_path)
    assert found == expected, said


def _example(way: Way, aspect: str) -> tuple[reproduction.Example, reproduction.Expected]:
    distributions = {"targets": [[0.5, 0.5, 0.0], [0.0, 0.25, 0.75]]} if way.mode == "safe" else {}
    inputs = {**LOGITS, **distributions}
    call = make_call("softmax_cross_entropy", inputs, ROWS, dtype="float32", mode=way.mode, **ASKED[aspect])
    target = TruthTable(call).under().targets[aspect]
    of = reproduction.Example(way.implementation, call, forward=aspect == "directional")
    return of, reproduction.Expected.truth(target, call.dtype, flush_to_zero=True)
