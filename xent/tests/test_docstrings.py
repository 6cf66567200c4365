"""What other people call says its parameters, results and errors, and its examples run as they are printed."""

from __future__ import annotations

import doctest
import inspect
import pkgutil
import re
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import reference
import reference.losses
import xent
from harness.adapters import base

README = Path(__file__).resolve().parents[2] / "README.md"


def modules_of(package: Any) -> list[str]:
    names = (f"{package.__name__}.{found.name}" for found in pkgutil.iter_modules(package.__path__))
    return [package.__name__, *(name for name in names if not name.endswith(".tests"))]


FUNCTIONS = [
    *(getattr(reference.losses, name) for name in reference.LOSSES),
    *(member for name in reference.__all__ if inspect.isfunction(member := getattr(reference, name))),
    *(getattr(xent, name) for name in ("assert_close", "check", "tolerance", "truth")),
]
CLASSES = [
    *(member for name in reference.__all__ if inspect.isclass(member := getattr(reference, name))),
    *(member for name in base.__all__ if inspect.isclass(member := getattr(base, name))),
    xent.Tolerance,
]


def headed(text: str, heading: str) -> str:
    """The section under a heading; empty where there is none."""
    found = re.search(rf"^{heading}\n-+\n(.*?)(?=^\w[^\n]*\n-+\n|\Z)", text, flags=re.MULTILINE | re.DOTALL)
    return found[1] if found else ""


@pytest.mark.parametrize("module", [*modules_of(reference), *modules_of(xent), "harness.adapters.base"])
def test_examples_run_as_they_are_printed(module: str) -> None:
    result = doctest.testmod(import_module(module), optionflags=doctest.ELLIPSIS)
    assert result.failed == 0


def test_the_lines_of_the_readme_run() -> None:
    result = doctest.testfile(str(README), module_relative=False, optionflags=doctest.ELLIPSIS, encoding="utf-8")
    assert result.attempted
    assert result.failed == 0


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f"{f.__module__}.{f.__name__}")
def test_a_function_says_everything_about_its_arguments_and_results(function: Any) -> None:
    text = inspect.getdoc(function) or ""
    described = headed(text, "Parameters")
    for name in inspect.signature(function).parameters:
        assert re.search(rf"^.*\b{name}\b.*$", described, flags=re.MULTILINE), name
    assert headed(text, "Examples")
    assert headed(text, "Raises") or function in (reference.describe,)
    returns = inspect.signature(function).return_annotation
    assert bool(headed(text, "Returns")) == (returns != "None")


@pytest.mark.parametrize("name", reference.LOSSES)
def test_a_loss_says_its_formula_and_where_it_comes_from(name: str) -> None:
    text = inspect.getdoc(getattr(reference.losses, name)) or ""
    assert "∂" in headed(text, "Notes")
    assert ".. [1]" in headed(text, "References")


@pytest.mark.parametrize("kind", CLASSES, ids=lambda c: c.__name__)
def test_a_class_says_everything_about_its_fields(kind: type) -> None:
    described = headed(inspect.getdoc(kind) or "", "Attributes")
    for name in getattr(kind, "__dataclass_fields__", {}):
        assert re.search(rf"^{name}(, \w+)* : |^(\w+, )+{name} : ", described, flags=re.MULTILINE), name
