"""What a case file must keep to beyond its format, so that a case tests what it says it tests.

A rule is a function from a case to what is wrong with it; to add one, write it and put it into RULES.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

import reference
from harness.core.arrays import plain
from harness.core.case import ArraySpec, Case, ExpectImplementationDefined, ExpectRaises, ExpectTruth
from harness.core.formats import FORMATS, rounded
from harness.suite.calls import call_of
from harness.suite.generators import holds_integers, realize, shape_of
from harness.suite.problems import Problem

Numbers = NDArray[Any]
Finding = tuple[str, str, str]
"""Field, what is wrong, hint."""

FEWEST_WORDS = 5
"""Words of a `why`: fewer cannot say what the case would catch."""

LARGEST_ARRAY = 2**20
"""Elements a rule looks at; a larger array is a workload, and making it would take longer than a linter may."""

WIDTHS = ("float64", "float32", "float16", "bfloat16")
"""From the widest to the narrowest."""


def lint(cases: Iterable[Case]) -> list[Problem]:
    """Everything the rules find, case by case; empty where all is well."""
    everything = list(cases)
    problems = [
        Problem(case.location.file, case.location.line, f"{case.id}: {field}", message, hint)
        for case in everything
        for rule in RULES.values()
        for field, message, hint in rule(case)
    ]
    return problems + _repeated_ids(everything)


def _repeated_ids(cases: Iterable[Case]) -> list[Problem]:
    first: dict[str, Case] = {}
    problems: list[Problem] = []
    for case in cases:
        if case.id in first:
            message = f"the id is taken by {first[case.id].location}"
            problems.append(
                Problem(case.location.file, case.location.line, f"{case.id}: id", message, "Give it an id of its own")
            )
        first.setdefault(case.id, case)
    return problems


# --- rules -----------------------------------------------------------------------------------------------------------


def _title_states_a_fact(case: Case) -> Iterator[Finding]:
    if re.search(r"\bshould\b", case.title, re.IGNORECASE):
        yield "title", 'a title with "should"', "Say what the case is, not what ought to happen"


def _why_is_a_sentence(case: Case) -> Iterator[Finding]:
    if len(case.why.split()) < FEWEST_WORDS or not case.why.endswith((".", "!", "?", ")")):
        yield "why", f"{case.why!r} is no sentence", "Say in a sentence what mistake the case would catch"


def _document_has_a_source(case: Case) -> Iterator[Finding]:
    if case.id.startswith("documents/") and case.source is None:
        yield "source", "a case of a document without its source", "Add source: {document: NAME, section: WHERE}"


def _claims_have_a_source(case: Case) -> Iterator[Finding]:
    if case.claims and case.source is None:
        yield "claims", "a claim without a document", "Add source: {document: NAME, section: WHERE}"


def _ignored_label_is_there(case: Case) -> Iterator[Finding]:
    if "ignore_index" not in case.tags:
        return
    ignored = case.options.get("ignore_index")
    if ignored is None:
        yield "options", "tagged ignore_index without the option", "Add options: {ignore_index: LABEL}"
        return
    targets = case.inputs.get("targets")
    if targets is None or not holds_integers(targets):
        yield "inputs.targets", "tagged ignore_index without class labels", "Give labels, or remove the tag"
        return
    labels = _small(targets)
    if labels is not None and not np.any(labels == ignored):
        yield "inputs.targets", f"no label is {ignored}, so nothing is ignored", "Ignore a label, or remove the tag"


def _extreme_breaks_the_naive_formula(case: Case) -> Iterator[Finding]:
    if "extreme" not in case.tags or not isinstance(case.expect, ExpectTruth):
        return
    if not {"logits", "hidden"} & set(case.inputs):
        yield "tags", f"{case.loss} is not computed from logits, so no softmax can fail", "Remove the tag"
        return
    dtype = next(name for name in WIDTHS if name in case.dtypes)
    arrays = {name: array for name, spec in case.inputs.items() if (array := _small(spec, dtype)) is not None}
    if len(arrays) < len(case.inputs):
        return
    if not _is_extreme(case.loss, arrays, int(case.options.get("axis", -1)), dtype):
        hint = "Go further out, narrow the dtypes, or remove the tag"
        yield "tags", f"tagged extreme, but the naive formula is right in {dtype}", hint


def _error_cases_make_no_claims_about_values(case: Case) -> Iterator[Finding]:
    if isinstance(case.expect, ExpectRaises) and any(claim.value is not None for claim in case.claims):
        yield "claims", "a claimed value where an error is right", "Make the claim on a case that has a value"


def _reference_has_an_answer(case: Case) -> Iterator[Finding]:
    """Whatever is asked has a truth: a label out of range has none, nor a cotangent in another shape than the loss."""
    if isinstance(case.expect, ExpectRaises):
        return
    calls = [("inputs", case)] if isinstance(case.expect, ExpectTruth) else []
    if isinstance(case.expect, ExpectImplementationDefined):
        for choice in case.expect.choices:
            if choice.kind is None and not choice.numbers:
                other = replace(
                    case, inputs={**case.inputs, **choice.inputs}, options={**case.options, **choice.options}
                )
                calls.append((f"expect: the choice {choice.name!r}", other))
    for field, asked in calls:
        if sum(math.prod(shape_of(spec)) for spec in asked.inputs.values()) > LARGEST_ARRAY:
            continue
        call = call_of(asked, next(name for name in WIDTHS if name in asked.dtypes))
        try:
            reference.evaluate_plain(
                call.loss,
                {name: plain(array) for name, array in call.inputs.items()},
                {name: plain(value) for name, value in call.options.items()},
                None,
                cotangent=None if call.cotangent is None else plain(call.cotangent),
                differentiate=call.differentiate,
            )
        except ValueError as error:
            yield (
                field,
                f"nothing is right here: {error}",
                "Mend it, or say which error is right: expect: {raises: KIND}",
            )


Rule = Callable[[Case], Iterable[Finding]]
RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "title states a fact": _title_states_a_fact,
        "why is a sentence": _why_is_a_sentence,
        "a document's case names it": _document_has_a_source,
        "a claim has a source": _claims_have_a_source,
        "ignore_index ignores": _ignored_label_is_there,
        "extreme breaks the naive formula": _extreme_breaks_the_naive_formula,
        "an error has no value": _error_cases_make_no_claims_about_values,
        "the reference has an answer": _reference_has_an_answer,
    }
)


# --- the naive formula -----------------------------------------------------------------------------------------------


def _is_extreme(loss: str, arrays: Mapping[str, Numbers], axis: int, dtype: str) -> bool:
    """Whether a softmax or sigmoid as a textbook writes it, every step rounded to the dtype, no longer gives what the
    loss takes from it: another nan or infinity, or half of the digits gone."""

    def rounding(values: Numbers) -> Numbers:
        return rounded(np.asarray(values, dtype=np.float64), FORMATS[dtype])

    targets = arrays.get("targets")
    with np.errstate(all="ignore"):
        z = arrays["logits"] if "logits" in arrays else rounding(arrays["hidden"] @ arrays["weight"])
        z = z if "bias" not in arrays else rounding(z + arrays["bias"])
        if loss.startswith("binary"):
            p = rounding(1.0 / rounding(1.0 + rounding(np.exp(-z))))
            p, z, axis = np.stack([p, rounding(1.0 - p)], -1), np.stack([z, np.zeros_like(z)], -1), -1
            mass = np.stack([arrays["targets"], 1.0 - arrays["targets"]], -1)
        else:
            powers = rounding(np.exp(z))
            p = rounding(powers / rounding(powers.sum(axis=axis, keepdims=True)))
            mass = np.ones(z.shape) if targets is None else _distributions(targets, z.shape, axis)
        exact = "softmax" if loss == "softmax" else "log_softmax"
        truth = mass * np.asarray(reference.evaluate(exact, {"logits": z}, {"axis": axis}).value)
        naive = mass * (p if loss == "softmax" else rounding(np.log(p)))
        truth[mass == 0] = 0.0
        if targets is not None and targets.dtype.kind in "iu":
            naive[mass == 0] = 0.0  # labels are looked up, so no product of 0 and infinity arises
        near = np.isfinite(truth) & (np.abs(naive - truth) <= np.sqrt(FORMATS[dtype].eps) * np.abs(truth))
    return not np.all(near | (naive == truth) | (np.isnan(naive) & np.isnan(truth)))


def _distributions(targets: Numbers, shape: tuple[int, ...], axis: int) -> Numbers:
    if targets.dtype.kind not in "iu":
        return targets
    columns = np.arange(shape[axis]).reshape([-1 if n == axis % len(shape) else 1 for n in range(len(shape))])
    return np.asarray(np.expand_dims(targets, axis) == columns, dtype=np.float64)


def _small(spec: ArraySpec, dtype: str = "float64") -> Numbers | None:
    """The array, or None where it is too large for a linter."""
    if spec.generator is not None and math.prod(shape_of(spec)) > LARGEST_ARRAY:
        return None
    array = realize(spec, dtype)
    return array.to_float64() if array.is_float else array.storage
