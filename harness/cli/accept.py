"""`xent accept`: a run becomes the baseline, and what it shows goes into the ledger. It runs nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from harness.cli.options import OWN_LEDGER
from harness.cli.project import project_here
from harness.cli.run_files import existing_run, overlay_file, overlays_of
from harness.core.cell import Run
from harness.core.errors import UsageError
from harness.core.exit_codes import ExitCode, gravest
from harness.core.files import check_outputs
from harness.core.inputs import leads_to
from harness.core.ledger import Condition, Entry
from harness.core.printing import say, tell
from harness.judgement.ledger import Ledger
from harness.runs.accepting import accepted, depending
from harness.runs.baseline import lacking, reduced
from harness.runs.diff import NotComparable
from harness.runs.gate import run_codes
from harness.runs.overlays import overlay, rebased
from harness.runs.project import find_project, shown_path
from harness.runs.run_file import read_run, write_run
from harness.runs.service import read_ledger
from harness.suite.ledger_edits import append_entries, remove_entries
from harness.suite.loading import find_cases_directory
from harness.suite.selection import sources

app = App(
    name="accept",
    help_epilogue="""\
Examples: what this machine shows, and with it what other kernels show:

    xent run --complete -o run.jsonl
    xent accept run.jsonl
    xent run --complete --level avx2 -o avx2.jsonl
    xent accept run.jsonl avx2.jsonl
""",
)


@app.default
def accept(
    run: Annotated[Path, Parameter(help="The run that becomes the baseline.")],
    /,
    *others: Annotated[Path, Parameter(name="RUNS", help="Runs of the same on machines with other facts.")],
    baseline: Annotated[
        Path | None, Parameter(metavar="FILE", help="Write the baseline here; default: where xent.toml says.")
    ] = None,
    ledger: Annotated[Path | None, Parameter(metavar="FOLDER", help=OWN_LEDGER)] = None,
    fewer: Annotated[
        bool, Parameter(negative="", help="Accept a run of fewer cases or implementations than the baseline has.")
    ] = False,
) -> ExitCode:
    """Make a run the baseline, and put what it shows into the ledger, with reasons for a person to write."""
    baseline, folder = _places(baseline, ledger)
    paths = (run, *others)
    check_outputs([baseline], [*paths, *sources((), ledger)])
    runs = [existing_run(path) for path in paths]
    for path, shown in zip(paths, runs, strict=True):
        if (code := _refused(path, shown)) is not None:
            return code
    if twice := [name for name, count in Counter(map(_name, others)).items() if count > 1]:
        raise UsageError(f"two of the runs are named {twice[0]}, and an overlay has the name of its run: rename one")
    if baseline.is_file() and not fewer:
        _refuse_fewer(run, runs[0], baseline)
    entries = read_ledger(folder, drafts=True).entries
    partly = {entry.id: where for entry, where in depending(runs, Ledger(entries))}
    fixed = {p.entry for shown in runs for p in shown.footer.problems if p.kind == "fixed" and p.entry is not None}
    gone = fixed - partly.keys() - {entry.id for entry in entries if entry.shipped}
    known, new = accepted(runs, Ledger(tuple(entry for entry in entries if entry.id not in gone)))
    whole = reduced(known[0])
    earlier = overlays_of(baseline)
    overlays = _kept(earlier, baseline, whole)
    for path, one in zip(others, known[1:], strict=True):
        try:
            over = overlay(whole, reduced(one))
        except UsageError as error:
            raise UsageError(f"{path}: {error}") from error
        if over is not None:
            overlays[_name(path)] = over
        else:
            tell(f"no overlay: {path} has the machine facts of the baseline")
    write_run(baseline, whole)
    say(f"baseline: {shown_path(baseline)} ({len(whole.cells)} cells)")
    for name, over in overlays.items():
        write_run(overlay_file(baseline, name), over)
        say(f"overlay:  {name} ({len(over.cells)} cells of {', '.join(over.header.implementations)})")
    for name in earlier.keys() - overlays.keys():
        overlay_file(baseline, name).unlink()
        say(f"removed:  overlay {name}, which says nothing of this baseline")
    _change_ledger(folder, new, gone, partly)
    tell("next: commit what was written; `xent gate RUN.jsonl` says of later runs what changed")
    return ExitCode.FINE


def _places(baseline: Path | None, ledger: Path | None) -> tuple[Path, Path]:
    """Where baseline and ledger are written: into a project, or where it is said, never into the installed package."""
    project = find_project()
    if project is None and (baseline is None or ledger is None):
        raise UsageError(
            "no project here: `xent init` begins one, with a place for what it accepts; or name --baseline and --ledger"
        )
    here = project_here()
    chosen = (baseline or here.baseline, ledger or here.ledger)
    inside = find_cases_directory().parent
    owned = project is not None and project.folder == inside
    for path in chosen:
        if not owned and any(leads_to(path).is_relative_to(inside / room) for room in ("cases", "reports")):
            raise UsageError(
                f"{path} belongs to the installed xent, which is not written to: `xent init` begins a project"
            )
    return chosen


def _kept(earlier: Mapping[str, Run], baseline: Path, whole: Run) -> dict[str, Run]:
    """The overlays there are, as overlays on the new baseline; without those that say nothing of it any more."""
    if not earlier or not baseline.is_file():
        return {}
    before = read_run(baseline)
    found = ((name, rebased(over, before, whole)) for name, over in earlier.items())
    return {name: over for name, over in found if over is not None}


def _name(run: Path) -> str:
    return run.name.partition(".")[0]


def _change_ledger(
    folder: Path, new: Sequence[Entry], gone: Set[str], partly: Mapping[str, tuple[Condition, ...] | None]
) -> None:
    if new:
        file = append_entries(folder / "accepted.yaml", new)
        tell(f"ledger:   {len(new)} entries in {file}: write their reasons, `xent cases lint` refuses them until then")
    for name in remove_entries(folder, gone):
        tell(f"removed:  {name}, whose outcome no longer happens")
    for name, where in partly.items():
        conditions = "no machine fact says why" if where is None else f"it needs where: {_in_yaml(where)}"
        tell(f"ledger:   {name} shows in some of these runs only; {conditions}")


def _refused(path: Path, run: Run) -> ExitCode | None:
    """The code with which a run is refused that has nothing to accept."""
    codes = run_codes(run)
    if ExitCode.NOTHING_RAN in codes:
        tell(f"xent: {path}: nothing in it was judged, so there is nothing to accept", error=True)
        return gravest(codes)
    if ExitCode.INFRASTRUCTURE in codes:
        raise NotComparable(
            f"{path}: it has cells or timings that never were judged (crashed, timed out or missing): run it again; "
            "a baseline without them would hide whatever they do"
        )
    return None


def _in_yaml(where: Iterable[Condition]) -> str:
    conditions = (f"{condition.fact}: [{', '.join(condition.values)}]" for condition in where)
    return f"{{{', '.join(conditions)}}}"


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
