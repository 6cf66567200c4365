"""The JSON schema of case files, for editors: emitted from the model, never written by hand.

xent cases schema > cases/schema/case.schema.json
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from harness.suite.claim_checks import CHECKS
from harness.suite.generators import GENERATORS
from harness.suite.model import NUMBER_SCHEMA, CaseEntry

_INTEGER = {"type": "integer"}
_KINDS: Mapping[str, Any] = {
    "shape": {"type": "array", "items": {"type": "integer", "minimum": 0}},
    "integer": _INTEGER,
    "count": {"type": "integer", "minimum": 1},
    "number": {"$ref": "#/$defs/Number"},
    "integers": {"anyOf": [_INTEGER, {"type": "array"}]},
    "numbers": {"anyOf": [{"$ref": "#/$defs/Number"}, {"$ref": "#/$defs/Row"}]},
}
_NAMED_SUBSCHEMAS = ("properties", "$defs")


def schema() -> dict[str, Any]:
    """The JSON schema (2020-12) of a case file: a list of entries, each a case or a family of cases."""
    entry = CaseEntry.model_json_schema(ref_template="#/$defs/{model}")
    definitions = entry.pop("$defs")
    definitions["GeneratorEntry"] = _generators(definitions["GeneratorEntry"])
    definitions["ClaimEntry"]["properties"]["check"]["enum"] = [*CHECKS, None]
    definitions["Case"] = entry
    definitions = {name: _with_parameters(definition) for name, definition in definitions.items()}
    case = definitions["Case"]
    case["properties"]["for_each"] = {
        "description": "parameters of a family: every $name becomes the value, every {name} its label",
        "type": "object",
        "minProperties": 1,
        "additionalProperties": {"anyOf": [{"type": "array", "minItems": 1}, {"type": "object", "minProperties": 1}]},
    }
    case["properties"]["except"] = {
        "description": "combinations of the family that are left out, by label",
        "type": "array",
        "items": {"type": "object", "minProperties": 1},
    }
    # The id of a family holds placeholders; the loader checks the ids it expands to.
    case["properties"]["id"]["pattern"] = r"^[a-z0-9][a-z0-9/._{}-]*$"
    definitions["Number"] = NUMBER_SCHEMA
    definitions["Parameter"] = {
        "description": "a parameter of the family",
        "type": "string",
        "pattern": r"^\$[a-z_][a-z0-9_]*$",
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Cases of a conformance suite for cross-entropy losses",
        "type": "array",
        "minItems": 1,
        "items": {"$ref": "#/$defs/Case"},
        "$defs": dict(sorted(definitions.items())),
    }


def schema_text() -> str:
    """The schema as it is committed."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def _generators(common: Mapping[str, Any]) -> dict[str, Any]:
    """One variant per generator, with its parameters and their descriptions."""
    shared = {name: common["properties"][name] for name in ("dtype", "layout")}
    return {
        "description": common["description"],
        "oneOf": [
            {
                "type": "object",
                "description": generator.doc,
                "properties": {
                    "generator": {"const": name},
                    **{n: {"description": p.doc, **_KINDS[p.kind]} for n, p in generator.parameters.items()},
                    **shared,
                },
                "required": ["generator", *(n for n, p in generator.parameters.items() if p.required)],
                "additionalProperties": False,
            }
            for name, generator in GENERATORS.items()
        ],
    }


def _with_parameters(part: Any, *, is_property: bool = False) -> Any:
    """The schema with `$name` allowed wherever a family may put a value: in every property and every item."""
    if isinstance(part, list):
        return [_with_parameters(entry) for entry in part]
    if not isinstance(part, dict):
        return part
    inner: dict[str, Any] = {}
    for key, value in part.items():
        if key in _NAMED_SUBSCHEMAS:
            inner[key] = {name: _with_parameters(entry, is_property=True) for name, entry in value.items()}
        elif key in ("items", "additionalProperties") and isinstance(value, dict):
            inner[key] = _with_parameters(value, is_property=True)
        else:
            inner[key] = _with_parameters(value)
    if inner.get("anyOf") == NUMBER_SCHEMA["anyOf"]:
        inner = {"$ref": "#/$defs/Number"}
    is_text = inner.get("type") == "string" and "enum" not in inner
    if not is_property or "const" in inner or is_text:
        return inner
    described = {"description": inner.pop("description")} if "description" in inner else {}
    return {**described, "anyOf": [inner, {"$ref": "#/$defs/Parameter"}]}
