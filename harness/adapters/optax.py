"""optax.losses: cross-entropies, focal loss and divergences on JAX, and their reductions as a user writes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import jaxlib
import optax

from harness.adapters.base import Answer, Call, Description, Prepared, Unsupported
from harness.adapters.jax_calls import EXPORTED, MAPPED, Named, Recipe, Runner, along, by_rows, facts, flags, reduced
from harness.adapters.scaled_logits import attested, scaling, without_scale

# A module of its own since 0.2.0; the same functions stood beside the optimizers before.
_PLACE = "optax.losses" if hasattr(optax, "losses") else "optax"
_LOSSES = getattr(optax, "losses", optax)
_REDUCTION = ("reduction", "denominator")


def _are_labels(call: Call) -> bool:
    """Whether the targets are class labels; integers in the shape of the logits are a distribution."""
    targets = call.inputs["targets"]
    return not targets.is_float and targets.shape != call.inputs["logits"].shape


def _softmax_cross_entropy(call: Call) -> Recipe:
    if _are_labels(call) and not call.options.get("label_smoothing"):
        return _with_integer_labels(call)
    name = f"{_PLACE}.softmax_cross_entropy"
    call.refuse_options_except(*_REDUCTION, "axis", "label_smoothing", "class_mask", of=name)
    if "class_mask" in call.options and call.options.get("label_smoothing"):
        raise Unsupported(f"{_PLACE}.smooth_labels has no class_mask")
    axis = call.options.get("axis", -1)

    def compute(named: Named) -> Any:
        labels, chosen = _smoothed(call, named, axis), _axis(call)
        if "class_mask" in named:
            chosen["where"] = along(axis, named["class_mask"], named["logits"])
        return reduced(call, _LOSSES.softmax_cross_entropy(named["logits"], labels, **chosen))

    masked = {"class_mask": "where"} if "class_mask" in call.options else {}
    return Recipe(name, compute, {**_smoothing_attested(call), **masked})


def _with_integer_labels(call: Call) -> Recipe:
    name = f"{_PLACE}.softmax_cross_entropy_with_integer_labels"
    call.refuse_options_except(*_REDUCTION, "axis", "ignore_index", "label_smoothing", of=name)
    ignored = call.options.get("ignore_index")

    def compute(named: Named) -> Any:
        labels = named["targets"]
        keep = None if ignored is None else labels != ignored
        chosen = _axis(call) if keep is None else {**_axis(call), "where": keep}
        losses = _LOSSES.softmax_cross_entropy_with_integer_labels(named["logits"], labels, **chosen)
        return reduced(call, losses, keep)

    attested = {} if ignored is None else {"ignore_index": "where=labels != ignore_index"}
    return Recipe(name, compute, attested)


def _safe_softmax_cross_entropy(call: Call) -> Recipe:
    name = f"{_PLACE}.safe_softmax_cross_entropy"
    call.refuse_options_except(*_REDUCTION, "axis", "label_smoothing", of=name)
    if call.options.get("axis", -1) not in (-1, call.inputs["logits"].storage.ndim - 1):
        raise Unsupported(f"{name} has no axis: the classes are on the last one")
    if _are_labels(call) and not call.options.get("label_smoothing"):
        raise Unsupported(f"{name} takes distributions, no integer labels")

    def compute(named: Named) -> Any:
        return reduced(call, _LOSSES.safe_softmax_cross_entropy(named["logits"], _smoothed(call, named, -1)))

    return Recipe(name, compute, _smoothing_attested(call))


def _axis(call: Call) -> dict[str, Any]:
    """The keyword, where the case asks for another axis than the last: versions before 0.2.4 have none."""
    return {"axis": call.options["axis"]} if "axis" in call.options else {}


def _smoothed(call: Call, named: Named, axis: int) -> Any:
    labels, smoothing = named["targets"], call.options.get("label_smoothing")
    if not smoothing:
        return labels
    if _are_labels(call):
        logits = named["logits"]
        labels = jax.nn.one_hot(labels, logits.shape[axis], dtype=logits.dtype, axis=axis)
    return _LOSSES.smooth_labels(labels, smoothing, **_axis(call))


def _smoothing_attested(call: Call) -> dict[str, str]:
    if not call.options.get("label_smoothing"):
        return {}
    hot = {"integer labels": "jax.nn.one_hot"} if _are_labels(call) else {}
    return {**hot, "label_smoothing": f"{_PLACE}.smooth_labels"}


def _sigmoid_binary_cross_entropy(call: Call) -> Recipe:
    name = f"{_PLACE}.sigmoid_binary_cross_entropy"
    call.refuse_options_except(*_REDUCTION, of=name)

    def compute(named: Named) -> Any:
        return reduced(call, _LOSSES.sigmoid_binary_cross_entropy(named["logits"], named["targets"]))

    return Recipe(name, compute)


def _sigmoid_focal_loss(call: Call) -> Recipe:
    name = f"{_PLACE}.sigmoid_focal_loss"
    call.refuse_options_except(*_REDUCTION, "alpha", "gamma", of=name)
    chosen = {n: call.options[n] for n in ("alpha", "gamma") if n in call.options}

    def compute(named: Named) -> Any:
        return reduced(call, _LOSSES.sigmoid_focal_loss(named["logits"], named["targets"], **chosen))

    return Recipe(name, compute)


def _kl_divergence(call: Call) -> Recipe:
    call.refuse_inputs_except("targets", "log_probabilities")
    name = "kl_divergence_with_log_targets" if call.options.get("log_target") else "kl_divergence"
    call.refuse_options_except(*_REDUCTION, "axis", "log_target", of=f"{_PLACE}.{name}")

    def compute(named: Named) -> Any:
        rows = getattr(_LOSSES, name)(named["log_probabilities"], named["targets"], **_axis(call))
        return jnp.sum(rows) / rows.shape[0] if call.options["reduction"] == "batchmean" else reduced(call, rows)

    return Recipe(f"{_PLACE}.{name}", compute)


_RECIPES: Mapping[str, Callable[[Call], Recipe]] = {
    "softmax_cross_entropy": _softmax_cross_entropy,
    "binary_cross_entropy_with_logits": _sigmoid_binary_cross_entropy,
    "binary_focal": _sigmoid_focal_loss,
    "kl_divergence": _kl_divergence,
}


_SAFE = "safe"
"""The mode of `safe_softmax_cross_entropy`, in which 0 · log 0 = 0, compiled too."""


class Optax:
    """optax.losses, each loss by the function a user reaches for first; in the mode `safe` by the one for −inf."""

    def __init__(self) -> None:
        self._runner = Runner()

    def describe(self) -> Description:
        return Description(
            version=optax.__version__,
            losses=tuple(_RECIPES),
            modes=("jit", "eager", _SAFE, MAPPED, EXPORTED),  # jit first: see harness/adapters/jax.py
            mode_losses={_SAFE: ("softmax_cross_entropy",)},
            flush_to_zero=True,  # JAX on the CPU: see harness/adapters/jax.py
            versions={"optax": optax.__version__, "jax": jax.__version__, "jaxlib": jaxlib.__version__},
            device=jax.default_backend(),
            flags=flags(),
            facts=facts(),
        )

    def evaluate(self, call: Call) -> Answer:
        return self._runner.run(call, _recipe(call))

    def prepare(self, call: Call) -> Prepared:
        return self._runner.prepare(call, _recipe(call))


def _recipe(call: Call) -> Recipe:
    if call.loss not in _RECIPES:
        raise Unsupported(f"optax has no function for {call.loss}")
    asked = without_scale(call)
    recipe = _safe_softmax_cross_entropy(asked) if call.mode == _SAFE else _RECIPES[call.loss](asked)
    compute = by_rows(call, scaling(call, recipe.compute))
    return replace(recipe, compute=compute, computed_with={**recipe.computed_with, **attested(call)})
