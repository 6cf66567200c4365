"""`xent certify`: the reference against mpmath."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from harness.certification import main as certify_all
from harness.cli.options import Count, Whole
from harness.core.exit_codes import ExitCode

app = App(
    name="certify",
    help_epilogue="""\
Example: a quick look, and the committed certificate (some minutes):

    xent certify --points 2000
    xent certify -o harness/certification/certificate.json
""",
)


@app.default
def certify(
    *,
    output: Annotated[
        Path | None, Parameter(alias="-o", metavar="CERTIFICATE.json", help="Write the certificate here.")
    ] = None,
    points: Annotated[Count, Parameter(help="Points of the random grid.")] = 200_000,
    seed: Annotated[Whole, Parameter(metavar="S", help="The same seed draws the same points.")] = 0,
    workers: Annotated[Count | None, Parameter(help="Processes side by side; default: one per core.")] = None,
) -> ExitCode:
    """Certify the reference over random points and every case of the suite."""
    certificate = certify_all(output, points, seed, workers or os.cpu_count() or 1)
    return ExitCode.FINE if certificate.holds else ExitCode.DISAGREES
