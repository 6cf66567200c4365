"""Random samples aimed at the hard places, from a seed; a point is one element of a value or of a gradient.

Hard places: losses from 1e-304 to 1e308, equal logits, one dominating logit, offsets to 1e300, near-overflow, soft
labels near 0 and 1, tiny weights, probabilities near 0 and 1, subnormal results, C from 1 to 50,257.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

Random = np.random.Generator


@dataclass(frozen=True, eq=False)
class Sample:
    """One evaluation to certify."""

    loss: str
    inputs: Mapping[str, Any]
    options: Mapping[str, Any] = field(default_factory=dict)
    convention: Mapping[str, Any] = field(default_factory=dict)
    cotangent: Any | None = None
    wanted: tuple[str, ...] = ()
    name: str = ""
    vector: Any | None = None
    """What the Hessian with respect to the first wanted input is multiplied with."""


LARGE_CLASSES = (1000, 50_257)
"""Numbers of classes of which the grid holds a few rows: a vocabulary, and the one of GPT-2."""


def samples(seed: int, points: int) -> Iterator[Sample]:
    """Samples until they hold at least `points` elements."""
    random = np.random.default_rng(seed)
    makers = list(_MAKERS)
    count = 0
    position = 0
    while count < points:
        sample = makers[position % len(makers)](random)
        position += 1
        count += size_of(sample)
        yield sample


def by_maker(seed: int, each: int) -> Iterator[tuple[str, Sample]]:
    """So many samples of each kind, with names: each drawn for itself, so that a change of one kind moves no other."""
    for maker in dict.fromkeys(_MAKERS):
        kind = maker.__name__.strip("_").replace("_", "-")
        for number in range(each):
            random = np.random.default_rng([seed, number, *kind.encode()])
            yield f"{kind}-{number}", maker(random)


def large(seed: int) -> Iterator[Sample]:
    """A few rows with many classes."""
    random = np.random.default_rng(seed)
    for classes in LARGE_CLASSES:
        x = _logits(random, (1, classes))
        yield Sample(
            "softmax_cross_entropy", {"logits": x, "targets": random.integers(0, classes, 1)}, {}, {}, None, ("logits",)
        )


def size_of(sample: Sample) -> int:
    """Elements of the gradients, and of the value where it is not reduced."""
    elements = sum(int(np.asarray(sample.inputs[name]).size) for name in sample.wanted)
    reduced = sample.options.get("reduction", "mean") != "none" and sample.loss not in ("softmax", "log_softmax")
    first = np.asarray(next(iter(sample.inputs.values())))
    return elements + (1 if reduced else int(first.size if sample.loss in ("softmax", "log_softmax") else len(first)))


def _logits(random: Random, shape: tuple[int, ...]) -> Any:
    """Rows of logits, each of one of nine kinds."""
    rows = np.empty(shape)
    row: Any
    for i in range(shape[0]):
        n = shape[1]
        match int(random.integers(0, 9)):
            case 0:
                row = random.normal(size=n) * 3
            case 1:  # equal
                row = np.full(n, random.normal() * 10.0 ** random.integers(-3, 4))
            case 2:  # one dominates: losses down to 1e-304
                row = random.normal(size=n)
                row[random.integers(0, n)] += random.uniform(20, 700)
            case 3:  # hopeless: large losses
                row = random.normal(size=n) * 10.0 ** random.uniform(1, 4)
            case 4:  # a common offset, exactly representable or not
                row = random.normal(size=n) + random.choice([2.0**30, 1e8, -1e15, 1e16])
            case 5:  # offsets to 1e300 with gaps of that size
                row = random.normal(size=n) * 10.0 ** random.uniform(4, 300)
            case 6:  # nearly equal, some ulps apart
                row = 1.0 + random.integers(0, 5, n) * 2.0**-52
            case 7:  # near the ends of the range
                row = random.uniform(-1, 1, n) * 8e307
            case _:
                row = random.normal(size=n) * 10.0 ** random.uniform(-300, 0)
        rows[i] = row
    return rows


def _distribution(random: Random, shape: tuple[int, ...]) -> Any:
    """Targets: one-hot, soft, near one-hot with tiny rest, not summing to one."""
    q = random.random(shape)
    match int(random.integers(0, 4)):
        case 0:
            q = (np.arange(shape[1]) == random.integers(0, shape[1], shape[0])[:, None]).astype(float)
        case 1:
            q = q / q.sum(axis=1, keepdims=True)
        case 2:
            q = np.where(np.arange(shape[1]) == 0, 1 - 2.0**-40, 2.0 ** -random.uniform(40, 900, shape))
    return q


def _probabilities(random: Random, shape: tuple[int, ...]) -> Any:
    """Positive, near 0, near 1, some exactly 1."""
    p = random.random(shape)
    near_zero, near_one = 10.0 ** random.uniform(-300, 0, shape), 1.0 - 2.0 ** -random.uniform(1, 53, shape)
    kind = random.integers(0, 4, shape)
    chosen = np.where(kind == 1, near_zero, np.where(kind == 2, near_one, p))
    return np.clip(chosen, 5e-324, 1.0)


def _shape(random: Random) -> tuple[int, int]:
    return int(random.integers(1, 6)), int(random.choice([1, 2, 2, 3, 4, 5, 10]))


def _reduction(random: Random, rows: int) -> tuple[dict[str, Any], Any]:
    """A reduction and, sometimes, a cotangent for it."""
    kind = str(random.choice(["none", "sum", "mean"]))
    if kind == "none":
        return {"reduction": kind}, random.normal(size=rows) * 10.0 ** random.integers(-5, 6)
    return {"reduction": kind}, None


def _weights(random: Random, n: int) -> Any:
    return random.random(n) * 10.0 ** random.choice([-200, -5, 0, 0, 3])


def _softmax_ce(random: Random, loss: str = "softmax_cross_entropy", primary: str = "logits") -> Sample:
    shape = _shape(random)
    options, cotangent = _reduction(random, shape[0])
    values = _logits(random, shape) if primary == "logits" else _probabilities(random, shape)
    inputs: dict[str, Any] = {primary: values}
    wanted: tuple[str, ...] = (primary,)
    labels = bool(random.integers(0, 2))
    if labels:
        inputs["targets"] = random.integers(0, shape[1], shape[0])
    else:
        inputs["targets"] = _distribution(random, shape)
        wanted = (primary, "targets")
    if random.integers(0, 3) == 0:
        options["class_weights"] = _weights(random, shape[1])
    if random.integers(0, 3) == 0:
        options["sample_weights"] = _weights(random, shape[0])
    if random.integers(0, 3) == 0:
        options["label_smoothing"] = float(random.choice([0.1, 0.5, 1.0, 1e-10]))
    if labels and random.integers(0, 4) == 0:
        inputs["targets"] = np.append(inputs["targets"][1:], 0)
        options["ignore_index"] = 0
    vector = None
    if loss == "softmax_cross_entropy" and random.integers(0, 2):
        vector = _direction(random, shape)
    return Sample(loss, inputs, options, {}, cotangent, wanted, vector=vector)


def _direction(random: Random, shape: tuple[int, ...]) -> Any:
    """A vector for the Hessian: numbers of many sizes, or all equal but one, for which a softmax's product is small."""
    if random.integers(0, 2):
        return random.normal(size=shape) * 10.0 ** random.integers(-6, 7, size=shape)
    equal = np.full(shape, float(random.normal()))
    equal[..., 0] += 2.0 ** -int(random.integers(0, 40))
    return equal


