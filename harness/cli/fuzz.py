"""`xent fuzz`: a campaign, with progress, and what it found in words."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from harness.cli.options import Count, ExecutorName, Implementations, Python, Real, Whole, Workers, finite_above_zero
from harness.cli.project import chosen, ledger_here
from harness.core.errors import UsageError
from harness.core.exit_codes import ExitCode, gravest
from harness.core.machine_description import describe_machine
from harness.core.printing import rewrite, say, tell
from harness.execution.pool import WorkerPool
from harness.judgement.ledger import Ledger
from harness.mistakes import check_names
from harness.runs.executors.chosen import executor_of
from harness.suite.loading import load

app = App(
    name="fuzz",
    help_epilogue="""\
Example: a minute on one implementation, what it finds kept:

    xent fuzz -i torch --minutes 1 --seed 7 --save found
""",
)


@app.default
def fuzz(
    *,
    implementation: Annotated[
        Implementations, Parameter(help="May be given several times; default: all that are installed.")
    ] = (),
    family: Annotated[
        str | None, Parameter(metavar="NAME", help="All implementations of one family, such as torch.")
    ] = None,
    loss: Annotated[
        tuple[str, ...], Parameter(metavar="NAME", help="Only this loss; may be given several times.")
    ] = (),
    minutes: Annotated[Real, Parameter(validator=finite_above_zero, metavar="M", help="How long to go on.")] = 5.0,
    cases: Annotated[Count | None, Parameter(help="Ask so many cases drawn, however long it takes.")] = None,
    seed: Annotated[Whole, Parameter(metavar="S", help="The same seed draws the same cases.")] = 0,
    save: Annotated[
        Path | None, Parameter(metavar="FOLDER", help="Write findings here: case, ledger stub, script, issue.")
    ] = None,
    no_ledger: Annotated[bool, Parameter(help="Take nothing as known.")] = False,
    first_mode: Annotated[bool, Parameter(help="Ask only the first mode of each implementation.")] = False,
    parallel: Annotated[Workers, Parameter(help="Workers side by side.")] = 2,
    python: Python = None,
    executor: ExecutorName = None,
) -> ExitCode:
    """Draw cases at random, judge them, and shrink what disagrees and the ledger does not explain."""
    from harness.fuzzing.campaign import LONGEST_CALL, Campaign
    from harness.fuzzing.drawing import DRAWN
    from harness.fuzzing.saving import refuse_saved_before

    for name in loss:
        if name not in DRAWN:
            raise UsageError(f"--loss {name}: expected one of {', '.join(DRAWN)}")
    if executor is not None and cases is None:
        raise UsageError("--executor: how much is asked until a time depends on who asks; say --cases N")
    ledger = Ledger() if no_ledger else ledger_here()
    written = () if no_ledger else load().cases
    implementations = chosen(implementation, family=family, elsewhere=python is not None)
    check_names(i.name for i in implementations)
    if save is not None:
        refuse_saved_before(save)
    with WorkerPool(implementations, timeout=LONGEST_CALL, parallel=parallel, python=python) as pool:
        descriptions, absent = pool.start()
        for name, reason in absent.items():
            tell(f"{name} cannot be fuzzed: {reason}", error=True)
        if not descriptions:
            return ExitCode.INFRASTRUCTURE
        campaign = Campaign(pool, descriptions, ledger, written, loss or DRAWN, seed, not first_mode)
        interrupted = False
        try:
            if cases is not None and executor is not None:
                with executor_of(executor, parallel) as parts:
                    campaign.run_cases_on(parts, python, cases, _Progress())
            elif cases is not None:
                campaign.run_cases(cases, _Progress())
            else:
                campaign.run(minutes * 60.0, _Progress())
        except KeyboardInterrupt:
            interrupted = True
            tell("interrupted: what was found so far follows", error=True)
        summary = _summary(campaign)
        incidents = [*campaign.incidents, *pool.incidents()]
    tell("\n".join([*summary, *(f"incident: {text}" for text in incidents)]))
    if save is not None and campaign.shown:
        from harness.fuzzing.saving import save as save_findings

        for path in save_findings(campaign.shown, save, descriptions, describe_machine()):
            say(f"wrote {path}")
    for name, trace in campaign.broken.items():
        say(f"internal error while fuzzing {name}, please report it:\n{trace}", error=True)
    codes = {ExitCode.INTERNAL} if campaign.broken else set()
    codes |= {ExitCode.INTERRUPTED} if interrupted else set()
    codes |= {ExitCode.INFRASTRUCTURE} if absent or incidents or campaign.tally.lost else set()
    codes |= set() if sum(campaign.tally.judged.values()) else {ExitCode.NOTHING_RAN}
    codes |= {ExitCode.DISAGREES} if campaign.shown else set()
    return gravest(codes)


class _Progress:
    """A line every few seconds, on a terminal in place."""

    def __call__(self, campaign: object, left: float) -> None:
        from harness.fuzzing.campaign import Campaign

        assert isinstance(campaign, Campaign)
        total = sum(campaign.tally.judged.values())
        new = len(campaign.shown)
        known = len(campaign.findings) - new
        rest = f", {left:.0f} s left" if math.isfinite(left) else ""
        text = f"{total} judged, {campaign.tally.rate:.0f}/s, {new} findings, {known} known{rest}"
        rewrite(text)


def _summary(campaign: object) -> Sequence[str]:
    from harness.fuzzing.campaign import Campaign

    assert isinstance(campaign, Campaign)
    new = campaign.shown
    lines = [""]
    for finding in new:
        said = ", ".join(sorted(finding.conditions)) or "ordinary input"
        lines.append(f"{finding.cause} [{finding.dtype}; {said}] × {finding.count}")
        lines += textwrap.wrap(finding.cell.explanation or "", 116, initial_indent="    ", subsequent_indent="    ")
        lines.append("    " + _written(finding))
    differing = {w: s for w, s in campaign.statuses.items() if len(set(s.values())) > 1}
    for what, said_by in sorted(differing.items()):
        ways: dict[str, list[str]] = {}
        for name, way in sorted(said_by.items()):
            ways.setdefault(way, []).append(name)
        lines.append(f"{what}: " + "; ".join(f"{way}: {', '.join(names)}" for way, names in sorted(ways.items())))
    known: dict[str, int] = {}
    for finding in campaign.findings:
        if finding.ledger is not None:
            known[finding.ledger] = known.get(finding.ledger, 0) + finding.count
    if known:
        lines.append("explained by the ledger: " + ", ".join(f"{e} × {n}" for e, n in sorted(known.items())))
    for (name, loss, convention), times in sorted(campaign.by_convention.items()):
        lines.append(f"by declared convention: {name} {loss}: {convention} × {times}")
    for name, times in sorted(campaign.tally.lost.items()):
        lines.append(f"{name}: {times} calls had no answer that could be judged")
    rates = ", ".join(f"{name} {n}" for name, n in sorted(campaign.tally.judged.items()))
    lines.append(f"judged {sum(campaign.tally.judged.values())} answers at {campaign.tally.rate:.0f}/s ({rates})")
    lines.append(f"{len(new)} findings" if new else "nothing found that the ledger does not explain")
    return lines


def _written(finding: object) -> str:
    from harness.core.case import ArraySpec
    from harness.fuzzing.campaign import Finding
    from harness.runs.session import describe_array

    assert isinstance(finding, Finding)
    case = finding.case
    inputs = [f"{name}={describe_array(spec)}" for name, spec in case.inputs.items()]
    options = [f"{n}={describe_array(v) if isinstance(v, ArraySpec) else v}" for n, v in case.options.items()]
    return ", ".join([*inputs, *options])
