"""An `ArraySpec` becomes an `Array`: literal values, or one of a closed set of named generators, in a chosen layout.

Standard library and NumPy only: this module also runs inside workers. The bits of a generated array depend neither on
the version of NumPy nor on the CPU nor on the C library: the raw 64-bit words of PCG64 become numbers by integer
arithmetic and single IEEE operations (+ − × ÷); no exponential, logarithm or sine is called.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.core.arrays import Array
from harness.core.case import ArraySpec
from harness.core.formats import FORMATS
from harness.suite.problems import suggestion

LAYOUTS = ("contiguous", "strided", "transposed", "reversed", "sliced", "channels-last", "repeated")
"""contiguous; every second element of a buffer twice as wide; Fortran order; a view that runs backwards along every
axis; rows out of the middle of wider ones; the second axis innermost, as images are kept; one entry of the first axis
for all of them, with a stride of zero. The values are the same, the strides are not."""

INTEGER_DTYPES = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
DTYPES = (*FORMATS, *INTEGER_DTYPES, "bool")
"""Types an array may be asked for by name."""

LARGEST_SIZE = 2**31
"""Elements a generated array may have. The largest workload anyone runs on one machine has fewer; more is a typing
error that would otherwise be answered by the kernel killing the worker."""

MOST_AXES = 32
"""Axes an array may have: what every version of NumPy can hold."""

_INT64 = range(-(2**63), 2**63)

_BLOCK = 2**20
"""Elements drawn at once, so that a large array never needs several times its own memory."""

Numbers = NDArray[Any]
Parameters = Mapping[str, Any]
Realize = Callable[[ArraySpec, str], Array]
"""`realize`, or what gives the same because it remembers."""


@dataclass(frozen=True)
class Parameter:
    """One parameter of a generator."""

    kind: str
    """shape, integer, count (an integer of at least one), number, integers (nested) or numbers (nested)."""
    doc: str
    required: bool = False
    default: Any = None


@dataclass(frozen=True)
class Generator:
    """A named way to make an array."""

    doc: str
    parameters: Mapping[str, Parameter]
    make: Callable[[Parameters], Numbers]
    integers: bool = False
    """True where the elements are integers: the array is int64 unless the case names a dtype."""


# --- numbers from raw words ------------------------------------------------------------------------------------------


def _blocks(seed: int, count: int, words_per_element: int) -> Iterator[tuple[slice, NDArray[np.uint64]]]:
    """The stream of raw words for `count` elements, block by block: element i owns words i·w to i·w + w − 1."""
    stream = np.random.PCG64(seed)
    for start in range(0, count, _BLOCK):
        stop = min(start + _BLOCK, count)
        raw = np.asarray(stream.random_raw((stop - start) * words_per_element), dtype=np.uint64)
        yield slice(start, stop), raw.reshape(stop - start, words_per_element)


def _unit(seed: int, count: int) -> NDArray[np.float64]:
    """Numbers k / 2^53 in [0, 1), k the upper 53 bits of each word."""
    out = np.empty(count, dtype=np.float64)
    for part, words in _blocks(seed, count, 1):
        out[part] = (words[:, 0] >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return out


def _bell(seed: int, count: int) -> NDArray[np.float64]:
    """Sums of twelve uniform numbers minus six (Irwin–Hall): mean 0, variance 1 − 2^-42, within ±6.

    Each of four words gives three pieces of 21 bits; their sum is exact in int64 and in float64.
    """
    out = np.empty(count, dtype=np.float64)
    mask = np.uint64(2**21 - 1)
    for part, words in _blocks(seed, count, 4):
        total = np.zeros(words.shape[0], dtype=np.int64)
        for shift in (1, 22, 43):
            total += ((words >> np.uint64(shift)) & mask).astype(np.int64).sum(axis=1)
        # Each piece stands for (k + 1/2) / 2^21, so that the distribution is symmetric: twelve halves make six.
        out[part] = (total + 6 - 6 * 2**21).astype(np.float64) * 2.0**-21
    return out


def _below(seed: int, count: int, bound: int) -> NDArray[np.int64]:
    """Integers in [0, bound), bound ≤ 2^31: the upper half of each word times bound, divided by 2^32."""
    out = np.empty(count, dtype=np.int64)
    for part, words in _blocks(seed, count, 1):
        out[part] = (((words[:, 0] >> np.uint64(32)) * np.uint64(bound)) >> np.uint64(32)).astype(np.int64)
    return out


def _size(shape: tuple[int, ...]) -> int:
    return math.prod(shape)


# --- the generators --------------------------------------------------------------------------------------------------


def _zeros(p: Parameters) -> Numbers:
    return np.zeros(p["shape"], dtype=np.float64)


def _full(p: Parameters) -> Numbers:
    return np.full(p["shape"], float(p["value"]), dtype=np.float64)


def _uniform(p: Parameters) -> Numbers:
    low, high = float(p["low"]), float(p["high"])
    return (low + (high - low) * _unit(p["seed"], _size(p["shape"]))).reshape(p["shape"])


def _normal(p: Parameters) -> Numbers:
    return (float(p["shift"]) + float(p["scale"]) * _bell(p["seed"], _size(p["shape"]))).reshape(p["shape"])


def _labels(p: Parameters) -> Numbers:
    drawn = _below(p["seed"], _size(p["shape"]), p["classes"])
    if p["ignored_every"] is not None:
        drawn[:: p["ignored_every"]] = p["ignored_label"]
    return drawn.reshape(p["shape"])


def _bits(p: Parameters) -> Numbers:
    return _below(p["seed"], _size(p["shape"]), 2).astype(np.float64).reshape(p["shape"])


def _one_hot(p: Parameters) -> Numbers:
    if p["labels"] is not None:
        labels = np.asarray(p["labels"], dtype=np.int64)
    else:
        labels = _below(p["seed"], _size(p["shape"][:-1]), p["classes"]).reshape(p["shape"][:-1])
    return np.asarray(labels[..., np.newaxis] == np.arange(p["classes"]), dtype=np.float64)


def _probabilities(p: Parameters) -> Numbers:
    shape = p["shape"]
    # Integers from 1 to 2^20: no probability is zero, their sum is exact, and one division makes each probability.
    counts = _below(p["seed"], _size(shape), 2**20).reshape(shape) + 1
    sums = np.sum(counts, axis=p["axis"], keepdims=True)
    return np.asarray(counts.astype(np.float64) / sums.astype(np.float64))


def _linspace(p: Parameters) -> Numbers:
    start, stop, size = float(p["start"]), float(p["stop"]), _size(p["shape"])
    steps = np.arange(size, dtype=np.float64)
    points = start + (stop - start) * (steps / max(size - 1, 1))
    if size > 1:
        points[-1] = stop
    return points.reshape(p["shape"])


def _ramp(p: Parameters) -> Numbers:
    steps = np.arange(_size(p["shape"]), dtype=np.float64)
    return (float(p["start"]) + float(p["step"]) * steps).reshape(p["shape"])


def _arange(p: Parameters) -> Numbers:
    steps = np.arange(_size(p["shape"]), dtype=np.int64)
    return np.asarray(p["start"] + p["step"] * steps, dtype=np.int64).reshape(p["shape"])


def _eye(p: Parameters) -> Numbers:
    rows, *columns = p["shape"]
    return np.eye(rows, columns[0] if columns else None, dtype=np.float64)


def _cycle(p: Parameters) -> Numbers:
    values = np.asarray(list(_leaves(p["values"])), dtype=np.float64)
    which = np.arange(_size(p["shape"])) // p["times"] % values.size
    return np.asarray(values[which].reshape(p["shape"]))


_SHAPE = Parameter("shape", "shape of the array", required=True)
_SEED = Parameter("integer", "seed of the stream of random words", required=True)

GENERATORS: Mapping[str, Generator] = MappingProxyType(
    {
        "zeros": Generator("Zeros.", {"shape": _SHAPE}, _zeros),
        "full": Generator(
            "One number everywhere.",
            {"shape": _SHAPE, "value": Parameter("number", "the number", required=True)},
            _full,
        ),
        "uniform": Generator(
            "low + (high − low)·u with u uniform on the multiples of 2^-53 in [0, 1).",
            {
                "shape": _SHAPE,
                "low": Parameter("number", "lower bound", default=0.0),
                "high": Parameter("number", "upper bound", default=1.0),
                "seed": _SEED,
            },
            _uniform,
        ),
        "normal": Generator(
            "shift + scale·z with z nearly normal (twelve uniforms summed, minus six), never beyond ±6.",
            {
                "shape": _SHAPE,
                "scale": Parameter("number", "standard deviation", default=1.0),
                "shift": Parameter("number", "mean", default=0.0),
                "seed": _SEED,
            },
            _normal,
        ),
        "labels": Generator(
            "Integers uniform in [0, classes); with ignored_every: n, elements 0, n, 2n, … are ignored_label.",
            {
                "shape": _SHAPE,
                "classes": Parameter("count", "number of classes", required=True),
                "seed": _SEED,
                "ignored_every": Parameter("count", "distance between ignored labels"),
                "ignored_label": Parameter("integer", "the ignored label", default=-100),
            },
            _labels,
            integers=True,
        ),
        "bits": Generator("Zeros and ones, floating: binary targets.", {"shape": _SHAPE, "seed": _SEED}, _bits),
        "one_hot": Generator(
            "Rows of a one and zeros along the last axis. Give labels and classes, or seed and shape (of the result).",
            {
                "shape": Parameter("shape", "shape of the result, the classes last"),
                "classes": Parameter("count", "number of classes; default: the last entry of shape"),
                "labels": Parameter("integers", "the classes that are one, nested lists"),
                "seed": Parameter("integer", "seed of random labels, where none are given"),
            },
            _one_hot,
        ),
        "probabilities": Generator(
            "Random integers from 1 to 2^20 divided by their sum along axis: positive rows that sum to about one.",
            {"shape": _SHAPE, "seed": _SEED, "axis": Parameter("integer", "axis that sums to one", default=-1)},
            _probabilities,
        ),
        "linspace": Generator(
            "Numbers at equal distances from start to stop, both included, in row-major order.",
            {
                "shape": _SHAPE,
                "start": Parameter("number", "first number", required=True),
                "stop": Parameter("number", "last number", required=True),
            },
            _linspace,
        ),
        "ramp": Generator(
            "start, start + step, start + 2·step, … in row-major order, floating.",
            {
                "shape": _SHAPE,
                "start": Parameter("number", "first number", default=1.0),
                "step": Parameter("number", "difference", default=1.0),
            },
            _ramp,
        ),
        "arange": Generator(
            "start, start + step, … in row-major order, integers.",
            {
                "shape": _SHAPE,
                "start": Parameter("integer", "first number", default=0),
                "step": Parameter("integer", "difference", default=1),
            },
            _arange,
            integers=True,
        ),
        "eye": Generator("The identity matrix; shape [n] or [rows, columns].", {"shape": _SHAPE}, _eye),
        "cycle": Generator(
            "The given numbers again and again, in row-major order, each of them times in a row.",
            {
                "shape": _SHAPE,
                "values": Parameter("numbers", "the numbers", required=True),
                "times": Parameter("count", "how often each number stands in a row", default=1),
            },
            _cycle,
        ),
    }
)


# --- what a spec says, without making the array ----------------------------------------------------------------------


def literal_shape(values: Any) -> tuple[int, ...]:
    """Shape of nested tuples or lists of numbers; ValueError where rows differ in length."""
    if not isinstance(values, tuple | list):
        return ()
    inner = {literal_shape(entry) for entry in values}
    if len(inner) > 1:
        raise ValueError("rows of different shapes: " + ", ".join(str(list(s)) for s in sorted(inner)))
    return (len(values), *(inner.pop() if inner else ()))


def _leaves(values: Any) -> Iterator[Any]:
    if isinstance(values, tuple | list):
        for entry in values:
            yield from _leaves(entry)
    else:
        yield values


def holds_integers(spec: ArraySpec) -> bool:
    """Whether the array has an integer type (or bool): by its dtype, else by its generator or its literal values."""
    if spec.dtype is not None:
        return spec.dtype not in FORMATS
    if spec.generator is not None:
        return spec.generator in GENERATORS and GENERATORS[spec.generator].integers
    leaves = list(_leaves(spec.values))
    return bool(leaves) and all(isinstance(leaf, int) for leaf in leaves)


def shape_of(spec: ArraySpec) -> tuple[int, ...]:
    """Shape of the array that `realize` would make, without making it; ValueError as `realize`."""
    if spec.generator is None:
        return literal_shape(spec.values)
    p = completed(spec)
    if spec.generator == "one_hot":
        return (*literal_shape(p["labels"]), p["classes"]) if p["labels"] is not None else tuple(p["shape"])
    if spec.generator == "eye":
        rows, *columns = p["shape"]
        return (rows, columns[0] if columns else rows)
    return tuple(p["shape"])


def _kind_problem(kind: str, value: Any) -> str | None:
    """What is wrong with `value` as a parameter of this kind."""

    def is_integer(v: Any) -> bool:
        return isinstance(v, int) and not isinstance(v, bool)

    def is_int64(v: Any) -> bool:
        return is_integer(v) and v in _INT64

    def is_number(v: Any) -> bool:
        return isinstance(v, int | float) and not isinstance(v, bool)

    if kind == "shape":
        if not isinstance(value, tuple | list) or not all(is_integer(n) and n >= 0 for n in value):
            return f"expected a list of sizes such as [8, 3], got {value!r}"
        return _size_problem(tuple(value))
    wanted, accepts = {
        "integer": ("an integer of 64 bits", is_int64),
        "count": (f"an integer from 1 to {LARGEST_SIZE}", lambda v: is_integer(v) and 1 <= v <= LARGEST_SIZE),
        "number": ("a number", is_number),
        "integers": ("integers in nested lists", lambda v: all(is_integer(leaf) for leaf in _leaves(v))),
        "numbers": ("numbers in nested lists", lambda v: all(is_number(leaf) for leaf in _leaves(v))),
    }[kind]
    return None if accepts(value) else f"expected {wanted}, got {value!r}"


def _size_problem(shape: tuple[int, ...]) -> str | None:
    """Why no array of this shape is made; found out before anything is."""
    if len(shape) > MOST_AXES:
        return f"{len(shape)} axes are too many; at most {MOST_AXES}"
    # An array without elements may still have an axis that no machine can count.
    count = math.prod(max(n, 1) for n in shape)
    return f"{count} elements are too many; at most {LARGEST_SIZE}" if count > LARGEST_SIZE else None


def parameter_problems(generator: str, parameters: Parameters) -> list[tuple[str, str]]:
    """What is wrong with a generator's parameters: (name of the parameter, what was expected)."""
    if generator not in GENERATORS:
        return [("generator", f"no generator {generator!r}. {suggestion(generator, GENERATORS)}")]
    known_parameters = GENERATORS[generator].parameters
    problems: list[tuple[str, str]] = []
    for name, value in parameters.items():
        if name not in known_parameters:
            problems.append((name, f"{generator} has no parameter {name!r}. {suggestion(name, known_parameters)}"))
        elif (problem := _kind_problem(known_parameters[name].kind, value)) is not None:
            problems.append((name, problem))
    for name, parameter in known_parameters.items():
        if parameter.required and name not in parameters:
            problems.append((name, f"{generator} needs {name}: {parameter.doc}"))
    return problems or _combination_problems(generator, parameters)


