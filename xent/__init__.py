"""What other people's tests import: an exact truth, a tolerance with a reason, and a judgement of one call or of all.

    xent.assert_close(value, {"logits": gradient}, loss="softmax_cross_entropy", logits=logits, targets=targets)
    xent.check("my_package.losses:MyLosses").assert_conforms()

Nothing is imported here before it is asked for, so that `import xent` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.checking import check as check
    from xent.closeness import assert_close as assert_close
    from xent.tolerances import Tolerance as Tolerance
    from xent.tolerances import tolerance as tolerance
    from xent.truths import truth as truth

__all__ = ["Tolerance", "assert_close", "check", "tolerance", "truth"]


def __getattr__(name: str) -> Any:
    match name:
        case "check":
            module = "harness.checking"
        case "assert_close":
            module = "xent.closeness"
        case "tolerance" | "Tolerance":
            module = "xent.tolerances"
        case "truth":
            module = "xent.truths"
        case _:
            raise AttributeError(f"module 'xent' has no attribute {name!r}")
    return getattr(import_module(module), name)
