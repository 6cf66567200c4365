"""Kernels and losses of other libraries, as a script writes them.

What their adapters define around the public functions is quoted from them, and what stands in for a GPU comes before
the import, quoted as well: a script needs the library and nothing of this project.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from harness.core.arrays import Array
from harness.reproduction.example import Code, Example, Inexpressible, literal
from harness.reproduction.sources import definitions
from harness.reproduction.torch import answered, tensors

_TRITON = ("adapters/kernels/interpreter.py", "prepare")
_BARE = ("adapters/kernels/bare.py", "open_bare")


@dataclass(frozen=True)
class _Call:
    """How one loss is written."""

    function: str
    """Of the library, or of its adapter where `own` has it."""
    options: Mapping[str, str] = field(default_factory=dict)
    """Ours, and the keyword it is."""
    own: tuple[str, ...] = ()
    """Functions of the adapter that are quoted."""
    form: str = "rows"
    """`rows` of classes, a vector of `elements`, or the classes on the `second` axis."""
    one_hot: bool = False
    says: Mapping[str, Any] = field(default_factory=dict)
    """Options at the one value that it has."""


@dataclass(frozen=True)
class _Library:
    """How one library is imported."""

    package: str
    """The distribution."""
    imports: tuple[str, ...]
    calls: Mapping[str, _Call]
    before: tuple[tuple[str, str], ...] = ()
    """What is quoted before the imports: module and function of ours."""
    module: str = ""
    """The adapter."""


_CLASSES = {"ignore_index": "ignore_index", "label_smoothing": "label_smoothing", "reduction": "reduction"}
_LIGER = {**_CLASSES, "softcap": "softcap", "z_loss": "lse_square_scale"}
_FOCAL = {"alpha": "alpha", "gamma": "gamma", "reduction": "reduction"}
_TE = {"label_smoothing": "label_smoothing", "ignore_index": "ignore_index"}
_MEAN = {"reduction": "mean"}

_LIBRARIES: Mapping[str, _Library] = {
    "liger": _Library(
        "liger-kernel",
        ("prepare()", "from liger_kernel.transformers import functional"),
        {
            "softmax_cross_entropy": _Call("functional.liger_cross_entropy", {**_LIGER, "class_weights": "weight"}),
            "linear_cross_entropy": _Call("_linear", {**_LIGER, "class_weights": "ce_weight"}, ("_linear",)),
            "jensen_shannon": _Call("_jensen_shannon", {"beta": "beta"}, ("_jensen_shannon",), says=_MEAN),
            "linear_jensen_shannon": _Call(
                "_linear_jensen_shannon",
                {"beta": "jsd_beta", "ignore_index": "ignore_index", "logit_scale": "logit_scale"},
                ("_linear_jensen_shannon",),
                says=_MEAN,
            ),
        },
        (_TRITON,),
        "adapters/kernels/liger.py",
    ),
    "flash-attention": _Library(
        "flash_attn",
        (
            "prepare()",
            'open_bare("flash_attn", "flash_attn.ops", "flash_attn.ops.triton")',
            "from flash_attn.ops.triton.cross_entropy import cross_entropy_loss",
        ),
        {
            "softmax_cross_entropy": _Call(
                "_losses",
                {**_TE, "logit_scale": "logit_scale", "z_loss": "lse_square_scale"},
                ("_losses",),
            )
        },
        (_TRITON, _BARE),
        "adapters/kernels/flash_attention.py",
    ),
    "transformer-engine": _Library(
        "transformer_engine",
        (
            "prepare()",
            'open_bare("transformer_engine", "transformer_engine.pytorch", "transformer_engine.pytorch.triton")',
            "from transformer_engine.pytorch.cross_entropy import parallel_cross_entropy",
        ),
        {"softmax_cross_entropy": _Call("_each", _TE, ("_each", "_mean"))},
        (_TRITON, _BARE),
        "adapters/kernels/transformer_engine.py",
    ),
    "unsloth": _Library(
        "unsloth",
        (
            "import tempfile",
            "prepare()",
            # It writes what it compiles into the current folder otherwise.
            'os.environ["UNSLOTH_COMPILE_LOCATION"] = tempfile.mkdtemp()',
            "from unsloth.kernels.cross_entropy_loss import fast_cross_entropy_loss",
        ),
        {
            "softmax_cross_entropy": _Call(
                "_mean",
                {"softcap": "softcap", "logit_scale": "logit_scale"},
                ("_mean",),
                says={**_MEAN, "ignore_index": -100},
            )
        },
        (_TRITON,),
        "adapters/kernels/unsloth.py",
    ),
    "transformers": _Library(
        "transformers",
        ("from transformers.loss.loss_utils import ForCausalLMLoss",),
        {"softmax_cross_entropy": _Call("_mean", {"ignore_index": "ignore_index"}, ("_mean",), says=_MEAN)},
        module="adapters/kernels/transformers.py",
    ),
    "kornia": _Library(
        "kornia",
        ("from kornia.losses import binary_focal_loss_with_logits, focal_loss",),
        {
            "binary_focal": _Call("_binary", {"alpha": "alpha", "gamma": "gamma"}, ("_binary",), "elements"),
            "categorical_focal": _Call("_categorical", {"gamma": "gamma"}, ("_categorical",)),
        },
        module="adapters/kernels/kornia.py",
    ),
    "monai": _Library(
        "monai",
        ("from monai.losses import FocalLoss",),
        {
            "binary_focal": _Call("_binary", _FOCAL, ("_binary",), "elements"),
            "categorical_focal": _Call("_categorical", {"gamma": "gamma"}, ("_categorical",), one_hot=True),
        },
        module="adapters/kernels/monai.py",
    ),
    "segmentation-models": _Library(
        "segmentation_models_pytorch",
        (
            'open_bare("segmentation_models_pytorch")',
            "from segmentation_models_pytorch.losses import FocalLoss, SoftBCEWithLogitsLoss, SoftCrossEntropyLoss",
        ),
        {
            "binary_focal": _Call("_focal", _FOCAL, ("_focal",), "elements"),
            "softmax_cross_entropy": _Call(
                "_classes",
                {"label_smoothing": "smoothing", "ignore_index": "ignored", "reduction": "reduction"},
                ("_classes",),
                "second",
            ),
        },
        (_BARE,),
        "adapters/kernels/segmentation_models.py",
    ),
    "torchtune": _Library(
        "torchtune",
        (
            'open_bare("torchtune", "torchtune.modules", "torchtune.modules.loss")',
            "from torchtune.modules.loss.ce_chunked_output_loss import CEWithChunkedOutputLoss",
        ),
        {"softmax_cross_entropy": _Call("_mean", {"ignore_index": "ignore_index"}, ("_mean",), says=_MEAN)},
        (_BARE,),
        "adapters/kernels/torchtune.py",
    ),
    "torchvision": _Library(
        "torchvision",
        ('open_bare("torchvision", "torchvision.ops")', "from torchvision.ops.focal_loss import sigmoid_focal_loss"),
        {"binary_focal": _Call("_focal", _FOCAL, ("_focal",), "elements")},
        (_BARE,),
        "adapters/kernels/torchvision.py",
    ),
    "fvcore": _Library(
        "fvcore",
        ('open_bare("fvcore", "fvcore.nn")', "from fvcore.nn.focal_loss import sigmoid_focal_loss"),
        {"binary_focal": _Call("sigmoid_focal_loss", _FOCAL, form="elements")},
        (_BARE,),
    ),
    "timm": _Library(
        "timm",
        (
            'open_bare("timm")',
            "from timm.loss import LabelSmoothingCrossEntropy, SoftTargetCrossEntropy",
        ),
        {
            "softmax_cross_entropy": _Call(
                "_labels", {"label_smoothing": "label_smoothing"}, ("_labels", "_distributions"), says=_MEAN
            )
        },
        (_BARE,),
        "adapters/kernels/timm.py",
    ),
}

IMPLEMENTATIONS = (*_LIBRARIES, "mlx", "tinygrad", "loss-parallel")
"""Those that are written here."""


def code(example: Example) -> Code:
    """`loss` computes it; the library's own way differentiates."""
    if example.implementation == "loss-parallel":
        return _of_ranks(example)
    if example.mode != "eager" or example.forward or example.vector is not None:
        raise Inexpressible(f"no template writes this derivative or mode of {example.implementation}")
    if example.implementation == "mlx":
        return _mlx(example)
    if example.implementation == "tinygrad":
        return _tinygrad(example)
    library = _LIBRARIES[example.implementation]
    if example.loss not in library.calls:
        raise Inexpressible(f"no template writes {example.loss} for {example.implementation}")
    call = _chosen(example, library.calls[example.loss])
    body = [
        *tensors(example),
        f"def loss({', '.join(example.arrays)}):",
        f"    return {_expression(example, call)}",
        *answered(example),
    ]
    quoted = tuple(text for module, name in library.before for text in definitions(module, [name]))
    return Code(
        ("import torch", *library.imports),
        tuple(body),
        f'"{library.package}", version("{library.package}"), "torch", torch.__version__',
        ("from importlib.metadata import version", *quoted),
        definitions(library.module, call.own) if call.own else (),
    )


