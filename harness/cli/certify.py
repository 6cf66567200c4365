"""`xent certify`: the reference against mpmath."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

import reference
from harness.certification.digest import compute, differences, drawn, named, to_json
from harness.certification.digest import read as read_digests
from harness.certification.running import main as certify_all
from harness.cli.options import Count, Whole, Workers
from harness.core.exit_codes import ExitCode
from harness.core.files import check_outputs, write_whole
from harness.core.printing import say, tell
from harness.suite.loading import load
from harness.suite.selection import sources

app = App(
    name="certify",
    help_epilogue="""\
Examples: a quick look, the certificate (minutes), the bits of this machine:

    xent certify --points 2000
    xent certify -o harness/certification/certificate.json
    xent certify --digest
""",
)


@app.default
def certify(
    *,
    output: Annotated[
        Path | None, Parameter(alias="-o", metavar="FILE.json", help="Write the certificate, or the digest, here.")
    ] = None,
    digest: Annotated[
        bool, Parameter(negative="", help="Certify nothing: compare bits with the digest, or write it with -o.")
    ] = False,
    points: Annotated[Count, Parameter(help="Points of the random grid.")] = 200_000,
    seed: Annotated[Whole, Parameter(metavar="S", help="The same seed draws the same points.")] = 0,
    workers: Annotated[Workers | None, Parameter(help="Processes side by side; default: one per core.")] = None,
) -> ExitCode:
    """Certify the reference over random points and every case of the suite."""
    check_outputs([output], sources(()))
    if digest:
        return _compare_digest(output)
    certificate = certify_all(output, points, seed, workers or os.cpu_count() or 1)
    return ExitCode.FINE if certificate.holds else ExitCode.DISAGREES


def _compare_digest(output: Path | None) -> ExitCode:
    cases = load().cases
    if output is not None:
        write_whole(output, to_json(compute(reference.evaluate, drawn(cases))))
        say(f"digest: {output}")
        return ExitCode.FINE
    committed = read_digests()
    names = [name for digests in committed.values() for name in digests]
    different = list(differences(committed, compute(reference.evaluate, named(cases, names))))
    for sentence in different:
        tell(sentence)
    if not different:
        tell(f"{len(names)} evaluations, each with the committed bits")
    return ExitCode.DISAGREES if different else ExitCode.FINE
