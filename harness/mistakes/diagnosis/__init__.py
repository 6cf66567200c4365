"""Why a number is wrong: the mistakes of the library that yield exactly the number that came back."""

from harness.mistakes.diagnosis.search import NAMED, diagnose

__all__ = ["NAMED", "diagnose"]
