"""`xent accept`: a run becomes the baseline, and what it shows goes into the ledger. It runs nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from harness.cli.run_files import BASELINE, existing_run
from harness.core.cell import Run
from harness.core.errors import UsageError
from harness.core.exit_codes import ExitCode, gravest
from harness.core.files import check_outputs
from harness.core.printing import say
from harness.judgement.ledger import Ledger
from harness.runs.baseline import accepted, lacking, reduced
from harness.runs.diff import NotComparable
from harness.runs.gate import run_codes
from harness.runs.run_file import read_run, write_run
from harness.suite.ledger_edits import append_entries, remove_entries
from harness.suite.ledger_files import load_drafts
from harness.suite.loading import find_cases_directory

app = App(
    name="accept",
    help_epilogue="""\
Example:

    xent run --complete -o run.jsonl
    xent accept run.jsonl
""",
)


@app.default
def accept(
    run: Annotated[Path, Parameter(help="The run file.")],
    /,
    *,
    baseline: Annotated[Path, Parameter(metavar="FILE", help="Write the baseline here.")] = BASELINE,
    ledger: Annotated[Path | None, Parameter(metavar="FOLDER", help="Another ledger; default: cases/ledger.")] = None,
    fewer: Annotated[
        bool, Parameter(negative="", help="Accept a run of fewer cases or implementations than the baseline has.")
    ] = False,
) -> ExitCode:
    """Make a run the baseline, and put what it shows into the ledger, with reasons for a person to write."""
    check_outputs([baseline], [run])
    shown = existing_run(run)
    codes = run_codes(shown)
    if ExitCode.NOTHING_RAN in codes:
        say(f"xent: {run}: nothing in it was judged, so there is nothing to accept", error=True)
        return gravest(codes)
    if ExitCode.INFRASTRUCTURE in codes:
        raise NotComparable(
            f"{run}: it has cells or timings that never were judged (crashed, timed out or missing): run it again; "
            "a baseline without them would hide whatever they do"
        )
    if baseline.is_file() and not fewer:
        _refuse_fewer(run, shown, baseline)
    folder = ledger if ledger is not None else find_cases_directory() / "ledger"
    gone = {p.entry for p in shown.footer.problems if p.kind == "fixed" and p.entry is not None}
    remaining = Ledger(tuple(entry for entry in load_drafts(folder) if entry.id not in gone))
    known, new = accepted(shown, remaining)
    whole = reduced(known)
    if new:
        file = append_entries(folder / "accepted.yaml", new)
        say(f"ledger:   {len(new)} entries in {file}: write their reasons, `xent cases lint` refuses them until then")
    for name in remove_entries(folder, gone):
        say(f"removed:  {name}, whose outcome no longer happens")
    write_run(baseline, whole)
    say(f"baseline: {baseline} ({len(whole.cells)} cells)")
    return ExitCode.FINE


def _refuse_fewer(path: Path, run: Run, baseline: Path) -> None:
    """Refuse a run that would take cases or implementations out of the baseline without a word."""
    cases, implementations = lacking(run, read_run(baseline))
    if cases or implementations:
        named = [f"{len(cases)} cases such as {cases[0]}"] if cases else []
        named += [", ".join(implementations)] if implementations else []
        raise UsageError(
            f"{path}: it lacks {' and '.join(named)}, which {baseline} has: accept a run of `xent run --complete`, "
            "or say --fewer where they are gone for good"
        )
