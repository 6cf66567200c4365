"""The JSON schema: current, valid, true of every committed case file, and not of broken ones."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
from ruamel.yaml import YAML

from harness.cli.main import main
from harness.suite.loading import FOLDERS, find_cases_directory
from harness.suite.schema import schema

HOME = find_cases_directory()
FILES = sorted(file for folder in FOLDERS for file in (HOME / folder).rglob("*.yaml"))


@cache
def validator() -> Any:
    emitted = schema()
    jsonschema.Draft202012Validator.check_schema(emitted)
    return jsonschema.Draft202012Validator(emitted)


def as_editors_read(text: str) -> Any:
    """The file as a YAML 1.2 editor sees it, independent of our own reading."""
    return YAML(typ="safe", pure=True).load(text)


def test_the_committed_schema_is_what_the_command_prints(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cases", "schema"]) == 0
    committed = (HOME / "schema" / "case.schema.json").read_text(encoding="utf-8")
    assert committed == capsys.readouterr().out, "run: xent cases schema > cases/schema/case.schema.json"


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(HOME)))
def test_every_case_file_keeps_to_the_schema(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    errors = [f"{list(e.absolute_path)}: {e.message[:200]}" for e in validator().iter_errors(as_editors_read(text))]
    assert not errors


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(HOME)))
def test_every_case_file_tells_editors_its_schema(file: Path) -> None:
    first = file.read_text(encoding="utf-8").splitlines()[0]
    assert first.startswith("# yaml-language-server: $schema=")
    assert json.loads((file.parent / first.partition("=")[2]).read_text(encoding="utf-8"))["title"]


GOOD = "- {id: edges/a, title: t, why: w, loss: softmax, inputs: {logits: [nan, -inf, 0x1.8p+1, 1e-7, $x]}"


@pytest.mark.parametrize(
    "fields",
    [
        "",
        ", inputs2: 1",
        ", for_each: {x: [1, 2]}, except: [{x: 1}], tags: $tags",
        ", cotangent: {generator: ramp, shape: [3], start: 0.5}",
        ", options: {class_weights: {values: [1, 2], layout: reversed}, axis: $axis}",
        ", claims: [{value: [[1, 2]], holds: yes}, {check: labels_in_range, holds: no}]",
    ],
)
def test_what_the_schema_accepts(fields: str) -> None:
    errors = list(validator().iter_errors(as_editors_read(GOOD + fields + "}")))
    assert bool(errors) == ("inputs2" in fields)


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "[]",
        "- {id: edges/a}",
        GOOD.replace("softmax", "softmaks") + "}",
        GOOD.replace("1e-7", "one") + "}",
        GOOD.replace("1e-7", "true") + "}",
        GOOD.replace("edges/a", "Edges") + "}",
        GOOD + ", cotangent: {generator: ramp, shape: [3], stat: 0.5}}",
        GOOD + ", cotangent: {generator: normal, shape: [3]}}",
        GOOD + ", cotangent: {generator: nomal, shape: [3]}}",
        GOOD + ", options: {reducton: sum}}",
        GOOD + ", dtypes: [float8]}",
        GOOD + ", expect: {raises: boom}}",
        GOOD + ", claims: [{check: nothing, holds: yes}]}",
    ],
)
def test_what_the_schema_refuses(text: str) -> None:
    assert list(validator().iter_errors(as_editors_read(text)))
