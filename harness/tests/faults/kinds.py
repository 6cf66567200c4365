"""Every kind of fault there is."""

from __future__ import annotations

from harness.tests.faults import text, writing
from harness.tests.faults.fault import Kind

KINDS: tuple[Kind, ...] = (*text.KINDS, *writing.KINDS)
