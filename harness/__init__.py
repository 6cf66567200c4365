"""xent: the conformance harness for cross-entropy losses.

    import harness
    harness.check("my_package.my_adapter:MyLosses").assert_conforms()

Nothing is imported here before it is asked for: a worker imports `harness.adapters.base` in an environment that may
hold nothing but NumPy and one framework.
"""

from __future__ import annotations

TYPE_CHECKING = False  # whoever imports this should not wait for the module `typing`
if TYPE_CHECKING:
    from harness.checking import check as check

__all__ = ["check"]


def __getattr__(name: str) -> object:
    if name == "check":
        from harness.checking import check

        return check
    raise AttributeError(f"module 'harness' has no attribute {name!r}")
