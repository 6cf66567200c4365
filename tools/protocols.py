"""Public protocols by which losses are judged, put to known-bad implementations: `python -m tools.protocols > PAGE.md`.

Each is re-stated in a few lines from its published rules, which the page names: shapes, distributions, tolerances, and
whether gradients are looked at. PyTorch's own function is what a candidate is compared with where the protocol does so.
Sizes are reduced to what two processor cores can do for some hundred candidates; where, the page says.
"""

from __future__ import annotations

import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional

from harness.adapters.standing_in import stand_in
from harness.mistakes import BESIDE, MUTANTS, SECOND, WAYS, adapter
from harness.mistakes.grading import witnesses
from harness.suite.cover_file import cover_file, read_cover
from harness.suite.loading import load

Loss = Callable[..., torch.Tensor]
FUNCTIONS = {"softmax_cross_entropy": "cross_entropy", "softmax": "softmax", "log_softmax": "log_softmax"}
FUNCTIONS |= {"kl_divergence": "kl_div"}


@dataclass(frozen=True)
class Protocol:
    """How somebody says whether a loss is right."""

    name: str
    source: str
    rules: str
    holds: Callable[[Loss], bool]
    """Whether a candidate passes; what it raises is a failure too."""
    loss: str = "softmax_cross_entropy"


def known(x: torch.Tensor, target: torch.Tensor, **given: Any) -> torch.Tensor:
    """PyTorch's own, computed in float64 and rounded: the kernels that these protocols compare with on their machines
    compute 16 bits in float32, where those of the CPU are off by up to a twentieth."""
    wide = {n: v.double() if isinstance(v, torch.Tensor) else v for n, v in given.items()}
    held = target.double() if target.is_floating_point() else target
    return functional.cross_entropy(x.double(), held, **wide).to(x.dtype)


def close(got: torch.Tensor, want: torch.Tensor, rtol: float, atol: float) -> bool:
    return got.shape == want.shape and bool(torch.allclose(got.double(), want.double(), rtol=rtol, atol=atol))


def same(
    candidate: Loss, right: Loss, x: torch.Tensor, *others: Any, rtol: float, atol: float, power: int = 1, **given: Any
) -> bool:
    """Value and gradient; `power` 2 squares the value first, so that the gradient of what follows is not 1."""
    found = []
    for function in (candidate, right):
        leaf = x.detach().clone().requires_grad_()
        value = function(leaf, *others, **given)
        (slope,) = torch.autograd.grad((value**power).sum(), leaf)
        found.append((value.detach(), slope))
    return all(close(got, want, rtol, atol) for got, want in zip(*found, strict=True))


def kernelbench(rows: int, classes: int, dtype: torch.dtype, tolerance: float) -> Callable[[Loss], bool]:
    def holds(candidate: Loss) -> bool:
        for trial in range(5):
            torch.manual_seed(trial)
            x, labels = torch.rand(rows, classes).to(dtype), torch.randint(0, classes, (rows,))
            with torch.no_grad():
                if not close(candidate(x, labels), known(x, labels), tolerance, tolerance):
                    return False
        return True

    return holds


def kernelbench_activation(name: str) -> Callable[[Loss], bool]:
    def holds(candidate: Loss) -> bool:
        torch.manual_seed(0)
        x = torch.rand(4, 4096)
        with torch.no_grad():
            return close(candidate(x, dim=1), getattr(functional, name)(x, dim=1), 1e-4, 1e-4)

    return holds


def kernelbench_kl(candidate: Loss) -> bool:
    torch.manual_seed(0)
    p, q = ((torch.rand(16, 4096) * torch.rand(())).softmax(-1) for _ in range(2))
    with torch.no_grad():
        given: dict[str, Any] = {"reduction": "batchmean"}
        return close(candidate(p.log(), q, **given), functional.kl_div(p.log(), q, **given), 1e-4, 1e-4)


