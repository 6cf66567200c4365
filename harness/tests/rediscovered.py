"""Which known divergences a campaign has found again: `python -m harness.tests.rediscovered FOLDER`.

FOLDER is what `xent fuzz --no-ledger --save FOLDER` wrote. A divergence counts as found where some finding has its
implementation, loss, aspect and outcome, on an input of its condition.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML


@dataclass(frozen=True)
class Known:
    """One divergence that is known of the installed versions."""

    says: str
    implementation: str
    loss: str
    outcome: str
    condition: str = ""
    aspect: str = "*"
    mode: str = "*"


KNOWN = (
    Known("masked class, distribution: nan", "torch", "softmax_cross_entropy", "nan", "-inf in logits", "value"),
    Known("masked class, distribution: nan", "tensorflow", "softmax_cross_entropy", "nan", "-inf in logits", "value"),
    Known("masked class, distribution: nan", "keras-*", "softmax_cross_entropy", "nan", "-inf in logits", "value"),
    Known("masked class, distribution: nan", "optax", "softmax_cross_entropy", "nan", "-inf in logits", "value"),
    Known("masked class, label: nan eagerly", "keras-jax", "softmax_cross_entropy", "nan", "-inf in logits", "value"),
    Known("label out of range is answered", "optax", "softmax_cross_entropy", "returns", "out_of_range_label"),
    Known("label out of range is answered", "keras-jax", "*", "returns", "out_of_range_label"),
    Known("label out of range: nan under XLA", "tensorflow", "*", "returns", "out_of_range_label", mode="xla"),
    Known("a label of −1 wraps", "onnxruntime", "*", "returns", "out_of_range_label"),
    Known("a label of −1 wraps", "onnx-reference", "*", "returns", "out_of_range_label"),
    Known("label −100 is ignored by default", "torch", "*", "returns", "out_of_range_label"),
    Known("labels of small types are refused", "torch", "softmax_cross_entropy", "raises", "labels"),
    Known("labels of small types are refused", "tensorflow", "softmax_cross_entropy", "raises", "labels"),
    Known("sparse loss on axis 1 is refused", "keras-tensorflow", "*", "raises", "more axes"),
    Known("sparse loss on axis 1 is refused", "keras-jax", "*", "raises", "more axes"),
    Known("an ignored row of nan: gradient nan", "torch", "*", "nan", "ignore index", "gradient"),
    Known("BCE from logits loses the negative side", "torch", "binary_cross_entropy_with_logits", "finite"),
    Known("infinite binary logits: nan", "torch", "binary_cross_entropy_with_logits", "nan", "inf in logits", "value"),
    Known("infinite binary logits: nan", "optax", "binary_cross_entropy_with_logits", "nan", "inf in logits", "value"),
    Known("infinite binary logits: nan", "keras-*", "binary_cross_entropy_with_logits", "nan", "inf in logits"),
    Known("infinite binary logits: nan", "tensorflow", "binary_cross_entropy_with_logits", "nan", "inf in logits"),
    Known("half precision at p = 1: inf", "keras-*", "binary_cross_entropy", "inf", "probability 1"),
    Known("half precision at p = 1: nan", "keras-*", "binary_cross_entropy", "nan", "probability 1"),
    Known("compiled BCE checks no range", "torch", "binary_cross_entropy", "returns", "invalid_prob", mode="compile"),
    Known("TensorFlow checks no range", "tensorflow", "binary_cross_entropy", "returns", "invalid_probability"),
    Known("KL: 0 · −inf is nan", "torch", "kl_divergence", "nan"),
    Known("classes narrow float64", "keras-*", "*", "dtype", mode="class"),
    Known("subnormals are flushed", "tensorflow", "*", "*", "subnormal"),
    Known("subnormals are flushed", "jax", "*", "*", "probabilit"),
    Known("negative smoothing is accepted", "torch", "softmax_cross_entropy", "returns", "invalid_option"),
    Known("a float16 mean of many rows overflows", "torch", "softmax_cross_entropy", "inf", "many rows"),
    Known("means of float64 are float32", "keras-torch", "*", "finite"),
    Known("integer labels lose the shift", "optax", "softmax_cross_entropy", "finite", "logits", "value"),
    Known("the logarithm of an underflowed softmax", "onnx-reference", "*", "inf"),
    Known("log_softmax of +inf", "scipy", "log_softmax", "*", "inf in logits"),
    Known("xlogy's gradient at 0 is nan", "jax", "cross_entropy", "nan", "probability 0", "gradient"),
    Known("pos_weight: gradient at 0", "tensorflow", "binary_cross_entropy_with_logits", "finite", "pos weight"),
    Known("focal gradient is nan", "keras-*", "binary_focal", "nan", "", "gradient"),
)
"""From the list of behaviours seen in the wild, those the installed implementations can show as a disagreement. Not
here: what a declared convention covers (clamps, renormalisation, denominators, TensorFlow's gradient of targets that do
not sum to 1, the mean over nothing), what lies inside the budget (confident predictions that vanish early), and what is
not drawn (floating labels, columns of labels)."""


def findings(folder: Path) -> list[dict[str, Any]]:
    """What a campaign saved, each case beside its ledger stub."""
    yaml = YAML(typ="safe")
    cases = yaml.load((folder / "edges" / "found.yaml").read_text(encoding="utf-8"))
    stubs = yaml.load((folder / "ledger" / "found.yaml").read_text(encoding="utf-8"))
    return [{"case": case, "stub": stub} for case, stub in zip(cases, stubs, strict=True)]


def shows(finding: dict[str, Any], known: Known) -> bool:
    """Whether a finding is a known divergence."""
    stub, case = finding["stub"], finding["case"]
    return (
        fnmatchcase(stub["implementations"][0], known.implementation)
        and fnmatchcase(case["loss"], known.loss)
        and fnmatchcase(str(stub["outcome"]["kind"]), known.outcome)
        and fnmatchcase(stub["aspects"][0], known.aspect)
        and fnmatchcase(stub["modes"][0], known.mode)
        and known.condition in case["title"]
    )


def main(folder: str) -> None:
    found = findings(Path(folder))
    again = 0
    for known in KNOWN:
        is_there = any(shows(finding, known) for finding in found)
        again += is_there
        print("found    " if is_there else "NOT FOUND", f"{known.implementation}: {known.says}")
    print(f"{again} of {len(KNOWN)} ({again / len(KNOWN):.0%}), among {len(found)} findings")


if __name__ == "__main__":
    main(sys.argv[1])
