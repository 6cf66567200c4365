"""0 · ∞ where it is taken for nan: what has no target, or no weight, counts nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.judgement.agreement import Floats
from harness.judgement.truth import TruthTable
from harness.mistakes.diagnosis.candidate import OF_PROBABILITIES, Candidate, Candidates, Results, is_labels
from harness.mistakes.diagnosis.logarithms import losses_of
from harness.mistakes.diagnosis.terms import last, logits_of, rows_of, softmax

_SAYS = "0 · ln 0 is nan, not 0"


def candidates(table: TruthTable) -> Candidates:
    """Plain products in the place of those that are 0 where a factor is."""
    if table.loss in OF_PROBABILITIES:
        plain = losses_of(table, multiply=np.multiply)
        if plain is not None:
            yield Candidate(_SAYS, lambda: plain(np.log, np.reciprocal))
    if table.loss == "kl_divergence":
        yield Candidate(_SAYS, lambda: _divergence(table))
    penalties = _penalties(table)
    if penalties is None or not bool(np.isinf(penalties).any()):
        return
    yield Candidate(_SAYS, lambda: _plainly(table, penalties))
    if is_labels(table.inputs.get("targets")) and table.options.get("class_weights") is not None:
        yield Candidate("a weight of 0 times an infinite loss is nan, not 0", lambda: _weighed(table, penalties))


def _penalties(table: TruthTable) -> Floats | None:
    """−ln p of every class."""
    if table.loss == "nll_loss":
        return -last(table, table.inputs["log_probabilities"])
    x = logits_of(table) if table.loss in ("softmax_cross_entropy", "linear_cross_entropy") else None
    return None if x is None or x.size == 0 else softmax(x).penalty


def _plainly(table: TruthTable, penalties: Floats) -> Results:
    rows = rows_of(table)
    if rows is None:
        return {}
    each = np.asarray((rows.a * penalties).sum(axis=-1))
    return {"value": np.asarray(each.sum()) if rows.reduced else each}


def _weighed(table: TruthTable, penalties: Floats) -> Results:
    """Labels pick one class each, whose weight multiplies the loss as it is."""
    weights: NDArray[Any] = np.asarray(table.options["class_weights"])
    rows, bare = rows_of(table), rows_of(table, class_weights=np.ones_like(weights))
    if bare is None:
        return {}
    picked = bare.a != 0
    a = (np.zeros_like(bare.a) if rows is None else rows.a) if bare.reduced else bare.a * weights
    terms = np.where(picked, a * penalties, 0.0)
    return {"value": replace(bare, a=np.ones_like(a)).value(terms)}


def _divergence(table: TruthTable) -> Results:
    t, log_q = table.inputs["targets"], table.inputs["log_probabilities"]
    if t.shape != log_q.shape or t.ndim == 0:
        return {}
    p, log_p = (np.exp(t), t) if table.options.get("log_target") else (t, np.log(t))
    right = table.ordinary().get("value")
    each = np.asarray((p * (log_p - log_q)).sum(axis=table.options.get("axis", -1)))
    if right is None:
        return {}
    # What is nan spreads to the whole of a sum or mean, and nothing else changes.
    if right.shape == each.shape:
        return {"value": np.where(np.isnan(each), np.nan, right)}
    return {"value": np.where(np.isnan(each).any(), np.nan, right)}
