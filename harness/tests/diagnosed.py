"""Which share of the known-bad implementations the diagnosis names: `python -m harness.tests.diagnosed`.

Each is asked the small cases of its loss until it was wrong `ENOUGH` times; it is named where the sentence said most
often is about its mistake.
"""

from __future__ import annotations

import math
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from harness.adapters.mutants import MUTANTS, adapter
from harness.judgement.ledger import Ledger
from harness.judging import Bench
from harness.planning import Question
from harness.suite.case import Case, ExpectTruth
from harness.suite.generators import realize, shape_of
from harness.suite.loading import load
from harness.tests.asking_here import answer

ENOUGH = 6
SMALL = 200
"""Elements of the largest input that is looked at."""

NAMES: Mapping[str, str] = MappingProxyType(
    {
        "mean-over-classes": r"N·C|all entries",
        "first-sample-only": "first sample",
        "mean-is-sum": "sum instead of the mean|reduction were sum",
        "sum-is-mean": r"reduction were mean|1/\d+ \(= 1/N\)",
        "ignored-in-mean": "ignored rows are counted|number of elements",
        "mean-over-kept": "number of elements|not ignored",
        "mean-over-weights": "sum of the weights",
        "mean-over-nonzero-weights": "non-zero weights|number of elements",
        "mean-over-first-axis": r"\(= (N|C)\)|not ignored",
        "batchmean-over-rows": "reduction were mean",
        "gradient-not-divided": r"nothing is divided|reduction were sum|\(= N\)",
        "gradient-always-divided": r"reduction were mean|1/\d+ \(= 1/N\)",
        "gradient-over-count": "number of elements",
        "ignores-cotangent": "upstream gradient is taken to be 1",
        "log-base-2": "log2|ln 2",
        "value-in-bits": "ln 2",
        "clip-1e-3": r"clip\(0\.001\)",
        "epsilon-inside-log": "added inside",
        "clip-and-add": "clip|added",
        "infinity-to-zero": "zero|clip",
        "zero-times-infinity": "nan everywhere|nan",
        "wrong-axis": "along axis",
        "softmax-twice": "softmax applied to its own result",
        "logits-in-float16": "float16",
        "clamped-logits": "clamped",
        "smoothing-over-others": r"ε/\(K−1\)",
        "ignores-smoothing": "label_smoothing is ignored",
        "smoothing-whole-epsilon": "ε instead of ε/2",
        "naive-softplus": "float32",
        "gamma-plus-one": r"γ \+ 1",
        "ignores-gamma": "gamma is ignored",
        "no-focal-weight": "no focal weight",
        "alpha-swapped": "swapped",
        "detached": "zero",
        "opposite-gradient": "sign",
        "one-wrong-sign": "wrong sign",
        "reversed-gradient": "reverse",
        "float16-gradient": "float16",
        "argmax-of-soft-labels": "argmax",
        "labels-from-one": "counted from one",
        "ignores-class-weights": "class_weights is ignored",
        "ignores-sample-weights": "sample_weights is ignored",
        "ignores-pos-weight": "pos_weight is ignored",
        "ignores-ignore-index": "ignore_index is ignored",
        "squares-class-weights": "weights enter twice",
        "swapped-arguments": "swapped",
        "wraps-negative-labels": "negative labels",
        "renormalises": "renormalised",
        "wrong-sign-at-target": "wrong sign",
        "gradient-of-plus-log": "wrong sign",
        "ignores-alpha": "alpha is ignored",
        "ignores-base": "ln 2|ln 10",
        "ignores-axis": "along axis",
        "gradient-ten-percent-large": r"1\.1$",
        "p-minus-y": "whatever the targets sum to",
    }
)
"""Words of the diagnosis that name a mistake. What is not listed is no single change of the lattice."""


def spoken(name: str, cases: Sequence[Case]) -> Counter[str]:
    """How often each sentence is said of a known-bad implementation."""
    said: Counter[str] = Counter()
    mutant = adapter(name)
    description = mutant.describe()
    for case in cases:
        if case.loss not in description.losses or case.dtypes[0] not in description.dtypes:
            continue
        question = Question("it", case, case.dtypes[0], description.modes[0])
        outcome = answer(mutant, question)
        for searches in (False, True):
            pending = Counter({(case.id, case.dtypes[0]): 1})
            bench = Bench(Ledger(), realize, {"it": description}, pending, searches=searches)
            wrong = [cell for cell in bench.judge(question, outcome) if cell.verdict == "disagrees"]
            if not wrong:
                break
            if searches:
                said.update((cell.explanation or "").rpartition("; ")[2] for cell in wrong)
        if said.total() >= ENOUGH:
            break
    return said


def is_named(name: str, said: Counter[str]) -> bool:
    """Whether the sentence said most often is about the mistake."""
    words = NAMES.get(name.partition(".")[0])
    return bool(words and said and re.search(words, said.most_common(1)[0][0]))


def small_cases() -> tuple[Case, ...]:
    """The cases with a truth and few numbers, without relations; options and documents before edges."""
    chosen = [
        replace(case, relations=())
        for case in load().cases
        if isinstance(case.expect, ExpectTruth) and all(math.prod(shape_of(s)) < SMALL for s in case.inputs.values())
    ]
    order = {"properties": 0, "options": 1, "documents": 2}
    return tuple(sorted(chosen, key=lambda case: order.get(case.id.partition("/")[0], 3)))


def measured(names: Sequence[str]) -> Iterator[tuple[str, bool, str]]:
    """Of each: its name, whether it is named, and what is said most often."""
    cases = small_cases()
    for name in names:
        said = spoken(name, cases)
        if said:
            yield name, is_named(name, said), said.most_common(1)[0][0]


def main() -> None:
    numeric = [name for name, mutant in MUTANTS.items() if mutant.kind != "conduct"]
    chosen = [name for name in numeric if not sys.argv[1:] or any(word in name for word in sys.argv[1:])]
    named = listed = wrong = 0
    for name, is_right, sentence in measured(chosen):
        wrong += 1
        named += is_right
        listed += name.partition(".")[0] in NAMES
        print("named" if is_right else "-----", name, "|", sentence[:110], flush=True)
    print(f"{named} of {wrong} known-bad implementations are named; {listed} have a single change that names them")


if __name__ == "__main__":
    main()
