"""Which kinds of error an exception may be, told from its type and message where it does not say so itself.

Frameworks do not agree on exception classes: a label out of range is an IndexError in torch, an InvalidArgumentError in
TensorFlow, a ValueError elsewhere. The message is what a user reads, so the message decides. One exception may fit
several kinds ("expected size 3 but got 2 classes"); it is of the wrong kind only when the expected one is not among
them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from harness.core.outcomes import ERROR_KINDS

_SIGNS: Mapping[str, re.Pattern[str]] = MappingProxyType(
    {
        "out_of_range_label": re.compile(
            r"out of (bounds|range)|outside the valid range|valid range|invalid (target|label)|label.*(value|range)"
            r"|index.*(bounds|range)|not in range|y_true contains|labels? .*(not|outside)|number of classes"
            r"|contains? (the )?(value|label|class)|cur_target|class values must",
            re.IGNORECASE,
        ),
        "shape_mismatch": re.compile(
            r"shape|size|dimension|broadcast|\brank\b|\bdims?\b|\bndim\b|length|incompatible|inconsistent numbers"
            r"|multi-target|\d+-?d tensor|must (match|have the same)|expected input batch|mismatch|axis|scalar"
            r"|remapped|weight tensor|INVALID_ARGUMENT",
            re.IGNORECASE,
        ),
        "bad_dtype": re.compile(
            r"dtype|\btypes?\b|not implemented for|expected (scalar|floating|integer|long|an? int)|integral"
            r"|\b(u?int\d+|float\d+|bool|long|double|half)\b|cast|floating[- ]point",
            re.IGNORECASE,
        ),
        "invalid_probability": re.compile(
            r"between 0 and 1|\[0, ?1\]|\(0, ?1\)|probabilit|in the range|sum to (one|1)|less than 0|greater than 1"
            r"|values? .*(nan|negative)|contains nan|non-negative|assertion",
            re.IGNORECASE,
        ),
        "invalid_option": re.compile(
            r"label_smoothing|smoothing|reduction|ignore_index|ignore_class|\baxis\b|\bdim(ension)?\b|gamma|alpha"
            r"|pos_weight|weight|argument|option|parameter|\bmust be\b|invalid|unexpected keyword|not a valid",
            re.IGNORECASE,
        ),
    }
)


def kinds_of(exception_type: str, message: str) -> tuple[str, ...]:
    """The kinds this exception fits, in the order of `ERROR_KINDS`; () where it gives no hint."""
    simple = exception_type.rsplit(".", 1)[-1]
    found = [kind for kind, signs in _SIGNS.items() if signs.search(message)]
    if simple == "IndexError" and "out_of_range_label" not in found:
        found.insert(0, "out_of_range_label")
    if simple == "TypeError" and "bad_dtype" not in found:
        found.append("bad_dtype")
    return tuple(kind for kind in ERROR_KINDS if kind in found)
