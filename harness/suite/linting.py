"""What a case file must keep to beyond its format, so that a case tests what it says it tests.

A rule is a function from a case to what is wrong with it; to add one, write it and put it into RULES.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.floats import FORMATS, rounded
from harness.suite.case import ArraySpec, Case, ExpectRaises, ExpectTruth
from harness.suite.generators import holds_integers, realize
from harness.suite.problems import Problem

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
    dtype = next(name for name in WIDTHS if name in case.dtypes)
    arrays = {name: _small(spec, dtype) for name, spec in case.inputs.items()}
    if any(array is None for array in arrays.values()):
        return
    known = {name: array for name, array in arrays.items() if array is not None}
    if case.loss not in _NAIVE:
        yield (
            "tags",
            f"no naive formula of {case.loss} to compare with",
            "Remove the tag, or add the formula to the lint",
        )
        return
    with np.errstate(all="ignore"):
        naive, careful = _NAIVE[case.loss](known, case.options, dtype)
    if not _differs(naive, careful, dtype):
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


# --- the naive formulas ----------------------------------------------------------------------------------------------

Arrays = Mapping[str, Numbers]
Options = Mapping[str, Any]


def _small(spec: ArraySpec, dtype: str = "float64") -> Numbers | None:
    """The array, or None where it is too large for a linter."""
    size = np.prod([int(n) for n in spec.parameters.get("shape", ())], dtype=np.float64)
    if spec.generator is not None and size > LARGEST_ARRAY:
        return None
    array = realize(spec, dtype)
    return array.to_float64() if array.is_float else array.storage


def _in(values: Numbers, dtype: str) -> Numbers:
    """The values rounded to the dtype: every step of naive code in that dtype ends in this."""
    return rounded(np.asarray(values, dtype=np.float64), FORMATS[dtype])


def _from_logits(arrays: Arrays, options: Options, dtype: str) -> tuple[Numbers, Numbers]:
    """Probabilities by softmax without and with subtraction of the maximum, then −log (all classes that count)."""
    x, axis = arrays["logits"], int(options.get("axis", -1))
    powers = _in(np.exp(x), dtype)
    naive = _in(powers / _in(powers.sum(axis=axis, keepdims=True), dtype), dtype)
    shifted = x - x.max(axis=axis, keepdims=True)
    careful = shifted - np.log(np.exp(shifted).sum(axis=axis, keepdims=True))
    counted = _counted(arrays, x.shape, axis)
    return np.where(counted, -_in(np.log(naive), dtype), 0.0), np.where(counted, -careful, 0.0)


def _counted(arrays: Arrays, shape: tuple[int, ...], axis: int) -> Numbers:
    """Where the loss looks: the target's classes, or everywhere without targets."""
    targets = arrays.get("targets")
    if targets is None:
        return np.ones(shape, dtype=bool)
    if targets.dtype.kind in "iu":
        classes = np.arange(shape[axis]).reshape([-1 if i == axis % len(shape) else 1 for i in range(len(shape))])
        return np.asarray(np.expand_dims(targets, axis) == classes)
    return np.broadcast_to(targets != 0, shape)


def _softmax(arrays: Arrays, options: Options, dtype: str) -> tuple[Numbers, Numbers]:
    x, axis = arrays["logits"], int(options.get("axis", -1))
    powers = _in(np.exp(x), dtype)
    shifted = np.exp(x - x.max(axis=axis, keepdims=True))
    naive = _in(powers / _in(powers.sum(axis=axis, keepdims=True), dtype), dtype)
    return naive, shifted / shifted.sum(axis=axis, keepdims=True)


def _binary_from_logits(arrays: Arrays, _: Options, dtype: str) -> tuple[Numbers, Numbers]:
    """−t ln p − (1 − t) ln(1 − p) with p = 1 / (1 + e^−x), against max(x, 0) − t·x + log1p(e^−|x|)."""
    x, t = np.broadcast_arrays(arrays["logits"], arrays["targets"])
    p = _in(1.0 / _in(1.0 + _in(np.exp(-x), dtype), dtype), dtype)
    naive = _in(-(t * _in(np.log(p), dtype) + (1 - t) * _in(np.log(_in(1 - p, dtype)), dtype)), dtype)
    return naive, np.maximum(x, 0) - t * x + np.log1p(np.exp(-np.abs(x)))


def _binary(arrays: Arrays, _: Options, dtype: str) -> tuple[Numbers, Numbers]:
    """−t ln p − (1 − t) ln(1 − p) as written, against the same with 0·ln 0 = 0."""
    p, t = np.broadcast_arrays(arrays["probabilities"], arrays["targets"])
    naive = _in(-(t * _in(np.log(p), dtype) + (1 - t) * _in(np.log(_in(1 - p, dtype)), dtype)), dtype)
    careful = -(np.where(t != 0, t * np.log(p), 0.0) + np.where(t != 1, (1 - t) * np.log1p(-p), 0.0))
    return naive, careful


def _from_probabilities(arrays: Arrays, options: Options, dtype: str) -> tuple[Numbers, Numbers]:
    """−t ln p summed over all classes as written, against the same with 0·ln 0 = 0."""
    p, axis = arrays["probabilities"], int(options.get("axis", -1))
    counted = _counted(arrays, p.shape, axis)
    targets = arrays.get("targets", p)
    weights = counted.astype(np.float64) if targets.dtype.kind in "iu" else targets
    terms = weights * _in(np.log(p), dtype)
    careful = np.where(weights != 0, weights * np.log(np.where(weights != 0, p, 1.0)), 0.0)
    return -terms.sum(axis=axis), -careful.sum(axis=axis)


_NAIVE: Mapping[str, Callable[[Arrays, Options, str], tuple[Numbers, Numbers]]] = MappingProxyType(
    {
        "softmax": _softmax,
        "log_softmax": _from_logits,
        "softmax_cross_entropy": _from_logits,
        "categorical_focal": _from_logits,
        "binary_cross_entropy_with_logits": _binary_from_logits,
        "binary_focal": _binary_from_logits,
        "binary_cross_entropy": _binary,
        "categorical_cross_entropy": _from_probabilities,
        "cross_entropy": _from_probabilities,
        "entropy": _from_probabilities,
    }
)


def _differs(naive: Numbers, careful: Numbers, dtype: str) -> bool:
    """Whether the naive result is no longer a result: another nan or infinity, or half of its digits gone."""
    finite = np.isfinite(careful)
    if np.any(np.isfinite(naive) != finite) or np.any((naive != careful) & ~finite & ~np.isnan(careful)):
        return True
    error = np.abs(naive - careful)[finite]
    return bool(np.any(error > np.sqrt(FORMATS[dtype].eps) * np.abs(careful)[finite]))
