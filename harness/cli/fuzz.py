"""`xent fuzz`: a campaign, with progress, and what it found in words."""

from __future__ import annotations

import argparse
import math
import sys
import textwrap
from collections.abc import Sequence

from harness.adapters.choice import choose
from harness.core.errors import UsageError
from harness.core.exit_codes import ExitCode
from harness.core.machine import describe_machine
from harness.execution.asking import Fleet
from harness.judgement.ledger import Ledger
from harness.suite.ledger_files import load_entries
from harness.suite.loading import find_cases_directory, load

LONGEST_CALL = 60.0
"""Seconds one call may take: thrice the slowest honest one, a first torch.compile."""


def fuzz(options: argparse.Namespace) -> ExitCode:
    """Run a campaign; red when it found something the ledger does not explain."""
    from harness.fuzzing.campaign import Campaign
    from harness.fuzzing.drawing import DRAWN

    losses = tuple(options.loss) if options.loss else DRAWN
    for loss in losses:
        if loss not in DRAWN:
            raise UsageError(f"--loss {loss}: expected one of {', '.join(DRAWN)}")
    if options.minutes <= 0:
        raise UsageError(f"--minutes {options.minutes:g}: expected more than 0")
    if options.cases is not None and options.cases < 1:
        raise UsageError(f"--cases {options.cases}: expected at least 1")
    ledger = Ledger(() if options.no_ledger else load_entries(find_cases_directory() / "ledger"))
    written = () if options.no_ledger else load().cases
    implementations = choose(options.implementation or (), family=options.family, elsewhere=options.python is not None)
    with Fleet(implementations, timeout=LONGEST_CALL, parallel=options.parallel, python=options.python) as fleet:
        descriptions, absent = fleet.start()
        for name, reason in absent.items():
            print(f"{name} cannot be fuzzed: {reason}", file=sys.stderr)
        if not descriptions:
            return ExitCode.INFRASTRUCTURE
        campaign = Campaign(fleet, descriptions, ledger, written, losses, options.seed, not options.first_mode)
        try:
            if options.cases is not None:
                campaign.run_cases(options.cases, _Progress())
            else:
                campaign.run(options.minutes * 60.0, _Progress())
        except KeyboardInterrupt:
            print("interrupted: what was found so far follows", file=sys.stderr)
        told = _told(campaign)
        incidents = fleet.incidents()
    print("\n".join([*told, *(f"incident: {text}" for text in incidents)]))
    if options.save is not None and campaign.shown:
        from harness.fuzzing.saving import save

        for path in save(campaign.shown, options.save, descriptions, describe_machine()):
            print(f"wrote {path}")
    for name, trace in campaign.broken.items():
        print(f"internal error while fuzzing {name}, please report it:\n{trace}", file=sys.stderr)
    if campaign.broken:
        return ExitCode.INTERNAL
    return ExitCode.DISAGREES if campaign.shown else ExitCode.FINE


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
        on_terminal = sys.stderr.isatty()
        print(f"\r\033[K{text}" if on_terminal else text, end="" if on_terminal else "\n", file=sys.stderr, flush=True)


def _told(campaign: object) -> Sequence[str]:
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
