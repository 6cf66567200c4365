"""What a gate found as Markdown, for the summary of a CI job or a comment on a pull request."""

from __future__ import annotations

from collections.abc import Iterator

from harness.core.cell import Run
from harness.core.exit_codes import ExitCode
from harness.core.text import markdown as line
from harness.core.text import table_row
from harness.runs.gate import GateResult
from harness.speed.speed_changes import LOST, in_words
from harness.speed.statistics import FASTER, SLOWER
from reports.upgrade import cause_lines

__all__ = ["markdown"]

_WORDS = {
    ExitCode.FINE: "Nothing changed that nobody has accepted.",
    ExitCode.NOTHING_RAN: "Nothing ran.",
    ExitCode.DISAGREES: "Something disagrees on a machine that nobody has judged yet.",
    ExitCode.STALE_LEDGER: "The ledger says what is no longer so.",
    ExitCode.CHANGED: "Behaviour changed.",
    ExitCode.SLOWER: "Slower, and nothing else.",
    ExitCode.INFRASTRUCTURE: "Not compared: something was not run to an end.",
}


def markdown(result: GateResult, current: Run) -> str:
    """The verdict, the reasons, the causes gravest first, the versions."""
    return "\n".join(_lines(result, current)) + "\n"


def _lines(result: GateResult, current: Run) -> Iterator[str]:
    yield "## Gate"
    yield ""
    yield line("**{}** (exit code {})", _WORDS.get(result.code, result.code.name), int(result.code))
    yield ""
    for reason in result.reasons:
        yield line("- {}", reason)
    difference = result.difference
    if difference is None:
        return
    yield from _speed_lines(result)
    losses = {case: str(entry["loss"]) for case, entry in current.header.suite.get("cases", {}).items()}
    if difference.new_here:
        yield line("**New on this machine, which nobody has judged yet: {} cells.**", len(difference.new_here))
        yield ""
        yield from cause_lines(difference.groups(losses, new_here=True))
        yield ""
    yield from cause_lines(difference.groups(losses))
    yield ""
    same = "" if difference.identical is None else f", {difference.identical} of them identical to the bit"
    yield line("{} of {} cells changed{}.", len(difference.changes), difference.compared, same)
    if difference.versions:
        yield ""
        yield "| package | baseline | now |"
        yield "|---|---|---|"
        for name, (old, new) in difference.versions.items():
            yield table_row(name, old, new)


def _speed_lines(result: GateResult) -> Iterator[str]:
    """How many timings moved which way, and each that did."""
    if not result.speeds:
        return
    yield line("- Speed, against NumPy by hand within each run: {}.", in_words(result.speeds))
    for moved in result.speeds:
        if moved.verdict in (LOST, SLOWER, FASTER):
            yield line("  - {}", moved.sentence)
    yield ""