def _chosen(example: Example, call: _Call) -> _Call:
    """Of adapters that have two functions for one loss, the one of this call."""
    if call.function == "_labels" and example.has_distributions("logits"):
        return replace(call, function="_distributions", options={})
    if call.function == "_each" and example.reduction == "mean" and "ignore_index" not in example.options:
        return replace(call, function="_mean", says=_MEAN)
    return call


def _expression(example: Example, call: _Call) -> str:
    """The call, and what its user writes behind it."""
    example.understands("axis", *call.options, *call.says)
    if isinstance(example.options.get("denominator"), int | float):
        raise Inexpressible("no template writes a number to divide by")
    if any(example.options.get(name) != value for name, value in call.says.items()):
        raise Inexpressible(f"{call.function} has the {' and '.join(map(str, call.says.values()))} only")
    arguments = [_shaped(example, call, name) for name in example.inputs if name != "bias"]
    arguments += ["bias=bias"] if "bias" in example.inputs else []
    arguments += [text for ours, theirs in call.options.items() for text in example.keyword(ours, theirs)]
    written = f"{call.function}({', '.join(arguments)})"
    reduces = "reduction" in call.options or "reduction" in call.says
    if example.reduction != "none":
        return written if reduces else f"{written}.{example.reduction}()"
    shape = next(iter(example.inputs.values())).shape
    rows = shape if call.form == "elements" else _moved(example, shape)[:-1]
    return written if call.form == "second" else f"{written}.reshape({rows})"


