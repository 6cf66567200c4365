"""One context for all programs changes neither what is lowered nor what comes out."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec

import pytest

pytestmark = pytest.mark.skipif(find_spec("jax") is None, reason="JAX is not installed")

SCRIPT = """
import json, sys
import jax, jax.numpy as jnp
from harness.adapters.jax_lowering import share_one_context

version = json.loads(sys.argv[1])
shared = share_one_context(*([] if version is None else [tuple(version)]))
from jax._src.interpreters import mlir
kept = mlir.make_ir_context() is mlir.make_ir_context()

def loss(x, labels):
    log_p = jax.nn.log_softmax(x)
    return -jnp.mean(jnp.take_along_axis(log_p, labels[:, None], axis=1))

texts, bits = [], []
for dtype in ("float32", "bfloat16"):
    for rows in (2, 3):
        x, labels = jnp.linspace(-3, 7, rows * 4).reshape(rows, 4).astype(dtype), jnp.arange(rows)
        texts.append(jax.jit(jax.value_and_grad(loss)).lower(x, labels).as_text(debug_info=True))
        value, pull = jax.vjp(lambda x: loss(x, labels), x)
        bits.append([str(value), pull(jnp.ones_like(value))[0].astype(jnp.float32).tolist()])
print(json.dumps({"shared": shared, "kept": kept, "texts": texts, "bits": bits}))
"""


def lowered(version: list[int] | None) -> dict[str, object]:
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT, json.dumps(version)], capture_output=True, text=True, check=True
    )
    found: dict[str, object] = json.loads(ended.stdout)
    return found


def test_one_context_lowers_the_same_text_and_gives_the_same_bits() -> None:
    ours, other_release = lowered(None), lowered([99, 0])
    assert (other_release["shared"], other_release["kept"]) == (False, False)
    assert ours["kept"] == ours["shared"]
    assert ours["texts"] == other_release["texts"]
    assert ours["bits"] == other_release["bits"]
