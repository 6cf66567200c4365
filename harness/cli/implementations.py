"""`xent implementations`: what can be run here."""

from __future__ import annotations

from cyclopts import App

from harness.adapters.registry import installed, registered
from harness.core.exit_codes import ExitCode
from harness.core.printing import say, tell

app = App(
    name="implementations",
    help_epilogue="""\
Example:

    xent implementations
""",
)


@app.default
def implementations() -> ExitCode:
    """What is registered, and what of it is installed here."""
    present, table = set(installed()), registered()
    wide = max(map(len, table))
    for name, implementation in table.items():
        extras = implementation.extra.split(",")
        brought = f"the extra{'s' * (len(extras) > 1)} {' and '.join(extras)} bring{'s' * (len(extras) < 2)} it"
        say(f"{name:{wide}}  {'installed' if name in present else f'not installed: {brought}'}")
    tell("next: `xent run -i NAME`; your own is named module:Class, and `xent run --help` says what else can be")
    return ExitCode.FINE
