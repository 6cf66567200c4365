"""Smaller cases next to a case: what shrinking tries, largest step first. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from harness.core.case import ArraySpec, Case, ExpectRaises
from harness.fuzzing.exact_inputs import exact_inputs, scores_of, written

_SIMPLER = (0.0, 1.0, -1.0, 2.0, 0.5)
"""Numbers a reader takes in at a glance, simplest first."""


def smaller(case: Case, dtype: str) -> Iterator[list[Case]]:
    """Cases that say less, in stages: fewer rows, options and classes; then plainer numbers, many at once, then one.

    A later stage is worth asking only where no case of an earlier one still shows what is looked for.
    """
    if any(spec.generator is not None for spec in case.inputs.values()):
        return
    for stage in _stages(case, dtype):
        yield [candidate for candidate in stage if _is_as_wrong(candidate, dtype)]


def _stages(case: Case, dtype: str) -> Iterator[list[Case]]:
    plain = {n: np.asarray(v) for n, v in exact_inputs(case, dtype).items()}
    yield [*_fewer_rows(case, plain), *_fewer_options(case), *_fewer_classes(case, plain)]
    yield [*_plainer_layout(case), *_plain_but_one(case, plain)]
    yield list(_plainer_numbers(case, plain))


def _is_as_wrong(case: Case, dtype: str) -> bool:
    """Whether what an error is expected for is still there; true where none is expected."""
    if not isinstance(case.expect, ExpectRaises):
        return True
    inputs = exact_inputs(case, dtype)
    rows, targets = inputs[scores_of(case)], inputs.get("targets")
    match case.expect.kind:
        case "out_of_range_label" if targets is not None:
            classes = inputs.get("weight", rows).shape[int(case.options.get("axis", -1))]
            return bool(((targets < 0) | (targets >= classes)).any())
        case "invalid_probability":
            numbers = [v for n, v in inputs.items() if n in ("probabilities", "targets")]
            return any(bool(((v < 0.0) | (v > 1.0)).any()) for v in numbers)
        case "invalid_option":
            return not 0.0 <= float(case.options.get("label_smoothing", 0.0)) <= 1.0
        case "shape_mismatch" if targets is not None:
            return bool(targets.shape[0] != rows.shape[0])
    return False


def together(case: Case, candidates: Sequence[Case]) -> Case | None:
    """All the changes that candidates make to a case's numbers, the earlier candidate's where two differ; None where
    they change more than numbers."""
    inputs = {name: np.array(spec.values, dtype=np.float64) for name, spec in case.inputs.items()}
    changed = {name: values.copy() for name, values in inputs.items()}
    for candidate in reversed(candidates):
        same = replace(candidate, id=case.id, inputs=case.inputs)
        if same != case or any(_is_reshaped(candidate.inputs[name], values) for name, values in inputs.items()):
            return None
        for name, values in inputs.items():
            now = np.array(candidate.inputs[name].values, dtype=np.float64)
            differs = ~((now == values) & (np.signbit(now) == np.signbit(values)) | np.isnan(now) & np.isnan(values))
            changed[name][differs] = now[differs]
    names = [name for name, values in inputs.items() if not np.array_equal(values, changed[name], equal_nan=True)]
    return _with_numbers(case, {name: changed[name] for name in names if case.inputs[name].dtype is None})


def _is_reshaped(spec: ArraySpec, values: np.ndarray[Any, Any]) -> bool:
    return bool(np.shape(spec.values) != values.shape)


def _fewer_rows(case: Case, plain: dict[str, np.ndarray[Any, Any]]) -> Iterator[Case]:
    by_row = {name: v for name, v in plain.items() if name not in ("weight", "bias")}
    count = {v.shape[0] if v.ndim else 1 for v in by_row.values()}
    if len(count) != 1 or count == {1} or case.options.get("axis", -1) not in (-1, 1):
        return
    rows = count.pop()
    for row in range(rows):
        weights = case.options.get("sample_weights")
        options = case.options if weights is None else {**case.options, "sample_weights": _only(weights, row, rows)}
        inputs = {n: _only(spec, row, rows) if n in by_row else spec for n, spec in case.inputs.items()}
        cotangent = None if case.cotangent is None else _only(case.cotangent, row, rows)
        vector = None if case.vector is None else _only(case.vector, row, rows)
        yield replace(case, inputs=inputs, options=options, cotangent=cotangent, vector=vector)


def _only(spec: ArraySpec, row: int, rows: int) -> ArraySpec:
    """One of so many rows; what has not as many (the cotangent of a sum, repeated weights) stays as it is."""
    return replace(spec, values=(spec.values[row],)) if np.shape(spec.values)[:1] == (rows,) else spec


def _fewer_options(case: Case) -> Iterator[Case]:
    for name in case.options:
        if name != "reduction":
            yield replace(case, options={n: v for n, v in case.options.items() if n != name})
    if case.options.get("reduction", "none") != "none":
        rest = {n: v for n, v in case.options.items() if n != "denominator"}
        yield replace(case, options={**rest, "reduction": "none"}, cotangent=None)
    if case.cotangent is not None and "reduction" in case.options:
        yield replace(case, cotangent=None)
    if case.vector is not None:
        yield replace(case, vector=None)


def _fewer_classes(case: Case, plain: dict[str, np.ndarray[Any, Any]]) -> Iterator[Case]:
    scores = next(iter(plain.values()))
    targets = plain.get("targets")
    if "weight" in plain:  # whose columns are the classes; there are few
        return
    of_classes = {"class_weights", "class_mask"} & set(case.options)
    if scores.ndim != 2 or scores.shape[1] <= 2 or of_classes or case.cotangent is not None:
        return
    for column in range(scores.shape[1]):
        changed = {n: np.delete(v, column, 1) for n, v in plain.items() if v.shape == scores.shape}
        if targets is not None and "targets" not in changed:
            if bool((targets == column).any()):
                continue
            changed["targets"] = np.where(targets > column, targets - 1, targets)
        vector = case.vector
        if vector is not None:
            vector = replace(vector, values=written(np.delete(np.asarray(vector.values), column, 1)))
        yield replace(_with_numbers(case, changed), vector=vector)


def _plainer_layout(case: Case) -> Iterator[Case]:
    targets = case.inputs.get("targets")
    if targets is not None and targets.dtype in ("int32", "int16", "int8", "uint8"):
        yield replace(case, inputs={**case.inputs, "targets": replace(targets, dtype="int64")})
    if any(spec.layout != "contiguous" for spec in case.inputs.values()):
        yield replace(case, inputs={n: replace(spec, layout="contiguous") for n, spec in case.inputs.items()})


def _plain_but_one(case: Case, plain: dict[str, np.ndarray[Any, Any]]) -> Iterator[Case]:
    """All numbers of the first input the same but one."""
    name, values = next(iter(plain.items()))
    if values.dtype.kind != "f" or values.size < 3:
        return
    for number in (0.0, 1.0):
        for place in np.ndindex(values.shape):
            changed = np.full_like(values, number)
            changed[place] = values[place]
            if not np.array_equal(changed, values, equal_nan=True):
                yield _with_numbers(case, {name: changed})


def _plainer_numbers(case: Case, plain: dict[str, np.ndarray[Any, Any]]) -> Iterator[Case]:
    for name, values in plain.items():
        if values.dtype.kind != "f":
            continue
        for place in np.ndindex(values.shape):
            now = float(values[place])
            for number in _SIMPLER:
                if number == now and not (number == 0.0 and np.signbit(now)):
                    break
                changed = values.copy()
                changed[place] = number
                yield _with_numbers(case, {name: changed})


def _with_numbers(case: Case, changed: dict[str, np.ndarray[Any, Any]]) -> Case:
    inputs = dict(case.inputs)
    for name, values in changed.items():
        inputs[name] = replace(inputs[name], values=written(values))
    return replace(case, inputs=inputs)