def _softmax_conventions(random: Random) -> Sample:
    """Conventions of a loss of logits: denominators, label rules, what the gradient takes the targets to sum to."""
    rows, classes = int(random.integers(2, 6)), int(random.integers(2, 6))
    inputs: dict[str, Any] = {"logits": _logits(random, (rows, classes)), "targets": random.integers(0, classes, rows)}
    options: dict[str, Any] = {"reduction": "mean"}
    wanted: tuple[str, ...] = ("logits",)
    convention: dict[str, Any]
    match int(random.integers(0, 3)):
        case 0:
            convention = {"denominator": str(random.choice(["count", "valid", "elements", "one", "nonzero_weights"]))}
            options["sample_weights"] = _weights(random, rows) * random.integers(0, 2, rows)
            options["ignore_index"] = 0
            inputs["targets"][0] = 1
            options["sample_weights"][0] = 1.0
        case 1:
            convention = {"gradient_of_targets_summing_to_one": True}
            inputs["targets"] = _distribution(random, (rows, classes)) * random.uniform(0.5, 2.0)
        case _:
            convention = {"finite_zero_mean": True}
            inputs["targets"] = np.full(rows, -7)
            options["ignore_index"] = -7
    return Sample("softmax_cross_entropy", inputs, options, convention, None, wanted)


