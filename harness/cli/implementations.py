"""`xent implementations`: what can be run here."""

from __future__ import annotations

from cyclopts import App

from harness.adapters.registry import installed, registered
from harness.core.exit_codes import ExitCode
from harness.core.printing import say

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
    present = set(installed())
    for name, implementation in registered().items():
        state = "installed" if name in present else f"not installed: the extra {implementation.extra} brings it"
        say(f"{name:18} {implementation.target:48} {state}")
    return ExitCode.FINE