def samples(dtype: torch.dtype) -> Iterator[tuple[torch.Tensor, torch.Tensor, Mapping[str, Any]]]:
    """Those of PyTorch's OpInfo for cross_entropy, with numbers from −9 to 9: labels and distributions of 2 × 3, three
    more ranks, each reduction with and without weights, and one ignored label."""
    torch.manual_seed(0)
    reductions: list[dict[str, Any]] = [{"reduction": reduction} for reduction in ("mean", "sum", "none")]
    weighted = [{**given, "weight": True} for given in reductions]
    kinds: list[tuple[tuple[int, ...], dict[str, Any]]] = [
        ((2, 3, *more), {}) for more in ((), (1,), (1, 2), (1, 2, 3))
    ]
    kinds += [((2, 3), given) for given in (*reductions, *weighted, {"ignore_index": 1})]
    for shape, given in kinds:
        for labels in (True, False) if "ignore_index" not in given else (True,):
            made = {**given, "weight": torch.rand(3, dtype=dtype) * 18 - 9} if "weight" in given else given
            x = (torch.rand(shape, dtype=torch.float64) * 18 - 9).to(dtype)
            target = torch.randint(0, 3, (2, *shape[2:])) if labels else torch.rand(shape, dtype=dtype)
            if "ignore_index" in given:
                target[0] = 0
            yield x, target, made


def backendbench(candidate: Loss) -> bool:
    with torch.no_grad():
        return all(
            close(candidate(x, target, **given), known(x, target, **given), 1e-2, 1e-2)
            for dtype in (torch.float32, torch.bfloat16)
            for x, target, given in samples(dtype)
        )


def opinfo(candidate: Loss) -> bool:
    return all(
        torch.autograd.gradcheck(
            lambda z, t, given=given: candidate(z, t, **given),
            (x.requires_grad_(), t.requires_grad_(t.is_floating_point())),
            fast_mode=True,
        )
        for x, t, given in samples(torch.float64)
    )


NODES: tuple[tuple[tuple[int, ...], bool, int | None, str], ...] = (
    *(((), weighted, None, reduction) for weighted, reduction in ((False, "none"), (True, "none"), (False, "sum"))),
    ((), False, None, "mean"),
    ((), True, None, "mean"),
    ((2,), False, None, "mean"),
    *(
        (more, weighted, ignored, "mean")
        for more in ((), (2,), (2, 7))
        for weighted, ignored in ((True, 1), (False, 2))
    ),
    ((6, 6, 5, 3, 4), True, None, "mean"),
    ((6, 6, 5, 3, 4), False, None, "none"),
    ((6,), True, -1, "mean"),
    ((6, 6, 5), False, -5, "none"),
    ((), True, 10, "sum"),
)
"""Of each node test: axes behind rows and classes, whether there are weights, the ignored label, the reduction."""


def onnx(candidate: Loss) -> bool:
    torch.manual_seed(0)
    for more, weighted, ignored, reduction in NODES:
        x, labels = torch.rand(3, 5, *more), torch.randint(0, 5, (3, *more))
        given: dict[str, Any] = {"reduction": reduction}
        if weighted:
            given["weight"] = torch.tensor([0.9, 0.7, 0.8, 0.9, 0.9])
        if ignored is not None:
            labels.view(-1)[0] = ignored
            given["ignore_index"] = ignored
        with torch.no_grad():
            if not close(candidate(x, labels, **given), known(x, labels, **given), 1e-3, 1e-7):
                return False
    return True


LIGER: tuple[tuple[int | None, bool, Mapping[str, Any], float], ...] = (
    *((None, False, {"reduction": reduction}, 1.0) for reduction in ("sum", "mean", "none")),
    *((i, False, {"reduction": reduction}, 1.0) for i in (2, -123) for reduction in ("sum", "mean", "none")),
    (None, False, {"label_smoothing": 0.1}, 1.0),
    *((i, False, {"label_smoothing": smoothing}, 1.0) for i, smoothing in ((1, 0.1), (-300, 0.2))),
    *((None, True, {"reduction": reduction}, 1.0) for reduction in ("sum", "mean", "none")),
    *(
        (i, True, {"label_smoothing": smoothing, "reduction": reduction}, 1.0)
        for i, smoothing in ((-100, 0.1), (42, 0.2))
        for reduction in ("sum", "mean", "none")
    ),
    *((None, False, {"reduction": reduction}, 3.0) for reduction in ("sum", "mean")),
    *(
        (i, False, {"label_smoothing": smoothing, "reduction": reduction}, 3.0)
        for i, smoothing in ((-100, 0.1), (42, 0.2))
        for reduction in ("sum", "mean")
    ),
)
"""Of each of its calls: the ignored label, whether there are weights, the options, what the loss is multiplied with."""
LIGER_SHAPES = (6, 2048), (69, 67)