def _combination_problems(generator: str, p: Parameters) -> list[tuple[str, str]]:
    """What is wrong with parameters that are right one by one."""
    if "seed" in p and p["seed"] < 0:
        return [("seed", f"expected a seed of at least zero, got {p['seed']}")]
    match generator:
        case "uniform" | "normal" | "linspace" | "ramp":
            return [
                (name, f"expected a finite number, got {value!r}")
                for name, value in p.items()
                if name != "shape" and not math.isfinite(value)
            ] or _range_problems(generator, p)
        case "one_hot" if ("labels" in p) == ("seed" in p):
            return [("labels", "one_hot takes either labels or a seed, not both or neither")]
        case "one_hot" if "labels" in p:
            return _one_hot_problems(p)
        case "one_hot" if not p.get("shape"):
            return [("shape", "one_hot with a seed needs the shape of the result, the classes last")]
        case "one_hot" if p["shape"][-1] == 0 or p.get("classes", p["shape"][-1]) != p["shape"][-1]:
            return [("classes", f"the last entry of shape {list(p['shape'])} is the number of classes, at least one")]
        case "eye" if len(p["shape"]) not in (1, 2):
            return [("shape", f"an identity matrix has shape [n] or [rows, columns], got {list(p['shape'])}")]
        case "eye" if (problem := _size_problem((p["shape"][0], p["shape"][-1]))) is not None:
            return [("shape", problem)]
        case "arange" if p.get("start", 0) + p.get("step", 1) * _size(tuple(p["shape"])) not in _INT64:
            return [("step", "the last number does not fit 64 bits")]
        case "probabilities" if not -len(p["shape"]) <= p.get("axis", -1) < len(p["shape"]):
            return [("axis", f"axis {p.get('axis', -1)} is outside an array of shape {list(p['shape'])}")]
        case "cycle" if not list(_leaves(p["values"])):
            return [("values", "expected at least one number")]
    return []


