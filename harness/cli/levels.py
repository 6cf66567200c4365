"""`xent levels`: which other kernels the frameworks can be told to choose here."""

from __future__ import annotations

from cyclopts import App

from harness.adapters import processor
from harness.core.exit_codes import ExitCode
from harness.core.printing import tell
from harness.execution.levels import LEVELS, available

app = App(
    name="levels",
    help_epilogue="""\
Example: what TensorFlow answers without oneDNN:

    xent levels; xent run 'edges/softmax*' -i tensorflow --level eigen
""",
)


@app.default
def levels() -> ExitCode:
    """Every level: what it is, whether it can be had here, and the variables it sets."""
    here = available(processor.features())
    for name, level in LEVELS.items():
        tell(f"{name:8} {level.meaning}{'' if name in here else ' (not on this processor)'}")
        for variable, value in level.variables.items():
            tell(f"{'':8}   {variable}={value}")
        if level.numpy_keeps is not None:
            tell(f"{'':8}   NPY_DISABLE_CPU_FEATURES=all but {' '.join(level.numpy_keeps) or 'what it always uses'}")
    return ExitCode.FINE