def _moved(example: Example, shape: tuple[int, ...]) -> tuple[int, ...]:
    axis = example.axis % len(shape)
    return (*shape[:axis], *shape[axis + 1 :], shape[axis])


def _shaped(example: Example, call: _Call, name: str) -> str:
    """The input as the function takes it."""
    first, shape = next(iter(example.inputs.values())).shape, example.inputs[name].shape
    if name in ("weight", "target_weight"):
        return name
    if call.form == "elements":
        return f"{name}.reshape(-1)"
    whole, written = len(shape) == len(first), name
    if call.one_hot and name == "targets" and not whole:
        classes = _moved(example, first)[-1]
        return f"torch.nn.functional.one_hot(targets.reshape(-1), {classes}).to(logits.dtype)"
    target = 1 if call.form == "second" else -1
    if whole and len(first) > 1 and example.axis % len(first) != target % len(first):
        written = f"{written}.movedim({example.axis}, {target})"
    if call.form == "second":
        return written
    return f"{written}.reshape(-1, {_moved(example, shape)[-1]})" if whole else f"{written}.reshape(-1)"


# --- ranks ------------------------------------------------------------------------------------------------------------

_AXES = {"ranks": 1, "ranks-of-rows": 0}
_RANKS = 2


def _of_ranks(example: Example) -> Code:
    """A script that starts itself again as every rank, by fork: what it defines is there in all of them."""
    if example.mode not in _AXES or example.forward or example.vector is not None:
        raise Inexpressible(f"no template writes this derivative or mode of {example.implementation}")
    alone = example.loss == "log_softmax"
    if not (alone or example.loss == "softmax_cross_entropy") or example.rank != 2 or example.axis % 2 != 1:
        raise Inexpressible(f"no template writes {example.loss} of such a batch for {example.implementation}")
    example.understands("axis", "class_weights", "ignore_index")
    axis, shape = _AXES[example.mode], example.inputs["logits"].shape
    keywords = [*example.keyword("class_weights", "weight"), *example.keyword("ignore_index")]
    called = ", ".join(["whole", "labels", *keywords, f"reduction={example.reduction!r}"])
    rows = axis == 0
    within = f"    with {'contextlib.nullcontext' if rows else 'loss_parallel'}():"
    body = [
        *(f"{name}_ = {_cast(name, array)}" for name, array in example.arrays.items()),
        "def ask(mesh, rank):",
        f"    mine = logits_.chunk({_RANKS}, {axis})[rank].contiguous().requires_grad_()",
        f"    size = dict(shape=torch.Size({shape}), stride=({shape[1]}, 1))",
        f"    whole = DTensor.from_local(mine, mesh, [Shard({axis})], **size)",
        *(
            []
            if alone
            else ["    labels = " + ("distribute_tensor(targets_, mesh, [Shard(0)])" if rows else "targets_")]
        ),
    ]
    if "class_weights" in example.arrays:
        of_all = "distribute_tensor(class_weights_, mesh, [Replicate()])"
        body.append("    class_weights = " + (of_all if rows else "class_weights_"))
    function = "log_softmax(whole, -1)" if alone else f"cross_entropy({called})"
    body += [within, f"        result = torch.nn.functional.{function}"]
    if example.differentiate is None:
        body.append("    return result.full_tensor().detach().double().numpy(), str(result.dtype)")
    else:
        given = f"torch.tensor(cotangent, dtype=torch.{example.dtype})"
        upstream = "torch.ones_like(result)" if example.cotangent is None else f"DTensor.from_local({given}, mesh)"
        upstream += ".redistribute(mesh, [Shard(1)])" if alone and example.cotangent is not None else ""
        body += [
            within,
            f"        result.backward({upstream})",
            f"    found = DTensor.from_local(mine.grad, mesh, [Shard({axis})], **size).full_tensor()",
            "    return found.double().numpy(), str(found.dtype)",
        ]
    body += ["answer, dtype = on_ranks(ask)", 'dtype = dtype.removeprefix("torch.")']
    imports = (
        "import torch",
        "from torch.distributed.device_mesh import init_device_mesh",
        "from torch.distributed.tensor import DTensor, Replicate, Shard, distribute_tensor",
        "from torch.distributed.tensor.parallel import loss_parallel",
    )
    before = ("import contextlib", "import multiprocessing", "import socket")
    return Code(imports, tuple(body), '"torch", torch.__version__', before, (_ON_RANKS,))


