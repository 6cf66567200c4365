"""No adapter imports a private module of a framework, reaches for a private name in it, or assigns to what is in it."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import harness.adapters

ADAPTERS = Path(harness.adapters.__file__).parent

FRAMEWORKS = {
    "torch": {"torch"},
    "tensorflow": {"tensorflow"},
    "keras": {"keras"},
    "jax": {"jax", "jaxlib"},
    "optax": {"optax", "jax", "jaxlib"},
    "onnx": {"onnx", "ml_dtypes"},
    "onnxruntime": {"onnxruntime", "onnx"},
    "scipy": {"scipy"},
    "sklearn": {"sklearn"},
    "numpy": {"reference"},  # what is under test there is the reference's own formulas
    "framework_signatures": {"reference"},  # our words for the losses, beside the frameworks'
    "functions": {"reference"},
    "torch_export": {"torch", "onnxruntime", "onnxscript"},
    "scratch.d2": {"torch"},
    "kernels.liger": {"liger_kernel", "triton"},
    "kernels.transformer_engine": {"transformer_engine", "triton"},
    "kernels.flash_attention": {"flash_attn", "triton"},
    "kernels.unsloth": {"unsloth", "triton"},
    "kernels.cut_cross_entropy": {"cut_cross_entropy", "triton"},
    "kernels.loss_parallel": {"torch"},
    "kernels.megatron": {"megatron", "torch"},
    "kernels.mlx": {"mlx"},
    "kernels.tinygrad": {"tinygrad"},
    "kernels.xgboost": {"xgboost"},
    "kernels.lightgbm": {"lightgbm"},
    "kernels.paddle": {"paddle"},
    "kernels.transformers": {"transformers"},
    "kernels.kornia": {"kornia"},
    "kernels.torchtune": {"torchtune"},
    "kernels.torchvision": {"torchvision"},
    "kernels.fvcore": {"fvcore"},
    "kernels.monai": {"monai"},
    "kernels.timm": {"timm"},
    "kernels.segmentation_models": {"segmentation_models_pytorch"},
}
"""What may be imported beside NumPy and the standard library, by the beginning of the module's name."""

WITH_NOUNS = {"base", "registry", "choice", "framework_signatures", "micro_batches", "numpy"}
"""Not adapters but what they are connected by, and the one of our own formulas: these know `harness.core`."""

PRIVATE = (("jax", "interpreters"), ("keras", "src"), ("onnxruntime", "capi"), ("tensorflow", "python"))
"""Private modules whose names do not begin with an underscore."""

PUBLIC_DUNDERS = {"__config__", "__future__", "__init__", "__module__", "__name__", "__qualname__", "__version__"}

CHANGING = {"FunctionType", "CodeType", "mock", "import_module", "__import__", "setattr", "delattr", "exec", "eval"}
"""Names by which imports and attributes escape whoever reads the source."""


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ADAPTERS).with_suffix("").parts)


def is_private(parts: tuple[str, ...]) -> bool:
    hidden = any(part.startswith("_") and part not in PUBLIC_DUNDERS for part in parts)
    return hidden or any(parts[: len(private)] == private for private in PRIVATE)


def offences(source: str, module: str) -> list[str]:
    """What an adapter must not do, one sentence for each."""
    tree = ast.parse(source)
    bound = dict(names_of_imports(tree))
    for node in ast.walk(tree):  # other names for what was imported, and for what is in it
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Name() | ast.Attribute() as value):
                if root(value) in bound and not any(isinstance(part, ast.Call) for part in ast.walk(value)):
                    bound[name] = (*bound[root(value)], *path_of(value)[1:])
    return [f"line {line}: {what}" for node in ast.walk(tree) for line, what in offences_of(node, module, bound)]


def names_of_imports(tree: ast.AST) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Every name that an import binds, with what it stands for."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                parts = tuple(alias.name.split("."))
                yield (alias.asname, parts) if alias.asname else (parts[0], parts[:1])
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                yield alias.asname or alias.name, (*node.module.split("."), alias.name)


def offences_of(node: ast.AST, module: str, bound: dict[str, tuple[str, ...]]) -> Iterator[tuple[int, str]]:
    match node:
        case ast.Import():
            for alias in node.names:
                yield from offences_of_import(node.lineno, tuple(alias.name.split(".")), module)
        case ast.ImportFrom():
            for alias in node.names:
                parts = (*(node.module or "").split("."), alias.name)
                yield from offences_of_import(node.lineno, parts, module)
        case ast.Name(id=name) if name in CHANGING:
            yield node.lineno, f"uses {name}"
        case ast.Attribute(attr=name) if name in CHANGING or (name == "modules" and root(node) == "sys"):
            yield node.lineno, f"uses {ast.unparse(node)}"
        case ast.Attribute() if bound.get(root(node)) == ("ctypes",):
            pass  # the C library's names, some of which begin so
        case ast.Attribute(attr=name) if root(node) != "self" and is_private((name,)):
            yield node.lineno, f"reaches for the private {ast.unparse(node)}"
        case ast.Attribute() if is_private((*bound.get(root(node), ()), *path_of(node)[1:])) and root(node) in bound:
            yield node.lineno, f"reaches for the private {ast.unparse(node)}"
        case ast.Call(func=ast.Name(id="getattr" | "hasattr"), args=[_, ast.Constant(value=str(name)), *_]):
            if is_private((name,)):
                yield node.lineno, f"reaches for the private {name}"
        case ast.Call(func=ast.Name(id="vars" | "globals" as name)):
            yield node.lineno, f"uses {name}"
    for target in targets_of(node):
        if isinstance(target, ast.Attribute | ast.Subscript) and root(target) in bound:
            yield target.lineno, f"assigns to {ast.unparse(target)}"