def _range_problems(generator: str, p: Parameters) -> list[tuple[str, str]]:
    """Finite numbers between which lies more than the largest float64, so that those in between are infinite or nan."""
    match generator:
        case "uniform":
            name, extent = "high", float(p.get("high", 1.0)) - float(p.get("low", 0.0))
        case "normal":  # never beyond six times its scale
            name, extent = "scale", abs(float(p.get("shift", 0.0))) + 6 * abs(float(p.get("scale", 1.0)))
        case "linspace":
            name, extent = "stop", float(p["stop"]) - float(p["start"])
        case _:
            name, extent = "step", float(p.get("start", 1.0)) + float(p.get("step", 1.0)) * _size(tuple(p["shape"]))
    return [] if math.isfinite(extent) else [(name, "the numbers go beyond float64")]


def _one_hot_problems(p: Parameters) -> list[tuple[str, str]]:
    if "classes" not in p:
        return [("classes", "one_hot with labels needs the number of classes")]
    try:
        shape = (*literal_shape(p["labels"]), p["classes"])
    except ValueError as error:
        return [("labels", str(error))]
    if (problem := _size_problem(shape)) is not None:
        return [("classes", problem)]
    if "shape" in p and tuple(p["shape"]) != shape:
        return [("shape", f"labels and classes make the shape {list(shape)}, not {list(p['shape'])}; leave shape out")]
    return []


