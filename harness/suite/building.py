"""A validated entry becomes a `Case`: what its fields mean for its loss is checked here, defaults are filled in."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

import numpy as np
from pydantic import BaseModel, ValidationError

from harness.core import outputs
from harness.core.arrays import Array
from harness.core.call import Call
from harness.core.case import (
    KINDS_OF_CHOICE,
    ArraySpec,
    Case,
    Choice,
    Claim,
    Expectation,
    ExpectImplementationDefined,
    ExpectInvariances,
    ExpectRaises,
    ExpectTruth,
    Location,
    Source,
)
from harness.suite.claim_checks import CHECKS
from harness.suite.generators import (
    GENERATORS,
    holds_integers,
    literal_shape,
    parameter_problems,
    realize,
    shape_of,
)
from harness.suite.model import (
    CaseEntry,
    ChoiceEntry,
    ClaimEntry,
    ExpectEntry,
    GeneratorEntry,
    OptionsEntry,
    SourceEntry,
    ValuesEntry,
)
from harness.suite.problems import Problem, suggestion
from harness.suite.reading import MapNode, ScalarNode, line_at, node_at, plain
from reference.evaluation import twice_differentiable
from reference.signatures import DENOMINATORS, LOSSES, OPTIONS, Signature

Path = tuple[int | str, ...]
LARGEST_CASE = 2**24
"""Elements of an array of a case: their gradient still fits one line of the protocol, and their truth the memory of an
ordinary machine. What is larger is measured, not judged: a workload repeats a block."""
_LABEL = Array.of(np.zeros(1), "float64")
"""Stands for inputs whose names alone matter."""
SCHEMA_FILE = "cases/schema/case.schema.json"


def build(node: MapNode, file: str, place: str, folder: str) -> tuple[Case | None, list[Problem]]:
    """The case of an expanded entry, or everything that is wrong with it.

    `place` is the entry's place in its file, e.g. [3]; `folder` the first part its id must have.
    """
    try:
        entry = CaseEntry.model_validate(plain(node))
    except ValidationError as error:
        return None, [_from_pydantic(e, node, file, place) for e in cast(list[Any], error.errors())]
    build_ = _Build(entry, node, file, place)
    case = build_.case(folder)
    return (None if build_.problems else case), build_.problems


@dataclass
class _Build:
    """One entry on its way to a case, and what was found wrong so far."""

    entry: CaseEntry
    node: MapNode
    file: str
    place: str
    problems: list[Problem] = field(default_factory=list)

    def wrong(self, path: Path, message: str, hint: str) -> None:
        where = self.place + "".join(_step(step) for step in path)
        self.problems.append(Problem(self.file, line_at(self.node, path), where, message, hint))

    def case(self, folder: str) -> Case:
        entry, signature = self.entry, LOSSES[self.entry.loss]
        if not entry.id.startswith(f"{folder}/") or entry.id == f"{folder}/":
            self.wrong(("id",), f"the id {entry.id!r} does not begin with its folder", f"Write {folder}/NAME")
        if entry.id.endswith("/") or "//" in entry.id:
            self.wrong(("id",), f"an empty part in the id {entry.id!r}", "Remove the superfluous slash")
        options = self.options(signature, entry.expect is not None and entry.expect.raises is not None)
        inputs = self.inputs(signature)
        expect = self.expectation(signature, inputs)
        differentiate = self.differentiate(signature, inputs, expect)
        if isinstance(expect, ExpectTruth):
            self.check_grades(expect, differentiate)
        self.check_outputs(inputs, options)
        if isinstance(expect, ExpectInvariances):
            self.check_invariances(expect, inputs, options)
        dtypes = tuple(entry.dtypes) if entry.dtypes is not None else Case.dtypes
        for path, names in ((("dtypes",), dtypes), (("tags",), tuple(entry.tags))):
            for name in sorted({n for n in names if names.count(n) > 1}):
                self.wrong(path, f"{name} is listed twice", "Remove one")
        return Case(
            id=entry.id,
            title=" ".join(entry.title.split()),
            why=" ".join(entry.why.split()),
            loss=entry.loss,
            inputs=inputs,
            location=Location(self.file, self.node.line),
            options=options,
            dtypes=dtypes,
            expect=expect,
            differentiate=differentiate,
            cotangent=self.cotangent(signature, options),
            vector=self.vector(signature, inputs, differentiate, expect),
            outputs=tuple(entry.outputs),
            source=_source(entry.source),
            claims=tuple(self.claim(claim, n) for n, claim in enumerate(entry.claims)),
            tags=tuple(entry.tags),
        )

    # --- arrays ---

    def array(self, entry: Any, path: Path) -> ArraySpec:
        """The spec of an array as written; problems where it describes none."""
        match entry:
            case GeneratorEntry():
                parameters = {name: _frozen(value) for name, value in (entry.model_extra or {}).items()}
                spec = ArraySpec(None, entry.generator, parameters, entry.dtype, entry.layout)
                for name, what in parameter_problems(entry.generator, parameters):
                    known = ", ".join(GENERATORS[entry.generator].parameters)
                    self.wrong((*path, name), what, f"{entry.generator} takes {known}")
                self.check_size(_shape(spec) or (), path)
                return spec
            case ValuesEntry():
                spec = ArraySpec(_frozen(entry.values), dtype=entry.dtype, layout=entry.layout)
            case _:
                spec = ArraySpec(_frozen(entry))
        try:
            realize(spec, "float64")
        except ValueError as error:
            self.wrong(path, str(error), "Write rows of equal length and numbers the dtype can hold")
        return spec

    def check_size(self, shape: tuple[int, ...], path: Path) -> None:
        if (count := math.prod(shape)) > LARGEST_CASE:
            what = f"{count} elements are too many; a case has at most {LARGEST_CASE}"
            self.wrong(path, what, "Write fewer; what needs more is a workload, which repeats a block")

    def known_inputs(self, names: Iterable[str], signature: Signature, path: Path) -> None:
        for name in names:
            if name not in signature.inputs:
                hint = suggestion(name, signature.inputs)
                self.wrong((*path, name), f"{self.entry.loss} has no input {name!r}", hint)

    def inputs(self, signature: Signature) -> dict[str, ArraySpec]:
        self.known_inputs(self.entry.inputs, signature, ("inputs",))
        form = signature.form(self.entry.inputs)
        for name in form:
            if name not in self.entry.inputs and name not in signature.optional:
                self.wrong(("inputs",), f"{self.entry.loss} needs the input {name}", f"Add {name}: to inputs")
        for name in self.entry.inputs:
            if name in signature.inputs and name not in form:
                self.wrong(("inputs", name), f"{name} does not go with {', '.join(form)}", "Remove one or the other")
        found = len(self.problems)
        specs = {name: self.array(entry, ("inputs", name)) for name, entry in self.entry.inputs.items()}
        if "hidden" in specs and "weight" in specs:
            hidden, weight = (_shape(specs[name]) or () for name in ("hidden", "weight"))
            self.check_size((*hidden[:-1], *weight[-1:]), ("inputs", "weight"))
        if len(self.problems) > found:
            return specs
        return {
            name: self.typed(name, spec, signature.inputs[name], specs) if name in signature.inputs else spec
            for name, spec in specs.items()
        }

    def typed(self, name: str, spec: ArraySpec, kind: str, specs: Mapping[str, ArraySpec]) -> ArraySpec:
        """The spec with the numbers its input holds: `[1, 0]` are floating logits, but integer labels."""
        if spec.dtype is not None:
            return spec
        labels = kind == "labels" or (kind == "targets" and not _is_distribution(spec, specs))
        if holds_integers(spec) and labels:
            return spec
        if spec.generator is None:
            return replace(spec, values=_floating(spec.values))
        if holds_integers(spec):
            hint = "Use ramp, cycle, bits or one_hot; or give it a dtype to make it integers all the same"
            self.wrong(("inputs", name), f"{spec.generator} makes integers, {name} is floating", hint)
        return spec

    # --- options ---

    def options(self, signature: Signature, raises: bool) -> dict[str, Any]:
        options = self.given_options(self.entry.options, signature, ("options",), raises)
        if signature.reductions:
            options.setdefault("reduction", "mean")
        return options

    def given_options(self, entry: OptionsEntry, signature: Signature, path: Path, raises: bool) -> dict[str, Any]:
        options: dict[str, Any] = {}
        reduced = ("reduction", "denominator") if signature.reductions else ()
        for name in sorted(entry.model_fields_set, key=list(OptionsEntry.model_fields).index):
            value = getattr(entry, name)
            if name not in (*reduced, *signature.options):
                known = (*reduced, *signature.options)
                self.wrong((*path, name), f"{self.entry.loss} has no option {name!r}", suggestion(name, known))
            elif signature.only_with.get(name, name) not in (name, *self.entry.inputs) and not raises:
                self.wrong((*path, name), f"{name} is for {signature.only_with[name]}", "Leave it out")
            elif value is None:
                self.wrong((*path, name), "expected a value, got nothing", f"Write {name}: VALUE, or leave it out")
            elif OPTIONS[name].holds == "mask":
                spec = self.array(value, (*path, name))
                if spec.generator is None and not set(_flat(spec.values)) <= {0.0, 1.0}:
                    self.wrong((*path, name), "expected truth values, 1 or 0", "Write 1 for what counts, else 0")
                options[name] = spec if spec.dtype is not None else replace(spec, dtype="bool")
            elif "numbers" in OPTIONS[name].holds and (name != "alpha" or not isinstance(value, int | float)):
                spec = self.array(value, (*path, name))
                literal = spec.generator is None and spec.dtype is None
                options[name] = replace(spec, values=_floating(spec.values)) if literal else spec
            else:
                options[name] = value
        if not raises:
            self.check_domains(options, signature, path)
        return options

    def check_domains(self, options: Mapping[str, Any], signature: Signature, path: Path) -> None:
        """An option outside its domain has no truth: such a case must expect an error."""
        hint = "Mend it, or expect: {raises: invalid_option}"
        reduction = options.get("reduction", "mean")
        if signature.reductions and reduction not in signature.reductions:
            known = ", ".join(signature.reductions)
            self.wrong((*path, "reduction"), f"expected one of {known}, got {reduction!r}", hint)
        denominator = options.get("denominator")
        if isinstance(denominator, str) and denominator not in DENOMINATORS:
            known = ", ".join(DENOMINATORS)
            self.wrong((*path, "denominator"), f"expected one of {known}, or a number, got {denominator!r}", hint)
        elif denominator is not None and reduction != "mean":
            self.wrong((*path, "denominator"), f"reduction {reduction} has no denominator", "Leave it out")
        for name, value in options.items():
            problem = None if isinstance(value, ArraySpec) else OPTIONS[name].problem(value)
            if problem is not None:
                self.wrong((*path, name), f"{problem}, got {value!r}", hint)

    def check_grades(self, expect: ExpectTruth, differentiate: tuple[str, ...]) -> None:
        """A grade is demanded of what is asked for."""
        gradients = [f"gradient/{name}" if n else "gradient" for n, name in enumerate(differentiate)]
        along = ["directional"] if self.entry.vector is not None else []
        if along and twice_differentiable(self.entry.loss, differentiate):
            along.append("hessian_vector")
        asked = ("value", *gradients, *along)
        for aspect in expect.at_least:
            if aspect not in asked:
                self.wrong(("expect", "at_least", aspect), f"no {aspect} is asked for", suggestion(aspect, asked))

    def check_outputs(self, inputs: Mapping[str, ArraySpec], options: Mapping[str, Any]) -> None:
        """An output is asked of a call that has it."""
        asked = Call(self.entry.loss, dict.fromkeys(inputs, _LABEL), options, "float64")
        for place, name in enumerate(self.entry.outputs):
            try:
                outputs.call_of(asked, name)
            except ValueError as error:
                self.wrong(("outputs", place), str(error), "Leave it out, or give the option that makes it")

    def check_invariances(
        self, expect: ExpectInvariances, inputs: Mapping[str, ArraySpec], options: Mapping[str, Any]
    ) -> None:
        """Rows can be asked apart where each has an answer of its own; layouts differ where there are two axes."""
        path: Path = ("expect", "invariances")
        shapes = [shape for spec in inputs.values() if (shape := _shape(spec)) is not None]
        if {"batch", "position"} & set(expect.names):
            if options.get("reduction", "none") != "none" or any(isinstance(v, ArraySpec) for v in options.values()):
                self.wrong(path, "rows are asked apart", "Write reduction: none, and no option that is an array")
            if any(len(shape) == 0 or shape[0] < 2 or shape[0] != shapes[0][0] for shape in shapes):
                self.wrong(path, "not every input has the same rows, two or more", "Give all inputs one first axis")
        if "layout" in expect.names and max(map(len, shapes), default=2) < 2:
            self.wrong(path, "one axis lies in one way only", "Write an input with two axes or more")
        for name in sorted({n for n in expect.names if expect.names.count(n) > 1}):
            self.wrong(path, f"{name} is listed twice", "Remove one")

    # --- what is expected ---

    def expectation(self, signature: Signature, inputs: Mapping[str, ArraySpec]) -> Expectation:
        entry = self.entry.expect
        if entry is None:
            return ExpectTruth()
        if entry.raises is not None:
            return ExpectRaises(entry.raises)
        if entry.at_least is not None:
            return ExpectTruth(entry.at_least)
        if entry.invariances is not None:
            return ExpectInvariances(tuple(entry.invariances))
        listed = entry.implementation_defined or []
        choices = tuple(self.choice(c, n, signature, inputs) for n, c in enumerate(listed))
        for name in sorted({c.name for c in choices if [d.name for d in choices].count(c.name) > 1}):
            self.wrong(("expect", "implementation_defined"), f"{name} is listed twice", "Remove one")
        return ExpectImplementationDefined(choices)

    def choice(
        self, entry: str | int | float | ChoiceEntry, n: int, signature: Signature, inputs: Mapping[str, ArraySpec]
    ) -> Choice:
        path: Path = ("expect", "implementation_defined", n)
        if isinstance(entry, str):
            return Choice(entry, kind=entry)
        if isinstance(entry, int | float):
            is_kind = not math.isfinite(entry)  # nan and inf, unquoted, are numbers in YAML
            return Choice(repr(entry), repr(entry) if is_kind else None, numbers={} if is_kind else {"value": entry})
        said = [name for name in ("any", "inputs", "options", "numbers") if name in entry.model_fields_set]
        if len(said) > 1 and said != ["inputs", "options"]:
            hint = "Write one of them; only inputs and options go together"
            self.wrong(path, f"{' and '.join(said)} say different things", hint)
        if entry.choice in KINDS_OF_CHOICE:
            self.wrong((*path, "choice"), f"{entry.choice} is a kind of outcome", f"Write {entry.choice} alone")
        self.known_inputs(entry.inputs, signature, (*path, "inputs"))
        specs = {name: self.array(value, (*path, "inputs", name)) for name, value in entry.inputs.items()}
        for name, numbers in entry.numbers.items():
            try:
                literal_shape(numbers)
            except ValueError as error:
                self.wrong((*path, "numbers", name), str(error), "Write rows of equal length")
        together = {**inputs, **specs}
        return Choice(
            entry.choice,
            kind="any" if entry.any else None,
            inputs={n: self.typed(n, spec, signature.inputs.get(n, ""), together) for n, spec in specs.items()},
            options=self.given_options(entry.options, signature, (*path, "options"), False),
            numbers={name: _frozen(numbers) for name, numbers in entry.numbers.items()},
        )

    # --- what is differentiated ---

    def differentiate(
        self, signature: Signature, inputs: Mapping[str, ArraySpec], expect: Expectation
    ) -> tuple[str, ...]:
        asked = self.entry.differentiate
        if isinstance(expect, ExpectRaises):
            if asked:
                self.wrong(("differentiate",), "an error has no gradient", "Leave differentiate out")
            return ()
        if asked is None:
            if not signature.reductions and self.entry.cotangent is None:
                return ()
            return tuple(name for name in signature.differentiate if name in inputs)
        for n, name in enumerate(asked):
            if name not in inputs:
                self.wrong(("differentiate", n), f"no input {name!r} in this case", suggestion(name, inputs))
            elif signature.inputs.get(name) == "labels" or holds_integers(inputs[name]):
                self.wrong(("differentiate", n), f"{name} are integers", "Name a floating input")
        return tuple(asked)

    def cotangent(self, signature: Signature, options: Mapping[str, Any]) -> ArraySpec | None:
        if self.entry.cotangent is None:
            return None
        spec = self.floating(self.entry.cotangent, "cotangent")
        scalar = signature.reductions and options.get("reduction") != "none"
        if scalar and _shape(spec) not in ((), None):
            hint = "Write one number, or options: {reduction: none}"
            self.wrong(("cotangent",), "a reduced loss is one number, its cotangent too", hint)
        return spec

    def vector(
        self, signature: Signature, inputs: Mapping[str, ArraySpec], differentiate: tuple[str, ...], expect: Expectation
    ) -> ArraySpec | None:
        if self.entry.vector is None:
            return None
        spec = self.floating(self.entry.vector, "vector")
        first = next((name for name in signature.differentiate if name in inputs), signature.differentiate[0])
        if isinstance(expect, ExpectRaises):
            self.wrong(("vector",), "an error has no derivatives", "Leave vector out")
        elif differentiate[:1] != (first,):
            hint = f"Write {first} first in differentiate"
            self.wrong(("vector",), f"{first} is not the first input that is differentiated once", hint)
        shape, wanted = _shape(spec), _shape(inputs[first]) if first in inputs else None
        if shape is not None and wanted is not None and shape != wanted:
            hint = f"Write one number for each of {first}, in its shape"
            self.wrong(("vector",), f"the vector has shape {shape}, {first} {wanted}", hint)
        if spec.generator is None and shape is not None and not all(map(math.isfinite, _flat(spec.values))):
            self.wrong(("vector",), "a direction is finite, got nan or an infinity", "Write finite numbers")
        return spec

    def floating(self, entry: Any, name: str) -> ArraySpec:
        """An array beside the inputs that holds floating numbers, whatever it is written with."""
        spec = self.array(entry, (name,))
        if holds_integers(spec):
            if spec.generator is not None or spec.dtype is not None:
                self.wrong((name,), f"a {name} is floating", "Use ramp or uniform, without a dtype")
            else:
                spec = replace(spec, values=_floating(spec.values))
        return spec

    # --- claims ---

    def claim(self, entry: ClaimEntry, n: int) -> Claim:
        path: Path = ("claims", n)
        self.claim_output(entry, path)
        parameters = {name: _frozen(value) for name, value in entry.parameters.items()}
        says = entry.says
        value_node = node_at(self.node, (*path, "value"))
        written = value_node.text if isinstance(value_node, ScalarNode) else None
        if entry.check is not None:
            self.claim_check(entry.check, parameters, path)
            says = says or (CHECKS[entry.check].says if entry.check in CHECKS else "")
        elif parameters:
            self.wrong((*path, "parameters"), "parameters without check", "Name a check, or remove them")
        if entry.value is not None:
            try:
                literal_shape(entry.value)
            except ValueError as error:
                self.wrong((*path, "value"), str(error), "Write rows of equal length")
            of = "the loss" if entry.output == "value" else entry.output
            says = says or f"{of[0].upper()}{of[1:]} is {written or plain_numbers(entry.value)}."
        if entry.missing is not None and says is None:
            self.wrong(path, "a claim that cannot be checked needs words", "Add says: what the document claims")
        claim = Claim(
            says=" ".join((says or "").split()),
            holds=entry.holds,
            value=_frozen(entry.value),
            written=written,
            printed_digits=entry.printed_digits,
            convention=_frozen(entry.convention),
            output=entry.output,
            options=self.given_options(
                entry.options, LOSSES.get(entry.output, LOSSES[self.entry.loss]), (*path, "options"), False
            ),
            element=entry.element,
            from_rounded=None if entry.from_rounded is None else float(entry.from_rounded),
            check=entry.check,
            parameters=parameters,
            missing=entry.missing,
            because=None if entry.because is None else " ".join(entry.because.split()),
        )
        try:
            expected = claim.expected_verdict
        except ValueError as error:
            self.wrong((*path, "holds"), str(error), "Write one of these")
        else:
            if (expected == "cannot_be_checked") != (entry.missing is not None):
                hint = "Write both holds: cannot be checked and missing: WHAT, or neither"
                self.wrong((*path, "holds"), f"{entry.holds!r} contradicts the rest of the claim", hint)
        return claim

    def claim_output(self, entry: ClaimEntry, path: Path) -> None:
        if entry.output == "value" or entry.output == self.entry.loss:
            return
        if entry.output not in LOSSES:
            self.wrong((*path, "output"), f"no loss {entry.output!r}", suggestion(entry.output, LOSSES))
            return
        needed = LOSSES[entry.output]
        form = needed.form(self.entry.inputs)
        absent = [n for n in form if n not in self.entry.inputs and n not in needed.optional]
        if absent:
            what = f"{entry.output} needs {', '.join(absent)}, which this case does not have"
            self.wrong((*path, "output"), what, "Name a loss of the same inputs")

    def claim_check(self, name: str, parameters: Mapping[str, Any], path: Path) -> None:
        if name not in CHECKS:
            self.wrong((*path, "check"), f"no check {name!r}", suggestion(name, CHECKS))
            return
        check = CHECKS[name]
        for parameter in parameters:
            if parameter not in check.parameters:
                what = f"{name} has no parameter {parameter!r}"
                self.wrong((*path, "parameters", parameter), what, suggestion(parameter, check.parameters))
        for parameter, meaning in check.parameters.items():
            if parameter not in parameters and parameter not in check.optional:
                self.wrong((*path, "check"), f"{name} needs the parameter {parameter}", f"It is {meaning}")


def plain_numbers(value: Any) -> str:
    """Numbers as a reader writes them."""
    if isinstance(value, list | tuple):
        return "[" + ", ".join(plain_numbers(entry) for entry in value) + "]"
    return repr(value)


def _source(entry: SourceEntry | None) -> Source | None:
    return None if entry is None else Source(entry.document, entry.section)


def _is_distribution(spec: ArraySpec, specs: Mapping[str, ArraySpec]) -> bool:
    """Whether integer targets are ones and zeros of the predictions' shape rather than class labels."""
    if "hidden" in specs:
        leading, sizes = _shape(specs["hidden"]), _shape(specs.get("weight", ArraySpec(0.0)))
        shape = _shape(spec)
        return bool(leading and shape and sizes and shape == (*leading[:-1], sizes[-1]))
    predictions = specs.get("logits") or specs.get("probabilities") or specs.get("log_probabilities")
    return predictions is not None and _shape(spec) == _shape(predictions)