def liger(candidate: Loss) -> bool:
    torch.manual_seed(0)
    for dtype, rtol in ((torch.float32, 1e-6), (torch.bfloat16, 5e-2)):
        for rows, classes in LIGER_SHAPES:
            for ignored, weighted, options, factor in LIGER:
                x, labels = torch.randn(rows, classes).to(dtype), torch.randint(0, classes, (rows,))
                given = dict(options)
                if ignored is not None:
                    labels[torch.randperm(rows)[: rows // 3]] = ignored
                    given["ignore_index"] = ignored
                if weighted:
                    given["weight"] = torch.rand(classes).to(dtype)
                both: list[Loss] = [lambda z, t, f=f, k=factor, **g: f(z, t, **g) * k for f in (candidate, known)]
                if not same(both[0], both[1], x, labels, rtol=rtol, atol=1e-8, **given):
                    return False
    return _liger_refuses(candidate) and _liger_confident(candidate)


def _liger_refuses(candidate: Loss) -> bool:
    """Labels from V to 2 V are an error, beside ignored ones."""
    for ignored in (2, -123):
        labels = torch.randint(0, 2048, (6,))
        labels[0], labels[1:4] = ignored, torch.randint(2048, 4096, (3,))
        try:
            candidate(torch.randn(6, 2048).to(torch.bfloat16), labels, ignore_index=ignored)
        except Exception:
            continue
        return False
    return True


def _liger_confident(candidate: Loss) -> bool:
    """The gradient at the labels of rows whose label leads by 10, within four times what PyTorch's own is off there."""
    for dtype in (torch.bfloat16, torch.float16):
        for smoothing in (0.0, 0.1):
            for reduction in ("sum", "mean"):
                labels = torch.randint(0, 4096, (6,))
                rows, x = torch.arange(6), torch.randn(6, 4096)
                x[rows, labels] = x.max(dim=-1).values + 10.0
                slopes = []
                for function, held in (
                    (functional.cross_entropy, dtype),
                    (candidate, dtype),
                    (functional.cross_entropy, torch.float32),
                ):
                    leaf = x.to(dtype).to(held).requires_grad_()
                    value = function(leaf, labels, reduction=reduction, label_smoothing=smoothing)
                    slopes.append(torch.autograd.grad(value, leaf)[0][rows, labels].double())
                off, mine = ((slope - slopes[2]).abs().max() for slope in slopes[:2])
                if not mine <= max(4 * off, torch.finfo(dtype).tiny):
                    return False
    return True


def transformer_engine(candidate: Loss) -> bool:
    torch.manual_seed(0)
    for dtype, rtol in ((torch.float32, 1.3e-6), (torch.bfloat16, 1.6e-2)):
        x, labels = torch.rand(8, 4096).to(dtype), torch.randint(0, 4096, (8,))
        ignored = labels.clone()
        ignored[:5] = -100
        for target, given in (
            (labels, {}),
            (labels, {"label_smoothing": 0.1}),
            (labels, {"reduction": "none"}),
            (ignored, {"reduction": "none"}),
            (ignored, {}),
        ):
            if not same(candidate, known, x, target, rtol=rtol, atol=1e-5, power=2, **given):
                return False
    across, target = torch.randn(4, 2, 8).transpose(0, 1).movedim(-1, 1), torch.randint(0, 8, (2, 4))
    with torch.no_grad():
        there, here = (candidate(z, target, reduction="none") for z in (across, across.contiguous()))
    return close(there, here, 1e-5, 1e-8)


def tensorflow(candidate: Loss) -> bool:
    """Two rows whose loss and gradient are worked out by hand, and their gradients in float16 and float64."""
    labels = torch.tensor([3, 0])
    want, slopes = [1.3862, 3.4420], [[0.25, 0.25, 0.25, -0.75], [-0.968, 0.087, 0.237, 0.6439]]
    for dtype, tolerance in ((torch.float16, 1e-2), (torch.float32, 1e-3), (torch.float64, 1e-3)):
        x = torch.tensor([[1.0, 1, 1, 1], [1, 2, 3, 4]], dtype=dtype, requires_grad=True)
        value = candidate(x, labels, reduction="none")
        (slope,) = torch.autograd.grad(value.sum(), x)
        if not close(value, torch.tensor(want), tolerance, tolerance):
            return False
        if not close(slope, torch.tensor(slopes), tolerance, tolerance):
            return False
    return True


def keras(candidate: Loss) -> bool:
    """Three rows, to three decimals, with labels and with one-hot rows; the last row ignored."""
    x, labels = torch.tensor([[8.0, 1, 1], [0, 9, 1], [2, 3, 5]]), torch.tensor([0, 1, 2])
    rows = torch.tensor([0.001822, 0.000459, 0.169846])
    hot = functional.one_hot(labels).float()
    return (
        close(candidate(x, labels), rows.mean(), 0, 5e-4)
        and close(candidate(x, hot), rows.mean(), 0, 5e-4)
        and close(candidate(x, labels, reduction="none"), rows, 0, 5e-4)
        and close(candidate(x, labels, reduction="sum"), rows.sum(), 0, 5e-4)
        and close(candidate(x, hot, label_smoothing=0.1), torch.tensor(0.457), 0, 5e-4)
        and close(candidate(x, labels, ignore_index=2), rows[:2].mean(), 0, 5e-4)
    )


def optax(candidate: Loss) -> bool:
    """Two rows, to four decimals, one-hot and by label; the gradient against differences."""
    x, hot = torch.tensor([[10.0, 1, -2], [1, 4, 0.2]]), torch.tensor([[0.0, 1, 0], [1, 0, 0]])
    want = torch.tensor([9.00013, 3.0696733])
    good = all(close(candidate(x, t, reduction="none"), want, 1e-7, 1e-4) for t in (hot, hot.argmax(-1)))
    wide = x.double().requires_grad_()
    return good and torch.autograd.gradcheck(lambda z: candidate(z, hot.double(), reduction="none"), (wide,))


KERNELBENCH = "KernelBench, level 1, problem {}; src/kernelbench/eval.py"
PROTOCOLS = (
    Protocol(
        "KernelBench 95, float32",
        KERNELBENCH.format(95),
        "the mean loss of uniform logits in 4096 classes, five times, to 1e-4; no gradient (16 rows of 32768)",
        kernelbench(16, 4096, torch.float32, 1e-4),
    ),
    Protocol(
        "KernelBench 95, bfloat16",
        KERNELBENCH.format(95),
        "the same in 16 bits, to 1e-2 (16 rows of 32768)",
        kernelbench(16, 4096, torch.bfloat16, 1e-2),
    ),
    Protocol(
        "ONNX node tests",
        "onnx/backend/test/case/node/softmaxcrossentropy.py",
        "its 17 calls: uniform logits, five classes, up to seven axes, weights, an ignored label, to 1e-3; no gradient",
        onnx,
    ),
    Protocol(
        "BackendBench on PyTorch's samples",
        "BackendBench/eval.py; the OpInfo of cross_entropy",
        "2 × 3 logits with labels and distributions, to 1e-2, in float32 and bfloat16; no gradient",
        backendbench,
    ),
    Protocol(
        "PyTorch OpInfo, gradients",
        "torch/testing/_internal/common_methods_invocations.py; test/test_ops_gradients.py",
        "gradcheck (fast mode) of the same samples in float64, distributions differentiated too: the gradient is that "
        "of the value, whatever that is",
        opinfo,
    ),
    Protocol(
        "Liger",
        "Liger-Kernel, test/transformers/test_cross_entropy.py",
        "normal logits, value and gradient against PyTorch, reductions, ignored labels, smoothing, weights, in float32 "
        "and bfloat16; labels out of range are an error; the gradient of confident rows (6 rows of 2048 classes and 69 "
        "of 67 for 1269 and 8192 of 32000; without its z-loss and soft cap, which PyTorch's function has not)",
        liger,
    ),
    Protocol(
        "TransformerEngine",
        "TransformerEngine, tests/pytorch/test_parallel_cross_entropy.py",
        "uniform logits, the square of the loss, value and gradient, smoothing, ignored rows; transposed logits (8 "
        "rows of 4096 classes for 64 to 256 of 64000 and more; without its z-loss)",
        transformer_engine,
    ),
    Protocol(
        "TensorFlow",
        "tensorflow/python/kernel_tests/nn_ops/xent_op_test_base.py, sparse_xent_op_test_base.py",
        "two rows of four logits worked out by hand, value and gradient, to 1e-3",
        tensorflow,
    ),
    Protocol(
        "Keras",
        "keras/src/losses/losses_test.py",
        "three rows of three logits, to three decimals; no gradient",
        keras,
    ),
    Protocol(
        "optax",
        "optax/losses/_classification_test.py",
        "two rows of three logits, to four decimals, and the gradient against differences",
        optax,
    ),
    Protocol(
        "KernelBench 23",
        KERNELBENCH.format(23),
        "softmax of uniform logits, to 1e-4; no gradient (4 rows of 4096 for 4096 of 393216)",
        kernelbench_activation("softmax"),
        "softmax",
    ),
    Protocol(
        "KernelBench 24",
        KERNELBENCH.format(24),
        "log_softmax of the same",
        kernelbench_activation("log_softmax"),
        "log_softmax",
    ),
    Protocol(
        "KernelBench 98",
        KERNELBENCH.format(98),
        "batchmean of softmax rows, to 1e-4; no gradient (16 rows of 4096 for 8192 of 8192)",
        kernelbench_kl,
        "kl_divergence",
    ),
)


def standing_in(loss: str, name: str) -> Loss:
    """A known-bad implementation, or the sound one, called like PyTorch's function of the loss."""
    return stand_in(f"torch.nn.functional.{FUNCTIONS[loss]}", adapter(name).evaluate)


NEVER_SHOWN = ("conduct", SECOND, BESIDE, WAYS, "forward mode", "logits")
"""Kinds of mistakes that no value and no gradient of PyTorch's functions show: it has none of the options of logits."""


def known_bad(loss: str) -> list[str]:
    """The known-bad implementations that some call of PyTorch's function may show."""
    return [n for n, m in MUTANTS.items() if loss in m.losses and m.kind not in NEVER_SHOWN]


def passes(protocol: Protocol, name: str) -> bool:
    """Whether the candidate `name` passes; an error is a failure."""
    candidate = standing_in(protocol.loss, name)
    try:
        return protocol.holds(candidate)
    except Exception:
        return False


REWRITTEN = (
    ("KernelBench 95, float32", 13, 35, 44, 102),
    ("KernelBench 95, bfloat16", 12, 30, 41, 96),
    ("ONNX node tests", 35, 58, 69, 100),
    ("BackendBench on PyTorch's samples", 30, 52, 63, 100),
    ("PyTorch OpInfo, gradients", 43, 57, 65, 103),
    ("Liger", 75, 68, 78, 100),
    ("TransformerEngine", 50, 47, 59, 100),
    ("TensorFlow", 20, 27, 36, 104),
    ("Keras", 24, 51, 63, 103),
    ("optax", 26, 28, 37, 105),
)
"""What `tools.rewritten` counted, which takes it an hour of a core."""

TRACED = (
    "Counted before, when there were 138 that fit a softmax cross-entropy: 13, 10, 29, 30 and 65, for KernelBench",
    "in float32 and in 16 bits, ONNX, BackendBench and Liger. Eight have come since: the tests of TensorFlow, Keras",
    "and optax catch one of them each, KernelBench's, ONNX's and BackendBench's none.",
    "Then came two more: a last block of classes that is not walked, which KernelBench in float32, Liger and",
    "TransformerEngine catch, and an axis −2 that is the first one, which none does.",
    "",
    "- **KernelBench 95**: 13 again. In 16 bits 12: of the 13, `accumulates-in-float16` and `sum-not-rescaled`",
    "  are right to 1e-2, and `labels-in-type-of-scores` is caught besides, since labels beyond 256 are rounded",
    "  to others. Which two the count of 10 lacked was not kept; with 128 classes `labels-in-type-of-scores` and",
    "  `labels-in-int8` pass.",
    "- **ONNX**: 35 by its 17 calls. Six of them show with images only, that is with two and more axes behind the",
    "  classes: `height-and-width-exchanged`, `four-axes-at-most`, `accumulates-in-float16`, and by more than 32",
    "  positions `adds-means-of-chunks`, `averages-means-of-chunks`, `last-chunk-left-out`. Without these calls",
    "  it is 29.",
    "- **BackendBench**: 30 again. Five more were counted on this page for a while, as were two of KernelBench in",
    "  16 bits and three each of Liger and TransformerEngine: who reads memory wrongly raised an error in",
    "  bfloat16, which is no answer of theirs, and an error is a failure.",
    "- **Liger**: 75 by the calls of its present test, which has weights, all reductions, ignored labels that are",
    "  classes, labels out of range and confident rows. This page once said 54: by a test of 2024, which had less of",
    "  all that, and with six rows, in which no chunk of 32 rows shows. Of which test 65 was counted was not kept.",
    "- **OpInfo**: 43; 35 while only the logits were differentiated, and not the distributions, as its samples are.",
    "- **TransformerEngine**: 50; 47 without its transposed logits and fewer known-bad implementations.",
    "",
    "Rewritten with `xent.assert_close` (`python -m tools.rewritten`: the same shapes and formats, new numbers in",
    "every run, value and gradient judged) they caught, of the 146 before, with their own logits, with wide ones, and",
    "drawn freely, that is with any options, layouts, numbers of rows and cotangents, which a test that has to know",
    "the answer cannot draw:",
    "",
    "| protocol | as it is | its own logits | wide logits | drawn freely |",
    "|---|--:|--:|--:|--:|",
    *(f"| {' | '.join(map(str, row))} |" for row in REWRITTEN),
    "",
    "In 10,000 runs of the first two kinds and 3,340 of the last no right implementation failed. With the test's own",
    "calls no judgement of their answers is twice as strict where most of what is known to be bad lies in calls that",
    "are not made; drawn freely, all but Liger's catch twice as many or more, and of Liger's 75 twice as many would",
    "be more than there are. What nothing catches are sizes, such as a thousand classes, and labels of other types.",
)
"""Where the numbers come from, read off the sets of what was caught."""


def page() -> Iterator[str]:
    yield "# Public protocols, graded"
    yield ""
    yield "What public ways to judge a loss would notice: each is put to the known-bad implementations of its loss, as"
    yield "[`xent grade`](how-to/grade-your-test.md) puts anybody's test to them. Re-stated from the published rules by"
    yield "`python -m tools.protocols`, which writes this page; sizes that are reduced stand in brackets. What is"
    yield "compared with PyTorch is compared with PyTorch in float64, rounded."
    yield ""
    yield "| protocol | rules | catches | of |"
    yield "|---|---|--:|--:|"
    suite, cover = load().cases, read_cover(cover_file().read_text(encoding="utf-8"), "cover.yaml")
    through: dict[str, tuple[Protocol, list[str]]] = {}
    for protocol in PROTOCOLS:
        names = known_bad(protocol.loss)
        if not passes(protocol, "sound"):
            yield f"| {protocol.name} | {protocol.rules} | no score: a right implementation fails | {len(names)} |"
            continue
        left = [name for name in names if passes(protocol, name)]
        through[protocol.name] = (protocol, left)
        print(f"{protocol.name}: {len(names) - len(left)} of {len(names)}", file=sys.stderr, flush=True)
        yield f"| {protocol.name} | {protocol.rules} | {len(names) - len(left)} | {len(names)} |"
    yield ""
    yield from TRACED
    yield ""
    yield "The suite catches all of each. What no argument of the function can show (weights of samples, in PyTorch's"
    yield "cross_entropy) no test of it could catch."
    found = {loss: witnesses(f"torch.nn.functional.{name}", suite, cover) for loss, name in FUNCTIONS.items()}
    for name, (protocol, left) in through.items():
        shown = [(w, [n for n in w.shows if n in left]) for w in found[protocol.loss]]
        lacking = [(w, names) for w, names in shown if names]
        kinds = Counter(MUTANTS[n].kind for n in left)
        yield ""
        yield f"## {name}"
        yield ""
        yield f"Source: {protocol.source}. Lets through {len(left)}: "
        yield ", ".join(f"{number} in {kind}" for kind, number in kinds.most_common()) + "."
        yield f"{len(lacking)} more inputs would show {sum(len(names) for _, names in lacking)} of them, of at most"
        yield f"{max((w.size for w, _ in lacking), default=0)} numbers; those that show most:"
        yield ""
        for w, names in sorted(lacking, key=lambda pair: -len(pair[1]))[:3]:
            first = MUTANTS[names[0]].mistake
            yield f"- {w.title} ({w.call.dtype}, {w.size} numbers) shows {len(names)}, such as: {first}"


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    print("\n".join(page()))