def completed(spec: ArraySpec) -> dict[str, Any]:
    """The parameters of a spec with the defaults filled in; ValueError where they are wrong."""
    name = str(spec.generator)
    problems = parameter_problems(name, spec.parameters)
    if problems:
        raise ValueError(f"generator {name}: " + "; ".join(f"{where}: {what}" for where, what in problems))
    p = {n: spec.parameters.get(n, parameter.default) for n, parameter in GENERATORS[name].parameters.items()}
    if p["shape"] is not None:
        p["shape"] = tuple(p["shape"])
    if name == "one_hot" and p["classes"] is None:
        p["classes"] = p["shape"][-1]
    return p


# --- making the array ------------------------------------------------------------------------------------------------


def realize(spec: ArraySpec, dtype: str) -> Array:
    """The array a spec describes, in a run in `dtype` (float64, float32, float16 or bfloat16).

    Floating numbers are rounded once to `dtype`, integers become int64, and a spec with a dtype of its own gets that.
    ValueError, naming what was expected, where the spec describes no array.
    """
    if spec.generator is None:
        values = _literal(spec.values)
    else:
        parameters = completed(spec)
        values = GENERATORS[spec.generator].make(parameters)
    wanted = spec.dtype or ("int64" if values.dtype.kind in "iu" else dtype)
    if wanted not in DTYPES:
        raise ValueError(f"no dtype {wanted!r}. {suggestion(wanted, DTYPES)}")
    _require_representable(values, wanted)
    if spec.rows is not None:
        values = values[list(spec.rows)]
    return Array(wanted, _laid_out(Array.of(values, wanted), spec.layout))


