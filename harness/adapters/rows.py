"""The rows of a batch, of which a loss is asked one by one where a framework maps a function over a first axis.

Imports the adapter contract only.
"""

from __future__ import annotations

from harness.adapters.base import Array, Call, Unsupported

PER_ELEMENT = ("binary_cross_entropy", "binary_cross_entropy_with_logits", "binary_focal")
"""Losses that have no classes: a row of a batch is a number."""

OF_CLASSES = ("class_weights", "class_mask")
"""Options with a number for each class: where they have one axis, that is the same in every row."""


def mapped(call: Call) -> tuple[str, ...]:
    """The inputs and options that are cut into rows; all others are the same for each.

    Parameters
    ----------
    call
        A loss that is not reduced, of a batch of rows of classes (or, where it has none, of numbers).

    Returns
    -------
    tuple of str
        All inputs, and the options with a number for each row.

    Raises
    ------
    Unsupported
        Where the answer is not one of the rows' own: a mean needs all of them.
    """
    if call.options.get("reduction", "none") != "none":
        raise Unsupported("only losses of single rows are mapped over the batch: a mean needs all of them")
    shape = next(iter(call.inputs.values())).shape
    if len(shape) != (1 if call.loss in PER_ELEMENT else 2) or call.options.get("axis", -1) != -1 or not shape[0]:
        raise Unsupported("only batches of rows of classes, or of numbers, are mapped")
    if any(len(array.shape) == 0 or array.shape[0] != shape[0] for array in call.inputs.values()):
        raise Unsupported("only inputs with one row for each of the batch are mapped")
    arrays = {name: value.shape for name, value in call.options.items() if isinstance(value, Array)}
    of_rows = [name for name, size in arrays.items() if name not in OF_CLASSES or len(size) == len(shape)]
    if any(arrays[name] not in (shape[:1], shape) for name in of_rows):
        raise Unsupported("only weights of each row are mapped with it")
    return (*call.inputs, *of_rows)
