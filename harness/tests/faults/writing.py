"""Outputs that cannot be written, that are one file, or a file that is read; disks that are full."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from harness.tests.faults.fault import INFRASTRUCTURE, USAGE, Check, Ended, Fault, Kind, Promise, Sample
from harness.tests.faults.samples import lines, whole_run

PAGE = "docs/reference/command-line.md"
WHOLE = Promise(PAGE, "Every file is written as a whole or not at all")
IMPOSSIBLE = Promise(PAGE, "with 4 where no file can be written under the name")
READ = Promise(PAGE, "A file that the command reads, or that it is to write twice, is refused as output")


@dataclass(frozen=True)
class Command:
    """A command with what it reads and what it may write."""

    words: tuple[str, ...]
    outputs: tuple[tuple[str, ...], ...]
    """Each option that names a file to write."""
    needed: tuple[str, ...] = ()
    """Of these options, one that has to be there."""


COMMANDS: Sequence[Command] = (
    Command(("merge", "run.jsonl"), (("-o",),), ("-o",)),
    Command(("report", "run.jsonl"), (("-o",), ("--markdown",), ("--junit",), ("--csv",)), ("-o",)),
    Command(("gate", "old.jsonl", "run.jsonl"), (("--markdown",),)),
    Command(("accept", "run.jsonl", "--ledger", "ledger"), (("--baseline",),), ("--baseline",)),
    Command(("run", "mine/cases.yaml", "-i", "numpy", "--ledger", "ledger"), (("-o",), ("--report",))),
    Command(("golden", "mine/cases.yaml"), (("-o",),), ("-o",)),
)

LONG_ONES: Sequence[Command] = (
    Command(("kills", "mine/cases.yaml"), (("-o",),)),
    Command(("certify", "--points", "1"), (("-o",),)),
    Command(("bench", "-i", "numpy"), (("-o",), ("--report",))),
)
"""What takes long unless it is refused before anything is done."""

READ_BY: Mapping[str, tuple[str, ...]] = {
    "merge": ("run.jsonl",),
    "report": ("run.jsonl",),
    "gate": ("run.jsonl", "old.jsonl"),
    "accept": ("run.jsonl", "ledger/known.yaml"),
    "run": ("mine/cases.yaml", "ledger/known.yaml"),
    "golden": ("mine/cases.yaml",),
}


def _files(sample: Sample) -> dict[str, str | bytes]:
    run = lines(whole_run(sample.records, lost=False))
    return {
        "run.jsonl": run,
        "old.jsonl": run,
        "mine/cases.yaml": sample.cases.replace("edges/", "mine/"),
        "ledger/known.yaml": sample.ledger,
        "earlier": "what stood here before\n",
    }


def _with(command: Command, options: Mapping[str, str]) -> tuple[str, ...]:
    """The words of the command with these outputs, and somewhere for those it would write elsewhere."""
    given = {**{option: f"somewhere{option}" for option in command.needed}, **options}
    return (*command.words, *(word for pair in given.items() for word in pair))


def _option(chance: Random, command: Command) -> str:
    return chance.choice(command.outputs)[0]


def _only(*names: str) -> Check:
    """Nothing is in the folder but the files there were and these."""

    def look(ended: Ended) -> str | None:
        there = {path.relative_to(ended.folder).as_posix() for path in ended.folder.rglob("*") if not path.is_dir()}
        new = there - set(ended.before) - set(names)
        return f"left behind: {sorted(new)}" if new else None

    return look


# --- names ------------------------------------------------------------------------------------------------------------


def _circle(folder: Path) -> None:
    (folder / "circle").symlink_to("elsewhere")
    (folder / "elsewhere").symlink_to("circle")


def _folder(folder: Path) -> None:
    (folder / "folder" / "inside").mkdir(parents=True)


NAMES: Sequence[tuple[str, Callable[[Path], None] | None]] = (
    ("folder", _folder),
    ("folder/", _folder),
    (".", None),
    ("..", None),
    ("/", None),
    ("n" * 256, None),
    ("new/" + "n" * 300, None),
    ("/".join(["deep"] * 1200), None),
    ("earlier/report.html", None),
    ("run.jsonl/x/y", None),
    ("circle", _circle),
    ("circle/x", _circle),
    ("/dev/null/x", None),
    ("/proc/self/x", None),
)


def _impossible(chance: Random, sample: Sample) -> Fault:
    command = chance.choice((*COMMANDS, *LONG_ONES))
    name, prepare = chance.choice(NAMES)
    files = _files(sample)
    return Fault(
        f"an output is called {name[:40]!r}",
        IMPOSSIBLE,
        _with(command, {_option(chance, command): name}),
        frozenset({USAGE}),
        files,
        stands=tuple(files),
        says=("cannot be written",),
        prepare=prepare,
    )


def _spelled(chance: Random, name: str) -> tuple[str, Callable[[Path], None] | None]:
    """Another name of a file."""
    folder, _, last = name.rpartition("/")
    way = chance.choice(("same", "dot", "up", "absent", "symbolic", "hard", "link to link", "folder"))
    match way:
        case "dot":
            return f"./{name}", None
        case "up":
            return f"ledger/../{name}", None
        case "absent":
            return f"absent/../{name}", None
        case "symbolic":
            return "symbolic", lambda place: (place / "symbolic").symlink_to(name)
        case "hard":
            return "hard", lambda place: (place / "hard").hardlink_to(place / name)
        case "link to link":

            def linked(place: Path) -> None:
                (place / "first").symlink_to(place / name)
                (place / "second").symlink_to("first")

            return "second", linked
        case "folder":
            return f"linked/{last}", lambda place: (place / "linked").symlink_to(place / folder)
    return name, None


def _also_read(chance: Random, sample: Sample) -> Fault:
    command = chance.choice(COMMANDS)
    name = chance.choice(READ_BY[command.words[0]])
    spelled, prepare = _spelled(chance, name)
    files = _files(sample)
    return Fault(
        f"{spelled} is {name}, which is read",
        READ,
        _with(command, {_option(chance, command): spelled}),
        frozenset({USAGE}),
        files,
        stands=tuple(files),
        says=("is also read",),
        prepare=prepare,
    )


def _twice(chance: Random, sample: Sample) -> Fault:
    command = chance.choice([command for command in COMMANDS if len(command.outputs) > 1])
    first, second = chance.sample([option for (option,) in command.outputs], 2)
    spelled, prepare = _spelled(chance, "earlier")
    files = _files(sample)
    return Fault(
        f"{spelled} is written twice",
        READ,
        _with(command, {first: "earlier", second: spelled}),
        frozenset({USAGE}),
        files,
        stands=tuple(files),
        says=("are one file",),
        prepare=prepare,
    )


# --- disks ------------------------------------------------------------------------------------------------------------


def _full(chance: Random, sample: Sample) -> Fault:
    command = chance.choice([command for command in COMMANDS if command.words[0] != "gate"])  # its files are small
    option = _option(chance, command)
    files = _files(sample)
    return Fault(
        "the disk is full",
        WHOLE,
        # `accept` reads the baseline that it replaces.
        _with(command, {option: "new" if command.words[0] == "accept" else "earlier"}),
        frozenset({INFRASTRUCTURE}),
        files,
        stands=("earlier", "run.jsonl", "old.jsonl", "mine/cases.yaml"),
        says=("could not be written",),
        checks=(_only("earlier.part", "somewhere-o.part", "ledger/accepted.yaml"),),
        # Room for what is said of it; every file of these commands is larger.
        largest_file=chance.randint(600, 1500),
    )


KINDS = (
    Kind("writing: a name that no file can have", _impossible, share=3),
    Kind("writing: an output that is read", _also_read, share=3),
    Kind("writing: two outputs that are one file", _twice, share=2),
    Kind("writing: a full disk", _full, share=2),
)
