"""Names of implementations: every way to address one, and what is said where there is none."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint
from importlib.util import find_spec

import pytest

from harness.adapters import registry
from harness.adapters.registry import ENTRY_POINTS, RegistryError, installed, registered, resolve


def test_all_promised_names_are_registered() -> None:
    assert {name for name, i in registered().items() if i.family != "kernels"} == {
        *("torch", "tensorflow", "keras-tensorflow", "keras-torch", "keras-jax", "jax", "jax-x32", "optax"),
        *("sklearn", "scipy", "onnx-reference", "onnxruntime", "numpy", "numpy-by-hand", "torch-export"),
        "tensorflow-deterministic",
        *(f"scratch-d{n}" for n in range(5)),
    }


@pytest.mark.parametrize("name", registered())
def test_a_registered_name_resolves_to_itself(name: str) -> None:
    implementation = resolve(name)
    assert implementation.name == name
    assert implementation.requires
    assert not implementation.found_here


@pytest.mark.parametrize("name", sorted({i.target.partition(":")[0] for i in registered().values()}))
def test_the_module_of_every_registered_adapter_exists(name: str) -> None:
    assert find_spec(name) is not None


def test_what_is_chosen_per_process_is_in_the_environment() -> None:
    assert [resolve(f"keras-{b}").environment["KERAS_BACKEND"] for b in ("tensorflow", "torch", "jax")] == [
        *("tensorflow", "torch", "jax")
    ]
    assert [resolve(name).environment["JAX_ENABLE_X64"] for name in ("jax", "jax-x32", "keras-jax", "optax")] == [
        *("1", "0", "1", "1")
    ]


def test_only_what_is_there_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "find_spec", lambda module: None if module == "jax" else object())
    assert set(registered()) - set(installed()) == {"jax", "jax-x32", "keras-jax"}


def test_any_class_can_be_addressed() -> None:
    implementation = resolve("my_package.losses:MyLosses")
    assert implementation.target == "my_package.losses:MyLosses"
    assert implementation.found_here


def test_a_mutant_is_addressed_by_its_name() -> None:
    assert resolve("mutant:epsilon.softmax").target == "harness.mistakes:epsilon.softmax"


def test_a_program_is_split_as_a_shell_would_without_one() -> None:
    assert resolve("command:./program --name 'two words' $HOME; rm").command == (
        *("./program", "--name", "two words", "$HOME;", "rm"),
    )


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("command:", "names no program; write command:./my-program --flag"),
        ("command:'open", "is no command line: No closing quotation"),
        ("torhc", "no implementation is named 'torhc': did you mean torch"),
        ("zzz", "`xent implementations` lists them"),
        ("a b:C", "addressed as module:Class, like:FUNCTION=module:function, mutant:NAME or command:PROGRAM ARGUMENTS"),
    ],
)
def test_a_name_that_addresses_nothing_is_answered_with_what_would(name: str, why: str) -> None:
    with pytest.raises(RegistryError) as caught:
        resolve(name)
    assert why in str(caught.value)


def test_other_packages_publish_implementations(monkeypatch: pytest.MonkeyPatch) -> None:
    def published(group: str) -> list[EntryPoint]:
        assert group == ENTRY_POINTS
        return [EntryPoint("tinyloss", "tinyloss.xent:TinyLoss", group)]

    monkeypatch.setattr(registry, "entry_points", published)
    assert resolve("tinyloss").target == "tinyloss.xent:TinyLoss"
    with pytest.raises(RegistryError, match="did you mean tinyloss"):
        resolve("tinylos")


def test_looking_up_names_imports_nothing_but_the_standard_library() -> None:
    script = (
        "import sys; before = set(sys.modules); import harness.adapters.registry as r;"
        "r.resolve('torch'); r.installed();"
        "print(*{m.partition('.')[0] for m in set(sys.modules) - before} - sys.stdlib_module_names)"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["harness"]
