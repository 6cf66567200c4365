"""The gate: which exit code two runs deserve. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from harness.core.cell import INFRASTRUCTURE, LEDGER_PROBLEMS, Run
from harness.core.exit_codes import ExitCode, gravest
from harness.runs.diff import Difference, NotComparable, compare_runs
from harness.runs.kernels import told
from harness.speed.speed_changes import SpeedChange, compare_speeds, lost, slower
from harness.speed.statistics import NOT_COMPARABLE, THRESHOLD


@dataclass(frozen=True)
class GateResult:
    """What the gate found."""

    code: ExitCode
    difference: Difference | None
    reasons: tuple[str, ...]
    speeds: tuple[SpeedChange, ...] = ()
    """What both runs measured, the slowest change first."""


def run_codes(run: Run) -> set[ExitCode]:
    """The codes one run earns by itself, compared with nothing."""
    codes: set[ExitCode] = set()
    verdicts = {cell.verdict for cell in run.cells} | {speed.judged for speed in run.speeds}
    # A claim is judged by the reference alone: it says nothing of the implementations that were asked for.
    if verdicts <= {"unsupported"} and (run.header.implementations or not run.claims):
        codes.add(ExitCode.NOTHING_RAN)
    # A worker that died and was asked again with success still died: the run says so and is not fine.
    died = any(problem.kind == "incident" for problem in run.footer.problems)
    if died or verdicts & INFRASTRUCTURE:
        codes.add(ExitCode.INFRASTRUCTURE)
    if any("missing" in description for description in run.header.implementations.values()):
        codes.add(ExitCode.INFRASTRUCTURE)
    if "disagrees" in verdicts or any(not claim.expected for claim in run.claims):
        codes.add(ExitCode.DISAGREES)
    if any(problem.kind in LEDGER_PROBLEMS for problem in run.footer.problems):
        codes.add(ExitCode.STALE_LEDGER)
    return codes


def gate(baseline: Run, current: Run, threshold: float = THRESHOLD, *, same_kernels: bool = False) -> GateResult:
    """Whether the current run may pass: red exactly when something nobody has accepted has changed.

    Where an implementation runs other kernels than in the baseline, truth and ledger alone judge its cells;
    `same_kernels` refuses to compare then. Speed is judged by ratios within each run; a slowdown must clear its
    interval and `threshold`.
    """
    reasons: list[str] = []
    codes = run_codes(current) & {ExitCode.INFRASTRUCTURE, ExitCode.STALE_LEDGER, ExitCode.NOTHING_RAN}
    reasons += [problem.what for problem in current.footer.problems]
    wrong = sorted(
        {f"{speed.implementation} on {speed.workload}" for speed in current.speeds if speed.judged == "disagrees"}
    )
    if wrong:
        codes.add(ExitCode.DISAGREES)
        reasons.append(f"what was to be timed disagrees with the truth: {', '.join(wrong)}")
    try:
        difference = compare_runs(baseline, current)
    except NotComparable as refusal:
        return GateResult(ExitCode.INFRASTRUCTURE, None, (str(refusal), *reasons))
    first = [told(kernels, current.cells) for kernels in difference.kernels]
    if first and same_kernels:
        return GateResult(ExitCode.INFRASTRUCTURE, None, (*first, *reasons))
    reasons = [*first, *reasons]
    if difference.changes:
        codes.add(ExitCode.CHANGED)
    if difference.new_here:
        codes.add(ExitCode.DISAGREES)
    elsewhere = {name for kernels in difference.kernels for name in kernels.implementations}
    known = {cell.key for cell in baseline.cells if cell.verdict == "known" and cell.implementation not in elsewhere}
    uncovered = [cell for cell in current.cells if cell.verdict == "disagrees" and cell.key in known]
    if uncovered:
        codes.add(ExitCode.STALE_LEDGER)
        reasons.append(
            f"{len(uncovered)} cells were known and are covered by no ledger entry any more, the first is "
            f"{uncovered[0].name}: look at the version range of its entry, and run again what was run before it was "
            "accepted"
        )
    speeds = compare_speeds(baseline, current, threshold)
    if slower(speeds):
        codes.add(ExitCode.SLOWER)
    if lost(speeds):
        codes.add(ExitCode.CHANGED)
    if not difference.compared and not difference.changes and all(s.verdict == NOT_COMPARABLE for s in speeds):
        codes.add(ExitCode.NOTHING_RAN)
        reasons.append("the two have no cell and no measurement in common that can be compared")
    return GateResult(gravest(codes), difference, tuple(reasons), speeds)