def _categorical(random: Random) -> Sample:
    sample = _softmax_ce(random, "categorical_cross_entropy", "probabilities")
    conventions: list[dict[str, Any]] = [
        {},
        {"clip": 1e-7},
        {"renormalize": True},
        {"renormalize": True, "clip": 1e-7},
        {"clip": 1e-7, "renormalize": True},
        {"add_inside_log": 1e-10},
        {"base": 2.0},
        {"denominator": "elements"},
        {"log_clamp": -50.0},
        {"smoothing": "others"},
    ]
    convention = conventions[int(random.integers(0, len(conventions)))]
    # What a label-free gradient with respect to the targets is under a convention is the same −log, certified above.
    return Sample(sample.loss, sample.inputs, sample.options, convention, sample.cotangent, sample.wanted)


def _function(random: Random) -> Sample:
    shape = _shape(random)
    x = _logits(random, shape)
    u = random.normal(size=shape)
    return Sample(str(random.choice(["softmax", "log_softmax"])), {"logits": x}, {}, {}, u, ("logits",))


def _entropy(random: Random) -> Sample:
    shape = _shape(random)
    options, cotangent = _reduction(random, shape[0])
    if random.integers(0, 2):
        options["base"] = float(random.choice([2.0, 10.0, 1.5]))
    p = {"probabilities": _probabilities(random, shape)}
    return Sample("entropy", p, options, {}, cotangent, ("probabilities",))


def _cross_entropy(random: Random) -> Sample:
    shape = _shape(random)
    options, cotangent = _reduction(random, shape[0])
    inputs = {"targets": _distribution(random, shape), "probabilities": _probabilities(random, shape)}
    return Sample("cross_entropy", inputs, options, {}, cotangent, ("targets", "probabilities"))


def _kl(random: Random) -> Sample:
    shape = _shape(random)
    options, cotangent = _reduction(random, shape[0])
    log_q = np.log(_probabilities(random, shape))
    targets = np.log(_probabilities(random, shape)) if random.integers(0, 2) else _probabilities(random, shape)
    options["log_target"] = bool((targets < 0).any())
    if not options["log_target"]:
        targets = np.abs(targets)
    conventions: list[dict[str, Any]] = [{}, {}, {"clip": 1e-7}, {"denominator": "elements"}]
    convention = conventions[int(random.integers(0, len(conventions)))]
    return Sample(
        "kl_divergence",
        {"targets": targets, "log_probabilities": log_q},
        options,
        convention,
        cotangent,
        ("targets", "log_probabilities"),
    )


def _nll(random: Random) -> Sample:
    shape = _shape(random)
    options, cotangent = _reduction(random, shape[0])
    inputs = {"log_probabilities": -np.abs(_logits(random, shape)), "targets": random.integers(0, shape[1], shape[0])}
    return Sample("nll_loss", inputs, options, {}, cotangent, ("log_probabilities",))


