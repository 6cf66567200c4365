"""Certifying the reference: an independent evaluation in mpmath says how far off its worst element is."""
