"""Behaviours of today's frameworks that are known from elsewhere, and whether a campaign came upon them by itself.

The list measures the fuzzing and steers nothing: what is drawn knows nothing of it. Each entry says where a behaviour
shows: as a finding (implementation, loss, aspect, outcome, condition of the shrunk input), as a convention an answer is
right by, or as a difference between who accepts an input and who refuses it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from harness.fuzzing.campaign import Campaign, Finding

HALF = ("float16", "bfloat16")
ROWS = "softmax_cross_entropy"
BINARY = "binary_cross_entropy_with_logits"
PROBABILITY = "binary_cross_entropy"


@dataclass(frozen=True)
class Diverges:
    """A behaviour that is a finding."""

    says: str
    implementation: str
    loss: str
    outcomes: tuple[str, ...]
    aspect: str = "value"
    mode: str = "*"
    having: tuple[str, ...] = ()
    """Patterns, each of which some condition of the input matches."""
    lacking: tuple[str, ...] = ()
    """Patterns that no condition of the input matches."""
    dtypes: tuple[str, ...] = ("*",)

    def is_seen(self, campaign: Campaign) -> bool:
        return any(self.is_shown_by(finding) for finding in campaign.findings)

    def is_shown_by(self, finding: Finding) -> bool:
        cause = finding.cause
        matched = [any(fnmatchcase(word, pattern) for word in finding.conditions) for pattern in self.having]
        excluded = [any(fnmatchcase(word, pattern) for word in finding.conditions) for pattern in self.lacking]
        return (
            fnmatchcase(cause.implementation, self.implementation)
            and fnmatchcase(cause.loss, self.loss)
            and cause.outcome in self.outcomes
            and fnmatchcase(cause.aspect, self.aspect)
            and fnmatchcase(cause.mode, self.mode)
            and any(fnmatchcase(finding.dtype, pattern) for pattern in self.dtypes)
            and all(matched)
            and not any(excluded)
        )


@dataclass(frozen=True)
class IsByConvention:
    """A behaviour that is a declared convention, or a grade: an answer that is not the plain truth, yet no finding."""

    says: str
    implementation: str
    loss: str
    what: str
    """Pattern of the convention, or of the grade."""
    aspect: str = "value"
    mode: str = "*"

    def is_seen(self, campaign: Campaign) -> bool:
        return any(
            fnmatchcase(note.implementation, self.implementation)
            and fnmatchcase(note.loss, self.loss)
            and fnmatchcase(note.what, self.what)
            and fnmatchcase(note.aspect, self.aspect)
            and fnmatchcase(note.mode, self.mode)
            for note in campaign.notes
        )


@dataclass(frozen=True)
class IsAccepted:
    """A behaviour that is a matter of who accepts an input: somebody else refuses it."""

    says: str
    implementation: str
    what: str
    """End of the sentence that names the input."""

    def is_seen(self, campaign: Campaign) -> bool:
        for what, said in campaign.statuses.items():
            ways = {way: name for name, way in said.items() if fnmatchcase(name, f"{self.implementation} (*")}
            is_accepted = "accepts" in ways or "accepts some" in ways
            if what.endswith(self.what) and is_accepted and "refuses" in said.values():
                return True
        return False


Known = Diverges | IsByConvention | IsAccepted


def _each(says: str, names: tuple[str, ...], loss: str, outcomes: tuple[str, ...], **more: object) -> Iterator[Known]:
    for name in names:
        yield Diverges(says, name, loss, outcomes, **more)  # type: ignore[arg-type]


_KERAS = ("keras-tensorflow", "keras-torch", "keras-jax")
_UNDEFINED = ("inf in logits", "nan in logits")

KNOWN: tuple[Known, ...] = (
    # Logits
    *_each(
        "a class masked with −inf and a distribution: the value is nan",
        ("torch", "tensorflow", *_KERAS, "optax"),
        ROWS,
        ("nan",),
        having=("-inf in logits", "distributions"),
        lacking=_UNDEFINED,
    ),
    Diverges(
        "a class masked with −inf and a label: nan eagerly",
        "keras-jax",
        ROWS,
        ("nan",),
        mode="eager",
        having=("-inf in logits",),
        lacking=("distributions", *_UNDEFINED),
    ),
    *_each(
        "a masked class: compiled and eager answers differ",
        ("tensorflow", "keras-jax"),
        ROWS,
        ("nan", "finite"),
        aspect="mode_agreement",
        having=("-inf in logits",),
        lacking=_UNDEFINED,
    ),
    *(
        IsByConvention("a confident prediction's small loss has no digits left", name, ROWS, "grade B")
        for name in ("torch", "tensorflow", "keras-tensorflow", "keras-torch", "optax")
    ),
    *_each(
        "a softmax without the shift by the maximum overflows",
        ("scratch-d2", "scratch-d4"),
        "softmax",
        ("nan",),
        having=("*logits*",),
        lacking=("*inf in logits", "nan in logits"),
    ),
    *(
        IsByConvention("a constant inside the logarithm caps the loss", name, "*", "*add_inside_log*")
        for name in ("scratch-d1", "scratch-d3")
    ),
    # Targets
    *(
        IsByConvention(
            "the gradient is p − y whatever the targets sum to",
            name,
            ROWS,
            "*gradient_of_targets_summing_to_one*",
            "gradient",
        )
        for name in ("tensorflow", "keras-tensorflow")
    ),
    *(
        IsByConvention("rows of probabilities are divided by their sum", name, "categorical_cross_entropy", "*renorm*")
        for name in _KERAS
    ),
    *_each(
        "a label out of range is answered",
        ("optax", "keras-jax", "onnxruntime", "onnx-reference", "scratch-d2", "scratch-d3"),
        "*",
        ("returns",),
        having=("out_of_range_label",),
    ),
    *_each(
        "a label out of range is nan under XLA, and an error eagerly",
        ("tensorflow", "keras-tensorflow"),
        "*",
        ("returns",),
        mode="xla",
        having=("out_of_range_label",),
    ),
    *_each(
        "labels of other types than int64 are refused",
        ("torch", "tensorflow"),
        ROWS,
        ("raises",),
        having=("*int* labels",),
    ),
    Diverges(
        "uint8 labels are taken for two axes only",
        "torch",
        ROWS,
        ("raises",),
        having=("uint8 labels", "more axes"),
    ),
    IsAccepted("labels that are fractions are truncated", "keras-*", "labels that are fractions"),
    IsAccepted("a column of labels is squeezed", "keras-*", "a column of labels, squeezed"),
    *_each(
        "classes on the second axis are refused for labels",
        ("keras-tensorflow", "keras-jax"),
        ROWS,
        ("raises",),
        having=("more axes",),
        lacking=("distributions",),
    ),
    # Weights, ignoring, reductions
    IsByConvention("a weighted mean of distributions divides by N", "torch", ROWS, "*denominator(count)*"),
    IsByConvention(
        "a weighted mean divides by the number of non-zero weights",
        "tensorflow",
        "*",
        "*denominator(nonzero_weights)*",
        mode="v1",
    ),
    *(IsByConvention("the mean over nothing is 0", name, "*", "*finite_zero_mean*") for name in _KERAS),
    Diverges(
        "an ignored row of nan or infinity poisons the gradient",
        "torch",
        ROWS,
        ("nan",),
        aspect="gradient",
        having=("ignore index", "*in logits"),
    ),
    # Binary
    Diverges("the loss of the negative side is a difference of large numbers", "torch", BINARY, ("finite",)),
    *_each(
        "infinite logits: nan where there is a limit",
        ("torch", "tensorflow", *_KERAS, "optax"),
        BINARY,
        ("nan",),
        having=("*inf in logits",),
        lacking=("nan in logits",),
    ),
    IsByConvention("the logarithm is clamped at −100", "torch", PROBABILITY, "*log_clamp(-100)*"),
    IsByConvention("the gradient has a clamp of its own", "torch", PROBABILITY, "*gradient_clamp*", "gradient"),
    *(IsByConvention("probabilities are clipped", name, PROBABILITY, "*clip(*") for name in (*_KERAS, "sklearn")),
    *_each(
        "the clip is no clip in half precision: nan or infinity at p = 1",
        ("keras-tensorflow", "keras-jax"),
        PROBABILITY,
        ("nan", "inf"),
        aspect="*",
        having=("probability 1",),
        dtypes=HALF,
    ),
    Diverges(
        "compiled, probabilities outside [0, 1] are not refused",
        "torch",
        PROBABILITY,
        ("returns",),
        mode="compile",
        having=("invalid_probability",),
    ),
    # KL
    IsByConvention("a mean divides by the number of elements", "torch", "kl_divergence", "*denominator(elements)*"),
    Diverges("0 · ln 0 is nan", "torch", "kl_divergence", ("nan",), having=("-inf in *",)),
    # Types
    *_each("the classes compute float64 in float32", _KERAS, "*", ("dtype",), mode="class", dtypes=("float64",)),
    Diverges("float64 becomes float32 without x64", "jax-x32", "*", ("dtype",), dtypes=("float64",)),
    *_each(
        "subnormal numbers are zero",
        ("tensorflow", "jax"),
        "*",
        ("finite", "inf"),
        aspect="*",
        having=("subnormal *",),
    ),
    # Mistakes of code written from scratch
    Diverges("the mean is over N · C", "scratch-d0", "*", ("finite",), having=("mean",)),
    Diverges("a distribution becomes its largest entry", "scratch-d3", "*", ("finite",), having=("distributions",)),
)
"""What the installed implementations were seen to do, elsewhere and before."""


def compared(campaign: Campaign, known: tuple[Known, ...] = KNOWN) -> Iterator[str]:
    """A line for each behaviour the campaign's implementations can show, found or not, and how many were."""
    possible = [entry for entry in known if _may_show(entry, campaign.descriptions)]
    seen = {entry: entry.is_seen(campaign) for entry in possible}
    for entry in possible:
        yield f"{'found    ' if seen[entry] else 'NOT FOUND'} {entry.implementation}: {entry.says}"
    for kind, kind_of in (
        ("as findings", Diverges),
        ("by convention or grade", IsByConvention),
        ("by status", IsAccepted),
    ):
        those = [is_seen for entry, is_seen in seen.items() if isinstance(entry, kind_of)]
        if those:
            yield f"{kind}: {sum(those)} of {len(those)} known behaviours found"
    share = f" ({sum(seen.values()) / len(seen):.0%})" if seen else ""
    yield f"together: {sum(seen.values())} of {len(seen)}{share}; {len(known) - len(seen)} need others to be installed"


def _may_show(entry: Known, descriptions: Mapping[str, object]) -> bool:
    return any(fnmatchcase(name, entry.implementation) for name in descriptions)
