"""xent: the conformance harness for cross-entropy losses.

This package stays empty on purpose: a worker imports `harness.adapters.base` in an environment that may hold
nothing but NumPy and one framework.
"""
