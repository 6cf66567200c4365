"""The file of the cover, cases/cover.yaml: the ids of the cases that a run takes where none is named."""

from __future__ import annotations

from collections.abc import Iterable, Set
from pathlib import Path

from harness.suite.loading import find_cases_directory
from harness.suite.problems import Problem, SuiteError
from harness.suite.reading import ListNode, ScalarNode, read

HEAD = """\
# The cover: cases that together catch every known-bad implementation, and show every ledger entry and every convention
# that all cases show. `xent run` takes these, `xent run --complete` all. Written by `xent kills --cover`.
"""


def cover_file() -> Path:
    """Where the cover stands."""
    return find_cases_directory() / "cover.yaml"


def cover_text(ids: Iterable[str]) -> str:
    """The content of the file.

    >>> print(cover_text(["edges/one"]).splitlines()[-1])
    - edges/one
    """
    return HEAD + "".join(f"- {id_}\n" for id_ in ids)


def read_cover(text: str, file: str) -> dict[str, int]:
    """The ids, each with its line. SuiteError where it is no list of ids, or one stands there twice."""
    root, problems = read(text, file)
    lines: dict[str, int] = {}
    if not problems and not (isinstance(root, ListNode) and root.entries):
        problems = [Problem(file, 1, "", "expected a list of ids", "Write it again: xent kills --cover")]
    elif isinstance(root, ListNode):
        for n, entry in enumerate(root.entries):
            if not isinstance(entry, ScalarNode) or not isinstance(entry.value, str):
                problems.append(Problem(file, entry.line, f"[{n}]", "expected an id", "Write the id of a case"))
            elif entry.value in lines:
                problems.append(Problem(file, entry.line, f"[{n}]", f"{entry.value} stands here twice", "Remove one"))
            else:
                lines[entry.value] = entry.line
    if problems:
        raise SuiteError(problems)
    return lines


def lint_cover(cover: Iterable[tuple[str, int]], cases: Set[str], file: str) -> list[Problem]:
    """The ids of the cover that no case has any more; what they showed has to be shown by others."""
    hint = "Write the cover again: xent kills --cover"
    return [Problem(file, line, id_, "no case has this id", hint) for id_, line in cover if id_ not in cases]
