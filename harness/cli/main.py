"""The command line: which commands there are, and the one exit code each ends with.

A command is a module of this folder; it is imported when it is called, so that `xent --help` answers at once.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from cyclopts import App, CycloptsError, Parameter

from harness.core.errors import InfrastructureError, UsageError
from harness.core.exit_codes import ExitCode

COMMANDS: Mapping[str, str] = {
    "run": "Run cases on implementations and judge them.",
    "explain": "Everything about a case: formula, truth, every answer.",
    "repro": "One cell as a standalone script, or as an issue.",
    "report": "Write the report of a run file.",
    "gate": "Compare a run with a baseline; red on what nobody accepted.",
    "accept": "Make a run the baseline; what it shows goes into the ledger.",
    "merge": "Merge the run files of shards or families into one.",
    "upgrade": "What changes between two versions of a framework.",
    "bench": "Measure speed: against NumPy and against the machine.",
    "fuzz": "Draw cases at random, judge them, and shrink what disagrees.",
    "cases": "Lint, list, show the cases, or emit their schema.",
    "implementations": "What can be run here.",
    "levels": "Which other kernels the frameworks can be told to choose here.",
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


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    try:
        ended = assembled()(list(sys.argv[1:] if arguments is None else arguments))
        return int(ExitCode.FINE if ended is None else ended)
    except CycloptsError as error:
        command = " ".join(("xent", *(error.command_chain or ())))
        return _ended(f"{error}\nhint: see `{command} --help`", ExitCode.USAGE)
    except UsageError as error:
        return _ended(str(error), ExitCode.USAGE)
    except InfrastructureError as error:
        return _ended(str(error), ExitCode.INFRASTRUCTURE)
    except KeyboardInterrupt:
        return _ended("interrupted; what was written is not a run", ExitCode.INTERRUPTED)
    except BrokenPipeError:
        # The reader of our output left (`xent … | head`); nothing is wrong, and nothing can be said to it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return int(ExitCode.FINE)
    except Exception:
        import traceback

        traceback.print_exc()
        return _ended("internal error: please report it with the lines above", ExitCode.INTERNAL)


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


def _ended(message: str, code: ExitCode) -> int:
    print(f"xent: {message}", file=sys.stderr)
    return int(code)


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return f"xent {version('xent')}"
    except PackageNotFoundError:
        return "xent, not installed"
