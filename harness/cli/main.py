"""The command line: which commands there are.

A command is a module of this folder; it is imported when it is called, so that `xent --help` answers at once. How the
program ends is `harness.cli.ending`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

from cyclopts import App, CycloptsError, Parameter

from harness.core.errors import UsageError
from harness.core.exit_codes import ExitCode

COMMANDS: Mapping[str, str] = {
    "run": "Run cases on implementations and judge them.",
    "init": "Begin a project: xent.toml, and a folder for what it accepts.",
    "explain": "Everything about a case: formula, truth, every answer.",
    "repro": "One cell as a standalone script, or as an issue.",
    "report": "Write the report of a run file.",
    "gate": "Compare a run with a baseline; red on what nobody accepted.",
    "accept": "Make a run the baseline; what it shows goes into the ledger.",
    "merge": "Merge the run files of shards or families into one.",
    "upgrade": "What changes between two versions of a framework.",
    "history": "Since which release each behaviour exists.",
    "since": "Since which release a cell or a ledger entry is as it is.",
    "bench": "Measure speed: against NumPy and against the machine.",
    "fuzz": "Draw cases at random, judge them, and shrink what disagrees.",
    "cases": "Lint, list, show the cases, or emit their schema.",
    "implementations": "What can be run here.",
    "levels": "Which other kernels the frameworks can be told to choose here.",
    "grade": "What a test of a loss would notice, and tests for the rest.",
    "golden": "A table of exact truths and tolerances, for tests in any language.",
    "kills": "Which case catches which known-bad implementation.",
    "certify": "Certify the reference with mpmath.",
}
"""By name: what a command does, in one line. Its module has the same name."""

EPILOGUE = """\
`xent COMMAND --help` lists the options of a command.

Exit codes: 0 fine, 1 something disagrees, 2 interrupted, 3 internal, 4 usage,
5 nothing ran, 6 stale ledger, 7 behaviour changed, 8 slower only,
9 infrastructure. One code, the gravest.

Example: everything that is installed here, and a report of it:

    xent run --report report.html
"""


def prepare(arguments: Sequence[str]) -> None:
    """Import the command that is named, if there is one: nothing is at work yet that had to be ended."""
    if arguments and arguments[0] in COMMANDS:
        import_module(f"harness.cli.{arguments[0]}")


def main(arguments: Sequence[str]) -> ExitCode:
    """Run one command; its exit code. UsageError where it is misused."""
    try:
        ended = assembled()(list(arguments))
    except CycloptsError as error:
        command = " ".join(("xent", *(error.command_chain or ())))
        raise UsageError(f"{error}\nhint: see `{command} --help`") from error
    return ExitCode.FINE if ended is None else ExitCode(ended)


def assembled() -> App:
    """All commands under one name."""
    app = App(
        name="xent",
        help="Judge cross-entropy losses: value and gradient, against an exact truth.",
        help_epilogue=EPILOGUE,
        help_format="plaintext",
        version=_version,
        # A flag is given or it is not: no --no-fresh, no --empty-implementation.
        default_parameter=Parameter(negative=(), show_default=_worth_showing),
        result_action="return_value",
        suppress_keyboard_interrupt=False,
        exit_on_error=False,
        print_error=False,
    )
    for name, summary in COMMANDS.items():
        app.command(f"harness.cli.{name}:app", name=name, help=summary)
    return app


def _worth_showing(default: Any) -> Any:
    """A default as the help shows it; that a flag is off and a list is empty goes without saying."""
    return None if default is False or default == () else default


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return f"xent {version('xent')}"
    except PackageNotFoundError:
        return "xent, not installed"
