"""JAX and optax, as a script writes them."""

from __future__ import annotations

from harness.reproduction.example import Code, Example, Inexpressible


def code(example: Example) -> Code:
    """Value and gradients by jax.vjp, compiled or exported where the mode says so."""
    optax = example.implementation == "optax"
    body = [*example.defined(_expression), *run(example)]
    imports = [
        "import jax",
        *(["import jax.export"] if example.mode == "export" else []),
        "import jax.numpy as jnp",
        "import jax.scipy.special",
        *(["import optax"] if optax else []),
    ]
    versions = '"jax", jax.__version__, "numpy", np.__version__' + (', "optax", optax.__version__' if optax else "")
    return Code(tuple(imports), tuple(body), versions, environment(wide=example.implementation != "jax-x32"))


def environment(*, wide: bool = True) -> tuple[str, ...]:
    """`wide`: with 64-bit types, which JAX leaves out unless told otherwise."""
    return (f'os.environ["JAX_ENABLE_X64"] = "{int(wide)}"', 'os.environ["JAX_PLATFORMS"] = "cpu"')


def run(example: Example) -> list[str]:
    """Statements that call `loss` and differentiate it."""
    lines = [f"{name}_ = {_tensor(example, name)}" for name in example.arrays]
    inputs = ", ".join(f"{name}_" for name in example.arrays)
    given, handed = inputs, inputs
    if example.mode == "export":
        lines += [f"{name}_ = jnp.asarray({name}, jnp.{example.dtype})" for name in example.beside]
        given = ", ".join([inputs, *example.beside])
        handed = ", ".join([inputs, *(f"{name}_" for name in example.beside)])
    if example.mode == "vmap":
        rows = example.rows()
        axes = ", ".join("0" if name in rows else "None" for name in example.arrays)
        lines.append(f"loss = jax.vmap(loss, in_axes=({axes},))")
    lines.append(f"def computed({given}):")
    if example.differentiate is None:
        lines.append(f"    return loss({inputs})")
    else:
        by = f"{example.differentiate}_"
        tangents = f"({by},), (jnp.asarray(vector, {by}.dtype),)"
        upstream = "jnp.ones_like(result)" if example.cotangent is None else "jnp.asarray(cotangent, result.dtype)"
        pulled = [f"    result, pull = jax.vjp(lambda {by}: loss({inputs}), {by})", f"    return pull({upstream})[0]"]
        pushed = [f"    return jax.jvp(lambda {by}: loss({inputs}), {tangents})[1]"]
        lines += pushed if example.forward else pulled
        if example.vector is not None and not example.forward:
            lines += ["gradient = computed", f"def computed({given}):"]
            lines.append(f"    return jax.jvp(lambda {by}: gradient({given}), {tangents})[1]")
    if example.mode in ("jit", "safe", "vmap"):
        lines.append("computed = jax.jit(computed)")
    if example.mode == "export":
        lines += _EXPORTED
        lines.append(f"written = jax.export.export(jax.jit(computed))(*map(of_any_size, ({handed},))).serialize()")
        lines.append("computed = jax.export.deserialize(written).call")
    return [*lines, f"answer = np.asarray(computed({handed}))", "dtype = answer.dtype.name"]


_EXPORTED = (
    "scope = jax.export.SymbolicScope()",
    "def of_any_size(array):",
    '    sizes = ", ".join(f"n{size}" if size > 1 else str(size) for size in array.shape)',
    "    shape = jax.export.symbolic_shape(sizes, scope=scope) if sizes else ()",
    "    return jax.ShapeDtypeStruct(shape, array.dtype)",
)
"""Equal sizes are one unknown; 0 and 1 are told."""


def _tensor(example: Example, name: str) -> str:
    # JAX narrows 64-bit types itself where they are off; asking for one then is a warning.
    array = example.arrays[name]
    asked = f", jnp.{array.dtype}" if array.is_float and array.dtype != "float64" else ""
    return f"jnp.asarray({name}{asked})"


