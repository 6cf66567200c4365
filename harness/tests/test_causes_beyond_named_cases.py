"""What the ledger knows of an implementation is told of somebody's own cases too, and makes none of them right."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from harness.core.cell import Cell, Observed
from harness.core.ledger import Condition, Entry, Pin, Selector
from harness.judgement.ledger import Ledger
from harness.tests.commands import xent

ENTRY = Entry(
    "wide-nan",
    ("edges/one",),
    ("wide",),
    Pin("nan"),
    "It multiplies nothing with infinity.",
    "none found",
    versions="<2",
    modes=("eager",),
    aspects=("value",),
    beyond=("softmax",),
    where=(Condition("onednn", ("on",)),),
)
CELL = Cell("mine/own", "wide", "eager", "float32", "value", "disagrees", {}, observed=Observed("nan"))
SELECTOR = Selector(CELL.case, "wide", "eager", "float32", "value", "1.5", {"onednn": "on"})


def test_a_cause_is_that_of_the_same_implementation_loss_mode_aspect_and_fact() -> None:
    ledger = Ledger((ENTRY,)).about(CELL.case)
    assert ledger.explanation(SELECTOR, CELL) is None
    assert ledger.likely(SELECTOR, "softmax", CELL) == ENTRY


@pytest.mark.parametrize(
    ("entry", "selector", "loss", "kind"),
    [
        (replace(ENTRY, beyond=()), SELECTOR, "softmax", "nan"),
        (ENTRY, SELECTOR, "log_softmax", "nan"),
        (ENTRY, SELECTOR, "softmax", "inf"),
        (ENTRY, replace(SELECTOR, implementation="other"), "softmax", "nan"),
        (ENTRY, replace(SELECTOR, mode="jit"), "softmax", "nan"),
        (ENTRY, replace(SELECTOR, aspect="gradient"), "softmax", "nan"),
        (ENTRY, replace(SELECTOR, version="2.0"), "softmax", "nan"),
        (ENTRY, replace(SELECTOR, facts={"onednn": "off"}), "softmax", "nan"),
    ],
    ids=["named cases only", "loss", "fact", "implementation", "mode", "aspect", "version", "machine"],
)
def test_of_nothing_else(entry: Entry, selector: Selector, loss: str, kind: str) -> None:
    cell = replace(CELL, observed=Observed(kind))
    assert Ledger((entry,)).about(CELL.case).likely(selector, loss, cell) is None


OWN = """\
- id: mine/far-out
  title: Logits far out
  why: What an article's function does with logits of ours.
  loss: softmax
  inputs: {logits: [[2000, 1000, 0]]}
  dtypes: [float64]
"""


@pytest.mark.slow
def test_a_file_of_ones_own_is_told_the_cause_and_disagrees(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "own.yaml").write_text(OWN, encoding="utf-8")
    done = xent("run", "mine/own.yaml", "-i", "scratch-d4", "-o", "run.jsonl", folder=tmp_path)
    assert done.returncode == 1, "neither right nor a stale ledger (6)"
    assert "as in the ledger's scratch-d4-no-maximum-shift: " in " ".join(done.stdout.split())
    lines = [json.loads(line) for line in (tmp_path / "run.jsonl").read_text(encoding="utf-8").splitlines()]
    (cell,) = [line for line in lines if line["kind"] == "cell"]
    assert (cell["verdict"], list(cell["causes"])) == ("disagrees", ["scratch-d4-no-maximum-shift"])
    assert not [problem for problem in lines[-1].get("problems", ()) if problem["kind"] == "fixed"]
