"""The implementations that have a name, and how any other is addressed.

A name on the command line is one of: a registered name (`torch`), `module:Class` from any importable package (or an
adapter that is there, `module:name`), the name of an entry point in the group `xent.adapters`,
`like:FUNCTION=module:function` (a plain function that takes the arguments of a framework's own), `mutant:NAME` (a
known-bad implementation), or `command:PROGRAM ARGS`, a program that speaks the protocol of docs/protocol.md.
"""

from __future__ import annotations

import difflib
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from importlib.util import find_spec
from types import MappingProxyType

from harness.core.errors import UsageError

ENTRY_POINTS = "xent.adapters"
LIKE = "like:"
EXAMPLE = "torch.nn.functional.cross_entropy=my_package.losses:cross_entropy"


class RegistryError(UsageError):
    """A name that addresses no implementation, with what comes near."""


@dataclass(frozen=True)
class Implementation:
    """How to start the worker of one implementation."""

    name: str
    target: str
    """module:Class that the worker constructs; for a program, its command line."""
    family: str = "other"
    extra: str = ""
    """The extra of the package that installs it."""
    requires: tuple[str, ...] = ()
    """Importable names without which it is not installed, the one first whose losses they are."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Environment variables of its worker: backends and precision are chosen per process."""
    command: tuple[str, ...] = ()
    """The program to start instead of our worker."""
    found_here: bool = False
    """True where the module may live in the folder the user is in."""
    by_default: bool = True
    """Whether it is meant where nobody names any. Not what takes seconds for each call, as exports and ranks do, or
    has an environment of its own."""


_JAX = {"JAX_PLATFORMS": "cpu", "JAX_ENABLE_X64": "1"}


def _table() -> Mapping[str, Implementation]:
    keras = "harness.adapters.keras:Keras"
    adapters = "harness.adapters"
    entries = (
        Implementation("torch", f"{adapters}.torch:Torch", "torch", "torch", ("torch",)),
        Implementation("tensorflow", f"{adapters}.tensorflow:TensorFlow", "tensorflow", "tensorflow", ("tensorflow",)),
        Implementation(
            "tensorflow-deterministic",
            f"{adapters}.tensorflow:TensorFlowDeterministic",
            "tensorflow",
            "tensorflow",
            ("tensorflow",),
            {"TF_DETERMINISTIC_OPS": "1"},
            by_default=False,
        ),
        Implementation(
            "keras-tensorflow",
            keras,
            "tensorflow",
            "tensorflow",
            ("keras", "tensorflow"),
            {"KERAS_BACKEND": "tensorflow"},
        ),
        Implementation("keras-torch", keras, "torch", "keras,torch", ("keras", "torch"), {"KERAS_BACKEND": "torch"}),
        Implementation("keras-jax", keras, "jax", "keras,jax", ("keras", "jax"), {"KERAS_BACKEND": "jax", **_JAX}),
        Implementation("jax", f"{adapters}.jax:Jax", "jax", "jax", ("jax",), _JAX),
        Implementation("jax-x32", f"{adapters}.jax:Jax", "jax", "jax", ("jax",), {**_JAX, "JAX_ENABLE_X64": "0"}),
        Implementation("optax", f"{adapters}.optax:Optax", "jax", "jax", ("optax",), _JAX),
        Implementation("sklearn", f"{adapters}.sklearn:ScikitLearn", "scipy", "scipy", ("sklearn",)),
        Implementation("scipy", f"{adapters}.scipy:SciPy", "scipy", "scipy", ("scipy",)),
        Implementation("onnx-reference", f"{adapters}.onnx_reference:OnnxReference", "onnx", "onnx", ("onnx",)),
        Implementation("onnxruntime", f"{adapters}.onnxruntime:OnnxRuntime", "onnx", "onnx", ("onnxruntime", "onnx")),
        Implementation(
            "torch-export",
            f"{adapters}.torch_export:TorchExport",
            "export",
            "onnx-export",
            ("torch", "onnxscript", "onnxruntime"),
            by_default=False,
        ),
        Implementation("numpy", f"{adapters}.numpy:NumPy", "numpy", "", ("numpy",)),
        Implementation(
            "numpy-by-hand",
            f"{adapters}.numpy_by_hand:NumPyByHand",
            "numpy",
            "",
            ("numpy",),
            by_default=False,
        ),
        Implementation("scratch-d0", f"{adapters}.scratch.d0:D0", "scratch", "", ("numpy",)),
        Implementation("scratch-d1", f"{adapters}.scratch.d1:D1", "scratch", "", ("numpy",)),
        Implementation("scratch-d2", f"{adapters}.scratch.d2:D2", "scratch", "torch", ("torch",)),
        Implementation("scratch-d3", f"{adapters}.scratch.d3:D3", "scratch", "", ("numpy",)),
        Implementation("scratch-d4", f"{adapters}.scratch.d4:D4", "scratch", "", ("numpy",)),
        *_kernels(),
    )
    return MappingProxyType({entry.name: entry for entry in entries})


