"""Every cell that docs/findings.md names: the script of it still shows what the run says of it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from harness.adapters.registry import installed
from harness.cli.repro import Named, parsed
from harness.core.cell import Cell, Run
from harness.reproduction.standalone import standalone
from harness.runs.run_file import read_run
from harness.tests.commands import xent
from harness.tests.shipped import shipped_cases

pytestmark = pytest.mark.slow

PAGE = Path(__file__).resolve().parents[2] / "docs" / "findings.md"
NAMES = re.findall(r"^\| `([^`]+\[[^`]+\])` \| ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
FINDINGS = [parsed(name) for name in NAMES]
PRESENT = [finding for finding in FINDINGS if finding.implementation in installed()]
CASES = {case.id: case for case in shipped_cases()}
ALONE = """
import runpy, sys
sys.modules.update(dict.fromkeys(("harness", "reference")))  # importing either is an error now
for path in sys.argv[1:]:
    print("script", path, flush=True)
    try:
        runpy.run_path(path, run_name="__main__")
    except SystemExit as end:
        print("exited", end.code, flush=True)
"""
"""Runs scripts one after the other, so that a framework is imported once for all of its findings."""


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """One run of all that the page names, half a minute."""
    path = tmp_path_factory.mktemp("findings") / "run.jsonl"
    implementations = [word for name in sorted({f.implementation for f in PRESENT}) for word in ("-i", name)]
    modes = ",".join(sorted({finding.mode for finding in PRESENT}))
    cases = sorted({finding.case for finding in PRESENT})
    ran = xent("run", *cases, *implementations, "--modes", modes, "-o", path)
    assert path.exists(), ran.stderr
    return read_run(path)


def cell_of(finished: Run, of: Named) -> Cell:
    key = (of.case, of.implementation, of.mode, of.dtype, of.aspect)
    found = [c for c in finished.cells if (c.case, c.implementation, c.mode, c.dtype, c.aspect) == key]
    assert found, f"the page names {of}, and there is no such cell"
    return found[0]


def test_the_page_names_cells_of_several_frameworks() -> None:
    assert len(set(NAMES)) == len(NAMES) >= 30
    assert len({finding.implementation for finding in FINDINGS}) >= 8


@pytest.mark.parametrize("implementation", sorted({finding.implementation for finding in FINDINGS}))
def test_scripts_show_what_the_run_found(implementation: str, finished: Run, tmp_path: Path) -> None:
    """Each exits with 1 where the truth is missed here, with 0 on a machine where it is not."""
    chosen = [finding for finding in PRESENT if finding.implementation == implementation]
    if not chosen:
        pytest.skip(f"needs {implementation}")
    due = {}
    for number, finding in enumerate(chosen):
        cell = cell_of(finished, finding)
        path = tmp_path / f"{number}.py"
        path.write_text(standalone(CASES[finding.case], cell, finished), encoding="utf-8")
        due[str(path)] = "0" if cell.verdict == "agrees" else "1"
    quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": ""}
    ran = subprocess.run(
        [sys.executable, "-c", ALONE, *due],
        capture_output=True,
        text=True,
        env=quiet,
        cwd=tmp_path,
        timeout=300,  # importing the slowest framework on a busy machine takes a tenth of that
        check=False,
    )
    _, *said = re.split(r"^script ", ran.stdout, flags=re.MULTILINE)
    ended = {text.split("\n", 1)[0]: re.findall(r"^exited (\S+)$", text, flags=re.MULTILINE) for text in said}
    assert ended == {path: [code] for path, code in due.items()}, ran.stdout[-3000:] + ran.stderr[-2000:]
    assert all("expected" in text and "observed" in text for text in said)
