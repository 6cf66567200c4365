"""Every Python that a graded command starts reads this: a function of somebody's is replaced once its module is there.

Standard library only, and nothing is imported before the function is called. Files are left as they are: the module is
executed as it stands, then the name is given to another function, in this module and wherever it was imported to.
"""

from __future__ import annotations

import functools
import importlib.abc
import importlib.machinery
import importlib.util
import inspect
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

TARGET = "XENT_GRADE_TARGET"
"""module.function: what is replaced."""
LIKE = "XENT_GRADE_LIKE"
"""The framework's function whose signature it has."""
IMPLEMENTATION = "XENT_GRADE_IMPLEMENTATION"
"""The known-bad implementation that takes its place, or sound."""
CODE = "XENT_GRADE_CODE"
"""A folder that holds our packages and nothing else."""
TOLD = "XENT_GRADE_TOLD"
"""A folder in which a file `replaced` says that there was such a function, and `called` that it was called."""


class _Finder(importlib.abc.MetaPathFinder):
    """Finds one module where everybody else finds it, and replaces its function once it has been executed."""

    def __init__(self, module: str, name: str) -> None:
        self._module = module
        self._name = name

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != self._module:
            return None
        for finder in [finder for finder in sys.meta_path if finder is not self]:
            spec = finder.find_spec(fullname, path, target)
            if spec is not None and spec.loader is not None:
                spec.loader = _Loader(spec.loader, self._name)
                return spec
        return None


class _Loader(importlib.abc.Loader):
    def __init__(self, loader: importlib.abc.Loader, name: str) -> None:
        self._loader = loader
        self._name = name

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        # Whoever asks the module for its loader finds its own.
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        replace(module, self._name)


def replace(module: ModuleType, name: str) -> None:
    """Give the function's name to another one, in its module and in all that have imported it by now."""
    original = getattr(module, name, None)
    if not callable(original):
        return
    _tell("replaced")
    replaced = _standing_in(original)
    setattr(module, name, replaced)
    for other in list(sys.modules.values()):
        for other_name, value in list(getattr(other, "__dict__", {}).items()):
            if value is original:
                setattr(other, other_name, replaced)


def _standing_in(original: Callable[..., Any]) -> Callable[..., Any]:
    made: list[Callable[..., Any]] = []

    def answering() -> Callable[..., Any]:
        if not made:  # here first: importing what answers takes a while, and the framework may be half imported before
            _tell("called")
            sys.path.append(os.environ[CODE])
            from harness.grading.replacement import replacement

            made.append(replacement(os.environ[LIKE], os.environ[IMPLEMENTATION], original))
        return made[0]

    if isinstance(original, type):
        return _class_standing_in(original, answering)

    def called(*arguments: Any, **keywords: Any) -> Any:
        return answering()(*arguments, **keywords)

    return functools.wraps(original)(called)


def _class_standing_in(original: type, answering: Callable[[], Callable[..., Any]]) -> type:
    """A class whose objects are made as those of the original, and are such; only what they answer is another's."""
    signature = inspect.signature(original)

    def made(self: Any, *arguments: Any, **keywords: Any) -> None:
        original.__init__(self, *arguments, **keywords)  # type: ignore[misc]
        bound = signature.bind(*arguments, **keywords)
        vars(self)["_xent_made_with"] = {**dict(zip(signature.parameters, bound.args, strict=False)), **bound.kwargs}

    def called(self: Any, *arguments: Any, **keywords: Any) -> Any:
        return answering()(*arguments, **vars(self)["_xent_made_with"], **keywords)

    like = {name: getattr(original, name) for name in ("__module__", "__qualname__", "__doc__")}
    functions = {"__init__": functools.wraps(original.__init__)(made), "__call__": called}  # type: ignore[misc]
    return type(original)(original.__name__, (original,), {**like, **functions})


def _tell(what: str) -> None:
    Path(os.environ[TOLD], what).touch()


def _read_the_next() -> None:
    """The sitecustomize that would have been read, had our folder not stood before it."""
    here = Path(__file__).parent.resolve()
    others = [entry for entry in sys.path if entry and Path(entry).resolve() != here]
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", others)
    if spec is not None and spec.loader is not None:
        spec.loader.exec_module(importlib.util.module_from_spec(spec))


def main() -> None:
    """Watch for the module; one that is there already is changed at once."""
    module, _, name = os.environ[TARGET].rpartition(".")
    if module in sys.modules:
        replace(sys.modules[module], name)
    else:
        sys.meta_path.insert(0, _Finder(module, name))


if __name__ == "sitecustomize":
    _read_the_next()
    if TARGET in os.environ:
        main()