def _literal(values: Any) -> Numbers:
    literal_shape(values)
    kinds = set(map(type, _leaves(values)))
    if not all(issubclass(kind, int | float) for kind in kinds):
        raise ValueError("expected numbers in nested lists")
    if kinds and all(issubclass(kind, int) for kind in kinds):
        try:
            return np.asarray(values, dtype=np.int64)
        except OverflowError:
            raise ValueError("an integer does not fit 64 bits; write it with a decimal point") from None
    return np.asarray(values, dtype=np.float64)


def _require_representable(values: Numbers, dtype: str) -> None:
    """Integer types take whole numbers inside their range: a wrapped label would be another case."""
    if dtype in FORMATS:
        return
    low, high = (0, 1) if dtype == "bool" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    with np.errstate(invalid="ignore"):
        fits = (values == np.floor(values)) & (values >= low) & (values <= high) if values.size else np.True_
    if not np.all(fits):
        raise ValueError(f"{dtype} holds whole numbers from {low} to {high} only")


def _laid_out(array: Array, layout: str) -> Numbers:
    """The same values with the strides of `layout`."""
    storage = np.ascontiguousarray(array.storage).reshape(array.shape)
    if storage.ndim == 0 and layout in LAYOUTS:
        return storage
    match layout:
        case "contiguous":
            return storage
        case "strided":
            # What lies between the elements must hurt whoever reads it: nan, or a label far out of range.
            buffer = np.full((*storage.shape[:-1], 2 * storage.shape[-1]), _poison(array), dtype=storage.dtype)
            buffer[..., ::2] = storage
            return buffer[..., ::2]
        case "transposed":
            return np.asfortranarray(storage)
        case "reversed":
            return np.flip(np.ascontiguousarray(np.flip(storage)))
        case "sliced":
            # Elements lie side by side, rows do not: whoever looks at the last stride only takes it for contiguous.
            wider = np.full((*storage.shape[:-1], storage.shape[-1] + 2), _poison(array), dtype=storage.dtype)
            wider[..., 1:-1] = storage
            return wider[..., 1:-1]
        case "channels-last":
            second = min(1, storage.ndim - 1)
            return np.moveaxis(np.ascontiguousarray(np.moveaxis(storage, second, -1)), -1, second)
        case "repeated":
            if not storage.size:
                return storage
            if not Array(array.dtype, np.broadcast_to(storage[:1], storage.shape)).same_bits(array):
                raise ValueError("layout repeated needs the same numbers all along the first axis")
            # As many elements as a reader that ignores the stride would walk over.
            only = np.full(storage.shape, _poison(array), dtype=storage.dtype)
            only[:1] = storage[:1]
            return np.ndarray(storage.shape, storage.dtype, buffer=only, strides=(0, *only.strides[1:]))
        case _:
            raise ValueError(f"no layout {layout!r}. {suggestion(layout, LAYOUTS)}")


