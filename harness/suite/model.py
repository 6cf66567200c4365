"""The shape of a case entry: the model that validates it and from which the JSON schema is emitted.

The model knows fields and types; what a field means for its loss is checked in `harness.suite.building`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    PlainValidator,
    Tag,
    WithJsonSchema,
    create_model,
    model_validator,
)
from pydantic_core import PydanticCustomError
from typing_extensions import TypeAliasType

from harness.core.case import KINDS_OF_CHOICE
from harness.core.invariances import INVARIANCES
from harness.core.outcomes import ERROR_KINDS
from harness.suite.generators import DTYPES, GENERATORS, LAYOUTS
from reference.signatures import LOSSES, OPTIONS

NUMBER_SCHEMA: dict[str, Any] = {
    "title": "Number",
    "description": "A number; also nan, inf, -inf, and hexadecimal floats such as 0x1.8p+1.",
    "anyOf": [
        {"type": "number"},
        {"type": "string", "pattern": r"^[-+]?\.?(inf|Inf|INF)$|^\.?(nan|NaN|NAN)$"},
        {"type": "string", "pattern": r"^[-+]?0[xX][0-9a-fA-F]*\.?[0-9a-fA-F]*[pP][-+]?[0-9]+$"},
    ],
}


_INT64 = range(-(2**63), 2**63)


def _element(value: Any) -> int | float:
    """As it is written: whether a label fits 64 bits is asked where it is known to be one."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise PydanticCustomError(
            "number", "expected a number (unquoted, within float64; nan, inf, -inf and 0x1.8p+1 are numbers)"
        )
    return value


def _number(value: Any) -> int | float:
    number = _element(value)
    return number if isinstance(number, float) or number in _INT64 else float(number)