def offences_of_import(line: int, parts: tuple[str, ...], module: str) -> Iterator[tuple[int, str]]:
    if is_private(parts) or parts[0] == "":
        yield line, f"imports the private {'.'.join(parts)}"
    if CHANGING & set(parts):
        yield line, f"uses {'.'.join(parts)}"
    matching = [start for start in FRAMEWORKS if module.startswith(start)]
    frameworks = FRAMEWORKS[max(matching, key=len)] if matching else set[str]()
    ours = parts[:2] == ("harness", "adapters") or (module in WITH_NOUNS and parts[:2] == ("harness", "core"))
    if not ours and parts[0] not in {"numpy", *frameworks, *sys.stdlib_module_names}:
        yield line, f"imports {'.'.join(parts)}, which is not its framework"


def targets_of(node: ast.AST) -> Iterator[ast.expr]:
    """What a statement assigns to or deletes, tuples taken apart."""
    match node:
        case ast.Assign(targets=targets) | ast.Delete(targets=targets):
            found = list(targets)
        case ast.AugAssign(target=target) | ast.AnnAssign(target=target) | ast.For(target=target):
            found = [target]
        case ast.With(items=items):
            found = [item.optional_vars for item in items if item.optional_vars is not None]
        case _:
            return
    while found:
        target = found.pop()
        if isinstance(target, ast.Tuple | ast.List):
            found += target.elts
        else:
            yield target


def path_of(node: ast.expr) -> tuple[str, ...]:
    """The names along a chain of attributes, calls and subscripts, from the left; '' for any other beginning."""
    match node:
        case ast.Name(id=name):
            return (name,)
        case ast.Attribute(value=value, attr=name):
            return (*path_of(value), name)
        case ast.Call(func=inner) | ast.Subscript(value=inner):
            return path_of(inner)
        case _:
            return ("",)


def root(node: ast.expr) -> str:
    return path_of(node)[0]


MACHINES = {"kernels.interpreter", "kernels.bare", "kernels.ranks"}
"""What kernels run on where there is no GPU or no second machine; the header of a run says what stands in for them."""


@pytest.mark.parametrize(
    "path", sorted(p for p in ADAPTERS.rglob("*.py") if module_of(p) not in MACHINES), ids=module_of
)
def test_an_adapter_uses_its_framework_as_its_users_do(path: Path) -> None:
    assert offences(path.read_text(encoding="utf-8"), module_of(path)) == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("jax_calls", "from jax._src.interpreters import mlir"),
        ("jax_calls", "import jax._src.core"),
        ("jax_calls", "import jax\njax._src.core"),
        ("jax_calls", "import jax as j\nj.devices()[0]._client"),
        ("jax_calls", "from jax.interpreters import mlir"),
        ("tensorflow_calls", "from tensorflow.python.eager import context"),
        ("tensorflow_calls", "def f():\n    import tensorflow.python as p"),
        ("tensorflow_calls", "import tensorflow as tf\ntf.python.eager.context"),
        ("keras", "import keras\nkeras.src.losses"),
        ("keras", "from keras.src import losses"),
        ("torch", "from torch import _dynamo"),
        ("torch", "import torch\ntorch._dynamo.config.recompile_limit = 1000"),
        ("torch", "import torch\ngetattr(torch, '_dynamo')"),
        ("torch", "from torch.nn import functional\nfunctional._verify_batch_size([])"),
        ("torch", "from types import FunctionType"),
        ("torch", "import types\nf = types.FunctionType"),
        ("torch", "def f():\n    return 1\nf.__code__ = f.__code__.replace()"),
        ("torch", "import torch\nvars(torch)['compile'] = None"),
        ("torch", "import torch\ntorch.compile = None"),
        ("torch", "import torch\ntorch.backends.mkldnn.enabled: bool = False"),
        ("torch", "import torch\nx, torch.compile = 1, None"),
        ("torch", "import torch\ndel torch.compile"),
        ("torch", "import torch\nnn = torch.nn\nnn.Linear = None"),
        ("torch", "import torch\nsetattr(torch, 'compile', None)"),
        ("torch", "from unittest import mock"),
        ("torch", "import sys\nsys.modules['torch'] = None"),
        ("torch", "import importlib\nimportlib.import_module('torch._dynamo')"),
        ("torch", "from importlib import import_module"),
        ("torch", "__import__('torch._dynamo')"),
        ("torch", "exec('import torch._dynamo')"),
        ("torch", "from . import torch_calls"),
        ("torch", "import jax"),
        ("scratch.d0", "import torch"),
        ("torch", "import pydantic"),
        ("torch", "from harness.suite import generators"),
        ("torch", "from harness.core.call import Call"),
        ("jax", "import reference"),
    ],
)
def test_what_changes_or_opens_a_framework_is_found(module: str, source: str) -> None:
    assert offences(source, module) != []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("torch", "from __future__ import annotations\nimport torch\ntorch.__version__\ntorch.compiler.reset()"),
        ("onnxruntime", "import onnxruntime\noptions = onnxruntime.SessionOptions()\nx = {}\nx['a'] = options"),
        ("jax", "class A:\n    def __init__(self):\n        self._own = 1\n        self._own += 1"),
        ("scratch.d2", "import torch\nfrom harness.adapters.torch_calls import answer"),
        ("base", "from harness.core.call import Call"),
    ],
)
def test_what_users_do_is_allowed(module: str, source: str) -> None:
    assert offences(source, module) == []