def _expression(example: Example) -> str:
    if example.implementation == "optax":
        return _optax(example)
    match example.loss:
        case "softmax" | "log_softmax" | "logsumexp":
            example.understands("axis", "class_mask")
            return f"jax.nn.{example.loss}(logits, axis={example.axis}{_where(example)})"
        case "kl_divergence":
            example.understands("axis", "log_target")
            targets = "jnp.exp(targets)" if example.options.get("log_target") else "targets"
            terms = f"jax.scipy.special.rel_entr({targets}, jnp.exp(log_probabilities))"
            return _reduced(example, f"jnp.sum({terms}, axis={example.axis})")
    example.understands("axis")
    match example.loss:
        case "entropy":
            return _reduced(example, f"jnp.sum(jax.scipy.special.entr(probabilities), axis={example.axis})")
        case "cross_entropy":
            rows = f"-jnp.sum(jax.scipy.special.xlogy(targets, probabilities), axis={example.axis})"
            return _reduced(example, rows)
    raise Inexpressible(f"no template writes {example.loss} for JAX")


def _where(example: Example) -> str:
    """The mask of the classes in the shape of the logits."""
    if "class_mask" not in example.options:
        return ""
    mask, shape = "class_mask", [1] * example.rank
    if len(example.arrays["class_mask"].shape) < example.rank:
        shape[example.axis] = -1
        mask = f"class_mask.reshape({tuple(shape)})"
    return f", where=jnp.broadcast_to({mask}, logits.shape).astype(bool)"


def _optax(example: Example) -> str:
    match example.loss:
        case _ if example.mode == "safe" and example.loss != "softmax_cross_entropy":
            raise Inexpressible(f"optax has no safe {example.loss}")
        case "softmax_cross_entropy":
            targets = example.inputs["targets"]
            distributions = targets.is_float or targets.shape == example.inputs["logits"].shape
            axis = f"axis={example.axis}"
            if not distributions and not example.options.get("label_smoothing"):
                example.understands("axis", "label_smoothing", "ignore_index")
                return _integer_labels(example, axis)
            example.understands("axis", "label_smoothing", "class_mask")
            hot = f"jax.nn.one_hot(targets, logits.shape[{example.axis}], dtype=logits.dtype, {axis})"
            given = "targets" if distributions else hot
            if example.options.get("label_smoothing"):
                given = f"optax.losses.smooth_labels({given}, {example.options['label_smoothing']!r}, {axis})"
            if example.mode == "safe":
                return _reduced(example, f"optax.losses.safe_softmax_cross_entropy(logits, {given})")
            arguments = f"logits, {given}, {axis}{_where(example)}"
            return _reduced(example, f"optax.losses.softmax_cross_entropy({arguments})")
        case "binary_cross_entropy_with_logits":
            example.understands()
            return _reduced(example, "optax.losses.sigmoid_binary_cross_entropy(logits, targets)")
        case "binary_focal":
            example.understands("alpha", "gamma")
            keywords = [*example.keyword("alpha"), *example.keyword("gamma")]
            arguments = ", ".join(["logits", "targets", *keywords])
            return _reduced(example, f"optax.losses.sigmoid_focal_loss({arguments})")
        case "kl_divergence":
            example.understands("axis", "log_target")
            logs = "_with_log_targets" if example.options.get("log_target") else ""
            rows = f"optax.losses.kl_divergence{logs}(log_probabilities, targets, axis={example.axis})"
            return f"jnp.sum({rows}) / {rows}.shape[0]" if example.reduction == "batchmean" else _reduced(example, rows)
    raise Inexpressible(f"no template writes {example.loss} for optax")


def _integer_labels(example: Example, axis: str) -> str:
    function = "optax.losses.softmax_cross_entropy_with_integer_labels"
    if "ignore_index" not in example.options:
        return _reduced(example, f"{function}(logits, targets, {axis})")
    keep = f"targets != {example.options['ignore_index']!r}"
    rows = f"{function}(logits, targets, {axis}, where={keep})"
    if example.reduction == "mean" and example.options.get("denominator") != "count":
        return f"jnp.mean({rows}, where={keep})"
    return _reduced(example, rows)


def _reduced(example: Example, rows: str) -> str:
    return rows if example.reduction == "none" else f"jnp.{example.reduction}({rows})"