_ON_RANKS = f"""\
def on_ranks(ask):
    with socket.socket() as free:
        free.bind(("localhost", 0))
        address = f"tcp://localhost:{{free.getsockname()[1]}}"

    def rank(number, pipe):
        torch.set_num_threads(1)
        torch.distributed.init_process_group("gloo", init_method=address, rank=number, world_size={_RANKS})
        try:
            pipe.send(ask(init_device_mesh("cpu", ({_RANKS},)), number))
        except Exception as error:
            pipe.send(error)

    context = multiprocessing.get_context("fork")
    pipes = [context.Pipe() for _ in range({_RANKS})]
    ranks = [context.Process(target=rank, args=(number, pipe[1])) for number, pipe in enumerate(pipes)]
    for each in ranks:
        each.start()
    found = [pipe[0].recv() for pipe in pipes]
    for each in ranks:
        each.join()
    if isinstance(found[0], Exception):
        raise found[0]
    return found[0]"""


def _cast(name: str, array: Array) -> str:
    return f"torch.tensor({name}, dtype=torch.{array.dtype})" if array.is_float else f"torch.tensor({name})"


# --- other arrays -----------------------------------------------------------------------------------------------------


def _mlx(example: Example) -> Code:
    if example.loss != "softmax_cross_entropy":
        raise Inexpressible(f"no template writes {example.loss} for MLX")
    example.understands("axis", "label_smoothing")
    keywords = ", ".join(
        [f"axis={example.axis}", *example.keyword("label_smoothing"), f"reduction={literal(example.reduction)}"]
    )
    made = [
        f"{name}_ = mx.array({name})" + (f".astype(mx.{array.dtype})" if array.is_float else "")
        for name, array in example.inputs.items()
    ]
    body = [
        *made,
        "def loss(logits):",
        f"    return losses.cross_entropy(logits, targets_, {keywords})",
        *_differentiated(
            example,
            "loss(logits_)",
            [
                "upstream = " + _upstream(example, "mx.ones_like(loss(logits_))", "mx.array(cotangent)", "astype"),
                "(found,) = mx.vjp(lambda x: [loss(x)], [logits_], [upstream])[1]",
            ],
        ),
        'dtype = str(found.dtype).removeprefix("mlx.core.")',
        "answer = np.array(found.astype(mx.float32), np.float64)",
    ]
    return Code(
        ("import mlx.core as mx", "from mlx.nn import losses"),
        tuple(body),
        '"mlx", version("mlx")',
        ("from importlib.metadata import version",),
    )


