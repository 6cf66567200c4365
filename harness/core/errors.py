"""Errors that are answered with a message and no traceback, by the exit code they have."""

from __future__ import annotations


class UsageError(ValueError):
    """Something the user wrote cannot be done; the message names what, where, and what to write instead.

    Exit code 4.
    """


class InfrastructureError(RuntimeError):
    """What was asked could not be found out: a worker, an environment or a file fell short. Exit code 9."""
