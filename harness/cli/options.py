"""The types of options that several commands have: what is accepted, in which range, and what is said otherwise.

Nothing of the engine is imported here or in `main`, so that `xent --help` answers at once.
"""

from __future__ import annotations

import datetime
import math
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter, Token

DTYPES = ("float64", "float32", "float16", "bfloat16")
"""Names of the dtypes; `harness.core.formats` says what they are."""


LONGEST = 10**6
"""Seconds or minutes that can be waited for, twelve days and more: what a system waits for has an end too."""

MOST_AT_ONCE = 1024
"""Processes or threads side by side: no machine this runs on has more cores, and each takes memory."""

MOST_DIGITS = 18
"""Of a whole number, so that it has 64 bits."""


def finite_above_zero(_type: Any, value: float | None) -> None:
    """Refuse what is no length of time: nan, infinities, zero, negative numbers, and what nobody lives to see."""
    if value is not None and not 0 < value <= LONGEST:
        raise ValueError(f"Expected a finite number above 0, at most {LONGEST}")


def finite_from_zero(_type: Any, value: float | None) -> None:
    """Refuse nan, infinities and negative numbers."""
    if value is not None and not 0 <= value < math.inf:
        raise ValueError("Expected a percentage of 0 or more, such as 5")


def whole_number(_type: Any, tokens: Sequence[Token]) -> int:
    """A number without a point: 1.5 workers are not rounded to two."""
    text = tokens[-1].value
    if re.fullmatch(rf"[+-]?\d{{1,{MOST_DIGITS}}}", text, re.ASCII) is None:
        raise ValueError(f"{text!r:.60} is no whole number of at most {MOST_DIGITS} digits")
    return int(text)


def real_number(_type: Any, tokens: Sequence[Token]) -> float:
    """A number as everybody writes it: Python reads 1_0 and the digits of other scripts too."""
    text = tokens[-1].value
    if re.fullmatch(r"[+-]?(\d+\.?\d*(e[+-]?\d+)?|inf|nan)", text, re.ASCII | re.IGNORECASE) is None:
        raise ValueError(f"{text!r:.60} is no number")
    return float(text)


def one_at_least(_type: Any, value: int | None) -> None:
    """Refuse a number of things that is not positive."""
    if value is not None and value < 1:
        raise ValueError("Expected 1 at least")


def side_by_side(_type: Any, value: int | None) -> None:
    """Refuse a number of processes that is not positive, or that no machine has room for."""
    if value is not None and not 1 <= value <= MOST_AT_ONCE:
        raise ValueError(f"Expected 1 at least, {MOST_AT_ONCE} at most")


def interpreter(_type: Any, value: str | Path | None) -> None:
    """Refuse a program that is not there or cannot be started."""
    if value is not None and shutil.which(value) is None:
        raise ValueError("Expected the path of an interpreter; there is no such program")


def day(_type: Any, value: str | None) -> None:
    """Refuse what is no day of the calendar."""
    try:
        if value is not None and datetime.date.fromisoformat(value).isoformat() != value:
            raise ValueError
    except ValueError:
        raise ValueError("Expected a day, such as 2024-06-01") from None


def words(_type: Any, tokens: Sequence[Token]) -> tuple[str, ...]:
    """`a,b` as ("a", "b")."""
    found = tuple(word for token in tokens for word in token.value.split(","))
    if not all(found):
        raise ValueError("expected names separated by commas, such as first,compile")
    return tuple(dict.fromkeys(found))


def dtypes(_type: Any, tokens: Sequence[Token]) -> tuple[str, ...]:
    """Names of dtypes, separated by commas."""
    found = tuple(name for token in tokens for name in token.value.split(","))
    for name in found:
        if name not in DTYPES:
            raise ValueError(f"{name!r} is none of {', '.join(DTYPES)}")
    return tuple(dict.fromkeys(found))


def part_of_all(_type: Any, tokens: Sequence[Token]) -> tuple[int, int]:
    """`i/n` as (i, n)."""
    match = re.fullmatch(rf"(\d{{1,{MOST_DIGITS}}})/(\d{{1,{MOST_DIGITS}}})", tokens[-1].value, re.ASCII)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise ValueError(f"{tokens[-1].value!r:.60} is not i/n with 1 <= i <= n, such as 1/4")
    return int(match[1]), int(match[2])


Real = Annotated[float, Parameter(converter=real_number, n_tokens=1)]
Seconds = Annotated[Real, Parameter(validator=finite_above_zero, metavar="SECONDS")]
Percent = Annotated[Real, Parameter(validator=finite_from_zero, metavar="PER_CENT")]
Whole = Annotated[int, Parameter(converter=whole_number, n_tokens=1)]
Count = Annotated[Whole, Parameter(validator=one_at_least, metavar="N")]
Workers = Annotated[Whole, Parameter(validator=side_by_side, metavar="N")]
Modes = Annotated[tuple[str, ...] | None, Parameter(converter=words, n_tokens=1, metavar="M,…")]
Dtypes = Annotated[tuple[str, ...] | None, Parameter(converter=dtypes, n_tokens=1, metavar="D,…")]
Shard = Annotated[tuple[int, int], Parameter(converter=part_of_all, n_tokens=1, metavar="I/N", show_default=False)]

Cases = Annotated[str, Parameter(help="Files, folders, ids or globs of ids; default: all.")]
Implementations = Annotated[tuple[str, ...], Parameter(alias="-i", metavar="NAME")]
Python = Annotated[
    str | None,
    Parameter(validator=interpreter, metavar="PATH", help="Interpreter of another environment to run the workers in."),
]
EXECUTOR = (
    "Who does it, in parts: dask for a cluster of --parallel workers on this machine, or the address of a "
    "scheduler, such as tcp://HOST:8786; default: this process."
)
ExecutorName = Annotated[str | None, Parameter(metavar="dask|ADDRESS", help=EXECUTOR)]
OWN_LEDGER = "Your known divergences, which add to those of xent; default: those of xent.toml."
RunFile = Annotated[Path | None, Parameter(alias="-o", metavar="RUN.jsonl", help="Write the run file here.")]
Report = Annotated[Path | None, Parameter(metavar="REPORT.html", help="Write the HTML report here.")]
OwnSeconds = Annotated[
    Seconds | None, Parameter(help="How long one call may take; default: 60 seconds, or what xent.toml says.")
]
OwnSlower = Annotated[
    Percent | None,
    Parameter(
        help="How much slower is too slow, beyond the interval of the measurement, in per cent; default: 5, or "
        "xent.toml's."
    ),
]
