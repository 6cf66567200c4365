"""The sides of an upgrade: what is installed on each, whom it touches, and what of pip's settings uv is told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.adapters.registry import registered
from harness.versions.environments import _settings, uv_settings
from harness.versions.sides import SideError, from_installed, parsed, side, touched

TABLE = registered()
HERE = {"torch": "2.13.0+cpu", "numpy": "2.4.6", "keras": "3.15.1", "tensorflow": "2.21.0", "jax": "0.10.2"}


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        (["torch==2.13.0"], {"torch", "keras-torch"}),
        (["scikit_learn>=1.4"], {"sklearn"}),
        (["jaxlib==0.4.35"], {"jax", "jax-x32", "keras-jax", "optax"}),
        (["onnxruntime"], {"onnxruntime"}),
    ],
)
def test_a_requirement_touches_what_imports_it(asked: list[str], names: set[str]) -> None:
    assert set(touched(asked, TABLE)) == names


def test_companions_stay_as_they_are_installed_so_that_only_what_was_asked_for_differs() -> None:
    chosen = [TABLE["keras-torch"]]
    old = side("old", ["keras==3.5.0"], [], None, chosen, HERE)
    new = side("new", ["keras==3.15.1"], [], None, chosen, HERE)
    assert set(old.requirements) ^ set(new.requirements) == {"keras==3.5.0", "keras==3.15.1"}
    assert "torch==2.13.0" in old.requirements, "a build such as +cpu is not in every index"


def test_pins_overrule_and_a_date_leaves_companions_to_the_resolver() -> None:
    chosen = [TABLE["sklearn"]]
    pinned = side("old", ["scikit-learn==1.4.2"], ["numpy<2"], None, chosen, HERE)
    assert pinned.requirements == ("numpy<2", "scikit-learn==1.4.2")
    dated = side("old", ["scikit-learn==1.4.2"], [], "2024-06-01", chosen, HERE)
    assert dated.requirements == ("numpy", "scikit-learn==1.4.2")
    assert "2024-06-01" in dated.sentence


def test_the_old_side_is_what_is_installed() -> None:
    assert from_installed(["torch==2.15.0"], HERE) == ("torch==2.13.0",)


@pytest.mark.parametrize(
    ("run", "says"),
    [
        (lambda: parsed(["torch=2"]), "is no requirement.*torch==2.13.0"),
        (lambda: parsed(["torch==1", "Torch==2"]), "named twice"),
        (lambda: touched(["flask==3"], TABLE), "no implementation uses flask.*scikit-learn"),
        (lambda: from_installed(["scipy==1.17"], HERE), "--from scipy==VERSION"),
    ],
)
def test_what_cannot_be_used_is_refused_with_the_hint(run: object, says: str) -> None:
    assert callable(run)
    with pytest.raises(SideError, match=says):
        run()


def test_uv_takes_wheels_from_where_pip_would() -> None:
    listed = "global.extra-index-url='https://a.example/simple https://b.example/simple'\n:env:.find-links='/w1 /w2'\n"
    told = uv_settings({}, dict(_settings(listed)))
    assert told == {
        "UV_INDEX": "https://a.example/simple https://b.example/simple",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_FIND_LINKS": "/w1,/w2",
    }
    assert "UV_FIND_LINKS" not in uv_settings({"UV_FIND_LINKS": "/mine"}, dict(_settings(listed)))


def test_a_package_is_named_like_its_module_where_nothing_else_is_said() -> None:
    new = replace(TABLE["torch"], name="tinyloss", requires=("tinyloss",))
    assert touched(["tinyloss==1"], {**TABLE, "tinyloss": new}) == ("tinyloss",)
    assert "tinyloss==2.0" in side("old", ["tinyloss==2.0"], (), None, [new], {}).requirements
