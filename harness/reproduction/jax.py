"""JAX and optax, as a script writes them."""

from __future__ import annotations

from harness.reproduction.problem import Code, Inexpressible, Problem


def code(problem: Problem) -> Code:
    """Value and gradients by jax.vjp, compiled by jax.jit where the mode says so."""
    optax = problem.implementation == "optax"
    body = [f"def loss({', '.join(problem.arrays)}):", f"    return {_expression(problem)}", *run(problem)]
    imports = [
        "import jax",
        "import jax.numpy as jnp",
        "import jax.scipy.special",
        *(["import optax"] if optax else []),
    ]
    versions = '"jax", jax.__version__, "numpy", np.__version__' + (', "optax", optax.__version__' if optax else "")
    return Code(tuple(imports), tuple(body), versions, environment(wide=problem.implementation != "jax-x32"))


def environment(*, wide: bool = True) -> tuple[str, ...]:
    """`wide`: with 64-bit types, which JAX leaves out unless told otherwise."""
    return (f'os.environ["JAX_ENABLE_X64"] = "{int(wide)}"', 'os.environ["JAX_PLATFORMS"] = "cpu"')


def run(problem: Problem) -> list[str]:
    """Statements that call `loss` and differentiate it."""
    tensors = [f"{name}_ = {_tensor(problem, name)}" for name in problem.arrays]
    names = [f"{name}_" for name in problem.arrays]
    given = ", ".join(names)
    lines = [*tensors, f"def computed({given}):"]
    if problem.differentiate is None:
        lines.append(f"    return loss({given})")
    else:
        by = f"{problem.differentiate}_"
        upstream = "jnp.ones_like(result)" if problem.cotangent is None else "jnp.asarray(cotangent, result.dtype)"
        lines += [f"    result, pull = jax.vjp(lambda {by}: loss({given}), {by})", f"    return pull({upstream})[0]"]
        if problem.vector is not None:
            tangents = f"({by},), (jnp.asarray(vector, {by}.dtype),)"
            lines += ["gradient = computed", f"def computed({given}):"]
            lines.append(f"    return jax.jvp(lambda {by}: gradient({given}), {tangents})[1]")
    if problem.mode == "jit":
        lines.append("computed = jax.jit(computed)")
    return [*lines, f"answer = np.asarray(computed({given}))", "dtype = answer.dtype.name"]


def _tensor(problem: Problem, name: str) -> str:
    # JAX narrows 64-bit types itself where they are off; asking for one then is a warning.
    asked = "" if problem.dtype == "float64" else f", jnp.{problem.dtype}"
    return f"jnp.asarray({name}{asked})" if problem.arrays[name].is_float else f"jnp.asarray({name})"


def _expression(problem: Problem) -> str:
    if problem.implementation == "optax":
        return _optax(problem)
    problem.understands("axis")
    match problem.loss:
        case "softmax" | "log_softmax":
            return f"jax.nn.{problem.loss}(logits, axis={problem.axis})"
        case "entropy":
            return _reduced(problem, f"jnp.sum(jax.scipy.special.entr(probabilities), axis={problem.axis})")
        case "cross_entropy":
            rows = f"-jnp.sum(jax.scipy.special.xlogy(targets, probabilities), axis={problem.axis})"
            return _reduced(problem, rows)
    raise Inexpressible(f"no template writes {problem.loss} for JAX")


def _optax(problem: Problem) -> str:
    match problem.loss:
        case "softmax_cross_entropy":
            targets = problem.inputs["targets"]
            distributions = targets.is_float or targets.shape == problem.inputs["logits"].shape
            axis = f"axis={problem.axis}"
            if not distributions and not problem.options.get("label_smoothing"):
                problem.understands("axis", "label_smoothing", "ignore_index")
                return _integer_labels(problem, axis)
            problem.understands("axis", "label_smoothing")
            hot = f"jax.nn.one_hot(targets, logits.shape[{problem.axis}], dtype=logits.dtype, {axis})"
            given = "targets" if distributions else hot
            if problem.options.get("label_smoothing"):
                given = f"optax.losses.smooth_labels({given}, {problem.options['label_smoothing']!r}, {axis})"
            return _reduced(problem, f"optax.losses.softmax_cross_entropy(logits, {given}, {axis})")
        case "binary_cross_entropy_with_logits":
            problem.understands()
            return _reduced(problem, "optax.losses.sigmoid_binary_cross_entropy(logits, targets)")
        case "binary_focal":
            problem.understands("alpha", "gamma")
            keywords = [*problem.keyword("alpha"), *problem.keyword("gamma")]
            arguments = ", ".join(["logits", "targets", *keywords])
            return _reduced(problem, f"optax.losses.sigmoid_focal_loss({arguments})")
        case "kl_divergence":
            problem.understands("axis", "log_target")
            logs = "_with_log_targets" if problem.options.get("log_target") else ""
            rows = f"optax.losses.kl_divergence{logs}(log_probabilities, targets, axis={problem.axis})"
            return f"jnp.sum({rows}) / {rows}.shape[0]" if problem.reduction == "batchmean" else _reduced(problem, rows)
    raise Inexpressible(f"no template writes {problem.loss} for optax")


def _integer_labels(problem: Problem, axis: str) -> str:
    function = "optax.losses.softmax_cross_entropy_with_integer_labels"
    if "ignore_index" not in problem.options:
        return _reduced(problem, f"{function}(logits, targets, {axis})")
    keep = f"targets != {problem.options['ignore_index']!r}"
    rows = f"{function}(logits, targets, {axis}, where={keep})"
    if problem.reduction == "mean" and problem.options.get("denominator") != "count":
        return f"jnp.mean({rows}, where={keep})"
    return _reduced(problem, rows)


def _reduced(problem: Problem, rows: str) -> str:
    return rows if problem.reduction == "none" else f"jnp.{problem.reduction}({rows})"
