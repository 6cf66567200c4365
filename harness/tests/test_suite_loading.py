"""Loading: what a case becomes, and every problem of every file named with its place and hint."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.case import ArraySpec, Case, Choice, ExpectImplementationDefined, ExpectRaises, ExpectTruth
from harness.suite.case_files import LARGEST_FILE
from harness.suite.loading import digest, find_cases_directory, load, load_text
from harness.suite.problems import Problem, SuiteError

HEAD = "- {id: edges/a, title: t, why: w, loss: softmax_cross_entropy, inputs: {logits: [[1, 2]], targets: [0]}"


def cases_of(text: str, folder: str = "edges") -> list[Case]:
    cases, problems = load_text(text, f"{folder}/f.yaml", folder)
    assert not problems, problems
    return cases


def one(fields: str, **replaced: str) -> Case:
    parts = {
        "id": "edges/a",
        "title": "t",
        "why": "w",
        "loss": "softmax_cross_entropy",
        "inputs": "{logits: [[1, 2]], targets: [0]}",
        **replaced,
    }
    body = ", ".join(f"{name}: {value}" for name, value in parts.items())
    return cases_of(f"- {{{body}{', ' if fields else ''}{fields}}}\n")[0]


def problems_of(text: str, folder: str = "edges") -> list[Problem]:
    cases, problems = load_text(text, "edges/f.yaml", folder)
    assert problems
    assert all(problem.line > 0 and problem.message and problem.hint for problem in problems)
    assert not cases or len(problems) > 0
    return problems


def test_what_a_case_becomes() -> None:
    case = one("")
    assert case.inputs["logits"] == ArraySpec(((1.0, 2.0),))
    assert case.inputs["targets"] == ArraySpec((0,))
    assert isinstance(case.inputs["logits"].values[0][0], float)
    assert isinstance(case.inputs["targets"].values[0], int)
    assert case.options == {"reduction": "mean"}
    assert case.dtypes == ("float64", "float32", "float16", "bfloat16")
    assert case.expect == ExpectTruth()
    assert case.differentiate == ("logits",)
    assert (case.location.file, case.location.line) == ("edges/f.yaml", 1)


def test_denominator_is_never_filled_in() -> None:
    assert one("options: {class_weights: [1, 2]}").options == {
        "reduction": "mean",
        "class_weights": ArraySpec((1.0, 2.0)),
    }
    assert one("options: {denominator: count}").options["denominator"] == "count"


@pytest.mark.parametrize(
    ("logits", "targets", "integers"),
    [
        ("[[1, 2]]", "[[1, 0]]", False),
        ("[[1, 2]]", "[1]", True),
        ("[1, 2]", "1", True),
        ("[1, 2]", "[0, 1]", False),
        ("[[1], [2]]", "[0, 0]", True),
        ("[[1], [2]]", "[[1], [1]]", False),
        ("[[1, 2], [3, 4]]", "[[0], [1]]", True),
        ("[[1, 2]]", "{values: [[1, 0]], dtype: int64}", True),
        ("[[1, 2]]", "{values: [1.0]}", False),
        ("{generator: zeros, shape: [2, 3]}", "[[0, 1, 0], [1, 0, 0]]", False),
    ],
)
def test_integer_targets_are_labels_unless_they_have_the_shape_of_the_logits(
    logits: str, targets: str, integers: bool
) -> None:
    spec = one("", inputs=f"{{logits: {logits}, targets: {targets}}}").inputs["targets"]
    flat: Any = spec.values
    while isinstance(flat, tuple):
        flat = flat[0]
    assert isinstance(flat, int) == integers


def test_distributions_of_a_linear_layer_have_the_classes_of_its_weight() -> None:
    inputs = "{hidden: [[1, 2]], weight: [[1, 2, 3], [4, 5, 6]], targets: %s}"
    labels = one("", loss="linear_cross_entropy", inputs=inputs % "[2]")
    rows = one("", loss="linear_cross_entropy", inputs=inputs % "[[0, 0, 1]]")
    assert labels.inputs["targets"] == ArraySpec((2,))
    assert isinstance(rows.inputs["targets"].values[0][0], float)
    assert labels.differentiate == ("hidden", "weight")


def test_targets_of_binary_losses_are_floating() -> None:
    case = one("", loss="binary_cross_entropy", inputs="{probabilities: [0.5], targets: [1]}")
    assert isinstance(case.inputs["targets"].values[0], float)


def test_what_is_differentiated() -> None:
    softmax = {"loss": "softmax", "inputs": "{logits: [1, 2]}"}
    assert one("", **softmax).differentiate == ()
    assert one("cotangent: [1, 2]", **softmax).differentiate == ("logits",)
    assert "reduction" not in one("", **softmax).options
    assert one("expect: {raises: shape_mismatch}").differentiate == ()
    soft = one("differentiate: [logits, targets]", inputs="{logits: [[1, 2]], targets: [[1, 0]]}")
    assert soft.differentiate == ("logits", "targets")
    assert one("differentiate: []").differentiate == ()


def test_expectations() -> None:
    assert one("expect: {raises: bad_dtype}").expect == ExpectRaises("bad_dtype")
    defined = one("expect: {implementation_defined: [nan, raises, 0.25, {choice: as it stands}]}").expect
    assert defined == ExpectImplementationDefined(
        (
            Choice("nan", "nan"),
            Choice("raises", "raises"),
            Choice("0.25", numbers={"value": 0.25}),
            Choice("as it stands"),
        )
    )


def test_an_option_out_of_its_domain_is_fine_where_an_error_is_expected() -> None:
    options = "options: {reduction: average, label_smoothing: 2, base: 0}"
    case = one(
        f"{options}, expect: {{raises: invalid_option}}",
        loss="categorical_cross_entropy",
        inputs="{probabilities: [[1, 0]], targets: [0]}",
    )
    assert case.options["reduction"] == "average"


def test_claims() -> None:
    case = one(
        """claims: [
        {value: 0.5, holds: no},
        {value: [[0.25, 0.75]], output: softmax, printed_digits: 2, holds: to the digits printed, says: a  b},
        {check: same_for_one_hot, holds: yes},
        {missing: a picture, says: it falls, holds: cannot be checked},
        {value: 1, options: {reduction: none}, element: 0, from_rounded: 0.9, holds: only under base 2}]"""
    )
    assert [claim.expected_verdict for claim in case.claims] == [
        "wrong",
        "holds_to_printed_digits",
        "holds",
        "cannot_be_checked",
        "holds_under_convention",
    ]
    assert case.claims[0].says == "The loss is 0.5."
    assert case.claims[1].says == "a b"
    assert case.claims[1].value == ((0.25, 0.75),)
    assert case.claims[4].options == {"reduction": "none"}
    assert case.claims[4].from_rounded == 0.9


BROKEN_FIELDS = [
    ("titel: x", "titel", "no field 'titel'", "Did you mean title?"),
    ("tags: [Big]", "tags[0]", "matches", "tags"),
    ("tags: [a, a]", "tags", "listed twice", "Remove"),
    ("dtypes: [float23]", "dtypes[0]", "expected one of float64", "float32"),
    ("dtypes: []", "dtypes", "at least one", "dtypes"),
    ("expect: {raises: boom}", "expect.raises", "expected one of out_of_range_label", "Known"),
    ("expect: {}", "expect", "one of raises, implementation_defined, invariances", ""),
    ("expect: {raises: bad_dtype, implementation_defined: [nan]}", "expect", "one of raises", ""),
    ("expect: {implementation_defined: [zero]}", "expect.implementation_defined[0]", "{choice: NAME}", ""),
    ("expect: {implementation_defined: [nan, nan]}", "expect.implementation_defined", "nan is listed twice", ""),
    (
        "expect: {implementation_defined: [{choice: a, any: true, numbers: {value: 1}}]}",
        "expect.implementation_defined[0]",
        "any and numbers say different things",
        "",
    ),
    (
        "expect: {implementation_defined: [{choice: a, inputs: {logit: [1]}}]}",
        "expect.implementation_defined[0].inputs.logit",
        "no input 'logit'",
        "Did you mean logits",
    ),
    (
        "expect: {implementation_defined: [{choice: a, optons: {axis: 1}}]}",
        "expect.implementation_defined[0].optons",
        "no field 'optons'",
        "Did you mean options",
    ),
    ("expect: {invariances: [thread]}", "expect.invariances", "expected one of second-call", ""),
    ("expect: {invariances: [batch]}", "expect.invariances", "rows are asked apart", "reduction: none"),
    ("expect: {invariances: [layout, layout]}", "expect.invariances", "layout is listed twice", ""),
    ("expect: {raises: bad_dtype}, differentiate: [logits]", "differentiate", "no gradient", ""),
    ("differentiate: [targets]", "differentiate[0]", "integers", ""),
    ("differentiate: [probabilities]", "differentiate[0]", "no input", ""),
    ("options: {base: 2}", "options.base", "has no option 'base'", ""),
    ("options: {reducton: sum}", "options.reducton", "no field 'reducton'", "Did you mean reduction?"),
    ("options: {reduction: avg}", "options.reduction", "expected one of none, sum, mean", "invalid_option"),
    ("options: {denominator: N}", "options.denominator", "expected one of count", ""),
    ("options: {reduction: sum, denominator: count}", "options.denominator", "no denominator", ""),
    ("options: {label_smoothing: 1.5}", "options.label_smoothing", "expected a number within [0, 1]", ""),
    ("options: {label_smoothing: nan}", "options.label_smoothing", "expected a number within [0, 1]", ""),
    ("options: {denominator: 0}", "options.denominator", "expected a finite number greater than 0", "invalid_option"),
    ("options: {softcap: -1}", "options.softcap", "expected a finite number greater than 0", ""),
    ("options: {class_mask: [1, 2]}", "options.class_mask", "expected truth values", ""),
    ("options: {axis: 1.5}", "options.axis", "expected an integer", "axis"),
    ("options: {axis: null}", "options.axis", "expected a value", ""),
    ("options: {class_weights: [1, x]}", "options.class_weights[1]", "expected a number", ""),
    ("cotangent: [1, 2]", "cotangent", "a reduced loss is one number", "reduction: none"),
    ("cotangent: {generator: labels, shape: [1], classes: 2, seed: 0}", "cotangent", "floating", ""),
    ("claims: [{holds: yes}]", "claims[0]", "exactly one of value, check and missing", ""),
    ("claims: [{holds: yes, value: 1, check: labels_in_range}]", "claims[0]", "exactly one", ""),
    ("claims: [{value: 1, holds: perhaps}]", "claims[0].holds", "'perhaps'", ""),
    ("claims: [{value: 1, holds: only under }]", "claims[0].holds", "not 'only under'", ""),
    ("claims: [{value: 1, holds: cannot be checked}]", "claims[0].holds", "contradicts", "missing"),
    ("claims: [{value: 1}]", "claims[0].holds", "missing", "Add it"),
    ("claims: [{value: [[1], [1, 2]], holds: yes}]", "claims[0].value", "different shapes", ""),
    ("claims: [{check: label_in_range, holds: yes}]", "claims[0].check", "no check", "Did you mean labels_in_range?"),
    ("claims: [{check: elements_less, holds: yes}]", "claims[0].check", "needs the parameter less", "indices"),
    ("claims: [{check: labels_in_range, parameters: {x: 1}, holds: yes}]", "parameters.x", "no parameter", ""),
    ("claims: [{value: 1, parameters: {x: 1}, holds: yes}]", "claims[0].parameters", "without check", ""),
    ("claims: [{value: 1, output: kl_divergence, holds: yes}]", "claims[0].output", "needs log_probabilities", ""),
    ("claims: [{value: 1, output: softmacks, holds: yes}]", "claims[0].output", "no loss", "Did you mean softmax?"),
    ("claims: [{missing: x, holds: cannot be checked}]", "claims[0]", "needs words", "says"),
]


@pytest.mark.parametrize(("fields", "place", "message", "hint"), BROKEN_FIELDS)
def test_a_broken_field_is_named(fields: str, place: str, message: str, hint: str) -> None:
    found = problems_of(f"{HEAD}, {fields}}}\n")
    assert any(place in p.field and message in p.message and hint in p.hint for p in found), found


BROKEN_INPUTS = [
    ("{logits: [[1, 2]]}", "inputs", "needs the input targets"),
    ("{logits: [[1, 2]], targets: [0], labels: [0]}", "inputs.labels", "no input 'labels'"),
    ("{logits: [[1, 2], [3]], targets: [0]}", "inputs.logits", "different shapes"),
    ("{logits: [[1, '2']], targets: [0]}", "inputs.logits[0][1]", "expected a number"),
    ("{logits: [[1, true]], targets: [0]}", "inputs.logits[0][1]", "expected a number"),
    ("{logits: [[1, 1e999]], targets: [0]}", "inputs.logits[0][1]", "within float64"),
    ("{logits: one, targets: [0]}", "inputs.logits", "expected a number"),
    ("{logits: {value: 3}, targets: [0]}", "inputs.logits.value", "no field 'value'"),
    ("{logits: {values: [1.5], dtype: int8}, targets: 0}", "inputs.logits", "whole numbers"),
    ("{logits: {values: [1.5], layout: strode}, targets: 0}", "inputs.logits.layout", "expected one of contiguous"),
    ("{logits: {generator: norml, shape: [2]}, targets: 0}", "inputs.logits.generator", "expected one of zeros"),
    ("{logits: {generator: normal, shape: [2]}, targets: 0}", "inputs.logits.seed", "needs seed"),
    ("{logits: {generator: normal, shape: [2], seed: 1, sale: 2}, targets: 0}", "inputs.logits.sale", "mean scale"),
    ("{logits: {generator: arange, shape: [2]}, targets: 0}", "inputs.logits", "logits is floating"),
    ("{logits: [99999999999999999999, 1], targets: [99999999999999999999]}", "inputs.targets", "64 bits"),
]


@pytest.mark.parametrize(("inputs", "place", "message"), BROKEN_INPUTS)
def test_a_broken_input_is_named(inputs: str, place: str, message: str) -> None:
    text = f"- {{id: edges/a, title: t, why: w, loss: softmax_cross_entropy, inputs: {inputs}}}\n"
    found = problems_of(text)
    assert any(place in p.field and message in p.message for p in found), found


@pytest.mark.parametrize(
    ("fields", "place", "message"),
    [
        ("cotangent: {generator: zeros, shape: [4097, 4096]}", "cotangent", "a case has at most 16777216"),
        ("cotangent: {generator: zeros, shape: [100000000, 100000000]}", "cotangent.shape", "too many"),
        (f"cotangent: {{generator: zeros, shape: [{'1, ' * 69}1]}}", "cotangent.shape", "70 axes"),
        ("cotangent: {generator: one_hot, labels: [0], classes: 2000000000}", "cotangent", "a case has at most"),
        (f"cotangent: {'9' * 350}", "cotangent", "within float64"),
        (f"options: {{base: {'9' * 350}}}", "options.base", "within float64"),
        (f"options: {{ignore_index: {'9' * 350}}}", "options.ignore_index", "expected an integer"),
        (f"options: {{ignore_index: {2**63}}}", "options.ignore_index", "64 bits"),
        (f"options: {{axis: {-(2**63) - 1}}}", "options.axis", "64 bits"),
        (f"for_each: {{x: [{', '.join(map(str, range(2001)))}]}}", "for_each.x", "2001 values, at most 2000"),
        (
            f"for_each: {{x: {{a: [{'1, ' * 500}1], b: 2}}, y: [{', '.join(map(str, range(200)))}]}}",
            "for_each",
            "400 cases of up to 7",
        ),
    ],
)
def test_the_size_of_everything_is_found_out_before_it_is_made(fields: str, place: str, message: str) -> None:
    found = problems_of(f"{HEAD}, {fields}}}\n")
    assert f"[0].{place}" in [p.field for p in found]
    assert message in str(found[0])
    assert len(str(found[0])) < 500


def test_a_product_of_matrices_is_as_large_as_its_result() -> None:
    tall, wide = (f"{{generator: zeros, shape: {shape}}}" for shape in ("[10000, 1]", "[1, 10000]"))
    text = f"{{hidden: {tall}, weight: {wide}, targets: {{generator: labels, shape: [10000], classes: 2, seed: 1}}}}"
    entry = f"- {{id: edges/a, title: t, why: w, loss: linear_cross_entropy, inputs: {text}}}\n"
    assert [p.field for p in problems_of(entry)] == ["[0].inputs.weight"]


@pytest.mark.parametrize("id_", ["a", "options/a", "edges/", "edges/A", "edges/a//b", "edges/a b", "edges/a/"])
def test_ids_begin_with_their_folder_and_keep_to_their_alphabet(id_: str) -> None:
    text = f"- {{id: {id_}, title: t, why: w, loss: softmax, inputs: {{logits: [1]}}}}\n"
    assert any(p.field == "[0].id" for p in problems_of(text))


def test_all_problems_of_a_file_are_collected_with_their_lines() -> None:
    text = """- id: edges/a
  title: 5
  loss: softmaks
  inputs:
    logits: [[1, x],
             [y, 2]]
