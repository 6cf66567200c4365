"""Which implementations and modes are meant, and what is said where there are none."""

from __future__ import annotations

import pytest

from harness.adapters import registry
from harness.adapters.base import Description
from harness.adapters.choice import check_modes, choose
from harness.adapters.registry import Implementation, registered
from harness.core.errors import UsageError


def names(implementations: tuple[Implementation, ...]) -> list[str]:
    return [implementation.name for implementation in implementations]


@pytest.fixture
def only_numpy_and_jax(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "find_spec", lambda name: object() if name in ("numpy", "jax") else None)


def test_what_is_named_is_chosen_once_in_the_order_of_naming() -> None:
    assert names(choose(["torch", "my.module:Losses", "torch"], family="scipy")) == ["torch", "my.module:Losses"]


@pytest.mark.usefixtures("only_numpy_and_jax")
def test_where_nothing_is_named_it_is_what_is_installed() -> None:
    scratch = [f"scratch-d{n}" for n in (0, 1, 3, 4)]
    assert names(choose()) == ["jax", "jax-x32", "numpy", *scratch]
    assert names(choose(among=["torch", "numpy", "jax"])) == ["jax", "numpy"]


@pytest.mark.usefixtures("only_numpy_and_jax")
def test_in_another_environment_nobody_knows_what_is_installed() -> None:
    assert names(choose(elsewhere=True)) == [name for name, i in registered().items() if i.by_default]
    assert names(choose(among=["torch", "jax"], elsewhere=True)) == ["torch", "jax"]


def test_what_takes_seconds_for_each_call_is_meant_only_where_it_is_named() -> None:
    slow = {"loss-parallel", "torch-export", "liger"}
    assert not slow & set(names(choose(elsewhere=True)) + names(choose()) + names(choose(among=slow, elsewhere=True)))
    assert names(choose(["loss-parallel"])) == ["loss-parallel"]
    assert "loss-parallel" in names(choose(family="kernels"))


@pytest.mark.usefixtures("only_numpy_and_jax")
def test_what_was_asked_for_is_chosen_though_it_is_not_installed() -> None:
    assert names(choose(family="torch")) == ["torch", "keras-torch"]
    assert names(choose(among=["torch", "keras-torch"])) == ["torch", "keras-torch"]


@pytest.mark.parametrize(
    ("chosen", "says"),
    [
        (lambda: choose(["torhc"]), "no implementation is named 'torhc': did you mean torch"),
        (lambda: choose(family="nothing"), "--family nothing: no such family; there are export, jax"),
    ],
)
def test_what_does_not_exist_is_refused_with_what_does(chosen: object, says: str) -> None:
    assert callable(chosen)
    with pytest.raises(UsageError, match=says):
        chosen()


DESCRIBED = {
    "one": Description("1", ("softmax",), modes=("eager", "jit")),
    "two": Description("1", ("softmax",), modes=("eager", "class")),
}


@pytest.mark.parametrize("asked", [None, ("all",), ("first",), ("jit",), ("first", "class", "jit")])
def test_modes_that_somebody_has_may_be_asked_for(asked: tuple[str, ...] | None) -> None:
    check_modes(asked, DESCRIBED)


def test_a_mode_that_nobody_has_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(UsageError, match="--modes xla: none of one, two has it; there are eager, jit, class"):
        check_modes(("eager", "xla"), DESCRIBED)
