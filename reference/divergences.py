"""Entropies and divergences of softmaxes, and the Jensen–Shannon divergence: entropy, kl_divergence, jensen_shannon.

With L = −ln p of each distribution, from `reference.softmax`:

    H(p)        = Σ_j p_j L_j                        ∂/∂z_j = p_j Σ_k p_k (L_j − L_k)
    KL(p ‖ q)   = Σ_j p_j k_j,  k = L^q − L^p        wrt the logits of q: q_j − p_j, of p: p_j Σ_k p_k (k_j − k_k)
                  and again wrt those of q, along v: q_j Σ_k q_k (v_j − v_k)
    JS_β(p, q)  = Σ_j β p_j ln(p_j / m_j) + (1 − β) q_j ln(q_j / m_j),  m = β p + (1 − β) q
                  wrt p_j: β ln(p_j / m_j), wrt q_j: (1 − β) ln(q_j / m_j), wrt logits by the softmax

Limits: 0 ln 0 = 0, and so is what a class without mass pulls on its logit. What cancels where two distributions are
nearly equal is evaluated again in decimal arithmetic (`reference.evaluation`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reference import arguments, softmax
from reference.logits import Transformation, Transformed, transformation
from reference.numbers import log_of_ratio, vanishing
from reference.problem import HESSIAN_VECTOR, Problem, Result, by_rows, of_block, shaped_back
from reference.reductions import Reduction, RowWeights, reduction


def unweighted(problem: Problem, rows: tuple[int, ...], elements: int) -> Reduction[Any]:
    """The reduction of a loss whose rows all count alike."""
    valid = np.ones(int(np.prod(rows)), dtype=bool)
    weights = RowWeights(problem.make(1.0), valid, rows, elements, "count")
    return reduction(weights, problem.options, problem.convention)


def column(number: Any) -> Any:
    return number if number.shape == () else number.column()


def log_sum_exp(problem: Problem) -> Result:
    """ln Σ_j e^{z_j}, one per row; its gradient is p."""
    x, axis = problem.classes_last("logits")
    rows = x.shape[:-1]
    flat = x.reshape(-1, x.shape[-1])
    transform = transformation(problem, rows, x.shape[-1], axis)
    cotangent = problem.cotangent_of(rows)
    u = problem.make(1.0) if cotangent is None else cotangent.reshape(flat.shape[0])

    def body(block: slice) -> Result:
        seen = transform(problem.make(flat[block]), block)
        r = softmax.rows(seen.z)
        if not problem.wanted:
            return r.log_sum_exp(), {}
        return r.log_sum_exp(), {"logits": seen.pull_back(r.probabilities() * column(of_block(u, block)))}

    value, slopes = by_rows(flat.shape[0], flat.shape[1], body)
    return value.reshape(*rows), shaped_back(slopes, x.shape, axis)


def entropy_of_logits(problem: Problem) -> Result:
    """Σ_j p_j L_j, one per row."""
    x, axis = problem.classes_last("logits")
    flat = x.reshape(-1, x.shape[-1])
    transform = transformation(problem, x.shape[:-1], x.shape[-1], axis)
    how = unweighted(problem, x.shape[:-1], x.size)
    scale = problem.scale(how, x.shape[:-1])
    base = _log_base(problem)

    def body(rows: slice) -> Result:
        seen = transform(problem.make(flat[rows]), rows)
        r = softmax.rows(seen.z)
        p, logs = r.probabilities(), r.negative_logs()
        value = vanishing(p, p * logs).sum() / base
        if not problem.wanted:
            return value, {}
        slope = vanishing(p, softmax.softmax_gradient(r, r.distance)) / base
        return value, {"logits": seen.pull_back(slope) * column(of_block(scale, rows))}

    values, slopes = by_rows(flat.shape[0], flat.shape[1], body)
    return how.value(values, x.shape[:-1]), shaped_back(slopes, x.shape, axis)


def _log_base(problem: Problem) -> Any:
    base = problem.options.get("base")
    return problem.make(1.0) if base is None else problem.make(float(base)).log()


class _Pair:
    """Two inputs of one shape, classes last, in blocks of rows."""

    def __init__(self, problem: Problem, first: str, second: str) -> None:
        b, self.axis = problem.classes_last(second)
        raw = arguments.floats(first, problem.inputs[first])
        arguments.shaped(first, raw, problem.inputs[second].shape, f"the shape of {second}")
        self.shape = b.shape
        self.first = np.moveaxis(raw, self.axis, -1).reshape(-1, b.shape[-1])
        self.second = b.reshape(-1, b.shape[-1])

    def transform(self, problem: Problem) -> Transformation:
        return transformation(problem, self.shape[:-1], self.shape[-1], self.axis)


def kl_of_logits(problem: Problem) -> Result:
    """Σ_j p_j (L^q_j − L^p_j), one per row, for p of `target_logits` and q of `logits`."""
    pair = _Pair(problem, "target_logits", "logits")
    transform = pair.transform(problem)
    how = unweighted(problem, pair.shape[:-1], int(np.prod(pair.shape)))
    scale = problem.scale(how, pair.shape[:-1])
    vector = problem.vector_like(problem.inputs["logits"].shape)
    directions = None if vector is None else np.moveaxis(vector, pair.axis, -1).reshape(pair.second.shape)

    def body(rows: slice) -> Result:
        target, seen = (transform(problem.make(x[rows]), rows) for x in (pair.first, pair.second))
        rp, rq = softmax.rows(target.z), softmax.rows(seen.z)
        p, q = rp.probabilities(), rq.probabilities()
        # L^q − L^p = (d^q − d^p) + (ln S^q − ln S^p).
        difference = rq.negative_logs() - rp.negative_logs()
        weight = column(of_block(scale, rows))
        found: dict[str, Any] = {}
        if "logits" in problem.wanted:
            found["logits"] = seen.pull_back(q - p) * weight
        if "target_logits" in problem.wanted:
            turned = vanishing(p, softmax.softmax_gradient(rp, difference))
            found["target_logits"] = target.pull_back(turned) * weight
        if directions is not None:
            turned = softmax.softmax_gradient(rq, seen.push(problem.make(directions[rows])))
            found[HESSIAN_VECTOR] = seen.pull_back(turned) * weight
        return vanishing(p, p * difference).sum(), found

    values, slopes = by_rows(pair.second.shape[0], pair.shape[-1], body)
    return how.value(values, pair.shape[:-1]), shaped_back(slopes, pair.shape, pair.axis)


def jensen_shannon(problem: Problem) -> Result:
    """Σ_j β p_j ln(p_j / m_j) + (1 − β) q_j ln(q_j / m_j), one per row, of probabilities or of logits."""
    from_logits = "logits" in problem.inputs
    names = ("target_logits", "logits") if from_logits else ("targets", "probabilities")
    pair = _Pair(problem, *names)
    if not from_logits:
        pair.first = arguments.probabilities(names[0], pair.first)
        pair.second = arguments.probabilities(names[1], pair.second)
    value, slopes = jensen_shannon_of_rows(
        problem,
        unweighted(problem, pair.shape[:-1], int(np.prod(pair.shape))),
        pair.shape,
        names,
        lambda rows: [problem.make(x[rows]) for x in (pair.first, pair.second)],
        pair.transform(problem) if from_logits else None,
    )
    return value, shaped_back(slopes, pair.shape, pair.axis)


def jensen_shannon_of_rows(
    problem: Problem,
    how: Reduction[Any],
    shape: tuple[int, ...],
    names: tuple[str, str],
    given: Callable[[slice], list[Any]],
    transform: Transformation | None,
    valid: NDArray[np.bool_] | None = None,
) -> Result:
    """The divergence of a block of rows of p from that of q, or of what both are the softmaxes of where there is a
    `transform`, and the gradients of the `names`, one row per row; of the rows those count that are `valid`."""
    scale = problem.scale(how, shape[:-1])
    base = _log_base(problem)
    beta = problem.make(float(problem.options.get("beta", 0.5)))
    rest = problem.make(1.0) - beta
    count = int(np.prod(shape[:-1]))
    keep = np.ones(count, dtype=bool) if valid is None else valid

    def body(rows: slice) -> Result:
        p, q = given(rows)
        seen: list[Transformed] = []
        of: list[Any] = []
        if transform is not None:
            seen = [transform(x, rows) for x in (p, q)]
            of = [softmax.rows(s.z) for s in seen]
            p, q = (r.probabilities() for r in of)
        # ln(p / m) of m = p + (1 − β) (q − p), and of q likewise.
        mixed = beta * p + rest * q
        pull = [
            beta * log_of_ratio(p, mixed, rest * (q - p)) / base,
            rest * log_of_ratio(q, mixed, beta * (p - q)) / base,
        ]
        value = (vanishing(p, p * pull[0]) + vanishing(q, q * pull[1])).sum()
        weight = column(of_block(scale, rows))
        found: dict[str, Any] = {}
        for place, (name, number) in enumerate(zip(names, (p, q), strict=True)):
            if name in problem.wanted:
                slope = pull[place]
                if transform is not None:
                    slope = vanishing(number, softmax.softmax_gradient(of[place], slope))
                    slope = seen[place].pull_back(slope)
                slope = slope * weight
                found[name] = slope.where(np.broadcast_to(keep[rows, None], slope.shape), slope.zeros())
        return value.where(keep[rows], value.zeros()), found

    values, slopes = by_rows(count, shape[-1], body)
    return how.value(values, shape[:-1]), slopes