- id: edges/b
  title: b
  why: w
  loss: softmax
  inputs: {logits: [1, 2]}
  options: {axis: one}
- 17
"""
    found = {(p.line, p.field) for p in problems_of(text)}
    assert found == {
        (2, "[0].title"),
        (1, "[0].why"),
        (3, "[0].loss"),
        (5, "[0].inputs.logits[0][1]"),
        (6, "[0].inputs.logits[1][0]"),
        (12, "[1].options.axis"),
        (13, "[2]"),
    }


@pytest.mark.parametrize("text", ["", "# nothing\n", "[]\n", "~\n"])
def test_a_file_without_cases_is_a_problem(text: str) -> None:
    assert problems_of(text)


def test_a_wrong_family_says_so_once() -> None:
    text = HEAD.replace("edges/a", "'edges/{n}'") + ", for_each: {n: [1, 2, 3]}, clams: []}\n"
    assert len(problems_of(text)) == 1


def test_files_and_folders_are_read_and_everything_wrong_raised_at_once(tmp_path: Path) -> None:
    folder = tmp_path / "edges"
    folder.mkdir()
    (folder / "good.yaml").write_text(HEAD + "}\n")
    assert [c.id for c in load([tmp_path]).cases] == ["edges/a"]
    assert load([folder / "good.yaml", folder]).files == (f"{folder}/good.yaml",)
    (folder / "same.yml").write_text(HEAD + "}\n")
    (folder / "bytes.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(SuiteError) as caught:
        load([folder, tmp_path / "nothing.yaml"])
    text = str(caught.value)
    assert "a second time" in text
    assert "not UTF-8" in text
    assert "no such file" in text
    assert len(caught.value.problems) == 3


def test_a_file_too_large_is_refused_unread(tmp_path: Path) -> None:
    file = tmp_path / "large.yaml"
    file.write_bytes(b"#" * (LARGEST_FILE + 1))
    with pytest.raises(SuiteError, match="larger than"):
        load([file])


def test_the_digest_tells_cases_apart_and_ignores_where_they_are_written() -> None:
    first = one("")
    moved = cases_of("# a comment\n\n" + HEAD + "}\n")[0]
    assert first != moved
    assert digest([first]) == digest([moved])
    signed = one("", inputs="{logits: [[1, -0.0]], targets: [0]}")
    unsigned = one("", inputs="{logits: [[1, 0.0]], targets: [0]}")
    assert digest([signed]) != digest([unsigned])
    assert digest([first, signed]) == digest([signed, first])


def test_special_numbers_reach_the_case() -> None:
    values = one("", inputs="{logits: [[nan, -inf, 0x1.8p+1, -0.0]], targets: [0]}").inputs["logits"].values[0]
    assert math.isnan(values[0])
    assert values[1:3] == (-math.inf, 3.0)
    assert math.copysign(1.0, values[3]) == -1.0


def test_the_package_finds_its_cases() -> None:
    assert (find_cases_directory() / "documents").is_dir()


scalars = (
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.sampled_from(
        ["softmax", "edges/a", "logits", "$x", "{x}", "nan", "generator", "normal", "values", "yes", "mean", "float32"]
    )
)
keys = st.sampled_from(
    [
        *("id", "title", "why", "loss", "inputs", "options", "dtypes", "expect", "cotangent", "claims", "tags"),
        *("for_each", "except", "source", "differentiate", "generator", "shape", "values", "logits", "targets", "seed"),
        *("axis", "reduction", "class_weights", "holds", "value", "check", "x", "raises", "document", "alpha"),
    ]
)
trees = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=5), max_leaves=25
)


def flow(value: Any) -> str:
    match value:
        case dict():
            return "{" + ", ".join(f"{k}: {flow(v)}" for k, v in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(flow, value)) + "]"
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case str() if value.startswith("{"):
            return f"'{value}'"
        case _:
            return str(value)


@given(trees)
def test_any_tree_is_cases_or_problems(tree: Any) -> None:
    cases, problems = load_text(flow(tree), "f.yaml", "edges")
    assert problems or cases


@given(st.dictionaries(keys, trees, max_size=5))
def test_any_change_to_a_good_case_is_a_case_or_problems(changes: dict[str, Any]) -> None:
    entry = {
        "id": "edges/a",
        "title": "t",
        "why": "w",
        "loss": "softmax_cross_entropy",
        "inputs": {"logits": [[1, 2]], "targets": [0]},
        **changes,
    }
    cases, problems = load_text(flow([entry]), "f.yaml", "edges")
    assert bool(problems) != bool(cases)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_suite_or_a_suite_error(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    file = tmp_path_factory.getbasetemp() / "garbage.yaml"
    file.write_bytes(content)
    with pytest.raises(SuiteError):
        load([file])
