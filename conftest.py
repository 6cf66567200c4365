"""The thin pytest front: every case of a YAML file becomes a test item per implementation. No logic of its own.

pytest cases/documents -k d4 --implementation torch --implementation scratch-d4
"""

from __future__ import annotations

from harness.pytest_plugin import (
    pytest_addoption,
    pytest_collect_file,
    pytest_configure,
    pytest_runtestloop,
    pytest_sessionfinish,
    pytest_terminal_summary,
)

__all__ = [
    "pytest_addoption",
    "pytest_collect_file",
    "pytest_configure",
    "pytest_runtestloop",
    "pytest_sessionfinish",
    "pytest_terminal_summary",
]
