"""The cases that come with the project, read once for all tests of a process."""

from __future__ import annotations

from functools import cache

from harness.core.case import Case
from harness.suite.loading import load

__all__ = ["shipped_cases"]


@cache
def shipped_cases() -> tuple[Case, ...]:
    return load().cases
