"""What adapters refuse is what the public functions lack: a refusal names a function, and a parameter it has not got.

Every option and reduction of every loss is asked, in its smallest case, of every implementation that is meant by
default; each reason is then held against the real signature, so that a parameter which a framework gains is noticed.
"""

from __future__ import annotations

import importlib
import inspect
import math
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

import pytest

from harness.adapters.registry import installed, registered, resolve
from harness.core.call import Question
from harness.core.case import Case, ExpectTruth
from harness.core.outcomes import Refused
from harness.execution.pool import WorkerPool
from harness.suite.generators import shape_of
from harness.suite.selection import load_selection

SPELLINGS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "class_weights": ("class_weight", "class_weights"),
        "sample_weights": ("sample_weight", "sample_weights", "weights"),
        "label_smoothing": ("label_smoothing", "smoothing"),
        "ignore_index": ("ignore_index", "ignore_class"),
        "pos_weight": ("pos_weight",),
        "base": ("base",),
        "axis": ("axis", "dim"),
        "alpha": ("alpha",),
        "gamma": ("gamma",),
        "log_target": ("log_target",),
        "logit_scale": ("logit_scale", "temperature", "scale"),
        "softcap": ("softcap", "logit_softcap", "softcapping"),
        "z_loss": ("z_loss", "lse_square_scale", "z_loss_multiplier"),
        "class_mask": ("class_mask", "mask", "where"),
        "beta": ("beta",),
        "denominator": ("denominator", "normalizer", "num_items_in_batch"),
        "reduction": ("reduction",),
    }
)
"""What parameters of public functions are called that are one of our options."""

ANOTHER_MEANING = MappingProxyType(
    {
        # Which losses count, as in the reductions of NumPy: a row, not a class.
        ("optax.losses.softmax_cross_entropy_with_integer_labels", "class_mask"): "where",
        # One for each class.
        ("SoftmaxCrossEntropyLoss", "sample_weights"): "weights",
    }
)
"""Parameters of such a name that are something else."""

LACKS = re.compile(r"(?P<function>[\w.]+) has no (?P<option>\w+)(?: (?P<value>\w+))?(?:$|:)")

STATED = (
    r"^(no \w+ of \w+|[\w.]+ takes distributions, (not labels|no integer labels))$",
    r"^[\w.]+ takes binary probabilities of shape|^[\w.]+ takes probabilities of shape",
    r"^tf\.nn takes logits; probabilities with labels are Keras's$",
    r"^no reduction \w+ behind a function without reductions$",
)
"""What a function takes is written in its documentation: of other inputs it would be another function. Behind one that
reduces nothing its user writes a sum or a mean."""

ARTICLES = re.compile(r"^(the (document|article)|no option \w+$)")
"""The functions of articles stand in their adapters, as they were printed."""


def parameters(function: str) -> frozenset[str]:
    """Those of a public function, of a class and the call of its instances, or of an operator of ONNX."""
    if "." not in function:
        schema = importlib.import_module("onnx").defs.get_schema(function)
        return frozenset((*schema.attributes, *(given.name for given in schema.inputs)))
    home, *attributes = re.sub(r"^tf\.", "tensorflow.", function).split(".")
    found: Any = importlib.import_module(home)
    for name in attributes:
        found = getattr(found, name, None) or importlib.import_module(f"{found.__name__}.{name}")
    if hasattr(found, "nin"):  # a ufunc takes its operands; its keywords are about memory
        return frozenset()
    if home == "torch":  # which tells the signatures of what is written in C++
        found = importlib.import_module("torch.overrides").get_testing_overrides().get(found, found)
    callables = (found, found.__call__) if inspect.isclass(found) else (found,)
    return frozenset(name for one in callables for name in inspect.signature(one).parameters)


def wrong_with(reason: str) -> str:
    """Why a refusal is not justified; empty where it is."""
    lacks = LACKS.match(reason)
    if lacks is None:
        known = any(re.search(stated, reason) for stated in STATED)
        return "" if known else "names no public function and no parameter"
    function, option, value = lacks["function"], lacks["option"], lacks["value"]
    if option not in SPELLINGS:
        return f"{option} is no option"
    there = parameters(function) & set(SPELLINGS[option]) - {ANOTHER_MEANING.get((function, option))}
    return f"{function} has {min(there)}" if there and value is None else ""


def smallest() -> Iterator[Case]:
    """For each loss and option, and each reduction, the case with the fewest others, then the fewest numbers."""
    found: dict[tuple[str, str, Any], tuple[tuple[int, int], Case]] = {}
    for case in load_selection([]).cases:
        if not isinstance(case.expect, ExpectTruth) or "float32" not in case.dtypes:
            continue
        size = (len(case.options), sum(math.prod(shape_of(spec)) for spec in case.inputs.values()))
        for name, value in case.options.items():
            key = (case.loss, name, value if isinstance(value, str) else "")
            if key not in found or size < found[key][0]:
                found[key] = (size, case)
    return iter({case.id: case for _, case in found.values()}.values())


def made_up(label_smoothing: float = 0.0) -> float:
    """Stands for a function that has gained a parameter."""
    return label_smoothing


@pytest.mark.parametrize(
    ("reason", "message"),
    [
        (f"{__name__}.made_up has no label_smoothing", f"{__name__}.made_up has label_smoothing"),
        (f"{__name__}.made_up has no class_weights", ""),
        (f"{__name__}.made_up has no patience", "patience is no option"),
        ("we do not like it", "names no public function and no parameter"),
    ],
)
def test_a_refusal_is_held_against_the_signature(reason: str, message: str) -> None:
    assert wrong_with(reason) == message


@pytest.mark.slow
def test_no_refusal_is_the_adapters_own() -> None:
    refused: dict[str, set[str]] = defaultdict(set)
    cases = tuple(smallest())
    table = registered()
    with WorkerPool(tuple(resolve(n) for n in installed() if table[n].by_default), timeout=60.0, parallel=2) as pool:
        descriptions, _ = pool.start()
        plans = {
            name: [Question(name, case, "float32", told.modes[0]) for case in cases if case.loss in told.losses]
            for name, told in descriptions.items()
        }
        for question, outcome in pool.ask(plans):
            article = question.implementation.startswith("scratch-")
            if isinstance(outcome, Refused) and not (article and ARTICLES.match(outcome.reason)):
                refused[outcome.reason].add(f"{question.implementation}, {question.case.id}")
    assert len(refused) > 10, "the run has refused next to nothing: did it run?"
    lazy = {reason: wrong for reason in refused if (wrong := wrong_with(reason))}
    assert not lazy, "\n".join(f"{reason!r} ({min(refused[reason])}): {wrong}" for reason, wrong in lazy.items())
