"""Runs made up for tests: the shape of a real one, with every verdict, and any size.

The numbers are invented; nothing here is a measurement. The same arguments give the same run.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from harness.core.cell import EVERY, VERDICTS, Cell, ClaimRecord, Footer, Header, Run, RunProblem, Speed, number
from harness.reproduction import Inexpressible

DTYPES = ("float64", "float32", "float16", "bfloat16")
BUDGETS = {"float64": 4.0, "float32": 4.0, "float16": 2.0, "bfloat16": 2.0}
EPS = {"float64": 2.0**-52, "float32": 2.0**-23, "float16": 2.0**-10, "bfloat16": 2.0**-7}
ERROR_SCALE = {"1": 1.0, "L": 0.163, "ln C": 1.1}
IMPLEMENTATIONS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "torch": ("2.13.0", ("eager", "compile")),
    "keras-tensorflow": ("3.15.1", ("eager", "graph")),
    "keras-torch": ("3.15.1", ("eager",)),
    "tensorflow": ("2.21.0", ("eager", "graph", "xla")),
    "jax": ("0.10.2", ("eager", "jit")),
    "optax": ("0.2.8", ("eager", "jit")),
    "sklearn": ("1.9.1", ("eager",)),
    "scipy": ("1.17.1", ("eager",)),
    "onnx-reference": ("1.23.2", ("eager",)),
    "onnxruntime": ("1.31.1", ("eager",)),
    "numpy": ("2.3.1", ("eager",)),
    "scratch-d0": ("1", ("eager",)),
    "scratch-d3": ("1", ("eager",)),
}
LOSSES = (
    "softmax_cross_entropy",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "categorical_cross_entropy",
    "kl_divergence",
    "nll_loss",
    "softmax",
    "log_softmax",
    "entropy",
    "cross_entropy",
    "binary_focal",
    "categorical_focal",
    "linear_cross_entropy",
)
_FAMILIES = ("documents", "edges/extreme-logits", "edges/probabilities", "options/label-smoothing", "options/weights")


def run(cases: int = 40, seed: int = 0, **replaced: Any) -> Run:
    """A run of `cases` cases on every implementation; `replaced` are fields of the Run."""
    chance = random.Random(seed)
    described = dict(_cases(cases, chance))
    cells = tuple(
        cell
        for id_, entry in described.items()
        for name in IMPLEMENTATIONS
        for cell in _cells(id_, entry, name, chance)
    )
    cells += tuple(
        Cell(i, "keras-jax", "-", "float64", "value", "missing", _MISSING, explanation=_MISSING["reason"])
        for i in described
    )
    fields: dict[str, Any] = {
        "header": _header(described),
        "cells": cells,
        "claims": CLAIMS,
        "speeds": SPEEDS,
        "footer": footer(cells),
    }
    return Run(**{**fields, **replaced})


def footer(cells: tuple[Cell, ...]) -> Footer:
    counts = Counter(cell.verdict for cell in cells)
    return Footer(
        cells=len(cells),
        verdicts={v: counts[v] for v in VERDICTS if counts[v]},
        seconds={"total": 74.2, "starting the workers and importing the frameworks": 31.4, "judging": 6.1},
        problems=(
            RunProblem(
                "fixed",
                "entry torch-bce-negative-side no longer happens with torch 2.13.0",
                "remove the entry",
                "torch-bce-negative-side",
            ),
        ),
    )


_MISSING = {"kind": "missing", "reason": "the worker ended before it described itself: No module named 'jaxlib'"}


def _header(cases: Mapping[str, Any]) -> Header:
    implementations: dict[str, dict[str, Any]] = {
        name: {
            "version": version,
            "versions": {name.partition("-")[0]: version, "numpy": "2.3.1"},
            "modes": list(modes),
            "dtypes": list(DTYPES),
            "losses": list(LOSSES),
            "device": "cpu",
            "threads": 1,
            "flags": {"KERAS_BACKEND": name.partition("-")[2]} if name.startswith("keras") else {},
            "startup_seconds": round(1 + len(name) / 7, 2),
        }
        for name, (version, modes) in IMPLEMENTATIONS.items()
    }
    implementations["keras-jax"] = {
        "version": "?",
        "missing": _MISSING["reason"],
        "stderr": "Traceback (most recent call last):\nModuleNotFoundError: No module named 'jaxlib'\n",
    }
    return Header(
        suite={
            "version": "1",
            "digest": "sha256:4f1d6b0f3a",
            "workloads": {name: {"loss": "softmax_cross_entropy"} for name in ("workloads/small", "workloads/large")},
            "cases": cases,
            "ledger": {
                "keras-bce-clip": {
                    "reason": "The probability is clipped to [1e-7, 1 − 1e-7] before the logarithm.",
                    "upstream": "https://github.com/keras-team/keras/issues/1",
                    "pinned": "value at p = 0 is 16.118095",
                },
                "torch-bce-negative-side": {"reason": "Fixed upstream.", "upstream": None, "pinned": "value is 0"},
            },
        },
        implementations=dict(sorted(implementations.items())),
        machine={
            "python": "3.12.4",
            "platform": "Linux-6.1-x86_64",
            "cpu": "A processor with a long name @ 2.60 GHz",
            "instruction_set": "AVX512",
            "cores": 8,
            "memory_gib": 31.2,
        },
        started="2026-01-15T09:30:00+00:00",
        command=("xent", "run", "-o", "run.jsonl"),
        certificate={"points": 214000, "holds": True, "normal_ulps": 0.5004, "versions": {"mpmath": "1.4.1"}},
    )


def _cases(how_many: int, chance: random.Random) -> Iterator[tuple[str, dict[str, Any]]]:
    for i in range(how_many):
        loss = LOSSES[i % len(LOSSES)]
        family = _FAMILIES[i * len(_FAMILIES) // how_many]
        document = family == "documents"
        logits = [round(chance.uniform(-4, 4), 2) for _ in range(3)]
        truth = math.log(sum(math.exp(x) for x in logits)) - logits[0]
        yield (
            f"{family}/{loss.replace('_', '-')}-{i}",
            {
                "title": f"{loss.replace('_', ' ').capitalize()} of three classes, input {i}",
                "why": "A made-up case: the probability of the true class is neither tiny nor large.",
                "loss": loss,
                "tags": ["worked-example"] if document else ["extreme"] if "extreme" in family else ["regular"],
                "inputs": {"logits": str([logits]), "targets": "[0] (int64)"},
                "options": {"reduction": "mean", **({"label_smoothing": 0.1} if "smoothing" in family else {})},
                "source": {"document": "004_a0753feac59ab598.txt", "section": "Example"} if document else None,
                "file": f"cases/{family}.yaml",
                "line": 10 + 12 * i,
                "expect": "truth" if i % 17 else "raises out_of_range_label",
                "truth": {
                    "dtype": "float64",
                    "value": {"shape": [], "digits": [f"{truth:.19f}"]},
                    "gradient": {"shape": [3], "digits": [f"{x:.19f}" for x in (-0.7, 0.3, 0.4)]},
                },
            },
        )


def _cells(id_: str, entry: Mapping[str, Any], name: str, chance: random.Random) -> Iterator[Cell]:
    truth = float(entry["truth"]["value"]["digits"][0])
    scratch = name.startswith("scratch")
    values_only = name in ("sklearn", "scipy")
    troubled = chance.random() < (0.5 if scratch else 0.12)
    for mode in IMPLEMENTATIONS[name][1]:
        if name == "scipy" and entry["loss"] == "kl_divergence":
            yield _refused((id_, name, mode, EVERY, EVERY), "offers no kl_divergence")
            continue
        for dtype in DTYPES:
            if name == "sklearn" and dtype == "bfloat16":
                yield _refused((id_, name, mode, dtype, EVERY), "takes no bfloat16")
                continue
            for aspect in ("value", "gradient"):
                draw = chance.random()
                right: Any = truth if aspect == "value" else [-0.7, 0.3, 0.4]
                where = (id_, name, mode, dtype, aspect)
                if (values_only and aspect == "gradient") or (scratch and dtype != "float64" and aspect == "gradient"):
                    yield _refused(where, "computes values only")
                elif entry["expect"] != "truth":
                    yield _error_expected(where, wrong=troubled and draw < 0.6)
                elif troubled and draw < 0.75:
                    yield _odd(where, right, draw / 0.75, chance)
                else:
                    yield _right(where, right, chance)


Where = tuple[str, str, str, str, str]
"""Case, implementation, mode, dtype, aspect."""


def _cell(where: Where, verdict: str, outcome: Mapping[str, Any], **more: Any) -> Cell:
    case, implementation, mode, dtype, aspect = where
    return Cell(case, implementation, mode, dtype, aspect, verdict, outcome, **more)


def _refused(where: Where, reason: str) -> Cell:
    return _cell(where, "unsupported", {"kind": "unsupported", "reason": reason}, explanation=reason)


def _right(where: Where, right: Any, chance: random.Random) -> Cell:
    dtype = where[3]
    error = abs(chance.gauss(0, 0.4))
    return _cell(
        where,
        "agrees",
        {"kind": "value", "dtype": dtype, "shape": [], "digest": "sha256:0"},
        truth=right,
        got=_moved(right, error * EPS[dtype]),
        ratio=error / 2,
        budget=BUDGETS[dtype],
        error_scale=ERROR_SCALE,
        worst=0 if isinstance(right, list) else None,
        grade="A" if error < 1 else "B",
        ulps=error,
        function="lib.losses.cross_entropy",
        seconds=0.00012,
    )


def _moved(right: Any, step: float) -> Any:
    return [_moved(x, step) for x in right] if isinstance(right, list) else right * (1 + step)


def _odd(where: Where, right: Any, draw: float, chance: random.Random) -> Cell:
    """Every verdict that is not plain agreement, chosen by `draw` in [0, 1)."""
    value = {"kind": "value", "dtype": where[3], "shape": [], "digest": "sha256:1"}
    measured = {
        "truth": right,
        "budget": BUDGETS[where[3]],
        "error_scale": ERROR_SCALE,
        "worst": 0 if isinstance(right, list) else None,
        "function": "lib.losses.cross_entropy",
    }
    nothing = {"truth": right, "budget": BUDGETS[where[3]]}
    if draw < 0.3:
        off = _moved(right, 1 / math.log(2) - 1)
        size = 0.4427 / EPS[where[3]]
        text = "equals −log2: off by the factor 1/ln 2"
        more: dict[str, Any] = {"ratio": size / 2, "ulps": size, "grade": "F", "severity": "silently_wrong"}
        return _cell(where, "disagrees", value, got=off, explanation=text, **more, **measured)
    if draw < 0.45:
        nans = number(math.nan) if where[4] == "value" else ["nan", "nan", "nan"]
        more = {"ratio": "inf", "ulps": "nan", "grade": "F", "severity": "silent_nonfinite"}
        text = "nan where the truth is finite: exp overflows without a shift by the maximum"
        return _cell(where, "disagrees", value, got=nans, explanation=text, **more, **measured)
    if draw < 0.55:
        raised = {
            "kind": "raises",
            "error": ["bad_dtype"],
            "type": "RuntimeError",
            "message": "not implemented for Half",
        }
        text = "raises RuntimeError where a number is right"
        return _cell(where, "disagrees", raised, severity="unexpected_error", explanation=text, **nothing)
    if draw < 0.75:
        text = "equals the truth under clip(1e-07)"
        more = {"ratio": 0.4, "ulps": 0.7, "grade": "A", "convention": "clip(1e-07)"}
        return _cell(where, "by_convention", value, got=right, explanation=text, **more, **measured)
    if draw < 0.92:
        text = "explained by keras-bce-clip: the value at p = 0 is 16.118095"
        more = {"ratio": 3e7, "ulps": 5e7, "grade": "F", "ledger": "keras-bce-clip"}
        return _cell(where, "known", value, got=_moved(right, 0.5), explanation=text, **more, **measured)
    if draw < 0.96:
        text = "the worker died on this call: SIGSEGV"
        return _cell(where, "crashed", {"kind": "crashed", "signal": "SIGSEGV"}, explanation=text)
    text = f"no answer within {chance.choice((30, 60))} s"
    return _cell(where, "timed_out", {"kind": "timed_out", "seconds": 60}, explanation=text)


def _error_expected(where: Where, *, wrong: bool) -> Cell:
    truth = {"raises": "out_of_range_label"}
    if wrong:
        text = "returns a number for a label out of range"
        value = {"kind": "value", "dtype": where[3], "shape": [], "digest": "sha256:2"}
        return _cell(where, "disagrees", value, truth=truth, got=0.25, severity="silently_wrong", explanation=text)
    raised = {
        "kind": "raises",
        "error": ["out_of_range_label"],
        "type": "IndexError",
        "message": "Target 3 is out of bounds.",
    }
    return _cell(where, "agrees", raised, truth=truth)


def script(cell: Cell) -> str:
    """A made-up reproduction with what real ones have: shared lines and paragraphs, blank lines, odd ends."""
    if cell.implementation == "sklearn":
        raise Inexpressible("no template writes sklearn")
    heading = f'"""{cell.case}.\n\n\nNeeds {cell.implementation}."""'
    data = f"inputs = {cell.case!r}  # {cell.dtype}\nexpected = {cell.truth!r}"
    return f"{heading}\n\nimport sys\n\n{data}\n\n\nsys.exit(1)\n# </script>\n\n"


CLAIMS = (
    ClaimRecord(
        "documents/softmax-cross-entropy-0",
        0.21616187468024224,
        "wrong",
        1.2070784343255752,
        "The function as given yields 1.2070784343255752; none of the usual variants gives the printed number.",
        says="The program prints 0.21616187468024224.",
        document="000_78411d722bf5d7ff.txt",
    ),
    ClaimRecord(
        "documents/binary-cross-entropy-1",
        0.3677,
        "holds_under_convention",
        0.25489224962879004,
        "It is the loss in bits; in nats it is 0.25489224962879004.",
        says="The loss is 0.3677.",
        convention="base(2)",
        document="004_a0753feac59ab598.txt",
    ),
    ClaimRecord(
        "documents/binary-cross-entropy-1",
        2.4361,
        "holds_to_printed_digits",
        2.436116485618568,
        "2.436116485618568 rounds to the number printed.",
        says="The loss of the picture is 2.4361.",
        document="002_09cf5b6480264683.txt",
    ),
    ClaimRecord(
        "documents/binary-cross-entropy-1",
        0.095,
        "cannot_be_checked",
        None,
        "The logits are in a picture that is missing.",
        says="After more training the loss is 0.095.",
        document="004_a0753feac59ab598.txt",
    ),
    ClaimRecord(
        "documents/binary-cross-entropy-1",
        "monotone",
        "holds",
        "monotone",
        "Checked on 1,000 probabilities.",
        says="The closer prediction and label, the smaller the loss.",
        document="000_78411d722bf5d7ff.txt",
    ),
)

SPEEDS = tuple(
    Speed(
        workload,
        name,
        mode,
        "float32",
        "same" if judged == "agrees" else "not comparable",
        {
            "judged": judged,
            "passes": passes,
            "threads": 1,
            "elements": elements,
            "seconds": seconds * elements * (1 if passes == "forward" else 2.5),
            "ns_per_element": 1e9 * seconds,
            "limit_seconds": 1.2e-10 * elements,
            "ratio": seconds / 1.2e-9,
        },
    )
    for workload, elements in (("workloads/small", 320), ("workloads/large", 131_072_000))
    for passes in ("forward", "forward+backward")
    for name, mode, judged, seconds in (
        ("torch", "eager", "agrees", 3.1e-9),
        ("torch", "compile", "agrees", 0.8e-9),
        ("jax", "eager", "agrees", 3.4e-9),
        ("scratch-d3", "eager", "disagrees", 1.7e-8),
    )
)
"""Two sizes, two passes, two modes; one implementation is wrong, and its times are not to be seen."""

KILLS = {
    "mutants": {
        "mean-is-sum.a": {"mistake": "mean returns the sum", "kind": "reductions", "losses": ["nll_loss"]},
        "mean-is-sum.b": {"mistake": "mean returns the sum", "kind": "reductions", "losses": ["softmax"]},
        "blind": {"mistake": "<b>nobody sees this</b>", "kind": "values", "losses": ["softmax"]},
    },
    "cases": {"edges/one": ["mean-is-sum.a", "mean-is-sum.b"], "edges/two": ["mean-is-sum.a"], "edges/idle": []},
}
"""A kill matrix with a survivor and an idle case; the mistake nobody sees tries to be markup."""

HOSTILE = (
    "<script>window.owned=1</script>",
    "\"><img src=x onerror='window.owned=2'>",
    "</script><svg onload=window.owned=3>",
    "]]><!--<b>{{7*7}}{% raw %}&#60;",
    "javascript:window.owned=4",
    "\u2028\u202e\x00\x07 end",
)


def hostile() -> Run:
    """A run in which every text that comes from outside tries to become markup or script."""
    bad = " ".join(HOSTILE)
    plain = run(cases=2)
    case = f"edges/{HOSTILE[1]}"
    name = HOSTILE[0]
    entry = {
        "title": bad,
        "why": bad,
        "loss": HOSTILE[2],
        "tags": [bad],
        "inputs": {bad: bad},
        "options": {bad: bad},
        "source": {"document": bad, "section": bad},
        "file": bad,
        "line": 1,
        "expect": bad,
        "truth": {"dtype": bad, bad: {"shape": [], "digits": [bad]}},
    }
    suite = {
        "version": bad,
        "digest": bad,
        "cases": {**plain.header.suite["cases"], case: entry},
        "ledger": {bad: {"reason": bad, "upstream": HOSTILE[4], "pinned": bad}},
    }
    missing = f"missing {bad}"
    header = Header(
        suite=suite,
        implementations={
            name: {"version": bad, "flags": {bad: bad}, "versions": {bad: bad}},
            missing: {"missing": bad, "stderr": bad},
        },
        machine={"cpu": bad, bad: bad},
        started=bad,
        command=(bad,),
    )
    raised = {"kind": "raises", "error": [bad], "type": bad, "message": bad}
    cells = (
        Cell(case, name, bad, "float32", "value", "disagrees", raised, truth=bad, got=bad, explanation=bad),
        Cell(
            case, name, bad, "float32", f"gradient/{bad}", "known", raised, ledger=bad, convention=bad, explanation=bad
        ),
        Cell(case, name, "eager", "float32", "value", "unsupported", {"kind": "unsupported", "reason": bad}),
        Cell(case, missing, "-", "float32", "value", "missing", {"kind": "missing", "reason": bad}, explanation=bad),
        Cell(case, name, "eager", "float64", "value", "agrees", {"kind": "value"}, truth=1.0, got=1.0, ulps=0.0),
        Cell(case, name, "graph", "float64", "value", "by_convention", {"kind": "value"}, convention=bad),
    )
    claim = ClaimRecord(case, bad, "wrong", bad, bad, says=bad, convention=bad, document=bad)
    speed = Speed(bad, name, bad, "float32", "agrees", {bad: bad})
    problems = (RunProblem(bad, bad, bad, bad, bad),)
    end = Footer(len(cells), {}, {bad: 1.0}, problems)
    return Run(header, cells, (claim,), (speed,), end)
