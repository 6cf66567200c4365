"""A plain function, or a class, that takes the arguments of a framework's own, such as
`like:torch.nn.functional.cross_entropy=my_package.losses:cross_entropy`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from harness.adapters.base import Adapter
from harness.adapters.framework_signatures import signatures
from harness.adapters.functions import jax_function, numpy_function, tensorflow_function, torch_function

_CONNECTED_BY = {"torch": torch_function, "tf": tensorflow_function, "jax": jax_function}


def like(known: str, function: Callable[..., Any]) -> Adapter:
    """The adapter of a function with the signature of `known`; of a class, where that is one."""
    signature = signatures(known)[0]
    if signature.made:
        function = _in_one_call(function)
    connect = _CONNECTED_BY.get(signature.framework, numpy_function)
    return connect(function, like=known, with_gradient=signature.with_gradient)


def _in_one_call(made: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(made, updated=())
    def called(*arguments: Any, **options: Any) -> Any:
        return made(**options)(*arguments)

    return called
