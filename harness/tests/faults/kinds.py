"""Every kind of fault there is."""

from __future__ import annotations

from harness.tests.faults import endings, programs, reading, text, writing
from harness.tests.faults.fault import Kind

KINDS: tuple[Kind, ...] = (*text.KINDS, *programs.KINDS, *endings.KINDS, *writing.KINDS, *reading.KINDS)
