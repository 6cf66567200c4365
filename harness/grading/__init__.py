"""Somebody's test, run once for each known-bad implementation, each in the place of the function it tests."""