def _binary(random: Random) -> Sample:
    n = int(random.integers(1, 12))
    options, cotangent = _reduction(random, n)
    t = np.where(random.random(n) < 0.5, random.integers(0, 2, n), random.random(n)).astype(float)
    if random.integers(0, 3) == 0:
        options["sample_weights"] = _weights(random, n)
    match int(random.integers(0, 3)):
        case 0:
            clamps: list[dict[str, Any]] = [
                {},
                {"clip": 1e-7},
                {"log_clamp": -100.0, "gradient_clamp": 1e-12},
                {"base": 2.0},
                {"add_inside_log": 1e-9},
            ]
            p = _probabilities(random, (1, n))[0]
            p = np.where((p == 1.0) & (t != 1.0), 0.5, p)
            convention = clamps[int(random.integers(0, len(clamps)))]
            inputs = {"probabilities": p, "targets": t}
            wanted = ("probabilities", "targets") if not convention else ("probabilities",)
            vector = _direction(random, (n,)) if not convention and random.integers(0, 2) else None
            if vector is not None and random.integers(0, 2):
                options["base"] = 2.0
            return Sample("binary_cross_entropy", inputs, options, convention, cotangent, wanted, vector=vector)
        case 1:
            options.pop("sample_weights", None)
            options["gamma"] = float(random.choice([0.0, 0.5, 1.0, 2.0, 5.0]))
            options["alpha"] = float(random.choice([0.25, 0.5, 0.9]))
            if random.integers(0, 3) == 0:
                options["label_smoothing"] = 0.1
            z = np.clip(_logits(random, (1, n))[0], -300, 300)
            inputs, wanted = {"logits": z, "targets": t}, ("logits", "targets")
            vector = _direction(random, (n,)) if random.integers(0, 2) else None
            return Sample("binary_focal", inputs, options, {}, cotangent, wanted, vector=vector)
    if random.integers(0, 2):
        options["pos_weight"] = float(10.0 ** random.uniform(-3, 3))
    z = _logits(random, (1, n))[0]
    inputs = {"logits": z, "targets": t}
    vector = _direction(random, (n,)) if random.integers(0, 2) else None
    wanted = ("logits", "targets")
    return Sample("binary_cross_entropy_with_logits", inputs, options, {}, cotangent, wanted, vector=vector)


def _categorical_focal(random: Random) -> Sample:
    shape = _shape(random)
    options, cotangent = _reduction(random, shape[0])
    options["gamma"] = float(random.choice([0.0, 0.5, 1.0, 2.0, 5.0]))
    if random.integers(0, 3) == 0:
        options["label_smoothing"] = 0.1
    inputs = {"logits": np.clip(_logits(random, shape), -150, 150), "targets": random.integers(0, shape[1], shape[0])}
    vector = _direction(random, shape) if random.integers(0, 2) else None
    return Sample("categorical_focal", inputs, options, {}, cotangent, ("logits",), vector=vector)


def _linear(random: Random) -> Sample:
    rows, classes, depth = int(random.integers(1, 4)), int(random.integers(1, 6)), int(random.integers(1, 5))
    options, cotangent = _reduction(random, rows)
    scale = 10.0 ** random.uniform(-2, 2)
    inputs: dict[str, Any] = {
        "hidden": random.normal(size=(rows, depth)) * scale,
        "weight": random.normal(size=(depth, classes)),
    }
    wanted: tuple[str, ...] = ("hidden", "weight")
    if random.integers(0, 2):
        inputs["bias"] = random.normal(size=classes)
        wanted = (*wanted, "bias")
    inputs["targets"] = random.integers(0, classes, rows)
    vector = _direction(random, (rows, depth)) if random.integers(0, 2) else None
    return Sample("linear_cross_entropy", inputs, options, {}, cotangent, wanted, vector=vector)


