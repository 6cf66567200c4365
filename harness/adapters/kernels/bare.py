"""A package without what its `__init__` does: some load CUDA libraries there that no CPU has.

The files themselves are the package's own, as installed, and import each other as they always do.
"""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType


def open_bare(*packages: str) -> None:
    """Have these packages, a parent before its children, be importable as empty ones around their modules."""
    for name in packages:
        if "." in name:
            parent, _, last = name.rpartition(".")
            folders = [str(Path(place, last)) for place in sys.modules[parent].__path__]
        else:
            found = PathFinder.find_spec(name)
            if found is None or found.submodule_search_locations is None:
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)
            folders = list(found.submodule_search_locations)
        package = ModuleType(name)
        package.__path__ = folders
        package.__spec__ = ModuleSpec(name, None, is_package=True)
        package.__spec__.submodule_search_locations = folders
        sys.modules[name] = package
