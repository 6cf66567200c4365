"""What a plain YAML scalar means: the core schema of YAML 1.2, and the spellings of numbers that cases need.

Beyond the core schema, `nan`, `inf`, `-inf` and C's hexadecimal floats (`0x1.8p+1`) are numbers, and `-0` keeps its
sign. A number beyond float64 (`1e999`, an integer of 310 digits) is *not* silently infinite, nor is `1e-999` silently
zero: such a scalar stays a string, and the field that wants a number says so.
"""

from __future__ import annotations

import math
import re
import sys

Scalar = bool | int | float | str | None

_INTEGER = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_HEXADECIMAL_FLOAT = re.compile(r"[-+]?0[xX]([0-9a-fA-F]+(\.[0-9a-fA-F]*)?|\.[0-9a-fA-F]+)[pP][-+]?[0-9]+")
_INFINITY = re.compile(r"([-+]?)\.?(inf|Inf|INF)")
_NAN = re.compile(r"\.?(nan|NaN|NAN)")

_CONSTANTS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}

_LARGEST = int(sys.float_info.max)

LONGEST_NUMBER = 400
"""Characters a number may have: float64 needs at most 309 digits before the point, and Python's conversion of longer
integers is deliberately limited."""


def resolve(text: str) -> Scalar:
    """The value of a plain scalar."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if len(text) > LONGEST_NUMBER:
        return text
    if _INTEGER.fullmatch(text):
        number = int(text)
        return -0.0 if number == 0 and text.startswith("-") else _exact_within_float64(text, number)
    if _OCTAL.fullmatch(text):
        return _exact_within_float64(text, int(text[2:], 8))
    if _HEXADECIMAL.fullmatch(text):
        return _exact_within_float64(text, int(text[2:], 16))
    if _NAN.fullmatch(text):
        return math.nan
    if match := _INFINITY.fullmatch(text):
        return -math.inf if match[1] == "-" else math.inf
    if _FLOAT.fullmatch(text):
        return _within_float64(text, float(text), mantissa=re.split("[eE]", text)[0])
    if _HEXADECIMAL_FLOAT.fullmatch(text):
        mantissa = re.split("[pP]", text)[0].lower().replace("0x", "", 1)
        try:
            return _within_float64(text, float.fromhex(text), mantissa)
        except OverflowError:
            return text
    return text


def _exact_within_float64(text: str, number: int) -> int | str:
    return number if abs(number) <= _LARGEST else text


def _within_float64(text: str, number: float, mantissa: str) -> float | str:
    vanished = number == 0.0 and any(digit not in "+-.0" for digit in mantissa)
    return text if math.isinf(number) or vanished else number


def decimals(text: str) -> int:
    """Digits printed after the point of a decimal number: 4 for 0.0391, 0 for 3."""
    mantissa = re.split("[eE]", text)[0]
    return len(mantissa.partition(".")[2])
