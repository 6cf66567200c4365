"""Run files that are right, to be made wrong."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from typing import Any


def whole_run(records: Sequence[Mapping[str, Any]], *, lost: bool = True) -> list[dict[str, Any]]:
    """The run with something in it of each that a run may hold: wrong cells, modes that differ, claims, problems.

    `lost`: with what could not be found out, too.
    """
    header, *middle, footer = copy.deepcopy([dict(record) for record in records])
    cells = [record for record in middle if record["kind"] == "cell"]
    one = next(cell for cell in cells if cell["verdict"] == "agrees" and cell["outcome"]["kind"] == "value")
    header["implementations"]["torch"] = {
        **header["implementations"]["numpy"],
        "version": "2.5.0",
        "versions": {"torch": "2.5.0"},
        "modes": ["eager", "compile", "module"],
        "stderr": "what the worker printed",
    }
    if lost:
        missing = {"version": "0.9", "missing": "the library is not there", "stderr": "a trace"}
        header["implementations"]["lost"] = missing
    wrong = {"verdict": "disagrees", "severity": "silently_wrong", "explanation": "off by a half", "got": 3.5}
    raised = {"kind": "raises", "error": ["bad_dtype"], "type": "package.SomeError", "message": "no such kernel"}
    made = [
        {**one, **wrong, "implementation": "torch", "observed": {"kind": "finite"}, "warnings": ["a warning"]},
        {
            **one,
            **wrong,
            "implementation": "torch",
            "mode": "compile",
            "aspect": "mode_agreement",
            "observed": {"kind": "finite", "of": "value"},
        },
        {
            **{k: one[k] for k in ("kind", "case", "dtype")},
            "implementation": "torch",
            "mode": "module",
            "aspect": "value",
            "verdict": "disagrees",
            "outcome": raised,
            "severity": "unexpected_error",
            "explanation": "raises SomeError",
            "observed": {"kind": "raises", "error": "package.SomeError"},
        },
        {**one, **wrong, "verdict": "known", "ledger": "the-entry", "implementation": "torch", "dtype": "float16"},
        {
            **{k: one[k] for k in ("kind", "case", "dtype")},
            "implementation": "lost",
            "mode": "-",
            "aspect": "value",
            "verdict": "missing",
            "outcome": {"kind": "missing", "reason": "not there"},
            "explanation": "not there at all",
        },
        {
            **{k: one[k] for k in ("kind", "case", "dtype")},
            "implementation": "torch",
            "mode": "eager",
            "aspect": "gradient/other",
            "verdict": "crashed",
            "outcome": {"kind": "crashed", "signal": "SIGSEGV"},
            "explanation": "the worker died: SIGSEGV",
        },
    ]
    made[3].pop("severity")
    header["suite"]["ledger"]["the-entry"] = {
        "reason": "a cause",
        "upstream": "https://example.org",
        "pinned": "finite",
    }
    claim = {
        "kind": "claim",
        "case": one["case"],
        "claimed": "a claim",
        "verdict": "wrong",
        "truth": 1.5,
        "explanation": "it is 1.5",
        "says": "It is 2.",
        "convention": "base 2",
        "document": "a document",
        "expected": False,
    }
    cells += made if lost else made[:4]
    problem = {"kind": "fixed", "what": "an entry no longer happens", "hint": "remove it", "entry": "the-entry"}
    verdicts: dict[str, int] = {}
    for cell in cells:
        verdicts[cell["verdict"]] = verdicts.get(cell["verdict"], 0) + 1
    ending = {**footer, "cells": len(cells), "verdicts": verdicts, "problems": [problem]}
    return [header, claim, *cells, ending]


def lines(records: Sequence[Mapping[str, Any]]) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)
