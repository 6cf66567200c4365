"""Which implementations and modes are meant. Whoever runs, times or fuzzes any asks here."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from harness.adapters.base import Description
from harness.adapters.registry import Implementation, installed, registered, resolve
from harness.core.errors import UsageError

ALL = "all"
"""Among the modes asked for: every mode of every implementation."""

FIRST = "first"
"""Among the modes asked for: whichever an implementation names first."""


def choose(
    names: Sequence[str] = (),
    *,
    family: str | None = None,
    among: Collection[str] | None = None,
    elsewhere: bool = False,
) -> tuple[Implementation, ...]:
    """The implementations that are meant, each once.

    Parameters
    ----------
    names
        Names as `resolve` takes them. Where there are any, nothing else counts.
    family
        All registered implementations of this family, installed or not: one that was asked for and cannot be imported
        is missing, which the run says.
    among
        Registered names to choose from where nothing is named: those of them that are installed, or all of them where
        none is.
    elsewhere
        The workers run in another environment, of which nobody here can see what is installed: all of `among`.

    Raises
    ------
    UsageError
        A name addresses nothing, or there is no such family.
    """
    if names:
        return tuple({i.name: i for i in map(resolve, names)}.values())
    table = registered()
    if family is not None:
        families = sorted({i.family for i in table.values()})
        if family not in families:
            raise UsageError(f"--family {family}: no such family; there are {', '.join(families)}")
        return tuple(i for i in table.values() if i.family == family)
    candidates = {name: i for name, i in table.items() if i.by_default and (among is None or name in among)}
    present = () if elsewhere else tuple(candidates[name] for name in installed() if name in candidates)
    return present or tuple(candidates.values())


def check_modes(asked: Collection[str] | None, descriptions: Mapping[str, Description]) -> None:
    """UsageError where a mode is asked for that none of the described implementations has.

    `asked` may hold `ALL` and `FIRST`; None asks for no mode by name.
    """
    there = dict.fromkeys(mode for description in descriptions.values() for mode in description.modes)
    for mode in asked or ():
        if mode not in there and mode not in (ALL, FIRST):
            raise UsageError(
                f"--modes {mode}: none of {', '.join(descriptions)} has it; there are {', '.join(there)}, "
                f"besides `{FIRST}` and `{ALL}`"
            )


def check_truths(descriptions: Mapping[str, Description], asked: str) -> None:
    """UsageError where one of the described implementations brings a truth of its own, and `asked` knows none."""
    for name, description in descriptions.items():
        if description.truth:
            raise UsageError(
                f"{name} brings a truth of its own, {description.truth}, and {asked} judges by the family's alone: "
                "`xent run` and `xent.check` judge by it"
            )
