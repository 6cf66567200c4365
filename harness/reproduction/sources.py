"""Functions of the project's own modules as text that stands alone: what a script quotes cannot drift from what ran.

The modules are read as data and never imported, so that no framework has to be there.
"""

from __future__ import annotations

import ast
import functools
import pkgutil
import sys
from collections.abc import Iterable


def definitions(module: str, names: Iterable[str]) -> tuple[str, ...]:
    """The functions and constants `names` of `harness/MODULE` and what they use of it, in the order of the module.

    Annotations are left out, since what they name is not imported by a script. ValueError where a name is not there.
    """
    found = _top_level(module)
    wanted: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            raise ValueError(f"harness/{module} defines no {name}")
        if name not in wanted:
            wanted.add(name)
            waiting += [node.id for node in ast.walk(found[name]) if isinstance(node, ast.Name) and node.id in found]
    return tuple(dict.fromkeys(ast.unparse(node) for name, node in found.items() if name in wanted))


@functools.cache
def _top_level(module: str) -> dict[str, ast.stmt]:
    """Functions and constants of a module by name, in its order, without annotations."""
    data = pkgutil.get_data("harness", module)
    if data is None:
        raise ValueError(f"there is no harness/{module}")
    found: dict[str, ast.stmt] = {}
    for node in ast.parse(data).body:
        if isinstance(node, ast.FunctionDef):
            found[node.name] = _Bare().visit(node)
        elif isinstance(node, ast.Import) and node.names[0].name in sys.stdlib_module_names:
            found[node.names[0].name] = node
        elif isinstance(node, ast.ImportFrom) and str(node.module).partition(".")[0] in sys.stdlib_module_names:
            found |= {alias.asname or alias.name: node for alias in node.names}
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            found[node.targets[0].id] = node
    return found


class _Bare(ast.NodeTransformer):
    """Takes annotations away."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        node.returns = None
        self.generic_visit(node)
        return node

    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.stmt:
        return ast.Pass() if node.value is None else ast.Assign([node.target], node.value, lineno=node.lineno)
