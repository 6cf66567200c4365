"""What a case file must keep to beyond its format, so that a case tests what it says it tests.

A rule is a function from a case to what is wrong with it; to add one, write it and put it into RULES.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

import reference
from harness.core.case import ArraySpec, Case, ExpectRaises, ExpectTruth
from harness.suite.generators import holds_integers, realize, shape_of
from harness.suite.naive import NAIVE, differs
from harness.suite.problems import Problem
from reference.signatures import LOSSES

Numbers = NDArray[Any]
Finding = tuple[str, str, str]
"""Field, what is wrong, remedy."""

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
        Problem(case.location.file, case.location.line, f"{case.id}: {field}", message, remedy)
        for case in everything
        for rule in RULES.values()
        for field, message, remedy in rule(case)
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
    if case.loss not in NAIVE:
        yield (
            "tags",
            f"no naive formula of {case.loss} to compare with",
            "Remove the tag, or add the formula to the lint",
        )
        return
    dtype = next(name for name in WIDTHS if name in case.dtypes)
    arrays = {name: array for name, spec in case.inputs.items() if (array := _small(spec, dtype)) is not None}
    if len(arrays) < len(case.inputs):
        return
    options = {name: case.options[name] for name in ("axis", "base", "gamma") if name in case.options}
    reduction = {"reduction": "none"} if LOSSES[case.loss].reductions else {}
    truth = np.asarray(reference.evaluate(case.loss, arrays, {**options, **reduction}).value, dtype=np.float64)
    with np.errstate(all="ignore"):
        naive = NAIVE[case.loss](arrays, options, dtype)
    if not differs(naive, truth, dtype):
        remedy = "Go further out, narrow the dtypes, or remove the tag"
        yield "tags", f"tagged extreme, but the naive formula is right in {dtype}", remedy


def _error_cases_make_no_claims_about_values(case: Case) -> Iterator[Finding]:
    if isinstance(case.expect, ExpectRaises) and any(claim.value is not None for claim in case.claims):
        yield "claims", "a claimed value where an error is right", "Make the claim on a case that has a value"


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
    }
)


def _small(spec: ArraySpec, dtype: str = "float64") -> Numbers | None:
    """The array, or None where it is too large for a linter."""
    if spec.generator is not None and math.prod(shape_of(spec)) > LARGEST_ARRAY:
        return None
    array = realize(spec, dtype)
    return array.to_float64() if array.is_float else array.storage