def _shape(spec: ArraySpec) -> tuple[int, ...] | None:
    try:
        return shape_of(spec)
    except ValueError:
        return None


def _frozen(value: Any) -> Any:
    """Lists as tuples, so that a case cannot change."""
    if isinstance(value, list | tuple):
        return tuple(_frozen(entry) for entry in value)
    if isinstance(value, dict):
        return {name: _frozen(entry) for name, entry in value.items()}
    return value


def _floating(values: Any) -> Any:
    if isinstance(values, tuple):
        return tuple(_floating(entry) for entry in values)
    try:
        return float(values)
    except OverflowError:
        return values


# --- what pydantic found ---------------------------------------------------------------------------------------------

_ADVICE: Mapping[str, str] = {
    "string_type": "expected text (quote it if it reads as a number)",
    "string_too_short": "expected text, got nothing",
    "int_type": "expected an integer",
    "list_type": "expected a list",
    "dict_type": "expected a map",
    "model_type": "expected a map",
    "bool_type": "expected true or false",
    "too_short": "expected at least one entry",
}


def _from_pydantic(error: Mapping[str, Any], node: MapNode, file: str, field: str) -> Problem:
    path: Path = tuple(s for s in error["loc"] if not (isinstance(s, str) and s.startswith("(")))
    place = field + "".join(_step(step) for step in path)
    named = max((n for n, step in enumerate(path) if isinstance(step, str)), default=None)
    model, name = (None, "") if named is None else (_model_at(path[:named]), str(path[named]))
    described = model.model_fields[name].description if model is not None and name in model.model_fields else None
    hint = f"{name} is {described}" if described else f"See {SCHEMA_FILE}"
    if error["type"] == "missing":
        return Problem(file, line_at(node, path[:-1]), place, f"{name} is missing", f"Add it: {hint}")
    if error["type"] == "extra_forbidden" and model is not None:
        known = [*model.model_fields, *(("for_each", "except") if model is CaseEntry else ())]
        return Problem(file, line_at(node, path), place, f"no field {name!r} here", suggestion(name, known))
    message = _ADVICE.get(error["type"], str(error["msg"]))
    if error["type"] == "literal_error":
        allowed = error["ctx"]["expected"].replace("'", "").replace(" or ", ", ").split(", ")
        message, hint = f"expected one of {', '.join(allowed)}", suggestion(str(error["input"]), allowed)
    elif error["type"] == "string_pattern_mismatch":
        message = f"expected text that matches {error['ctx']['pattern']}"
    if not isinstance(error.get("input"), dict):
        got = repr(error.get("input"))
        message += f", got {got if len(got) <= 60 else got[:57] + '...'}"
    return Problem(file, line_at(node, path), place, message, hint)


def _model_at(path: Path) -> type[BaseModel] | None:
    match path:
        case ():
            return CaseEntry
        case ("options",) | ("claims", int(), "options"):
            return OptionsEntry
        case ("source",):
            return SourceEntry
        case ("expect",):
            return ExpectEntry
        case ("expect", "implementation_defined", int()):
            return ChoiceEntry
        case ("claims", int()):
            return ClaimEntry
        case (
            ("inputs", str()) | ("cotangent",) | ("vector",) | ("options", str()) | ("claims", int(), "options", str())
        ):
            return ValuesEntry
        case _:
            return None


def _step(step: int | str) -> str:
    return f"[{step}]" if isinstance(step, int) else f".{step}"


def _flat(numbers: Any) -> Iterator[float]:
    """The numbers of nested lists, one after the other."""
    if isinstance(numbers, list | tuple):
        for item in numbers:
            yield from _flat(item)
    else:
        yield float(numbers)
