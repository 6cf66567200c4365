"""Why a number is wrong: the single change to the mathematics that yields exactly the number that came back."""

from harness.mistakes.diagnosis.search import UNEXPLAINED, diagnose

__all__ = ["UNEXPLAINED", "diagnose"]
