"""The one place that ends the program: what it was told by signals, which code it ends with, what is said of it.

An interrupt (Ctrl-C, or SIGTERM, or SIGHUP) has one meaning: everything that is at work ends, exit code 2, one line.
Before a command begins there is nothing at work, and the program ends at once, in the middle of an import too; later it
is a KeyboardInterrupt in the main thread, and a second one ends it at once. What is left then, or after a SIGKILL, goes
with `harness.execution.leftovers`.

From its first line on: of what the interpreter has not loaded already, `signal` alone is imported before, and the
clock.
"""

from __future__ import annotations

import os
import signal
import sys
import time

STARTED = time.perf_counter()
"""When the program began, but for the interpreter's own start: what a command says it took is what one waited."""

TYPE_CHECKING = False  # the module `typing` takes longer to import than all of this
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType
    from typing import NoReturn

    from harness.core.exit_codes import ExitCode

INTERRUPTED = 2
"""As a number, since its name is not imported yet when it is needed first: `ExitCode.INTERRUPTED`."""


def program() -> NoReturn:
    """What `xent` executes: the command that `sys.argv` names."""
    _on_interrupt(_leave)
    from harness.cli import streams
    from harness.core.errors import InfrastructureError, UsageError
    from harness.core.exit_codes import ExitCode

    streams.make_robust()
    try:
        from harness.cli.main import main, prepare

        prepare(sys.argv[1:])
        _on_interrupt(_interrupt)
        code = main(sys.argv[1:])
        # The verdict is out, and stands. What was at work has ended.
        _on_interrupt(signal.SIG_IGN)
    except UsageError as error:
        code = _said(str(error), ExitCode.USAGE)
    except InfrastructureError as error:
        code = _said(str(error), ExitCode.INFRASTRUCTURE)
    except KeyboardInterrupt as interrupt:
        _end_now(str(interrupt))
    except Exception:
        from traceback import format_exc

        code = _said(f"internal error: please report it with these lines\n{format_exc()}", ExitCode.INTERNAL)
    streams.say_what_failed()
    sys.exit(int(code))


def _on_interrupt(handler: Callable[[int, FrameType | None], object] | signal.Handlers) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # Who started us with nohup, or behind a shell's &, does not want us to hear of it.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handler)


def _leave(number: int, _: FrameType | None) -> None:
    """The answer to an interrupt while nothing is at work, and to a second one."""
    _end_now(signal.Signals(number).name)


def _interrupt(number: int, _: FrameType | None) -> None:
    _on_interrupt(_leave)
    raise KeyboardInterrupt(signal.Signals(number).name)


def _end_now(name: str) -> NoReturn:
    """Say so and end, without waiting for threads, which end with us, or for a reader that does not read."""
    import select

    # A bar of progress hides the cursor of a terminal.
    shown = "\033[?25h" if os.isatty(2) else ""
    try:
        if select.select([], [2], [], 0)[1]:
            os.write(2, f"{shown}xent: interrupted ({name}); what was written is not a run\n".encode())
    except OSError:
        pass  # nobody hears it
    os._exit(INTERRUPTED)


def _said(message: str, code: ExitCode) -> ExitCode:
    from harness.core.printing import tell

    sys.stdout.flush()  # what came before is read before
    tell(f"xent: {message}", error=True)
    return code
