"""What a Python reads at its start when a command is graded; the folder stands first on its import path."""
