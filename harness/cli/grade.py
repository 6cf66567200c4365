"""`xent grade`: what somebody's test of a loss would notice, and the tests that show the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from harness.adapters.framework_signatures import FUNCTIONS, likely, signatures
from harness.cli import terminal
from harness.cli.options import Count, Percent, Seconds
from harness.core.errors import InfrastructureError, UsageError
from harness.core.exit_codes import ExitCode
from harness.core.files import check_outputs, write_whole
from harness.core.printing import say, tell
from harness.core.text import markdown as line
from harness.core.text import table_row
from harness.grading.trials import SOUND, Graders, Trial, graders
from harness.mistakes.grading import Grade, Witness, grade, lacking, witnesses
from harness.reproduction.ready_tests import written_tests
from harness.suite.cover_file import cover_file, read_cover
from harness.suite.loading import load

PATIENCE = 10.0
"""Times what the command takes with the right implementation that it may take with a wrong one, unless told."""
START = 60.0
"""Seconds it may take besides: a framework is imported anew, beside others that are."""
FIRST = 3600.0
"""Seconds for the right implementation, where no limit is given: nobody knows yet how long the command takes."""
MOST_SHOWN = 20
"""Lines of what is let through on the terminal; the Markdown has all."""
LAST_LINES = 15
"""Lines of what the command printed that are shown where it fails with the right implementation."""

app = App(
    name="grade",
    help_epilogue="""\
Nothing is changed on disk: the function is replaced in the processes of the
command. 0: all is noticed that can be (or the --at-least asked for); 1: less;
5: nothing could be graded, since the command fails with a right implementation
or never calls the function; 9: some runs did not end in time.

Example: would this test have noticed?

    xent grade --target my_package.losses.cross_entropy -- \\
        pytest tests/test_loss.py
