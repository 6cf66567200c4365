"""`python -m harness` is `xent`."""

from __future__ import annotations

from harness.cli.ending import program

program()
