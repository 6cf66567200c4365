"""Conventions: the closed set of documented choices that change the number.

A convention is a mapping from names to parameters; transformations of probabilities apply in the order given.

| name | parameter | meaning |
|---|---|---|
| base | b > 1 | logarithms to base b |
| clip | ε or [lower, upper] | probabilities are clipped to [ε, 1 − ε]; the gradient is 0 outside |
| renormalize | true | probabilities of a row are divided by their sum |
| add_inside_log | ε | ln(p + ε); for the binary loss ln(1 − p + ε) too |
| log_clamp | c < 0 | logarithms below c become c; the gradient there is 0 unless gradient_clamp says otherwise |
| gradient_clamp | ε | binary, gradient only: (p − t) / max(p (1 − p), ε) |
| denominator | count, weights, valid, nonzero_weights, elements, one | what a mean divides by |
| smoothing | uniform, others | ε/K over all classes, or ε/(K − 1) over the others |
| finite_zero_mean | true | the mean over nothing is 0, not nan |
| gradient_of_targets_summing_to_one | true | gradient only: weight · (softmax − targets), whatever the targets sum to |

Value and gradient are told apart where implementations do: log_clamp acts on the value, gradient_clamp on the gradient.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from reference.arguments import ArgumentError

NAMES = (
    "base",
    "clip",
    "renormalize",
    "add_inside_log",
    "log_clamp",
    "gradient_clamp",
    "denominator",
    "smoothing",
    "finite_zero_mean",
    "gradient_of_targets_summing_to_one",
)
DENOMINATORS = ("count", "weights", "valid", "nonzero_weights", "elements", "one")
SMOOTHINGS = ("uniform", "others")
_FLAGS = frozenset(NAMES[8:]) | {"renormalize"}


def parse(convention: Mapping[str, Any] | str | None) -> dict[str, Any]:
    """A convention from its text form or a mapping, checked.

    Parameters
    ----------
    convention : mapping, str or None
        ``{"clip": 1e-7, "renormalize": True}``, or the same as text: ``"clip(1e-7), renormalize"``. None is the plain
        mathematics.

    Returns
    -------
    dict of str to object
        Parameters by name, in the order in which they apply; empty for None.

    Raises
    ------
    ValueError
        A name that is no convention, or a parameter out of its range.

    Examples
    --------
    >>> from reference import parse
    >>> parse("clip(1e-7), renormalize")
    {'clip': 1e-07, 'renormalize': True}
    """
    if convention is None:
        return {}
    named = _from_text(convention) if isinstance(convention, str) else dict(convention)
    for name, parameter in named.items():
        _check(name, parameter)
    return named


def describe(convention: Mapping[str, Any]) -> str:
    """The text form of a convention.

    Parameters
    ----------
    convention : mapping of str to object
        As from `parse`.

    Returns
    -------
    str
        What `parse` reads back, numbers to six digits.

    Examples
    --------
    >>> from reference import describe
    >>> describe({"clip": [1e-7, 1.0], "renormalize": True})
    'clip(1e-07, 1), renormalize'
    """
    parts = []
    for name, parameter in convention.items():
        if parameter is True:
            parts.append(name)
        elif isinstance(parameter, list | tuple):
            parts.append(f"{name}({', '.join(f'{float(p):g}' for p in parameter)})")
        else:
            parts.append(f"{name}({parameter})" if isinstance(parameter, str) else f"{name}({float(parameter):g})")
    return ", ".join(parts)


def _from_text(text: str) -> dict[str, Any]:
    named: dict[str, Any] = {}
    for match in re.finditer(r"\s*([a-z_]+)\s*(?:\(([^()]*)\))?\s*(?:,|$)", text):
        name, argument = match[1], match[2]
        if argument is None:
            named[name] = True
            continue
        numbers = [_number(part.strip()) for part in argument.split(",")]
        named[name] = numbers[0] if len(numbers) == 1 else numbers
    if not named:
        raise ArgumentError(f"convention {text!r}: expected name(parameter), with a name among {', '.join(NAMES)}")
    return named


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _check(name: str, parameter: Any) -> None:
    def require(holds: bool, wanted: str) -> None:
        if not holds:
            raise ArgumentError(f"convention {name}: expected {wanted}, got {parameter!r}")

    if name not in NAMES:
        raise ArgumentError(f"convention {name!r} is not known: there are {', '.join(NAMES)}")
    number = float(parameter) if isinstance(parameter, int | float) and not isinstance(parameter, bool) else None
    if name in _FLAGS:
        require(parameter is True or parameter is False, "true or false")
    elif name == "base":
        require(number is not None and number > 0 and number != 1, "a positive number other than 1")
    elif name == "clip":
        bounds = [number, 1.0 - number] if number is not None else parameter
        is_pair = isinstance(bounds, list | tuple) and len(bounds) == 2
        require(is_pair and 0 <= float(bounds[0]) <= float(bounds[1]) <= 1, "a number or [lower, upper] within [0, 1]")
    elif name in ("add_inside_log", "gradient_clamp"):
        require(number is not None and number >= 0, "a number of at least 0")
    elif name == "log_clamp":
        require(number is not None and number <= 0, "a number of at most 0")
    elif name == "denominator":
        require(parameter in DENOMINATORS, f"one of {', '.join(DENOMINATORS)}")
    elif name == "smoothing":
        require(parameter in SMOOTHINGS, f"one of {', '.join(SMOOTHINGS)}")
