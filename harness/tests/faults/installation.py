"""A copy of the source with a few small cases, so that a command has little to read and a fault can break nothing."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from harness.tests.faults.fault import Sample

PACKAGES = ("harness", "reference", "reports", "xent")

CASES = """\
- id: edges/two-equal-logits
  title: Two equal logits share the probability
  why: A softmax over the wrong axis gives other numbers here.
  loss: softmax
  inputs: {logits: [[1.5, 1.5]]}
  cotangent: [[1, -2]]
  source: {document: 004_a0753feac59ab598.txt, section: softmax}
  tags: [ties]
- id: edges/cross-entropy-of-three-classes
  title: Cross-entropy of three classes
  why: A mean over the classes is smaller by their number.
  loss: softmax_cross_entropy
  inputs: {logits: [[0.5, -1.0, 2.0], [1.0, 0.0, -3.0]], targets: [2, 0]}
  options: {label_smoothing: 0.1}
  tags: [label_smoothing]
- id: edges/label-out-of-range
  title: A label that is no class
  why: Reading beyond the row gives a number of nowhere.
  loss: nll_loss
  inputs: {log_probabilities: [[-0.7, -0.7]], targets: [2]}
  expect: {raises: out_of_range_label}
  tags: [labels]
"""

LEDGER = """\
- id: numpy-is-said-to-differ
  cases: [edges/two-equal-logits]
  implementations: [numpy]
  versions: "<0.1"
  aspects: [value]
  outcome: {kind: nan}
  reason: Nothing of the kind; the entry is there to be read.
  upstream: none found
"""

COVER = "- edges/two-equal-logits\n- edges/cross-entropy-of-three-classes\n"


def installed(source: Path, place: Path) -> Sample:
    """Copy the packages of `source` into `place`, lay small cases beside them, and run these once.

    The run is the sample that faults are made of: its header and cells are those that this version writes.
    """
    for name in PACKAGES:
        shutil.copytree(source / name, place / name, ignore=shutil.ignore_patterns("__pycache__", "tests", "output"))
    cases = place / "cases"
    (cases / "edges").mkdir(parents=True)
    (cases / "ledger").mkdir()
    (cases / "edges" / "small.yaml").write_text(CASES, encoding="utf-8")
    (cases / "ledger" / "small.yaml").write_text(LEDGER, encoding="utf-8")
    (cases / "cover.yaml").write_text(COVER, encoding="utf-8")
    if (source / "cases" / "workloads").is_dir():
        shutil.copytree(source / "cases" / "workloads", cases / "workloads")
    ran = subprocess.run(
        [sys.executable, "-m", "harness", "run", "edges", "-i", "numpy", "-i", "scratch-d4", "-o", "sample.jsonl"],
        cwd=place,
        env=environment(place),
        capture_output=True,
        text=True,
        timeout=300,  # two workers that import NumPy; only a machine that does nothing else for us takes longer
        check=False,
    )
    run_file = place / "sample.jsonl"
    if not run_file.is_file():
        raise RuntimeError(f"{source} cannot run the samples (exit code {ran.returncode}):\n{ran.stderr}")
    lines = run_file.read_text(encoding="utf-8").splitlines()
    return Sample(tuple(json.loads(line) for line in lines), CASES, LEDGER)


def environment(place: Path) -> dict[str, str]:
    """Variables under which the copy is what is imported, caches are its own, and NumPy starts no threads."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GITHUB_", "COLUMNS"))}
    return {
        **kept,
        "PYTHONPATH": str(place),
        "PYTHONUTF8": "1",
        "XDG_CACHE_HOME": str(place / "cache"),
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
    }
