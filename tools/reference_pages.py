"""Parts of the reference pages whose text lives in the code; a test says when they are behind.

python -m tools.reference_pages
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import reference.conventions
import reference.losses
import xent
from harness.core.exit_codes import ExitCode
from harness.judgement import tolerance
from reference.signatures import LOSSES

PAGES = Path(__file__).resolve().parents[1] / "docs" / "reference"
PART = re.compile(r"(<!-- (\w+): written by tools/reference_pages.py -->\n).*?(<!-- end of \2 -->)", re.DOTALL)


def written(page: str) -> str:
    """A page with its parts as the code has them now."""
    return PART.sub(lambda part: f"{part[1]}\n{_TEXTS[part[2]]()}\n\n{part[3]}", page)


def main() -> None:
    """Write all pages anew."""
    for page in sorted(PAGES.glob("*.md")):
        page.write_text(written(page.read_text(encoding="utf-8")), encoding="utf-8")


def _losses() -> str:
    return "\n\n".join(_function(name, getattr(reference.losses, name)) for name in LOSSES)


def _xent() -> str:
    names = ("assert_close", "truth", "tolerance", "check")
    return "\n\n".join(_function(f"xent.{name}", getattr(xent, name)) for name in names)


def _function(name: str, function: Callable[..., Any]) -> str:
    arguments = ", ".join(inspect.signature(function).parameters)
    return f"## {name}\n\n`{name}({arguments})`\n\n{_verbatim(inspect.getdoc(function))}"


def _verbatim(text: str | None) -> str:
    """Formulas are typeset with signs that Markdown would take for markup."""
    return f"```text\n{text or ''}\n```"


def _conventions() -> str:
    return (inspect.getdoc(reference.conventions) or "").partition("\n\n")[2]


def _tolerances() -> str:
    return _verbatim(inspect.getdoc(tolerance))


def _exit_codes() -> str:
    meanings = {
        ExitCode.FINE: "everything agrees or is explained",
        ExitCode.DISAGREES: "something disagrees",
        ExitCode.INTERRUPTED: "interrupted",
        ExitCode.INTERNAL: "an error of the harness itself",
        ExitCode.USAGE: "a wrong argument or file; the message names where, what and the hint",
        ExitCode.NOTHING_RAN: "nothing ran",
        ExitCode.STALE_LEDGER: "a ledger entry no longer happens or matches nothing",
        ExitCode.CHANGED: "behaviour differs from the baseline and nobody accepted it",
        ExitCode.SLOWER: "only slower than the baseline",
        ExitCode.INFRASTRUCTURE: "a worker crashed, hung or could not start; a run was cut off",
    }
    rows = [f"| {code.value} | {meanings[code]} |" for code in ExitCode]
    return "\n".join(["| code | meaning |", "|--:|---|", *rows])


_TEXTS = {
    "losses": _losses,
    "xent": _xent,
    "conventions": _conventions,
    "tolerances": _tolerances,
    "exit_codes": _exit_codes,
}


if __name__ == "__main__":
    main()