def _kernels() -> tuple[Implementation, ...]:
    """Kernels and losses of other libraries: a family of its own, in environments of its own."""
    table = {
        "liger": ("liger:liger", ("liger_kernel", "triton")),
        "transformer-engine": ("transformer_engine:transformer_engine", ("transformer_engine", "triton")),
        "flash-attention": ("flash_attention:flash_attention", ("flash_attn", "triton")),
        "unsloth": ("unsloth:unsloth", ("unsloth", "triton")),
        "cut-cross-entropy": ("cut_cross_entropy:cut_cross_entropy", ("cut_cross_entropy", "triton")),
        "loss-parallel": ("loss_parallel:LossParallel", ("torch",)),
        "megatron": ("megatron:Megatron", ("megatron",)),
        "mlx": ("mlx:mlx", ("mlx",)),
        "tinygrad": ("tinygrad:tinygrad", ("tinygrad",)),
        "xgboost": ("xgboost:xgboost_objectives", ("xgboost",)),
        "lightgbm": ("lightgbm:lightgbm_objectives", ("lightgbm",)),
        "paddle": ("paddle:paddle_losses", ("paddle",)),
        "transformers": ("transformers:transformers", ("transformers",)),
        "kornia": ("kornia:kornia", ("kornia",)),
        "torchtune": ("torchtune:torchtune", ("torchtune",)),
        "torchvision": ("torchvision:torchvision", ("torchvision",)),
        "fvcore": ("fvcore:fvcore", ("fvcore",)),
        "monai": ("monai:monai", ("monai",)),
        "timm": ("timm:timm", ("timm",)),
        "segmentation-models": ("segmentation_models:segmentation_models", ("segmentation_models_pytorch",)),
    }
    place = "harness.adapters.kernels"
    return tuple(
        Implementation(name, f"{place}.{target}", "kernels", "kernels", modules, by_default=False)
        for name, (target, modules) in table.items()
    )


def registered() -> Mapping[str, Implementation]:
    """All registered implementations, by name, whether installed here or not."""
    return _table()


def installed() -> tuple[str, ...]:
    """Names of the registered implementations whose frameworks can be found here (nothing is imported)."""
    return tuple(
        name for name, i in registered().items() if all(find_spec(module) is not None for module in i.requires)
    )


def resolve(name: str) -> Implementation:
    """The implementation a user names; RegistryError with what comes near where there is none."""
    table = registered()
    if name in table:
        return table[name]
    if name.startswith("command:"):
        return _program(name)
    if name.startswith("mutant:"):
        return Implementation(name, f"harness.mistakes:{name.removeprefix('mutant:')}", "mutant")
    if name.startswith(LIKE):
        return _function(name)
    if re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", name):
        return Implementation(name, name, found_here=True)
    points = {point.name: point for point in entry_points(group=ENTRY_POINTS)}
    if name in points:
        return Implementation(name, points[name].value)
    known = [*table, *points]
    near = difflib.get_close_matches(name, known, n=3)
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    raise RegistryError(
        f"no implementation is named {name!r}: {hint}`xent implementations` lists them; any other is addressed as "
        "module:Class, like:FUNCTION=module:function, mutant:NAME or command:PROGRAM ARGUMENTS"
    )


def _function(name: str) -> Implementation:
    known, _, place = name.removeprefix(LIKE).partition("=")
    if re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*", place) is None:
        raise RegistryError(f"{name!r}: expected {LIKE}FUNCTION=module:function, such as {LIKE}{EXAMPLE}")
    from harness.adapters.framework_signatures import signatures  # with NumPy: other names are found without

    try:
        signature = signatures(known)[0]
    except ValueError as error:
        raise RegistryError(f"{name!r}: {error}") from error
    environment = _JAX if signature.framework == "jax" else {}
    return Implementation(name, name, environment=environment, found_here=True)


def _program(name: str) -> Implementation:
    try:
        words = tuple(shlex.split(name.removeprefix("command:")))
    except ValueError as error:
        raise RegistryError(f"{name!r} is no command line: {error}") from error
    if not words:
        raise RegistryError("command: names no program; write command:./my-program --flag")
    return Implementation(name, " ".join(words), "command", command=words)
