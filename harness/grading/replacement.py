"""A known-bad implementation in the place of somebody's function, in the process of their test."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from harness.adapters.framework_signatures import REQUIRED, signatures
from harness.adapters.standing_in import stand_in
from harness.mistakes import adapter


def replacement(function: str, implementation: str, original: Callable[..., Any]) -> Callable[..., Any]:
    """What takes the place of `original`, which has the signature of the framework's `function`.

    Its parameters may have names of their own: those without a default are known by their place. Where `original` is a
    class, it takes what an object is made with together with what that is called with.
    """
    standing = stand_in(function, adapter(implementation).evaluate)
    renamed = _renamed(function, original)

    def called(*arguments: Any, **keywords: Any) -> Any:
        return standing(*arguments, **{renamed.get(name, name): value for name, value in keywords.items()})

    return called


def _renamed(function: str, original: Callable[..., Any]) -> Mapping[str, str]:
    """The parameters of `function` by the names that `original` has for them."""
    known = signatures(function)[0].parameters
    try:
        own = list(inspect.signature(original).parameters)
    except (TypeError, ValueError):  # one that is built in may not say
        return {}
    required = [parameter.name for parameter in known if parameter.default is REQUIRED]
    names = {parameter.name for parameter in known}
    return {mine: theirs for mine, theirs in zip(own, required, strict=False) if mine not in names}