""",
)


@app.default
def grade_command(
    *command: Annotated[str, Parameter(help="After --: what runs the test, such as pytest tests/test_loss.py.")],
    target: Annotated[str, Parameter(metavar="MODULE.FUNCTION", help="The function that the test is of.")],
    like: Annotated[
        str | None,
        Parameter(
            metavar="FUNCTION",
            help="The framework's function whose arguments it takes, or a loss by name for a function of NumPy arrays; "
            "default: the one that is called the same.",
        ),
    ] = None,
    time_limit: Annotated[Seconds | None, Parameter(help="How long one run of the command may take.")] = None,
    parallel: Annotated[Count, Parameter(help="Runs side by side.")] = 2,
    at_least: Annotated[Percent, Parameter(help="The score below which the exit code is 1.")] = 100.0,
    markdown: Annotated[Path | None, Parameter(metavar="FILE", help="Write all of it as Markdown here.")] = None,
    tests_file: Annotated[
        Path | None, Parameter(name="--tests", metavar="FILE.py", help="Write the tests that show the rest here.")
    ] = None,
) -> ExitCode:
    """Put known-bad implementations in the place of a function, and see which of them its test notices."""
    if not command:
        raise UsageError("no command: write it behind --, such as -- pytest tests/test_loss.py")
    if "." not in target:
        raise UsageError(f"--target {target}: expected module.function, such as my_package.losses.cross_entropy")
    function = _function(target, like)
    check_outputs((markdown, tests_file))
    with graders(command, target, function) as runs:
        first = _sound(runs, target, time_limit)
        if first is None:
            return ExitCode.NOTHING_RAN
        limit = time_limit or START + PATIENCE * first.ended.seconds
        _again(runs, limit)
        tell("the right implementation passes twice; looking for a case that shows each mistake", error=True)
        found = witnesses(function, load().cases, read_cover(cover_file().read_text(encoding="utf-8"), "cover.yaml"))
        names = [name for witness in found for name in witness.shows]
        tell(f"{target}, called like {function}: {len(names)} known-bad implementations fit")
        noticed = _noticed(runs, names, limit, parallel)
    result = grade(found, noticed)
    rest = lacking(found, result)
    _show(result, rest)
    if markdown is not None:
        write_whole(markdown, _markdown(result, rest, target, function, command))
        say(f"markdown: {markdown}")
    if tests_file is not None and rest:
        write_whole(tests_file, written_tests(rest, target, function))
        say(f"tests:    {tests_file}")
    if result.unknown:
        return ExitCode.INFRASTRUCTURE
    return ExitCode.DISAGREES if 100.0 * result.score < at_least else ExitCode.FINE


def _function(target: str, like: str | None) -> str:
    known = likely(target) if like is None else like
    if known is None:
        raise UsageError(f"--target {target}: say with --like whose arguments it takes, one of {', '.join(FUNCTIONS)}")
    try:
        return signatures(known)[0].function
    except ValueError as error:
        raise UsageError(f"--like {like}: {error}") from error


def _sound(runs: Graders, target: str, limit: float | None) -> Trial | None:
    """The command with the right implementation; None, having said why, where nothing can be graded by it."""
    try:
        first = runs.trial(SOUND, limit or FIRST)
    except OSError as error:
        raise UsageError(f"{runs.command[0]!r} cannot be started: {error.strerror}") from error
    if not first.replaced:
        reason = f"the command never imports {target}, or there is no such function"
    elif first.ended.status is None:
        reason = f"the command did not end within {first.ended.seconds:.0f} s; give it longer with --time-limit"
    elif not first.called:
        reason = f"the command never calls {target}"
    elif first.ended.status != 0:
        reason = "the command fails with a right implementation, so that no failure of it says anything"
    else:
        return first
    tell(f"no score: {reason} (it ended with {first.ended.status})")
    for printed in first.ended.printed.splitlines()[-LAST_LINES:]:
        tell(f"  | {printed}")
    return None


def _noticed(runs: Graders, names: Sequence[str], limit: float, parallel: int) -> Mapping[str, bool | None]:
    said: dict[str, bool | None] = dict.fromkeys(names)
    with terminal.progress() as tick:
        for done, (name, trial) in enumerate(runs.trials(names, limit, parallel), 1):
            said[name] = None if trial.ended.status is None else trial.ended.status != 0
            tick("implementations", done, len(names))
    return said


def _again(runs: Graders, limit: float) -> None:
    """A test that fails now and then would be credited with what it does not notice."""
    if runs.trial(SOUND, limit).ended.status != 0:
        raise InfrastructureError(
            "the command passes with a right implementation once and fails with it the second time: it has no score "
            "while it fails by chance. Fix its seed"
        )


def _show(result: Grade, rest: Sequence[Witness]) -> None:
    tell(_sentence(result))
    for heading, attribute in (("kind", "kind"), ("severity", "severity")):
        rows = result.by(attribute)
        width = max(map(len, rows), default=0)
        tell(f"by {heading}:")
        for name, (noticed, of) in rows.items():
            tell(f"  {_words(name):{width}}  {noticed:3} of {of:3}")
    if result.passed:
        tell("let through, gravest first:")
        shown = result.passed[:MOST_SHOWN]
        for one in shown:
            tell(f"  {one.name}: {one.mistake}")
        if len(result.passed) > len(shown):
            tell(f"  … and {len(result.passed) - len(shown)} more")
        more = len(rest)
        tell(f"{more} small test{'s' if more != 1 else ''} would show all of these: --tests FILE.py writes them")
    for one in result.unknown:
        tell(f"not found out, it did not end in time: {one.name}")


def _sentence(result: Grade) -> str:
    of = len(result.noticed) + len(result.passed)
    return f"score: {len(result.noticed)} of {of} known-bad implementations noticed ({100.0 * result.score:.0f} %)"


def _words(name: str) -> str:
    return name.replace("_", " ")


def _markdown(result: Grade, rest: Sequence[Witness], target: str, function: str, command: Sequence[str]) -> str:
    lines = [line("# Would the test of {:code} have noticed?", target), ""]
    lines += [line("{:code}, called like {:code}.", " ".join(command), function), ""]
    lines += [line("**{}**", _sentence(result)), ""]
    for heading, attribute in (("kind of mistake", "kind"), ("severity", "severity")):
        lines += [table_row(heading, "noticed", "of"), "|---|--:|--:|"]
        lines += [table_row(_words(name), noticed, of) for name, (noticed, of) in result.by(attribute).items()]
        lines.append("")
    if result.passed:
        lines += ["## Let through", "", table_row("", "kind", "what it does"), "|---|---|---|"]
        lines += [line("| {:code} | {} | {} |", one.name, one.kind, one.mistake) for one in result.passed]
        lines += [
            "",
            "## Tests that show it",
            "",
            "```python",
            written_tests(rest, target, function).rstrip(),
            "```",
            "",
        ]
    if result.unknown:
        lines += ["## Not found out", ""]
        lines += [line("- {:code} did not end in time", one.name) for one in result.unknown]
        lines.append("")
    return "\n".join(lines)
