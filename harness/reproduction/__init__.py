"""Standalone reproductions: a cell as a script that needs NumPy and one framework, and as the text of an issue.

Pure: text out of values. One module per framework knows how its functions are written down.
"""

from harness.reproduction.cell_script import Numbers, issue_of, script_of
from harness.reproduction.example import Example, Inexpressible
from harness.reproduction.script_writing import Expected, issue, script

__all__ = ["Example", "Expected", "Inexpressible", "Numbers", "issue", "issue_of", "script", "script_of"]