def _tinygrad(example: Example) -> Code:
    if example.loss != "softmax_cross_entropy" or example.axis % example.rank != example.rank - 1:
        raise Inexpressible(f"no template writes {example.loss} along such an axis for tinygrad")
    example.understands("axis", "label_smoothing", "ignore_index")
    keywords = [*example.keyword("label_smoothing"), f"reduction={literal(example.reduction)}"]
    if example.has_distributions("logits"):
        if example.rank != 2 or "ignore_index" in example.options:
            raise Inexpressible("no template writes distributions of such a batch for tinygrad")
        called = "logits_.cross_entropy(targets_, "
    else:
        called = "logits_.sparse_categorical_crossentropy(targets_, "
        keywords = [*example.keyword("ignore_index"), *keywords]
    made = [
        f"{name}_ = Tensor({name}.astype(np.float32)).cast(dtypes.{array.dtype})"
        if array.dtype == "bfloat16"
        else f"{name}_ = Tensor({name}.astype(np.{array.dtype}))"
        for name, array in example.inputs.items()
    ]
    upstream = _upstream(example, "result.ones_like()", "Tensor(cotangent)", "cast")
    body = [
        *made,
        f"result = {called}{', '.join(keywords)})",
        *_differentiated(example, "result", [f"(found,) = result.gradient(logits_, gradient={upstream})"]),
        "dtype = str(found.dtype).rpartition('.')[2]",
        "answer = found.cast(dtypes.float64).numpy()",
    ]
    return Code(
        ("from tinygrad import Tensor, dtypes",),
        tuple(body),
        '"tinygrad", version("tinygrad")',
        ("from importlib.metadata import version", 'os.environ.setdefault("DEV", "PYTHON")'),
    )


def _differentiated(example: Example, value: str, gradient: list[str]) -> list[str]:
    if example.differentiate not in (None, "logits"):
        raise Inexpressible(f"no template writes the gradient of {example.differentiate} for {example.implementation}")
    return [f"found = {value}"] if example.differentiate is None else gradient


def _upstream(example: Example, ones: str, given: str, cast: str) -> str:
    if example.cotangent is None:
        return ones
    return f"{given}.{cast}({'mx' if example.implementation == 'mlx' else 'dtypes'}.{example.dtype})"