def _int64(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value not in _INT64:
        raise PydanticCustomError("int64", "expected an integer of 64 bits")
    return value


Number = Annotated[int | float, PlainValidator(_number), WithJsonSchema(NUMBER_SCHEMA)]
Element = Annotated[int | float, PlainValidator(_element), WithJsonSchema(NUMBER_SCHEMA)]
if TYPE_CHECKING:
    # Types that are computed or recursive are checked when they run; to the type checker they are what they hold.
    Row: TypeAlias = list[Any]
    Dtype: TypeAlias = str
    Layout: TypeAlias = str
    GeneratorName: TypeAlias = str
    LossName: TypeAlias = str
    ErrorKind: TypeAlias = str
    InvarianceName: TypeAlias = str
else:
    Dtype = Literal[DTYPES]
    Layout = Literal[LAYOUTS]
    GeneratorName = Literal[tuple(GENERATORS)]
    LossName = Literal[tuple(LOSSES)]
    ErrorKind = Literal[ERROR_KINDS]
    InvarianceName = Literal[INVARIANCES]
    Row = TypeAliasType(
        "Row",
        list[
            Annotated[
                Annotated["Row", Tag("(row)")] | Annotated[Element, Tag("(number)")],
                Discriminator(lambda value: "(row)" if isinstance(value, list) else "(number)"),
            ]
        ],
    )
Values = Annotated[
    Annotated[Row, Tag("(row)")] | Annotated[Number, Tag("(number)")],
    Discriminator(lambda value: "(row)" if isinstance(value, list | tuple) else "(number)"),
]
Int64 = Annotated[int, PlainValidator(_int64), WithJsonSchema({"type": "integer"})]
Text = Annotated[str, Field(min_length=1)]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class ValuesEntry(_Entry):
    """Literal numbers with a dtype or a layout of their own."""

    values: Values = Field(description="a number or nested lists of numbers")
    dtype: Dtype | None = Field(default=None, description="type of the array; default: that of the cell, or int64")
    layout: Layout = Field(default="contiguous", description="strides: the same values in another memory layout")


class GeneratorEntry(BaseModel):
    """A generated array: the name of a generator with its parameters."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)

    generator: GeneratorName = Field(description="name of the generator")
    dtype: Dtype | None = Field(default=None, description="type of the array; default: that of the cell, or int64")
    layout: Layout = Field(default="contiguous", description="strides: the same values in another memory layout")


def _array_tag(value: Any) -> str:
    if isinstance(value, dict):
        return "(generator)" if "generator" in value else "(values)"
    return "(row)" if isinstance(value, list) else "(number)"


ArrayEntry = Annotated[
    Annotated[Row, Tag("(row)")]
    | Annotated[Number, Tag("(number)")]
    | Annotated[GeneratorEntry, Tag("(generator)")]
    | Annotated[ValuesEntry, Tag("(values)")],
    Discriminator(_array_tag),
]


_HELD: Mapping[str, Any] = {
    "number": Number,
    "integer": Int64,
    "flag": bool,
    "name": str,
    "name or number": str | Number,
    "numbers": ArrayEntry,
    "number or numbers": ArrayEntry,
    "mask": ArrayEntry,
}
"""What an entry of an option is, by what the option holds."""

if TYPE_CHECKING:

    class OptionsEntry(_Entry):
        """Options of the losses."""

else:
    OptionsEntry = create_model(
        "OptionsEntry",
        __base__=_Entry,
        __doc__="Options of the losses; which loss takes which is in `reference.signatures`.",
        **{
            name: (_HELD[option.holds] | None, Field(default=None, description=option.meaning))
            for name, option in OPTIONS.items()
        },
    )


class SourceEntry(_Entry):
    """The document a case comes from."""

    document: Text = Field(description="name of the document")
    section: Text | None = Field(default=None, description="where in the document")


def _kind_of_choice(value: Any) -> str:
    if value not in KINDS_OF_CHOICE:
        raise PydanticCustomError(
            "choice",
            f"expected {', '.join(KINDS_OF_CHOICE)}, a number, or {{choice: NAME}} with inputs, options or numbers",
        )
    return str(value)


class ChoiceEntry(_Entry):
    """An answer where none is right: the formula as it stands, that of another call, or literal numbers."""

    choice: Text = Field(description="what the choice is called, in lists and in the baseline")
    any: Literal[True] | None = Field(default=None, description="true: any finite numbers will do")
    inputs: dict[str, ArrayEntry] = Field(
        default_factory=dict, description="inputs in place of those of the case: the answer is the truth of that call"
    )
    options: OptionsEntry = Field(
        default_factory=OptionsEntry,
        description="options in place of those of the case, as inputs",
    )
    numbers: dict[str, Values] = Field(
        default_factory=dict, description="by aspect (value, gradient …): the numbers themselves, to the digits written"
    )


# To the schema nan and inf are numbers, quoted or not.
KindOfChoice = Annotated[str, PlainValidator(_kind_of_choice), WithJsonSchema({"enum": ["raises", "any"]})]
AnyChoice = Annotated[
    Annotated[KindOfChoice, Tag("(kind)")]
    | Annotated[Number, Tag("(number)")]
    | Annotated[ChoiceEntry, Tag("(choice)")],
    Discriminator(
        lambda value: (
            "(choice)" if isinstance(value, dict) else "(number)" if isinstance(value, int | float) else "(kind)"
        )
    ),
]


class ExpectEntry(_Entry):
    """What is expected instead of the truth: exactly one of these."""

    raises: ErrorKind | None = Field(default=None, description="kind of the error that is right")
    implementation_defined: Annotated[list[AnyChoice], Field(min_length=1)] | None = Field(
        default=None,
        description="what implementations do where nothing is right; a finite answer is one of it",
    )
    invariances: Annotated[list[InvarianceName], Field(min_length=1)] | None = Field(
        default=None, description="ways to ask the same again: whether the bits are the same is recorded, and no truth"
    )
    at_least: Annotated[dict[str, Literal["A"]], Field(min_length=1)] | None = Field(
        default=None,
        description="the truth, by aspect (value, gradient, hessian_vector …) with grade A: accurate relative to each "
        "number itself, however small it is",
    )

    @model_validator(mode="after")
    def _exactly_one(self) -> ExpectEntry:
        if [self.raises, self.implementation_defined, self.invariances, self.at_least].count(None) != 3:
            raise PydanticCustomError(
                "expect",
                "expected one of raises, implementation_defined, invariances, at_least (none: the truth)",
            )
        return self


class ClaimEntry(_Entry):
    """Something a document says about the case: a value, a check, or something that cannot be checked."""

    holds: Text = Field(
        description="yes | to the digits printed | only under CONVENTION | no | cannot be checked: the expected verdict"
    )
    says: Text | None = Field(default=None, description="the claim in a sentence")
    value: Values | None = Field(default=None, description="the number or nested lists of numbers the document prints")
    printed_digits: Annotated[int, Field(ge=0, le=17)] | None = Field(
        default=None, description="decimals printed after the point"
    )
    convention: dict[str, Any] | None = Field(
        default=None, description="the convention under which the number is right"
    )
    output: Text = Field(default="value", description="value, or another loss evaluated on the same inputs")
    options: OptionsEntry = Field(
        default_factory=OptionsEntry, description="options that differ from those of the case"
    )
    element: Annotated[int, Field(ge=0)] | None = Field(
        default=None, description="the element the claim speaks of, row-major"
    )
    from_rounded: Number | None = Field(
        default=None, description="a rounded probability the number may have been computed from"
    )
    check: str | None = Field(default=None, description="name of a computed check")
    parameters: dict[str, Any] = Field(default_factory=dict, description="parameters of the check")
    missing: Text | None = Field(default=None, description="what would be needed to check the claim")
    because: Text | None = Field(default=None, description="why it does not hold, for a reader")

    @model_validator(mode="after")
    def _exactly_one(self) -> ClaimEntry:
        given = [name for name in ("value", "check", "missing") if getattr(self, name) is not None]
        if len(given) != 1:
            raise PydanticCustomError("claim", "expected exactly one of value, check and missing")
        return self


class CaseEntry(_Entry):
    """One case, after its family has been expanded."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9/._-]*$")] = Field(
        description="permanent id: the folder, a slash, then a-z, 0-9, dot, underscore and hyphen"
    )
    title: Text = Field(description="what is shown in lists")
    why: Text = Field(description="what the case would catch, a sentence")
    source: SourceEntry | None = Field(default=None, description="the document the case comes from")
    loss: LossName = Field(description="name of the loss")
    inputs: dict[str, ArrayEntry] = Field(description="the arrays of the loss, by name")
    options: OptionsEntry = Field(default_factory=OptionsEntry, description="options of the loss, by name")
    dtypes: Annotated[list[Literal["float64", "float32", "float16", "bfloat16"]], Field(min_length=1)] | None = Field(
        default=None, description="types the case is run in; default: float64, float32, float16, bfloat16"
    )
    expect: ExpectEntry | None = Field(default=None, description="leave out for the truth")
    differentiate: list[str] | None = Field(default=None, description="inputs whose gradient is asked for")
    cotangent: ArrayEntry | None = Field(
        default=None, description="what the value is multiplied with before differentiating"
    )
    vector: ArrayEntry | None = Field(
        default=None,
        description="direction, in the shape of the first input, of the derivative in forward mode and of the second "
        "derivative: the Hessian with respect to that input, times this vector",
    )
    outputs: list[Literal["log_sum_exp", "entropy", "rows", "z_loss"]] = Field(
        default_factory=list, description="what the call is to return beside the value"
    )
    claims: list[ClaimEntry] = Field(default_factory=list, description="what the document says about the case")
    tags: list[Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")]] = Field(
        default_factory=list, description="words to select by: a-z, 0-9, dot, underscore and hyphen"
    )
