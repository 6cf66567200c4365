"""Errors that a person caused and can mend, whatever part of the program finds them."""

from __future__ import annotations


class UsageError(ValueError):
    """Something the user wrote cannot be done; the message names what, where, and what to write instead."""
