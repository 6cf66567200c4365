"""What changed in a package, release by release: a page per package, and the same as JSON for others."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from harness.core.cell import Key
from harness.core.text import markdown as line
from harness.versions.behaviours import Behaviour, Group, History, Span, in_words
from harness.versions.digest import Seen

Notes = Mapping[str, str]
"""By version, what a person found in sources or release notes, in Markdown."""


def page(
    history: History, found: Sequence[Group], all_of_them: Sequence[Behaviour], notes: Notes, losses: Mapping[str, str]
) -> str:
    """The page of a package: what was run, then every release in which something changed, the newest first."""
    return "\n".join(_lines(history, found, all_of_them, notes, losses)) + "\n"


def _lines(
    history: History, found: Sequence[Group], all_of_them: Sequence[Behaviour], notes: Notes, losses: Mapping[str, str]
) -> Iterator[str]:
    known = history.known
    yield line("# What changed in the losses of {}, release by release", history.package)
    yield ""
    if not known:
        yield "No release could be run."
    else:
        implementations = sorted({name for digest in known for name in digest.implementations})
        cells = sum(len(group.keys) for group in found)
        text = "{} releases, {} to {}, each in an environment of its time; {}, first mode: {} cells, {} changed."
        about = (len(known), known[0].version, known[-1].version, ", ".join(implementations), len(all_of_them), cells)
        yield line(text, *about)
    gaps = [digest for digest in history.digests if digest.gap]
    if gaps:
        yield ""
        yield line("Not run, and so no difference: {}.", ", ".join(digest.version for digest in gaps))
    turns = turns_of(found)
    bits: dict[str, Counter[str]] = defaultdict(Counter)
    for behaviour in all_of_them:
        for version in behaviour.bits:
            bits[version][f"{behaviour.key[1]} {losses.get(behaviour.key[0], '')}".strip()] += 1
    for digest in reversed(known):
        there, changed = turns.get(digest.version, ()), bits[digest.version]
        if not there and not changed and digest.version not in notes:
            continue
        yield ""
        yield line("## {}", digest.version + (f" ({digest.day})" if digest.day else ""))
        yield ""
        if digest.version in notes:
            yield notes[digest.version].strip()
            yield ""
        moved = ", ".join(f"{name} {old} → {new}" for name, (old, new) in history.companions(digest.version).items())
        if moved:
            yield line("With it, of its time: {}.", moved)
            yield ""
        for turn in there:
            yield from _turn(turn)
        if changed:
            told = ", ".join(f"{count} × {name}" for name, count in changed.most_common())
            yield line("- Other bits, judged the same: {}.", told)


@dataclass(frozen=True)
class Turn:
    """What a release changed in the same way."""

    implementation: str
    loss: str
    entry: str
    was: Seen
    now: Span[Seen]
    until: str
    """The last release in which it is so; empty where that is the newest."""


Turns = Mapping[str, Sequence[tuple[Turn, tuple[Key, ...], bool]]]
"""By release: what changed, in which cells, and whether it was seen three times on both sides."""


def turns_of(found: Sequence[Group]) -> Turns:
    """What each release changed, the most cells first."""
    cells: dict[str, dict[Turn, list[Group]]] = defaultdict(lambda: defaultdict(list))
    for group in found:
        for was, now in pairwise(group.timeline):
            until = "" if now is group.timeline[-1] else now.last
            turn = Turn(group.implementation, group.loss, group.entry, was.value, replace(now, last=""), until)
            cells[now.first][turn].append(group)
    return {
        version: sorted(
            (
                (turn, tuple(key for group in some for key in group.keys), all(group.confirmed for group in some))
                for turn, some in by_turn.items()
            ),
            key=lambda entry: -len(entry[1]),
        )
        for version, by_turn in cells.items()
    }


def _turn(entry: tuple[Turn, tuple[Key, ...], bool]) -> Iterator[str]:
    turn, keys, confirmed = entry
    what = (len(keys), f"{turn.implementation} {turn.loss}".strip(), in_words(turn.was), in_words(turn.now.value))
    text = line("- **{} × {}**: {}; now {}", *what)
    if turn.now.unknown:
        text += line("; or since {}, of which nothing is known", turn.now.unknown[0])
    if turn.until:
        text += line("; until {}", turn.until)
    yield text + ("." if confirmed else " (seen once, not repeated).")
    if turn.entry:
        yield line("  - ledger: {:code}", turn.entry)
    yield line("  - {:code}", f"xent since '{name_of(keys[0])}'")


def name_of(key: Key) -> str:
    """A cell as a user names it."""
    case, *rest = key
    return f"{case}[{':'.join(rest)}]"


def as_json(history: History, found: Sequence[Group]) -> str:
    """The history of a package for other programs: releases, then every group of behaviours that changed."""
    return json.dumps(
        {
            "package": history.package,
            "machine": dict(history.digests[0].machine) if history.digests else {},
            "releases": [_release(history, position) for position in range(len(history.digests))],
            "behaviours": [_behaviour(group) for group in found],
        },
        indent=1,
    )


def _release(history: History, position: int) -> dict[str, Any]:
    digest = history.digests[position]
    facts: dict[str, Any] = {"version": digest.version, "day": digest.day}
    return facts | ({"gap": digest.gap} if digest.gap else {"cells": len(digest.cells)})


def _behaviour(group: Group) -> dict[str, Any]:
    return {
        "implementation": group.implementation,
        "loss": group.loss,
        "ledger": group.entry or None,
        "confirmed": group.confirmed,
        "spans": [
            {
                "is": in_words(span.value),
                "first": span.first,
                "last": span.last,
                "after": span.after,
                "unknown": list(span.unknown),
            }
            for span in group.timeline
        ],
        "cells": [name_of(key) for key in group.keys],
    }
