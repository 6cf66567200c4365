"""The command line: reads arguments, calls the engine, prints, and exits with one code."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from harness.core.errors import UsageError
from harness.core.exit_codes import ExitCode


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    parser = _parser()
    try:
        options = parser.parse_args(arguments)
    except SystemExit as stop:
        return int(ExitCode.USAGE) if stop.code not in (0, None) else int(ExitCode.FINE)
    command: Callable[[argparse.Namespace], ExitCode] = options.command
    # Only commands import what they need: `xent --help` and errors in arguments answer at once.
    from harness.core.files import OutputError
    from harness.runs.diff import NotComparable
    from harness.runs.run_file import RunFileError

    try:
        return int(command(options))
    except UsageError as error:
        print(f"xent: {error}", file=sys.stderr)
        return int(ExitCode.USAGE)
    except (OutputError, RunFileError, NotComparable) as error:
        print(f"xent: {error}", file=sys.stderr)
        return int(ExitCode.INFRASTRUCTURE)
    except KeyboardInterrupt:
        print("xent: interrupted; what was written is not a run", file=sys.stderr)
        return int(ExitCode.INTERRUPTED)
    except BrokenPipeError:
        # The reader of our output left (`xent … | head`); nothing is wrong, and nothing can be said to it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return int(ExitCode.FINE)
    except Exception:
        import traceback

        traceback.print_exc()
        print("xent: internal error: please report it with the lines above", file=sys.stderr)
        return int(ExitCode.INTERNAL)


def _version() -> str:
    try:
        return version("xent")
    except PackageNotFoundError:
        return "not installed"


_SLOWER = "how much slower is too slow, beyond the interval of the measurement; default: 5"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="xent",
        description="Judge cross-entropy losses: value and gradient, against an exact truth.",
        epilog="exit codes: 0 fine, 1 something disagrees, 2 interrupted, 3 internal, 4 usage, 5 nothing ran, "
        "6 stale ledger, 7 behaviour changed, 8 slower only, 9 infrastructure",
    )
    parser.add_argument("--version", action="version", version=f"xent {_version()}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    run = commands.add_parser("run", help="run cases on implementations and judge them")
    _selection(run)
    run.add_argument("-o", "--output", type=Path, metavar="RUN.jsonl", help="write the run file here")
    run.add_argument("--report", type=Path, metavar="REPORT.html", help="write the HTML report here")
    run.add_argument("--fresh", action="store_true", help="evaluate every truth, even those kept of earlier runs")
    run.set_defaults(command=_run)

    report = commands.add_parser("report", help="write the report of a run file")
    report.add_argument("run", type=Path, metavar="RUN.jsonl")
    report.add_argument("-o", "--output", type=Path, metavar="REPORT.html", default=Path("reports/output/report.html"))
    for name in ("markdown", "junit", "csv", "badge"):
        report.add_argument(f"--{name}", type=Path, metavar="FILE", help=f"also write it as {name}")
    report.add_argument("--baseline", type=Path, metavar="RUN.jsonl", help="an earlier run, to say what changed")
    report.add_argument("--kills", type=Path, metavar="KILLS.json", help="a kill matrix of `xent kills`: a page of it")
    report.set_defaults(command=_report)

    gate = commands.add_parser("gate", help="compare a run with a baseline; red on what nobody accepted")
    gate.add_argument("baseline", type=Path, metavar="BASELINE", help="left out: the committed baseline")
    gate.add_argument("current", type=Path, nargs="?", metavar="CURRENT")
    gate.add_argument("--against", type=Path, metavar="FILE", help="another committed baseline")
    gate.add_argument("--markdown", type=Path, metavar="FILE", help="also write it as Markdown, for a job's summary")
    gate.add_argument("--github", action="store_true", help="annotations for the pages of a pull request")
    gate.add_argument("--slower", type=float, default=5.0, metavar="PER_CENT", help=_SLOWER)
    gate.set_defaults(command=_gate)

    upgrade = commands.add_parser("upgrade", help="what changes between two versions of a framework")
    upgrade.add_argument("requirements", nargs="*", metavar="REQUIREMENT", help="the new side: torch==2.13.0")
    upgrade.add_argument(
        "--from",
        dest="origin",
        action="append",
        default=[],
        metavar="REQUIREMENT",
        help="the old side; default: what is installed here",
    )
    upgrade.add_argument(
        "-i",
        "--implementation",
        action="append",
        metavar="NAME",
        help="default: all that use the packages and are installed here",
    )
    upgrade.add_argument(
        "--cases",
        action="append",
        default=[],
        metavar="CASES",
        help="files, folders, ids or globs of ids; default: all",
    )
    upgrade.add_argument(
        "--modes", metavar="M,…", help="modes to run; `all` for every one; default: each one's `first`"
    )
    upgrade.add_argument("--dtypes", metavar="D,…", help="dtypes to run; default: all that a case names")
    for side in ("old", "new"):
        upgrade.add_argument(
            f"--{side}-pin",
            action="append",
            default=[],
            metavar="REQUIREMENT",
            help=f"also on the {side} side, such as 'numpy<2'",
        )
        upgrade.add_argument(
            f"--{side}-exclude-newer",
            metavar="DATE",
            help=f"the {side} side knows nothing released later, such as 2024-06-01",
        )
        upgrade.add_argument(
            f"--{side}-python",
            type=Path,
            metavar="PATH",
            help=f"interpreter of an environment that is the {side} side as it is; nothing is built for it",
        )
    upgrade.add_argument("--timeout", type=float, default=60.0, metavar="SECONDS", help="per call")
    upgrade.add_argument(
        "--workloads",
        action="append",
        default=[],
        metavar="NAME",
        help="what both sides are timed with, ids or globs of ids; default: the workloads of `xent bench`",
    )
    upgrade.add_argument("--no-speed", action="store_true", help="do not time the two sides")
    upgrade.add_argument("--slower", type=float, default=5.0, metavar="PER_CENT", help=_SLOWER)
    upgrade.add_argument(
        "-o",
        "--output",
        type=Path,
        default=Path("reports/output/upgrade"),
        metavar="FOLDER",
        help="for both run files and the report",
    )
    upgrade.set_defaults(command=_upgrade)

    accept = commands.add_parser("accept", help="make a run the baseline; what it shows goes into the ledger")
    accept.add_argument("run", type=Path, metavar="RUN.jsonl")
    accept.add_argument("--baseline", type=Path, default=Path("reports/baseline/baseline.jsonl.gz"), metavar="FILE")
    accept.add_argument("--ledger", type=Path, metavar="FOLDER", help="another ledger; default: cases/ledger")
    accept.set_defaults(command=_accept)

    merge = commands.add_parser("merge", help="merge the run files of shards or families into one")
    merge.add_argument("runs", type=Path, nargs="+", metavar="RUN.jsonl")
    merge.add_argument("-o", "--output", type=Path, required=True, metavar="MERGED.jsonl")
    merge.set_defaults(command=_merge)

    explain = commands.add_parser("explain", help="everything about one case: formula, truth, every answer")
    _selection(explain)
    explain.set_defaults(command=_explain)

    repro = commands.add_parser("repro", help="one cell as a standalone script, or as an issue")
    repro.add_argument("cell", metavar="CELL", help="its name: case[implementation:mode:dtype:aspect]")
    form = repro.add_mutually_exclusive_group()
    form.add_argument("--issue", action="store_true", help="the text of an issue in Markdown instead of the script")
    form.add_argument("--again", action="store_true", help="run the cell once more and show expected and observed")
    repro.set_defaults(command=_repro)

    cases = commands.add_parser("cases", help="lint, list, show the cases, or emit their schema")
    verbs = cases.add_subparsers(required=True, metavar="VERB")
    for verb, helps, function in (
        ("lint", "check every case file and the ledger", _cases_lint),
        ("list", "one line per case", _cases_list),
        ("show", "cases as they are after expansion", _cases_show),
        ("schema", "the JSON schema of case files, for editors", _cases_schema),
    ):
        sub = verbs.add_parser(verb, help=helps)
        sub.add_argument("cases", nargs="*", metavar="CASES")
        sub.set_defaults(command=function)

    bench = commands.add_parser("bench", help="measure speed: against NumPy and against the machine")
    bench.add_argument(
        "workloads", nargs="*", metavar="WORKLOAD", help="ids or globs of ids; default: the default ones"
    )
    bench.add_argument(
        "-i", "--implementation", action="append", metavar="NAME", help="default: all that are installed, not Keras"
    )
    bench.add_argument("--complete", action="store_true", help="every workload, implementation and way to compute")
    bench.add_argument("--modes", metavar="M,…", help="modes to measure; `all` for every way to compute")
    bench.add_argument("--threads", default="1", metavar="N", help="threads of each implementation, or `all`")
    bench.add_argument("--sets", type=int, metavar="N", help="sets of processes; five at least for a verdict")
    bench.add_argument("-o", "--output", type=Path, metavar="RUN.jsonl", help="write the run file here")
    bench.add_argument("--report", type=Path, metavar="REPORT.html", help="write the HTML report here")
    bench.add_argument("--python", metavar="PATH", help="interpreter of another environment to run the workers in")
    bench.set_defaults(command=_bench)

    implementations = commands.add_parser("implementations", help="what can be run here")
    implementations.set_defaults(command=_implementations)

    kills = commands.add_parser("kills", help="which case catches which known-bad implementation")
    kills.add_argument("cases", nargs="*", metavar="CASES", help="files, folders, ids or globs of ids; default: all")
    kills.add_argument("-o", "--output", type=Path, metavar="KILLS.json", help="write the matrix here")
    kills.add_argument("--parallel", type=int, default=os.cpu_count() or 1, metavar="N", help="cases side by side")
    kills.set_defaults(command=_kills)

    fuzz = commands.add_parser("fuzz", help="draw cases at random, judge them, and shrink what disagrees")
    fuzz.add_argument("-i", "--implementation", action="append", metavar="NAME", help="default: all that are installed")
    fuzz.add_argument("--family", metavar="NAME", help="all implementations of one family, e.g. torch")
    fuzz.add_argument("--loss", action="append", metavar="NAME", help="only this loss; may be given several times")
    fuzz.add_argument("--minutes", type=float, default=5.0, metavar="M", help="how long to go on; default: 5")
    fuzz.add_argument("--cases", type=int, metavar="N", help="ask N cases drawn, however long it takes")
    fuzz.add_argument("--seed", type=int, default=0, metavar="S", help="the same seed draws the same cases")
    fuzz.add_argument("--save", type=Path, metavar="FOLDER", help="write findings: case, ledger stub, script, issue")
    fuzz.add_argument("--no-ledger", action="store_true", help="take nothing as known")
    fuzz.add_argument("--first-mode", action="store_true", help="only the first mode of each implementation")
    fuzz.add_argument("--parallel", type=int, default=2, metavar="N", help="workers side by side")
    fuzz.add_argument("--python", metavar="PATH", help="interpreter of another environment to run the workers in")
    fuzz.set_defaults(command=_fuzz)

    certify = commands.add_parser("certify", help="certify the reference with mpmath")
    certify.add_argument("-o", "--output", type=Path, metavar="CERTIFICATE.json")
    certify.add_argument("--points", type=int, default=200_000, help="points of the random grid")
    certify.add_argument("--seed", type=int, default=0)
    certify.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    certify.set_defaults(command=_certify)
    return parser


def _selection(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("cases", nargs="*", metavar="CASES", help="files, folders, ids or globs of ids; default: all")
    parser.add_argument(
        "-i",
        "--implementation",
        action="append",
        metavar="NAME",
        help="a registered name, module:Class, command:PROGRAM, mutant:NAME; default: all that are installed",
    )
    parser.add_argument("--family", metavar="NAME", help="all implementations of one family, e.g. torch")
    parser.add_argument("--modes", metavar="M,…", help="modes to run; `all` for every one; default: each one's `first`")
    parser.add_argument("--dtypes", metavar="D,…", help="dtypes to run; default: all that a case names")
    parser.add_argument("--shard", metavar="i/n", help="only part i of n of the cases")
    parser.add_argument("--ledger", type=Path, metavar="FOLDER", help="another ledger; default: cases/ledger")
    parser.add_argument("--timeout", type=float, default=60.0, metavar="SECONDS", help="per call")
    parser.add_argument("--parallel", type=int, default=2, metavar="N", help="workers side by side")
    parser.add_argument("--python", metavar="PATH", help="interpreter of another environment to run the workers in")


def _run(options: argparse.Namespace) -> ExitCode:
    from harness.cli.run import run

    return run(options)


def _explain(options: argparse.Namespace) -> ExitCode:
    from harness.cli.run import explain

    return explain(options)


def _repro(options: argparse.Namespace) -> ExitCode:
    from harness.cli.repro import repro

    return repro(options)


def _fuzz(options: argparse.Namespace) -> ExitCode:
    from harness.cli.fuzz import fuzz

    return fuzz(options)


def _report(options: argparse.Namespace) -> ExitCode:
    from harness.cli.report import report

    return report(options)


def _gate(options: argparse.Namespace) -> ExitCode:
    from harness.cli.gate import gate

    return gate(options)


def _accept(options: argparse.Namespace) -> ExitCode:
    from harness.cli.gate import accept

    return accept(options)


def _upgrade(options: argparse.Namespace) -> ExitCode:
    from harness.cli.upgrade import upgrade

    return upgrade(options)


def _merge(options: argparse.Namespace) -> ExitCode:
    from harness.cli.gate import merge

    return merge(options)


def _bench(options: argparse.Namespace) -> ExitCode:
    from harness.cli.bench import bench

    return bench(options)


def _cases_lint(options: argparse.Namespace) -> ExitCode:
    from harness.cli.cases import lint

    return lint(options)


def _cases_list(options: argparse.Namespace) -> ExitCode:
    from harness.cli.cases import list_cases

    return list_cases(options)


def _cases_show(options: argparse.Namespace) -> ExitCode:
    from harness.cli.cases import show

    return show(options)


def _cases_schema(options: argparse.Namespace) -> ExitCode:
    from harness.cli.cases import schema

    return schema(options)


def _implementations(options: argparse.Namespace) -> ExitCode:
    from harness.cli.cases import implementations

    return implementations(options)


def _kills(options: argparse.Namespace) -> ExitCode:
    from harness.cli.kills import kills

    return kills(options)


def _certify(options: argparse.Namespace) -> ExitCode:
    from harness.certification import main as certify

    certificate = certify(options.output, options.points, options.seed, options.workers)
    return ExitCode.FINE if certificate.holds else ExitCode.DISAGREES