def _linear_divergence(random: Random) -> Sample:
    """A head beside another of another depth, or beside itself but for some ulps; rows that are ignored."""
    rows, depth, classes = int(random.integers(1, 5)), int(random.integers(1, 4)), int(random.integers(2, 5))
    options, cotangent = _reduction(random, rows)
    scale = 10.0 ** random.uniform(-2, 1.5)
    inputs: dict[str, Any] = {
        "hidden": random.normal(size=(rows, depth)) * scale,
        "weight": random.normal(size=(depth, classes)),
    }
    if random.integers(0, 2):
        near = 1.0 + random.normal(size=(rows, depth)) * 2.0 ** -random.uniform(1, 50)
        inputs |= {"target_hidden": inputs["hidden"] * near, "target_weight": inputs["weight"]}
    else:
        other = int(random.integers(1, 4))
        inputs["target_hidden"] = random.normal(size=(rows, other)) * scale
        inputs["target_weight"] = random.normal(size=(other, classes))
    if random.integers(0, 2):
        options["beta"] = float(random.choice([0.1, 0.5, 0.9, 1e-3]))
    if random.integers(0, 2):
        options["logit_scale"] = float(random.choice([0.5, 0.7, 1 / 3, 1.1, 10.0, -0.3]))
    if random.integers(0, 2):
        inputs["targets"] = np.where(random.random(rows) < 0.3, -100, random.integers(0, classes, rows))
        inputs["targets"][0] = 0
        options["ignore_index"] = -100
        if random.integers(0, 2):
            options["denominator"] = "count"
    wanted = ("hidden", "weight", "target_hidden", "target_weight")
    return Sample("linear_jensen_shannon", inputs, options, {}, cotangent, wanted)


def _of_logits(random: Random, shape: tuple[int, ...]) -> dict[str, Any]:
    """Options of logits, alone and together: temperatures and caps of every size, masks of classes or of logits that
    leave at least one class in each row."""
    options: dict[str, Any] = {}
    if random.integers(0, 3):
        options["logit_scale"] = float(random.choice([0.5, 0.7, 1 / 3, 1.1, 10.0, -0.3, 1e-12, 1e5]))
    if random.integers(0, 2):
        options["softcap"] = float(random.choice([0.1, 1.0, 5.0, 30.0, 50.0, 1e3, 1e15]))
    if random.integers(0, 2):
        whole = bool(random.integers(0, 2))
        mask = random.integers(0, 2, shape if whole else (1, shape[1])).astype(bool)
        mask[:, random.integers(0, shape[1])] = True
        options["class_mask"] = mask if whole else mask[0]
    return options


def _labels_that_count(random: Random, options: Mapping[str, Any], shape: tuple[int, ...]) -> Any:
    """Labels, in three rows of four of classes that count."""
    labels = random.integers(0, shape[1], shape[0])
    mask = np.broadcast_to(options.get("class_mask", True), shape)
    kept = mask[np.arange(shape[0]), labels] | (random.integers(0, 4, shape[0]) == 0)
    return np.where(kept, labels, mask.argmax(axis=1))


def _transformed(random: Random) -> Sample:
    """Losses and activations of logits that are scaled, capped and masked, with a z-loss."""
    shape: Any
    if random.integers(0, 3) == 0:
        sample = _function(random)
        return replace(sample, options=_of_logits(random, np.asarray(sample.inputs["logits"]).shape))
    if random.integers(0, 3) == 0:
        sample = _linear(random)
        shape = (len(sample.inputs["targets"]), int(np.asarray(sample.inputs["weight"]).shape[1]))
    else:
        sample = _softmax_ce(random)
        shape = np.asarray(sample.inputs["logits"]).shape
    of_logits = _of_logits(random, shape)
    if random.integers(0, 2):
        of_logits["z_loss"] = float(random.choice([1e-4, 0.1, 2.0]))
    options, inputs = {**sample.options, **of_logits}, sample.inputs
    if "targets" not in sample.wanted and "ignore_index" not in options:
        inputs = {**inputs, "targets": _labels_that_count(random, options, shape)}
    if options["reduction"] == "mean" and random.integers(0, 2):
        options["denominator"] = float(random.integers(1, 50))
    return replace(sample, inputs=inputs, options=options)


