"""The package itself: everything by name, nothing before it is asked for."""

from __future__ import annotations

import subprocess
import sys

import pytest

import harness
import xent


def test_everything_is_there_by_name() -> None:
    for name in xent.__all__:
        assert getattr(xent, name).__name__ == name
    assert xent.check is harness.check
    with pytest.raises(AttributeError, match="no attribute 'close'"):
        _ = xent.close


def test_importing_it_imports_nothing() -> None:
    program = "import sys, xent; print([m for m in ('numpy', 'harness', 'reference') if m in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_one_call_is_judged_without_the_engine() -> None:
    """What runs a whole suite (workers, YAML, report) is no part of judging one call."""
    program = (
        "import sys, xent; xent.assert_close([0.5, 0.5], loss='softmax', logits=[0.0, 0.0]);"
        "print([m for m in ('pydantic', 'yaml', 'harness.runs', 'harness.execution', 'reports') if m in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
