"""What runs say of the machines they were made on: which entries sleep there, and whose kernels differ. Pure."""

from __future__ import annotations

from collections import Counter

from harness.core.cell import Run


def sleeping(run: Run) -> str:
    """How many ledger entries sleep, by their conditions: `6 entries sleep here: onednn=on 4, isa=avx512 2`."""
    ledger = run.header.suite.get("ledger", {})
    counts = Counter(_conditions(ledger.get(entry, {}).get("where", {})) for entry in run.footer.dormant)
    told = ", ".join(f"{conditions} {count}" for conditions, count in counts.most_common())
    number = len(run.footer.dormant)
    return f"{number} {'entry sleeps' if number == 1 else 'entries sleep'} here: {told}"


def _conditions(where: dict[str, list[str]]) -> str:
    return " and ".join(f"{fact}={' or '.join(values)}" for fact, values in where.items()) or "unknown"
