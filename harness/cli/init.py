"""`xent init`: a project begins, with its settings and a folder for what belongs to it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from harness.adapters.choice import choose
from harness.adapters.registry import installed, registered
from harness.cli.options import Implementations
from harness.core.errors import UsageError
from harness.core.exit_codes import ExitCode
from harness.core.files import check_outputs, write_whole
from harness.core.printing import say, tell
from harness.runs.project import FOLDER, NAME, read_project, settings_text, shown_path

app = App(
    name="init",
    help_epilogue="""\
Example: a project that gates torch, and its first baseline:

    xent init -i torch
    xent run --complete -o run.jsonl
    xent accept run.jsonl
""",
)

README = """\
# What this project has accepted

`baseline.jsonl.gz` is the run that later ones are compared with: `xent accept RUN` writes it, `xent gate RUN` reads it.
`ledger/` holds the divergences known here, each with its reason; they add to those that come with xent. Commit both.
"""


@app.default
def init(
    *,
    implementation: Annotated[
        Implementations,
        Parameter(help="What the project tests; may be given several times; default: the frameworks installed here."),
    ] = (),
) -> ExitCode:
    """Write xent.toml and the folder conformance/ here; nothing that is there is written over."""
    file, readme = Path(NAME), Path(FOLDER) / "README.md"
    for path in (file, readme):
        if path.exists():
            raise UsageError(f"{path} is there already: change it, or remove it to begin anew")
    check_outputs([file, readme])
    table = registered()
    names = (
        tuple(i.name for i in choose(implementation))
        if implementation
        else tuple(name for name in installed() if table[name].family not in ("scratch", "numpy"))
    )
    write_whole(readme, README)
    write_whole(file, settings_text(names))
    project = read_project(file)
    project.ledger.mkdir(parents=True, exist_ok=True)
    say(f"written:  {file} ({', '.join(project.implementations) or 'every implementation that is installed'})")
    say(f"written:  {readme}")
    tell(
        "next:     `xent run --complete -o run.jsonl`, then `xent accept run.jsonl`, which writes "
        f"{shown_path(project.baseline)}; later `xent gate RUN.jsonl`"
    )
    return ExitCode.FINE
