"""Certifying the reference: an independent evaluation in mpmath says how far off its worst element is."""

from harness.certification.running import main

__all__ = ["main"]
