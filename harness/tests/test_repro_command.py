"""`xent repro` of a case that somebody wrote in a file of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.tests.commands import xent

pytestmark = pytest.mark.slow

OWN = """\
- id: edges/own-a
  title: Mine
  why: A case of somebody's own that the suite does not have.
  loss: softmax_cross_entropy
  inputs: {logits: [[1, 2, 3]], targets: [1]}
- id: edges/own-b
  title: Mine too
  why: A case of somebody's own that the suite does not have.
  loss: softmax_cross_entropy
  inputs: {logits: [[1, 2, 3]], targets: [0]}
"""


def test_a_cell_of_a_file_of_ones_own_has_a_script(tmp_path: Path) -> None:
    file = tmp_path / "edges" / "own.yaml"
    file.parent.mkdir()
    file.write_text(OWN, encoding="utf-8")
    done = xent("repro", "edges/own-b[numpy:eager:float32:value]", file)
    assert done.returncode == 0, done.stderr
    assert "Mine too." in done.stdout
    absent = xent("repro", "edges/own-c[numpy:eager:float32:value]", file)
    assert absent.returncode == 4
    assert "the id of one of its cases" in absent.stderr
