"""How a run stands, as the JSON that badge services read from an address."""

from __future__ import annotations

import json

from harness.core.cell import Run
from reports.tally import totals

LABEL = "cross-entropy conformance"


def render(run: Run) -> str:
    """The endpoint format of shields: label, message, colour. Infrastructure is grey: it is no score."""
    t = totals(run)
    if t.infrastructure or not t.judged:
        message, color = ("not run to an end" if t.infrastructure else "nothing was judged"), "lightgrey"
    elif t.disagreeing:
        message, color = f"{t.disagreeing} of {t.judged} disagree", "red"
    else:
        message, color = f"{t.judged} agree or are explained", "brightgreen"
    return json.dumps({"schemaVersion": 1, "label": LABEL, "message": message, "color": color}) + "\n"