def _poison(array: Array) -> Any:
    if array.dtype == "bfloat16":
        return 0x7FC0  # the bits of a quiet nan
    if array.is_float:
        return np.nan
    return True if array.dtype == "bool" else np.iinfo(array.storage.dtype).max


# --- the wire --------------------------------------------------------------------------------------------------------


def spec_to_wire(spec: ArraySpec) -> dict[str, Any]:
    """The spec as JSON can hold it: {"values"} or {"generator", "parameters"}, "dtype" and "layout".

    nan and the infinities are the strings "nan", "inf" and "-inf"; every other number is itself.
    """
    message: dict[str, Any] = {"dtype": spec.dtype, "layout": spec.layout}
    if spec.rows is not None:
        message["rows"] = list(spec.rows)
    if spec.generator is None:
        message["values"] = _to_wire(spec.values)
    else:
        message["generator"] = spec.generator
        message["parameters"] = {name: _to_wire(value) for name, value in spec.parameters.items()}
    return message


def spec_from_wire(message: Mapping[str, Any]) -> ArraySpec:
    """The inverse of `spec_to_wire`; a message that is none raises ValueError."""
    try:
        generator, dtype, layout = message.get("generator"), message["dtype"], message["layout"]
        values = None if generator is not None else _from_wire(message["values"])
        parameters = {} if generator is None else {n: _from_wire(v) for n, v in message["parameters"].items()}
        rows = None if message.get("rows") is None else tuple(map(int, message["rows"]))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"not an array spec on the wire: {error!r}") from error
    if not (dtype is None or isinstance(dtype, str)) or not isinstance(layout, str):
        raise ValueError("not an array spec on the wire: dtype and layout are strings")
    return ArraySpec(values, generator, parameters, dtype, layout, rows)


def _to_wire(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return [_to_wire(entry) for entry in value]
    return value if not isinstance(value, float) or math.isfinite(value) else repr(value)


def _from_wire(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return tuple(_from_wire(entry) for entry in value)
    if isinstance(value, str):
        if value not in ("nan", "inf", "-inf"):
            raise ValueError(f"{value!r} is no number")
        return float(value)
    return value