def _near(random: Random, x: Any) -> Any:
    """Logits beside others: unlike them, like them but for some, or equal to some ulps."""
    match int(random.integers(0, 4)):
        case 0:
            return _logits(random, x.shape)
        case 1:
            return np.clip(x * (1.0 + random.normal(size=x.shape) * 2.0 ** -random.uniform(1, 50)), -8e307, 8e307)
        case 2:
            return np.where(random.random(x.shape) < 0.5, x, x + random.normal(size=x.shape))
    return np.clip(x * (1.0 + random.integers(-4, 5, x.shape) * 2.0**-50), -8e307, 8e307)


def _divergence(random: Random) -> Sample:
    """Entropies, logsumexps and divergences of logits; Jensen–Shannon of probabilities too."""
    shape = _shape(random)
    options, cotangent = _reduction(random, shape[0])
    loss = str(random.choice(["logsumexp", "entropy", "kl_divergence", "jensen_shannon", "jensen_shannon"]))
    x = np.clip(_logits(random, shape), -1e290, 1e290)
    if loss == "logsumexp":
        return Sample(loss, {"logits": x}, _of_logits(random, shape), {}, random.normal(size=shape[0]), ("logits",))
    if loss in ("entropy", "jensen_shannon") and random.integers(0, 2):
        options["base"] = float(random.choice([2.0, 10.0]))
    if loss == "jensen_shannon" and random.integers(0, 2):
        options["beta"] = float(random.choice([0.1, 0.5, 0.9, 1e-3]))
    if loss == "jensen_shannon" and random.integers(0, 2):
        p, q = _probabilities(random, shape), _probabilities(random, shape)
        near = np.clip(p * (1.0 - random.random(shape) * 2.0 ** -random.uniform(1, 50)), 5e-324, 1.0)
        q = np.where(random.random(shape) < random.random(), near, q)
        names = ("targets", "probabilities")
        return Sample(loss, dict(zip(names, (p, q), strict=True)), options, {}, cotangent, names)
    if random.integers(0, 2):
        options["logit_scale"] = float(random.choice([0.5, 0.7, 1 / 3, 1.1, 10.0, -0.3]))
    if loss == "entropy":
        return Sample(loss, {"logits": x}, options, {}, cotangent, ("logits",))
    inputs, names = {"target_logits": _near(random, x), "logits": x}, ("target_logits", "logits")
    vector = _direction(random, shape) if loss == "kl_divergence" and random.integers(0, 2) else None
    return Sample(loss, inputs, options, {}, cotangent, names, vector=vector)


def _pairs(random: Random) -> Sample:
    """Soft margins, and divergences of Bernoulli distributions."""
    n = int(random.integers(1, 12))
    options, cotangent = _reduction(random, n)
    if random.integers(0, 3) == 0:
        options["sample_weights"] = _weights(random, n)
    if random.integers(0, 2):
        sign = random.choice([-1.0, 1.0], n)
        inputs = {"logits": _logits(random, (1, n))[0], "targets": sign}
        return Sample("soft_margin", inputs, options, {}, cotangent, ("logits", "targets"))
    p, t = (np.clip(_probabilities(random, (1, n))[0], 5e-324, 1 - 2.0**-53) for _ in range(2))
    near = np.clip(p * (1.0 - random.random(n) * 2.0 ** -random.uniform(1, 50, n)), 5e-324, 1.0)
    t = np.where(random.random(n) < 0.5, near, t)
    t = np.where(random.random(n) < 0.3, random.integers(0, 2, n), t)
    wanted = ("probabilities", "targets") if ((t > 0) & (t < 1)).all() else ("probabilities",)
    return Sample("bernoulli_kl", {"targets": t, "probabilities": p}, options, {}, cotangent, wanted)


_MAKERS: tuple[Callable[[Random], Sample], ...] = (
    _softmax_ce,
    _function,
    _categorical,
    _binary,
    _softmax_ce,
    _kl,
    _linear,
    _entropy,
    _binary,
    _cross_entropy,
    _nll,
    _categorical_focal,
    _softmax_conventions,
    _transformed,
    _divergence,
    _pairs,
    _linear_divergence,
)
