"""Every finding under reports/findings still shows its defect."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

FINDINGS = sorted((Path(__file__).resolve().parents[1] / "findings").glob("*.py"))
ALONE = """
import runpy, sys
for path in sys.argv[1:]:
    try:
        runpy.run_path(path, run_name="__main__")
    except SystemExit as end:
        print("exited", path, end.code, flush=True)
"""
"""Runs scripts one after the other, so that a framework is imported once for all of its findings."""


def frameworks(path: Path) -> tuple[str, ...]:
    """The modules a script imports, and the backend it asks Keras for."""
    text = path.read_text(encoding="utf-8")
    imported = {a.name.split(".")[0] for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Import) for a in n.names}
    backend = re.search(r'"KERAS_BACKEND"\] = "(\w+)"', text)
    return (*sorted(imported - {"os", "sys", "numpy"}), *([backend[1]] if backend else []))


GROUPS = sorted({frameworks(path) for path in FINDINGS})


def test_there_are_findings_of_several_frameworks() -> None:
    assert len(FINDINGS) >= 10
    assert len(GROUPS) >= 4


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: "-".join(group))
def test_every_finding_shows_its_defect(group: tuple[str, ...]) -> None:
    absent = [name for name in group if find_spec(name) is None]
    if absent:
        pytest.skip(f"needs {', '.join(absent)}")
    chosen = [str(path) for path in FINDINGS if frameworks(path) == group]
    quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
    ran = subprocess.run(
        [sys.executable, "-c", ALONE, *chosen],
        capture_output=True,
        text=True,
        env=quiet,
        timeout=300,  # importing the slowest framework on a busy machine takes a tenth of that
        check=False,
    )
    ended = dict(re.findall(r"^exited (\S+) (\S+)$", ran.stdout, flags=re.MULTILINE))
    assert ended == dict.fromkeys(chosen, "1"), ran.stdout[-3000:] + ran.stderr[-2000:]


@pytest.mark.parametrize("path", FINDINGS, ids=lambda path: path.stem)
def test_a_finding_says_what_and_needs_nothing_of_ours(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert ast.get_docstring(ast.parse(text))
    assert not re.search(r"^\s*(import|from) (harness|reference|reports)", text, flags=re.MULTILINE)
